// Package notice writes to people: it decides who is told of what and when, keeps each mail as a message that is sent
// at least once under one Message-ID, and computes which reminders are due. It alone writes the tables message and
// reminder_rule.
package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"ribambelle/internal/account"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/mail"
	"ribambelle/reports"
)

// Sender hands one mail to a server. *mail.Sender is the real one; what it returns is typed by mail.Temporary.
type Sender interface {
	Send(ctx context.Context, m mail.Message) error
}

// Queue inserts jobs in a transaction, one or thousands; *job.Client is one.
type Queue interface {
	job.Inserter
	InsertManyFastTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) (int, error)
}

// Store writes messages and sends them. It is safe for concurrent use.
type Store struct {
	DB           *db.DB
	Now          civil.Clock
	Jobs         Queue
	Sender       Sender
	Accounts     *account.Store
	Families     *household.Store // makes the links of mailed codes
	Ledger       *ledger.Store
	Reports      *reports.Store // draws invoices
	PublicURL    string         // where the portal is, without a slash at the end
	Log          *slog.Logger
	Attestations *ledger.Attestations // told of by attestationIssued
}

// New returns a Store on d. PublicURL is the absolute address under which families reach the portal.
func New(d *db.DB, now civil.Clock, jobs Queue, sender Sender, accounts *account.Store, documents *reports.Store, publicURL string, log *slog.Logger) *Store {
	return &Store{
		DB: d, Now: now, Jobs: jobs, Sender: sender, Accounts: accounts, Families: household.New(d, now, accounts.Box, jobs), Ledger: ledger.New(d, now), Reports: documents,
		PublicURL: strings.TrimRight(publicURL, "/"), Log: log,
	}
}

// Register adds the workers of this room; job.New takes it.
func (s *Store) Register(workers *river.Workers) {
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.AccountMail]) error {
		return s.accountMail(ctx, j.Args.CodeID)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.RegistrationChanged]) error {
		return s.registrationChanged(ctx, j.Args.EventID)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.CancelAsked]) error {
		return s.cancelAsked(ctx, j.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.PaymentAsked]) error {
		return s.paymentAsked(ctx, j.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.RefundChanged]) error {
		return s.refundChanged(ctx, j.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.ClaimMail]) error {
		return s.claimMail(ctx, j.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.ConsentAsked]) error {
		return s.consentAsked(ctx, j.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.InvoiceIssued]) error {
		id, err := uuid.Parse(j.Args.InvoiceID)
		if err != nil {
			return job.Permanent(fmt.Errorf("reading the id of an invoice: %w", err))
		}
		return s.invoiceIssued(ctx, id)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.CreditNoteIssued]) error {
		id, err := uuid.Parse(j.Args.CreditNoteID)
		if err != nil {
			return job.Permanent(fmt.Errorf("reading the id of a credit note: %w", err))
		}
		return s.creditIssued(ctx, id)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.AttestationIssued]) error {
		return s.attestationIssued(ctx, j.Args.AttestationID)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.DunningSent]) error {
		id, err := uuid.Parse(j.Args.StepID)
		if err != nil {
			return job.Permanent(fmt.Errorf("reading the id of a reminder: %w", err))
		}
		return s.dunningSent(ctx, id)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.ComplaintAnswered]) error {
		id, err := uuid.Parse(j.Args.ComplaintID)
		if err != nil {
			return job.Permanent(fmt.Errorf("reading the id of a complaint: %w", err))
		}
		return s.complaintAnswered(ctx, id)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.RemindersDue]) error {
		return s.remindersDue(ctx, j.Args.At)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[job.MessageSend]) error {
		id, err := uuid.Parse(j.Args.MessageID)
		if err != nil {
			return job.Permanent(fmt.Errorf("reading the id of a message: %w", err))
		}
		err = s.Send(ctx, id, j.Attempt >= j.MaxAttempts)
		var later *laterError
		if errors.As(err, &later) {
			return river.JobSnooze(later.wait)
		}
		return err
	}))
}

// Nobody is woken by an offer or a reminder: between these hours in Brussels they wait for the morning.
const (
	dayBegins = 8
	dayEnds   = 20
)

// morning returns t itself by day, and by night the next eight o'clock in Brussels.
func morning(t time.Time) time.Time {
	day := civil.DateOf(t, civil.Brussels)
	switch hour := t.In(civil.Brussels).Hour(); {
	case hour >= dayEnds:
		day = day.AddDays(1)
	case hour >= dayBegins:
		return t
	}
	return day.At(dayBegins*60, civil.Brussels)
}
