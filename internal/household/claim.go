package household

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

const (
	// resendAfter is how soon the same link is mailed again: a double click sends one mail.
	resendAfter = 2 * time.Minute
	// claimMails is how many mails one job asks for.
	claimMails = 100
)

// linkMAC is the purpose of the link that a mailed code carries. It is not the code on paper: whoever holds it has read
// the mail, so it proves the address.
const linkMAC = codeMAC + ".link"

// MailClaims mails the code with which a family takes its place to the guardians among guardianIDs that nobody signs in
// for and that have an e-mail address, and returns how many mails it asked for. A code that still counts is sent again,
// with the same link, but not twice within two minutes; who has none gets one.
func (s *Store) MailClaims(ctx context.Context, actor audit.Actor, guardianIDs []uuid.UUID) (int, error) {
	return s.mailClaims(ctx, actor, `id = ANY(@ids)`, pgx.NamedArgs{"ids": guardianIDs}, s.Now().Add(-resendAfter))
}

// MailAllClaims mails a code to every such guardian to whom the code that counts was not mailed yet: pressing twice
// writes to nobody twice.
func (s *Store) MailAllClaims(ctx context.Context, actor audit.Actor) (int, error) {
	return s.mailClaims(ctx, actor, `true`, pgx.NamedArgs{}, time.Time{})
}

// mailClaims mails codes to the guardians of a condition, except those to whom theirs was mailed after an instant.
func (s *Store) mailClaims(ctx context.Context, actor audit.Actor, where string, args pgx.NamedArgs, unless time.Time) (int, error) {
	var codes []uuid.UUID
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id
			FROM guardian
			WHERE account_id IS NULL
			  AND merged_into IS NULL
			  AND kind = 'person'
			  AND email <> ''
			  AND `+where+`
			ORDER BY last_name, first_name, id
			FOR NO KEY UPDATE`, args)
		if err != nil {
			return fmt.Errorf("reading guardians to mail to: %w", err)
		}
		free, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("reading guardians to mail to: %w", err)
		}
		if codes, err = s.claimsToMail(ctx, tx, free, unless); err != nil {
			return err
		}
		for part := range slices.Chunk(codes, claimMails) {
			if _, err := s.Jobs.InsertTx(ctx, tx, job.ClaimMail{CodeIDs: part, At: s.Now()}, nil); err != nil {
				return fmt.Errorf("enqueuing the mail of %d codes: %w", len(part), err)
			}
		}
		for _, id := range codes {
			if err := audit.Record(ctx, tx, actor, "code.mailed", "code", id.String(), nil); err != nil {
				return err
			}
		}
		return nil
	})
	return len(codes), err
}

// claimsToMail makes the codes that guardians lack and returns those to mail now, which it marks as mailed.
func (s *Store) claimsToMail(ctx context.Context, tx db.Tx, guardianIDs []uuid.UUID, unless time.Time) ([]uuid.UUID, error) {
	args := pgx.NamedArgs{"ids": guardianIDs, "now": s.Now(), "until": s.Now().Add(claimFor), "unless": unless}
	_, err := tx.Exec(ctx, `
		INSERT INTO family_code (kind, guardian_id, created_at, expires_at)
		SELECT 'claim', g, @now, @until
		FROM unnest(@ids::uuid[]) AS g
		WHERE NOT EXISTS (
			SELECT 1
			FROM family_code AS c
			WHERE c.guardian_id = g
			  AND c.kind = 'claim'
			  AND c.used_at IS NULL
			  AND c.cancelled_at IS NULL
			  AND c.expires_at > @now
		)`, args)
	if err != nil {
		return nil, fmt.Errorf("making codes to mail: %w", err)
	}
	rows, err := tx.Query(ctx, `
		UPDATE family_code
		SET mailed_at = @now
		WHERE guardian_id = ANY(@ids)
		  AND kind = 'claim'
		  AND used_at IS NULL
		  AND cancelled_at IS NULL
		  AND expires_at > @now
		  AND (mailed_at IS NULL OR mailed_at <= @unless)
		RETURNING id`, args)
	if err != nil {
		return nil, fmt.Errorf("marking codes as mailed: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("marking codes as mailed: %w", err)
	}
	return ids, nil
}

// ClaimMail returns what the mail of a code is written from: whom it goes to, until when it counts, and what its link
// carries, which is always the same for one code and one address. It returns Gone when the code no longer counts or the
// guardian has no address: the mail is then not to be sent.
func (s *Store) ClaimMail(ctx context.Context, q db.Querier, codeID uuid.UUID) (g Guardian, until time.Time, link string, err error) {
	c, err := s.codeByID(ctx, q, codeID, "")
	if err != nil {
		return g, until, "", err
	}
	if g, err = guardian(ctx, q, `id = @id`, c.GuardianID); err != nil {
		return g, until, "", err
	}
	if !c.claims(g, s.Now()) || g.Email == "" {
		return g, until, "", errDeadLink()
	}
	return g, c.ExpiresAt, s.link(c.ID, g.Email), nil
}

// claims reports whether a code lets somebody take the place of a guardian at an instant.
func (c Code) claims(g Guardian, at time.Time) bool {
	return c.Kind == CodeClaim && c.Live(at) && g.AccountID == nil
}

// errDeadLink is the one answer to every link that does not count.
func errDeadLink() error { return problem.Gone("household.link_dead") }

// link is what a mail carries. It holds for the address that it was mailed to: once staff correct that, it is dead.
func (s *Store) link(codeID uuid.UUID, email string) string {
	return codeID.String() + "." + s.Box.MAC(linkMAC, linked(codeID, email))
}

func linked(codeID uuid.UUID, email string) string {
	return codeID.String() + " " + strings.ToLower(email)
}

// ClaimOfLink returns the code of a mailed link and the guardian whose place it gives; Gone for a link that is forged,
// used, too old, or was mailed to an address that has changed. In a transaction the code is locked against a second use.
func (s *Store) ClaimOfLink(ctx context.Context, q db.Querier, link string) (Code, Guardian, error) {
	raw, mac, _ := strings.Cut(link, ".")
	id, err := uuid.Parse(raw)
	if err != nil || id.String() != raw {
		return Code{}, Guardian{}, errDeadLink()
	}
	suffix := ""
	if _, ok := q.(db.Tx); ok {
		suffix = ` FOR UPDATE`
	}
	c, err := s.codeByID(ctx, q, id, suffix)
	if err != nil {
		return Code{}, Guardian{}, err
	}
	g, err := guardian(ctx, q, `id = @id`, c.GuardianID)
	if err != nil {
		return Code{}, Guardian{}, err
	}
	if !s.Box.CheckMAC(linkMAC, linked(id, g.Email), mac) || !c.claims(g, s.Now()) {
		return Code{}, Guardian{}, errDeadLink()
	}
	c.Typed = s.typed(c)
	return c, g, nil
}

func (s *Store) codeByID(ctx context.Context, q db.Querier, id uuid.UUID, suffix string) (Code, error) {
	rows, err := q.Query(ctx, `SELECT `+codeColumns+` FROM family_code AS c WHERE c.id = @id`+suffix, pgx.NamedArgs{"id": id})
	if err != nil {
		return Code{}, fmt.Errorf("reading code %s: %w", id, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Code])
	if errors.Is(err, pgx.ErrNoRows) {
		return Code{}, errDeadLink()
	}
	if err != nil {
		return Code{}, fmt.Errorf("reading code %s: %w", id, err)
	}
	return c, nil
}

// Try counts a typed code for an identifier and the client's address before anything is known of who types. It returns
// Conflict "household.code_locked" with minutes after too many.
func (s *Store) Try(ctx context.Context, identifier, remoteAddr string) error {
	return s.countTry(ctx, identifier, remoteAddr)
}

// CodeTyped returns the code of a kind that somebody typed from paper, locked, and its guardian; Invalid on the input
// "code" for every code that does not count. Call Try before, outside the transaction.
func (s *Store) CodeTyped(ctx context.Context, tx db.Tx, kind, typed string) (Code, Guardian, error) {
	c, err := s.lockCode(ctx, tx, typed)
	if err != nil {
		return Code{}, Guardian{}, err
	}
	g, err := guardian(ctx, tx, `id = @id FOR NO KEY UPDATE`, c.GuardianID)
	if err != nil {
		return Code{}, Guardian{}, err
	}
	if c.Kind != kind || (g.AccountID == nil) != (kind == CodeClaim) {
		return Code{}, Guardian{}, errWrongCode()
	}
	return c, g, nil
}

// ErrWrongCode is the answer of CodeTyped, for a caller who finds another fault that must look like a wrong code.
func ErrWrongCode() error { return errWrongCode() }

// TakeClaim makes an account that was just opened sign in for the guardian of a code, which is then used. identifier is
// what Try counted, "" for nothing.
func (s *Store) TakeClaim(ctx context.Context, tx db.Tx, accountID uuid.UUID, c Code, identifier string) error {
	g, err := s.attach(ctx, tx, accountID, c.GuardianID)
	if err != nil {
		return err
	}
	return s.Used(ctx, tx, accountID, c, g, identifier)
}

// Used marks a code as used by a guardian. identifier is what Try counted, "" for nothing.
func (s *Store) Used(ctx context.Context, tx db.Tx, accountID uuid.UUID, c Code, g Guardian, identifier string) error {
	if err := s.markUsed(ctx, tx, accountID, &c, g); err != nil {
		return err
	}
	if identifier == "" {
		return nil
	}
	return s.forgetTries(ctx, tx, identifier)
}

// AttachAtCounter makes an account sign in for a guardian that nobody signs in for, before staff; its letters no longer
// count. It returns NotFound, and Conflict "household.signs_in" when somebody does.
func (s *Store) AttachAtCounter(ctx context.Context, tx db.Tx, actor audit.Actor, accountID, guardianID uuid.UUID) error {
	g, err := guardian(ctx, tx, `id = @id AND merged_into IS NULL FOR NO KEY UPDATE`, guardianID)
	if err != nil {
		return err
	}
	if g.AccountID != nil || g.Kind != KindPerson {
		return problem.Conflict("household.signs_in")
	}
	if err := s.endCodes(ctx, tx, CodeClaim, guardianID); err != nil {
		return err
	}
	if _, err := s.attach(ctx, tx, accountID, guardianID); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, "guardian.attached", "guardian", guardianID.String(), map[string]any{"account": accountID})
}

// IssueReset makes the code with which a guardian chooses a new password; its older ones end. The caller has checked
// that the actor may do so for the account behind the guardian.
func (s *Store) IssueReset(ctx context.Context, tx db.Tx, actor audit.Actor, guardianID uuid.UUID) (Code, error) {
	if err := s.endCodes(ctx, tx, CodeReset, guardianID); err != nil {
		return Code{}, err
	}
	c, err := s.insertCode(ctx, tx, CodeReset, guardianID, nil, "", nil, s.Now().Add(resetFor))
	if err != nil {
		return Code{}, err
	}
	return c, audit.Record(ctx, tx, actor, "code.issued", "guardian", guardianID.String(), map[string]any{"code": c.ID, "kind": CodeReset})
}
