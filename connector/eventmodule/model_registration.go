package eventmodule

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
)

// registrationStates are the four states of 17.0; any may follow any.
var registrationStates = [][2]string{{"draft", "Unconfirmed"}, {"open", "Registered"}, {"done", "Attended"}, {"cancel", "Cancelled"}}

// registrationModel is event.registration of the app `event` of 17.0.
func registrationModel() *model {
	ofEvent := func(column string) string {
		return `SELECT e.` + column + ` FROM event_event e WHERE e.id = @.event_id`
	}
	return &model{
		name: "event.registration", label: "Event Registration", order: "id desc",
		display: func(a string) string { return `COALESCE(NULLIF(` + a + `.name, ''), '#' || ` + a + `.id)` },
		checks:  map[string]string{"event_registration_barcode_event_uniq": "UNIQUE (barcode)"},
		indexes: []string{"event_id, state", "event_ticket_id", "write_date", "partner_id"},
		fields: []*field{
			many2one("event_id", "Event", "event.event").require().deleting("RESTRICT"),
			many2one("event_ticket_id", "Event Ticket", "event.event.ticket").deleting("RESTRICT"),
			boolean("active", "Active").starts(true),
			char("barcode", "Barcode").lock().once().startsWith(func(*env) any { return newBarcode() }),
			many2one("partner_id", "Booked by", "res.partner"),
			char("name", "Attendee Name"),
			char("email", "Email"),
			char("phone", "Phone"),
			char("company_name", "Company Name"),
			instant("date_closed", "Attended Date"),
			many2one("company_id", "Company", "res.company").as(ofEvent("company_id")).keep(),
			choice("state", "Status", registrationStates...).once().starts("open"),
			instant("event_begin_date", "Event Start Date").as(ofEvent("date_begin")).search(),
			instant("event_end_date", "Event End Date").as(ofEvent("date_end")).search(),
			many2one("event_organizer_id", "Event Organizer", "res.partner").as(ofEvent("organizer_id")).search(),
			many2one("event_user_id", "Event Responsible", "res.users").as(ofEvent("user_id")).search(),
		},
		prepare: prepareRegistration,
		settle:  settleRegistration,
		methods: map[string]method{
			"action_confirm":            stateAction("open"),
			"action_cancel":             stateAction("cancel"),
			"action_set_draft":          stateAction("draft"),
			"action_set_done":           stateAction("done"),
			"action_set_previous_state": {ids: true, write: true, run: previousState},
			"register_attendee":         {params: []string{"barcode", "event_id"}, write: true, run: registerAttendee},
		},
	}
}

// newBarcode is a random 64-bit number in decimal, as 17.0 makes them.
func newBarcode() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return strconv.FormatUint(binary.LittleEndian.Uint64(b[:]), 10)
}

// prepareRegistration locks the events whose registrations change before any
// row is written, and fills name, email, phone and company name from the partner
// where the caller gives none.
func prepareRegistration(ctx context.Context, e *env, ids []int64, batch []map[string]any) error {
	events := map[int64]bool{}
	var partners []int64
	for _, vals := range batch {
		if id, ok := number(vals["event_id"]); ok && id != 0 {
			events[id] = true
		}
		if id, ok := number(vals["partner_id"]); ok && id != 0 && ids == nil {
			partners = append(partners, id)
		}
	}
	if ids != nil {
		held, err := e.distinct(ctx, `SELECT DISTINCT r.event_id::bigint FROM event_registration r WHERE r.id = ANY($1::bigint[])`, ids)
		if err != nil {
			return err
		}
		for _, id := range held {
			events[id] = true
		}
	}
	if len(events) > 0 {
		wanted := slices.Sorted(maps.Keys(events))
		found, err := e.lockEvents(ctx, wanted)
		if err != nil {
			return err
		}
		if gone := without(wanted, found); len(gone) > 0 {
			return missing("event.event", gone, e.user.id)
		}
	}
	if len(partners) == 0 {
		return nil
	}
	rows, err := e.tx.Query(ctx, `
		SELECT p.id::bigint, p.name, p.email, COALESCE(NULLIF(p.phone, ''), p.mobile), c.name
		FROM res_partner p
		LEFT JOIN res_partner c ON c.id = p.parent_id AND c.is_company
		WHERE p.id = ANY($1::bigint[])`, partners)
	if err != nil {
		return err
	}
	defer rows.Close()
	known := map[int64][4]*string{}
	for rows.Next() {
		var id int64
		var v [4]*string
		if err := rows.Scan(&id, &v[0], &v[1], &v[2], &v[3]); err != nil {
			return err
		}
		known[id] = v
	}
	for _, vals := range batch {
		id, _ := number(vals["partner_id"])
		for i, name := range []string{"name", "email", "phone", "company_name"} {
			if given := vals[name]; (given == nil || given == false || given == "") && known[id][i] != nil {
				vals[name] = *known[id][i]
			}
		}
	}
	return rows.Err()
}

// without returns the elements of all that are not in some.
func without(all, some []int64) []int64 {
	have := make(map[int64]bool, len(some))
	for _, id := range some {
		have[id] = true
	}
	var rest []int64
	for _, id := range all {
		if !have[id] {
			rest = append(rest, id)
		}
	}
	return rest
}

// settleRegistration stamps the attendance, refuses a ticket of another event
// and holds the seats.
func settleRegistration(ctx context.Context, e *env, ids []int64, t touched) error {
	if t.any("state") {
		_, err := e.tx.Exec(ctx, `UPDATE event_registration SET date_closed = $2 WHERE id = ANY($1) AND state = 'done' AND date_closed IS NULL`, ids, e.now)
		if err != nil {
			return err
		}
	}
	if t.any("event_id", "event_ticket_id") {
		var wrong bool
		err := e.tx.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT 1
				FROM event_registration r
				JOIN event_event_ticket t ON t.id = r.event_ticket_id
				WHERE r.id = ANY($1) AND t.event_id <> r.event_id)`, ids).Scan(&wrong)
		if err != nil {
			return err
		}
		if wrong {
			return validation("Invalid event / ticket choice")
		}
	}
	if t.any("state", "event_id", "event_ticket_id", "active") {
		return e.checkRegistrationSeats(ctx, ids)
	}
	return nil
}

// stateAction is a button that writes one state and returns None: committed,
// then answered with a fault, as measured on 14 to 19.
func stateAction(state string) method {
	return method{ids: true, write: true, run: func(ctx context.Context, e *env, c *call) (any, error) {
		return nil, e.write(ctx, c.model, c.ids, map[string]any{"state": state})
	}}
}

// previousState steps back: done to open, open to draft, draft stays.
func previousState(ctx context.Context, e *env, c *call) (any, error) {
	rows, err := e.read(ctx, c.model, c.ids, []string{"state"}, true)
	if err != nil {
		return nil, err
	}
	back := map[string]string{"done": "open", "open": "draft", "cancel": "draft"}
	for _, row := range rows {
		state, _ := row.get("state").(string)
		if to, ok := back[state]; ok {
			if err := e.write(ctx, c.model, []int64{row.get("id").(int64)}, map[string]any{"state": to}); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// registerAttendee is the badge scanner's call: it marks one attendance and
// says what it found.
func registerAttendee(ctx context.Context, e *env, c *call) (any, error) {
	var id int64
	err := e.tx.QueryRow(ctx, `SELECT COALESCE((SELECT id FROM event_registration WHERE barcode = $1), 0)`, textOf(c.arg("barcode"))).Scan(&id)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		return object{{"error", "invalid_ticket"}}, nil
	}
	rows, err := e.read(ctx, c.model, []int64{id}, []string{"name", "partner_id", "event_ticket_id", "event_id", "company_id", "state"}, false)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	row := rows[0]
	events, err := e.read(ctx, e.model("event.event"), []int64{pairID(row.get("event_id"))}, []string{"is_ongoing", "is_finished"}, true)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	status := "confirmed_registration"
	wanted, scoped := number(c.arg("event_id"))
	switch state := row.get("state"); {
	case state == "cancel":
		status = "canceled_registration"
	case events[0].get("is_finished") == true:
		status = "not_ongoing_event"
	case state == "done":
		status = "already_registered"
	case scoped && wanted != 0 && wanted != pairID(row.get("event_id")):
		status = "need_manual_confirmation"
	default:
		if err := e.write(ctx, c.model, []int64{id}, map[string]any{"state": "done"}); err != nil {
			return nil, err
		}
	}
	return object{
		{"id", id},
		{"name", row.get("name")},
		{"partner_id", pairIDOrFalse(row.get("partner_id"))},
		{"ticket_name", pairName(row.get("event_ticket_id"))},
		{"event_id", pairID(row.get("event_id"))},
		{"event_display_name", pairName(row.get("event_id"))},
		{"company_name", pairName(row.get("company_id"))},
		{"status", status},
	}, nil
}
