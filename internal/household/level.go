package household

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// The sources of a level: computed from the birth year, said by a guardian, or seen on a document by staff.
const (
	LevelUsual    = "usual"
	LevelDeclared = "declared"
	LevelVerified = "verified"
)

// Level returns the school level in schoolYear of a child born in birthYear, given what is recorded by school year:
// the record nearest in time, advanced a level a year; of two equally near ones the earlier, since a year may have been
// repeated after it. Without a record it is the usual level of that age. It is "" outside nursery, primary and
// secondary school.
func Level(recorded map[int]string, birthYear, schoolYear int) string {
	year, ok := nearest(recorded, schoolYear)
	if !ok {
		return civil.UsualLevel(birthYear, schoolYear)
	}
	return civil.AdvanceLevel(recorded[year], schoolYear-year)
}

// nearest returns the recorded year that Level follows; ok is false without a record.
func nearest(recorded map[int]string, schoolYear int) (year int, ok bool) {
	for y := range recorded {
		d, best := distance(y, schoolYear), distance(year, schoolYear)
		if !ok || d < best || d == best && y < year {
			year, ok = y, true
		}
	}
	return year, ok
}

func distance(a, b int) int {
	if a < b {
		return b - a
	}
	return a - b
}

// LevelIn returns the school level of a child in the school year that starts in schoolYear, as Level computes it;
// "" too for a child that does not exist.
func LevelIn(ctx context.Context, q db.Querier, childID uuid.UUID, schoolYear int) (string, error) {
	levels, err := LevelsIn(ctx, q, []uuid.UUID{childID}, schoolYear)
	return levels[childID], err
}

// LevelsIn is LevelIn for many children in one query.
func LevelsIn(ctx context.Context, q db.Querier, childIDs []uuid.UUID, schoolYear int) (map[uuid.UUID]string, error) {
	rows, err := q.Query(ctx, `
		SELECT c.id, c.birth_date, coalesce(l.school_year, 0), coalesce(l.level, '')
		FROM child AS c
		LEFT JOIN child_level AS l ON l.child_id = c.id
		WHERE c.id = ANY(@ids)`,
		pgx.NamedArgs{"ids": childIDs})
	if err != nil {
		return nil, fmt.Errorf("reading school levels: %w", err)
	}
	born := make(map[uuid.UUID]int, len(childIDs))
	recorded := make(map[uuid.UUID]map[int]string, len(childIDs))
	var (
		id    uuid.UUID
		birth civil.Date
		year  int
		level string
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &birth, &year, &level}, func() error {
		born[id] = birth.Year
		if level != "" {
			if recorded[id] == nil {
				recorded[id] = make(map[int]string)
			}
			recorded[id][year] = level
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading school levels: %w", err)
	}
	levels := make(map[uuid.UUID]string, len(born))
	for id, year := range born {
		levels[id] = Level(recorded[id], year, schoolYear)
	}
	return levels, nil
}
