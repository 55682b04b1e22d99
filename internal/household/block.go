package household

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// TaskBlockEnding is the kind of task that asks staff what comes after the end that a decision names. Its subject is
// the block.
const TaskBlockEnding = "block_ending"

// blockNotice is how many days before the end that a decision names staff are asked.
const blockNotice = 30

// Block hides a child from a guardian, whatever was granted: its rights give nothing and the child does not exist for
// it. It holds until a person lifts it; the end that the decision names is a task, never an end by itself.
type Block struct {
	ID           uuid.UUID
	GuardianID   uuid.UUID
	ChildID      uuid.UUID
	Decision     string // reference of the decision, never its content
	ValidFrom    civil.Date
	DecidedUntil civil.Date // as the decision says
	LiftedOn     civil.Date // first day on which it no longer holds; zero while nobody lifted it
	LiftReason   string
}

// Holds reports whether the block hides the child on a day.
func (b Block) Holds(on civil.Date) bool {
	return !on.Before(b.ValidFrom) && (b.LiftedOn.IsZero() || on.Before(b.LiftedOn))
}

// BlockForm is what staff enter from a decision.
type BlockForm struct {
	Decision string // needed
	From     civil.Date
	Until    civil.Date // needed: the end that the decision names
}

// BlockedSQL is a SQL condition: the guardian may not know of the child on a day. The arguments are SQL expressions
// (uuid, uuid, date), written in the program and never from outside. It is for statements that read guardianships
// themselves to show staff who must not be met; what asks for a right asks Right, Holders or HoldersSQL.
func BlockedSQL(guardian, child, day string) string {
	return strings.NewReplacer("@guardian", guardian, "@child", child, "@day", day).Replace(`EXISTS (
		SELECT 1
		FROM guardianship_block AS gb
		WHERE gb.guardian_id = @guardian
		  AND gb.child_id = @child
		  AND gb.valid_from <= @day
		  AND (gb.lifted_on IS NULL OR gb.lifted_on > @day))`)
}

// Block hides a child from a guardian from a day on, zero is today. A block that holds already takes the new decision
// and end. The caller has checked that the actor may decide this. It returns Invalid with every faulty input, and
// NotFound when the guardian or the child does not exist.
func (s *Store) Block(ctx context.Context, actor audit.Actor, guardianID, childID uuid.UUID, f BlockForm) (Block, error) {
	var p problem.Fields
	f.Decision = text(&p, "decision", f.Decision, 200, true)
	if f.From.IsZero() {
		f.From = s.today()
	}
	switch {
	case f.Until.IsZero():
		p.Add("until", "household.block_until_needed")
	case f.Until.Before(f.From):
		p.Add("until", "household.until_before_from")
	}
	if err := p.Err(); err != nil {
		return Block{}, err
	}
	var b Block
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := lockPair(ctx, tx, guardianID, childID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			INSERT INTO guardianship_block AS b (guardian_id, child_id, decision, valid_from, decided_until, created_at)
			VALUES (@guardian_id, @child_id, @decision, @from, @until, @now)
			ON CONFLICT (guardian_id, child_id) WHERE lifted_on IS NULL DO UPDATE
			SET decision = excluded.decision,
			    valid_from = LEAST(b.valid_from, excluded.valid_from),
			    decided_until = excluded.decided_until
			RETURNING `+blockColumns,
			pgx.NamedArgs{
				"guardian_id": guardianID, "child_id": childID, "decision": f.Decision, "from": f.From, "until": f.Until, "now": s.Now(),
			})
		if err != nil {
			return fmt.Errorf("blocking guardian %s: %w", guardianID, err)
		}
		if b, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Block]); err != nil {
			return fmt.Errorf("blocking guardian %s: %w", guardianID, err)
		}
		// What was asked about the former end is answered; the new end may be near too.
		if err := task.Close(ctx, tx, TaskBlockEnding, "block", b.ID.String(), actor.String()); err != nil {
			return err
		}
		if !b.DecidedUntil.After(s.today().AddDays(blockNotice)) {
			if err := openBlockTask(ctx, tx, b); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, "guardianship.blocked", "child", childID.String(), map[string]any{
			"guardian": guardianID, "block": b.ID, "decision": b.Decision, "from": b.ValidFrom, "until": b.DecidedUntil,
		})
	})
	return b, err
}

// Unblock lifts a block from a day on, zero is today, for a reason that the audit keeps. It returns NotFound when there
// is no such block, or it was lifted before.
func (s *Store) Unblock(ctx context.Context, actor audit.Actor, blockID uuid.UUID, on civil.Date, reason string) error {
	var p problem.Fields
	reason = text(&p, "reason", reason, 300, true)
	if err := p.Err(); err != nil {
		return err
	}
	if on.IsZero() {
		on = s.today()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var guardianID, childID uuid.UUID
		err := tx.QueryRow(ctx, `
			UPDATE guardianship_block
			SET lifted_on = @on,
			    lift_reason = @reason
			WHERE id = @id
			  AND lifted_on IS NULL
			RETURNING guardian_id, child_id`,
			pgx.NamedArgs{"id": blockID, "on": on, "reason": reason}).Scan(&guardianID, &childID)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("household.block_not_found")
		}
		if err != nil {
			return fmt.Errorf("lifting block %s: %w", blockID, err)
		}
		if err := task.Close(ctx, tx, TaskBlockEnding, "block", blockID.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "guardianship.unblocked", "child", childID.String(),
			map[string]any{"guardian": guardianID, "block": blockID, "on": on})
	})
}

const blockColumns = `id, guardian_id, child_id, decision, valid_from, decided_until, lifted_on, lift_reason`

// Blocks returns every block on a child, lifted ones too, for staff. The oldest comes first.
func (s *Store) Blocks(ctx context.Context, q db.Querier, childID uuid.UUID) ([]Block, error) {
	rows, err := q.Query(ctx, `
		SELECT `+blockColumns+`
		FROM guardianship_block
		WHERE child_id = @child_id
		ORDER BY valid_from, id`,
		pgx.NamedArgs{"child_id": childID})
	if err != nil {
		return nil, fmt.Errorf("reading the blocks on child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Block])
}

// BlocksEnding asks staff about every block whose decision ends within a month or has ended, and returns how many there
// are. It is to be called daily and may run at any time, in several processes.
func (s *Store) BlocksEnding(ctx context.Context) (int, error) {
	n := 0
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+blockColumns+`
			FROM guardianship_block
			WHERE lifted_on IS NULL
			  AND decided_until <= @soon
			ORDER BY decided_until, id`,
			pgx.NamedArgs{"soon": s.today().AddDays(blockNotice)})
		if err != nil {
			return fmt.Errorf("reading the blocks that end: %w", err)
		}
		ending, err := pgx.CollectRows(rows, pgx.RowToStructByName[Block])
		if err != nil {
			return fmt.Errorf("reading the blocks that end: %w", err)
		}
		n = len(ending)
		for _, b := range ending {
			if err := openBlockTask(ctx, tx, b); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func openBlockTask(ctx context.Context, tx db.Tx, b Block) error {
	return task.Open(ctx, tx, TaskBlockEnding, "block", b.ID.String(),
		map[string]any{"guardian": b.GuardianID, "child": b.ChildID, "until": b.DecidedUntil})
}

// lockPair locks a child against a second change of its rights at the same time; NotFound when the child or the
// guardian does not exist.
func lockPair(ctx context.Context, tx db.Tx, guardianID, childID uuid.UUID) error {
	var found bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM guardian WHERE id = @guardian_id)
		FROM child
		WHERE id = @child_id
		FOR NO KEY UPDATE`,
		pgx.NamedArgs{"guardian_id": guardianID, "child_id": childID}).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !found {
		return problem.NotFound("household.child_not_found")
	}
	if err != nil {
		return fmt.Errorf("locking child %s: %w", childID, err)
	}
	return nil
}
