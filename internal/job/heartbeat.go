package job

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/internal/db"
)

// heartbeat shows the other processes that this one lives, and frees the jobs of those that do not. River alone would
// leave the jobs of a killed process "running" for an hour. The sign of life is a session's advisory lock on the
// client's name: PostgreSQL drops it the moment the process is gone, and no clock is involved.
type heartbeat struct {
	db     *db.DB
	id     string
	logger *slog.Logger

	conn   *pgxpool.Conn
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// beatEvery is how often a process looks for the jobs of others that died.
const beatEvery = 10 * time.Second

func (h *heartbeat) start(ctx context.Context) error {
	if err := h.show(ctx); err != nil {
		return err
	}
	if err := free(ctx, h.db, 0); err != nil {
		return err
	}
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx)) // jobs still run while the caller's context ends
	h.done.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := h.beat(ctx); err != nil && ctx.Err() == nil {
				h.logger.WarnContext(ctx, "job heartbeat", "error", err)
			}
		}
	})
	return nil
}

func (h *heartbeat) stop() {
	h.cancel()
	h.done.Wait()
	if h.conn != nil {
		h.conn.Hijack().Close(context.Background())
		h.conn = nil
	}
}

// show takes the lock on a connection that is kept.
func (h *heartbeat) show(ctx context.Context) error {
	conn, err := h.db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("starting the job heartbeat: %w", err)
	}
	const q = `SELECT pg_advisory_lock_shared(hashtextextended(@id, 0))`
	if _, err := conn.Exec(ctx, q, pgx.NamedArgs{"id": h.id}); err != nil {
		conn.Release()
		return fmt.Errorf("starting the job heartbeat: %w", err)
	}
	h.conn = conn
	return nil
}

func (h *heartbeat) beat(ctx context.Context) error {
	if h.conn != nil && h.conn.Ping(ctx) != nil { // the server restarted
		h.conn.Hijack().Close(ctx)
		h.conn = nil
	}
	if h.conn == nil {
		if err := h.show(ctx); err != nil {
			return err
		}
	}
	return free(ctx, h.db, beatEvery)
}

// free makes the running jobs of dead processes available again. A job younger than grace is left alone: its process
// may be about to take its lock again after the database restarted.
func free(ctx context.Context, d *db.DB, grace time.Duration) error {
	const q = `
		UPDATE river_job
		SET state = 'available', scheduled_at = now()
		WHERE state = 'running'
		  AND attempted_at <= now() - make_interval(secs => @grace)
		  AND NOT EXISTS (
		    SELECT FROM pg_locks
		    WHERE locktype = 'advisory'
		      AND granted
		      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		      AND objsubid = 1
		      AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(attempted_by[array_upper(attempted_by, 1)], 0)
		  )`
	if _, err := d.Exec(ctx, q, pgx.NamedArgs{"grace": grace.Seconds()}); err != nil {
		return fmt.Errorf("freeing the jobs of a dead process: %w", err)
	}
	return nil
}
