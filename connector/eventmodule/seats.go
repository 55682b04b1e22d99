package eventmodule

import (
	"context"
	"fmt"
	"strings"
)

// lockEvents takes the row locks under which seats are counted, in id order so
// that two callers cannot wait for each other. Odoo has no such lock, which is
// how it overbooks. The lock leaves foreign-key checks of others alone.
// It returns the ids that exist.
func (e *env) lockEvents(ctx context.Context, ids []int64) ([]int64, error) {
	rows, err := e.tx.Query(ctx, `SELECT id::bigint FROM event_event WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`, ids)
	if err != nil {
		return nil, err
	}
	return collectIDs(rows)
}

// checkRegistrationSeats refuses when the events or tickets of these
// registrations hold more open and done registrations than they have seats.
func (e *env) checkRegistrationSeats(ctx context.Context, ids []int64) error {
	events, err := e.distinct(ctx, `
		SELECT DISTINCT r.event_id::bigint
		FROM event_registration r
		WHERE r.id = ANY($1::bigint[]) AND r.active AND r.state IN ('open', 'done')`, ids)
	if err != nil || len(events) == 0 {
		return err
	}
	if err := e.checkEventSeats(ctx, events); err != nil {
		return err
	}
	tickets, err := e.distinct(ctx, `
		SELECT DISTINCT r.event_ticket_id::bigint
		FROM event_registration r
		WHERE r.id = ANY($1::bigint[]) AND r.active AND r.state IN ('open', 'done') AND r.event_ticket_id IS NOT NULL`, ids)
	if err != nil || len(tickets) == 0 {
		return err
	}
	return e.countTicketSeats(ctx, tickets)
}

// checkEventSeats locks the events, then counts.
func (e *env) checkEventSeats(ctx context.Context, ids []int64) error {
	if _, err := e.lockEvents(ctx, ids); err != nil {
		return err
	}
	return e.shortage(ctx, `
		SELECT format('- "%s": Missing %s seats.', e.name, taken.n - e.seats_max)
		FROM event_event e
		CROSS JOIN LATERAL (
			SELECT count(*) AS n
			FROM event_registration r
			WHERE r.event_id = e.id AND r.active AND r.state IN ('open', 'done')) taken
		WHERE e.id = ANY($1::bigint[]) AND e.seats_limited AND e.seats_max > 0 AND taken.n > e.seats_max
		ORDER BY e.id`, ids)
}

// checkTicketSeats locks the tickets' events, then counts.
func (e *env) checkTicketSeats(ctx context.Context, ids []int64) error {
	events, err := e.distinct(ctx, `SELECT DISTINCT t.event_id::bigint FROM event_event_ticket t WHERE t.id = ANY($1::bigint[])`, ids)
	if err != nil {
		return err
	}
	if _, err := e.lockEvents(ctx, events); err != nil {
		return err
	}
	return e.countTicketSeats(ctx, ids)
}

func (e *env) countTicketSeats(ctx context.Context, ids []int64) error {
	return e.shortage(ctx, `
		SELECT format('- the ticket "%s" (%s): Missing %s seats.', t.name, e.name, taken.n - t.seats_max)
		FROM event_event_ticket t
		JOIN event_event e ON e.id = t.event_id
		CROSS JOIN LATERAL (
			SELECT count(*) AS n
			FROM event_registration r
			WHERE r.event_ticket_id = t.id AND r.active AND r.state IN ('open', 'done')) taken
		WHERE t.id = ANY($1::bigint[]) AND t.seats_max > 0 AND taken.n > t.seats_max
		ORDER BY t.id`, ids)
}

// shortage runs a query of complaints and makes one fault of them.
func (e *env) shortage(ctx context.Context, sql string, ids []int64) error {
	rows, err := e.tx.Query(ctx, sql, ids)
	if err != nil {
		return err
	}
	lines, err := collectStrings(rows)
	if err != nil || len(lines) == 0 {
		return err
	}
	return validation(fmt.Sprintf("There are not enough seats available for:\n%s\n", strings.Join(lines, "\n")))
}

func (e *env) distinct(ctx context.Context, sql string, ids []int64) ([]int64, error) {
	rows, err := e.tx.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	return collectIDs(rows)
}
