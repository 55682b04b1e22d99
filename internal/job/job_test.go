package job_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/job"
)

// worker runs a function for each MessageSend.
type worker struct {
	river.WorkerDefaults[job.MessageSend]
	work func(context.Context, *river.Job[job.MessageSend]) error
}

func (w *worker) Work(ctx context.Context, j *river.Job[job.MessageSend]) error {
	return w.work(ctx, j)
}

// working starts a client that hands each MessageSend to work.
func working(t *testing.T, d *db.DB, work func(context.Context, *river.Job[job.MessageSend]) error) *job.Client {
	t.Helper()
	c, err := job.New(d, slog.New(slog.DiscardHandler), func(w *river.Workers) { river.AddWorker(w, &worker{work: work}) })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func insert(t *testing.T, d *db.DB, in job.Inserter, args river.JobArgs) *rivertype.JobInsertResult {
	t.Helper()
	var got *rivertype.JobInsertResult
	err := d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) (err error) {
		got, err = in.InsertTx(ctx, tx, args, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestInsertTx(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ran := make(chan string, 10)
	working(t, d, func(_ context.Context, j *river.Job[job.MessageSend]) error { ran <- j.Args.MessageID; return nil })
	in, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	err = d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
		if _, err := in.InsertTx(ctx, tx, job.MessageSend{MessageID: "rolled back"}, nil); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	insert(t, d, in, job.MessageSend{MessageID: "sent"})
	if got := receive(t, ran); got != "sent" {
		t.Errorf("ran %q: the job of a rolled back transaction", got)
	}
}

func TestUnique(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	in, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 1, 6, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		args      river.JobArgs
		duplicate bool
	}{
		{job.SyncPull{}, false},
		{job.SyncPull{}, true},
		{job.SyncPull{Full: true}, false},
		{job.SyncPush{}, false},
		{job.SyncPush{}, true},
		{job.RemindersDue{At: at}, false},
		{job.RemindersDue{At: at}, true},
		{job.RemindersDue{At: at.Add(time.Minute)}, false},
		{job.PaymentCheck{PaymentID: "1"}, false},
		{job.PaymentCheck{PaymentID: "1"}, false},
	} {
		if got := insert(t, d, in, tc.args); got.UniqueSkippedAsDuplicate != tc.duplicate {
			t.Errorf("%s %+v: duplicate %v, want %v", tc.args.Kind(), tc.args, got.UniqueSkippedAsDuplicate, tc.duplicate)
		}
	}
	// Once done, a sweep can be asked for again.
	if _, err := d.Exec(t.Context(), `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE kind = 'sync_push'`); err != nil {
		t.Fatal(err)
	}
	if got := insert(t, d, in, job.SyncPush{}); got.UniqueSkippedAsDuplicate {
		t.Error("a completed push blocks the next one")
	}
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := working(t, d, func(context.Context, *river.Job[job.MessageSend]) error {
		return job.Permanent(errors.New("no such address"))
	})
	events, cancel := c.Subscribe(river.EventKindJobCancelled, river.EventKindJobFailed)
	defer cancel()
	insert(t, d, c, job.MessageSend{MessageID: "1"})
	if got := receive(t, events); got.Job.State != rivertype.JobStateCancelled {
		t.Errorf("state %s, want cancelled at the first try", got.Job.State)
	}
}

// A job that a killed process left running is worked by the next one at its start; the job of a living one is not.
func TestDeadProcess(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	started, release := make(chan string, 10), make(chan struct{})
	c := working(t, d, func(_ context.Context, j *river.Job[job.MessageSend]) error {
		started <- j.Args.MessageID
		<-release
		return nil
	})
	insert(t, d, c, job.MessageSend{MessageID: "alive"})
	receive(t, started)
	left := insert(t, d, c, job.MessageSend{MessageID: "left"})
	receive(t, started)
	const kill = `UPDATE river_job SET attempted_by = ARRAY['killed-1'] WHERE id = @id`
	if _, err := d.Exec(t.Context(), kill, pgx.NamedArgs{"id": left.Job.ID}); err != nil {
		t.Fatal(err)
	}
	again := make(chan string, 10)
	working(t, d, func(_ context.Context, j *river.Job[job.MessageSend]) error { again <- j.Args.MessageID; return nil })
	if got := receive(t, again); got != "left" {
		t.Errorf("the next process ran %q", got)
	}
	var state string
	if err := d.QueryRow(t.Context(), `SELECT state FROM river_job WHERE args->>'message_id' = 'alive'`).Scan(&state); err != nil || state != "running" {
		t.Errorf("the living process's job is %s, %v, want running", state, err)
	}
	close(release)
}

func TestFireOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	slot := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	firsts := make([]bool, 8)
	var wg sync.WaitGroup
	for i := range firsts {
		wg.Go(func() {
			err := d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) (err error) {
				firsts[i], err = job.Fire(ctx, tx, "pull", slot)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, first := range firsts {
		if first {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d transactions were first, want 1", n)
	}
}

func TestFire(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	slot := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	fire := func(slot time.Time, fail error) (first bool) {
		t.Helper()
		err := d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) (err error) {
			if first, err = job.Fire(ctx, tx, "pull", slot); err != nil {
				return err
			}
			return fail
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
		return first
	}
	fire(slot, errors.New("the job could not be inserted"))
	if !fire(slot, nil) {
		t.Error("a rolled back claim holds the slot")
	}
	if fire(slot.In(time.FixedZone("CET", 3600)), nil) {
		t.Error("the same instant in another zone fires again")
	}
	if !fire(slot.Add(8*24*time.Hour), nil) {
		t.Error("the next slot does not fire")
	}
	var kept int
	if err := d.QueryRow(t.Context(), `SELECT count(*) FROM schedule_fire`).Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d slots kept, %v, want the last week's", kept, err)
	}
	if _, err := d.Exec(t.Context(), `UPDATE schedule SET enabled = false`); err != nil {
		t.Fatal(err)
	}
	if fire(slot.Add(9*24*time.Hour), nil) {
		t.Error("fires although it is switched off")
	}
}
