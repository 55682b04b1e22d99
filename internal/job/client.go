// Package job is the durable queue: every job's arguments, who runs them, when they are tried again, and which slots
// of the schedule have fired.
package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"ribambelle/internal/db"
)

// Inserter puts a job into the queue as part of the caller's transaction: it runs after the commit, or never.
type Inserter interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Client is River's client on our database. Made by New it also works jobs between Start and Stop.
type Client struct {
	*river.Client[pgx.Tx]
	beat *heartbeat // nil for a client that only inserts
}

// jobTimeout is how long a job may run unless its worker says otherwise.
const jobTimeout = 5 * time.Minute

// softStop is how long running jobs may go on after Stop before their contexts end.
const softStop = 8 * time.Second

// NewInserter returns a client that inserts jobs and lists them, and works none.
func NewInserter(d *db.DB) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(d.Pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	return &Client{Client: c}, nil
}

// New returns a client that works the jobs whose workers the rooms add: each room has a method with the signature of
// register. Call Start, and Stop before the pool closes.
func New(d *db.DB, logger *slog.Logger, register ...func(*river.Workers)) (*Client, error) {
	workers := river.NewWorkers()
	for _, add := range register {
		add(workers)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	id := fmt.Sprintf("%s-%d-%08x", host, os.Getpid(), rand.Uint32()) //nolint:gosec // a name, not a secret
	c, err := river.NewClient(riverpgxv5.New(d.Pool), &river.Config{
		ID:     id,
		Logger: logger,
		Queues: map[string]river.QueueConfig{
			QueueDefault: {MaxWorkers: 6},
			QueueMail:    {MaxWorkers: 2},
			QueueOdoo:    {MaxWorkers: 1},
		},
		JobTimeout: jobTimeout,
		// While instances are replaced one by one, the former program leaves the next one's new kinds alone.
		FetchOnlyKnownKinds:  true,
		RescueStuckJobsAfter: jobTimeout + time.Hour, // jobs of a killed process are freed by the heartbeat, much sooner
		RetryPolicy:          retryPolicy{},
		SoftStopTimeout:      softStop,
		Workers:              workers,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue: %w", err)
	}
	return &Client{Client: c, beat: &heartbeat{db: d, id: id, logger: logger}}, nil
}

// Start begins to work jobs, first those that a killed process left behind.
func (c *Client) Start(ctx context.Context) error {
	if c.beat == nil {
		return errors.New("this job client only inserts")
	}
	if err := c.beat.start(ctx); err != nil {
		return err
	}
	if err := c.Client.Start(ctx); err != nil {
		c.beat.stop()
		return fmt.Errorf("starting the job queue: %w", err)
	}
	return nil
}

// Stop takes no new job, gives the running ones eight seconds, then ends their contexts; it returns when all are done
// or ctx ends.
func (c *Client) Stop(ctx context.Context) error {
	err := c.Client.Stop(ctx)
	if c.beat != nil {
		c.beat.stop()
	}
	return err
}

// Permanent marks an error that no repeat can mend: the job is cancelled and stays visible with its reason.
func Permanent(err error) error { return river.JobCancel(err) }

// retryPolicy waits 2, 4, 8… seconds with a fifth of jitter, at most a minute for the sweeps, which must catch up soon
// after the other side returns, and half an hour for the rest: 25 attempts last about eight hours.
type retryPolicy struct{}

// NextRetry returns when the job is tried again.
func (retryPolicy) NextRetry(j *rivertype.JobRow) time.Time {
	longest := 30 * time.Minute
	if j.MaxAttempts == forever {
		longest = time.Minute
	}
	wait := min(time.Second<<min(len(j.Errors)+1, 20), longest)
	jitter := time.Duration((rand.Float64() - 0.5) * 0.4 * float64(wait)) //nolint:gosec // jitter, not a secret
	return time.Now().Add(wait + jitter)
}
