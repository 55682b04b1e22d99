package eventmodule

import (
	"context"
	"time"
)

// The SQL of an event's seats over the row "@". Only open and done, active
// registrations take a seat, as in Odoo 17.
const (
	eventReserved = `SELECT count(*)::int FROM event_registration r WHERE r.event_id = @.id AND r.active AND r.state = 'open'`
	eventUsed     = `SELECT count(*)::int FROM event_registration r WHERE r.event_id = @.id AND r.active AND r.state = 'done'`
	eventTaken    = `SELECT count(*)::int FROM event_registration r WHERE r.event_id = @.id AND r.active AND r.state IN ('open', 'done')`
	eventFull     = `(@.seats_limited AND COALESCE(@.seats_max, 0) > 0 AND @.seats_max <= (` + eventTaken + `))`
	ticketFull    = `(COALESCE(%.seats_max, 0) > 0 AND %.seats_max <= (SELECT count(*) FROM event_registration r
		WHERE r.event_ticket_id = %.id AND r.active AND r.state IN ('open', 'done')))`
)

// eventModel is event.event: what the app `event` of 17.0 stores, without
// mail, website and sale.
func eventModel(zones [][2]string) *model {
	located := func(column string) string {
		return `to_char(@.` + column + ` AT TIME ZONE 'UTC' AT TIME ZONE @.date_tz, 'Mon FMDD, YYYY, FMHH12:MI:SS AM')`
	}
	const started = `COALESCE((SELECT min(t.start_sale_datetime) FROM event_event_ticket t WHERE t.event_id = @.id) <= $now, TRUE)`
	soldOut := eventFull + ` OR COALESCE((SELECT bool_and(` + over("t", ticketFull) + `) FROM event_event_ticket t WHERE t.event_id = @.id), FALSE)`
	return &model{
		name: "event.event", label: "Event", order: "date_begin, id",
		fields: []*field{
			char("name", "Event").require(),
			html("note", "Note"),
			html("description", "Description"),
			boolean("active", "Active").starts(true),
			many2one("user_id", "Responsible", "res.users").startsWith(func(e *env) any { return e.user.id }),
			many2one("company_id", "Company", "res.company").starts(int64(1)),
			many2one("organizer_id", "Organizer", "res.partner").starts(int64(1)),
			many2one("event_type_id", "Template", "event.type"),
			choice("kanban_state", "Kanban State", [2]string{"normal", "In Progress"}, [2]string{"done", "Done"}, [2]string{"blocked", "Blocked"}).starts("normal").once(),
			many2one("stage_id", "Stage", "event.stage").deleting("RESTRICT").once().startsWith(firstStage),
			many2many("tag_ids", "Tags", "event.tag", "event_event_event_tag_rel", "event_event_id", "event_tag_id"),
			one2many("event_mail_ids", "Mail Schedule", "event.mail", "event_id"),
			one2many("event_ticket_ids", "Event Ticket", "event.event.ticket", "event_id"),
			one2many("registration_ids", "Attendees", "event.registration", "event_id").once(),
			boolean("seats_limited", "Maximum Attendees").require().starts(false),
			integer("seats_max", "Maximum Attendees Number"),
			integer("seats_reserved", "Number of Registrations").as(eventReserved),
			integer("seats_used", "Number of Attendees").as(eventUsed),
			integer("seats_taken", "Number of Taken Seats").as(eventTaken),
			integer("seats_available", "Available Seats").as(`CASE WHEN @.seats_limited AND COALESCE(@.seats_max, 0) > 0 THEN @.seats_max - (` + eventTaken + `) ELSE 0 END`),
			choice("date_tz", "Timezone", zones...).require().startsWith(func(e *env) any { return "UTC" }),
			instant("date_begin", "Start Date").require().startsWith(func(e *env) any { return stamp(halfHour(e.now)) }),
			instant("date_end", "End Date").require().startsWith(func(e *env) any { return stamp(halfHour(e.now).AddDate(0, 0, 1)) }),
			char("date_begin_located", "Start Date Located").as(located("date_begin")),
			char("date_end_located", "End Date Located").as(located("date_end")),
			boolean("is_ongoing", "Is Ongoing").asOf(`@.date_begin <= $now AND $now < @.date_end`).search(),
			boolean("is_finished", "Is Finished").asOf(`@.date_end <= $now`).search(),
			boolean("is_one_day", "Is One Day").as(`(@.date_begin AT TIME ZONE 'UTC' AT TIME ZONE @.date_tz)::date = (@.date_end AT TIME ZONE 'UTC' AT TIME ZONE @.date_tz)::date`),
			boolean("event_registrations_started", "Registrations started").asOf(started),
			boolean("event_registrations_sold_out", "Sold Out").as(soldOut),
			boolean("event_registrations_open", "Registration open").asOf(started + ` AND @.date_end >= $now AND NOT ` + eventFull +
				` AND COALESCE((SELECT bool_or(COALESCE(t.start_sale_datetime <= $now, TRUE) AND COALESCE(t.end_sale_datetime >= $now, TRUE) AND NOT ` +
				over("t", ticketFull) + `) FROM event_event_ticket t WHERE t.event_id = @.id), TRUE)`),
			instant("start_sale_datetime", "Start sale date").as(`SELECT min(t.start_sale_datetime) FROM event_event_ticket t WHERE t.event_id = @.id`),
			many2one("address_id", "Venue", "res.partner").starts(int64(1)),
			many2one("country_id", "Country", "res.country").as(`SELECT p.country_id FROM res_partner p WHERE p.id = @.address_id`).keep(),
			char("address_inline", "Venue (formatted for one line uses)").as(`SELECT concat_ws(', ', NULLIF(p.name, ''), NULLIF(p.street, ''), NULLIF(concat_ws(' ', p.zip, p.city), '')) FROM res_partner p WHERE p.id = @.address_id`),
			choice("lang", "Language", languages...),
			choice("badge_format", "Badge Dimension", [2]string{"A4_french_fold", "A4 foldable"}, [2]string{"A6", "A6"}, [2]string{"four_per_sheet", "4 per sheet"}).require().starts("A6"),
			html("ticket_instructions", "Ticket Instructions"),
		},
		prepare: prepareEvent,
		settle:  settleEvent,
		methods: map[string]method{"action_set_done": {ids: true, write: true, run: setEventDone}},
	}
}

// languages are the ones this server knows; names and texts are stored once,
// not per language.
var languages = [][2]string{{"en_US", "English (US)"}, {"fr_BE", "French (BE) / Français (BE)"}}

// halfHour rounds up to the next half hour, as event.event's default_get does.
func halfHour(t time.Time) time.Time {
	t = t.Truncate(time.Minute)
	if over := t.Minute() % 30; over != 0 {
		t = t.Add(time.Duration(30-over) * time.Minute)
	}
	return t
}

func firstStage(e *env) any { return e.srv.firstStage }

// prepareEvent refuses an emptied date the way 17.0 does, resets the kanban
// state when the stage changes and takes over what the event's template says,
// unless the caller says otherwise.
func prepareEvent(ctx context.Context, e *env, ids []int64, batch []map[string]any) error {
	for _, vals := range batch {
		for _, name := range []string{"date_begin", "date_end"} {
			if v, ok := vals[name]; ok && (v == nil || v == false || v == "") {
				return traceback("TypeError: '<' not supported between instances of 'datetime.datetime' and 'bool'")
			}
		}
		if _, ok := vals["stage_id"]; ok && ids != nil {
			setDefault(vals, "kanban_state", "normal")
		}
		if id, ok := number(vals["event_type_id"]); ok && id != 0 {
			if err := e.applyTemplate(ctx, id, ids == nil, vals); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *env) applyTemplate(ctx context.Context, id int64, fresh bool, vals map[string]any) error {
	rows, err := e.read(ctx, e.model("event.type"), []int64{id},
		[]string{"has_seats_limitation", "seats_max", "default_timezone", "note", "tag_ids"}, true)
	if err != nil || len(rows) == 0 {
		return err
	}
	t := rows[0]
	setDefault(vals, "seats_limited", t.get("has_seats_limitation"))
	setDefault(vals, "seats_max", t.get("seats_max"))
	if tz := t.get("default_timezone"); tz != false {
		setDefault(vals, "date_tz", tz)
	}
	if note := t.get("note"); note != false {
		setDefault(vals, "note", note)
	}
	if tags := t.get("tag_ids").([]int64); len(tags) > 0 && fresh {
		setDefault(vals, "tag_ids", []any{[]any{int64(6), int64(0), anyIDs(tags)}})
	}
	return nil
}

func setDefault(vals map[string]any, name string, v any) {
	if _, ok := vals[name]; !ok {
		vals[name] = v
	}
}

// settleEvent holds the dates in order and the seats enough.
func settleEvent(ctx context.Context, e *env, ids []int64, t touched) error {
	if t.any("date_begin", "date_end") {
		var wrong bool
		err := e.tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM event_event WHERE id = ANY($1) AND date_end < date_begin)`, ids).Scan(&wrong)
		if err != nil {
			return err
		}
		if wrong {
			return validation("The closing date cannot be earlier than the beginning date.")
		}
	}
	if t.any("seats_max", "seats_limited", "event_ticket_ids", "registration_ids") {
		return e.checkEventSeats(ctx, ids)
	}
	return nil
}

// setEventDone moves events to the first stage that ends the pipeline. It
// returns None, which the caller sees as a fault after the commit.
func setEventDone(ctx context.Context, e *env, c *call) (any, error) {
	var stage int64
	err := e.tx.QueryRow(ctx, `SELECT COALESCE((SELECT id FROM event_stage WHERE pipe_end ORDER BY sequence, id LIMIT 1), 0)`).Scan(&stage)
	if err != nil {
		return nil, err
	}
	if stage == 0 {
		return nil, nil
	}
	return nil, e.write(ctx, c.model, c.ids, map[string]any{"stage_id": stage})
}
