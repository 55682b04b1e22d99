package household

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// CheckOrganisation returns Invalid with every faulty input of an organisation's form, its name in LastName.
func CheckOrganisation(f GuardianForm) error { return f.organisation() }

// organisation is validate for an organisation: it has one name, where the form of a person asks for two.
func (f *GuardianForm) organisation() error {
	f.FirstName = f.LastName
	err := f.validate()
	f.FirstName = ""
	if p := problem.As(err); p != nil {
		p.Fields = slices.DeleteFunc(p.Fields, func(v problem.Field) bool { return v.Name == "first_name" })
	}
	return err
}

// OrganisationByBCE returns the organisation with an enterprise number, as it is known; an unknown one is made of the
// form, once however often it is sent. Invalid with every faulty input.
func (s *Store) OrganisationByBCE(ctx context.Context, actor audit.Actor, raw string, f GuardianForm) (id uuid.UUID, err error) {
	bce, err := ParseBCE(raw)
	if err != nil {
		var p problem.Fields
		p.Add("bce", "household.bce_wrong")
		return id, p.Err()
	}
	if err := f.organisation(); err != nil {
		return id, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(@key, 0))`, pgx.NamedArgs{"key": "organisation " + bce}); err != nil {
			return fmt.Errorf("locking an enterprise number: %w", err)
		}
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM guardian
			WHERE bce = @bce
			  AND merged_into IS NULL`,
			pgx.NamedArgs{"bce": bce}).Scan(&id)
		if err == nil {
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("looking for an organisation: %w", err)
		}
		g, err := s.addGuardian(ctx, tx, KindOrganisation, nil, f)
		if err != nil {
			return err
		}
		id = g.ID
		_, err = tx.Exec(ctx, `
			UPDATE guardian
			SET bce = @bce
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "bce": bce})
		if err != nil {
			return fmt.Errorf("setting the enterprise number of %s: %w", id, err)
		}
		return audit.Record(ctx, tx, actor, "guardian.added", "guardian", id.String(), map[string]any{"kind": KindOrganisation, "bce": bce})
	})
	return id, err
}
