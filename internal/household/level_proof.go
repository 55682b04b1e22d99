package household

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// MaxProof bounds the name of a document, in characters.
const MaxProof = 120

// LevelProof is a school level as staff saw it on a document.
type LevelProof struct {
	SchoolYear int // the year in which it starts
	Level      string
	Document   string // « bulletin », « attestation de l’école »; never what else stands in it
	SeenOn     civil.Date
}

func (v *LevelProof) validate(today civil.Date) error {
	var p problem.Fields
	if civil.LevelIndex(v.Level) < 0 {
		p.Add("level", "household.level_unknown")
	}
	if now := civil.SchoolYear(today); v.SchoolYear < now-1 || v.SchoolYear > now+1 {
		p.Add("school_year", "household.school_year_far")
	}
	v.Document = text(&p, "document", v.Document, MaxProof, true)
	switch {
	case v.SeenOn.IsZero():
		p.Add("seen_on", "household.required")
	case v.SeenOn.After(today):
		p.Add("seen_on", "household.seen_later")
	}
	return p.Err()
}

// RecordedLevel is what is kept of a child's level in a school year.
type RecordedLevel struct {
	SchoolYear int
	Level      string
	Source     string     // LevelDeclared or LevelVerified
	Proof      string     // the document, "" for a declaration
	SeenOn     civil.Date // zero for a declaration
	RecordedAt time.Time
}

// RecordedLevels returns what is recorded of a child's levels, the newest school year first.
func RecordedLevels(ctx context.Context, q db.Querier, childID uuid.UUID) ([]RecordedLevel, error) {
	rows, err := q.Query(ctx, `
		SELECT school_year, level, source, proof, seen_on, recorded_at
		FROM child_level
		WHERE child_id = @child_id
		ORDER BY school_year DESC`,
		pgx.NamedArgs{"child_id": childID})
	if err != nil {
		return nil, fmt.Errorf("reading the levels of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[RecordedLevel])
}
