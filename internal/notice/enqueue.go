package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
)

// The templates beside those of reminder rules; a registration's is templateRegistration and the state it came to.
const (
	templateAccount      = "account_" // and the purpose of the code
	templateRegistration = "registration_"
	templateBus          = templateRegistration + "bus_changed"
	templateBusRefused   = templateRegistration + "bus_refused"
	templateSessions     = templateRegistration + "sessions_cancelled"
	templatePaymentAsked = "payment_asked"
	templateRefund       = "refund_" // and the state of the refund
	templateStays        = templateRegistration + "cancel_refused"
	templateInvoice      = "invoice"
	templateCredit       = "credit_note"
	templateAttestation  = "attestation"
	templateConsent      = "consent_asked"
	templateCancelAsked  = "cancel_asked"
	templateClaim        = "family_claim"
)

// told are the states of which the family is told. What lies between them passes within one transaction, or says
// nothing new.
var told = []enrol.State{
	enrol.ToValidate, enrol.AwaitingPayment, enrol.Waitlisted, enrol.Offered, enrol.Confirmed,
	enrol.Refused, enrol.Declined, enrol.Expired, enrol.Withdrawn, enrol.Cancelled, enrol.CampCancelled,
}

func toGuardian(id uuid.UUID) string { return "guardian:" + id.String() }

// put keeps a message for each recipient that has none yet for that template, subject and slot, with the job that
// sends it, in the caller's transaction. at is when it may leave; nil is now.
func (s *Store) put(ctx context.Context, tx db.Tx, template, subjectID string, slot time.Time, at *time.Time, recipients ...string) error {
	rows, err := tx.Query(ctx, `
		INSERT INTO message (template, subject_id, recipient, slot, created_at)
		SELECT @template, @subject, r, @slot, @now
		FROM unnest(@recipients::text[]) AS r
		ORDER BY r
		ON CONFLICT DO NOTHING
		RETURNING id`,
		pgx.NamedArgs{"template": template, "subject": subjectID, "slot": slot, "now": s.Now(), "recipients": recipients})
	if err != nil {
		return fmt.Errorf("keeping the messages %s of %s: %w", template, subjectID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("keeping the messages %s of %s: %w", template, subjectID, err)
	}
	return s.enqueue(ctx, tx, ids, at)
}

// enqueue inserts the jobs that send messages, in the transaction that wrote them.
func (s *Store) enqueue(ctx context.Context, tx db.Tx, ids []uuid.UUID, at *time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	jobs := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		jobs[i].Args = job.MessageSend{MessageID: id.String()}
		if at != nil {
			opts := job.MessageSend{}.InsertOpts()
			opts.ScheduledAt = *at
			jobs[i].InsertOpts = &opts
		}
	}
	if _, err := s.Jobs.InsertManyFastTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("enqueueing %d messages: %w", len(ids), err)
	}
	return nil
}

// accountMail keeps the message of a mailed code.
func (s *Store) accountMail(ctx context.Context, codeID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var accountID uuid.UUID
		var purpose string
		var created time.Time
		err := tx.QueryRow(ctx, `
			SELECT account_id, purpose, created_at
			FROM account_code
			WHERE id = @id`,
			pgx.NamedArgs{"id": codeID}).Scan(&accountID, &purpose, &created)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // the account was removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("reading code %s: %w", codeID, err)
		}
		return s.put(ctx, tx, templateAccount+purpose, codeID.String(), created, nil, "account:"+accountID.String())
	})
}

// registrationChanged keeps the messages of one line of a registration's history: to who registered and who pays, and
// of a confirmation, an exit or another bus to every guardian who receives messages about the child.
func (s *Store) registrationChanged(ctx context.Context, eventID int64) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		e, err := readEvent(ctx, tx, eventID)
		if errors.Is(err, errGone) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.busRefused() {
			return s.busRefused(ctx, tx, eventID, e)
		}
		if e.sessionsCancelled() {
			return s.sessionsCancelled(ctx, tx, eventID, e)
		}
		if e.cancelRefused() {
			return s.cancelRefused(ctx, tx, eventID, e)
		}
		if e.Outdated || !slices.Contains(told, e.ToState) && !e.busChanged() {
			return nil
		}
		near, err := s.near(ctx, tx, e)
		if err != nil {
			return err
		}
		var recipients []string
		for _, id := range near {
			recipients = append(recipients, toGuardian(id))
		}
		if e.busChanged() || e.ToState == enrol.Confirmed || e.ToState.Info().Exit {
			others, err := s.listeners(ctx, tx, e.ChildID, near...)
			if err != nil {
				return err
			}
			recipients = append(recipients, others...)
		}
		var at *time.Time
		if later := morning(s.Now()); e.ToState == enrol.Offered && !e.busChanged() && later.After(s.Now()) {
			at = &later
		}
		template := templateRegistration + string(e.ToState)
		if e.busChanged() {
			template = templateBus
		}
		return s.put(ctx, tx, template, fmt.Sprint(eventID), e.At, at, recipients...)
	})
}

// near returns who registered and who pays, all of it or a part.
func (s *Store) near(ctx context.Context, tx db.Tx, e event) ([]uuid.UUID, error) {
	payers, err := payersOf(ctx, tx, e.RegistrationID)
	if err != nil {
		return nil, err
	}
	near := []uuid.UUID{e.RegistrantID}
	for _, id := range append([]uuid.UUID{e.PayerID}, payers...) {
		if !slices.Contains(near, id) {
			near = append(near, id)
		}
	}
	return near, nil
}

// busRefused keeps the messages of a refused wish for other stops: to who asked last, who registered and who pays.
func (s *Store) busRefused(ctx context.Context, tx db.Tx, eventID int64, e event) error {
	rows, err := tx.Query(ctx, `
		SELECT 'guardian:' || (detail ->> 'guardian')
		FROM audit
		WHERE subject_kind = 'registration'
		  AND subject_id = @id
		  AND action = 'registration.bus_asked'
		ORDER BY id DESC
		LIMIT 1`,
		pgx.NamedArgs{"id": e.RegistrationID.String()})
	if err != nil {
		return fmt.Errorf("reading who asked for another bus: %w", err)
	}
	recipients, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading who asked for another bus: %w", err)
	}
	for _, id := range []uuid.UUID{e.RegistrantID, e.PayerID} {
		if to := toGuardian(id); !slices.Contains(recipients, to) {
			recipients = append(recipients, to)
		}
	}
	return s.put(ctx, tx, templateBusRefused, fmt.Sprint(eventID), e.At, nil, recipients...)
}

// listeners returns the guardians who receive messages about a child today, except some.
func (s *Store) listeners(ctx context.Context, tx db.Tx, childID uuid.UUID, except ...uuid.UUID) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT h.guardian_id
		FROM (`+household.HoldersSQL("@on::date", household.RightMessages)+`) AS h
		WHERE h.child_id = @child
		  AND h.guardian_id <> ALL(@except)
		ORDER BY h.guardian_id`,
		pgx.NamedArgs{"child": childID, "on": civil.DateOf(s.Now(), civil.Brussels), "except": except})
	if err != nil {
		return nil, fmt.Errorf("reading who receives messages about child %s: %w", childID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading who receives messages about child %s: %w", childID, err)
	}
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = toGuardian(id)
	}
	return all, nil
}

// invoiceIssued draws an invoice, keeps the drawing, and keeps the message that brings it to its payer.
func (s *Store) invoiceIssued(ctx context.Context, id uuid.UUID) error {
	inv, err := s.Ledger.Invoice(ctx, id)
	if err != nil {
		return err
	}
	if _, err := s.Reports.Invoice(ctx, id, audit.Job(job.InvoiceIssued{}.Kind())); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateInvoice, id.String(), inv.IssuedAt, nil, toGuardian(inv.PayerID))
	})
}
