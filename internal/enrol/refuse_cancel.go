package enrol

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// topicCancelRefused marks a line of the history that leads from a state to itself and tells that the registration stays,
// though a guardian asked to cancel it.
const topicCancelRefused = "cancel_refused"

// RefuseCancel keeps a registration that a guardian asked to cancel, with a reason that who asked and who pays read. It
// returns Invalid without a reason, and Conflict "registration.cancel_not_asked" when nobody asks any more.
func (s *Store) RefuseCancel(ctx context.Context, accountID, id uuid.UUID, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := checkReason(reason, true); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		detail, ok, err := task.Detail(ctx, tx, task.CancelAsked, "registration", id.String())
		if err != nil {
			return err
		}
		if !ok {
			return problem.Conflict("registration.cancel_not_asked")
		}
		if err := s.noteAbout(ctx, tx, &r, &r.State, actor, reason, topicCancelRefused); err != nil {
			return err
		}
		if err := task.Close(ctx, tx, task.CancelAsked, "registration", id.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "registration.cancel_refused", "registration", id.String(), map[string]any{"guardian": detail["guardian"]})
	})
}
