// Package db opens the PostgreSQL pool, runs transactions with retry, and brings the schema up to date.
package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tx is a transaction that another room opened and that the callee takes part in.
type Tx = pgx.Tx

// Querier is what both a pool and a transaction can do; a read that may stand alone or take part takes one.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// DB is the pool of one commune's database.
type DB struct {
	*pgxpool.Pool
}

// defaultConns is the size of a pool whose URL does not say pool_max_conns: the pages and the jobs of one process
// share it, and several processes share one server's hundred connections.
const defaultConns = 16

// Open connects to the database at url (a PostgreSQL URL or key=value string) and proves it with one round trip.
// Sessions speak UTC, so that a timestamp without zone can never mean the server's local time.
func Open(ctx context.Context, url string) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx masks the password in this text.
		return nil, fmt.Errorf("reading the database address: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = defaultConns
	}
	params := config.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "ribambelle"
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reaching the database: %w", err)
	}
	return &DB{Pool: pool}, nil
}

// maxTries bounds how often InTx runs its function; under a storm the caller gets the conflict instead of waiting on.
const maxTries = 8

// InTx runs f in one READ COMMITTED transaction and commits it if f returns nil. When PostgreSQL ends the
// transaction for a serialization failure (40001) or a deadlock (40P01), f runs again from the start, a few times
// with jitter: f must keep no effect outside tx.
func (d *DB) InTx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error { return f(ctx, tx) })
		if err == nil || !Retryable(err) || try == maxTries {
			return err
		}
		wait := time.Duration(rand.Int64N(int64(5*time.Millisecond) << min(try, 6))) //nolint:gosec // jitter, not a secret
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}
