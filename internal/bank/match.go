package bank

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// matchBatch bounds how many new entries are read at once.
const matchBatch = 500

// MatchNew looks at every entry that nobody has looked at, each in its own transaction: what is certain is booked, the
// rest waits with a reason or is set aside. Several may run at once; an entry is decided on once.
func (s *Store) MatchNew(ctx context.Context, actor audit.Actor) error {
	for {
		rows, err := s.DB.Query(ctx, `
			SELECT id
			FROM bank_entry
			WHERE state = 'new'
			ORDER BY day, statement_id, position
			LIMIT @limit`,
			pgx.NamedArgs{"limit": matchBatch})
		if err != nil {
			return fmt.Errorf("reading new bank entries: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("reading new bank entries: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			err := s.newOne(ctx, id, func(ctx context.Context, tx db.Tx, e Entry) error { return s.decide(ctx, tx, actor, e) })
			if problem.As(err) != nil { // one that cannot be booked keeps nobody else waiting
				err = s.newOne(ctx, id, func(ctx context.Context, tx db.Tx, e Entry) error {
					return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.failed")
				})
			}
			if err != nil {
				return err
			}
		}
	}
}

// newOne runs do on an entry if nobody has decided on it yet.
func (s *Store) newOne(ctx context.Context, id uuid.UUID, do func(context.Context, db.Tx, Entry) error) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		e, err := lock(ctx, tx, id)
		if err != nil || e.State != StateNew {
			return err
		}
		return do(ctx, tx, e)
	})
}

// providers are the names under which payment providers pay out: that money was booked payment by payment already.
var providers = []string{"mollie", "payconiq", "bancontact", "worldline", "ccv", "adyen", "stripe"}

// payout reports whether a provider sent the money.
func payout(name string) bool {
	for _, word := range strings.Fields(fold(name)) {
		for _, p := range providers {
			if word == p {
				return true
			}
		}
	}
	return false
}

// decide makes of a new entry what is certain, in the caller's transaction.
func (s *Store) decide(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry) error {
	if known, err := s.ofTransfer(ctx, tx, actor, e); known || err != nil {
		return err
	}
	due, owed, written, err := s.named(ctx, tx, e)
	if err != nil {
		return err
	}
	invoice, err := groupOf(ctx, tx, e.Communication)
	if err != nil {
		return err
	}
	switch {
	case e.Currency != "EUR":
		return s.put(ctx, tx, actor, e.ID, StateAside, "bank.reason.currency")
	case e.Cents < 0 && (due != nil || invoice != nil): // a refund, or money that its bank took back
		return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.outgoing_ours")
	case e.Cents <= 0:
		return s.put(ctx, tx, actor, e.ID, StateAside, "bank.reason.outgoing")
	case due != nil && (!written || owed == e.Cents):
		return s.book(ctx, tx, actor, e, *due)
	case invoice != nil: // what an organisation pays at once
		return s.bookGroup(ctx, tx, actor, e, *invoice)
	case due != nil:
		return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.written")
	case payout(e.CounterpartyName):
		return s.payout(ctx, tx, actor, e)
	case e.Communication != "":
		return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.unknown")
	}
	return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.none")
}

// named returns the due whose communication an entry carries, and what is owed of it; nil for none. written means that
// the payer typed it among other words, where it might be another's number.
func (s *Store) named(ctx context.Context, tx db.Tx, e Entry) (due *uuid.UUID, owed civil.Cents, written bool, err error) {
	communication := communicationOf(e)
	if communication == "" {
		return nil, 0, false, nil
	}
	written = e.Communication == ""
	var id uuid.UUID
	err = tx.QueryRow(ctx, owedSQL+`
		WHERE d.communication = @communication`,
		pgx.NamedArgs{"communication": communication}).Scan(&id, &owed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, written, nil
	}
	if err != nil {
		return nil, 0, written, fmt.Errorf("reading the due of a bank entry: %w", err)
	}
	return &id, owed, written, nil
}

// communicationOf is the communication that an entry carries or that somebody wrote among other words; "" for none.
func communicationOf(e Entry) string {
	if e.Communication != "" {
		return e.Communication
	}
	c, ok := transfer.Find(e.FreeText)
	if !ok {
		return ""
	}
	return c.Digits()
}

// owedSQL is a due with what is still to pay of it. What expired is no longer charged, but would be again.
const owedSQL = `
		SELECT d.id,
		  (CASE WHEN r.state = 'expired' THEN r.price_cents ELSE COALESCE(l.charged, 0) END - COALESCE(l.paid, 0))::bigint AS owed
		FROM due d
		JOIN registration r ON r.id = d.registration_id
		LEFT JOIN LATERAL (
		  SELECT sum(CASE WHEN kind IN ('charge', 'fee') THEN cents WHEN kind IN ('reduction', 'write_off') THEN -cents END) AS charged,
		    sum(CASE kind WHEN 'payment' THEN cents WHEN 'refund' THEN -cents END) AS paid
		  FROM ledger_line
		  WHERE due_id = d.id) l ON true`

// book settles a due with an entry and notes what was special about the money.
func (s *Store) book(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, due uuid.UUID) error {
	before, after, err := s.Enrol.SettleBank(ctx, tx, actor, due, e.BookingKey, e.Cents, e.Day)
	if err != nil {
		return err
	}
	return s.settled(ctx, tx, actor, e, due, before, after)
}

// settled notes to which due an entry was matched, and what was special about its money: what was owed before and after it.
func (s *Store) settled(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, due uuid.UUID, before, after civil.Cents) error {
	note := ""
	switch {
	case after > 0:
		note = "bank.note.part"
	case after < 0 && before <= 0:
		note = "bank.note.double"
	case after < 0:
		note = "bank.note.over"
	}
	_, err := tx.Exec(ctx, `
		UPDATE bank_entry
		SET state = 'matched', due_id = @due, reason = @note, decided_by = @by, decided_at = @at
		WHERE id = @id`,
		pgx.NamedArgs{"id": e.ID, "due": due, "note": note, "by": actor.String(), "at": s.Now()})
	if err != nil {
		return fmt.Errorf("matching bank entry %s: %w", e.ID, err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, tx db.Tx, actor audit.Actor, id uuid.UUID, state, reason string) error {
	_, err := tx.Exec(ctx, `
		UPDATE bank_entry
		SET state = @state, reason = @reason, decided_by = @by, decided_at = @at
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "state": state, "reason": reason, "by": actor.String(), "at": s.Now()})
	if err != nil {
		return fmt.Errorf("putting bank entry %s among the %s: %w", id, state, err)
	}
	return nil
}

// Match books a waiting entry on a due that a person chose. Conflict when the entry no longer waits, or is money that
// left or is no euros; NotFound for an unknown entry or due.
func (s *Store) Match(ctx context.Context, actor audit.Actor, entryID, dueID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if err := e.bookable(); err != nil {
			return err
		}
		return s.book(ctx, tx, actor, e, dueID)
	})
}

// MatchCommunication is Match with the due, or the invoice over several dues, whose communication was typed; Invalid when
// there is none.
func (s *Store) MatchCommunication(ctx context.Context, actor audit.Actor, entryID uuid.UUID, communication string) error {
	c, err := transfer.Parse(communication)
	if err != nil {
		return problem.Invalid("bank.communication_wrong")
	}
	var due uuid.UUID
	err = s.DB.QueryRow(ctx, `
		SELECT id
		FROM due
		WHERE communication = @communication`,
		pgx.NamedArgs{"communication": c.Digits()}).Scan(&due)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.matchGroup(ctx, actor, entryID, c.Digits())
	}
	if err != nil {
		return fmt.Errorf("reading a due: %w", err)
	}
	return s.Match(ctx, actor, entryID, due)
}

// matchGroup books a waiting entry on the invoice over several dues that has a communication.
func (s *Store) matchGroup(ctx context.Context, actor audit.Actor, entryID uuid.UUID, communication string) error {
	invoice, err := groupOf(ctx, s.DB, communication)
	if err != nil {
		return err
	}
	if invoice == nil {
		return problem.Invalid("bank.communication_unknown")
	}
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if err := e.bookable(); err != nil {
			return err
		}
		return s.bookGroup(ctx, tx, actor, e, *invoice)
	})
}

// bookable returns Conflict for an entry that no longer waits, or is money that left or is no euros.
func (e Entry) bookable() error {
	if e.State != StateQueued && e.State != StateNew {
		return problem.Conflict("bank.not_waiting")
	}
	if e.Cents <= 0 || e.Currency != "EUR" {
		return problem.Conflict("bank.not_bookable")
	}
	return nil
}

// SetAside takes a waiting entry off the queue: it pays nothing of ours. Conflict when it no longer waits.
func (s *Store) SetAside(ctx context.Context, actor audit.Actor, entryID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.set_aside", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateQueued && e.State != StateNew {
			return problem.Conflict("bank.not_waiting")
		}
		return s.put(ctx, tx, actor, e.ID, StateAside, "bank.reason.by_hand")
	})
}

// TakeBack puts an entry that was set aside in the queue again; Conflict for any other.
func (s *Store) TakeBack(ctx context.Context, actor audit.Actor, entryID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.taken_back", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateAside {
			return problem.Conflict("bank.not_aside")
		}
		return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.taken_back")
	})
}

// act runs what a person decided on a locked entry, and records it.
func (s *Store) act(ctx context.Context, actor audit.Actor, id uuid.UUID, action string, do func(context.Context, db.Tx, Entry) error) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		e, err := lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := do(ctx, tx, e); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, action, "bank_entry", id.String(), map[string]any{"cents": e.Cents})
	})
}
