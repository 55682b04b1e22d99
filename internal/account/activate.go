package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// Activation is what somebody fills in who has a letter of the commune and no e-mail address.
type Activation struct {
	Code     string // as typed from the letter
	Phone    string // E.164: the page has normalised it
	Password string
	Locale   string // empty is fr
}

// Activate opens an account that rests on a mobile number, for the family of a letter. The number must be the one that
// the commune knows: then its being taken tells nothing to who only tries numbers, and both are answered alike. It
// returns Invalid with every faulty input, the code on "code"; Conflict "household.code_locked" with minutes after too
// many.
func (s *Store) Activate(ctx context.Context, families *household.Store, v Activation, remoteAddr string) (Account, error) {
	var p problem.Fields
	v.Phone, v.Locale = number(&p, v.Phone), language(&p, v.Locale)
	if code, args := weakness(v.Password, v.Phone); code != "" {
		p.Add("password", code, args...)
	}
	if err := p.Err(); err != nil {
		return Account{}, err
	}
	if err := families.Try(ctx, v.Phone, remoteAddr); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, v.Password)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		c, g, err := families.CodeTyped(ctx, tx, household.CodeClaim, v.Code)
		if err != nil {
			return err
		}
		if g.Phone != v.Phone {
			return errPhone()
		}
		a, err = s.insertByPhone(ctx, tx, g.Name(), v.Phone, hash, v.Locale)
		if problem.Is(err, problem.KindConflict) {
			return errPhone()
		}
		if err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Account(a.ID), "account.activated", "account", a.ID.String(), map[string]any{"code": c.ID}); err != nil {
			return err
		}
		return families.TakeClaim(ctx, tx, a.ID, c, v.Phone)
	})
	return a, err
}

// errPhone is the one answer to a number that is not the family's, and to one that has an account.
func errPhone() error {
	var p problem.Fields
	p.Add("phone", "account.phone_other")
	return p.Err()
}

// insertByPhone makes an account without an e-mail address; Conflict "account.phone_taken" when the number has one.
func (s *Store) insertByPhone(ctx context.Context, tx db.Tx, name, phone, hash, locale string) (Account, error) {
	rows, err := tx.Query(ctx, `
		INSERT INTO account (phone, name, password_hash, locale, confirmed_at, created_at)
		VALUES (@phone, @name, @hash, @locale, @now, @now)
		ON CONFLICT (phone) DO NOTHING
		RETURNING `+columns,
		pgx.NamedArgs{"phone": phone, "name": name, "hash": hash, "locale": locale, "now": s.Now()})
	if err != nil {
		return Account{}, fmt.Errorf("opening an account: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Account])
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, problem.Conflict("account.phone_taken")
	}
	if err != nil {
		return Account{}, fmt.Errorf("opening an account: %w", err)
	}
	return a, nil
}

// ActivateByLink opens the account of a family by the link that was mailed to it: the link proves the address. It returns
// Invalid for a weak password, which leaves the link good; Gone when the link does not count; Conflict
// "account.activation_known" when the address has an account already, whose owner signs in and types the code.
func (s *Store) ActivateByLink(ctx context.Context, families *household.Store, link, password, locale string) (Account, error) {
	var p problem.Fields
	locale = language(&p, locale)
	if code, args := weakness(password); code != "" {
		p.Add("password", code, args...)
	}
	if err := p.Err(); err != nil {
		return Account{}, err
	}
	// A link that does not count costs no hash.
	if _, _, err := families.ClaimOfLink(ctx, s.DB, link); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		c, g, err := families.ClaimOfLink(ctx, tx, link)
		if err != nil {
			return err
		}
		if err := passwordProblem(password, g.Email); err != nil {
			return err
		}
		if a, err = s.insertProved(ctx, tx, g.Email, g.Name(), hash, locale); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Account(a.ID), "account.activated", "account", a.ID.String(), map[string]any{"code": c.ID}); err != nil {
			return err
		}
		return families.TakeClaim(ctx, tx, a.ID, c, "")
	})
	return a, err
}

// insertProved makes an account with an address that is proved; one that nobody proved and that holds nothing is taken
// over, and its mailed codes end.
func (s *Store) insertProved(ctx context.Context, tx db.Tx, address, name, hash, locale string) (Account, error) {
	rows, err := tx.Query(ctx, `
		INSERT INTO account AS a (email, name, password_hash, locale, confirmed_at, created_at)
		VALUES (@email, @name, @hash, @locale, @now, @now)
		ON CONFLICT (lower(email)) DO UPDATE
		SET name = excluded.name,
		    password_hash = excluded.password_hash,
		    locale = excluded.locale,
		    confirmed_at = excluded.confirmed_at
		WHERE a.confirmed_at IS NULL
		  AND cardinality(a.roles) = 0
		  AND NOT EXISTS (SELECT 1 FROM guardian AS g WHERE g.account_id = a.id)
		RETURNING `+columns,
		pgx.NamedArgs{"email": address, "name": name, "hash": hash, "locale": locale, "now": s.Now()})
	if err != nil {
		return Account{}, fmt.Errorf("opening an account: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Account])
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, problem.Conflict("account.activation_known")
	}
	if err != nil {
		return Account{}, fmt.Errorf("opening an account: %w", err)
	}
	return a, s.endCodes(ctx, tx, a.ID)
}

// endCodes ends every mailed code of an account.
func (s *Store) endCodes(ctx context.Context, tx db.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		UPDATE account_code
		SET expires_at = @now
		WHERE account_id = @id
		  AND used_at IS NULL
		  AND expires_at > @now`,
		pgx.NamedArgs{"id": id, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("ending the codes of account %s: %w", id, err)
	}
	return nil
}
