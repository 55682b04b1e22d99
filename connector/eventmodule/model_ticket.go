package eventmodule

import (
	"context"
	"strings"
)

// over puts the row alias for "%" in one of the shared conditions.
func over(alias, sql string) string { return strings.ReplaceAll(sql, "%", alias) }

// ticketModel is event.event.ticket with the price that event_sale adds.
func ticketModel() *model {
	seats := func(states string) string {
		return `SELECT count(*)::int FROM event_registration r WHERE r.event_ticket_id = @.id AND r.active AND r.state IN (` + states + `)`
	}
	full := over("@", ticketFull)
	soldOut := full + ` OR EXISTS (SELECT 1 FROM event_event e WHERE e.id = @.event_id AND ` + strings.ReplaceAll(eventFull, "@", "e") + `)`
	const launched = `COALESCE(@.start_sale_datetime <= $now, TRUE)`
	const expired = `COALESCE(@.end_sale_datetime < $now, FALSE)`
	return &model{
		name: "event.event.ticket", label: "Event Ticket", order: "event_id, sequence, name, id",
		fields: []*field{
			integer("sequence", "Sequence").starts(int64(10)),
			char("name", "Name").require(),
			text("description", "Description"),
			many2one("event_type_id", "Event Category", "event.type"),
			many2one("event_id", "Event", "event.event").require().deleting("CASCADE"),
			many2one("company_id", "Company", "res.company").as(`SELECT e.company_id FROM event_event e WHERE e.id = @.event_id`).search(),
			instant("start_sale_datetime", "Registration Start"),
			instant("end_sale_datetime", "Registration End"),
			boolean("is_launched", "Are sales launched").asOf(launched),
			boolean("is_expired", "Is Expired").asOf(expired),
			boolean("sale_available", "Is Available").asOf(launched + ` AND NOT ` + expired + ` AND NOT (` + soldOut + `)`),
			one2many("registration_ids", "Registrations", "event.registration", "event_ticket_id").once(),
			integer("seats_max", "Maximum Seats"),
			boolean("seats_limited", "Limit Attendees").as(`COALESCE(@.seats_max, 0) > 0`).keep(),
			integer("seats_reserved", "Reserved Seats").as(seats("'open'")),
			integer("seats_used", "Used Seats").as(seats("'done'")),
			integer("seats_taken", "Taken Seats").as(seats("'open', 'done'")),
			integer("seats_available", "Available Seats").as(`CASE WHEN COALESCE(@.seats_max, 0) > 0 THEN @.seats_max - (` + seats("'open', 'done'") + `) ELSE 0 END`),
			boolean("is_sold_out", "Sold Out").as(soldOut),
			char("color", "Color").starts("#875A7B"),
			float("price", "Price"),
		},
		indexes: []string{"event_id"},
		settle: func(ctx context.Context, e *env, ids []int64, t touched) error {
			if !t.any("seats_max", "event_id") {
				return nil
			}
			return e.checkTicketSeats(ctx, ids)
		},
		beforeUnlink: keepUsedTickets,
	}
}

// keepUsedTickets refuses to delete tickets that registrations name.
func keepUsedTickets(ctx context.Context, e *env, ids []int64) error {
	rows, err := e.tx.Query(ctx, `
		SELECT t.name
		FROM event_event_ticket t
		WHERE t.id = ANY($1) AND EXISTS (SELECT 1 FROM event_registration r WHERE r.event_ticket_id = t.id)
		ORDER BY t.id`, ids)
	if err != nil {
		return err
	}
	names, err := collectStrings(rows)
	if err != nil || len(names) == 0 {
		return err
	}
	return userError("The following tickets cannot be deleted while they have one or more registrations linked to them:\n- " +
		strings.Join(names, "\n- "))
}
