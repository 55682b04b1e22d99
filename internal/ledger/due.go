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

// The kinds of due: of a family, or an organisation's promise.
const (
	DueFamily = "family"
	DueCover  = "cover"
)

// Due is what one payer owes for one registration, under one structured communication. The first due of a registration
// has no part: it takes what the others leave of the price.
type Due struct {
	ID             uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	DebtorID       uuid.UUID
	Communication  string // 12 digits
	Kind           string
	PartShare      *int         // of the price, in hundredths of a percent
	PartCents      *civil.Cents // of the price
	EndedAt        *time.Time   // since when it takes no part any more
}

// First reports whether the due takes what the others leave.
func (d Due) First() bool { return d.PartShare == nil && d.PartCents == nil }

// Part is what a due takes of a price of that many cents, before it is bounded by what is left; nothing once it ended.
// A share is rounded half up to the cent.
func (d Due) Part(price civil.Cents) civil.Cents {
	switch {
	case d.EndedAt != nil:
		return 0
	case d.PartCents != nil:
		return min(*d.PartCents, price)
	case d.PartShare != nil:
		return (price*civil.Cents(*d.PartShare) + 5000) / 10000
	}
	return 0
}

// NewDue opens a due with the next structured communication, in the caller's transaction. Of d, the registration, payer,
// debtor, kind and part count; without a kind it is a family's. A payer has one due for a registration: Conflict.
func NewDue(ctx context.Context, tx db.Tx, d Due, at time.Time) (Due, error) {
	if d.Kind == "" {
		d.Kind = DueFamily
	}
	c, err := nextCommunication(ctx, tx)
	if err != nil {
		return d, err
	}
	d.Communication = c.Digits()
	err = tx.QueryRow(ctx, `
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, kind, part_share, part_cents, created_at)
		VALUES (@registration, @payer, @debtor, @communication, @kind, @share, @cents, @at)
		ON CONFLICT (registration_id, payer_id) DO NOTHING
		RETURNING id`,
		pgx.NamedArgs{
			"registration": d.RegistrationID, "payer": d.PayerID, "debtor": d.DebtorID, "communication": d.Communication,
			"kind": d.Kind, "share": d.PartShare, "cents": d.PartCents, "at": at,
		}).Scan(&d.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, problem.Conflict("ledger.payer_twice")
	}
	if err != nil {
		return d, fmt.Errorf("opening what is due for registration %s: %w", d.RegistrationID, err)
	}
	return d, nil
}

// SetPart changes what a due takes of the price from now on, or ends it; the lines that follow are the caller's.
func SetPart(ctx context.Context, tx db.Tx, d Due) error {
	_, err := tx.Exec(ctx, `
		UPDATE due
		SET part_share = @share, part_cents = @cents, ended_at = @ended
		WHERE id = @id`,
		pgx.NamedArgs{"id": d.ID, "share": d.PartShare, "cents": d.PartCents, "ended": d.EndedAt})
	if err != nil {
		return fmt.Errorf("changing the part of due %s: %w", d.ID, err)
	}
	return nil
}

const dueColumns = `id, registration_id, payer_id, debtor_id, communication, kind, part_share, part_cents, ended_at`

// DueOf returns the first due of a registration; NotFound for one without a price.
func DueOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) (Due, error) {
	return oneDue(ctx, q, `registration_id = @id AND part_share IS NULL AND part_cents IS NULL`, pgx.NamedArgs{"id": registrationID})
}

// DueFor returns what a payer owes for a registration; NotFound when that is nothing.
func DueFor(ctx context.Context, q db.Querier, registrationID, payerID uuid.UUID) (Due, error) {
	return oneDue(ctx, q, `registration_id = @id AND payer_id = @payer`, pgx.NamedArgs{"id": registrationID, "payer": payerID})
}

// ReadDue returns a due by its id.
func ReadDue(ctx context.Context, q db.Querier, id uuid.UUID) (Due, error) {
	return oneDue(ctx, q, `id = @id`, pgx.NamedArgs{"id": id})
}

// DuesOf returns every due of a registration, those that ended too, the first one first.
func DuesOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]Due, error) {
	return dues(ctx, q, `registration_id = @id ORDER BY part_share IS NOT NULL OR part_cents IS NOT NULL, created_at, id`,
		pgx.NamedArgs{"id": registrationID})
}

func oneDue(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) (Due, error) {
	list, err := dues(ctx, q, where, args)
	if err != nil {
		return Due{}, err
	}
	if len(list) != 1 {
		return Due{}, problem.NotFound("ledger.due_not_found")
	}
	return list[0], nil
}

func dues(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Due, error) {
	rows, err := q.Query(ctx, `
		SELECT `+dueColumns+`
		FROM due
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading what is due: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Due])
	if err != nil {
		return nil, fmt.Errorf("reading what is due: %w", err)
	}
	return list, nil
}
