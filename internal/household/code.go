package household

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// TaskCodeRefused is the kind of task that tells staff that someone who must not, or no longer, know of a child typed a
// good code for it. Its subject is the code.
const TaskCodeRefused = "code_refused"

// The kinds of code.
const (
	CodeJoin  = "join"  // a guardian gives it to another adult, who joins its children
	CodeClaim = "claim" // staff print or mail it: the family that the commune entered takes its place here
	CodeReset = "reset" // staff hand it over: who signs in without an e-mail address chooses a new password
)

// How long a code counts.
const (
	joinFor  = 14 * 24 * time.Hour
	claimFor = 90 * 24 * time.Hour
	resetFor = 14 * 24 * time.Hour // time for a letter to arrive
)

// mostJoinCodes bounds the open codes of one guardian.
const mostJoinCodes = 10

const (
	codeMAC           = "family_code"
	codeNumberLetters = 4 // the least; more when numbers grow
)

// InviteBases are the bases on which a guardian may invite another adult; the others need staff, who see the proof.
var InviteBases = []Basis{BasisParentalAuthority, BasisStepParent, BasisOther}

// Code is an invitation to join children, or to claim a guardian.
type Code struct {
	ID          uuid.UUID
	Number      int64
	Kind        string
	GuardianID  uuid.UUID // who invites, or who is claimed
	ChildIDs    []uuid.UUID
	Basis       Basis
	Rights      []Right
	CreatedAt   time.Time
	ExpiresAt   time.Time
	CancelledAt *time.Time
	UsedAt      *time.Time
	UsedBy      *uuid.UUID
	UsedByName  string     // of the guardian who used it
	MailedAt    *time.Time // when its link was last asked to be mailed
	Typed       string     `db:"-"` // what is typed: "2222-ABCD-EFGH-JKLM"; empty when it no longer counts
}

// Live reports whether the code still counts at an instant.
func (c Code) Live(at time.Time) bool {
	return c.UsedAt == nil && c.CancelledAt == nil && at.Before(c.ExpiresAt)
}

const codeColumns = `c.id, c.number, c.kind, c.guardian_id, c.child_ids, c.basis, c.rights, c.created_at, c.expires_at, c.cancelled_at,
		  c.used_at, c.used_by, c.mailed_at, coalesce((SELECT trim(u.first_name || ' ' || u.last_name) FROM guardian AS u WHERE u.id = c.used_by), '') AS used_by_name`

// typed writes a code as it stands on paper: its number and the keyed part, in groups of four.
func (s *Store) typed(c Code) string {
	number := strings.Map(func(r rune) rune {
		if r >= 'a' {
			return rune(seal.ShortAlphabet[10+r-'a'])
		}
		return rune(seal.ShortAlphabet[r-'0'])
	}, strconv.FormatInt(c.Number, 32))
	for len(number)%codeNumberLetters != 0 {
		number = seal.ShortAlphabet[:1] + number
	}
	all := number + s.Box.Short(codeMAC+"."+c.Kind, c.ID.String())
	var groups []string
	for part := range slices.Chunk([]byte(all), 4) {
		groups = append(groups, string(part))
	}
	return strings.Join(groups, "-")
}

// splitTyped returns the number and the keyed part of what someone typed; ok is false for what is no code.
func splitTyped(raw string) (number int64, keyed string, ok bool) {
	raw = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.\u00a0\u202f\u2011\u2013", r) {
			return -1
		}
		return r
	}, strings.ToUpper(raw))
	if len(raw) <= seal.ShortLength || len(raw) > seal.ShortLength+12 || strings.Trim(raw, seal.ShortAlphabet) != "" {
		return 0, "", false
	}
	head := raw[:len(raw)-seal.ShortLength]
	for _, r := range head {
		number = number*int64(len(seal.ShortAlphabet)) + int64(strings.IndexRune(seal.ShortAlphabet, r))
	}
	return number, raw[len(raw)-seal.ShortLength:], true
}

// Invite is what a guardian gives another adult.
type Invite struct {
	ChildIDs []uuid.UUID
	Basis    Basis
	Rights   []Right // nil gives what the preset of the basis and the guardian's own rights have in common
}

// Invite makes a code with which another adult joins children of the guardian, once, within fourteen days. Nobody gives
// what it does not hold: the answer is Forbidden without RightRegister, or for a right beyond its own; NotFound for a
// child that it may not see; Conflict with too many open codes; Invalid with every faulty input.
func (s *Store) Invite(ctx context.Context, guardianID uuid.UUID, v Invite) (Code, error) {
	var p problem.Fields
	if len(v.ChildIDs) == 0 {
		p.Add("children", "household.invite_no_child")
	}
	if !slices.Contains(InviteBases, v.Basis) {
		p.Add("basis", "household.basis_unknown")
	}
	if slices.ContainsFunc(v.Rights, func(r Right) bool { return !slices.Contains(Rights, r) }) {
		p.Add("rights", "household.right_unknown")
	}
	if v.Rights != nil && !slices.Contains(v.Rights, RightSee) {
		v.Rights = append([]Right{RightSee}, v.Rights...) // whoever does anything for a child sees it
	}
	if err := p.Err(); err != nil {
		return Code{}, err
	}
	v.ChildIDs = slices.Compact(slices.SortedFunc(slices.Values(v.ChildIDs), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }))
	var c Code
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		g, err := guardian(ctx, tx, `id = @id FOR NO KEY UPDATE`, guardianID)
		if err != nil {
			return err
		}
		rights, err := s.givable(ctx, tx, guardianID, v)
		if err != nil {
			return err
		}
		var open int
		err = tx.QueryRow(ctx, `
			SELECT count(*)
			FROM family_code
			WHERE guardian_id = @guardian_id
			  AND kind = 'join'
			  AND used_at IS NULL
			  AND cancelled_at IS NULL
			  AND expires_at > @now`,
			pgx.NamedArgs{"guardian_id": guardianID, "now": s.Now()}).Scan(&open)
		if err != nil {
			return fmt.Errorf("counting the codes of guardian %s: %w", guardianID, err)
		}
		if open >= mostJoinCodes {
			return problem.Conflict("household.codes_many", mostJoinCodes)
		}
		c, err = s.insertCode(ctx, tx, CodeJoin, guardianID, v.ChildIDs, v.Basis, rights, s.Now().Add(joinFor))
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, actorOf(ctx, g), "code.made", "guardian", guardianID.String(),
			map[string]any{"code": c.ID, "children": v.ChildIDs, "basis": v.Basis, "rights": rights})
	})
	return c, err
}

// givable returns the rights that a guardian gives: those asked for, all of which it holds for every child.
func (s *Store) givable(ctx context.Context, tx db.Tx, guardianID uuid.UUID, v Invite) ([]Right, error) {
	asked := v.Rights
	if asked == nil {
		asked = Preset(v.Basis)
	}
	var rights []Right
	for _, r := range Rights {
		if !slices.Contains(asked, r) {
			continue
		}
		all := true
		for _, id := range v.ChildIDs {
			if err := s.Right(ctx, tx, guardianID, id, RightRegister, s.today()); err != nil {
				return nil, err
			}
			err := s.Right(ctx, tx, guardianID, id, r, s.today())
			switch {
			case problem.Is(err, problem.KindForbidden) && v.Rights == nil:
				all = false
			case err != nil:
				return nil, err
			}
		}
		if all {
			rights = append(rights, r)
		}
	}
	return rights, nil
}

func (s *Store) insertCode(ctx context.Context, tx db.Tx, kind string, guardianID uuid.UUID, childIDs []uuid.UUID, basis Basis, rights []Right, until time.Time) (Code, error) {
	if childIDs == nil {
		childIDs = []uuid.UUID{}
	}
	if rights == nil {
		rights = []Right{}
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO family_code AS c (kind, guardian_id, child_ids, basis, rights, created_at, expires_at)
		VALUES (@kind, @guardian_id, @child_ids, @basis, @rights, @now, @until)
		RETURNING `+codeColumns,
		pgx.NamedArgs{
			"kind": kind, "guardian_id": guardianID, "child_ids": childIDs, "basis": basis, "rights": rights, "now": s.Now(), "until": until,
		})
	if err != nil {
		return Code{}, fmt.Errorf("making a code for guardian %s: %w", guardianID, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Code])
	if err != nil {
		return Code{}, fmt.Errorf("making a code for guardian %s: %w", guardianID, err)
	}
	c.Typed = s.typed(c)
	return c, nil
}

// Codes returns the codes that a guardian made for others in the last three months, the newest first, with what became
// of each. Codes that name a child that it may no longer see are left out.
func (s *Store) Codes(ctx context.Context, guardianID uuid.UUID) ([]Code, error) {
	seen, err := s.ChildIDs(ctx, s.DB, guardianID, RightSee, s.today())
	if err != nil {
		return nil, err
	}
	if seen == nil {
		seen = []uuid.UUID{}
	}
	return s.codes(ctx, `
		WHERE c.guardian_id = @guardian_id
		  AND c.kind = 'join'
		  AND c.created_at > @since
		  AND c.child_ids <@ @seen
		ORDER BY c.number DESC`,
		pgx.NamedArgs{"guardian_id": guardianID, "since": s.Now().AddDate(0, -3, 0), "seen": seen})
}

func (s *Store) codes(ctx context.Context, where string, args pgx.NamedArgs) ([]Code, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+codeColumns+` FROM family_code AS c `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading codes: %w", err)
	}
	codes, err := pgx.CollectRows(rows, pgx.RowToStructByName[Code])
	if err != nil {
		return nil, fmt.Errorf("reading codes: %w", err)
	}
	for i := range codes {
		if codes[i].Live(s.Now()) {
			codes[i].Typed = s.typed(codes[i])
		}
	}
	return codes, nil
}

// CancelCode takes back a code that a guardian made. It returns NotFound when the guardian has no such open code, or may
// no longer see its children: such a code gives nothing any more.
func (s *Store) CancelCode(ctx context.Context, guardianID, codeID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		seen, err := s.ChildIDs(ctx, tx, guardianID, RightSee, s.today())
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE family_code
			SET cancelled_at = @now
			WHERE id = @id
			  AND guardian_id = @guardian_id
			  AND child_ids <@ @seen
			  AND kind = 'join'
			  AND used_at IS NULL
			  AND cancelled_at IS NULL
			  AND expires_at > @now`,
			pgx.NamedArgs{"id": codeID, "guardian_id": guardianID, "seen": append([]uuid.UUID{}, seen...), "now": s.Now()})
		if err != nil {
			return fmt.Errorf("cancelling code %s: %w", codeID, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("household.code_not_found")
		}
		return audit.Record(ctx, tx, actorOf(ctx, g), "code.cancelled", "guardian", guardianID.String(), map[string]any{"code": codeID})
	})
}

// IssueClaims makes a code for each guardian that nobody signs in for, to print in a letter; its older ones end. It
// leaves out the others, so that staff may tick a whole list.
func (s *Store) IssueClaims(ctx context.Context, actor audit.Actor, guardianIDs []uuid.UUID) ([]Code, error) {
	var codes []Code
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		codes = nil
		rows, err := tx.Query(ctx, `
			SELECT id
			FROM guardian
			WHERE id = ANY(@ids)
			  AND account_id IS NULL
			  AND merged_into IS NULL
			  AND kind = 'person'
			ORDER BY last_name, first_name, id
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"ids": guardianIDs})
		if err != nil {
			return fmt.Errorf("reading guardians to write to: %w", err)
		}
		free, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("reading guardians to write to: %w", err)
		}
		for _, id := range free {
			if err := s.endCodes(ctx, tx, CodeClaim, id); err != nil {
				return err
			}
			c, err := s.insertCode(ctx, tx, CodeClaim, id, nil, "", nil, s.Now().Add(claimFor))
			if err != nil {
				return err
			}
			if err := audit.Record(ctx, tx, actor, "code.issued", "guardian", id.String(), map[string]any{"code": c.ID}); err != nil {
				return err
			}
			codes = append(codes, c)
		}
		return nil
	})
	return codes, err
}

// endCodes takes back the open codes of one kind that are about a guardian.
func (s *Store) endCodes(ctx context.Context, tx db.Tx, kind string, guardianID uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		UPDATE family_code
		SET cancelled_at = @now
		WHERE guardian_id = @id
		  AND kind = @kind
		  AND used_at IS NULL
		  AND cancelled_at IS NULL`,
		pgx.NamedArgs{"id": guardianID, "kind": kind, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("ending the codes of guardian %s: %w", guardianID, err)
	}
	return nil
}

// Handed returns the codes that staff made for a guardian, to take its place or for a password, the newest first.
func (s *Store) Handed(ctx context.Context, guardianID uuid.UUID) ([]Code, error) {
	return s.codes(ctx, `
		WHERE c.guardian_id = @guardian_id
		  AND c.kind IN ('claim', 'reset')
		ORDER BY c.number DESC
		LIMIT 20`,
		pgx.NamedArgs{"guardian_id": guardianID})
}

// Claims returns the codes to print that still count, in the order of their numbers, for staff: those that were not
// mailed, and those among returned, whose mail no server took.
func (s *Store) Claims(ctx context.Context, returned []uuid.UUID) ([]Code, error) {
	return s.codes(ctx, `
		WHERE c.kind = 'claim'
		  AND c.used_at IS NULL
		  AND c.cancelled_at IS NULL
		  AND c.expires_at > @now
		  AND (c.mailed_at IS NULL OR c.id = ANY(@returned))
		ORDER BY c.number`,
		pgx.NamedArgs{"now": s.Now(), "returned": append([]uuid.UUID{}, returned...)})
}
