package eventmodule

import (
	"fmt"
	"testing"
)

// TestRights: what each login may do, with the texts of 17.0.
func TestRights(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := p.event("Ferme", 0)
	reg := p.create("event.registration", object{{"event_id", event}})
	const contact = "\n\nContact your administrator to request access if necessary."
	tests := []struct {
		login, model, method string
		args                 []any
		denied               string
	}{
		{"desk", "event.event", "search_read", []any{[]any{}, []any{"name"}}, ""},
		{"desk", "event.event.ticket", "search", []any{[]any{}}, ""},
		{"desk", "event.tag", "search", []any{[]any{}}, ""},
		{"desk", "event.registration", "create", []any{object{{"event_id", event}}}, ""},
		{"desk", "event.registration", "write", []any{[]any{reg}, object{{"name", "x"}}}, ""},
		{"desk", "event.registration", "load", []any{[]any{"id", "event_id/.id"}, []any{[]any{"rb.d", fmt.Sprint(event)}}}, ""},
		{
			"desk", "event.registration", "unlink",
			[]any{[]any{reg}},
			"You are not allowed to delete 'Event Registration' (event.registration) records.\n\nThis operation is allowed for the following groups:\n\t- Events/Administrator" + contact,
		},
		{
			"desk", "event.event", "create",
			[]any{object{{"name", "x"}}},
			"You are not allowed to create 'Event' (event.event) records.\n\nThis operation is allowed for the following groups:\n\t- Events/Administrator\n\t- Events/User" + contact,
		},
		{
			"desk", "event.event", "write",
			[]any{[]any{event}, object{{"registration_ids", []any{}}}},
			"You are not allowed to modify 'Event' (event.event) records.\n\nThis operation is allowed for the following groups:\n\t- Events/Administrator\n\t- Events/User" + contact,
		},
		{
			"desk", "res.partner", "create",
			[]any{object{{"name", "x"}}},
			"You are not allowed to create 'Contact' (res.partner) records.\n\nThis operation is allowed for the following groups:\n\t- Extra Rights/Contact Creation" + contact,
		},
		{"contacts", "res.partner", "create", []any{object{{"name", "x"}}}, ""},
		{
			"desk", "ir.model.data", "search_read",
			[]any{[]any{}},
			"You are not allowed to access 'Model Data' (ir.model.data) records.\n\nThis operation is allowed for the following groups:\n\t- Administration/Settings" + contact,
		},
		{
			"desk", "res.users", "write",
			[]any{[]any{2}, object{{"login", "x"}}},
			"You are not allowed to modify 'User' (res.users) records.\n\nThis operation is allowed for the following groups:\n\t- Administration/Settings" + contact,
		},
		{"admin", "ir.model.data", "search_read", []any{[]any{}}, ""},
	}
	for _, tt := range tests {
		_, err := p.as(tt.login).try(tt.model, tt.method, tt.args, nil)
		if tt.denied != "" {
			f, ok := faultOf(err)
			if !ok || f.code != codeAccess || f.text != tt.denied {
				t.Errorf("%s %s.%s: got %v, want %q", tt.login, tt.model, tt.method, err, tt.denied)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s.%s: %v", tt.login, tt.model, tt.method, err)
		}
	}
	for op, want := range map[string]bool{"read": true, "write": true, "create": true, "unlink": false} {
		if got := p.as("desk").do("event.registration", "check_access_rights", []any{op}, object{{"raise_exception", false}}); got != want {
			t.Errorf("check_access_rights(%s) = %v, want %v", op, got, want)
		}
	}
	groups := map[string][]any{"event.group_event_registration_desk": {true, true}, "base.group_partner_manager": {false, true}, "event.group_event_manager": {false, true}, "no.group": {false, false}}
	for group, want := range groups {
		for i, login := range []string{"desk", "admin"} {
			if got := p.as(login).do("res.users", "has_group", []any{group}, nil); got != want[i] {
				t.Errorf("%s.has_group(%s) = %v, want %v", login, group, got, want[i])
			}
		}
	}
	if got := p.do("res.users", "context_get", []any{}, nil).(map[string]any); got["lang"] != "en_US" || got["uid"] != int64(2) {
		t.Errorf("context_get = %v", got)
	}
	if _, err := p.as("desk").try("event.registration", "check_access_rights", []any{"unlink"}, nil); err == nil {
		t.Error("check_access_rights did not raise")
	}
}
