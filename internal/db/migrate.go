package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations
var embedded embed.FS

// quiet drops what goose and River tell about each file: the caller reports the outcome.
var quiet = slog.New(slog.DiscardHandler)

// Migrations returns the SQL files of the schema, one a version, in goose's format.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic("db: the migrations are not embedded: " + err.Error())
	}
	return sub
}

// migrationLock is the advisory lock of whoever migrates ("ribambel" in ASCII).
const migrationLock int64 = 0x72696261_6d62656c

// Migrate brings the schema up to this program's version: our own files first, then the job queue's. Several
// processes may call it at once; a session lock lets one work and the others wait. It never goes down.
func Migrate(ctx context.Context, d *DB) error {
	// goose's own session lock polls every five seconds and does not cover the job queue's part.
	guard, err := d.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("reaching the database to migrate: %w", err)
	}
	defer guard.Release()
	if _, err := guard.Exec(ctx, `SELECT pg_advisory_lock(@key)`, pgx.NamedArgs{"key": migrationLock}); err != nil {
		return fmt.Errorf("waiting for another migration: %w", err)
	}
	defer guard.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(@key)`, pgx.NamedArgs{"key": migrationLock}) //nolint:errcheck // a dead session has lost its lock
	return withProvider(d, func(p *goose.Provider) error {
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrating the schema: %w", err)
		}
		queue, err := queueMigrator(d)
		if err != nil {
			return err
		}
		if _, err := queue.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("migrating the job queue's schema: %w", err)
		}
		return nil
	})
}

// SchemaVersion returns the version of the database's schema (0 for an empty one) and the one this program needs.
func SchemaVersion(ctx context.Context, d *DB) (have, want int64, err error) {
	err = withProvider(d, func(p *goose.Provider) error {
		var known bool
		// Asking goose would create its table; reading must not write.
		const q = `SELECT to_regclass('goose_db_version') IS NOT NULL`
		if err := d.QueryRow(ctx, q).Scan(&known); err != nil {
			return fmt.Errorf("looking for the schema: %w", err)
		}
		for _, source := range p.ListSources() {
			want = max(want, source.Version)
		}
		if !known {
			return nil
		}
		if have, err = p.GetDBVersion(ctx); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		return nil
	})
	return have, want, err
}

// ErrOldSchema is wrapped by what CheckSchema returns for a database that needs "ribambelle migrate" first.
var ErrOldSchema = errors.New("old schema")

// OldSchemaError says how far behind the schema is and what to run.
type OldSchemaError struct {
	Have, Want int64 // schema versions; equal when only the job queue's tables are behind
}

// Error returns one sentence for the person who starts the program.
func (e *OldSchemaError) Error() string {
	if e.Have == e.Want {
		return "the job queue's tables in the database are older than this program: run \"ribambelle migrate\" first"
	}
	return fmt.Sprintf("the database's schema is at version %d and this program needs %d: run \"ribambelle migrate\" first", e.Have, e.Want)
}

// Unwrap makes errors.Is(err, ErrOldSchema) true.
func (e *OldSchemaError) Unwrap() error { return ErrOldSchema }

// CheckSchema returns an *OldSchemaError when the schema is behind this program. A newer schema passes: migrations
// only expand, so the previous program runs on the next schema while instances are replaced one by one.
func CheckSchema(ctx context.Context, d *DB) error {
	have, want, err := SchemaVersion(ctx, d)
	if err != nil {
		return err
	}
	if have < want {
		return &OldSchemaError{Have: have, Want: want}
	}
	queue, err := queueMigrator(d)
	if err != nil {
		return err
	}
	state, err := queue.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("reading the job queue's schema: %w", err)
	}
	if !state.OK {
		return &OldSchemaError{Have: have, Want: want}
	}
	return nil
}

func queueMigrator(d *DB) (*rivermigrate.Migrator[Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(d.Pool), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, fmt.Errorf("preparing the job queue's migrations: %w", err)
	}
	return m, nil
}

// withProvider lends goose a database/sql view of the pool, closed afterwards; the pool itself stays open.
func withProvider(d *DB, f func(*goose.Provider) error) (err error) {
	conn := stdlib.OpenDBFromPool(d.Pool)
	defer func() { err = errors.Join(err, conn.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, conn, Migrations(),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(quiet))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	return f(p)
}
