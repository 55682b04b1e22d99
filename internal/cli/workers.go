package cli

import (
	"context"
	"errors"

	"github.com/riverqueue/river"

	"ribambelle/internal/audit"
	"ribambelle/internal/cash"
	"ribambelle/internal/dunning"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
)

// workers names what each job does. A job whose worker is not here stays in the queue for a process that has it.
func (a *app) workers() []func(*river.Workers) {
	rooms := []func(*river.Workers){
		a.notice.Register,
		worker(func(ctx context.Context, _ job.ExpireDue) error {
			if _, err := a.enrol.Expire(ctx); err != nil {
				return err
			}
			if _, err := a.enrol.Complete(ctx); err != nil {
				return err
			}
			if _, err := a.enrol.Overdue(ctx); err != nil {
				return err
			}
			_, err := cash.New(a.db, a.now).Overnight(ctx)
			return err
		}),
		worker(func(ctx context.Context, args job.PaymentCheck) error {
			id, err := parseID(args.PaymentID)
			if err != nil {
				return job.Permanent(err)
			}
			_, err = a.enrol.CheckPayment(ctx, id)
			return err
		}),
		worker(func(ctx context.Context, _ job.DunningDue) error {
			_, err := dunning.New(a.db, a.now, a.jobs).Automatic(ctx)
			return err
		}),
		worker(func(ctx context.Context, _ job.PaymentSweep) error {
			_, err := a.enrol.SweepPayments(ctx)
			_, refunds := a.enrol.SweepRefunds(ctx)
			return errors.Join(err, refunds)
		}),
		worker(func(ctx context.Context, args job.RefundSend) error {
			id, err := parseID(args.RefundID)
			if err != nil {
				return job.Permanent(err)
			}
			return a.enrol.SendRefund(ctx, id)
		}),
		worker(func(ctx context.Context, _ job.InstalmentsDue) error {
			_, err := a.enrol.Instalments(ctx)
			return err
		}),
		worker(func(ctx context.Context, args job.OrganisationsDue) error {
			_, err := ledger.NewOrganisations(a.db, a.now, a.jobs).InvoiceMonths(ctx, audit.Job(args.Kind()))
			return err
		}),
		worker(func(ctx context.Context, _ job.HouseholdSweep) error {
			_, err := a.household.BlocksEnding(ctx)
			return err
		}),
		worker(func(ctx context.Context, _ job.AccountSweep) error {
			_, err := a.account.Sweep(ctx)
			return err
		}),
	}
	if a.sync != nil {
		return append(rooms, a.sync.Register)
	}
	// Not mirrored: what enrolment asks for is dropped, or it would pile up for ever.
	return append(rooms, worker(func(context.Context, job.PushSoon) error { return nil }))
}

// worker registers a function as the worker of the jobs with arguments of type T.
func worker[T river.JobArgs](f func(context.Context, T) error) func(*river.Workers) {
	return func(w *river.Workers) {
		river.AddWorker(w, river.WorkFunc(func(ctx context.Context, j *river.Job[T]) error { return f(ctx, j.Args) }))
	}
}
