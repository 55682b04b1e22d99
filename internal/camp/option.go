package camp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// Option is something that a family may take with a camp: day care before and after, meals, material.
type Option struct {
	ID        uuid.UUID
	CampID    uuid.UUID
	Name      string
	Cents     civil.Cents
	Unit      tariff.Unit // for what Cents is asked; "" is once
	Fiscal    bool        // counts for the 281.86
	Until     *time.Time  // asked for until then; nil is until the camp closes
	Withdrawn bool
	PoolID    uuid.UUID
}

// OfferedAt reports whether a family may still take the option.
func (o Option) OfferedAt(t time.Time) bool {
	return !o.Withdrawn && (o.Until == nil || t.Before(*o.Until))
}

// OptionsOf returns the options of a camp in order, withdrawn ones included.
func OptionsOf(ctx context.Context, q db.Querier, campID uuid.UUID) ([]Option, error) {
	rows, err := q.Query(ctx, `
		SELECT id, camp_id, name, cents, unit, fiscal, until, withdrawn, pool_id
		FROM camp_option
		WHERE camp_id = @camp
		ORDER BY position, name, id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the options of camp %s: %w", campID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Option])
}

// AddOption offers an option with a camp; a nil maximum is unlimited. Invalid with every faulty field.
func (s *Store) AddOption(ctx context.Context, actor audit.Actor, o Option, maximum *int) (Option, error) {
	var f problem.Fields
	o.Name = strings.TrimSpace(o.Name)
	if o.Name == "" {
		f.Add("name", "form.required")
	} else if len(o.Name) > 100 {
		f.Add("name", "form.too_long")
	}
	if o.Cents < 0 || o.Cents > maxPrice {
		f.Add("price", "camp.price_out_of_range")
	}
	if o.Unit == "" {
		o.Unit = tariff.PerCamp
	}
	if !slices.Contains(tariff.Units, o.Unit) {
		f.Add("unit", "form.required")
	}
	if maximum != nil && (*maximum < 0 || *maximum > 10_000) {
		f.Add("max", "camp.max_out_of_range")
	}
	if err := f.Err(); err != nil {
		return o, err
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		if o.PoolID, err = place.Create(ctx, tx, "option", maximum); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO camp_option (camp_id, name, cents, unit, fiscal, until, position, pool_id)
			SELECT @camp, @name, @cents, @unit, @fiscal, @until, count(*), @pool
			FROM camp_option
			WHERE camp_id = @camp
			RETURNING id`,
			pgx.NamedArgs{"camp": o.CampID, "name": o.Name, "cents": o.Cents, "unit": o.Unit, "fiscal": o.Fiscal, "until": o.Until, "pool": o.PoolID}).Scan(&o.ID)
		if err != nil {
			return fmt.Errorf("adding an option to camp %s: %w", o.CampID, err)
		}
		return audit.Record(ctx, tx, actor, "camp.option_added", "camp", o.CampID.String(), map[string]any{"option": o.ID, "cents": o.Cents})
	})
	return o, err
}

// WithdrawOption stops offering an option; who has it keeps it.
func (s *Store) WithdrawOption(ctx context.Context, actor audit.Actor, campID, optionID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE camp_option
			SET withdrawn = true
			WHERE id = @id
			  AND camp_id = @camp`,
			pgx.NamedArgs{"id": optionID, "camp": campID})
		if err != nil {
			return fmt.Errorf("withdrawing option %s: %w", optionID, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("camp.option_not_found")
		}
		return audit.Record(ctx, tx, actor, "camp.option_withdrawn", "camp", campID.String(), map[string]any{"option": optionID})
	})
}
