package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Organisation is one that pays, with where it stands.
type Organisation struct {
	ID       uuid.UUID
	Name     string
	BCE      string
	City     string
	Waiting  int         // promises on registrations that are not decided: nothing is charged yet
	Promised civil.Cents // charged to it, less what was taken back
	Invoiced civil.Cents // less what was credited
	Paid     civil.Cents // less what went back
	Owed     civil.Cents // promised and not paid
	Open     civil.Cents // confirmed, and on no invoice
}

// standing sums the covers of organisations.
const standing = `
		SELECT g.id, g.last_name AS name, g.bce, g.city,
		  count(*) FILTER (WHERE d.ended_at IS NULL AND b.lines = 0)::int AS waiting,
		  sum(b.charged)::bigint AS promised,
		  sum(COALESCE(s.cents, 0) - COALESCE(n.cents, 0))::bigint AS invoiced,
		  sum(b.paid)::bigint AS paid,
		  sum(b.charged - b.paid)::bigint AS owed,
		  COALESCE(sum(o.open) FILTER (WHERE o.open > 0), 0)::bigint AS open
		FROM guardian g
		JOIN due d ON d.payer_id = g.id AND d.kind = 'cover'
		JOIN LATERAL (
		  SELECT count(*) AS lines,
		    COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents WHEN l.kind IN ('reduction', 'write_off') THEN -l.cents END), 0) AS charged,
		    COALESCE(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents END), 0) AS paid
		  FROM ledger_line l
		  WHERE l.due_id = d.id) b ON true
		LEFT JOIN LATERAL (SELECT sum(x.cents) AS cents FROM invoice_split x WHERE x.due_id = d.id) s ON true
		LEFT JOIN LATERAL (SELECT sum(c.total_cents) AS cents FROM credit_note c WHERE c.due_id = d.id) n ON true
		LEFT JOIN (` + openCovers + `) o ON o.id = d.id`

// List returns the organisations that promised to pay something, by name, from offset on, at most limit.
func (s *Organisations) List(ctx context.Context, limit, offset int) ([]Organisation, error) {
	return s.list(ctx, `
		GROUP BY g.id
		ORDER BY g.last_name, g.id
		LIMIT @limit OFFSET @offset`, pgx.NamedArgs{"until": s.Now(), "limit": limit, "offset": offset})
}

// Read returns one organisation; NotFound when it promised nothing.
func (s *Organisations) Read(ctx context.Context, id uuid.UUID) (Organisation, error) {
	list, err := s.list(ctx, `
		WHERE g.id = @id
		GROUP BY g.id`, pgx.NamedArgs{"until": s.Now(), "id": id})
	if err == nil && len(list) == 0 {
		return Organisation{}, problem.NotFound("organisation.not_found")
	}
	if err != nil {
		return Organisation{}, err
	}
	return list[0], nil
}

func (s *Organisations) list(ctx context.Context, rest string, args pgx.NamedArgs) ([]Organisation, error) {
	rows, err := s.DB.Query(ctx, standing+rest, args)
	if err != nil {
		return nil, fmt.Errorf("reading the organisations that pay: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Organisation])
	if err != nil {
		return nil, fmt.Errorf("reading the organisations that pay: %w", err)
	}
	return list, nil
}

// Promise is one cover of an organisation.
type Promise struct {
	RegistrationID uuid.UUID
	Child          string
	Camp           string
	Reference      string
	Lost           bool // taken back
	Promised       civil.Cents
	Owed           civil.Cents
	Document       string // number of the newest invoice it stands on, "" for none
}

// Promises returns the covers of an organisation, newest first, from offset on, at most limit.
func (s *Organisations) Promises(ctx context.Context, id uuid.UUID, limit, offset int) ([]Promise, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT d.registration_id, ch.first_name || ' ' || ch.last_name AS child, c.name AS camp, COALESCE(v.reference, '') AS reference,
		  d.ended_at IS NOT NULL AS lost, b.charged AS promised, (b.charged - b.paid) AS owed,
		  COALESCE((
		    SELECT i.content->>'Number'
		    FROM invoice_split x
		    JOIN invoice i ON i.id = x.invoice_id
		    WHERE x.due_id = d.id
		    ORDER BY i.year DESC, i.number DESC
		    LIMIT 1), '') AS document
		FROM due d
		JOIN registration r ON r.id = d.registration_id
		JOIN child ch ON ch.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN cover v ON v.due_id = d.id
		JOIN LATERAL (
		  SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents WHEN l.kind IN ('reduction', 'write_off') THEN -l.cents END), 0)::bigint AS charged,
		    COALESCE(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents END), 0)::bigint AS paid
		  FROM ledger_line l
		  WHERE l.due_id = d.id) b ON true
		WHERE d.payer_id = @id
		  AND d.kind = 'cover'
		ORDER BY d.created_at DESC, d.id
		LIMIT @limit OFFSET @offset`,
		pgx.NamedArgs{"id": id, "limit": limit, "offset": offset})
	if err != nil {
		return nil, fmt.Errorf("reading what organisation %s promised: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Promise])
	if err != nil {
		return nil, fmt.Errorf("reading what organisation %s promised: %w", id, err)
	}
	return list, nil
}

// Documents returns the newest invoices and credit notes of an organisation, at most limit of each.
func (s *Organisations) Documents(ctx context.Context, id uuid.UUID, limit int) ([]Invoice, []CreditNote, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+invoiceColumns+`
		FROM invoice
		WHERE payer_id = @id
		ORDER BY year DESC, number DESC
		LIMIT @limit`,
		pgx.NamedArgs{"id": id, "limit": limit})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the invoices of organisation %s: %w", id, err)
	}
	invoices, err := pgx.CollectRows(rows, pgx.RowToStructByName[Invoice])
	if err != nil {
		return nil, nil, fmt.Errorf("reading the invoices of organisation %s: %w", id, err)
	}
	rows, err = s.DB.Query(ctx, `
		SELECT `+noteColumns+`
		FROM credit_note
		WHERE payer_id = @id
		ORDER BY year DESC, number DESC
		LIMIT @limit`,
		pgx.NamedArgs{"id": id, "limit": limit})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the credit notes of organisation %s: %w", id, err)
	}
	notes, err := pgx.CollectRows(rows, pgx.RowToStructByName[CreditNote])
	if err != nil {
		return nil, nil, fmt.Errorf("reading the credit notes of organisation %s: %w", id, err)
	}
	return invoices, notes, nil
}
