package db_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
)

func exec(t *testing.T, q db.Querier, sql string) {
	t.Helper()
	if _, err := q.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestConstraint(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	exec(t, d, `CREATE TABLE child (
		id integer CONSTRAINT child_pkey PRIMARY KEY,
		born integer CONSTRAINT child_born CHECK (born > 1900),
		parent integer CONSTRAINT child_parent REFERENCES child)`)
	exec(t, d, `INSERT INTO child VALUES (1, 2015, NULL)`)
	for sql, want := range map[string]string{
		`INSERT INTO child VALUES (1, 2015, NULL)`: "child_pkey",
		`INSERT INTO child VALUES (2, 1800, NULL)`: "child_born",
		`INSERT INTO child VALUES (3, 2015, 99)`:   "child_parent",
		`INSERT INTO child VALUES ('x')`:           "",
		`INSERT INTO child VALUES (4, 2015, 1)`:    "",
	} {
		_, err := d.Exec(t.Context(), sql)
		if got := db.Constraint(err); got != want {
			t.Errorf("Constraint of %s = %q, want %q (%v)", sql, got, want, err)
		}
	}
}

func TestInTxRetries(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	exec(t, d, `CREATE TABLE pool (id integer PRIMARY KEY, taken integer)`)
	exec(t, d, `INSERT INTO pool VALUES (1, 0), (2, 0)`)

	// Each pair locks the two rows in opposite orders, and the barrier makes sure that both hold their first row: a
	// deadlock every time, which one side must survive by running again.
	var wg, both sync.WaitGroup
	wg.Add(2)
	both.Add(2)
	tries := make([]int, 2)
	errs := make([]error, 2)
	for i, order := range [][2]int{{1, 2}, {2, 1}} {
		go func() {
			defer wg.Done()
			errs[i] = d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
				tries[i]++
				for n, id := range order {
					if _, err := tx.Exec(ctx, `UPDATE pool SET taken = taken + 1 WHERE id = @id`, pgx.NamedArgs{"id": id}); err != nil {
						return err
					}
					if n == 0 && tries[i] == 1 {
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
		}()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := tries[0] + tries[1]; got != 3 {
		t.Errorf("ran %d times, want 3: one of the two again", got)
	}
	var sum int
	if err := d.QueryRow(t.Context(), `SELECT sum(taken) FROM pool`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("sum = %d, %v, want 4: the first run of the loser left a trace", sum, err)
	}
}

func TestInTxGivesUp(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	tries := 0
	err := d.InTx(t.Context(), func(context.Context, db.Tx) error {
		tries++
		return &pgconn.PgError{Code: "40001"}
	})
	if !db.Retryable(err) || tries < 3 || tries > 20 {
		t.Errorf("got %v after %d tries, want the conflict after a few", err, tries)
	}
	tries = 0
	other := errors.New("no")
	err = d.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
		tries++
		exec(t, tx, `CREATE TABLE gone ()`)
		return other
	})
	if !errors.Is(err, other) || tries != 1 {
		t.Errorf("got %v after %d tries, want the function's own error at once", err, tries)
	}
	if _, err := d.Exec(t.Context(), `SELECT FROM gone`); err == nil {
		t.Error("the refused transaction was committed")
	}
}

func TestOpenUnreachable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := db.Open(ctx, "postgres://town:sesame@127.0.0.1:1/town?sslmode=disable")
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("got %v, want an error that keeps the password", err)
	}
}
