package eventmodule

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// env is what one call runs in: a transaction, the caller, the context the
// caller passed, and the transaction's start, which every row written in it
// carries as write_date.
type env struct {
	srv  *Server
	tx   pgx.Tx
	user *user
	ctx  map[string]any
	now  time.Time
}

func (e *env) model(name string) *model { return e.srv.models.byName[name] }

func (e *env) query() *query { return &query{now: e.now, srv: e.srv} }

// activeTest tells whether archived rows are hidden in this call.
func (e *env) activeTest() bool {
	v, ok := e.ctx["active_test"]
	return !ok || v == true || v == int64(1)
}

// errAgain marks an outcome that another attempt of the whole call settles.
var errAgain = errors.New("run the call again")

// maxAttempts is how often a call runs before its serialization failure is
// told to the caller, as in Odoo.
const maxAttempts = 5

// How transactions begin. A read of all fields is one wide statement of many
// small subqueries: compiling it takes PostgreSQL's JIT seconds, running it
// milliseconds.
const (
	beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL jit = off"
	beginRead  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"
)

// transact runs fn in one transaction, again when PostgreSQL asks for it.
// Writers run READ COMMITTED, so that a count made after locking an event
// sees every committed registration; readers see one snapshot.
func (s *Server) transact(ctx context.Context, u *user, callCtx map[string]any, write bool, fn func(e *env) (any, error)) (any, error) {
	opts := pgx.TxOptions{BeginQuery: beginWrite}
	if !write {
		opts.BeginQuery = beginRead
	}
	for attempt := 1; ; attempt++ {
		var out any
		err := pgx.BeginTxFunc(ctx, s.pool, opts, func(tx pgx.Tx) error {
			e := &env{srv: s, tx: tx, user: u, ctx: callCtx, now: s.clock().UTC().Truncate(time.Microsecond)}
			var err error
			out, err = fn(e)
			return err
		})
		if err == nil {
			return out, nil
		}
		var undone *rolledBackError
		if errors.As(err, &undone) {
			return undone.answer, nil
		}
		if !retryable(err) && !errors.Is(err, errAgain) {
			return nil, s.sqlFault(err)
		}
		if attempt == maxAttempts {
			return nil, traceback("psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update\n")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(1+rand.IntN(20*attempt)) * time.Millisecond): //nolint:gosec // jitter, not a secret
		}
	}
}

// savepoint runs fn so that its failure undoes only what fn did.
func (e *env) savepoint(ctx context.Context, fn func() error) error {
	outer := e.tx
	inner, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	e.tx = inner
	err = fn()
	e.tx = outer
	if err != nil {
		if back := inner.Rollback(ctx); back != nil {
			return fmt.Errorf("rolling back a savepoint: %w", back)
		}
		return err
	}
	return inner.Commit(ctx)
}

func collectStrings(rows pgx.Rows) ([]string, error) {
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func collectIDs(rows pgx.Rows) ([]int64, error) {
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if ids == nil {
		ids = []int64{}
	}
	return ids, err
}
