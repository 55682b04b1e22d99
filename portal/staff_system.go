package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"ribambelle/internal/audit"
	"ribambelle/internal/notice"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// Scheduled is one line of the schedule, as the system page shows it.
type Scheduled struct {
	Name string
	Next func(now time.Time) (time.Time, error) // when it is due after now
}

// jobRetrier is what River's client does with a job that gave up. It is asked of Config.Jobs.
type jobRetrier interface {
	JobRetry(ctx context.Context, id int64) (*rivertype.JobRow, error)
}

// staffSystemPage is how the machine fares.
type staffSystemPage struct {
	staffPage
	Odoo     odooState
	Cursors  []cursorRow
	Schedule []scheduleRow
	Queues   []queueFigures
	Failed   []failedJob
	CanRetry bool
	Mail     mailFigures
	Refusals int
}

type cursorRow struct {
	Model     string
	ChangedAt *time.Time
	PulledAt  *time.Time
	SweptAt   *time.Time
}

type scheduleRow struct {
	Name        string
	Enabled     bool
	LastFiredAt *time.Time
	LastOutcome *string
	Next        *time.Time
}

type queueFigures struct {
	Queue                                 string
	Waiting, Running, Retrying, Discarded int
	Oldest                                *time.Time
}

type failedJob struct {
	ID          int64
	Kind        string
	State       string
	Attempt     int
	MaxAttempts int
	At          time.Time // of the last attempt
	ScheduledAt time.Time
	Error       string
}

// GaveUp reports whether the job will not be tried again by itself.
func (f failedJob) GaveUp() bool { return f.State == "discarded" || f.State == "cancelled" }

type mailFigures struct {
	Waiting   int
	Oldest    *time.Time
	SentToday int
	Failed    []failedMail
}

type failedMail struct {
	ID       uuid.UUID
	Template string
	FailedAt time.Time
	Failure  string
}

// staffSystem shows the schedule, the queue, the link with Odoo and the mails.
func (s *server) staffSystem(w http.ResponseWriter, r *http.Request) error {
	base, q, err := s.staff(r, s.locale(r).T("staff.system.title"), "/gestion/systeme")
	if err != nil {
		return err
	}
	p := &staffSystemPage{staffPage: base, Refusals: q.OdooRefusals}
	_, p.CanRetry = s.Jobs.(jobRetrier)
	if p.Odoo, err = s.odooState(r.Context(), p.staffPage); err != nil {
		return err
	}
	for _, read := range []func(context.Context, *staffSystemPage) error{s.readCursors, s.readSchedule, s.readQueues, s.readFailed, s.readMail} {
		if err := read(r.Context(), p); err != nil {
			return fmt.Errorf("reading the state of the system: %w", err)
		}
	}
	return s.render(w, r, http.StatusOK, "staff/system", p)
}

func (s *server) readCursors(ctx context.Context, p *staffSystemPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT model, changed_at, pulled_at, swept_at
		FROM odoo_cursor
		ORDER BY model`)
	if err != nil {
		return err
	}
	p.Cursors, err = pgx.CollectRows(rows, pgx.RowToStructByName[cursorRow])
	return err
}

// readSchedule puts what ran last beside what runs next; a line that never ran is shown too.
func (s *server) readSchedule(ctx context.Context, p *staffSystemPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT name, enabled, last_fired_at, last_outcome
		FROM schedule
		ORDER BY name`)
	if err != nil {
		return err
	}
	ran, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[scheduleRow])
	if err != nil {
		return err
	}
	known := map[string]scheduleRow{}
	for _, row := range ran {
		known[row.Name] = row
	}
	for _, line := range s.Schedule {
		row, ok := known[line.Name]
		if !ok {
			row = scheduleRow{Name: line.Name, Enabled: true}
		}
		if next, err := line.Next(p.Now); err == nil && row.Enabled {
			row.Next = &next
		}
		p.Schedule = append(p.Schedule, row)
		delete(known, line.Name)
	}
	for _, row := range ran {
		if _, left := known[row.Name]; left {
			p.Schedule = append(p.Schedule, row)
		}
	}
	return nil
}

func (s *server) readQueues(ctx context.Context, p *staffSystemPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT queue,
		  (count(*) FILTER (WHERE state IN ('available', 'scheduled', 'pending')))::int AS waiting,
		  (count(*) FILTER (WHERE state = 'running'))::int AS running,
		  (count(*) FILTER (WHERE state = 'retryable'))::int AS retrying,
		  (count(*) FILTER (WHERE state = 'discarded'))::int AS discarded,
		  min(scheduled_at) FILTER (WHERE state = 'available') AS oldest
		FROM river_job
		WHERE state NOT IN ('completed', 'cancelled')
		GROUP BY queue
		ORDER BY queue`)
	if err != nil {
		return err
	}
	p.Queues, err = pgx.CollectRows(rows, pgx.RowToStructByName[queueFigures])
	return err
}

func (s *server) readFailed(ctx context.Context, p *staffSystemPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT id, kind, state::text AS state, attempt, max_attempts, COALESCE(attempted_at, created_at) AS at, scheduled_at,
		  COALESCE(errors[cardinality(errors)]->>'error', '') AS error
		FROM river_job
		WHERE state IN ('retryable', 'discarded')
		   OR state = 'cancelled' AND finalized_at > @since
		ORDER BY state = 'retryable', at DESC, id DESC
		LIMIT 50`,
		pgx.NamedArgs{"since": s.Now().AddDate(0, 0, -7)})
	if err != nil {
		return err
	}
	p.Failed, err = pgx.CollectRows(rows, pgx.RowToStructByName[failedJob])
	return err
}

func (s *server) readMail(ctx context.Context, p *staffSystemPage) error {
	err := s.DB.QueryRow(ctx, `
		SELECT (count(*) FILTER (WHERE sent_at IS NULL AND dropped_at IS NULL AND failed_at IS NULL))::int,
		  min(created_at) FILTER (WHERE sent_at IS NULL AND dropped_at IS NULL AND failed_at IS NULL),
		  (count(*) FILTER (WHERE sent_at >= @today))::int
		FROM message
		WHERE created_at > @since`,
		pgx.NamedArgs{"since": s.Now().AddDate(0, 0, -30), "today": s.today().Time(p.Now.Location())}).Scan(&p.Mail.Waiting, &p.Mail.Oldest, &p.Mail.SentToday)
	if err != nil {
		return err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT id, template, failed_at, failure
		FROM message
		WHERE failed_at IS NOT NULL
		ORDER BY failed_at DESC
		LIMIT 20`)
	if err != nil {
		return err
	}
	p.Mail.Failed, err = pgx.CollectRows(rows, pgx.RowToStructByName[failedMail])
	return err
}

// staffJobRetry gives a job that failed another try, now.
func (s *server) staffJobRetry(w http.ResponseWriter, r *http.Request) error {
	queue, ok := s.Jobs.(jobRetrier)
	if !ok {
		return problem.Unavailable("staff.system.no_retry")
	}
	id, err := strconv.ParseInt(mux.Vars(r)["job"], 10, 64)
	if err != nil {
		return problem.NotFound("portal.error.not_found")
	}
	_, err = queue.JobRetry(r.Context(), id)
	if errors.Is(err, river.ErrNotFound) {
		return problem.NotFound("portal.error.not_found")
	}
	if err != nil {
		return fmt.Errorf("retrying job %d: %w", id, err)
	}
	actor, _ := s.actorOf(r)
	if err := audit.Record(r.Context(), s.DB, actor, "job.retried", "job", strconv.FormatInt(id, 10), nil); err != nil {
		return err
	}
	s.flash(w, "flash.job_retried")
	return seeOther(w, r, "/gestion/systeme")
}

// staffMailRetry sends a mail again that had failed, once the address or the server is mended.
func (s *server) staffMailRetry(w http.ResponseWriter, r *http.Request) error {
	queue, ok := s.Jobs.(notice.Queue)
	if !ok {
		return problem.Unavailable("staff.system.no_retry")
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	messages := notice.Store{DB: s.DB, Now: s.Now, Jobs: queue}
	if err := messages.Retry(r.Context(), actor, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.mail_retried")
	return seeOther(w, r, officeNext(f.Text("to"), "/gestion/taches"))
}

// officeNext returns an address of the office to go on to, or fallback.
func officeNext(to, fallback string) string {
	if next := safeNext(to, fallback); strings.HasPrefix(next, "/gestion/") {
		return next
	}
	return fallback
}
