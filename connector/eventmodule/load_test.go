package eventmodule

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load loads rows and returns the parts of the answer that tests look at.
func (p *peer) load(model string, fields []any, rows ...[]any) (ids any, messages []any) {
	p.t.Helper()
	data := make([]any, len(rows))
	for i, r := range rows {
		data[i] = r
	}
	v := p.do(model, "load", []any{fields, data}, nil).(map[string]any)
	messages, _ = v["messages"].([]any)
	return v["ids"], messages
}

func TestLoad(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := p.event("Ferme", 3)
	ev := fmt.Sprint(event)
	fields := []any{"id", "name", "event_id/.id", "state"}
	first, messages := p.load("event.registration", fields, []any{"rb.reg_1", "Zoé", ev, "open"}, []any{"rb.reg_2", "Noé", ev, "draft"})
	if len(messages) != 0 {
		t.Fatalf("messages: %v", messages)
	}
	again, _ := p.load("event.registration", fields, []any{"rb.reg_2", "Noé L.", ev, "cancel"}, []any{"rb.reg_1", "Zoé L.", ev, "open"})
	a, b := first.([]any), again.([]any)
	if d := cmp.Diff([]any{a[1], a[0]}, b); d != "" {
		t.Errorf("loaded again, ids (-want +got):\n%s", d)
	}
	if got := p.get("event.registration", a[1].(int64), "state"); got != "cancel" {
		t.Errorf("state = %v after the update", got)
	}

	t.Run("bad rows roll back all and are named", func(t *testing.T) {
		ids, messages := p.load("event.registration", fields,
			[]any{"rb.reg_1", "changed", ev, "open"}, []any{"rb.reg_3", "x", "999", "open"},
			[]any{"rb.reg_4", "x", ev, "bogus"}, []any{"rb.reg_5", "x", "", "open"})
		var got []string
		for _, m := range messages {
			m := m.(map[string]any)
			got = append(got, fmt.Sprintf("%v %v %v", m["record"], m["field"], m["message"]))
		}
		want := []string{
			"1 event_id No matching record found for database id '999' in field 'Event'",
			"2 state Value 'bogus' not found in selection field 'Status'",
			"3 event_id Missing required value for the field 'Event' (event_id)",
		}
		if d := cmp.Diff(want, got); d != "" || ids != false {
			t.Errorf("ids %v (-want +got):\n%s", ids, d)
		}
		if name := p.get("event.registration", a[0].(int64), "name"); name != "Zoé L." {
			t.Errorf("the refused batch left name %v", name)
		}
	})
	t.Run("no seat names the rows beyond the limit", func(t *testing.T) {
		_, messages := p.load("event.registration", []any{"id", "event_id/.id"},
			[]any{"rb.s1", ev}, []any{"rb.s2", ev}, []any{"rb.s3", ev})
		if len(messages) != 1 || messages[0].(map[string]any)["record"] != int64(2) ||
			!strings.Contains(messages[0].(map[string]any)["message"].(string), "Missing 1 seats.") {
			t.Errorf("messages: %v", messages)
		}
	})
	t.Run("by database id", func(t *testing.T) {
		ids, _ := p.load("event.registration", []any{".id", "name"}, []any{fmt.Sprint(a[0]), "adopted"})
		if d := cmp.Diff([]any{a[0]}, ids); d != "" || p.get("event.registration", a[0].(int64), "name") != "adopted" {
			t.Errorf("(-want +got):\n%s", d)
		}
		_, messages := p.load("event.registration", []any{".id", "name"}, []any{"999999", "x"})
		if len(messages) != 1 || messages[0].(map[string]any)["message"] != "Unknown database identifier '999999'" {
			t.Errorf("unknown id: %v", messages)
		}
	})
	t.Run("with both ids the external one wins", func(t *testing.T) {
		ids, _ := p.load("event.registration", []any{"id", ".id", "name", "event_id/.id", "state"}, []any{"rb.second", fmt.Sprint(a[0]), "second", ev, "draft"})
		if got := ids.([]any)[0]; got == a[0] {
			t.Error("the row named by database id was updated")
		}
	})
	t.Run("unlinked rows are made anew", func(t *testing.T) {
		p.do("event.registration", "unlink", []any{[]any{a[1]}}, nil)
		ids, _ := p.load("event.registration", fields, []any{"rb.reg_2", "back", ev, "draft"})
		if ids.([]any)[0] == a[1] {
			t.Error("the id came back")
		}
	})
	t.Run("an external id of another model", func(t *testing.T) {
		_, messages := p.load("res.partner", []any{"id", "name"}, []any{"rb.reg_1", "x"})
		if len(messages) != 1 || !strings.Contains(messages[0].(map[string]any)["message"].(string), "found record of different model event.registration") {
			t.Errorf("messages: %v", messages)
		}
	})
	t.Run("an external id whose row went with its event", func(t *testing.T) {
		gone := p.event("Autre", 0)
		fields := []any{"id", "name", "event_id/.id"}
		if _, messages := p.load("event.event.ticket", fields, []any{"rb.ticket", "x", fmt.Sprint(gone)}); len(messages) > 0 {
			t.Fatal(messages)
		}
		p.do("event.event", "unlink", []any{gone}, nil)
		if ids, messages := p.load("event.event.ticket", fields, []any{"rb.ticket", "x", ev}); ids == false {
			t.Errorf("messages: %v", messages)
		}
	})
	t.Run("the same external id twice in a batch is one row", func(t *testing.T) {
		ids, _ := p.load("res.partner", []any{"id", "name"}, []any{"rb.twice", "a"}, []any{"rb.twice", "b"})
		list := ids.([]any)
		if list[0] != list[1] || p.get("res.partner", list[0].(int64), "name") != "b" {
			t.Errorf("ids %v", list)
		}
		_, messages := p.load("event.registration", fields, []any{"rb.thrice", "a", ev, "draft"}, []any{"rb.thrice", "b", ev, "draft"}, []any{"rb.no", "x", "", ""})
		if len(messages) != 1 {
			t.Errorf("with a bad row beside it: %v", messages)
		}
	})
	t.Run("partners and tags by external id and name", func(t *testing.T) {
		ids, messages := p.load("res.partner", []any{"id", "name", "email", "is_company", "country_id", "category_id"},
			[]any{"rb.parent_1", "Anne", "a@example.org", "no", "Belgium", ""})
		if len(messages) > 0 {
			t.Fatal(messages)
		}
		_, messages = p.load("event.registration", []any{"id", "event_id/.id", "partner_id/id", "state"}, []any{"rb.reg_9", ev, "rb.parent_1", "draft"})
		if len(messages) > 0 {
			t.Fatal(messages)
		}
		row := p.do("event.registration", "search_read", []any{[]any{leaf("partner_id", "=", ids.([]any)[0])}, []any{"name", "email"}}, nil).([]any)[0].(map[string]any)
		if row["name"] != "Anne" || row["email"] != "a@example.org" {
			t.Errorf("not filled from the partner: %v", row)
		}
		_, messages = p.load("event.event", []any{"id", "event_ticket_ids"}, []any{"rb.x", "y"})
		if len(messages) == 0 {
			t.Error("a one2many was loaded")
		}
	})
	t.Run("an instant is read in the context's zone", func(t *testing.T) {
		v := p.do("event.event", "load", []any{[]any{"id", "name", "date_begin", "date_end"}, []any{[]any{"rb.e", "E", "2027-07-05 09:00:00", "2027-07-05 16:00:00"}}},
			object{{"context", object{{"tz", "Europe/Brussels"}}}}).(map[string]any)
		if got := p.get("event.event", v["ids"].([]any)[0].(int64), "date_begin"); got != "2027-07-05 07:00:00" {
			t.Errorf("date_begin = %v", got)
		}
	})
	t.Run("metadata shows whose row it is", func(t *testing.T) {
		m := p.as("desk").do("event.registration", "get_metadata", []any{[]any{a[0]}}, nil).([]any)[0].(map[string]any)
		if m["xmlid"] != "rb.reg_1" || len(m["xmlids"].([]any)) != 1 {
			t.Errorf("metadata: %v", m)
		}
	})
}

// TestLoadSameExternalIDInParallel: one row is made, and all callers learn it.
func TestLoadSameExternalIDInParallel(t *testing.T) {
	t.Parallel()
	p := start(t)
	ev := fmt.Sprint(p.event("Ferme", 0))
	var wg sync.WaitGroup
	got := make([]any, 8)
	for i := range got {
		wg.Go(func() {
			got[i], _ = p.load("event.registration", []any{"id", "name", "event_id/.id"}, []any{"rb.one", "x", ev}, []any{"rb.two", "y", ev})
		})
	}
	wg.Wait()
	for i := range got {
		if d := cmp.Diff(got[0], got[i]); d != "" || got[i] == false {
			t.Errorf("caller %d got %v, the first %v", i, got[i], got[0])
		}
	}
	if n := p.do("event.registration", "search_count", []any{[]any{}}, nil); n != int64(2) {
		t.Errorf("%v rows were made, want 2", n)
	}
}
