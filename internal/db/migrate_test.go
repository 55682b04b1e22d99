package db_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
)

// shape lists every table, column, index, constraint, function and trigger of our schema, without the job queue's.
func shape(t *testing.T, d *db.DB) []string {
	t.Helper()
	const q = `
		SELECT what
		FROM (
			SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') AS what, table_name AS owner
			FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT 'index ' || indexdef, tablename FROM pg_indexes WHERE schemaname = 'public'
			UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid), conrelid::regclass::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace
			UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid), tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT 'function ' || oid::regprocedure || ' ' || md5(prosrc), proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
			UNION ALL SELECT 'type ' || typname, typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
		) AS everything
		WHERE owner NOT LIKE 'river%' AND owner NOT LIKE 'goose%'
		ORDER BY what`
	rows, err := d.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMigrateUpDownUp(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	if err := db.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	first := shape(t, d)
	if len(first) < 50 {
		t.Fatalf("the schema has %d parts: the migrations did nothing", len(first))
	}
	if err := db.Down(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if left := shape(t, d); len(left) != 0 {
		t.Errorf("down left behind:\n%s", strings.Join(left, "\n"))
	}
	if err := db.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, shape(t, d)); diff != "" {
		t.Errorf("the second up differs (-first +second):\n%s", diff)
	}
	if err := db.CheckSchema(t.Context(), d); err != nil {
		t.Errorf("CheckSchema after Migrate: %v", err)
	}
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = db.Migrate(t.Context(), d) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSchemaOld(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	err := db.CheckSchema(t.Context(), d)
	if !errors.Is(err, db.ErrOldSchema) || !strings.Contains(err.Error(), "ribambelle migrate") {
		t.Errorf("empty database: %v, want what to run", err)
	}
	if err := db.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`); err != nil {
		t.Fatal(err)
	}
	var old *db.OldSchemaError
	if err := db.CheckSchema(t.Context(), d); !errors.As(err, &old) || old.Have >= old.Want {
		t.Errorf("one version behind: %v", err)
	}
	if _, err := d.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context(), d); err != nil {
		t.Errorf("a newer schema must pass: %v", err)
	}
	if _, err := d.Exec(t.Context(), `DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)`); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context(), d); !errors.Is(err, db.ErrOldSchema) {
		t.Errorf("old job queue: %v", err)
	}
}
