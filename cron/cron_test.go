package cron

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/robfig/cron/v3"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/job"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, e := range Schedule {
		if names[e.Name] {
			t.Errorf("%s stands twice", e.Name)
		}
		names[e.Name] = true
		schedule, err := cron.ParseStandard(e.Spec)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
			if (24*time.Hour)%every.Delay != 0 {
				t.Errorf("%s: %v does not divide a day, its slots would wander", e.Name, every.Delay)
			}
			continue
		}
		if !strings.HasPrefix(e.Spec, "CRON_TZ=Europe/Brussels ") {
			t.Errorf("%s: a daily schedule without its zone", e.Name)
		}
		// A whole year, both clock changes included: once a day, never in the hour that is skipped or doubled.
		days := map[civil.Date]int{}
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, civil.Brussels)
		for at := schedule.Next(time.Date(2025, 12, 31, 23, 59, 59, 0, civil.Brussels)); at.Before(end); at = schedule.Next(at) {
			if hour := at.In(civil.Brussels).Hour(); hour == 2 {
				t.Fatalf("%s is due at %v", e.Name, at)
			}
			days[civil.DateOf(at, civil.Brussels)]++
		}
		if len(days) != 365 {
			t.Errorf("%s ran on %d days of 2026", e.Name, len(days))
		}
		for day, n := range days {
			if n != 1 {
				t.Errorf("%s ran %d times on %v", e.Name, n, day)
			}
		}
	}
}

func TestSlot(t *testing.T) {
	t.Parallel()
	brussels := func(s string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, s, civil.Brussels)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	const daily = "CRON_TZ=Europe/Brussels 15 4 * * *"
	for _, tc := range []struct{ spec, now, want, next string }{
		{"@every 1m", "2026-07-01 10:00:59", "2026-07-01 10:00:00", "2026-07-01 10:01:00"},
		{"@every 15m", "2026-07-01 10:00:00", "2026-07-01 10:00:00", "2026-07-01 10:15:00"},
		{daily, "2026-07-01 04:15:00", "2026-07-01 04:15:00", "2026-07-02 04:15:00"},
		{daily, "2026-07-01 04:14:59", "2026-06-30 04:15:00", "2026-07-01 04:15:00"},
		{daily, "2026-10-25 04:00:00", "2026-10-24 04:15:00", "2026-10-25 04:15:00"}, // the long night
		{daily, "2026-03-29 05:00:00", "2026-03-29 04:15:00", "2026-03-30 04:15:00"}, // the short one
	} {
		got, err := Slot(tc.spec, brussels(tc.now))
		if err != nil || !got.Equal(brussels(tc.want)) || got.Location() != time.UTC {
			t.Errorf("Slot(%q, %s) = %v, %v, want %s", tc.spec, tc.now, got, err, tc.want)
		}
		if next, err := Next(tc.spec, brussels(tc.now)); err != nil || !next.Equal(brussels(tc.next)) {
			t.Errorf("Next(%q, %s) = %v, %v, want %s", tc.spec, tc.now, next, err, tc.next)
		}
	}
	if _, err := Slot("every day", time.Now()); err == nil {
		t.Error("accepts nonsense")
	}
}

func setup(t *testing.T) (*db.DB, *job.Client) {
	t.Helper()
	d := dbtest.New(t)
	in, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	return d, in
}

func count(t *testing.T, d *db.DB, kind string) (n int) {
	t.Helper()
	const q = `SELECT count(*) FROM river_job WHERE kind = @kind`
	if err := d.QueryRow(t.Context(), q, pgx.NamedArgs{"kind": kind}).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// reminders is not unique in the queue itself, so that only the slot can hold a second one back.
var reminders = Entry{"reminders", "@every 15m", func(time.Time) river.JobArgs { return job.MessageSend{MessageID: "1"} }}

func TestTickTogether(t *testing.T) {
	t.Parallel()
	d, in := setup(t)
	now := time.Date(2026, 7, 1, 8, 0, 1, 0, time.UTC)
	var wg sync.WaitGroup
	for i := range 6 { // instances whose clocks differ by a few seconds
		wg.Go(func() {
			if _, err := Tick(t.Context(), d, in, reminders, now.Add(time.Duration(i)*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := count(t, d, "message_send"); got != 1 {
		t.Errorf("%d jobs, want 1", got)
	}
	if fired, err := Tick(t.Context(), d, in, reminders, now.Add(15*time.Minute)); err != nil || !fired {
		t.Errorf("the next slot: %v, %v", fired, err)
	}
}

// brokenQueue refuses every job.
type brokenQueue struct{}

func (brokenQueue) InsertTx(context.Context, pgx.Tx, river.JobArgs, *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	return nil, errors.New("no queue")
}

func TestTickFailed(t *testing.T) {
	t.Parallel()
	d, in := setup(t)
	now := time.Date(2026, 7, 1, 8, 0, 1, 0, time.UTC)
	if fired, err := Tick(t.Context(), d, brokenQueue{}, reminders, now); err == nil || fired {
		t.Errorf("got %v, %v, want the queue's error", fired, err)
	}
	if fired, err := Tick(t.Context(), d, in, reminders, now); err != nil || !fired {
		t.Errorf("got %v, %v: the failed tick took the slot and its job is lost", fired, err)
	}
}

func TestStartCatchesUp(t *testing.T) {
	t.Parallel()
	d, in := setup(t)
	daily := []Entry{{"sweep", "CRON_TZ=Europe/Brussels 15 4 * * *", func(time.Time) river.JobArgs { return job.MessageSend{MessageID: "1"} }}}
	for range 3 { // three starts in one day
		r, err := Start(t.Context(), d, in, slog.New(slog.DiscardHandler), daily)
		if err != nil {
			t.Fatal(err)
		}
		r.Stop()
	}
	// One, or two when 04:15 passed between the starts.
	if got := count(t, d, "message_send"); got < 1 || got > 2 {
		t.Errorf("%d jobs, want one catch-up", got)
	}
}
