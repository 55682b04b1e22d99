package eventmodule

import (
	"fmt"
	"strings"
)

// The four operations rights are about, by Odoo's names.
const (
	opRead   = "read"
	opWrite  = "write"
	opCreate = "create"
	opUnlink = "unlink"
)

// The groups that stand behind the two kinds of users, by their names in the
// faults.
const (
	groupEventAdmin = "Events/Administrator"
	groupEventUser  = "Events/User"
	groupEventDesk  = "Events/Registration Desk"
	groupContacts   = "Extra Rights/Contact Creation"
	groupAccess     = "Administration/Access Rights"
	groupSettings   = "Administration/Settings"
)

// accessRule says who, besides the administrator, may do an operation.
type accessRule struct {
	everyone bool
	groups   []string
}

// accessRules are those of 17.0 for a user of the registration desk. What is
// not listed belongs to the administrator.
var accessRules = map[string]map[string]accessRule{
	"event.event": {
		opRead:   {groups: []string{groupEventDesk, groupEventUser, groupEventAdmin}},
		opCreate: {groups: []string{groupEventAdmin, groupEventUser}},
		opWrite:  {groups: []string{groupEventAdmin, groupEventUser}},
		opUnlink: {groups: []string{groupEventAdmin}},
	},
	"event.event.ticket": {
		opRead:   {groups: []string{groupEventDesk, groupEventUser, groupEventAdmin}},
		opCreate: {groups: []string{groupEventAdmin, groupEventUser}},
		opWrite:  {groups: []string{groupEventAdmin, groupEventUser}},
		opUnlink: {groups: []string{groupEventAdmin, groupEventUser}},
	},
	"event.registration": {
		opRead:   {groups: []string{groupEventDesk, groupEventAdmin}},
		opCreate: {groups: []string{groupEventDesk, groupEventAdmin}},
		opWrite:  {groups: []string{groupEventDesk, groupEventAdmin}},
		opUnlink: {groups: []string{groupEventAdmin}},
	},
	"event.tag":          deskReads(groupEventAdmin, groupEventUser),
	"event.tag.category": deskReads(groupEventAdmin, groupEventUser),
	"event.stage":        deskReads(groupEventAdmin),
	"event.type":         deskReads(groupEventAdmin),
	"event.mail":         deskReads(groupEventAdmin, groupEventUser),
	"res.partner": {
		opRead:   {everyone: true},
		opCreate: {groups: []string{groupContacts}},
		opWrite:  {groups: []string{groupContacts}},
		opUnlink: {groups: []string{groupContacts}},
	},
	"res.partner.category": {
		opRead: {everyone: true}, opCreate: {groups: []string{groupContacts}},
		opWrite: {groups: []string{groupContacts}}, opUnlink: {groups: []string{groupContacts}},
	},
	"res.users":        {opRead: {everyone: true}},
	"res.company":      {opRead: {everyone: true}},
	"res.country":      {opRead: {everyone: true}},
	"res.lang":         {opRead: {everyone: true}},
	"ir.model":         {opRead: {groups: []string{groupAccess}}},
	"ir.model.data":    {opRead: {groups: []string{groupSettings}}},
	"ir.module.module": {opRead: {groups: []string{groupSettings}}},
}

func deskReads(writers ...string) map[string]accessRule {
	rule := accessRule{groups: writers}
	return map[string]accessRule{opRead: {groups: append([]string{groupEventDesk}, writers...)}, opCreate: rule, opWrite: rule, opUnlink: rule}
}

// may tells whether the caller may do op on the model.
func (e *env) may(m *model, op string) bool {
	if e.user.Admin {
		return true
	}
	rule, ok := accessRules[m.name][op]
	if !ok {
		return false
	}
	if rule.everyone {
		return true
	}
	for _, g := range rule.groups {
		if g == groupEventDesk && e.user.Desk || g == groupContacts && e.user.ContactCreation {
			return true
		}
	}
	return false
}

// allow is may as a fault 4 with the text of 17.0.
func (e *env) allow(m *model, op string) error {
	if e.may(m, op) {
		return nil
	}
	verb := map[string]string{opRead: "access", opWrite: "modify", opCreate: "create", opUnlink: "delete"}[op]
	text := fmt.Sprintf("You are not allowed to %s '%s' (%s) records.\n\n", verb, m.label, m.name)
	if groups := accessRules[m.name][op].groups; len(groups) > 0 {
		text += "This operation is allowed for the following groups:\n\t- " + strings.Join(groups, "\n\t- ")
	} else {
		text += "This operation is allowed for the following groups:\n\t- " + groupSettings
	}
	return accessError(text + "\n\nContact your administrator to request access if necessary.")
}
