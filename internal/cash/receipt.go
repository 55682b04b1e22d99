package cash

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Receipt is what a family takes home for one line that went over the counter.
type Receipt struct {
	Entry
	Communication string      // of the due that it pays, twelve digits
	Owed          civil.Cents // of that due, after everything that is booked by now
	Desk          string      // "" when no desk was open
	Reverses      int         // number of the receipt that this one takes back, 0 for none
	ReversesYear  int
}

// Receipt returns the receipt of a line; NotFound for a line that did not go over the counter.
func (s *Store) Receipt(ctx context.Context, lineID uuid.UUID) (Receipt, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.id AS line_id, l.kind, l.source, l.cents, l.at, COALESCE(a.name, '') AS by, r.year, r.number, l.registration_id,
		  btrim(k.first_name || ' ' || k.last_name) AS child, c.name AS camp, btrim(g.first_name || ' ' || g.last_name) AS payer, l.label,
		  EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id) AS taken_back,
		  d.communication,
		  (SELECT COALESCE(sum(CASE WHEN x.kind IN ('charge', 'fee', 'refund') THEN x.cents ELSE -x.cents END), 0)
		    FROM ledger_line x WHERE x.due_id = l.due_id)::bigint AS owed,
		  COALESCE(y.desk, '') AS desk, COALESCE(v.number, 0) AS reverses, COALESCE(v.year, 0) AS reverses_year
		FROM receipt r
		JOIN ledger_line l ON l.id = r.line_id
		JOIN due d ON d.id = l.due_id
		LEFT JOIN account a ON 'account:' || a.id = l.actor
		JOIN registration n ON n.id = l.registration_id
		JOIN child k ON k.id = n.child_id
		JOIN camp c ON c.id = n.camp_id
		JOIN guardian g ON g.id = l.payer_id
		LEFT JOIN cash_entry e ON e.line_id = l.id
		LEFT JOIN cash_day y ON y.id = e.day_id
		LEFT JOIN receipt v ON v.line_id = l.reverses
		WHERE l.id = @id`,
		pgx.NamedArgs{"id": lineID})
	if err != nil {
		return Receipt{}, fmt.Errorf("reading a receipt: %w", err)
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Receipt])
	if errors.Is(err, pgx.ErrNoRows) {
		return Receipt{}, problem.NotFound("cash.receipt_not_found")
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("reading a receipt: %w", err)
	}
	return one, nil
}

// ReceiptsOf returns what went over the counter for a due, in the order of the receipts.
func (s *Store) ReceiptsOf(ctx context.Context, dueID uuid.UUID) ([]Entry, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.id AS line_id, l.kind, l.source, l.cents, l.at, COALESCE(a.name, '') AS by, r.year, r.number, l.registration_id,
		  '' AS child, '' AS camp, btrim(g.first_name || ' ' || g.last_name) AS payer, l.label,
		  EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id) AS taken_back
		FROM receipt r
		JOIN ledger_line l ON l.id = r.line_id
		LEFT JOIN account a ON 'account:' || a.id = l.actor
		JOIN guardian g ON g.id = l.payer_id
		WHERE l.due_id = @id
		ORDER BY r.year, r.number`,
		pgx.NamedArgs{"id": dueID})
	if err != nil {
		return nil, fmt.Errorf("reading the receipts of due %s: %w", dueID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading the receipts of due %s: %w", dueID, err)
	}
	return list, nil
}
