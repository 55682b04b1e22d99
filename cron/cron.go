// Package cron says when: the schedule, and the job that each of its slots enqueues once, however many instances tick.
package cron

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"

	"ribambelle/internal/db"
	"ribambelle/internal/job"
)

// Entry is one line of the schedule.
type Entry struct {
	Name string // key of the rows schedule and schedule_fire; it never changes
	Spec string // "@every …" or, for daily ones, "CRON_TZ=Europe/Brussels minute hour * * *"

	// Args makes the slot's job. The slot is the instant (UTC) at which it was due.
	Args func(slot time.Time) river.JobArgs
}

// Schedule is what runs by itself. Specs are constants because a bad one panics; daily ones stay out of 02:00–03:00,
// an hour that Brussels skips in March and lives twice in October.
var Schedule = []Entry{
	{"sync_pull", "@every 1m", func(time.Time) river.JobArgs { return job.SyncPull{} }},
	{"sync_push", "@every 1m", func(time.Time) river.JobArgs { return job.SyncPush{} }},
	{"payment_sweep", "@every 1m", func(time.Time) river.JobArgs { return job.PaymentSweep{} }},
	{"expire_due", "@every 1m", func(time.Time) river.JobArgs { return job.ExpireDue{} }},
	{"reminders_due", "@every 15m", func(slot time.Time) river.JobArgs { return job.RemindersDue{At: slot} }},
	{"account_sweep", "CRON_TZ=Europe/Brussels 30 3 * * *", func(time.Time) river.JobArgs { return job.AccountSweep{} }},
	{"dunning_due", "CRON_TZ=Europe/Brussels 30 9 * * *", func(slot time.Time) river.JobArgs { return job.DunningDue{At: slot} }},
	{"household_sweep", "CRON_TZ=Europe/Brussels 45 3 * * *", func(time.Time) river.JobArgs { return job.HouseholdSweep{} }},
	{"instalments_due", "CRON_TZ=Europe/Brussels 0 7 * * *", func(time.Time) river.JobArgs { return job.InstalmentsDue{} }},
	// Daily, so that the first day of a month is made up for; on any other there is nothing left to invoice.
	{"organisations_due", "CRON_TZ=Europe/Brussels 30 6 * * *", func(time.Time) river.JobArgs { return job.OrganisationsDue{} }},
	{"sync_sweep", "CRON_TZ=Europe/Brussels 15 4 * * *", func(time.Time) river.JobArgs { return job.SyncSweep{} }},
}

// lookBack is longer than the longest distance between two slots of a daily spec (25 hours in October).
const lookBack = 26 * time.Hour

// Slot returns the last instant (UTC) at or before now at which the spec was due, the same in every instance.
// Frequent specs are truncated in UTC; the others follow their calendar.
func Slot(spec string, now time.Time) (time.Time, error) {
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the schedule %q: %w", spec, err)
	}
	if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
		return now.UTC().Truncate(every.Delay), nil
	}
	var slot time.Time
	for next := schedule.Next(now.Add(-lookBack)); !next.IsZero() && !next.After(now); next = schedule.Next(next) {
		slot = next
	}
	if slot.IsZero() {
		return time.Time{}, fmt.Errorf("the schedule %q was not due in the last %v", spec, lookBack)
	}
	return slot.UTC(), nil
}

// Tick enqueues the job of the entry's last slot at now, unless an instance did so already. The claim and the job
// commit together. It reports whether the job was enqueued here.
func Tick(ctx context.Context, d *db.DB, in job.Inserter, e Entry, now time.Time) (fired bool, err error) {
	slot, err := Slot(e.Spec, now)
	if err != nil {
		return false, err
	}
	err = d.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if fired, err = job.Fire(ctx, tx, e.Name, slot); err != nil || !fired {
			return err
		}
		if _, err := in.InsertTx(ctx, tx, e.Args(slot), nil); err != nil {
			return fmt.Errorf("enqueueing %s: %w", e.Name, err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return fired, nil
}

// Runner ticks while a process serves.
type Runner struct {
	cron   *cron.Cron
	cancel context.CancelFunc
}

// Start catches up, one tick for each entry whose last slot nobody took while everything was down, and then ticks
// until Stop. A tick that fails is logged; the next one or the next start makes up for it.
func Start(ctx context.Context, d *db.DB, in job.Inserter, logger *slog.Logger, schedule []Entry) (*Runner, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &Runner{cron: cron.New(cron.WithLogger(cron.DiscardLogger)), cancel: cancel}
	for _, e := range schedule {
		tick := func() {
			if _, err := Tick(ctx, d, in, e, time.Now()); err != nil && ctx.Err() == nil {
				logger.ErrorContext(ctx, "schedule", "name", e.Name, "error", err)
			}
		}
		if _, err := r.cron.AddFunc(e.Spec, tick); err != nil {
			cancel()
			return nil, fmt.Errorf("reading the schedule %s: %w", e.Name, err)
		}
		tick()
	}
	r.cron.Start()
	return r, nil
}

// Stop ends the ticking and waits for a tick under way, which is cut short.
func (r *Runner) Stop() {
	stopped := r.cron.Stop()
	r.cancel()
	<-stopped.Done()
}

// Next returns when the spec is due after now, in UTC, for the page that shows the schedule.
func Next(spec string, now time.Time) (time.Time, error) {
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the schedule %q: %w", spec, err)
	}
	if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
		return now.UTC().Truncate(every.Delay).Add(every.Delay), nil
	}
	return schedule.Next(now).UTC(), nil
}
