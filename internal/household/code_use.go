package household

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// How many wrong codes count within the window before the next must wait. An address may be a school's.
const (
	codeWindow     = time.Hour
	codesByAccount = 8
	codesByAddress = 40
)

// errWrongCode is the one answer to every code that does not count for the person who types it: wrong, used, too old,
// taken back, or about a child that this person must not, or no longer, know.
func errWrongCode() error {
	var p problem.Fields
	p.Add("code", "household.code_wrong")
	return p.Err()
}

// UseCode gives the owner of an account what a typed code stands for, and returns the code. remoteAddr is the client's.
// The answers: Invalid on the input "code" for every code that does not count for this person; Conflict
// "household.code_locked" with minutes after too many; Conflict "household.details_first" when the account has no
// guardian to join as; Conflict "household.code_already" when nothing would change; Conflict "household.claim_taken"
// when the account has a family already, which staff then join with the one on paper.
func (s *Store) UseCode(ctx context.Context, accountID uuid.UUID, remoteAddr, typed string) (Code, error) {
	if err := s.countTry(ctx, accountID.String(), remoteAddr); err != nil {
		return Code{}, err
	}
	var used Code
	var refused error
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		used, refused = Code{}, nil
		c, err := s.lockCode(ctx, tx, typed)
		if err != nil {
			return err
		}
		switch c.Kind {
		case CodeClaim:
			refused, err = s.claim(ctx, tx, accountID, &c)
		case CodeJoin:
			refused, err = s.join(ctx, tx, accountID, &c)
		default:
			return errWrongCode()
		}
		if err != nil || refused != nil {
			return err // what a refusal tells staff is kept
		}
		used = c
		return s.forgetTries(ctx, tx, accountID.String())
	})
	if err == nil {
		err = refused
	}
	return used, err
}

// lockCode returns the code that was typed, if it counts, locked against a second use.
func (s *Store) lockCode(ctx context.Context, tx db.Tx, typed string) (Code, error) {
	number, keyed, ok := splitTyped(typed)
	if !ok {
		return Code{}, errWrongCode()
	}
	rows, err := tx.Query(ctx, `SELECT `+codeColumns+` FROM family_code AS c WHERE c.number = @number FOR UPDATE`, pgx.NamedArgs{"number": number})
	if err != nil {
		return Code{}, fmt.Errorf("reading a code: %w", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Code])
	if errors.Is(err, pgx.ErrNoRows) {
		return Code{}, errWrongCode()
	}
	if err != nil {
		return Code{}, fmt.Errorf("reading a code: %w", err)
	}
	if !s.Box.CheckShort(codeMAC+"."+c.Kind, c.ID.String(), keyed) || !c.Live(s.Now()) {
		return Code{}, errWrongCode()
	}
	return c, nil
}

// join gives the account's guardian what a code gives. refused is for the person; what it tells staff stays.
func (s *Store) join(ctx context.Context, tx db.Tx, accountID uuid.UUID, c *Code) (refused, err error) {
	g, err := guardian(ctx, tx, `account_id = @id`, accountID)
	if problem.Is(err, problem.KindNotFound) {
		return problem.Conflict("household.details_first"), nil
	}
	if err != nil {
		return nil, err
	}
	if g.ID == c.GuardianID {
		return problem.Conflict("household.code_already"), nil
	}
	today := s.today()
	fresh := c.ChildIDs[:0:0]
	for _, id := range c.ChildIDs {
		if err := lockPair(ctx, tx, g.ID, id); err != nil {
			return nil, err
		}
		// What the giver has lost since, it cannot give.
		for _, r := range append([]Right{RightRegister}, c.Rights...) {
			if err := s.Right(ctx, tx, c.GuardianID, id, r, today); err != nil {
				if problem.As(err) == nil {
					return nil, err
				}
				return errWrongCode(), nil
			}
		}
		barred, err := s.barred(ctx, tx, g.ID, id)
		if err != nil {
			return nil, err
		}
		if barred {
			return errWrongCode(), task.Open(ctx, tx, TaskCodeRefused, "code", c.ID.String(),
				map[string]any{"guardian": g.ID, "child": id, "inviter": c.GuardianID})
		}
		err = s.Right(ctx, tx, g.ID, id, RightSee, today)
		switch {
		case problem.Is(err, problem.KindNotFound):
			fresh = append(fresh, id)
		case err != nil:
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return problem.Conflict("household.code_already"), nil
	}
	for _, id := range fresh {
		before, err := s.end(ctx, tx, g.ID, id, today.AddDays(-1))
		if err != nil {
			return nil, err
		}
		grant := Grant{Basis: c.Basis, Rights: c.Rights, From: today}
		if err := s.grant(ctx, tx, audit.Account(accountID), g.ID, id, grant, before); err != nil {
			return nil, err
		}
	}
	return nil, s.markUsed(ctx, tx, accountID, c, g)
}

// barred reports whether a guardian must not learn of a child by a code: it is blocked, its rights ended by a decision,
// or it looks like somebody of whom that is so.
func (s *Store) barred(ctx context.Context, tx db.Tx, guardianID, childID uuid.UUID) (bool, error) {
	me, others, err := likeGuardian(ctx, tx, guardianID)
	if err != nil {
		return false, err
	}
	same := []uuid.UUID{guardianID}
	for id, p := range others {
		if score, _ := AlikeGuardians(me, p); score >= alikeGuardian {
			same = append(same, id)
		}
	}
	var barred bool
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT 1
			FROM guardianship_block
			WHERE guardian_id = ANY(@same)
			  AND child_id = @child_id
			  AND (lifted_on IS NULL OR lifted_on > @on)
		) OR EXISTS (
			SELECT 1
			FROM guardianship
			WHERE guardian_id = ANY(@same)
			  AND child_id = @child_id
			  AND valid_until < @on
		) AND NOT EXISTS (
			SELECT 1
			FROM (`+held+`) AS h
			WHERE h.guardian_id = ANY(@same)
			  AND h.child_id = @child_id
		)`,
		pgx.NamedArgs{"same": same, "child_id": childID, "on": s.today()}).Scan(&barred)
	if err != nil {
		return false, fmt.Errorf("reading what bars guardian %s: %w", guardianID, err)
	}
	return barred, nil
}

// claim makes the account sign in for the guardian of a code.
func (s *Store) claim(ctx context.Context, tx db.Tx, accountID uuid.UUID, c *Code) (refused, err error) {
	paper, err := guardian(ctx, tx, `id = @id FOR NO KEY UPDATE`, c.GuardianID)
	if err != nil {
		return nil, err
	}
	if paper.AccountID != nil {
		return errWrongCode(), nil
	}
	own, err := guardian(ctx, tx, `account_id = @id`, accountID)
	if err == nil {
		// Two families of one person: staff join them, with a preview. The code still counts until then.
		return problem.Conflict("household.claim_taken"), s.proposeDouble(ctx, tx, KindGuardian, own.ID, paper.ID, 99, []string{AlikeName})
	}
	if !problem.Is(err, problem.KindNotFound) {
		return nil, err
	}
	g, err := s.attach(ctx, tx, accountID, paper.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.markUsed(ctx, tx, accountID, c, g)
}

// attach makes an account sign in for a guardian that nobody signs in for. Who then has no e-mail address is reached by
// telephone.
func (s *Store) attach(ctx context.Context, tx db.Tx, accountID, guardianID uuid.UUID) (Guardian, error) {
	rows, err := tx.Query(ctx, `
		UPDATE guardian AS g
		SET account_id = a.id,
		    email = CASE WHEN g.email = '' THEN coalesce(a.email, '') ELSE g.email END,
		    channel = CASE WHEN g.channel = 'email' AND g.email = '' AND a.email IS NULL THEN 'phone' ELSE g.channel END,
		    version = version + 1,
		    updated_at = @now
		FROM account AS a
		WHERE g.id = @id
		  AND g.account_id IS NULL
		  AND a.id = @account_id
		RETURNING `+qualified("g", guardianColumns),
		pgx.NamedArgs{"id": guardianID, "account_id": accountID, "now": s.Now()})
	if err != nil {
		return Guardian{}, fmt.Errorf("claiming guardian %s: %w", guardianID, err)
	}
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Guardian])
	if err != nil {
		return Guardian{}, fmt.Errorf("claiming guardian %s: %w", guardianID, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.PushSoon{}, nil); err != nil {
		return Guardian{}, fmt.Errorf("asking to send guardian %s to Odoo: %w", g.ID, err)
	}
	return g, nil
}

// qualified writes the name of a table before each column of a list.
func qualified(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

func (s *Store) markUsed(ctx context.Context, tx db.Tx, accountID uuid.UUID, c *Code, by Guardian) error {
	now := s.Now()
	_, err := tx.Exec(ctx, `
		UPDATE family_code
		SET used_at = @now,
		    used_by = @by
		WHERE id = @id`,
		pgx.NamedArgs{"id": c.ID, "now": now, "by": by.ID})
	if err != nil {
		return fmt.Errorf("using code %s: %w", c.ID, err)
	}
	c.UsedAt, c.UsedBy, c.UsedByName = &now, &by.ID, by.Name()
	return audit.Record(ctx, tx, audit.Account(accountID), "code.used", "guardian", by.ID.String(),
		map[string]any{"code": c.ID, "kind": c.Kind, "inviter": c.GuardianID, "children": c.ChildIDs})
}

// countTry counts a try for who types, an account or an identifier, and for the client's address, or returns Conflict
// with the minutes to wait. A try while locked is not counted, so that a lock ends; one that succeeds is taken back by
// forgetTries.
func (s *Store) countTry(ctx context.Context, who, remoteAddr string) error {
	limits := []struct {
		key []byte
		max int
	}{{s.tryKey("account", who), codesByAccount}, {s.tryKey("address", remoteAddr), codesByAddress}}
	if bytes.Compare(limits[0].key, limits[1].key) > 0 { // always locked in the same order
		slices.Reverse(limits)
	}
	var wait time.Duration
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		wait = 0
		for _, l := range limits {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(encode(@key, 'hex'), 1))`, pgx.NamedArgs{"key": l.key}); err != nil {
				return fmt.Errorf("locking a counter of codes: %w", err)
			}
			var oldest *time.Time
			err := tx.QueryRow(ctx, `
				SELECT (array_agg(at ORDER BY at DESC))[@max]
				FROM family_code_try
				WHERE key_hash = @key
				  AND at > @since`,
				pgx.NamedArgs{"key": l.key, "max": l.max, "since": s.Now().Add(-codeWindow)}).Scan(&oldest)
			if err != nil {
				return fmt.Errorf("counting codes: %w", err)
			}
			if oldest != nil {
				wait = max(wait, oldest.Add(codeWindow).Sub(s.Now()))
			}
		}
		if wait > 0 {
			return nil
		}
		_, err := tx.Exec(ctx, `
			WITH old AS (
				DELETE FROM family_code_try
				WHERE at <= @since
			)
			INSERT INTO family_code_try (key_hash, at)
			VALUES (@first, @now), (@second, @now)`,
			pgx.NamedArgs{"first": limits[0].key, "second": limits[1].key, "now": s.Now(), "since": s.Now().Add(-codeWindow)})
		if err != nil {
			return fmt.Errorf("counting a code: %w", err)
		}
		return nil
	})
	if err == nil && wait > 0 {
		err = problem.Conflict("household.code_locked", int(math.Ceil(wait.Minutes())))
	}
	return err
}

func (s *Store) tryKey(kind, value string) []byte {
	return []byte(s.Box.MAC("family_code_try."+kind, value))
}

func (s *Store) forgetTries(ctx context.Context, tx db.Tx, who string) error {
	_, err := tx.Exec(ctx, `DELETE FROM family_code_try WHERE key_hash = @key`, pgx.NamedArgs{"key": s.tryKey("account", who)})
	if err != nil {
		return fmt.Errorf("forgetting wrong codes: %w", err)
	}
	return nil
}
