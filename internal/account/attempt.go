package account

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// How many attempts count within the window before the next one must wait. An address may be a school or a town hall
// with many people behind it; an e-mail address or a mobile number is one person, whom a stranger must not lock out by a
// few guesses.
const (
	attemptWindow   = 15 * time.Minute
	emailAttempts   = 10
	addressAttempts = 50
	mailsInWindow   = 3
)

// limit is one counter of attempts: at most max rows of key in the window.
type limit struct {
	key []byte
	max int
}

// key hashes what is counted with a key of ours: the table does not tell who tried.
func (s *Store) key(kind, value string) []byte {
	return []byte(s.Box.MAC("sign_in_failure."+kind, strings.ToLower(value)))
}

// attempt is a sign-in under way, counted as failed until it succeeds: so many at once cannot pass the limit together.
type attempt struct {
	limits []limit
	at     time.Time
}

// beginAttempt counts a try for the identifier, an e-mail address or a number, and for the client's address, or returns
// Conflict "account.locked" with the minutes to wait. A try while locked is not counted, so that a lock ends. The two
// identifiers of one account count apart: a shared counter would tell a stranger that they belong together.
func (s *Store) beginAttempt(ctx context.Context, identifier, remoteAddr string) (attempt, error) {
	a := attempt{at: s.Now(), limits: []limit{
		{key: s.key("email", identifier), max: emailAttempts},
		{key: s.key("address", remoteAddr), max: addressAttempts},
	}}
	var wait time.Duration
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		wait, err = s.count(ctx, tx, a.at, a.limits)
		return err
	})
	if err != nil {
		return attempt{}, err
	}
	if wait > 0 {
		return attempt{}, problem.Conflict("account.locked", int(math.Ceil(wait.Minutes())))
	}
	return a, nil
}

// count adds one to each counter, unless one is full: then it adds to none and returns how long it stays full. The
// counters stay locked until the transaction ends.
func (s *Store) count(ctx context.Context, tx db.Tx, at time.Time, limits []limit) (wait time.Duration, err error) {
	// Always in the same order, so that two attempts never wait for each other.
	limits = slices.SortedFunc(slices.Values(limits), func(a, b limit) int { return bytes.Compare(a.key, b.key) })
	keys := make([][]byte, 0, len(limits))
	for _, l := range limits {
		keys = append(keys, l.key)
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(encode(@key, 'hex'), 0))`, pgx.NamedArgs{"key": l.key}); err != nil {
			return 0, fmt.Errorf("locking a counter of attempts: %w", err)
		}
		// The counter is free again when the oldest of its last max attempts leaves the window.
		var oldest *time.Time
		err := tx.QueryRow(ctx, `
			SELECT (array_agg(at ORDER BY at DESC))[@max]
			FROM sign_in_failure
			WHERE key_hash = @key
			  AND at > @since`,
			pgx.NamedArgs{"key": l.key, "max": l.max, "since": at.Add(-attemptWindow)}).Scan(&oldest)
		if err != nil {
			return 0, fmt.Errorf("counting attempts: %w", err)
		}
		if oldest != nil {
			wait = max(wait, oldest.Add(attemptWindow).Sub(at))
		}
	}
	if wait > 0 {
		return wait, nil
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO sign_in_failure (key_hash, at)
		SELECT unnest(@keys::bytea[]), @at`,
		pgx.NamedArgs{"keys": keys, "at": at})
	if err != nil {
		return 0, fmt.Errorf("counting an attempt: %w", err)
	}
	return 0, nil
}

// succeed takes the attempt back: all failures of the identifier, whose owner has now come, and this one of the client's
// address.
func (s *Store) succeed(ctx context.Context, tx db.Tx, a attempt) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM sign_in_failure
		WHERE key_hash = @email
		   OR ctid = (
			SELECT ctid
			FROM sign_in_failure
			WHERE key_hash = @address
			  AND at = @at
			LIMIT 1
			FOR UPDATE SKIP LOCKED
		   )`,
		pgx.NamedArgs{"email": a.limits[0].key, "address": a.limits[1].key, "at": a.at})
	if err != nil {
		return fmt.Errorf("taking an attempt back: %w", err)
	}
	return nil
}

// forgetFailures lifts the lock of identifiers.
func (s *Store) forgetFailures(ctx context.Context, tx db.Tx, identifiers ...string) error {
	keys := make([][]byte, len(identifiers))
	for i, v := range identifiers {
		keys[i] = s.key("email", v)
	}
	_, err := tx.Exec(ctx, `DELETE FROM sign_in_failure WHERE key_hash = ANY(@keys)`, pgx.NamedArgs{"keys": keys})
	if err != nil {
		return fmt.Errorf("forgetting failures: %w", err)
	}
	return nil
}

// mailAllowed counts a mail to an address and reports whether it may be sent: nobody's mailbox is flooded through us.
func (s *Store) mailAllowed(ctx context.Context, tx db.Tx, email string) (bool, error) {
	wait, err := s.count(ctx, tx, s.Now(), []limit{{key: s.key("mail", email), max: mailsInWindow}})
	return wait == 0, err
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Swept says how much Sweep removed.
type Swept struct{ Attempts, Sessions, Codes, Accounts, SignIns int64 }

// unconfirmedFor is how long an address that nobody proved is kept.
const unconfirmedFor = 30 * 24 * time.Hour

// signInsKept is how long the history of an account's sign-ins is kept.
const signInsKept = 365 * 24 * time.Hour

// Sweep removes what no longer counts: attempts out of their window, sessions past their limit, codes expired for
// long, accounts of parents whose address was never proved, and sign-ins older than a year. It may run at any time, in several processes.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	now := s.Now()
	for _, v := range []struct {
		count *int64
		sql   string
	}{
		{&swept.Attempts, `
			DELETE FROM sign_in_failure
			WHERE at <= @attempts`},
		{&swept.Sessions, `
			DELETE FROM user_session
			WHERE expires_at <= @now
			   OR seen_at <= @idle`},
		{&swept.Codes, `
			DELETE FROM account_code
			WHERE expires_at <= @unconfirmed`},
		{&swept.Accounts, `
			DELETE FROM account AS a
			WHERE a.confirmed_at IS NULL
			  AND cardinality(a.roles) = 0
			  AND a.created_at <= @unconfirmed
			  AND NOT EXISTS (SELECT 1 FROM account_code WHERE account_id = a.id AND expires_at > @now)
			  AND NOT EXISTS (SELECT 1 FROM guardian WHERE account_id = a.id)`},
		{&swept.SignIns, `
			DELETE FROM sign_in
			WHERE at <= @sign_ins`},
	} {
		args := pgx.NamedArgs{
			"now": now, "attempts": now.Add(-attemptWindow), "idle": now.Add(-parentLimits.idle), "unconfirmed": now.Add(-unconfirmedFor),
			"sign_ins": now.Add(-signInsKept),
		}
		tag, err := s.DB.Exec(ctx, v.sql, args)
		if err != nil {
			return swept, fmt.Errorf("removing what no longer counts: %w", err)
		}
		*v.count = tag.RowsAffected()
	}
	return swept, nil
}
