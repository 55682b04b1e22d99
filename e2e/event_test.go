package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

// event is a camp as an agent of the commune makes it in Odoo.
type event struct {
	Name  string
	Theme string // of this camp alone
	Key   string // in every name that the journey makes, so that journeys do not meet
	ID    int64
	First civil.Date
}

// makeEvent writes an event with the camp's mark, tags and a ticket through Odoo's own API: five days from a Monday on
// (from the Tuesday, where that is Easter Monday), soon enough for the leader's window.
func makeEvent(t *testing.T, odoo *house.Odoo) event { return makeEventIn(t, odoo, 0) }

// makeEventIn makes the event that many weeks later.
func makeEventIn(t *testing.T, odoo *house.Odoo, weeks int) event {
	t.Helper()
	key := strings.ToLower(rand.Text()[:5])
	e := event{Name: "Robots et nichoirs " + key, Theme: "Bricolage " + key, Key: key}
	today := civil.DateOf(time.Now(), civil.Brussels)
	e.First = today.AddDays(5)
	for e.First.Weekday() != time.Monday {
		e.First = e.First.AddDays(1)
	}
	e.First = e.First.AddDays(7 * weeks)
	for !civil.WorkingDay(e.First) { // on a public holiday the camp has no session
		e.First = e.First.AddDays(1)
	}
	at := func(day civil.Date, hour int) string {
		return day.At(hour*60, civil.Brussels).UTC().Format("2006-01-02 15:04:05")
	}
	tags := []any{}
	for name, category := range map[string]string{"Stage": "Portail", "P2": "Niveau", "P3": "Niveau", "P4": "Niveau", e.Theme: "Thème", "6-8 ans": "Âge", "9-12 ans": "Âge"} {
		tags = append(tags, tag(t, odoo, name, category))
	}
	values := map[string]any{
		"name": e.Name, "date_begin": at(e.First, 9), "date_end": at(e.First.AddDays(4), 16), "date_tz": "Europe/Brussels",
		"tag_ids": []any{[]any{6, 0, tags}}, "seats_limited": true, "seats_max": 12,
		"description":      "<p>Chaque enfant repart avec un nichoir et un robot.</p>",
		"event_ticket_ids": []any{[]any{0, 0, map[string]any{"name": "Semaine", "price": 60.0, "seats_max": 12}}},
	}
	var err error
	if e.ID, err = odoo.Create(t.Context(), "event.event", values); err != nil {
		t.Fatalf("making the event: %v", err)
	}
	return e
}

// tag returns the tag of that name in its category, both made when missing.
func tag(t *testing.T, odoo *house.Odoo, name, category string) int64 {
	t.Helper()
	rows, err := odoo.Rows(t.Context(), "event.tag", []any{[]any{"name", "=", name}}, "category_id")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if pair, ok := r["category_id"].([]any); ok && (name == "Stage" || pair[1] == category) {
			return r["id"].(int64)
		}
	}
	of, err := odoo.Named(t.Context(), "event.tag.category", category, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := odoo.Create(t.Context(), "event.tag", map[string]any{"name": name, "category_id": of, "color": 1})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// registered waits until Odoo holds exactly one registration of that name for the event, in that state.
func registered(t *testing.T, odoo *house.Odoo, e event, name, state string) map[string]any {
	t.Helper()
	var row map[string]any
	err := house.Eventually(t.Context(), func(ctx ctx) error {
		rows, err := odoo.Rows(ctx, "event.registration", []any{[]any{"event_id", "=", e.ID}, []any{"name", "=", name}}, "name", "email", "phone", "state", "partner_id", "event_ticket_id")
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0]["state"] != state {
			return fmt.Errorf("Odoo has %v, want one registration %q in state %s", rows, name, state)
		}
		row = rows[0]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return row
}
