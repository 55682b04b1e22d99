package household

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// MirroredAll notes that Odoo knows the given versions of guardians, ids and versions in the same order; an older note
// never undoes a newer one.
func MirroredAll(ctx context.Context, q db.Querier, ids []uuid.UUID, versions []int64) error {
	_, err := q.Exec(ctx, `
		UPDATE guardian AS g
		SET mirrored_version = GREATEST(g.mirrored_version, w.version)
		FROM unnest(@ids::uuid[], @versions::bigint[]) AS w (id, version)
		WHERE g.id = w.id`,
		pgx.NamedArgs{"ids": ids, "versions": versions})
	if err != nil {
		return fmt.Errorf("noting the mirror of %d guardians: %w", len(ids), err)
	}
	return nil
}

// Unmirror notes that Odoo does not show a guardian as we do, so that it is sent again.
func Unmirror(ctx context.Context, q db.Querier, id uuid.UUID) error {
	_, err := q.Exec(ctx, `
		UPDATE guardian
		SET mirrored_version = 0
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("unmirroring guardian %s: %w", id, err)
	}
	return nil
}

// TakeContact takes an e-mail address or a phone number ("email", "phone") that a person of the office accepts from
// Odoo for a guardian. It returns Invalid for what the guardian could not have typed.
func (s *Store) TakeContact(ctx context.Context, actor audit.Actor, guardianID uuid.UUID, input, value string) error {
	g, err := s.Guardian(ctx, guardianID)
	if err != nil {
		return err
	}
	f := formOf(g)
	switch input {
	case "email":
		f.Email = value
	case "phone":
		f.Phone = value
	default:
		return problem.Invalid("drift.by_hand")
	}
	return s.take(ctx, actor, guardianID, f, input)
}

// TakeName takes the name of a guardian or a child ("guardian", "child") that a person of the office accepts from Odoo.
func (s *Store) TakeName(ctx context.Context, actor audit.Actor, kind string, id uuid.UUID, first, last string) error {
	if kind == "guardian" {
		g, err := s.Guardian(ctx, id)
		if err != nil {
			return err
		}
		f := formOf(g)
		f.FirstName, f.LastName = first, last
		return s.take(ctx, actor, id, f, "name")
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE child
			SET first_name = @first, last_name = @last, updated_at = @now
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "first": first, "last": last, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("renaming child %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("household.child_not_found")
		}
		return audit.Record(ctx, tx, actor, "child.changed", "child", id.String(), map[string]any{"inputs": []string{"first_name", "last_name"}})
	})
}

func formOf(g Guardian) GuardianForm {
	return GuardianForm{
		FirstName: g.FirstName, LastName: g.LastName, Email: g.Email, Phone: g.Phone, Street: g.Street, Postcode: g.Postcode,
		City: g.City, Channel: g.Channel,
	}
}

func (s *Store) take(ctx context.Context, actor audit.Actor, id uuid.UUID, f GuardianForm, input string) error {
	if err := f.validate(); err != nil {
		return problem.Invalid("drift.not_valid")
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE guardian
			SET first_name = @first, last_name = @last, email = @email, phone = @phone, version = version + 1, updated_at = @now
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "first": f.FirstName, "last": f.LastName, "email": f.Email, "phone": f.Phone, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("changing guardian %s: %w", id, err)
		}
		return audit.Record(ctx, tx, actor, "guardian.changed", "guardian", id.String(), map[string]any{"inputs": []string{input}})
	})
}
