// Package audit keeps who did what, and when: append-only, without names or health values.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Actor is who or what acts.
type Actor struct {
	Kind string // account, job, odoo, provider or command
	ID   string
}

// Account is a person who is signed in.
func Account(id uuid.UUID) Actor { return Actor{Kind: "account", ID: id.String()} }

// Job is a background job, by the name of its kind.
func Job(name string) Actor { return Actor{Kind: "job", ID: name} }

// Provider is a payment provider, by name.
func Provider(name string) Actor { return Actor{Kind: "provider", ID: name} }

// Command is someone at the server's command line.
func Command(name string) Actor { return Actor{Kind: "command", ID: name} }

// String returns "kind:id".
func (a Actor) String() string { return a.Kind + ":" + a.ID }

// Entry is one line of the audit.
type Entry struct {
	ID          int64
	At          time.Time
	ActorKind   string
	ActorID     string
	Action      string
	SubjectKind string
	SubjectID   string
	Detail      map[string]any
}

// Record appends a line in the caller's transaction. Detail holds ids, codes and counts, never a name or a health value.
func Record(ctx context.Context, q db.Querier, a Actor, action, subjectKind, subjectID string, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	_, err := q.Exec(ctx, `
		INSERT INTO audit (actor_kind, actor_id, action, subject_kind, subject_id, detail)
		VALUES (@actor_kind, @actor_id, @action, @subject_kind, @subject_id, @detail)`,
		pgx.NamedArgs{
			"actor_kind": a.Kind, "actor_id": a.ID, "action": action,
			"subject_kind": subjectKind, "subject_id": subjectID, "detail": detail,
		})
	if err != nil {
		return fmt.Errorf("recording %s on %s %s: %w", action, subjectKind, subjectID, err)
	}
	return nil
}

// List returns what was done to a subject, newest first, at most limit lines.
func List(ctx context.Context, q db.Querier, subjectKind, subjectID string, limit int) ([]Entry, error) {
	rows, err := q.Query(ctx, `
		SELECT id, at, actor_kind, actor_id, action, subject_kind, subject_id, detail
		FROM audit
		WHERE subject_kind = @subject_kind
		  AND subject_id = @subject_id
		ORDER BY id DESC
		LIMIT @limit`,
		pgx.NamedArgs{"subject_kind": subjectKind, "subject_id": subjectID, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the audit of %s %s: %w", subjectKind, subjectID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
}
