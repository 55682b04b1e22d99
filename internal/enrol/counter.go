package enrol

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Consents are the ways in which a family agrees to what staff do in its name; "consent.<way>" is the key of a name.
var Consents = []string{"in_person", "signature", "code", "phone"}

// Consent is how a family agreed to what staff do in its name.
type Consent struct {
	GuardianID uuid.UUID // who asked
	How        string    // one of Consents
}

func (c Consent) validate() error {
	var f problem.Fields
	if !slices.Contains(Consents, c.How) {
		f.Add("consent", "registration.consent_needed")
	}
	return f.Err()
}

// RegisterFor registers a child at the counter, in the name of a guardian who asked for it: the rules are the family's,
// the history names the account, and the consent is kept in the same transaction. The same key again is the same
// registration with one consent.
func (s *Store) RegisterFor(ctx context.Context, accountID uuid.UUID, c Consent, r Request) (Registration, error) {
	if err := c.validate(); err != nil {
		return Registration{}, err
	}
	r.by = accountID
	var made Registration
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		if made, err = s.register(ctx, tx, c.GuardianID, r); err != nil {
			return err
		}
		return s.consented(ctx, tx, made.ID, "register", accountID, c)
	})
	return s.onlyOnce(ctx, made, err, c.GuardianID, r.Key)
}

// onlyOnce turns what the database says of a second registration into what a person reads.
func (s *Store) onlyOnce(ctx context.Context, made Registration, err error, guardianID, key uuid.UUID) (Registration, error) {
	switch db.Constraint(err) {
	case "registration_submission_key_key": // the same form, sent twice at once
		return s.again(ctx, s.DB, guardianID, key)
	case "registration_once":
		return made, bars([]Reason{{Rule: "once", Bar: true, Code: "eligible.once"}})
	}
	return made, err
}

// consented keeps once that a guardian agreed to an action.
func (s *Store) consented(ctx context.Context, q db.Querier, id uuid.UUID, action string, accountID uuid.UUID, c Consent) error {
	_, err := q.Exec(ctx, `
		INSERT INTO registration_consent (registration_id, action, guardian_id, how, account_id, at)
		SELECT @id, @action, @guardian, @how, @account, @now
		WHERE NOT EXISTS (SELECT 1 FROM registration_consent WHERE registration_id = @id AND action = @action)`,
		pgx.NamedArgs{"id": id, "action": action, "guardian": c.GuardianID, "how": c.How, "account": accountID, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("keeping the consent for registration %s: %w", id, err)
	}
	return nil
}

// MoveFor takes a child to another camp for its family, with a reason that the family reads: a new registration and the
// old one cancelled, in one transaction. What was paid for the old one pays the new one as far as it is charged; the rest
// waits for the payer's choice. The new camp must have a place and nothing may bar the child from it, or nothing changes:
// Conflict or Invalid says why.
func (s *Store) MoveFor(ctx context.Context, accountID, id uuid.UUID, to Request, reason string) (Registration, error) {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, true); err != nil {
		return Registration{}, err
	}
	var made Registration
	var guardian uuid.UUID
	actor := audit.Account(accountID)
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		old, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		guardian, to.ChildID, to.by = old.RegistrantID, old.ChildID, accountID
		if again, err := s.again(ctx, tx, guardian, to.Key); err == nil || !problem.Is(err, problem.KindNotFound) {
			made = again
			return err
		}
		if old.State.Info().Exit || old.State == Completed {
			return problem.Conflict("registration.over", old.State.Info().Label())
		}
		if err := s.leave(ctx, tx, &old, Cancelled, 0, actor, reason); err != nil {
			return err
		}
		asked := to
		if err := s.carry(ctx, tx, old.ID, &asked); err != nil {
			return err
		}
		if made, err = s.register(ctx, tx, guardian, asked); err != nil {
			return err
		}
		if made.State == Waitlisted {
			return problem.Conflict("registration.move_full")
		}
		if err := s.moveMoney(ctx, tx, &old, &made, reason, actor); err != nil {
			return err
		}
		if err := task.Close(ctx, tx, task.CancelAsked, "registration", old.ID.String(), accountID.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "registration.moved", "registration", made.ID.String(), map[string]any{"from": old.ID})
	})
	return s.onlyOnce(ctx, made, err, guardian, to.Key)
}

// Reasons returns what stands against a registration today, bars first; what staff let pass is not among them, nor is
// the window, which counted when it was sent.
func (s *Store) Reasons(ctx context.Context, id uuid.UUID) ([]Reason, error) {
	r, err := s.Registration(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := s.facts(ctx, s.DB, r.ChildID, r.CampID, r.ID, r.TicketID)
	if err != nil {
		return nil, err
	}
	missing, err := s.awaited(ctx, s.DB, &r)
	if err != nil {
		return nil, err
	}
	var reasons []Reason
	if len(missing) > 0 {
		reasons = append(reasons, Reason{Rule: ruleConsent, Bar: true, Code: "eligible.consent", Derogation: true})
	}
	return append(reasons, withoutWindow(Eligible(f))...), nil
}

// LeavingFor computes for staff what the regulation keeps and what would come back if the registration ended now.
func (s *Store) LeavingFor(ctx context.Context, id uuid.UUID) (Leaving, error) {
	r, err := s.Registration(ctx, id)
	if err != nil {
		return Leaving{}, err
	}
	return s.leaving(ctx, s.DB, &r, r.PayerID, false)
}

// FitsInstead returns the reasons for the child of a registration in each of the camps, as if that registration were
// given up. The caller has checked that the child may be seen.
func (s *Store) FitsInstead(ctx context.Context, id uuid.UUID, campIDs []uuid.UUID) (map[uuid.UUID][]Reason, error) {
	r, err := s.Registration(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.fits(ctx, r.ChildID, r.ID, campIDs)
}
