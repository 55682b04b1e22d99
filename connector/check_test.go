package connector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// healthy scripts an Odoo on which nothing is missing.
func healthy(t *testing.T) *fake {
	f := newFake(t)
	f.fields(ModelEvent, "name", "website_url")
	f.fields(ModelTicket, "name", "price")
	f.fields(ModelTag, "name", "category_id")
	f.fields(ModelEventType, "name")
	for _, m := range []string{ModelEvent, ModelTicket, ModelTag, ModelStage, ModelEventType, ModelRegistration, ModelPartner, "ir.model.data", "ir.module.module"} {
		f.answer(m+".check_access_rights", true)
	}
	f.answer("event.tag.search_read", []any{map[string]any{"id": 3, "name": " STAGE", "category_id": []any{1, "Type"}}})
	f.answer("event.type.search_read", []any{map[string]any{"id": 1, "name": "Conférence"}})
	f.answer("ir.module.module.search_read", []any{map[string]any{"id": 1, "name": "event"}, map[string]any{"id": 2, "name": "account"}})
	return f
}

func keys(r *Report, level Level) []string {
	var out []string
	for _, l := range r.Lines() {
		if l.Level == level {
			out = append(out, strings.TrimPrefix(l.Key, "odoo.check."))
		}
	}
	return out
}

func TestCheckHealthy(t *testing.T) {
	t.Parallel()
	r := healthy(t).client().Check(t.Context())
	if !r.OK() || len(keys(r, LevelWarning)) > 0 {
		t.Errorf("report:\n%s", r)
	}
	if r.Version.Series != 17 || !r.Supported || r.UserID != 2 || r.Lang != "fr_BE" || !r.Rights["event.registration:create"] {
		t.Errorf("report %+v", r)
	}
	if diff := cmp.Diff([]string{"account", "event", "event_sale", "website_event"}, r.Modules); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		script   func(*fake)
		edit     func(*Config)
		errors   []string
		warnings []string
		text     string
	}{
		{"database", func(f *fake) {
			f.fault("authenticate", 1, trace("psycopg2.OperationalError: FATAL:  database \"commune\" does not exist"))
		}, nil, []string{"database"}, nil, "The database does not exist on this server."},
		{"desk user", func(f *fake) {
			f.answer("res.partner.check_access_rights", false)
			f.answer("ir.module.module.check_access_rights", false)
			f.fault("ir.model.data.check_access_rights", 4, "no")
		}, nil, nil, []string{"right_missing", "right_missing"}, "Guardians are not sent as contacts"},
		{"future series", func(f *fake) {
			f.answer("version", map[string]any{"server_version": "23.0", "server_version_info": []any{23}})
			for _, m := range []string{ModelEvent, ModelTicket, ModelTag, ModelStage, ModelEventType, ModelRegistration, ModelPartner, "ir.model.data", "ir.module.module"} {
				f.answer(m+".has_access", true)
			}
		}, nil, nil, []string{"series_unknown"}, "treated like series 19"},
		{"no event module", func(f *fake) { f.fault("event.event.fields_get", 2, "Object event.event doesn't exist") }, nil, []string{"no_event_module"}, nil, "not installed"},
		{"no mark", func(*fake) {}, func(c *Config) { c.CampMark = "Plaine" }, nil, []string{"no_mark"}, `"Plaine"`},
		{"no modules", func(f *fake) {
			f.fields(ModelEvent, "name")
			f.fields(ModelTicket, "name")
		}, nil, nil, []string{"no_module", "no_module"}, "event_sale"},
		{"no read of events", func(f *fake) { f.answer("event.event.check_access_rights", false) }, nil, []string{"right_missing"}, []string{"right_missing"}, "No camp can be pulled."},
		{"not an odoo", func(f *fake) { f.handle("version", status(404)) }, nil, []string{"not_odoo"}, nil, "No Odoo answers at this address (HTTP 404)."},
		{"another service in XML", func(f *fake) { f.answer("version", "1.0") }, nil, []string{"not_odoo"}, nil, "no Odoo"},
		{"password", func(f *fake) { f.answer("authenticate", false) }, nil, []string{"password"}, nil, "does not accept the user"},
		{"redirect", func(f *fake) { f.handle("version", status(308, "Location", "https://odoo.example.be/xmlrpc/2/common")) }, nil, []string{"redirect"}, nil, "https://odoo.example.be;"},
		{"right unknown", func(f *fake) { f.handle("res.partner.check_access_rights", status(503)) }, nil, nil, []string{"right_unknown", "right_unknown"}, "HTTP 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := healthy(t)
			tt.script(f)
			edit := tt.edit
			if edit == nil {
				edit = func(*Config) {}
			}
			r := f.client(edit).Check(t.Context())
			if diff := cmp.Diff(tt.errors, keys(r, LevelError)); diff != "" {
				t.Errorf("errors (-want +got):\n%s\n%s", diff, r)
			}
			if diff := cmp.Diff(tt.warnings, keys(r, LevelWarning)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s\n%s", diff, r)
			}
			if r.OK() != (len(tt.errors) == 0) || !strings.Contains(r.String(), tt.text) {
				t.Errorf("OK %v, want %q in\n%s", r.OK(), tt.text, r)
			}
			for _, l := range r.Lines() {
				if l.Text == "" || (l.Level != LevelOK) != (l.Effect != "" && l.EffectKey != "") {
					t.Errorf("line %+v lacks its text or its effect", l)
				}
			}
			if strings.Contains(r.String(), testPassword) {
				t.Error("the report tells the password")
			}
		})
	}
}

func TestCheckWarnsOfPlainHTTP(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{"http://odoo.example.be": false, "http://localhost:8069": true, "http://127.0.0.1": true, "http://[::1]:80": true, "::": false} {
		if got := loopback(url); got != want {
			t.Errorf("loopback(%s) = %v", url, got)
		}
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	m := Mark{TagIDs: []int64{3}, TypeIDs: []int64{7}}
	for _, tt := range []struct {
		e    Event
		want bool
	}{
		{Event{TagIDs: []int64{1, 3}}, true},
		{Event{Type: Ref{ID: 7}}, true},
		{Event{TagIDs: []int64{7}, Type: Ref{ID: 3}}, false},
		{Event{}, false},
	} {
		if got := m.Marks(tt.e); got != tt.want {
			t.Errorf("%+v: %v", tt.e, got)
		}
	}
	if (Mark{}).Marks(Event{}) {
		t.Error("an empty mark marks an event without a type")
	}
}
