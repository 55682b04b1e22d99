// Package bank takes in bank statements once and only once, and brings each movement to what it pays: by itself when it
// is certain, else through a queue in which a person decides. It alone writes the bank's tables; the money itself is
// booked by enrolment.
package bank

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/pay/statement"
	"ribambelle/internal/problem"
)

// The states of an entry.
const (
	StateNew     = "new"     // read, nobody has looked yet
	StateMatched = "matched" // what it is for is known, and booked
	StateQueued  = "queued"  // a person must decide
	StateAside   = "aside"   // nothing to do with registrations, or not ours to book
)

// Entry is one movement of a statement with what was made of it.
type Entry struct {
	ID               uuid.UUID
	StatementID      uuid.UUID
	Day              civil.Date
	Cents            civil.Cents
	Currency         string
	Communication    string // twelve digits, "" for none
	FreeText         string
	CounterpartyName string
	CounterpartyIBAN string
	BankRef          string
	Kind             string
	State            string
	Reason           string // message key: why it waits or was set aside, or what was special about its money
	EndToEnd         string // the reference that whoever ordered the money gave it
	Returned         string // why a bank sent it back, "" for no return
	BookingKey       uuid.UUID
	// Of a matched entry, one of these says to what.
	DueID          *uuid.UUID
	RefundID       *uuid.UUID
	PayoutID       *uuid.UUID
	DepositID      *uuid.UUID
	FileID         *uuid.UUID
	RegistrationID *uuid.UUID
	DecidedBy      string // actor
	DecidedAt      *time.Time
}

// Statement is one that was taken in, with the counts of its entries.
type Statement struct {
	ID       uuid.UUID
	Account  string
	Number   string
	Currency string
	Day      civil.Date
	Opening  civil.Cents
	Closing  civil.Cents
	Warnings []statement.Warning
	Actor    string
	At       time.Time
	Matched  int
	Queued   int // new ones too
	Aside    int
}

// Store takes in and matches. Enrol books the money.
type Store struct {
	DB    *db.DB
	Enrol *enrol.Store
	Now   civil.Clock
}

// New returns a Store.
func New(d *db.DB, e *enrol.Store, now civil.Clock) *Store { return &Store{DB: d, Enrol: e, Now: now} }

const entryColumns = `
		  e.id, e.statement_id, COALESCE(e.day, s.day) AS day, e.cents, s.currency, e.communication, e.free_text,
		  e.counterparty_name, e.counterparty_iban, e.bank_ref, e.kind, e.state, e.reason, e.end_to_end, e.returned,
		  COALESCE(e.booking_key, e.id) AS booking_key, e.due_id, e.refund_id, e.payout_id, e.deposit_id, e.sepa_file_id AS file_id,
		  COALESCE((SELECT d.registration_id FROM due d WHERE d.id = e.due_id),
		    (SELECT f.registration_id FROM refund f WHERE f.id = e.refund_id)) AS registration_id, e.decided_by, e.decided_at
		FROM bank_entry e
		JOIN bank_statement s ON s.id = e.statement_id`

func entries(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Entry, error) {
	rows, err := q.Query(ctx, `
		SELECT`+entryColumns+`
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading bank entries: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading bank entries: %w", err)
	}
	return list, nil
}

// lock returns an entry and keeps it for the caller's transaction. An entry is locked before its registration.
func lock(ctx context.Context, tx db.Tx, id uuid.UUID) (Entry, error) {
	list, err := entries(ctx, tx, `e.id = @id FOR UPDATE OF e`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Entry{}, err
	}
	if len(list) == 0 {
		return Entry{}, problem.NotFound("bank.entry_not_found")
	}
	return list[0], nil
}

// Waiting counts the entries that a person must decide on.
func (s *Store) Waiting(ctx context.Context) (n int, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT count(*)::int
		FROM bank_entry
		WHERE state IN ('new', 'queued')`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting what waits of the bank: %w", err)
	}
	return n, nil
}

const statementColumns = `
		  s.id, s.account, s.number, s.currency, s.day, s.opening_cents AS opening, s.closing_cents AS closing,
		  s.warnings, s.actor, s.at,
		  (SELECT count(*) FROM bank_entry e WHERE e.statement_id = s.id AND e.state = 'matched')::int AS matched,
		  (SELECT count(*) FROM bank_entry e WHERE e.statement_id = s.id AND e.state IN ('new', 'queued'))::int AS queued,
		  (SELECT count(*) FROM bank_entry e WHERE e.statement_id = s.id AND e.state = 'aside')::int AS aside
		FROM bank_statement s`

// Statements returns the newest statements, at most limit.
func (s *Store) Statements(ctx context.Context, limit int) ([]Statement, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT`+statementColumns+`
		ORDER BY s.at DESC, s.day DESC NULLS LAST, s.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the bank statements: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Statement])
	if err != nil {
		return nil, fmt.Errorf("reading the bank statements: %w", err)
	}
	return list, nil
}

// Statement returns one with its entries as the bank ordered them. Movements that another statement had brought before
// stand there, not here.
func (s *Store) Statement(ctx context.Context, id uuid.UUID) (Statement, []Entry, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT`+statementColumns+`
		WHERE s.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Statement{}, nil, fmt.Errorf("reading a bank statement: %w", err)
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Statement])
	if errors.Is(err, pgx.ErrNoRows) {
		return one, nil, problem.NotFound("bank.statement_not_found")
	}
	if err != nil {
		return one, nil, fmt.Errorf("reading a bank statement: %w", err)
	}
	list, err := entries(ctx, s.DB, `e.statement_id = @id ORDER BY e.position`, pgx.NamedArgs{"id": id})
	return one, list, err
}
