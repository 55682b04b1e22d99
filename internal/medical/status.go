package medical

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// FreshSQL is a SQL condition: the sheet of the child counts for a camp, as Fresh says. The three arguments are SQL
// expressions, written in the program and never from outside: the child's id (uuid), the first day of the camp (date)
// and how many days before it a confirmation counts (int).
func FreshSQL(child, campBegin, sheetDays string) string {
	return `EXISTS (
		SELECT 1
		FROM medical_confirmation AS fresh
		WHERE fresh.child_id = ` + child + `
		  AND fresh.sheet_id = (
			SELECT newest.id
			FROM medical_sheet AS newest
			WHERE newest.child_id = ` + child + `
			ORDER BY newest.version DESC
			LIMIT 1
		  )
		  AND (fresh.at AT TIME ZONE 'Europe/Brussels')::date >= (` + campBegin + `) - (` + sheetDays + `)
	)`
}

// Fresh reports whether the child's sheet counts for a camp that begins on a day: its newest version was confirmed, at
// most sheetDays days before that day. Saving a complete version confirms it. It reads no medical value, so it is not logged.
func Fresh(ctx context.Context, q db.Querier, childID uuid.UUID, campBegin civil.Date, sheetDays int) (bool, error) {
	var fresh bool
	err := q.QueryRow(ctx, `SELECT `+FreshSQL("@child_id::uuid", "@begin::date", "@days::int"),
		pgx.NamedArgs{"child_id": childID, "begin": campBegin, "days": sheetDays}).Scan(&fresh)
	if err != nil {
		return false, fmt.Errorf("reading whether the sheet of child %s is fresh: %w", childID, err)
	}
	return fresh, nil
}

// Statuses returns what may be known without reading them of the sheets of the children; one without a sheet has
// Version 0. The caller has checked that the children may be seen.
func Statuses(ctx context.Context, q db.Querier, childIDs []uuid.UUID) (map[uuid.UUID]Status, error) {
	rows, err := q.Query(ctx, `
		SELECT DISTINCT ON (m.child_id) m.child_id, m.version, m.created_at, c.at
		FROM medical_sheet AS m
		LEFT JOIN LATERAL (
			SELECT max(at) AS at
			FROM medical_confirmation
			WHERE child_id = m.child_id
			  AND sheet_id = m.id
		) AS c ON true
		WHERE m.child_id = ANY(@ids)
		ORDER BY m.child_id, m.version DESC`,
		pgx.NamedArgs{"ids": childIDs})
	if err != nil {
		return nil, fmt.Errorf("reading the status of medical sheets: %w", err)
	}
	all := make(map[uuid.UUID]Status, len(childIDs))
	for _, id := range childIDs {
		all[id] = Status{}
	}
	var (
		id        uuid.UUID
		version   int
		saved     time.Time
		confirmed *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &version, &saved, &confirmed}, func() error {
		at := saved
		all[id] = Status{Version: version, SavedAt: &at, ConfirmedAt: confirmed}
		confirmed = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the status of medical sheets: %w", err)
	}
	return all, nil
}

// Access is one reading of a child's sheet, as the guardians see it.
type Access struct {
	At      time.Time
	Name    string // of the account that read; empty for a job or a command
	Actor   string // "account:<id>", "job:<name>", "command:<name>"
	Purpose string
}

// Accesses returns who read the child's sheet, newest first, at most limit lines, to a guardian with RightMedical.
func (s *Store) Accesses(ctx context.Context, guardianID, childID uuid.UUID, limit int) ([]Access, error) {
	if err := s.guard(ctx, s.DB, guardianID, childID); err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT m.at, coalesce(a.name, '') AS name, m.actor, m.purpose
		FROM medical_access AS m
		LEFT JOIN account AS a ON a.id = CASE WHEN m.actor LIKE 'account:%' THEN substr(m.actor, 9)::uuid END
		WHERE m.child_id = @child_id
		ORDER BY m.at DESC, m.id DESC
		LIMIT @limit`,
		pgx.NamedArgs{"child_id": childID, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading who read the sheet of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Access])
}
