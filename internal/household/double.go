package household

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// TaskDouble is the kind of task that proposes two rows as one person. Its subject, "duplicate", is the Double.
const TaskDouble = "duplicate"

// The kinds of row that may be doubled.
const (
	KindChild    = "child"
	KindGuardian = "guardian"
)

// The states of a Double.
const (
	DoubleOpen     = "open"
	DoubleDistinct = "distinct" // two people, for good
	DoubleMerged   = "merged"
)

// Double is two rows that may be one person.
type Double struct {
	ID      uuid.UUID
	Kind    string // KindChild or KindGuardian
	AID     uuid.UUID
	BID     uuid.UUID
	Score   int      // 0 to 100, when it was found
	Reasons []string // the Alike constants
	State   string
	FoundAt time.Time
}

// mostCandidates bounds how many rows are compared with a new one; the nearest by key come first.
const mostCandidates = 100

// lookForDoubles compares a row with those that may be the same person and proposes each new pair to staff. The person
// who entered it learns nothing: whom else the commune knows is not theirs to know.
func (s *Store) lookForDoubles(ctx context.Context, tx db.Tx, kind string, id uuid.UUID) error {
	var me Person
	var others map[uuid.UUID]Person
	var err error
	alike, threshold := AlikeChildren, alikeChild
	if kind == KindChild {
		me, others, err = s.likeChild(ctx, tx, id)
	} else {
		alike, threshold = AlikeGuardians, alikeGuardian
		me, others, err = likeGuardian(ctx, tx, id)
	}
	if err != nil {
		return err
	}
	for other, p := range others {
		if score, reasons := alike(me, p); score >= threshold {
			if err := s.proposeDouble(ctx, tx, kind, id, other, score, reasons); err != nil {
				return err
			}
		}
	}
	return nil
}

// proposeDouble keeps a pair and opens the task, unless the pair was kept before, whatever was decided then.
func (s *Store) proposeDouble(ctx context.Context, tx db.Tx, kind string, a, b uuid.UUID, score int, reasons []string) error {
	if strings.Compare(a.String(), b.String()) > 0 {
		a, b = b, a
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		INSERT INTO duplicate (kind, a_id, b_id, score, reasons, found_at)
		VALUES (@kind, @a, @b, @score, @reasons, @now)
		ON CONFLICT (kind, a_id, b_id) DO NOTHING
		RETURNING id`,
		pgx.NamedArgs{"kind": kind, "a": a, "b": b, "score": score, "reasons": reasons, "now": s.Now()}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keeping a pair that looks alike: %w", err)
	}
	return task.Open(ctx, tx, TaskDouble, "duplicate", id.String(), map[string]any{"kind": kind, "a": a, "b": b, "score": score})
}

// likeChild returns a child and those that may be it: with the same words in the name, or born on the same day or on
// one with day and month swapped.
func (s *Store) likeChild(ctx context.Context, q db.Querier, id uuid.UUID) (me Person, others map[uuid.UUID]Person, err error) {
	rows, err := q.Query(ctx, `
		SELECT c.id, c.first_name, c.last_name, c.birth_date, c.national_number,
		  ARRAY(
			SELECT DISTINCT g.phone
			FROM guardianship AS gs
			JOIN guardian AS g ON g.id = gs.guardian_id
			WHERE gs.child_id = c.id
			  AND g.phone <> ''
		  ) AS phones
		FROM child AS c
		JOIN child AS me ON me.id = @id
		WHERE c.id = me.id
		   OR c.merged_into IS NULL AND (
			c.name_key = me.name_key AND c.name_key <> ''
			OR c.birth_date = me.birth_date
			OR c.birth_date = CASE WHEN extract(day FROM me.birth_date) <= 12 THEN make_date(
				extract(year FROM me.birth_date)::int, extract(day FROM me.birth_date)::int, extract(month FROM me.birth_date)::int) END
		   )
		ORDER BY c.id <> me.id, c.name_key <> me.name_key, c.birth_date <> me.birth_date, c.id
		LIMIT @most`,
		pgx.NamedArgs{"id": id, "most": mostCandidates})
	if err != nil {
		return me, nil, fmt.Errorf("looking for children like %s: %w", id, err)
	}
	others = map[uuid.UUID]Person{}
	var at uuid.UUID
	var sealed []byte
	var p Person
	_, err = pgx.ForEachRow(rows, []any{&at, &p.FirstName, &p.LastName, &p.Birth, &sealed, &p.Phones}, func() error {
		one := p
		one.Phones = append([]string(nil), p.Phones...)
		if sealed != nil {
			n, err := s.open(at, sealed)
			if err != nil {
				return err
			}
			one.Number = n
		}
		if at == id {
			me = one
		} else {
			others[at] = one
		}
		return nil
	})
	if err != nil {
		return me, nil, fmt.Errorf("looking for children like %s: %w", id, err)
	}
	return me, others, nil
}

// open returns the number of a child from its sealed form.
func (s *Store) open(childID uuid.UUID, sealed []byte) (NationalNumber, error) {
	digits, err := s.Box.Open(sealed, sealedAt(childID))
	if err != nil {
		return NationalNumber{}, fmt.Errorf("opening the number of child %s: %w", childID, err)
	}
	n, err := ParseNationalNumber(string(digits))
	if err != nil {
		return NationalNumber{}, fmt.Errorf("reading the number of child %s: %w", childID, err)
	}
	return n, nil
}

// likeGuardian returns a guardian and those that may be it: with the same words in the name, the same telephone or the
// same e-mail address.
func likeGuardian(ctx context.Context, q db.Querier, id uuid.UUID) (me Person, others map[uuid.UUID]Person, err error) {
	rows, err := q.Query(ctx, `
		SELECT g.id, g.first_name, g.last_name, g.phone, g.email, g.street, g.postcode
		FROM guardian AS g
		JOIN guardian AS me ON me.id = @id
		WHERE g.id = me.id
		   OR g.merged_into IS NULL AND g.kind = me.kind AND (
			g.name_key = me.name_key AND g.name_key <> ''
			OR g.phone = me.phone AND g.phone <> ''
			OR lower(g.email) = lower(me.email) AND g.email <> ''
		   )
		ORDER BY g.id <> me.id, g.name_key <> me.name_key, g.id
		LIMIT @most`,
		pgx.NamedArgs{"id": id, "most": mostCandidates})
	if err != nil {
		return me, nil, fmt.Errorf("looking for guardians like %s: %w", id, err)
	}
	others = map[uuid.UUID]Person{}
	var at uuid.UUID
	var p Person
	var phone string
	_, err = pgx.ForEachRow(rows, []any{&at, &p.FirstName, &p.LastName, &phone, &p.Email, &p.Street, &p.Postcode}, func() error {
		one := p
		one.Phones = []string{phone}
		if at == id {
			me = one
		} else {
			others[at] = one
		}
		return nil
	})
	if err != nil {
		return me, nil, fmt.Errorf("looking for guardians like %s: %w", id, err)
	}
	return me, others, nil
}

const doubleColumns = `id, kind, a_id, b_id, score, reasons, state, found_at`

// Doubles returns the open pairs, the surest first, at most limit, for staff.
func (s *Store) Doubles(ctx context.Context, limit int) ([]Double, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+doubleColumns+`
		FROM duplicate
		WHERE state = 'open'
		ORDER BY score DESC, found_at, id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the pairs that look alike: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Double])
}

// Double returns one pair whatever its state, or NotFound.
func (s *Store) Double(ctx context.Context, id uuid.UUID) (Double, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+doubleColumns+` FROM duplicate WHERE id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Double{}, fmt.Errorf("reading pair %s: %w", id, err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Double])
	if errors.Is(err, pgx.ErrNoRows) {
		return Double{}, problem.NotFound("household.double_not_found")
	}
	if err != nil {
		return Double{}, fmt.Errorf("reading pair %s: %w", id, err)
	}
	return d, nil
}

// KeepDistinct says for good that a pair is two people, twins for example: it is never proposed again. It returns
// NotFound when the pair is not open.
func (s *Store) KeepDistinct(ctx context.Context, actor audit.Actor, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var kind string
		var a, b uuid.UUID
		err := tx.QueryRow(ctx, `
			UPDATE duplicate
			SET state = 'distinct',
			    decided_at = @now,
			    decided_by = @by
			WHERE id = @id
			  AND state = 'open'
			RETURNING kind, a_id, b_id`,
			pgx.NamedArgs{"id": id, "now": s.Now(), "by": actor.String()}).Scan(&kind, &a, &b)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("household.double_not_found")
		}
		if err != nil {
			return fmt.Errorf("keeping pair %s apart: %w", id, err)
		}
		if err := task.Close(ctx, tx, TaskDouble, "duplicate", id.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "duplicate.distinct", kind, a.String(), map[string]any{"other": b, "duplicate": id})
	})
}

// Survivor returns the child that an id stands for today: itself, or the one into which it was merged. An id that never
// was returns itself too. The caller asks for rights on what it gets.
func Survivor(ctx context.Context, q db.Querier, childID uuid.UUID) (uuid.UUID, error) {
	return survivor(ctx, q, `child`, childID)
}

// GuardianSurvivor is Survivor for a guardian.
func GuardianSurvivor(ctx context.Context, q db.Querier, guardianID uuid.UUID) (uuid.UUID, error) {
	return survivor(ctx, q, `guardian`, guardianID)
}

func survivor(ctx context.Context, q db.Querier, table string, id uuid.UUID) (uuid.UUID, error) {
	last := id
	err := q.QueryRow(ctx, `
		WITH RECURSIVE step AS (
			SELECT id, merged_into, 1 AS n
			FROM `+table+`
			WHERE id = @id
			UNION ALL
			SELECT t.id, t.merged_into, step.n + 1
			FROM `+table+` AS t
			JOIN step ON t.id = step.merged_into
			WHERE step.n < 100
		)
		SELECT id
		FROM step
		ORDER BY n DESC
		LIMIT 1`,
		pgx.NamedArgs{"id": id}).Scan(&last)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, nil
	}
	if err != nil {
		return id, fmt.Errorf("following %s %s: %w", table, id, err)
	}
	return last, nil
}

// LookAgain compares a row that a merge has changed with the others, in the merge's transaction.
func (s *Store) LookAgain(ctx context.Context, tx db.Tx, kind string, id uuid.UUID) error {
	return s.lookForDoubles(ctx, tx, kind, id)
}

// AdoptNumber gives a child the national number of another that is merged into it, when it has none, or only a BIS
// number. Numbers are sealed for their row, so they cannot be copied.
func (s *Store) AdoptNumber(ctx context.Context, tx db.Tx, childID, fromID uuid.UUID) error {
	read := func(id uuid.UUID) (NationalNumber, error) {
		var sealed []byte
		err := tx.QueryRow(ctx, `SELECT national_number FROM child WHERE id = @id`, pgx.NamedArgs{"id": id}).Scan(&sealed)
		if err != nil {
			return NationalNumber{}, fmt.Errorf("reading the number of child %s: %w", id, err)
		}
		if sealed == nil {
			return NationalNumber{}, nil
		}
		return s.open(id, sealed)
	}
	mine, err := read(childID)
	if err != nil {
		return err
	}
	other, err := read(fromID)
	if err != nil {
		return err
	}
	if other.IsZero() || !mine.IsZero() && (!mine.BIS() || other.BIS()) {
		return nil
	}
	sealed, err := s.seal(childID, other)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE child SET national_number = @sealed WHERE id = @id`, pgx.NamedArgs{"id": childID, "sealed": sealed})
	if err != nil {
		return fmt.Errorf("keeping the number of child %s: %w", childID, err)
	}
	return nil
}
