package bank

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// The targets of a match beside a due, by their columns.
const (
	targetRefund  = "refund_id"
	targetPayout  = "payout_id"
	targetDeposit = "deposit_id"
	targetFile    = "sepa_file_id"
	targetDue     = "due_id"
)

// matched notes what a locked entry is for.
func (s *Store) matched(ctx context.Context, tx db.Tx, actor audit.Actor, id uuid.UUID, column string, target uuid.UUID, note string) error {
	_, err := tx.Exec(ctx, `
		UPDATE bank_entry
		SET state = 'matched', `+column+` = @target, reason = @note, decided_by = @by, decided_at = @at
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "target": target, "note": note, "by": actor.String(), "at": s.Now()})
	switch {
	case db.Constraint(err) == "bank_entry_deposit":
		return problem.Conflict("bank.deposit_known")
	case err != nil:
		return fmt.Errorf("matching bank entry %s: %w", id, err)
	}
	return nil
}

// ofTransfer matches an entry that is certainly a refund of ours: money that left with the reference of one, or with the
// communication and the amount of one that was sent, or that carries out a whole file; and money that came back with the
// reference of one.
func (s *Store) ofTransfer(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry) (known bool, err error) {
	if e.Currency != "EUR" || e.Cents == 0 {
		return false, nil
	}
	t, found, err := transferOf(ctx, tx, e)
	switch {
	case err != nil:
		return false, err
	case found && e.Cents < 0 && t.Cents == -e.Cents && (t.State == "sent" || t.State == "decided"):
		return true, s.executed(ctx, tx, actor, e, t.ID)
	case found && e.Cents > 0 && t.Cents == e.Cents && (t.State == "sent" || t.State == "done"):
		return true, s.cameBack(ctx, tx, actor, e, t)
	case found || e.Cents > 0:
		return false, nil
	}
	return s.ofFile(ctx, tx, actor, e)
}

// transferOf finds the refund whose reference an entry carries or, for money that left, whose communication it does.
func transferOf(ctx context.Context, tx db.Tx, e Entry) (t ledger.Transfer, found bool, err error) {
	if e.EndToEnd != "" {
		list, err := ledger.Transfers(ctx, tx, `EXISTS (SELECT 1 FROM sepa_file_refund x WHERE x.refund_id = f.id AND x.end_to_end = @reference)`,
			pgx.NamedArgs{"reference": e.EndToEnd})
		if err != nil || len(list) == 1 {
			return one(list), len(list) == 1, err
		}
	}
	if e.Cents > 0 {
		return t, false, nil
	}
	list, err := ledger.Transfers(ctx, tx, `f.state = 'sent' AND f.cents = @cents AND d.communication = @communication`,
		pgx.NamedArgs{"cents": -e.Cents, "communication": communicationOf(e)})
	return one(list), len(list) == 1, err
}

func one(list []ledger.Transfer) ledger.Transfer {
	if len(list) == 0 {
		return ledger.Transfer{}
	}
	return list[0]
}

// executed books the refund that an entry carried out.
func (s *Store) executed(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, refundID uuid.UUID) error {
	if err := s.Enrol.TransferExecuted(ctx, tx, actor, refundID, e.Day); err != nil {
		return err
	}
	return s.matched(ctx, tx, actor, e.ID, targetRefund, refundID, "bank.note.refund")
}

// cameBack takes in the money of a refund that a bank sent back. One that was never seen leaving has left all the same.
func (s *Store) cameBack(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, t ledger.Transfer) error {
	if t.State == "sent" {
		if err := s.Enrol.TransferExecuted(ctx, tx, actor, t.ID, e.Day); err != nil {
			return err
		}
	}
	why := e.Returned
	if why == "" {
		why = "RTRN"
	}
	if err := s.Enrol.TransferReturned(ctx, tx, actor, t.ID, why); err != nil {
		return err
	}
	return s.matched(ctx, tx, actor, e.ID, targetRefund, t.ID, "bank.note.returned")
}

// ofFile matches one debit that carries out a whole file: it names the file's id and has its total.
func (s *Store) ofFile(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry) (known bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT f.id
		FROM sepa_file f
		WHERE f.total_cents = @cents
		  AND position(f.message_id IN @text) > 0
		  AND NOT EXISTS (SELECT 1 FROM sepa_file_void v WHERE v.file_id = f.id)
		  AND NOT EXISTS (SELECT 1 FROM sepa_file_refund x JOIN refund r ON r.id = x.refund_id WHERE x.file_id = f.id AND r.state <> 'sent')`,
		pgx.NamedArgs{"cents": -e.Cents, "text": strings.Join([]string{e.EndToEnd, e.FreeText, e.BankRef}, " ")})
	if err != nil {
		return false, fmt.Errorf("looking for a file of transfers: %w", err)
	}
	files, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(files) != 1 {
		return false, err
	}
	list, err := ledger.Transfers(ctx, tx, `EXISTS (SELECT 1 FROM sepa_file_refund x WHERE x.refund_id = f.id AND x.file_id = @file) ORDER BY f.registration_id, f.id`,
		pgx.NamedArgs{"file": files[0]})
	if err != nil {
		return false, err
	}
	for _, t := range list {
		if err := s.Enrol.TransferExecuted(ctx, tx, actor, t.ID, e.Day); err != nil {
			return false, err
		}
	}
	return true, s.matched(ctx, tx, actor, e.ID, targetFile, files[0], "bank.note.file")
}

// MatchRefund books a waiting entry as the refund that a person chose: carried out when money left, sent back when it
// came. Conflict when the entry no longer waits, or the amounts or the refund's state do not fit.
func (s *Store) MatchRefund(ctx context.Context, actor audit.Actor, entryID, refundID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateQueued && e.State != StateNew {
			return problem.Conflict("bank.not_waiting")
		}
		t, err := ledger.ReadTransfer(ctx, tx, refundID)
		if err != nil {
			return err
		}
		if e.Currency != "EUR" || t.Cents != e.Cents && t.Cents != -e.Cents {
			return problem.Conflict("bank.not_this_refund")
		}
		if e.Cents < 0 {
			return s.executed(ctx, tx, actor, e, refundID)
		}
		return s.cameBack(ctx, tx, actor, e, t)
	})
}

// MatchTakenBack books a waiting debit as a payer's bank taking back a payment. Conflict when the entry no longer waits or
// the payment has another amount or was taken back before.
func (s *Store) MatchTakenBack(ctx context.Context, actor audit.Actor, entryID, lineID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateQueued && e.State != StateNew {
			return problem.Conflict("bank.not_waiting")
		}
		b, err := ledger.ReadLine(ctx, tx, lineID)
		if err != nil {
			return err
		}
		if e.Currency != "EUR" || b.Cents != -e.Cents {
			return problem.Conflict("bank.not_this_payment")
		}
		due, err := s.Enrol.BankTookBack(ctx, tx, actor, e.ID, e.BookingKey, lineID)
		if err != nil {
			return err
		}
		return s.matched(ctx, tx, actor, e.ID, targetDue, due, "bank.note.taken_back")
	})
}

// MatchDeposit notes that a waiting entry is money that the cash desk brought. Conflict when the entry no longer waits,
// the amounts differ, or the deposit is on a statement already.
func (s *Store) MatchDeposit(ctx context.Context, actor audit.Actor, entryID, depositID uuid.UUID) error {
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateQueued && e.State != StateNew {
			return problem.Conflict("bank.not_waiting")
		}
		var cents civil.Cents
		err := tx.QueryRow(ctx, `
			SELECT COALESCE((SELECT cents FROM cash_deposit WHERE id = @id), 0)`,
			pgx.NamedArgs{"id": depositID}).Scan(&cents)
		if err != nil {
			return fmt.Errorf("reading a deposit: %w", err)
		}
		if cents == 0 || cents != e.Cents || e.Currency != "EUR" {
			return problem.Conflict("bank.not_this_deposit")
		}
		return s.matched(ctx, tx, actor, e.ID, targetDeposit, depositID, "bank.note.deposit")
	})
}
