package enrol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

// ruleConsent is the name under which staff pass over a consent that is missing.
const ruleConsent = "consent"

// Agreement says whether a guardian whose consent the commune asks for has agreed to a registration.
type Agreement struct {
	GuardianID uuid.UUID
	Given      bool
	At         time.Time // zero unless given
}

// Consents returns who else must agree to a registration today and whether they did; none where the commune does not
// ask (household.Consenters). NotFound when there is no such registration; the caller has checked who asks.
func (s *Store) Consents(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]Agreement, error) {
	r, err := one(ctx, q, `id = @id`, pgx.NamedArgs{"id": registrationID})
	if err != nil {
		return nil, err
	}
	return s.agreements(ctx, q, &r)
}

func (s *Store) agreements(ctx context.Context, q db.Querier, r *Registration) ([]Agreement, error) {
	ids, err := s.Households.Consenters(ctx, q, r.RegistrantID, r.ChildID, s.today())
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := q.Query(ctx, `
		SELECT g AS guardian_id, c.at IS NOT NULL AS given, COALESCE(c.at, '0001-01-01 00:00:00Z') AS at
		FROM unnest(@guardians::uuid[]) AS g
		LEFT JOIN registration_consent c ON c.guardian_id = g AND c.registration_id = @id AND c.action = 'agree'
		ORDER BY g`,
		pgx.NamedArgs{"id": r.ID, "guardians": ids})
	if err != nil {
		return nil, fmt.Errorf("reading who agreed to registration %s: %w", r.ID, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Agreement])
	if err != nil {
		return nil, fmt.Errorf("reading who agreed to registration %s: %w", r.ID, err)
	}
	return all, nil
}

// Awaited returns whose consent a registration still waits for: nobody once it is decided or over, or when staff passed
// over it.
func (s *Store) Awaited(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]uuid.UUID, error) {
	r, err := one(ctx, q, `id = @id`, pgx.NamedArgs{"id": registrationID})
	if err != nil {
		return nil, err
	}
	return s.awaited(ctx, q, &r)
}

func (s *Store) awaited(ctx context.Context, q db.Querier, r *Registration) ([]uuid.UUID, error) {
	switch r.State {
	case Submitted, ToValidate, Waitlisted, Offered:
	case AwaitingPayment:
		if first, err := paysFirst(ctx, q, r.ID); err != nil || !first {
			return nil, err
		}
	default:
		return nil, nil
	}
	all, err := s.agreements(ctx, q, r)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	passed, err := overrides(ctx, q, r.ID)
	if err != nil || slices.Contains(passed, ruleConsent) {
		return nil, err
	}
	var missing []uuid.UUID
	for _, a := range all {
		if !a.Given {
			missing = append(missing, a.GuardianID)
		}
	}
	return missing, nil
}

// AwaitedAmong returns which of some registrations still wait for a consent.
func (s *Store) AwaitedAmong(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	asked, err := household.ConsentAsked(ctx, q)
	if err != nil || !asked {
		return nil, err
	}
	rows, err := q.Query(ctx, `
		SELECT `+columns+`
		FROM registration
		WHERE id = ANY(@ids)
		  AND state IN ('submitted', 'to_validate', 'waitlisted', 'offered', 'awaiting_payment')`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading who waits for a consent: %w", err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowToStructByName[Registration])
	if err != nil {
		return nil, fmt.Errorf("reading who waits for a consent: %w", err)
	}
	waits := map[uuid.UUID]bool{}
	for _, r := range open {
		missing, err := s.awaited(ctx, q, &r)
		if err != nil {
			return nil, err
		}
		waits[r.ID] = len(missing) > 0
	}
	return waits, nil
}

// askConsent enqueues a mail to everybody who must agree to a registration that was just made.
func (s *Store) askConsent(ctx context.Context, tx db.Tx, r *Registration) error {
	ids, err := s.Households.Consenters(ctx, tx, r.RegistrantID, r.ChildID, s.today())
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.Jobs.InsertTx(ctx, tx, job.ConsentAsked{RegistrationID: r.ID.String(), GuardianID: id.String()}, nil); err != nil {
			return fmt.Errorf("asking for the consent to registration %s: %w", r.ID, err)
		}
	}
	return nil
}

// GiveConsent keeps that a guardian agrees to what the other one asked; again is no error. With the last consent a
// request that its camp decides by itself goes on. NotFound when the guardian may not know the child, Forbidden when
// that consent is not asked for, Conflict when the registration is over.
func (s *Store) GiveConsent(ctx context.Context, guardianID, accountID, registrationID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, registrationID)
		if err != nil {
			return err
		}
		if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightSee, s.today()); err != nil {
			return err
		}
		all, err := s.agreements(ctx, tx, &r)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(a Agreement) bool { return a.GuardianID == guardianID })
		switch {
		case at < 0:
			return problem.Forbidden("registration.consent_not_asked")
		case all[at].Given:
			return nil
		case r.State.Info().Exit || r.State == Completed:
			return problem.Conflict("registration.over", r.State.Info().Label())
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO registration_consent (registration_id, action, guardian_id, how, account_id, at)
			VALUES (@id, 'agree', @guardian, 'online', @account, @now)`,
			pgx.NamedArgs{"id": r.ID, "guardian": guardianID, "account": accountID, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("keeping the consent to registration %s: %w", r.ID, err)
		}
		err = audit.Record(ctx, tx, audit.Account(accountID), "registration.agreed", "registration", r.ID.String(), map[string]any{"guardian": guardianID})
		if err != nil {
			return err
		}
		return s.goOn(ctx, tx, &r)
	})
}

// goOn accepts a request that waited for a consent alone. One that staff took back, that asks for an exception, or that
// something stands against by now is theirs to decide.
func (s *Store) goOn(ctx context.Context, tx db.Tx, r *Registration) error {
	if r.State != ToValidate || r.Derogation != "" {
		return nil
	}
	missing, err := s.awaited(ctx, tx, r)
	if err != nil || len(missing) > 0 {
		return err
	}
	undecided, err := paysFirst(ctx, tx, r.ID)
	if err != nil || !undecided {
		return err
	}
	f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
	if problem.Is(err, problem.KindInvalid) { // the ticket it asked for is gone
		return nil
	}
	if err != nil {
		return err
	}
	if f.Camp.Decision != camp.DecisionAutomatic || !r.mayStillCome(f) {
		return nil
	}
	return s.accept(ctx, tx, r, f, audit.Job("enrol"))
}

// overrideConsent lets staff validate without a consent that is missing; the reason is kept.
func (s *Store) overrideConsent(ctx context.Context, tx db.Tx, r *Registration, accountID uuid.UUID, reason string) error {
	missing, err := s.awaited(ctx, tx, r)
	if err != nil || len(missing) == 0 {
		return err
	}
	if reason == "" {
		var f problem.Fields
		f.Add("reason", "registration.consent_missing")
		return f.Err()
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO registration_override (registration_id, rule, reason, account_id, at)
		VALUES (@id, @rule, @reason, @account, @now)`,
		pgx.NamedArgs{"id": r.ID, "rule": ruleConsent, "reason": reason, "account": accountID, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("passing over the consent to registration %s: %w", r.ID, err)
	}
	return audit.Record(ctx, tx, audit.Account(accountID), "registration.overridden", "registration", r.ID.String(), map[string]any{"rule": ruleConsent})
}
