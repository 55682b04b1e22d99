// Package privacy does what crosses every room: it merges two rows that are one person.
package privacy

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
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Store merges. It is safe for concurrent use.
type Store struct {
	DB         *db.DB
	Now        civil.Clock
	Households *household.Store
}

// New returns a store on d.
func New(d *db.DB, now civil.Clock, households *household.Store) *Store {
	return &Store{DB: d, Now: now, Households: households}
}

func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

// Obstacle is why two rows cannot be merged as they are; Code is a message key.
type Obstacle struct {
	Code string
	Args []any
}

// overActive are the states in which a registration no longer stands in the way of another for the same camp.
const overActive = `('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`

// Merge makes one of the pair of a Double, child or guardian, stand for both. What the other had moves to the survivor;
// its id resolves to the survivor from then on, and the audit keeps what it had. Medical sheets never move: the
// survivor's counts, and the family confirms it again. It returns NotFound when the survivor is not of the pair or the
// pair is not open, and Conflict with the first obstacle.
func (s *Store) Merge(ctx context.Context, actor audit.Actor, doubleID, survivorID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var d household.Double
		err := tx.QueryRow(ctx, `
			SELECT kind, a_id, b_id
			FROM duplicate
			WHERE id = @id
			  AND state = 'open'
			FOR UPDATE`,
			pgx.NamedArgs{"id": doubleID}).Scan(&d.Kind, &d.AID, &d.BID)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && survivorID != d.AID && survivorID != d.BID {
			return problem.NotFound("household.double_not_found")
		}
		if err != nil {
			return fmt.Errorf("reading pair %s: %w", doubleID, err)
		}
		otherID := d.AID
		if survivorID == d.AID {
			otherID = d.BID
		}
		merge := s.mergeChildren
		if d.Kind == household.KindGuardian {
			merge = s.mergeGuardians
		}
		before, err := merge(ctx, tx, survivorID, otherID)
		if err != nil {
			return err
		}
		if err := s.Households.AdoptFiscal(ctx, tx, d.Kind, survivorID, otherID); err != nil {
			return err
		}
		if err := s.settle(ctx, tx, actor, d.Kind, doubleID, survivorID, otherID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, d.Kind+".merged", d.Kind, survivorID.String(),
			map[string]any{"merged": otherID, "duplicate": doubleID, "before": before})
	})
}

// settle closes the pair, carries over what was kept apart from the other, and looks whom the survivor resembles.
func (s *Store) settle(ctx context.Context, tx db.Tx, actor audit.Actor, kind string, doubleID, survivorID, otherID uuid.UUID) error {
	args := pgx.NamedArgs{"id": doubleID, "kind": kind, "survivor": survivorID, "other": otherID, "now": s.Now(), "by": actor.String()}
	for _, sql := range []string{
		`
		UPDATE duplicate
		SET state = 'merged',
		    decided_at = @now,
		    decided_by = @by
		WHERE id = @id`,
		`
		INSERT INTO duplicate (kind, a_id, b_id, score, reasons, state, found_at, decided_at, decided_by)
		SELECT kind, LEAST(x.third, @survivor), GREATEST(x.third, @survivor), score, reasons, state, found_at, decided_at, decided_by
		FROM duplicate AS d
		CROSS JOIN LATERAL (SELECT CASE WHEN d.a_id = @other THEN d.b_id ELSE d.a_id END AS third) AS x
		WHERE d.kind = @kind
		  AND d.state = 'distinct'
		  AND @other IN (d.a_id, d.b_id)
		ON CONFLICT (kind, a_id, b_id) DO UPDATE
		SET state = 'distinct'`,
	} {
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return fmt.Errorf("settling pair %s: %w", doubleID, err)
		}
	}
	rows, err := tx.Query(ctx, `
		DELETE FROM duplicate
		WHERE kind = @kind
		  AND state = 'open'
		  AND @other IN (a_id, b_id)
		RETURNING id`, args)
	if err != nil {
		return fmt.Errorf("settling pair %s: %w", doubleID, err)
	}
	closed, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("settling pair %s: %w", doubleID, err)
	}
	for _, id := range append(closed, doubleID) {
		if err := task.Close(ctx, tx, household.TaskDouble, "duplicate", id.String(), actor.String()); err != nil {
			return err
		}
	}
	return s.Households.LookAgain(ctx, tx, kind, survivorID)
}

// lock locks two rows of a table in the order of their ids; NotFound unless both are there and neither was merged.
func lock(ctx context.Context, tx db.Tx, table string, a, b uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT id
		FROM `+table+`
		WHERE id IN (@a, @b)
		  AND merged_into IS NULL
		ORDER BY id
		FOR NO KEY UPDATE`,
		pgx.NamedArgs{"a": a, "b": b})
	if err != nil {
		return fmt.Errorf("locking a pair: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("locking a pair: %w", err)
	}
	if len(found) != 2 {
		return problem.NotFound("household.double_not_found")
	}
	return nil
}

// ids returns the one uuid column of a statement.
func ids(ctx context.Context, q db.Querier, sql string, args pgx.NamedArgs) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, fmt.Errorf("reading what moves: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading what moves: %w", err)
	}
	return list, nil
}

// run executes statements with the same arguments, those that each names.
func run(ctx context.Context, tx db.Tx, args pgx.NamedArgs, statements ...string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return fmt.Errorf("moving rows: %w", err)
		}
	}
	return nil
}

// link is a guardianship in the before-image and in the search for obstacles.
type link struct {
	ID         uuid.UUID         `json:"id"`
	GuardianID uuid.UUID         `json:"guardian"`
	ChildID    uuid.UUID         `json:"child"`
	Basis      household.Basis   `json:"basis"`
	Rights     []household.Right `json:"rights"`
	ValidFrom  civil.Date        `json:"from"`
	ValidUntil civil.Date        `json:"until"`
}

func links(ctx context.Context, q db.Querier, column string, id uuid.UUID) ([]link, error) {
	rows, err := q.Query(ctx, `
		SELECT id, guardian_id, child_id, basis, rights, valid_from, valid_until
		FROM guardianship
		WHERE `+column+` = @id
		ORDER BY valid_from, id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading guardianships: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[link])
	if err != nil {
		return nil, fmt.Errorf("reading guardianships: %w", err)
	}
	return list, nil
}

// rightsOn returns what the links with one key give on a day, sorted, and whether there is any link at all.
func rightsOn(all []link, same func(link) bool, on civil.Date) (rights []household.Right, known bool) {
	for _, l := range all {
		if !same(l) {
			continue
		}
		known = true
		if !on.Before(l.ValidFrom) && (l.ValidUntil.IsZero() || !on.After(l.ValidUntil)) {
			rights = append(rights, l.Rights...)
		}
	}
	slices.Sort(rights)
	return slices.Compact(rights), known
}

// rightsDiffer reports whether someone holds other rights on the one than on the other, ended ones included: a merge
// must not give back what a person decided to take.
func rightsDiffer(a, b []link, key func(link) uuid.UUID, on civil.Date) bool {
	for _, l := range a {
		same := func(o link) bool { return key(o) == key(l) }
		mine, _ := rightsOn(a, same, on)
		theirs, known := rightsOn(b, same, on)
		if known && !slices.Equal(mine, theirs) {
			return true
		}
	}
	return false
}
