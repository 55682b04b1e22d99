package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"ribambelle/internal/job"
	"ribambelle/internal/mirror"
)

// runTimeout bounds one run: a first pull of a large Odoo takes minutes.
const runTimeout = 30 * time.Minute

// Register adds the workers of this room.
func (s *Syncer) Register(workers *river.Workers) {
	river.AddWorker(workers, &worker[job.SyncPull]{run: func(ctx context.Context, args job.SyncPull) (Result, error) { return s.Pull(ctx, args.Full) }, log: s.Log})
	river.AddWorker(workers, &worker[job.SyncPush]{run: func(ctx context.Context, _ job.SyncPush) (Result, error) { return s.everythingAsked(ctx) }, log: s.Log})
	river.AddWorker(workers, &worker[job.SyncSweep]{run: func(ctx context.Context, _ job.SyncSweep) (Result, error) { return s.Run(ctx, true) }, log: s.Log})
	river.AddWorker(workers, &worker[job.SyncCommand]{run: func(ctx context.Context, _ job.SyncCommand) (Result, error) { return s.Command(ctx) }, log: s.Log})
	river.AddWorker(workers, &worker[job.SyncFix]{run: func(ctx context.Context, _ job.SyncFix) (Result, error) { return s.Fix(ctx) }, log: s.Log})
	river.AddWorker(workers, &pushSoon{})
}

// everythingAsked pushes, and carries out what staff asked while the job for it was already running.
func (s *Syncer) everythingAsked(ctx context.Context) (Result, error) {
	commands, err := mirror.CommandsIn(ctx, s.DB, mirror.CommandWaiting)
	if err == nil && len(commands) > 0 {
		_, err = s.Command(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	fixes, err := mirror.DriftToFix(ctx, s.DB)
	if err != nil {
		return Result{}, err
	}
	if len(fixes) > 0 {
		return s.Fix(ctx)
	}
	return s.Push(ctx)
}

type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	run func(context.Context, T) (Result, error)
	log *slog.Logger
}

// Work runs once; an error is tried again with growing pauses.
func (w *worker[T]) Work(ctx context.Context, j *river.Job[T]) error {
	r, err := w.run(ctx, j.Args)
	if errors.Is(err, errVanished) {
		return job.Permanent(err) // a person decides; the next night tries again
	}
	if err != nil {
		return err
	}
	w.log.DebugContext(ctx, "synchronised", "job", j.Kind, "result", r)
	return nil
}

// Timeout leaves a run enough time for a large Odoo.
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return runTimeout }

// pushSoon turns the signal of one change into the one push that waits.
type pushSoon struct {
	river.WorkerDefaults[job.PushSoon]
}

// Work inserts a push unless one waits already.
func (*pushSoon) Work(ctx context.Context, _ *river.Job[job.PushSoon]) error {
	if _, err := river.ClientFromContext[pgx.Tx](ctx).Insert(ctx, job.SyncPush{}, nil); err != nil {
		return fmt.Errorf("asking for a push: %w", err)
	}
	return nil
}
