package household

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// ErrBCE is an enterprise number that cannot exist.
var ErrBCE = errors.New("not an enterprise number")

// ParseBCE reads an enterprise number of the Crossroads Bank for Enterprises: ten digits, the first 0 or 1, the last two
// 97 less the remainder of the first eight; an old one of nine digits gets its zero. Dots, blanks and « BE » are left out.
func ParseBCE(raw string) (string, error) {
	n := strings.NewReplacer(".", "", " ", "", " ", "", "-", "").Replace(strings.TrimSpace(raw))
	n = strings.TrimPrefix(strings.ToUpper(n), "BE")
	if len(n) == 9 {
		n = "0" + n
	}
	if len(n) != 10 || n[0] > '1' {
		return "", ErrBCE
	}
	first, err := strconv.ParseUint(n[:8], 10, 32)
	if err != nil {
		return "", ErrBCE
	}
	check, err := strconv.ParseUint(n[8:], 10, 32)
	if err != nil || check != 97-first%97 {
		return "", ErrBCE
	}
	return n, nil
}

// Organisation is a payer that is no person.
type Organisation struct {
	ID   uuid.UUID
	Name string
	BCE  string // ten digits, "" when it is not known
}

// Organisations returns every organisation, by name.
func (s *Store) Organisations(ctx context.Context) ([]Organisation, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id, last_name, bce
		FROM guardian
		WHERE kind = 'organisation'
		  AND merged_into IS NULL
		ORDER BY last_name, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the organisations: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Organisation])
}

// SetBCE gives an organisation its enterprise number; Invalid when it cannot exist, Conflict when another one has it.
func (s *Store) SetBCE(ctx context.Context, actor audit.Actor, id uuid.UUID, raw string) error {
	bce, err := ParseBCE(raw)
	if err != nil {
		var p problem.Fields
		p.Add("bce", "household.bce_wrong")
		return p.Err()
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE guardian
			SET bce = @bce
			WHERE id = @id
			  AND kind = 'organisation'`,
			pgx.NamedArgs{"id": id, "bce": bce})
		if err != nil {
			return fmt.Errorf("setting the enterprise number of %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("household.organisation_not_found")
		}
		return audit.Record(ctx, tx, actor, "guardian.bce", "guardian", id.String(), map[string]any{"bce": bce})
	})
	if db.Constraint(err) == "guardian_bce_once" {
		return problem.Conflict("household.bce_taken")
	}
	return err
}
