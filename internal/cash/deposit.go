package cash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Bag is what is brought to the bank: all that closed days have for it.
type Bag struct {
	Key       uuid.UUID // of the form: sent twice it is brought once
	Days      []uuid.UUID
	On        civil.Date
	Reference string
}

// Deposit is a bag with what the bank's statement says of it.
type Deposit struct {
	ID          uuid.UUID
	Cents       civil.Cents
	On          civil.Date
	Reference   string
	By          string // name
	At          time.Time
	EntryID     *uuid.UUID // the movement of the bank, nil until it is there
	StatementID *uuid.UUID
	EntryDay    civil.Date
}

// ToBring returns the closed days that have something for the bank and were not brought, oldest first.
func (s *Store) ToBring(ctx context.Context) ([]Day, error) {
	return days(ctx, s.DB, `d.closed_at IS NOT NULL
		  AND d.counted_cents > d.left_cents
		  AND NOT EXISTS (SELECT 1 FROM cash_deposit_day x WHERE x.day_id = d.id)
		ORDER BY d.closed_at, d.id`, nil)
}

// Bring notes that the money of closed days is at the bank. Invalid with every faulty field; Conflict when one of the
// days is open, has nothing to bring or was brought before.
func (s *Store) Bring(ctx context.Context, accountID uuid.UUID, b Bag) (id uuid.UUID, err error) {
	var f problem.Fields
	b.Reference = words(&f, "reference", b.Reference, maxDesk)
	if len(b.Days) == 0 {
		f.Add("day", "cash.days_needed")
	}
	if today := civil.DateOf(s.Now(), civil.Brussels); b.On.IsZero() || b.On.After(today) || b.On.Before(today.AddDays(-366)) {
		f.Add("on", "form.date")
	}
	if err := f.Err(); err != nil {
		return id, err
	}
	args := pgx.NamedArgs{"days": b.Days, "key": b.Key, "on": b.On, "reference": b.Reference, "by": accountID, "at": s.Now()}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM cash_deposit
			WHERE submission_key = @key`, args).Scan(&id)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		list, err := days(ctx, tx, `d.id = ANY(@days) AND d.closed_at IS NOT NULL AND d.counted_cents > d.left_cents`, args)
		if err != nil {
			return err
		}
		if len(list) != len(b.Days) {
			return problem.Conflict("cash.nothing_to_bring")
		}
		var sum civil.Cents
		for _, d := range list {
			sum += d.ToDeposit()
		}
		args["cents"] = sum
		err = tx.QueryRow(ctx, `
			INSERT INTO cash_deposit (cents, on_day, reference, deposited_by, deposited_at, submission_key)
			VALUES (@cents, @on, @reference, @by, @at, @key)
			RETURNING id`, args).Scan(&id)
		if err != nil {
			return fmt.Errorf("noting a deposit: %w", err)
		}
		args["id"] = id
		_, err = tx.Exec(ctx, `
			INSERT INTO cash_deposit_day (day_id, deposit_id)
			SELECT day, @id
			FROM unnest(@days::uuid[]) AS day`, args)
		if err != nil {
			return fmt.Errorf("noting a deposit: %w", err)
		}
		return audit.Record(ctx, tx, audit.Account(accountID), "cash.deposited", "cash_deposit", id.String(), map[string]any{"cents": sum, "days": len(list)})
	})
	switch db.Constraint(err) {
	case "cash_deposit_day_pkey":
		return id, problem.Conflict("cash.nothing_to_bring")
	case "cash_deposit_submission_key_key":
		err = s.DB.QueryRow(ctx, `
			SELECT id
			FROM cash_deposit
			WHERE submission_key = @key`, args).Scan(&id)
	}
	return id, err
}

// Deposits returns what was brought to the bank, newest first, at most limit.
func (s *Store) Deposits(ctx context.Context, limit int) ([]Deposit, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT p.id, p.cents, p.on_day AS on, p.reference, a.name AS by, p.deposited_at AS at, e.id AS entry_id, e.statement_id, e.day AS entry_day
		FROM cash_deposit p
		JOIN account a ON a.id = p.deposited_by
		LEFT JOIN bank_entry e ON e.deposit_id = p.id
		ORDER BY p.deposited_at DESC, p.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the deposits: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Deposit])
	if err != nil {
		return nil, fmt.Errorf("reading the deposits: %w", err)
	}
	return list, nil
}
