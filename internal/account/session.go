package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// limits are how long a session lasts without use, and at most.
type limits struct{ idle, absolute time.Duration }

// A parent stays signed in from one week to the next; who sees other people's children signs in every working day.
var (
	parentLimits = limits{idle: 14 * 24 * time.Hour, absolute: 90 * 24 * time.Hour}
	staffLimits  = limits{idle: 10 * time.Hour, absolute: 7 * 24 * time.Hour}
)

func (a Account) limits() limits {
	if len(a.Roles) > 0 {
		return staffLimits
	}
	return parentLimits
}

// seenEvery is how exactly the last use of a session is kept; more exactly would write at every page.
const seenEvery = 5 * time.Minute

// Session is a session as its owner sees it in the list.
type Session struct {
	ID        string // for Revoke; it opens nothing
	Device    string
	CreatedAt time.Time
	SeenAt    time.Time
	Current   bool
}

// tokenSize is 256 bits.
const tokenSize = 32

func hashOf(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// SignIn opens a session and returns its token, which is stored only as a hash. identifier is an e-mail address or a
// number in E.164, remoteAddr the client's address and device what its browser says it is. It returns Invalid for a
// wrong identifier or password, without saying which;
// Forbidden "account.unconfirmed_sent" when both are right but the address is not proved, and then mails the link again,
// or "account.unconfirmed" when that was done too often already; Conflict "account.locked" with the minutes to wait after
// too many failures; Unavailable when the server is too busy.
func (s *Store) SignIn(ctx context.Context, identifier, password, remoteAddr, device string) (token string, a Account, err error) {
	identifier = strings.TrimSpace(identifier)
	attempt, err := s.beginAttempt(ctx, identifier, remoteAddr)
	if err != nil {
		return "", Account{}, err
	}
	var hash string
	err = s.DB.QueryRow(ctx, `
		SELECT `+columns+`, password_hash
		FROM account
		WHERE `+identified,
		pgx.NamedArgs{"identifier": identifier}).Scan(&a.ID, &a.Email, &a.Phone, &a.Name, &a.Roles, &a.Locale, &a.ConfirmedAt, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", Account{}, fmt.Errorf("looking for an account: %w", err)
	}
	if len(password) > 4*MaxPassword {
		password = "" // no password of ours; not worth the hashing
	}
	ok, old, err := s.hasher.matches(ctx, password, hash)
	if err != nil {
		return "", Account{}, err
	}
	if !ok {
		return "", Account{}, problem.Invalid("account.wrong")
	}
	var rehashed string
	if old {
		if rehashed, err = s.hasher.hash(ctx, password); err != nil {
			return "", Account{}, err
		}
	}
	unconfirmed := false
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.succeed(ctx, tx, attempt); err != nil {
			return err
		}
		// The row is read again under a lock: a reset or a change of roles meanwhile must not leave this session alive.
		var now string
		err := tx.QueryRow(ctx, `
			SELECT password_hash, roles, confirmed_at
			FROM account
			WHERE id = @id
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"id": a.ID}).Scan(&now, &a.Roles, &a.ConfirmedAt)
		if err != nil {
			return fmt.Errorf("locking account %s: %w", a.ID, err)
		}
		if now != hash {
			return problem.Invalid("account.wrong")
		}
		if rehashed != "" {
			if _, _, err := setPassword(ctx, tx, a.ID, rehashed); err != nil {
				return err
			}
		}
		if unconfirmed = a.ConfirmedAt == nil; unconfirmed {
			return nil
		}
		token, err = s.openSession(ctx, tx, a, device)
		return err
	})
	switch {
	case err != nil:
		return "", Account{}, err
	case unconfirmed:
		return "", Account{}, s.remindToConfirm(ctx, a)
	}
	return token, a, nil
}

// remindToConfirm mails the link again and returns the answer to who signs in before following it. The link that was
// mailed before keeps its life: whoever is here knows the password, and often opens the older mail first.
func (s *Store) remindToConfirm(ctx context.Context, a Account) error {
	var code string
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		code = "account.unconfirmed"
		allowed, err := s.mailAllowed(ctx, tx, a.Email)
		if err != nil || !allowed {
			return err
		}
		code = "account.unconfirmed_sent"
		return s.sendAnother(ctx, tx, a.ID, PurposeConfirm)
	})
	if err != nil {
		return err
	}
	return problem.Forbidden(code)
}

func (s *Store) openSession(ctx context.Context, tx db.Tx, a Account, device string) (string, error) {
	raw := make([]byte, tokenSize)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	token := base64.RawURLEncoding.EncodeToString(raw)
	_, err := tx.Exec(ctx, `
		INSERT INTO user_session (token_hash, account_id, created_at, seen_at, expires_at, device)
		VALUES (@token_hash, @account_id, @now, @now, @expires_at, @device)`,
		pgx.NamedArgs{
			"token_hash": hashOf(token), "account_id": a.ID, "now": s.Now(),
			"expires_at": s.Now().Add(a.limits().absolute), "device": printable(device),
		})
	if err != nil {
		return "", fmt.Errorf("opening a session: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO sign_in (account_id, at, device)
		VALUES (@account_id, @now, @device)`,
		pgx.NamedArgs{"account_id": a.ID, "now": s.Now(), "device": printable(device)})
	if err != nil {
		return "", fmt.Errorf("noting a sign-in: %w", err)
	}
	if len(a.Roles) == 0 {
		return token, nil
	}
	return token, audit.Record(ctx, tx, audit.Account(a.ID), "account.signed_in", "account", a.ID.String(), nil)
}

// printable makes of what a browser says a short text that the database takes.
func printable(device string) string {
	kept := []rune(strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(device, "")))
	return string(kept[:min(len(kept), maxDevice)])
}

// Session returns the account that a token's session belongs to, NotFound when there is none or it has lasted too long,
// and notes that it was used.
func (s *Store) Session(ctx context.Context, token string) (Account, error) {
	if token == "" {
		return Account{}, problem.NotFound("account.no_session")
	}
	var a Account
	var created, seen, expires time.Time
	err := s.DB.QueryRow(ctx, `
		SELECT a.id, coalesce(a.email, ''), coalesce(a.phone, ''), a.name, a.roles, a.locale, a.confirmed_at, u.created_at, u.seen_at, u.expires_at
		FROM user_session AS u
		JOIN account AS a ON a.id = u.account_id
		WHERE u.token_hash = @token_hash`,
		pgx.NamedArgs{"token_hash": hashOf(token)}).
		Scan(&a.ID, &a.Email, &a.Phone, &a.Name, &a.Roles, &a.Locale, &a.ConfirmedAt, &created, &seen, &expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, problem.NotFound("account.no_session")
	}
	if err != nil {
		return Account{}, fmt.Errorf("reading a session: %w", err)
	}
	now := s.Now()
	if !now.Before(expires) || !now.Before(created.Add(a.limits().absolute)) || !now.Before(seen.Add(a.limits().idle)) {
		return Account{}, problem.NotFound("account.no_session")
	}
	if now.Sub(seen) >= seenEvery {
		_, err := s.DB.Exec(ctx, `
			UPDATE user_session
			SET seen_at = @now
			WHERE token_hash = @token_hash
			  AND seen_at < @now`,
			pgx.NamedArgs{"token_hash": hashOf(token), "now": now})
		if err != nil {
			return Account{}, fmt.Errorf("noting the use of a session: %w", err)
		}
	}
	return a, nil
}

// SignOut ends the session of a token; it does nothing when there is none.
func (s *Store) SignOut(ctx context.Context, token string) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM user_session WHERE token_hash = @token_hash`, pgx.NamedArgs{"token_hash": hashOf(token)})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// Sessions returns the live sessions of an account, last used first; current is the token of the one that asks.
func (s *Store) Sessions(ctx context.Context, accountID uuid.UUID, current string) ([]Session, error) {
	a, err := s.Account(ctx, accountID)
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT encode(token_hash, 'hex') AS id, device, created_at, seen_at, token_hash = @current AS current
		FROM user_session
		WHERE account_id = @account_id
		  AND expires_at > @now
		  AND created_at > @opened_after
		  AND seen_at > @seen_after
		ORDER BY seen_at DESC, token_hash`,
		pgx.NamedArgs{
			"account_id": accountID, "current": hashOf(current), "now": s.Now(),
			"opened_after": s.Now().Add(-a.limits().absolute), "seen_after": s.Now().Add(-a.limits().idle),
		})
	if err != nil {
		return nil, fmt.Errorf("reading the sessions of account %s: %w", accountID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Session])
}

// SignIn is one line of the history of an account: somebody signed in.
type SignIn struct {
	At     time.Time
	Device string
}

// SignIns returns when somebody signed in to an account, the newest first, at most as many as limit.
func (s *Store) SignIns(ctx context.Context, accountID uuid.UUID, limit int) ([]SignIn, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT at, device
		FROM sign_in
		WHERE account_id = @account_id
		ORDER BY at DESC, id DESC
		LIMIT @limit`,
		pgx.NamedArgs{"account_id": accountID, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the sign-ins of account %s: %w", accountID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[SignIn])
}

// Revoke ends one session of the account by its Session.ID, or returns NotFound.
func (s *Store) Revoke(ctx context.Context, accountID uuid.UUID, sessionID string) error {
	hash, err := hex.DecodeString(sessionID)
	if err != nil {
		return problem.NotFound("account.no_session")
	}
	tag, err := s.DB.Exec(ctx, `
		DELETE FROM user_session
		WHERE token_hash = @token_hash
		  AND account_id = @account_id`,
		pgx.NamedArgs{"token_hash": hash, "account_id": accountID})
	if err != nil {
		return fmt.Errorf("ending a session of account %s: %w", accountID, err)
	}
	if tag.RowsAffected() == 0 {
		return problem.NotFound("account.no_session")
	}
	return nil
}

// RevokeOthers ends every session of the account but the one of token, and returns how many.
func (s *Store) RevokeOthers(ctx context.Context, accountID uuid.UUID, token string) (int, error) {
	return endSessions(ctx, s.DB, accountID, hashOf(token))
}

// endSessions ends the sessions of an account except the one of a token's hash; nil keeps none.
func endSessions(ctx context.Context, q db.Querier, accountID uuid.UUID, keep []byte) (int, error) {
	tag, err := q.Exec(ctx, `
		DELETE FROM user_session
		WHERE account_id = @account_id
		  AND token_hash IS DISTINCT FROM @keep`,
		pgx.NamedArgs{"account_id": accountID, "keep": keep})
	if err != nil {
		return 0, fmt.Errorf("ending the sessions of account %s: %w", accountID, err)
	}
	return int(tag.RowsAffected()), nil
}

// ChangePassword sets a new password for who is signed in with token and knows the present one; the other sessions
// end. Wrong guesses count as failed sign-ins: it returns Invalid with the faulty inputs, Conflict "account.locked".
func (s *Store) ChangePassword(ctx context.Context, token, remoteAddr, present, password string) error {
	a, err := s.Session(ctx, token)
	if err != nil {
		return err
	}
	if err := passwordProblem(password, a.Email, a.Phone); err != nil {
		return err
	}
	attempt, err := s.beginAttempt(ctx, a.Identifier(), remoteAddr)
	if err != nil {
		return err
	}
	var hash string
	if err := s.DB.QueryRow(ctx, `SELECT password_hash FROM account WHERE id = @id`, pgx.NamedArgs{"id": a.ID}).Scan(&hash); err != nil {
		return fmt.Errorf("reading account %s: %w", a.ID, err)
	}
	ok, _, err := s.hasher.matches(ctx, present, hash)
	if err != nil {
		return err
	}
	if !ok {
		var p problem.Fields
		p.Add("present", "account.password_wrong")
		return p.Err()
	}
	if hash, err = s.hasher.hash(ctx, password); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.succeed(ctx, tx, attempt); err != nil {
			return err
		}
		if _, _, err := setPassword(ctx, tx, a.ID, hash); err != nil {
			return err
		}
		if _, err := endSessions(ctx, tx, a.ID, hashOf(token)); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Account(a.ID), "account.password_changed", "account", a.ID.String(), nil)
	})
}
