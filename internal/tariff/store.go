package tariff

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

// Store keeps the tables of the tariffs.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

const siblingColumns = `who, mode, scope, steps, cumulate, exit_raises, regulation`

// SiblingsOf returns the rule about siblings that counts for a camp: its own, else the commune's.
func SiblingsOf(ctx context.Context, q db.Querier, campID uuid.UUID) (Siblings, error) {
	rows, err := q.Query(ctx, `
		SELECT `+siblingColumns+`
		FROM sibling_rule
		WHERE camp_id = @camp
		   OR camp_id IS NULL
		ORDER BY camp_id NULLS LAST
		LIMIT 1`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return Siblings{}, fmt.Errorf("reading the rule about siblings: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Siblings])
	if errors.Is(err, pgx.ErrNoRows) {
		return Siblings{Who: WhoNone, Mode: ModeRank, Scope: ScopeSeason, Cumulate: true}, nil
	}
	if err != nil {
		return Siblings{}, fmt.Errorf("reading the rule about siblings: %w", err)
	}
	return r, nil
}

// OwnSiblings reports whether a camp has a rule about siblings of its own.
func OwnSiblings(ctx context.Context, q db.Querier, campID uuid.UUID) (own bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sibling_rule WHERE camp_id = @camp)`, pgx.NamedArgs{"camp": campID}).Scan(&own)
	if err != nil {
		return false, fmt.Errorf("reading the rule about siblings of camp %s: %w", campID, err)
	}
	return own, nil
}

// AnySiblings reports whether any rule reduces something for siblings.
func AnySiblings(ctx context.Context, q db.Querier) (any bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sibling_rule WHERE who <> 'none')`).Scan(&any)
	if err != nil {
		return false, fmt.Errorf("reading the rules about siblings: %w", err)
	}
	return any, nil
}

// SaveSiblings stores the rule about siblings of a camp, or of the commune for a nil camp, in place of the former one.
// Invalid with every faulty field.
func (s *Store) SaveSiblings(ctx context.Context, actor audit.Actor, campID *uuid.UUID, r Siblings) error {
	if err := r.validate(); err != nil {
		return err
	}
	if r.Steps == nil {
		r.Steps = []Step{}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO sibling_rule (camp_id, who, mode, scope, steps, cumulate, exit_raises, regulation)
			VALUES (@camp, @who, @mode, @scope, @steps, @cumulate, @exit_raises, @regulation)
			ON CONFLICT (camp_id)
			DO UPDATE SET who = EXCLUDED.who, mode = EXCLUDED.mode, scope = EXCLUDED.scope, steps = EXCLUDED.steps,
			  cumulate = EXCLUDED.cumulate, exit_raises = EXCLUDED.exit_raises, regulation = EXCLUDED.regulation`,
			pgx.NamedArgs{
				"camp": campID, "who": r.Who, "mode": r.Mode, "scope": r.Scope, "steps": r.Steps,
				"cumulate": r.Cumulate, "exit_raises": r.ExitRaises, "regulation": r.Regulation,
			})
		if err != nil {
			return fmt.Errorf("saving a rule about siblings: %w", err)
		}
		return audit.Record(ctx, tx, actor, "tariff.siblings", subjectKind(campID), subjectID(campID), map[string]any{"rule": r})
	})
}

// DropSiblings gives a camp the commune's rule about siblings again.
func (s *Store) DropSiblings(ctx context.Context, actor audit.Actor, campID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sibling_rule WHERE camp_id = @camp`, pgx.NamedArgs{"camp": campID}); err != nil {
			return fmt.Errorf("dropping the rule about siblings of camp %s: %w", campID, err)
		}
		return audit.Record(ctx, tx, actor, "tariff.siblings_general", "camp", campID.String(), nil)
	})
}

func subjectKind(campID *uuid.UUID) string {
	if campID == nil {
		return "setting"
	}
	return "camp"
}

func subjectID(campID *uuid.UUID) string {
	if campID == nil {
		return "sibling_rule"
	}
	return campID.String()
}

// gone turns an update that found nothing into NotFound.
func gone(rows int64, code string) error {
	if rows == 0 {
		return problem.NotFound(code)
	}
	return nil
}
