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
)

// Where a residence is known from; "household.residence.<source>" is the key of its name.
const (
	ResidenceVerified = "verified" // a file of the population register said so
	ResidenceDeclared = "declared" // a guardian said so
)

// Address is where a child is registered, as a file of the population register said.
type Address struct {
	Street     string
	Postcode   string
	City       string
	Source     string     // name of the file
	ValidFrom  civil.Date // the day for which the file speaks
	ValidUntil civil.Date // the day before a newer file said otherwise; zero when open
}

// Postcodes returns the postcodes of the commune, none while staff have set none.
func Postcodes(ctx context.Context, q db.Querier) ([]string, error) {
	v, err := setting(ctx, q, SettingPostcodes)
	if err != nil {
		return nil, err
	}
	return splitPostcodes(v), nil
}

func splitPostcodes(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
}

// Resident reports whether a child lives in the commune on a day, and whether that is ResidenceVerified or
// ResidenceDeclared. A child of two families lives at both addresses: one of them suffices. The population register
// knows one address; what it says in the child's favour is verified, and what a guardian with the child in its
// household says beside it is declared. Without postcodes set nobody is a resident.
func (s *Store) Resident(ctx context.Context, q db.Querier, childID uuid.UUID, on civil.Date) (resident bool, source string, err error) {
	codes, err := Postcodes(ctx, q)
	if err != nil {
		return false, "", err
	}
	var verified, known, declared bool
	err = q.QueryRow(ctx, `
		SELECT
		  EXISTS (
			SELECT 1
			FROM child_address
			WHERE child_id = @child_id
			  AND valid_from <= @on
			  AND (valid_until IS NULL OR valid_until >= @on)
			  AND postcode = ANY(@codes)
		  ),
		  EXISTS (
			SELECT 1
			FROM child_address
			WHERE child_id = @child_id
			  AND valid_from <= @on
			  AND (valid_until IS NULL OR valid_until >= @on)
		  ),
		  EXISTS (
			SELECT 1
			FROM (`+held+`) AS h
			JOIN guardian AS g ON g.id = h.guardian_id
			JOIN household_child AS hc ON hc.household_id = g.household_id AND hc.child_id = h.child_id
			WHERE h.child_id = @child_id
			  AND h.held_right = 'see'
			  AND g.postcode = ANY(@codes)
		  )`,
		pgx.NamedArgs{"child_id": childID, "on": on, "codes": codes}).Scan(&verified, &known, &declared)
	if err != nil {
		return false, "", fmt.Errorf("reading where child %s lives: %w", childID, err)
	}
	switch {
	case verified:
		return true, ResidenceVerified, nil
	case declared:
		return true, ResidenceDeclared, nil
	case known:
		return false, ResidenceVerified, nil
	}
	return false, ResidenceDeclared, nil
}

// Addresses returns what files of the population register said of a child, the newest first, for staff.
func (s *Store) Addresses(ctx context.Context, childID uuid.UUID) ([]Address, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT street, postcode, city, source, valid_from, valid_until
		FROM child_address
		WHERE child_id = @child_id
		ORDER BY valid_from DESC, id`,
		pgx.NamedArgs{"child_id": childID})
	if err != nil {
		return nil, fmt.Errorf("reading the addresses of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Address])
}

// RegisterRow is one line of a file of the population register.
type RegisterRow struct {
	FirstName      string
	LastName       string
	BirthDate      civil.Date
	NationalNumber string // empty when the file has none
	Street         string
	Postcode       string
	City           string
}

// ImportRegister verifies addresses by a file that speaks for the day asOf; source names it. A line is for the child
// with its national number, else for the only child with its name and birth date. The same file twice changes nothing;
// a file older than what is known changes nothing either. With dry, nothing is written at all. The results stand in the
// order of the rows.
func (s *Store) ImportRegister(ctx context.Context, actor audit.Actor, source string, asOf civil.Date, rows []RegisterRow, dry bool) ([]RowResult, error) {
	results := make([]RowResult, len(rows))
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		counts := map[string]int{}
		for i, r := range rows {
			var err error
			if results[i], err = s.importAddress(ctx, tx, source, asOf, r); err != nil {
				return err
			}
			counts[results[i].Outcome]++
		}
		if dry {
			return errDry
		}
		return audit.Record(ctx, tx, actor, "register.imported", "import", source, map[string]any{"as_of": asOf, "counts": counts})
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return results, err
}

func (s *Store) importAddress(ctx context.Context, tx db.Tx, source string, asOf civil.Date, r RegisterRow) (RowResult, error) {
	var p problem.Fields
	r.FirstName, r.LastName = text(&p, "first_name", r.FirstName, MaxName, true), text(&p, "last_name", r.LastName, MaxName, true)
	r.Street, r.City = text(&p, "street", r.Street, MaxStreet, true), text(&p, "city", r.City, MaxCity, false)
	r.Postcode = strings.ToUpper(strings.TrimSpace(r.Postcode))
	if !ValidPostcode(r.Postcode) {
		p.Add("postcode", "household.postcode_invalid")
	}
	if r.BirthDate.IsZero() {
		p.Add("birth_date", "household.required")
	}
	var number NationalNumber
	if strings.TrimSpace(r.NationalNumber) != "" {
		var err error
		if number, err = ParseNationalNumber(r.NationalNumber); err != nil {
			p.Add("national_number", "household.national_number_invalid")
		}
	}
	if len(p) > 0 {
		return RowResult{Outcome: RowFaulty, Problems: p}, nil
	}
	id, code, err := s.childInRegister(ctx, tx, r, number)
	if err != nil || code != "" {
		return RowResult{Outcome: RowFaulty, Problems: problem.Fields{{Name: "last_name", Code: code}}}, err
	}
	var known Address
	err = tx.QueryRow(ctx, `
		SELECT street, postcode, city, source, valid_from
		FROM child_address
		WHERE child_id = @child_id
		  AND valid_until IS NULL
		FOR UPDATE`,
		pgx.NamedArgs{"child_id": id}).Scan(&known.Street, &known.Postcode, &known.City, &known.Source, &known.ValidFrom)
	missing := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !missing {
		return RowResult{}, fmt.Errorf("reading the address of child %s: %w", id, err)
	}
	if !missing {
		same := known.Street == r.Street && known.Postcode == r.Postcode && known.City == r.City
		if same || !asOf.After(known.ValidFrom) {
			return RowResult{Outcome: RowSame, ID: id}, nil
		}
		_, err = tx.Exec(ctx, `
			UPDATE child_address
			SET valid_until = @last
			WHERE child_id = @child_id
			  AND valid_until IS NULL`,
			pgx.NamedArgs{"child_id": id, "last": asOf.AddDays(-1)})
		if err != nil {
			return RowResult{}, fmt.Errorf("ending the address of child %s: %w", id, err)
		}
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO child_address (child_id, street, postcode, city, source, valid_from, created_at)
		VALUES (@child_id, @street, @postcode, @city, @source, @as_of, @now)`,
		pgx.NamedArgs{
			"child_id": id, "street": r.Street, "postcode": r.Postcode, "city": r.City, "source": source, "as_of": asOf, "now": s.Now(),
		})
	if err != nil {
		return RowResult{}, fmt.Errorf("keeping the address of child %s: %w", id, err)
	}
	if missing {
		return RowResult{Outcome: RowAdded, ID: id}, nil
	}
	return RowResult{Outcome: RowChanged, ID: id}, nil
}

// childInRegister finds the child that a line is about; code says why there is none.
func (s *Store) childInRegister(ctx context.Context, tx db.Tx, r RegisterRow, number NationalNumber) (id uuid.UUID, code string, err error) {
	rows, err := tx.Query(ctx, `
		SELECT id, national_number, name_key = name_key(@first_name, @last_name)
		FROM child
		WHERE birth_date = @birth_date
		  AND merged_into IS NULL
		ORDER BY id`,
		pgx.NamedArgs{"first_name": r.FirstName, "last_name": r.LastName, "birth_date": r.BirthDate})
	if err != nil {
		return id, "", fmt.Errorf("looking for a child of the register: %w", err)
	}
	var named []uuid.UUID
	var byNumber *uuid.UUID
	var at uuid.UUID
	var sealed []byte
	var name bool
	_, err = pgx.ForEachRow(rows, []any{&at, &sealed, &name}, func() error {
		if sealed != nil && !number.IsZero() {
			n, err := s.open(at, sealed)
			if err != nil {
				return err
			}
			if n == number {
				one := at
				byNumber = &one
			}
			if n.BIS() == number.BIS() {
				return nil // another number is another child, whatever the name
			}
		}
		if name {
			named = append(named, at)
		}
		return nil
	})
	switch {
	case err != nil:
		return id, "", fmt.Errorf("looking for a child of the register: %w", err)
	case byNumber != nil:
		return *byNumber, "", nil
	case len(named) == 0:
		return id, "household.import_unknown", nil
	case len(named) > 1:
		return id, "household.import_ambiguous", nil
	}
	return named[0], "", nil
}
