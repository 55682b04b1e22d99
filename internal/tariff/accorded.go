package tariff

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
)

// Accorded is an accorded (social) tariff of a household, for all its children or one. It counts for registrations that
// an adult of the household pays, sent while it is valid; another home of the child does not see it. Only finance,
// administrators and agents with the role social read it.
type Accorded struct {
	ID          uuid.UUID
	HouseholdID uuid.UUID
	ChildID     *uuid.UUID   // nil: every child
	Percent     *int         // taken off the place
	Cents       *civil.Cents // or what the place costs for one unit
	ValidFrom   civil.Date
	ValidUntil  civil.Date
	Reference   string // of the decision
	Regulation  string
	Key         uuid.UUID  `db:"submission_key"`
	EndedOn     civil.Date // zero while it runs
}

// AccordOf returns the accorded tariff that counts for a guardian who registers a child on a day, nil for none. Of
// several, the one for the child goes before the one for all, and a percentage before a price; then the newest.
func AccordOf(ctx context.Context, q db.Querier, guardianID, childID uuid.UUID, on civil.Date) (*Accord, error) {
	var a Accord
	var percent *int
	err := q.QueryRow(ctx, `
		SELECT a.id, a.percent, a.cents, a.regulation
		FROM accorded_tariff a
		JOIN guardian g ON g.household_id = a.household_id
		WHERE g.id = @guardian
		  AND (a.child_id = @child OR a.child_id IS NULL)
		  AND a.valid_from <= @on
		  AND a.valid_until >= @on
		  AND a.ended_at IS NULL
		ORDER BY a.child_id IS NULL, a.percent DESC NULLS LAST, a.cents, a.created_at DESC, a.id
		LIMIT 1`,
		pgx.NamedArgs{"guardian": guardianID, "child": childID, "on": on}).Scan(&a.ID, &percent, &a.Cents, &a.Regulation)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading an accorded tariff: %w", err)
	}
	if percent != nil {
		a.Percent = *percent
	}
	return &a, nil
}

// AccordedTo returns every accorded tariff of a household, newest first, ended ones too. The caller has checked that
// the reader may see them.
func AccordedTo(ctx context.Context, q db.Querier, householdID uuid.UUID) ([]Accorded, error) {
	rows, err := q.Query(ctx, `
		SELECT id, household_id, child_id, percent, cents, valid_from, valid_until, reference, regulation, submission_key,
		  (ended_at AT TIME ZONE 'Europe/Brussels')::date AS ended_on
		FROM accorded_tariff
		WHERE household_id = @household
		ORDER BY created_at DESC, id`,
		pgx.NamedArgs{"household": householdID})
	if err != nil {
		return nil, fmt.Errorf("reading the accorded tariffs of household %s: %w", householdID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Accorded])
}

// Accord grants a tariff to a household, once for a submission key; Invalid with every faulty field.
func (s *Store) Accord(ctx context.Context, actor audit.Actor, a Accorded) error {
	var f problem.Fields
	a.Reference, a.Regulation = strings.TrimSpace(a.Reference), strings.TrimSpace(a.Regulation)
	short(&f, "reference", a.Reference, true)
	short(&f, "regulation", a.Regulation, false)
	switch {
	case (a.Percent == nil) == (a.Cents == nil):
		f.Add("percent", "tariff.one_amount")
	case a.Percent != nil && (*a.Percent < 1 || *a.Percent > 100):
		f.Add("percent", "tariff.percent_out_of_range")
	case a.Cents != nil && (*a.Cents < 0 || *a.Cents > maxCents):
		f.Add("price", "camp.price_out_of_range")
	}
	if a.ValidFrom.IsZero() {
		f.Add("from", "form.required")
	}
	if a.ValidUntil.IsZero() {
		f.Add("until", "form.required")
	} else if a.ValidUntil.Before(a.ValidFrom) {
		f.Add("until", "tariff.dates_crossed")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var id uuid.UUID
		err := tx.QueryRow(ctx, `
			INSERT INTO accorded_tariff (household_id, child_id, percent, cents, valid_from, valid_until, reference, regulation, submission_key, granted_by, created_at)
			VALUES (@household, @child, @percent, @cents, @from, @until, @reference, @regulation, @key, @by, @now)
			ON CONFLICT (submission_key) DO NOTHING
			RETURNING id`,
			pgx.NamedArgs{
				"household": a.HouseholdID, "child": a.ChildID, "percent": a.Percent, "cents": a.Cents, "from": a.ValidFrom, "until": a.ValidUntil,
				"reference": a.Reference, "regulation": a.Regulation, "key": a.Key, "by": actor.String(), "now": s.Now(),
			}).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("according a tariff: %w", err)
		}
		// The subject is the grant alone: the family's own history is read by every agent.
		return audit.Record(ctx, tx, actor, "tariff.accorded", "accorded_tariff", id.String(), nil)
	})
}

// EndAccorded ends an accorded tariff of a household; prices that were frozen stay.
func (s *Store) EndAccorded(ctx context.Context, actor audit.Actor, householdID, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE accorded_tariff
			SET ended_at = @now, ended_by = @by
			WHERE id = @id
			  AND household_id = @household
			  AND ended_at IS NULL`,
			pgx.NamedArgs{"id": id, "household": householdID, "now": s.Now(), "by": actor.String()})
		if err != nil {
			return fmt.Errorf("ending accorded tariff %s: %w", id, err)
		}
		if err := gone(tag.RowsAffected(), "tariff.accorded_not_found"); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "tariff.accorded_ended", "accorded_tariff", id.String(), nil)
	})
}
