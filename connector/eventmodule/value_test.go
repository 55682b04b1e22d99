package eventmodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	p := start(t)
	theme := p.create("event.tag.category", object{{"name", "Thème"}})
	event := p.event("Ferme", 0)
	tags := func(commands ...any) any {
		p.do("event.event", "write", []any{[]any{event}, object{{"tag_ids", commands}}}, nil)
		return p.get("event.event", event, "tag_ids")
	}
	made := tags([]any{0, 0, object{{"name", "A"}, {"category_id", theme}}}, []any{0, 0, object{{"name", "B"}, {"category_id", theme}}}).([]any)
	a, b := made[0], made[1]
	steps := []struct {
		commands []any
		want     []any
	}{
		{[]any{[]any{3, a, 0}}, []any{b}},
		{[]any{[]any{4, a}}, []any{a, b}},
		{[]any{[]any{1, b, object{{"name", "B2"}}}}, []any{a, b}},
		{[]any{[]any{5, 0, 0}}, []any{}},
		{[]any{[]any{6, 0, []any{b}}}, []any{b}},
		{[]any{a, b}, []any{a, b}}, // bare ids
		{[]any{[]any{2, a, 0}}, []any{b}},
	}
	for _, s := range steps {
		if d := cmp.Diff(s.want, tags(s.commands...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", pyRepr(s.commands), d)
		}
	}
	if got := p.do("event.tag", "exists", []any{[]any{a, b}}, nil); cmp.Diff([]any{b}, got) != "" {
		t.Errorf("left over: %v", got)
	}
	p.do("event.event", "write", []any{[]any{event}, object{{"event_ticket_ids", []any{
		[]any{0, 0, object{{"name", "Semaine"}, {"price", 12.5}}}, []any{0, 0, object{{"name", "Jour"}}},
	}}}}, nil)
	tickets := p.get("event.event", event, "event_ticket_ids").([]any)
	p.do("event.event", "write", []any{[]any{event}, object{{"event_ticket_ids", []any{[]any{6, 0, tickets[1:]}}}}}, nil)
	if got := p.do("event.event.ticket", "search_count", []any{[]any{}}, nil); got != int64(1) {
		t.Errorf("%v tickets left, want 1: a ticket without event cannot be", got)
	}
	for _, bad := range []any{"x", []any{[]any{9, 0, 0}}, []any{[]any{0, 0}}, []any{[]any{4, "x"}}, []any{object{}}} {
		if _, err := p.try("event.event", "write", []any{[]any{event}, object{{"tag_ids", bad}}}, nil); err == nil {
			t.Errorf("the command %v was taken", bad)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := p.event("Ferme", 0)
	tests := []struct {
		field string
		give  any
		want  any // a fault's text when fault is set
		fault bool
	}{
		{"name", 12, "12", false},
		{"name", "", "", false},
		{"name", false, "Field: Event (name)", true},
		{"name", "  x  ", "  x  ", false},
		{"seats_max", "12", int64(12), false},
		{"seats_max", false, int64(0), false},
		{"seats_max", "x", "invalid literal for int() with base 10: 'x'", true},
		{"seats_max", "99999999999", "integer out of range", true},
		{"seats_limited", "false", true, false},
		{"seats_limited", 0, false, false},
		{"date_end", "2027-06-01", "2027-06-01 00:00:00", false},
		{"date_end", "2027-06-01 10:30", "2027-06-01 10:30:00", false},
		{"date_end", "2027-06-01T10:30:00", "does not match format", true},
		{"date_end", "2027-06-01 10:30:00.5", "unconverted data remains: .5", true},
		{"date_begin", false, "'<' not supported between instances", true},
		{"date_begin", "2028-01-01", "The closing date cannot be earlier than the beginning date.", true},
		{"date_tz", "Mars/Base", "Wrong value for event.event.date_tz: 'Mars/Base'", true},
		{"kanban_state", "done", "done", false},
		{"stage_id", 2, []any{int64(2), "Booked"}, false},
		{"kanban_state", "blocked", "blocked", false},
		{"stage_id", "2", false, false},
		{"stage_id", 99, "event_event_stage_id_fkey", true},
		{"user_id", []any{2, "Administrator"}, false, false},
		{"organizer_id", []any{1, "My Company"}, "unhashable type", true},
		{"organizer_id", false, false, false},
		{"seats_taken", 5, int64(0), false},
		{"id", 5, event, false},
		{"note", `<p onclick="x()">hi</p><script>alert(1)</script>`, "<p>hi</p>", false},
		{"note", "", "", false},
		{"nofield", 1, "Invalid field 'nofield' on model 'event.event'", true},
	}
	for _, tt := range tests {
		_, err := p.try("event.event", "write", []any{[]any{event}, object{{tt.field, tt.give}}}, nil)
		if tt.fault {
			if err == nil || !strings.Contains(err.Error(), tt.want.(string)) {
				t.Errorf("%s = %v: got %v, want %q", tt.field, tt.give, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s = %v: %v", tt.field, tt.give, err)
			continue
		}
		if got := p.get("event.event", event, tt.field); cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s = %v reads %v, want %v", tt.field, tt.give, got, tt.want)
		}
	}
}
