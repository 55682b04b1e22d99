package household

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

// Guardian is an adult with rights on children, or an organisation that has them, with what is needed to reach it.
type Guardian struct {
	ID          uuid.UUID
	HouseholdID uuid.UUID
	AccountID   *uuid.UUID // nil while nobody signs in for it
	Kind        string     // person or organisation
	FirstName   string
	LastName    string
	Email       string
	Phone       string // E.164
	Street      string
	Postcode    string
	City        string
	Channel     string // email, sms, post or phone
	Version     int64  // grows with every change
}

// Name returns the first and last name as one writes to someone.
func (g Guardian) Name() string { return strings.TrimSpace(g.FirstName + " " + g.LastName) }

// Channels are the ways to reach a guardian; "household.channel.<channel>" is the key of a name.
var Channels = []string{"email", "sms", "post", "phone"}

// GuardianForm is what a guardian says about itself.
type GuardianForm struct {
	FirstName string
	LastName  string
	Email     string // empty takes the account's
	Phone     string // E.164: the page has normalised it
	Street    string
	Postcode  string // as ValidPostcode takes it
	City      string
	Channel   string // empty is email
}

// validate cleans the form and returns every problem of it at once, under the names of the inputs.
func (f *GuardianForm) validate() error {
	var p problem.Fields
	f.FirstName = text(&p, "first_name", f.FirstName, MaxName, true)
	f.LastName = text(&p, "last_name", f.LastName, MaxName, true)
	f.Email = strings.TrimSpace(f.Email)
	if f.Email != "" && !validEmail(f.Email) {
		p.Add("email", "household.email_invalid")
	}
	f.Phone = strings.TrimSpace(f.Phone)
	switch {
	case f.Phone == "":
		p.Add("phone", "household.required")
	case !e164.MatchString(f.Phone):
		p.Add("phone", "household.phone_invalid")
	}
	f.Street = text(&p, "street", f.Street, MaxStreet, true)
	f.Postcode = strings.ToUpper(strings.TrimSpace(f.Postcode))
	switch {
	case f.Postcode == "":
		p.Add("postcode", "household.required")
	case !ValidPostcode(f.Postcode):
		p.Add("postcode", "household.postcode_invalid")
	}
	f.City = text(&p, "city", f.City, MaxCity, true)
	if f.Channel == "" {
		f.Channel = "email"
	}
	if !slices.Contains(Channels, f.Channel) {
		p.Add("channel", "household.channel_unknown")
	}
	return p.Err()
}

const guardianColumns = `id, household_id, account_id, kind, first_name, last_name, email, phone, street, postcode, city, channel, version`

// ByAccount returns the guardian that the account signs in for, NotFound while its owner has not said who it is.
func (s *Store) ByAccount(ctx context.Context, accountID uuid.UUID) (Guardian, error) {
	return guardian(ctx, s.DB, `account_id = @id`, accountID)
}

// Guardian returns a guardian by id, or NotFound.
func (s *Store) Guardian(ctx context.Context, id uuid.UUID) (Guardian, error) {
	return guardian(ctx, s.DB, `id = @id`, id)
}

func guardian(ctx context.Context, q db.Querier, where string, id uuid.UUID) (Guardian, error) {
	rows, err := q.Query(ctx, `SELECT `+guardianColumns+` FROM guardian WHERE `+where, pgx.NamedArgs{"id": id})
	if err != nil {
		return Guardian{}, fmt.Errorf("reading a guardian: %w", err)
	}
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Guardian])
	if errors.Is(err, pgx.ErrNoRows) {
		return Guardian{}, problem.NotFound("household.guardian_not_found")
	}
	if err != nil {
		return Guardian{}, fmt.Errorf("reading a guardian: %w", err)
	}
	return g, nil
}

// SaveGuardian writes what the owner of an account says about itself. The first time it makes the guardian and its
// household; later its version grows if anything changed. It returns Invalid with every faulty input, and NotFound
// when the account does not exist.
func (s *Store) SaveGuardian(ctx context.Context, accountID uuid.UUID, f GuardianForm) (Guardian, error) {
	if err := f.validate(); err != nil {
		return Guardian{}, err
	}
	var saved Guardian
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// The lock makes a double click two saves in a row, not two families.
		var email string
		err := tx.QueryRow(ctx, `
			SELECT coalesce(email, '')
			FROM account
			WHERE id = @id
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"id": accountID}).Scan(&email)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("household.account_not_found")
		}
		if err != nil {
			return fmt.Errorf("locking account %s: %w", accountID, err)
		}
		if f.Email == "" {
			f.Email = email
		}
		if f.Email == "" && f.Channel == "email" { // an account that rests on a mobile number
			f.Channel = "phone"
		}
		saved, err = guardian(ctx, tx, `account_id = @id`, accountID)
		switch {
		case problem.Is(err, problem.KindNotFound):
			saved, err = s.insertGuardian(ctx, tx, accountID, f)
		case err == nil:
			saved, err = s.updateGuardian(ctx, tx, accountID, saved, f)
		}
		return err
	})
	return saved, err
}

func (s *Store) insertGuardian(ctx context.Context, tx db.Tx, accountID uuid.UUID, f GuardianForm) (Guardian, error) {
	g, err := s.addGuardian(ctx, tx, KindPerson, &accountID, f)
	if err != nil {
		return Guardian{}, err
	}
	return g, audit.Record(ctx, tx, audit.Account(accountID), "guardian.added", "guardian", g.ID.String(), nil)
}

// addGuardian makes a guardian in a household of its own; accountID is nil when nobody signs in for it yet.
func (s *Store) addGuardian(ctx context.Context, tx db.Tx, kind string, accountID *uuid.UUID, f GuardianForm) (Guardian, error) {
	args := s.guardianArgs(uuid.Nil, f)
	args["account_id"], args["kind"] = accountID, kind
	rows, err := tx.Query(ctx, `
		WITH h AS (
			INSERT INTO household (name, created_at)
			VALUES (@last_name, @now)
			RETURNING id
		)
		INSERT INTO guardian (household_id, account_id, kind, first_name, last_name, email, phone, street, postcode, city, channel, created_at, updated_at)
		SELECT h.id, @account_id, @kind, @first_name, @last_name, @email, @phone, @street, @postcode, @city, @channel, @now, @now
		FROM h
		RETURNING `+guardianColumns, args)
	if err != nil {
		return Guardian{}, fmt.Errorf("adding a guardian: %w", err)
	}
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Guardian])
	if err != nil {
		return Guardian{}, fmt.Errorf("adding a guardian: %w", err)
	}
	return g, s.lookForDoubles(ctx, tx, KindGuardian, g.ID)
}

func (s *Store) updateGuardian(ctx context.Context, tx db.Tx, accountID uuid.UUID, before Guardian, f GuardianForm) (Guardian, error) {
	changed := changedInputs(before, f)
	if len(changed) == 0 {
		return before, nil
	}
	rows, err := tx.Query(ctx, `
		UPDATE guardian
		SET first_name = @first_name,
		    last_name = @last_name,
		    email = @email,
		    phone = @phone,
		    street = @street,
		    postcode = @postcode,
		    city = @city,
		    channel = @channel,
		    version = version + 1,
		    updated_at = @now
		WHERE account_id = @account_id
		RETURNING `+guardianColumns, s.guardianArgs(accountID, f))
	if err != nil {
		return Guardian{}, fmt.Errorf("changing guardian %s: %w", before.ID, err)
	}
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Guardian])
	if err != nil {
		return Guardian{}, fmt.Errorf("changing guardian %s: %w", before.ID, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.PushSoon{}, nil); err != nil {
		return Guardian{}, fmt.Errorf("asking to send guardian %s to Odoo: %w", g.ID, err)
	}
	if err := s.lookForDoubles(ctx, tx, KindGuardian, g.ID); err != nil {
		return Guardian{}, err
	}
	return g, audit.Record(ctx, tx, audit.Account(accountID), "guardian.changed", "guardian", g.ID.String(),
		map[string]any{"inputs": changed, "version": g.Version})
}

func (s *Store) guardianArgs(accountID uuid.UUID, f GuardianForm) pgx.NamedArgs {
	return pgx.NamedArgs{
		"account_id": accountID, "first_name": f.FirstName, "last_name": f.LastName, "email": f.Email, "phone": f.Phone,
		"street": f.Street, "postcode": f.Postcode, "city": f.City, "channel": f.Channel, "now": s.Now(),
	}
}

// changedInputs names the inputs whose value changes; the audit keeps the names, never the values.
func changedInputs(g Guardian, f GuardianForm) []string {
	var names []string
	for _, v := range []struct{ name, before, after string }{
		{"first_name", g.FirstName, f.FirstName},
		{"last_name", g.LastName, f.LastName},
		{"email", g.Email, f.Email},
		{"phone", g.Phone, f.Phone},
		{"street", g.Street, f.Street},
		{"postcode", g.Postcode, f.Postcode},
		{"city", g.City, f.City},
		{"channel", g.Channel, f.Channel},
	} {
		if v.before != v.after {
			names = append(names, v.name)
		}
	}
	return names
}
