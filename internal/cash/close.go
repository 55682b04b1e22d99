package cash

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Count is what an agent counts at the end of a day.
type Count struct {
	Key      uuid.UUID // of the form: sent twice it closes once
	Cents    *civil.Cents
	Pieces   map[civil.Cents]int // by denomination; given, their sum is what was counted
	Terminal *civil.Cents        // the terminal's slip, nil without one
	Left     civil.Cents         // stays in the drawer for the next day
	Why      string              // needed when drawer or terminal differ from what they should be
}

// cents is what was counted; it notes what is wrong with it.
func (c Count) cents(f *problem.Fields) civil.Cents {
	var sum civil.Cents
	for piece, n := range c.Pieces {
		if !slices.Contains(Denominations, piece) || n < 0 || n > 100_000 {
			f.Add("pieces", "cash.pieces_wrong")
			return 0
		}
		sum += piece * civil.Cents(n)
	}
	switch {
	case c.Cents == nil && len(c.Pieces) == 0:
		f.Add("counted", "cash.count_needed")
	case c.Cents != nil && len(c.Pieces) > 0 && *c.Cents != sum:
		f.Add("counted", "cash.count_differs", sum)
	case c.Cents != nil:
		sum = *c.Cents
	}
	if sum < 0 || sum > maxDrawer {
		f.Add("counted", "payment.amount_out_of_range")
	}
	return sum
}

// Close ends a day for ever: what was counted is compared with what should be there at that instant, and a difference
// needs words. Invalid with every faulty field; Conflict for a day that somebody else has closed.
func (s *Store) Close(ctx context.Context, accountID, id uuid.UUID, c Count) error {
	var f problem.Fields
	counted := c.cents(&f)
	c.Why = words(&f, "why", c.Why, maxWhy)
	if c.Left < 0 || c.Left > counted {
		f.Add("left", "cash.left_too_much")
	}
	if c.Terminal != nil && (*c.Terminal < -maxDrawer || *c.Terminal > maxDrawer) {
		f.Add("terminal", "payment.amount_out_of_range")
	}
	if err := f.Err(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		done, err := lockOpen(ctx, tx, id, c.Key)
		if err != nil || done {
			return err
		}
		d, err := oneDay(ctx, tx, `d.id = @id`, pgx.NamedArgs{"id": id})
		if err != nil {
			return err
		}
		missing := counted != d.Drawer() || c.Terminal != nil && *c.Terminal != d.TerminalNet()
		if missing && c.Why == "" {
			var f problem.Fields
			f.Add("why", "cash.why_needed", counted-d.Drawer())
			return f.Err()
		}
		var pieces map[civil.Cents]int
		if len(c.Pieces) > 0 {
			pieces = c.Pieces
		}
		_, err = tx.Exec(ctx, `
			UPDATE cash_day
			SET expected_cents = @expected, expected_terminal_cents = @expected_terminal, counted_cents = @counted, counted_detail = @pieces,
			  terminal_cents = @terminal, left_cents = @left, difference_why = @why, closed_by = @by, closed_at = @at, close_key = @key
			WHERE id = @id`,
			pgx.NamedArgs{
				"id": id, "expected": d.Drawer(), "expected_terminal": d.TerminalNet(), "counted": counted, "pieces": pieces, "terminal": c.Terminal,
				"left": c.Left, "why": c.Why, "by": accountID, "at": s.Now(), "key": c.Key,
			})
		if err != nil {
			return fmt.Errorf("closing the desk: %w", err)
		}
		if err := task.Close(ctx, tx, task.DeskOpen, "cash_day", id.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "cash.closed", "cash_day", id.String(),
			map[string]any{"expected": d.Drawer(), "counted": counted, "left": c.Left})
	})
}

// lockOpen keeps an open day for the transaction; done when the same form has closed it already.
func lockOpen(ctx context.Context, tx db.Tx, id, key uuid.UUID) (done bool, err error) {
	var closed *uuid.UUID
	err = tx.QueryRow(ctx, `
		SELECT close_key
		FROM cash_day
		WHERE id = @id
		FOR UPDATE`,
		pgx.NamedArgs{"id": id}).Scan(&closed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, problem.NotFound("cash.day_not_found")
	case err != nil:
		return false, fmt.Errorf("locking the desk: %w", err)
	case closed != nil && *closed == key:
		return true, nil
	case closed != nil:
		return false, problem.Conflict("cash.closed")
	}
	return false, nil
}
