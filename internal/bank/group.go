package bank

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// groupOf returns the invoice over several dues that has a communication; nil for none.
func groupOf(ctx context.Context, q db.Querier, communication string) (*uuid.UUID, error) {
	if communication == "" {
		return nil, nil
	}
	var id uuid.UUID
	err := q.QueryRow(ctx, `
		SELECT invoice_id
		FROM invoice_group
		WHERE communication = @communication`,
		pgx.NamedArgs{"communication": communication}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the invoice of a bank entry: %w", err)
	}
	return &id, nil
}

// groupPart is what an entry pays of one due of an invoice.
type groupPart struct {
	Due  uuid.UUID
	Owed civil.Cents
}

// openParts returns the dues of an invoice, the oldest first, with what is owed of each.
func openParts(ctx context.Context, tx db.Tx, invoiceID uuid.UUID) ([]groupPart, error) {
	rows, err := tx.Query(ctx, `
		SELECT o.id AS due, o.owed
		FROM invoice_part p
		JOIN (`+owedSQL+`
		  WHERE d.id IN (SELECT due_id FROM invoice_part WHERE invoice_id = @invoice)) o ON o.id = p.due_id
		WHERE p.invoice_id = @invoice
		ORDER BY p.position`,
		pgx.NamedArgs{"invoice": invoiceID})
	if err != nil {
		return nil, fmt.Errorf("reading the parts of invoice %s: %w", invoiceID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[groupPart])
	if err != nil {
		return nil, fmt.Errorf("reading the parts of invoice %s: %w", invoiceID, err)
	}
	return list, nil
}

// lockParts locks the registrations of an invoice in the order of their ids, so that two payments of two invoices over
// the same ones follow each other and what is owed stands still.
func lockParts(ctx context.Context, tx db.Tx, invoiceID uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		SELECT r.id
		FROM registration r
		WHERE r.id IN (SELECT registration_id FROM invoice_part WHERE invoice_id = @invoice)
		ORDER BY r.id
		FOR UPDATE`,
		pgx.NamedArgs{"invoice": invoiceID})
	if err != nil {
		return fmt.Errorf("locking the parts of invoice %s: %w", invoiceID, err)
	}
	return nil
}

// split gives cents to the dues in their order, each what is owed of it; what is too much stays on the last one that gets
// something, the last of all when nothing is owed. Parts of nothing are left out.
func split(cents civil.Cents, open []groupPart) (parts []groupPart) {
	left := cents
	for _, p := range open {
		if part := min(left, p.Owed); part > 0 {
			parts = append(parts, groupPart{Due: p.Due, Owed: part})
			left -= part
		}
	}
	switch {
	case left == 0 || len(open) == 0:
	case len(parts) == 0:
		parts = []groupPart{{Due: open[len(open)-1].Due, Owed: left}}
	default:
		parts[len(parts)-1].Owed += left
	}
	return parts
}

// bookGroup settles the dues of an invoice with an entry, the oldest first. The entry names the first of them; the others
// are kept beside it, each with the key under which its money is booked.
func (s *Store) bookGroup(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, invoiceID uuid.UUID) error {
	if err := lockParts(ctx, tx, invoiceID); err != nil {
		return err
	}
	open, err := openParts(ctx, tx, invoiceID)
	if err != nil {
		return err
	}
	parts := split(e.Cents, open)
	if len(parts) == 0 {
		return problem.Conflict("bank.not_bookable")
	}
	for i, p := range parts[1:] {
		key := uuid.New()
		if _, _, err := s.Enrol.SettleBank(ctx, tx, actor, p.Due, key, p.Owed, e.Day); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO bank_entry_part (entry_id, position, due_id, cents, booking_key)
			VALUES (@entry, @position, @due, @cents, @key)`,
			pgx.NamedArgs{"entry": e.ID, "position": i + 1, "due": p.Due, "cents": p.Owed, "key": key})
		if err != nil {
			return fmt.Errorf("splitting bank entry %s: %w", e.ID, err)
		}
	}
	if _, _, err := s.Enrol.SettleBank(ctx, tx, actor, parts[0].Due, e.BookingKey, parts[0].Owed, e.Day); err != nil {
		return err
	}
	var owed civil.Cents
	for _, p := range open {
		owed += max(0, p.Owed)
	}
	return s.settled(ctx, tx, actor, e, parts[0].Due, owed, owed-e.Cents)
}

// undoParts takes back in the ledger what an entry booked on other dues than its own.
func (s *Store) undoParts(ctx context.Context, tx db.Tx, actor audit.Actor, entryID uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		UPDATE bank_entry_part
		SET undone_at = @now
		WHERE entry_id = @entry
		  AND undone_at IS NULL
		RETURNING booking_key`,
		pgx.NamedArgs{"entry": entryID, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("undoing the parts of bank entry %s: %w", entryID, err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("undoing the parts of bank entry %s: %w", entryID, err)
	}
	for _, key := range keys {
		if err := s.Enrol.UnsettleBank(ctx, tx, actor, entryID, key); err != nil {
			return err
		}
	}
	return nil
}
