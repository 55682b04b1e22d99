package dbtest

import (
	"encoding/hex"
	"testing"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Find returns the tables of d with a row in which text stands readable: as it is, whatever the case of its letters,
// or as bytes. It looks at every column of every table, the job queue included.
func Find(t testing.TB, d *db.DB, text string) []string {
	t.Helper()
	rows, err := d.Query(t.Context(), `
		SELECT quote_ident(table_name)
		FROM information_schema.tables
		WHERE table_schema = 'public'
		  AND table_type = 'BASE TABLE'
		ORDER BY table_name`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, table := range tables {
		var hit bool
		err := d.QueryRow(t.Context(), `
			SELECT EXISTS (
				SELECT 1
				FROM `+table+` AS r
				WHERE position(lower(@text) IN lower(r::text)) > 0
				   OR position(@hex IN r::text) > 0
			)`,
			pgx.NamedArgs{"text": text, "hex": hex.EncodeToString([]byte(text))}).Scan(&hit)
		if err != nil {
			t.Fatalf("searching %s: %v", table, err)
		}
		if hit {
			found = append(found, table)
		}
	}
	return found
}
