// Package task keeps what a person must decide: each failure that no retry mends ends here, with an age.
package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// The kinds of task; "task.<kind>" is the message key of what to do.
const (
	CampMoved     = "camp_moved"     // sessions changed under registrations: bus and families
	CampGone      = "camp_gone"      // cancelled, archived or deleted in Odoo with registrations
	CampBack      = "camp_back"      // proposed again in Odoo after registrations ended with it
	OverFull      = "over_full"      // external places or a lowered maximum over-fill a pool
	OdooRefused   = "odoo_refused"   // a registration or guardian that Odoo does not take
	OdooChanged   = "odoo_changed"   // a registration of ours was changed or removed in Odoo
	OdooVanished  = "odoo_vanished"  // most of what we know of is missing in Odoo: restored, emptied, or hidden from our user
	LateMoney     = "late_money"     // paid after the place was given up
	OverPaid      = "over_paid"      // paid twice, or more than was due
	PartPaid      = "part_paid"      // a transfer of less than was due
	OtherAmount   = "other_amount"   // the provider reports another amount than was asked
	MailFailed    = "mail_failed"    // a mail that no server takes
	ByPhone       = "by_phone"       // what cannot be mailed to a guardian: to phone, or to send as a letter
	PlaceFree     = "place_free"     // a place came free and nobody on the list could take it
	DecideLate    = "decide_late"    // a request has waited too long for the commune
	RefundDue     = "refund_due"     // a registration ended and money of the family is here
	Complaint     = "complaint"      // a payer contests what is asked: nothing is asked again until it is answered
	CancelAsked   = "cancel_asked"   // a guardian asks to cancel what someone has paid
	BusAsked      = "bus_asked"      // a guardian who neither registered nor pays asks for another bus
	SiblingLeft   = "sibling_left"   // a child left, and the regulation takes the reduction of another with it
	DeskOpen      = "desk_open"      // a day of the cash desk stayed open over night
	OwesAgain     = "owes_again"     // what was covered is not any more: money taken back, a promise lost, an instalment passed
	RefundStuck   = "refund_stuck"   // money that could not be given back
	RefundSecond  = "refund_second"  // a refund by another way waits for a second member of staff
	PaymentUnsure = "payment_unsure" // the provider does not know a payment that we asked for
)

// Task is one matter to decide.
type Task struct {
	ID          uuid.UUID
	Kind        string
	SubjectKind string
	SubjectID   string
	Detail      map[string]any
	CreatedAt   time.Time
}

// Open puts a matter on the staff's list, or refreshes the detail of the one that is already there.
// Detail holds ids, codes and counts, never a name or a health value.
func Open(ctx context.Context, q db.Querier, kind, subjectKind, subjectID string, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	_, err := q.Exec(ctx, `
		INSERT INTO task (kind, subject_kind, subject_id, detail)
		VALUES (@kind, @subject_kind, @subject_id, @detail)
		ON CONFLICT (kind, subject_kind, subject_id) WHERE done_at IS NULL
		DO UPDATE SET detail = EXCLUDED.detail`,
		pgx.NamedArgs{"kind": kind, "subject_kind": subjectKind, "subject_id": subjectID, "detail": detail})
	if err != nil {
		return fmt.Errorf("opening task %s on %s %s: %w", kind, subjectKind, subjectID, err)
	}
	return nil
}

// Close marks the open matter of that kind and subject as done; none open is no error.
func Close(ctx context.Context, q db.Querier, kind, subjectKind, subjectID, by string) error {
	_, err := q.Exec(ctx, `
		UPDATE task
		SET done_at = now(), done_by = @by
		WHERE kind = @kind
		  AND subject_kind = @subject_kind
		  AND subject_id = @subject_id
		  AND done_at IS NULL`,
		pgx.NamedArgs{"kind": kind, "subject_kind": subjectKind, "subject_id": subjectID, "by": by})
	if err != nil {
		return fmt.Errorf("closing task %s on %s %s: %w", kind, subjectKind, subjectID, err)
	}
	return nil
}

// CloseAll is Close for several subjects.
func CloseAll(ctx context.Context, q db.Querier, kind, subjectKind string, subjectIDs []string, by string) error {
	_, err := q.Exec(ctx, `
		UPDATE task
		SET done_at = now(), done_by = @by
		WHERE kind = @kind
		  AND subject_kind = @subject_kind
		  AND subject_id = ANY(@subject_ids)
		  AND done_at IS NULL`,
		pgx.NamedArgs{"kind": kind, "subject_kind": subjectKind, "subject_ids": subjectIDs, "by": by})
	if err != nil {
		return fmt.Errorf("closing tasks %s on %ss: %w", kind, subjectKind, err)
	}
	return nil
}

// CloseByID marks one matter as done.
func CloseByID(ctx context.Context, q db.Querier, id uuid.UUID, by string) error {
	_, err := q.Exec(ctx, `
		UPDATE task
		SET done_at = now(), done_by = @by
		WHERE id = @id
		  AND done_at IS NULL`,
		pgx.NamedArgs{"id": id, "by": by})
	if err != nil {
		return fmt.Errorf("closing task %s: %w", id, err)
	}
	return nil
}

// List returns the open matters, oldest first, at most limit.
func List(ctx context.Context, q db.Querier, limit int) ([]Task, error) {
	rows, err := q.Query(ctx, `
		SELECT id, kind, subject_kind, subject_id, detail, created_at
		FROM task
		WHERE done_at IS NULL
		ORDER BY created_at, id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the tasks: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Task])
}
