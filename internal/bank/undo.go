package bank

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Undo takes a match back: the entry waits again, and money that it had booked on a due is taken back in the ledger by a
// line of its own. The registration keeps its state; one that is covered no more is a task. Conflict for an entry that is
// not matched, and for what no undoing makes true: a refund that left, or money that a bank took back.
func (s *Store) Undo(ctx context.Context, actor audit.Actor, entryID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.undone", func(ctx context.Context, tx db.Tx, e Entry) error {
		switch {
		case e.State != StateMatched:
			return problem.Conflict("bank.not_matched")
		case e.RefundID != nil || e.FileID != nil || e.DueID != nil && e.Cents < 0:
			return problem.Conflict("bank.no_undo")
		case e.DueID != nil:
			if err := s.Enrol.UnsettleBank(ctx, tx, actor, e.ID, e.BookingKey); err != nil {
				return err
			}
			if err := s.undoParts(ctx, tx, actor, e.ID); err != nil {
				return err
			}
		case e.PayoutID != nil:
			if err := s.unpay(ctx, tx, actor, *e.PayoutID); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `
			UPDATE bank_entry
			SET state = 'queued', reason = 'bank.reason.undone', due_id = NULL, payout_id = NULL, deposit_id = NULL,
			  booking_key = gen_random_uuid(), decided_by = @by, decided_at = @at
			WHERE id = @id`,
			pgx.NamedArgs{"id": e.ID, "by": actor.String(), "at": s.Now()})
		if err != nil {
			return fmt.Errorf("undoing the match of bank entry %s: %w", e.ID, err)
		}
		return nil
	})
}

// CanUndo reports whether a matched entry can be taken back.
func (e Entry) CanUndo() bool {
	return e.State == StateMatched && e.RefundID == nil && e.FileID == nil && (e.DueID == nil || e.Cents > 0)
}

// Decision is one thing that was once decided about an entry.
type Decision struct {
	State     string
	Reason    string // message key
	DecidedBy string // actor
	At        time.Time
}

// Decisions returns everything that was decided about an entry, oldest first.
func (s *Store) Decisions(ctx context.Context, entryID uuid.UUID) ([]Decision, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT state, reason, decided_by, at
		FROM bank_decision
		WHERE entry_id = @id
		ORDER BY id`,
		pgx.NamedArgs{"id": entryID})
	if err != nil {
		return nil, fmt.Errorf("reading what was decided of bank entry %s: %w", entryID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Decision])
	if err != nil {
		return nil, fmt.Errorf("reading what was decided of bank entry %s: %w", entryID, err)
	}
	return list, nil
}

// ReadEntry returns an entry by its id; NotFound without it.
func (s *Store) ReadEntry(ctx context.Context, id uuid.UUID) (Entry, error) {
	list, err := entries(ctx, s.DB, `e.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Entry{}, err
	}
	if len(list) == 0 {
		return Entry{}, problem.NotFound("bank.entry_not_found")
	}
	return list[0], nil
}
