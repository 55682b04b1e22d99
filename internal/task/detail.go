package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// Detail returns the detail of the open matter of that kind and subject, locked until the transaction ends; ok is false
// when none is open.
func Detail(ctx context.Context, tx db.Tx, kind, subjectKind, subjectID string) (detail map[string]any, ok bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT detail
		FROM task
		WHERE kind = @kind
		  AND subject_kind = @subject_kind
		  AND subject_id = @subject_id
		  AND done_at IS NULL
		FOR UPDATE`,
		pgx.NamedArgs{"kind": kind, "subject_kind": subjectKind, "subject_id": subjectID}).Scan(&detail)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading task %s on %s %s: %w", kind, subjectKind, subjectID, err)
	}
	return detail, true, nil
}
