package household

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Guardianship is what one guardian may do for one child, from a day until a day.
type Guardianship struct {
	ID         uuid.UUID
	GuardianID uuid.UUID
	ChildID    uuid.UUID
	Basis      Basis
	Rights     []Right
	Proof      string // where the proof lies: a reference, never its content
	ValidFrom  civil.Date
	ValidUntil civil.Date // last day included; zero when open
}

// Grant is what someone gives a guardian for a child.
type Grant struct {
	Basis  Basis
	Rights []Right    // nil gives the preset of the basis
	Proof  string     // reference of the decision or document
	From   civil.Date // zero is today
	Until  civil.Date // last day included; zero is without end
}

func (g *Grant) validate(today civil.Date) error {
	var p problem.Fields
	if !slices.Contains(Bases, g.Basis) {
		p.Add("basis", "household.basis_unknown")
	}
	if g.Rights == nil {
		g.Rights = Preset(g.Basis)
	}
	if slices.ContainsFunc(g.Rights, func(r Right) bool { return !slices.Contains(Rights, r) }) {
		p.Add("rights", "household.right_unknown")
	}
	g.Proof = text(&p, "proof", g.Proof, 200, false)
	if g.From.IsZero() {
		g.From = today
	}
	if !g.Until.IsZero() && g.Until.Before(g.From) {
		p.Add("until", "household.until_before_from")
	}
	return p.Err()
}

// Grant makes g the rights of the guardian for the child from g.From on: what was granted before ends the day before,
// what was to begin later is dropped, and all of it stays in the audit. The caller has checked that the actor may
// decide this. It returns NotFound when the guardian or the child does not exist.
func (s *Store) Grant(ctx context.Context, actor audit.Actor, guardianID, childID uuid.UUID, g Grant) error {
	if err := g.validate(s.today()); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		before, err := s.end(ctx, tx, guardianID, childID, g.From.AddDays(-1))
		if err != nil {
			return err
		}
		return s.grant(ctx, tx, actor, guardianID, childID, g, before)
	})
}

// grant writes a validated g, once older guardianships are out of its way.
func (s *Store) grant(ctx context.Context, tx db.Tx, actor audit.Actor, guardianID, childID uuid.UUID, g Grant, before []Guardianship) error {
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		INSERT INTO guardianship (guardian_id, child_id, basis, rights, proof, valid_from, valid_until, created_at)
		VALUES (@guardian_id, @child_id, @basis, @rights, @proof, @from, @until, @now)
		RETURNING id`,
		pgx.NamedArgs{
			"guardian_id": guardianID, "child_id": childID, "basis": g.Basis, "rights": g.Rights, "proof": g.Proof,
			"from": g.From, "until": g.Until, "now": s.Now(),
		}).Scan(&id)
	if err != nil {
		return fmt.Errorf("granting rights to guardian %s: %w", guardianID, err)
	}
	// Who cares for the child on these bases has it in the family's account; the others only act for it.
	if slices.Contains(OwnBases, g.Basis) {
		_, err = tx.Exec(ctx, `
			INSERT INTO household_child (household_id, child_id)
			SELECT household_id, @child_id
			FROM guardian
			WHERE id = @guardian_id
			ON CONFLICT DO NOTHING`,
			pgx.NamedArgs{"guardian_id": guardianID, "child_id": childID})
		if err != nil {
			return fmt.Errorf("adding the child to the household of guardian %s: %w", guardianID, err)
		}
	}
	return audit.Record(ctx, tx, actor, "guardianship.granted", "child", childID.String(), map[string]any{
		"guardian": guardianID, "guardianship": id, "basis": g.Basis, "rights": g.Rights,
		"from": g.From, "until": g.Until, "before": images(before),
	})
}

// End closes what the guardian may do for the child; last is the last day on which it holds. It returns NotFound when
// there is nothing to close after that day.
func (s *Store) End(ctx context.Context, actor audit.Actor, guardianID, childID uuid.UUID, last civil.Date) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		before, err := s.end(ctx, tx, guardianID, childID, last)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return problem.NotFound("household.guardianship_not_found")
		}
		return audit.Record(ctx, tx, actor, "guardianship.ended", "child", childID.String(),
			map[string]any{"guardian": guardianID, "last": last, "before": images(before)})
	})
}

// end makes sure that nothing holds after last and returns what it changed, as it was. It locks the pair against a
// second change at the same time.
func (s *Store) end(ctx context.Context, tx db.Tx, guardianID, childID uuid.UUID, last civil.Date) ([]Guardianship, error) {
	if err := lockPair(ctx, tx, guardianID, childID); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `
		SELECT id, guardian_id, child_id, basis, rights, proof, valid_from, valid_until
		FROM guardianship
		WHERE guardian_id = @guardian_id
		  AND child_id = @child_id
		  AND (valid_until IS NULL OR valid_until > @last)
		ORDER BY valid_from`,
		pgx.NamedArgs{"guardian_id": guardianID, "child_id": childID, "last": last})
	if err != nil {
		return nil, fmt.Errorf("reading guardianships: %w", err)
	}
	before, err := pgx.CollectRows(rows, pgx.RowToStructByName[Guardianship])
	if err != nil {
		return nil, fmt.Errorf("reading guardianships: %w", err)
	}
	for _, b := range before {
		if b.ValidFrom.After(last) {
			_, err = tx.Exec(ctx, `DELETE FROM guardianship WHERE id = @id`, pgx.NamedArgs{"id": b.ID})
		} else {
			_, err = tx.Exec(ctx, `UPDATE guardianship SET valid_until = @last WHERE id = @id`, pgx.NamedArgs{"id": b.ID, "last": last})
		}
		if err != nil {
			return nil, fmt.Errorf("ending guardianship %s: %w", b.ID, err)
		}
	}
	return before, nil
}

// images are the audit's copies of guardianships before a change.
func images(gs []Guardianship) []map[string]any {
	out := make([]map[string]any, 0, len(gs))
	for _, g := range gs {
		out = append(out, map[string]any{
			"id": g.ID, "basis": g.Basis, "rights": g.Rights, "from": g.ValidFrom, "until": g.ValidUntil,
		})
	}
	return out
}

// Guardianships returns every guardianship of a child, past and coming ones too, for staff. The oldest comes first.
func (s *Store) Guardianships(ctx context.Context, q db.Querier, childID uuid.UUID) ([]Guardianship, error) {
	rows, err := q.Query(ctx, `
		SELECT id, guardian_id, child_id, basis, rights, proof, valid_from, valid_until
		FROM guardianship
		WHERE child_id = @child_id
		ORDER BY valid_from, created_at, id`,
		pgx.NamedArgs{"child_id": childID})
	if err != nil {
		return nil, fmt.Errorf("reading the guardianships of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Guardianship])
}

// Holds reports whether the guardianship is in force on a day.
func (g Guardianship) Holds(on civil.Date) bool {
	return !on.Before(g.ValidFrom) && (g.ValidUntil.IsZero() || !on.After(g.ValidUntil))
}
