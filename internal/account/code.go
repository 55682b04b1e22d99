package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

// The purposes of a mailed code.
const (
	PurposeConfirm = "confirm" // the link proves the address
	PurposeReset   = "reset"   // the link lets its holder choose a new password
	PurposeKnown   = "known"   // no link: someone tried to open an account with an address that has one
)

// lifetimes are how long a code counts. Nobody but the mailbox's owner knows it, but mailboxes are shared and left open.
var lifetimes = map[string]time.Duration{
	PurposeConfirm: 48 * time.Hour,
	PurposeReset:   2 * time.Hour,
	PurposeKnown:   48 * time.Hour,
}

// sendCode ends the account's older codes of a purpose and mails a new one.
func (s *Store) sendCode(ctx context.Context, tx db.Tx, accountID uuid.UUID, purpose string) error {
	_, err := tx.Exec(ctx, `
		UPDATE account_code
		SET expires_at = @now
		WHERE account_id = @account_id
		  AND purpose = @purpose
		  AND used_at IS NULL
		  AND expires_at > @now`,
		pgx.NamedArgs{"account_id": accountID, "purpose": purpose, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("ending the %s codes of account %s: %w", purpose, accountID, err)
	}
	return s.sendAnother(ctx, tx, accountID, purpose)
}

// sendAnother makes a code beside those that count already, and enqueues its mail.
func (s *Store) sendAnother(ctx context.Context, tx db.Tx, accountID uuid.UUID, purpose string) error {
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		INSERT INTO account_code (account_id, purpose, created_at, expires_at)
		VALUES (@account_id, @purpose, @now, @expires_at)
		RETURNING id`,
		pgx.NamedArgs{
			"account_id": accountID, "purpose": purpose, "now": s.Now(), "expires_at": s.Now().Add(lifetimes[purpose]),
		}).Scan(&id)
	if err != nil {
		return fmt.Errorf("making a %s code for account %s: %w", purpose, accountID, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.AccountMail{CodeID: id}, nil); err != nil {
		return fmt.Errorf("enqueuing the mail of code %s: %w", id, err)
	}
	return nil
}

// token is what the mailed link carries: the row's id and the keyed hash that proves that we sent it.
func (s *Store) token(purpose string, id uuid.UUID) string {
	return id.String() + "." + s.Box.MAC(macPurpose(purpose), id.String())
}

func macPurpose(purpose string) string { return "account_code." + purpose }

// errDead is the one answer to every token that does not count, so that trying tells nothing.
func errDead() error { return problem.Gone("account.link_dead") }

// useCode checks a token and marks its code as used, in the caller's transaction. It returns the account, or Gone for
// a token that is forged, used, replaced or too old.
func (s *Store) useCode(ctx context.Context, tx db.Tx, purpose, token string) (uuid.UUID, error) {
	raw, code, _ := strings.Cut(token, ".")
	id, err := uuid.Parse(raw)
	if err != nil || id.String() != raw || !s.Box.CheckMAC(macPurpose(purpose), raw, code) {
		return uuid.Nil, errDead()
	}
	var accountID uuid.UUID
	err = tx.QueryRow(ctx, `
		UPDATE account_code
		SET used_at = @now
		WHERE id = @id
		  AND purpose = @purpose
		  AND used_at IS NULL
		  AND expires_at > @now
		RETURNING account_id`,
		pgx.NamedArgs{"id": id, "purpose": purpose, "now": s.Now()}).Scan(&accountID)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, errDead()
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("using a %s code: %w", purpose, err)
	}
	return accountID, nil
}

// CodeMail returns what the mail of a code is written from. The token is made anew each time and is always the same;
// PurposeKnown has none. It returns NotFound when the code is gone, and Gone when it no longer counts: the mail is then
// not to be sent.
func (s *Store) CodeMail(ctx context.Context, codeID uuid.UUID) (purpose, email, name, token, locale string, err error) {
	var live bool
	err = s.DB.QueryRow(ctx, `
		SELECT c.purpose, coalesce(a.email, ''), a.name, a.locale, c.used_at IS NULL AND c.expires_at > @now
		FROM account_code AS c
		JOIN account AS a ON a.id = c.account_id
		WHERE c.id = @id`,
		pgx.NamedArgs{"id": codeID, "now": s.Now()}).Scan(&purpose, &email, &name, &locale, &live)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", "", "", "", "", problem.NotFound("account.link_dead")
	case err != nil:
		return "", "", "", "", "", fmt.Errorf("reading code %s: %w", codeID, err)
	case !live:
		return "", "", "", "", "", errDead()
	}
	if purpose != PurposeKnown {
		token = s.token(purpose, codeID)
	}
	return purpose, email, name, token, locale, nil
}

// Confirm proves an address by the token that was mailed to it. It opens no session: whoever holds the link must also
// know the password. It returns Gone when the token does not count.
func (s *Store) Confirm(ctx context.Context, token string) (Account, error) {
	var id uuid.UUID
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var err error
		if id, err = s.useCode(ctx, tx, PurposeConfirm, token); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE account
			SET confirmed_at = coalesce(confirmed_at, @now)
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("confirming account %s: %w", id, err)
		}
		return audit.Record(ctx, tx, audit.Account(id), "account.confirmed", "account", id.String(), nil)
	})
	if err != nil {
		return Account{}, err
	}
	return s.Account(ctx, id)
}

// RequestReset mails a link to choose a new password, if the e-mail address or number belongs to an account that has an
// address. The answer is the same, and takes the same time, if not; and also when too many mails were asked for.
func (s *Store) RequestReset(ctx context.Context, identifier string) error {
	if !numeric(identifier) {
		var p problem.Fields
		identifier = email(&p, identifier)
		if err := p.Err(); err != nil {
			return err
		}
	}
	defer s.level(ctx, time.Now())
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if allowed, err := s.mailAllowed(ctx, tx, identifier); err != nil || !allowed {
			return err
		}
		var id uuid.UUID
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM account
			WHERE (`+identified+`)
			  AND email IS NOT NULL`,
			pgx.NamedArgs{"identifier": identifier}).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for an account: %w", err)
		}
		return s.sendCode(ctx, tx, id, PurposeReset)
	})
}

// Reset sets a new password by a mailed token. The mail proves the address too; every session ends, and a lock for
// wrong passwords is lifted. It returns Invalid for a weak password, which leaves the token good, and Gone when the
// token does not count.
func (s *Store) Reset(ctx context.Context, token, password string) error {
	// Rules first, so that a refused password costs neither the token nor a hash.
	if err := passwordProblem(password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		id, err := s.useCode(ctx, tx, PurposeReset, token)
		if err != nil {
			return err
		}
		if err := s.replacePassword(ctx, tx, id, password, hash); err != nil {
			return err // rolls back: the token stays good
		}
		_, err = tx.Exec(ctx, `
			UPDATE account
			SET confirmed_at = coalesce(confirmed_at, @now)
			WHERE id = @id`,
			pgx.NamedArgs{"id": id, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("confirming account %s: %w", id, err)
		}
		return nil
	})
}

// replacePassword sets a password that its owner could not give the former one of: every session ends, and a lock for
// wrong passwords is lifted. It returns Invalid for a password that is too close to the account's identifiers.
func (s *Store) replacePassword(ctx context.Context, tx db.Tx, id uuid.UUID, password, hash string) error {
	address, phone, err := setPassword(ctx, tx, id, hash)
	if err != nil {
		return err
	}
	if err := passwordProblem(password, address, phone); err != nil {
		return err
	}
	if _, err := endSessions(ctx, tx, id, nil); err != nil {
		return err
	}
	if err := s.forgetFailures(ctx, tx, address, phone); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Account(id), "account.password_reset", "account", id.String(), nil)
}

func passwordProblem(password string, identifiers ...string) error {
	var p problem.Fields
	if code, args := weakness(password, identifiers...); code != "" {
		p.Add("password", code, args...)
	}
	return p.Err()
}

// setPassword stores a hash and returns the account's address and number, "" for what it has not.
func setPassword(ctx context.Context, tx db.Tx, id uuid.UUID, hash string) (address, phone string, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE account
		SET password_hash = @hash
		WHERE id = @id
		RETURNING coalesce(email, ''), coalesce(phone, '')`,
		pgx.NamedArgs{"id": id, "hash": hash}).Scan(&address, &phone)
	if err != nil {
		return "", "", fmt.Errorf("setting the password of account %s: %w", id, err)
	}
	return address, phone, nil
}
