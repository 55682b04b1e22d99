package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// External is a registration that someone made in Odoo.
type External struct {
	OdooID   int64
	CampID   uuid.UUID
	TicketID *uuid.UUID
	Name     string
	Email    string
	Phone    string
	State    string // Odoo's, or "archived"
}

// KeepExternals stores outside registrations as they are now and returns the camps of those that are new or changed:
// the one that each is in and the one that it was in.
func KeepExternals(ctx context.Context, tx db.Tx, all []External, at time.Time) ([]uuid.UUID, error) {
	if len(all) == 0 {
		return nil, nil
	}
	ids, camps, tickets := make([]int64, len(all)), make([]uuid.UUID, len(all)), make([]*uuid.UUID, len(all))
	names, emails, phones, states := make([]string, len(all)), make([]string, len(all)), make([]string, len(all)), make([]string, len(all))
	for i, e := range all {
		ids[i], camps[i], tickets[i], names[i], emails[i], phones[i], states[i] = e.OdooID, e.CampID, e.TicketID, e.Name, e.Email, e.Phone, e.State
	}
	rows, err := tx.Query(ctx, `
		WITH before AS (
		  SELECT odoo_id, camp_id
		  FROM odoo_external
		  WHERE odoo_id = ANY(@ids)
		), kept AS (
		  INSERT INTO odoo_external AS e (odoo_id, camp_id, ticket_id, name, email, phone, state, seen_at)
		  SELECT o, c, t, n, m, p, s, @at
		  FROM unnest(@ids::bigint[], @camps::uuid[], @tickets::uuid[], @names::text[], @emails::text[], @phones::text[], @states::text[]) AS w (o, c, t, n, m, p, s)
		  ON CONFLICT (odoo_id)
		  DO UPDATE SET camp_id = EXCLUDED.camp_id, ticket_id = EXCLUDED.ticket_id, name = EXCLUDED.name, email = EXCLUDED.email,
		    phone = EXCLUDED.phone, state = EXCLUDED.state, seen_at = EXCLUDED.seen_at
		  WHERE (e.camp_id, e.ticket_id, e.name, e.email, e.phone, e.state)
		    IS DISTINCT FROM (EXCLUDED.camp_id, EXCLUDED.ticket_id, EXCLUDED.name, EXCLUDED.email, EXCLUDED.phone, EXCLUDED.state)
		  RETURNING odoo_id, camp_id
		)
		SELECT b.camp_id
		FROM before b
		JOIN kept k USING (odoo_id)
		UNION
		SELECT camp_id
		FROM kept`,
		pgx.NamedArgs{"ids": ids, "camps": camps, "tickets": tickets, "names": names, "emails": emails, "phones": phones, "states": states, "at": at})
	if err != nil {
		return nil, fmt.Errorf("keeping %d outside registrations: %w", len(all), err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// DropExternals forgets outside registrations that are gone and returns the camps that they were in.
func DropExternals(ctx context.Context, tx db.Tx, odooIDs []int64) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		WITH gone AS (
		  DELETE FROM odoo_external
		  WHERE odoo_id = ANY(@ids)
		  RETURNING camp_id
		)
		SELECT DISTINCT camp_id
		FROM gone`,
		pgx.NamedArgs{"ids": odooIDs})
	if err != nil {
		return nil, fmt.Errorf("forgetting outside registrations: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// ExternalIDs returns Odoo's ids of every outside registration that we know.
func ExternalIDs(ctx context.Context, q db.Querier) ([]int64, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id
		FROM odoo_external`)
	if err != nil {
		return nil, fmt.Errorf("reading the outside registrations: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Taken counts the places that outside registrations take in a camp, and in each of its tickets. Only confirmed ones
// take a place in Odoo.
func Taken(ctx context.Context, q db.Querier, campID uuid.UUID) (places int, tickets map[uuid.UUID]int, err error) {
	tickets = map[uuid.UUID]int{}
	rows, err := q.Query(ctx, `
		SELECT ticket_id, count(*)
		FROM odoo_external
		WHERE camp_id = @camp
		  AND state IN ('open', 'done')
		GROUP BY ticket_id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return 0, nil, fmt.Errorf("counting the outside registrations of camp %s: %w", campID, err)
	}
	var ticket *uuid.UUID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&ticket, &n}, func() error {
		places += n
		if ticket != nil {
			tickets[*ticket] = n
		}
		return nil
	})
	return places, tickets, err
}

// KnownExternals returns those of the ids that are outside registrations that we know.
func KnownExternals(ctx context.Context, q db.Querier, ids []int64) ([]int64, error) {
	rows, err := q.Query(ctx, `
		SELECT odoo_id
		FROM odoo_external
		WHERE odoo_id = ANY(@ids)`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading the outside registrations: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// ReadExternal returns one outside registration and holds it until the transaction ends; ok is false when it is gone
// or was adopted.
func ReadExternal(ctx context.Context, tx db.Tx, odooID int64) (e External, ok bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT odoo_id, camp_id, ticket_id, name, email, phone, state
		FROM odoo_external
		WHERE odoo_id = @id
		FOR UPDATE`,
		pgx.NamedArgs{"id": odooID})
	if err != nil {
		return e, false, fmt.Errorf("reading an outside registration: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[External])
	if err != nil || len(all) == 0 {
		return e, false, err
	}
	return all[0], true, nil
}
