package portal

import (
	"net/http"

	"ribambelle/internal/locale"
	"ribambelle/portal/page"
)

// side is the menu of the office: what the person may open, by subject, with what waits there. current is the address
// of the entry that is open.
func (s *server) side(r *http.Request, l *locale.Locale, q staffWork, current string) ([]page.SideGroup, error) {
	unmatched := 0
	if s.can(r, mayBank) {
		var err error
		if unmatched, err = s.bank().Waiting(r.Context()); err != nil {
			return nil, err
		}
	}
	var groups []page.SideGroup
	group := func(title string) { groups = append(groups, page.SideGroup{Title: title}) }
	entry := func(may access, url, key string, n int) {
		if s.can(r, may) {
			g := &groups[len(groups)-1]
			g.Entries = append(g.Entries, page.SideEntry{URL: url, Text: l.T(key), Count: n, Current: url == current})
		}
	}
	group("")
	entry(maySee, "/gestion/", "staff.nav.today", 0)
	entry(maySee, "/gestion/recherche", "staff.nav.search", 0)
	entry(maySee, "/gestion/taches", "staff.nav.tasks", q.Tasks)
	group(l.T("staff.side.registrations"))
	entry(maySee, "/gestion/inscriptions", "staff.nav.decide", q.ToDecide)
	entry(maySee, "/gestion/inscriptions?state=late", "staff.nav.late", q.Late)
	entry(maySee, "/gestion/inscriptions?state=waitlisted", "staff.nav.waiting", q.Waiting)
	entry(maySee, "/gestion/inscriptions?state=sheet", "staff.nav.sheets", 0)
	entry(maySee, "/gestion/familles", "staff.family.title", 0)
	entry(mayDecide, "/gestion/guichet", "staff.nav.counter", 0)
	group(l.T("staff.side.camps"))
	entry(maySee, "/gestion/stages", "staff.nav.camps", 0)
	entry(maySee, "/gestion/bus", "staff.nav.bus", 0)
	entry(maySee, "/gestion/ouverture", "rush.live", 0)
	entry(maySee, "/gestion/odoo", "staff.odoo.page", 0)
	group(l.T("staff.side.money"))
	entry(mayFinance, financePath, "finance.nav", 0)
	entry(mayBank, bankPath, "bank.nav", unmatched)
	entry(mayFinance, staffRefundPath, "smoney.refunds", 0)
	entry(mayCash, cashPath, "cash.title", 0)
	entry(maySee, tariffPath, "tariff.title", 0)
	entry(mayAttest, staffAttestationPath, "staff.nav.attestations", 0)
	group(l.T("staff.side.system"))
	entry(maySet, "/gestion/reglages", "staff.nav.settings", 0)
	entry(maySet, "/gestion/comptes", "staff.nav.accounts", 0)
	entry(maySet, "/gestion/systeme", "staff.nav.system", 0)
	shown := groups[:0]
	for _, g := range groups {
		if len(g.Entries) > 0 {
			shown = append(shown, g)
		}
	}
	return shown, nil
}
