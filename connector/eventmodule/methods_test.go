package eventmodule

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMethods(t *testing.T) {
	t.Parallel()
	l := shelve(t)
	p := l.peer
	t.Run("read keeps order and duplicates", func(t *testing.T) {
		rows := p.do("event.event", "read", []any{[]any{l.b, l.a, l.b, 9999}, []any{"id"}}, nil).([]any)
		var got []any
		for _, r := range rows {
			got = append(got, r.(map[string]any)["id"])
		}
		if d := cmp.Diff([]any{l.b, l.a, l.b}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	t.Run("every model reads all its fields", func(t *testing.T) {
		for _, m := range p.srv.models.list {
			v, err := p.try(m.name, "search_read", []any{[]any{}}, object{{"context", object{{"active_test", false}}}})
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
				continue
			}
			for _, row := range v.([]any) {
				if len(row.(map[string]any)) != len(m.fields) {
					t.Errorf("%s answers %d of %d fields", m.name, len(row.(map[string]any)), len(m.fields))
				}
			}
		}
	})
	t.Run("a None is committed, then a fault", func(t *testing.T) {
		for action, state := range map[string]string{"action_cancel": "cancel", "action_set_draft": "draft", "action_set_done": "done", "action_confirm": "open"} {
			_, err := p.try("event.registration", action, []any{[]any{l.one}}, nil)
			if f, ok := faultOf(err); !ok || f.code != codeApplication || !strings.HasSuffix(f.text, "TypeError: cannot marshal None unless allow_none is enabled\n") {
				t.Errorf("%s: %v", action, err)
			}
			if got := p.get("event.registration", l.one, "state"); got != state {
				t.Errorf("after %s the state is %v", action, got)
			}
		}
		if got := p.get("event.registration", l.one, "date_closed"); got == false {
			t.Error("date_closed did not stay")
		}
	})
	t.Run("copy takes tickets and tags, not registrations", func(t *testing.T) {
		p.create("event.event.ticket", object{{"event_id", l.a}, {"name", "Semaine"}, {"price", 30.0}})
		id := p.do("event.event", "copy", []any{l.a}, nil).(int64)
		row := p.do("event.event", "read", []any{id, []any{"name", "tag_ids", "event_ticket_ids", "registration_ids", "stage_id"}}, nil).([]any)[0].(map[string]any)
		if row["name"] != "Peinture (copy)" || len(row["tag_ids"].([]any)) != 1 || len(row["event_ticket_ids"].([]any)) != 1 || len(row["registration_ids"].([]any)) != 0 {
			t.Errorf("copy: %v", row)
		}
	})
	t.Run("a stage change resets the kanban state", func(t *testing.T) {
		p.do("event.event", "write", []any{[]any{l.b}, object{{"kanban_state", "done"}}}, nil)
		p.do("event.event", "write", []any{[]any{l.b}, object{{"stage_id", 2}}}, nil)
		if got := p.get("event.event", l.b, "kanban_state"); got != "normal" {
			t.Errorf("kanban_state = %v", got)
		}
	})
	t.Run("a template hands over its settings", func(t *testing.T) {
		typ := p.create("event.type", object{{"name", "Stage"}, {"has_seats_limitation", true}, {"seats_max", 24}, {"default_timezone", "Europe/Brussels"}, {"tag_ids", []any{[]any{6, 0, []any{l.sea}}}}})
		id := p.create("event.event", object{{"name", "x"}, {"event_type_id", typ}})
		row := p.do("event.event", "read", []any{id, []any{"seats_max", "seats_limited", "date_tz", "tag_ids"}}, nil).([]any)[0]
		want := map[string]any{"id": id, "seats_max": int64(24), "seats_limited": true, "date_tz": "Europe/Brussels", "tag_ids": []any{l.sea}}
		if d := cmp.Diff(any(want), row); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	t.Run("name_search and its kin", func(t *testing.T) {
		got := p.do("res.partner", "name_search", []any{"cour"}, nil)
		if d := cmp.Diff(any([]any{[]any{l.child, "École, Cour"}}), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		got = p.do("event.tag", "name_search", []any{}, object{{"operator", "not ilike"}, {"name", "eau"}, {"limit", 1}})
		if d := cmp.Diff(any([]any{[]any{l.art, "Arts"}}), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if got := p.do("event.registration", "name_get", []any{[]any{l.two}}, nil); pyRepr(got) != fmt.Sprintf("[[%d, '#%d']]", l.two, l.two) {
			t.Errorf("name_get = %s", pyRepr(got))
		}
	})
	t.Run("unlink", func(t *testing.T) {
		_, err := p.try("event.event", "unlink", []any{[]any{l.a}}, nil)
		if err == nil || !strings.Contains(err.Error(), "Constraint: event_registration_event_id_fkey") {
			t.Errorf("an event with registrations: %v", err)
		}
		_, err = p.try("event.registration", "unlink", []any{[]any{l.two, 9999}}, nil)
		if err == nil || !strings.Contains(err.Error(), "(Record: event.registration(9999,), User: 2)") {
			t.Errorf("a missing id: %v", err)
		}
		if got := p.do("event.registration", "unlink", []any{[]any{l.two}}, nil); got != true {
			t.Errorf("unlink = %v", got)
		}
	})
	t.Run("defaults", func(t *testing.T) {
		got := p.do("event.registration", "default_get", []any{[]any{"state", "active", "name", "event_id"}}, object{{"context", object{{"default_event_id", l.a}}}})
		if d := cmp.Diff(any(map[string]any{"state": "open", "active": true, "event_id": l.a}), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	t.Run("paging", func(t *testing.T) {
		got := p.do("res.country", "search", []any{[]any{}, 1, 2, "id"}, nil)
		if d := cmp.Diff(any([]any{int64(2), int64(3)}), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if n := p.do("res.country", "search_count", []any{[]any{}}, object{{"limit", 4}}); n != int64(4) {
			t.Errorf("search_count with a limit = %v", n)
		}
		for _, none := range []any{0, false, "", "100"} {
			if got := p.do("res.country", "search", []any{[]any{}}, object{{"limit", none}}).([]any); len(got) != 9 {
				t.Errorf("limit %v gives %d rows", none, len(got))
			}
		}
	})
}

// TestWriteDateIsTheStart: rows carry the moment their transaction began, to
// the microsecond, and an answer shows whole seconds.
func TestWriteDateIsTheStart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 11, 21, 10, 0, 0, 999_999_000, time.UTC)
	p := start(t, func(o *Options) {
		o.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	id := p.event("Ferme", 0)
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	p.do("event.event", "write", []any{[]any{id}, object{}}, nil)
	if got := p.get("event.event", id, "write_date"); got != "2026-11-21 10:01:00" {
		t.Errorf("write_date = %v", got)
	}
	if got := p.get("event.event", id, "create_date"); got != "2026-11-21 10:00:00" {
		t.Errorf("create_date = %v", got)
	}
	p.create("event.registration", object{{"event_id", id}})
	if got := p.do("event.event", "search_count", []any{[]any{leaf("write_date", ">", "2026-11-21 10:01:00.999999")}}, nil); got != int64(0) {
		t.Error("a registration moved its event's write_date")
	}
}
