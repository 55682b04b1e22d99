package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Booked is a line that stands in the ledger.
type Booked struct {
	ID             uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	Kind           Kind
	Cents          civil.Cents
	Source         string
	PaymentID      *uuid.UUID
	At             time.Time
	DayID          *uuid.UUID // of the cash desk
	DayOpen        bool
	TakenBack      bool // another line takes it back
}

// ReadLine returns a line by its id; NotFound without it.
func ReadLine(ctx context.Context, q db.Querier, id uuid.UUID) (Booked, error) {
	return oneLine(ctx, q, `l.id = @id`, id)
}

// LineByKey returns the line that a submission key booked; NotFound without it.
func LineByKey(ctx context.Context, q db.Querier, key uuid.UUID) (Booked, error) {
	return oneLine(ctx, q, `l.submission_key = @id`, key)
}

func oneLine(ctx context.Context, q db.Querier, where string, id uuid.UUID) (Booked, error) {
	rows, err := q.Query(ctx, `
		SELECT l.id, l.due_id, l.registration_id, l.kind, l.cents, l.source, l.payment_id, l.at, e.day_id,
		  COALESCE(d.closed_at IS NULL AND d.id IS NOT NULL, false) AS day_open,
		  EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id) AS taken_back
		FROM ledger_line l
		LEFT JOIN cash_entry e ON e.line_id = l.id
		LEFT JOIN cash_day d ON d.id = e.day_id
		WHERE `+where,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Booked{}, fmt.Errorf("reading a line of the ledger: %w", err)
	}
	l, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Booked])
	if errors.Is(err, pgx.ErrNoRows) {
		return l, problem.NotFound("ledger.line_not_found")
	}
	if err != nil {
		return l, fmt.Errorf("reading a line of the ledger: %w", err)
	}
	return l, nil
}

// Reverse takes back a payment that should not have been booked, with a line that raises what is owed again. It goes out
// by the way it came in. key is the submission key of what books it, nil for none. Conflict for what is no payment or was
// taken back before.
func Reverse(ctx context.Context, tx db.Tx, b Booked, label, actor string, key *uuid.UUID, at time.Time) error {
	if b.Kind != Payment {
		return problem.Conflict("ledger.no_payment")
	}
	d, err := ReadDue(ctx, tx, b.DueID)
	if err != nil {
		return err
	}
	added, err := Add(ctx, tx, d, Line{Kind: Refund, Cents: b.Cents, Label: label, Source: b.Source, Reverses: &b.ID, Actor: actor, Key: key, At: at})
	if err != nil {
		return err
	}
	if !added {
		return problem.Conflict("ledger.taken_back")
	}
	return nil
}
