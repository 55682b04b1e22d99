package notice

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Retry sends a message again that had failed, once staff have mended the address or the server; the detail of its task
// names it under "message". The task is closed and opens anew if the message fails again. It returns NotFound without
// the message and Conflict for one that has not failed.
func (s *Store) Retry(ctx context.Context, actor audit.Actor, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		m, err := s.lock(ctx, tx, id)
		var later *laterError
		if errors.As(err, &later) {
			return problem.Conflict("notice.message.not_failed")
		}
		if err != nil {
			return err
		}
		if m.ID == uuid.Nil {
			return problem.NotFound("notice.message.not_found")
		}
		tag, err := tx.Exec(ctx, `
			UPDATE message
			SET failed_at = NULL, failure = ''
			WHERE id = @id
			  AND failed_at IS NOT NULL`,
			pgx.NamedArgs{"id": id})
		if err != nil {
			return fmt.Errorf("taking message %s up again: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.Conflict("notice.message.not_failed")
		}
		for _, kind := range []string{task.MailFailed, task.ByPhone} {
			if err := task.Close(ctx, tx, kind, "message", m.subject(), actor.String()); err != nil {
				return err
			}
		}
		if err := s.enqueue(ctx, tx, []uuid.UUID{id}, nil); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "message.retried", "message", id.String(), map[string]any{"template": m.Template})
	})
}
