package eventmodule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHolidays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ got, want string }{
		"winter 2025":   {winter(2025).Format(time.DateOnly), "2025-12-22"},
		"winter 2026":   {winter(2026).Format(time.DateOnly), "2026-12-21"},
		"carnival 2026": {carnival(2026).Format(time.DateOnly), "2026-02-16"},
		"carnival 2027": {carnival(2027).Format(time.DateOnly), "2027-02-22"},
		"spring 2026":   {spring(2026).Format(time.DateOnly), "2026-04-27"},
		"spring 2027":   {spring(2027).Format(time.DateOnly), "2027-04-26"},
		"summer 2026":   {summer(2026).Format(time.DateOnly), "2026-07-06"},
		"summer 2027":   {summer(2027).Format(time.DateOnly), "2027-07-05"},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", name, tt.got, tt.want)
		}
	}
}

// TestSeedOnAnyDay lays the commune on every month's first day, so that a demo
// never starts with a programme that cannot be laid.
func TestSeedOnAnyDay(t *testing.T) {
	t.Parallel()
	for month := range 24 {
		now := time.Date(2026, 1+time.Month(month), 1, 12, 0, 0, 0, time.UTC)
		c := Valmont(now)
		if len(c.Events) < 15 {
			t.Errorf("%s: %d events", now.Format(time.DateOnly), len(c.Events))
		}
		for _, ev := range c.Events {
			if !ev.End.After(ev.Begin) || !ev.Begin.After(now) {
				t.Errorf("%s: %s runs from %s to %s", now.Format(time.DateOnly), ev.Key, ev.Begin, ev.End)
			}
			for _, ticket := range ev.Tickets {
				if !ticket.SaleEnd.After(now) {
					t.Errorf("%s: %s cannot be booked any more", now.Format(time.DateOnly), ev.Key)
				}
			}
		}
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := start(t, func(o *Options) { o.Clock = func() time.Time { return now } })
	for range 2 {
		if err := p.srv.Seed(t.Context(), Commune{}); err != nil {
			t.Fatal(err)
		}
	}
	camps := []any{[]any{"tag_ids.name", "=", "Stage"}}
	count := func(domain []any, context object) any {
		return p.do("event.event", "search_count", []any{domain}, object{{"context", context}})
	}
	got := map[string]any{
		"camps":             count(camps, nil),
		"archived as well":  count(camps, object{{"active_test", false}}),
		"by type":           count([]any{[]any{"event_type_id", "=", "Stage"}}, nil),
		"events":            count([]any{}, nil),
		"without limit":     count(append(camps, []any{"seats_limited", "=", false}), nil),
		"of 24 places":      count(append(camps, []any{"name", "like", "abeilles"}, []any{"seats_max", "=", 24}), nil),
		"company":           p.get("res.company", 1, "name"),
		"tickets":           p.do("event.event.ticket", "search_count", []any{[]any{}}, nil),
		"registrations":     p.do("event.registration", "search_count", []any{[]any{}}, nil),
		"with external ids": p.do("ir.model.data", "search_count", []any{[]any{[]any{"model", "=", "event.registration"}}}, nil),
	}
	want := map[string]any{
		"camps": int64(14), "archived as well": int64(15), "by type": int64(14), "events": int64(15), "without limit": int64(1),
		"of 24 places": int64(1), "company": "Commune de Valmont", "tickets": int64(21), "registrations": int64(55), "with external ids": int64(0),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the commune (-want +got):\n%s", d)
	}
	open, full, later := 0, 0, 0
	fields := []any{"name", "event_registrations_open", "event_registrations_sold_out", "event_registrations_started", "seats_available"}
	for _, row := range p.do("event.event", "search_read", []any{camps, fields}, nil).([]any) {
		switch ev := row.(map[string]any); {
		case ev["event_registrations_sold_out"] == true:
			full++
		case ev["event_registrations_open"] == true:
			open++
		case ev["event_registrations_started"] == false:
			later++
		}
	}
	if open != 7 || full != 1 || later != 6 {
		t.Errorf("%d open, %d full, %d later; want 7, 1, 6", open, full, later)
	}
}
