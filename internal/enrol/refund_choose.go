package enrol

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// NeedsAccount reports whether the payer must say to which account the money of a refund goes: not all of it came by a
// way that leads back.
func (s *Store) NeedsAccount(ctx context.Context, q db.Querier, o ledger.RefundOrder) (bool, error) {
	sources, err := ledger.SourcesOf(ctx, q, o.DueID)
	if err != nil {
		return false, err
	}
	left := o.Cents
	for _, from := range sources {
		if from.PaymentID != nil || from.IBAN != "" || from.Source == "cash" {
			left -= from.Cents
		}
	}
	return left > 0 || len(sources) == 0, nil
}

// TakeMoney is the payer's choice of money: it goes back by the way it came, and to iban where it has none of its own.
// NotFound when the refund is another payer's; Invalid without an account where one is needed.
func (s *Store) TakeMoney(ctx context.Context, guardianID, accountID, id uuid.UUID, iban string) error {
	actor := audit.Account(accountID)
	return s.choose(ctx, guardianID, id, func(ctx context.Context, tx db.Tx, o ledger.RefundOrder) error {
		after, err := s.moveRefund(ctx, tx, o, ledger.RefundDropped, "staff", actor)
		if err != nil {
			return err
		}
		needed, err := s.NeedsAccount(ctx, tx, after)
		if err != nil {
			return err
		}
		if needed {
			if iban, err = transfer.ParseIBAN(iban); err != nil {
				var p problem.Fields
				p.Add("iban", "refund.iban_wrong")
				return p.Err()
			}
		} else {
			iban = ""
		}
		d, err := ledger.ReadDue(ctx, tx, o.DueID)
		if err != nil {
			return err
		}
		again := ledger.RefundOrder{Reason: o.Reason, BatchID: o.BatchID, DecidedBy: o.DecidedBy, IBAN: iban}
		if needed {
			if again.Beneficiary, err = guardianName(ctx, tx, d.PayerID); err != nil {
				return err
			}
		}
		if err := s.giveBack(ctx, tx, d, o.Cents, again); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "refund.money_chosen", "refund", o.ID.String(), nil)
	})
}

// TakeCamp is the payer's choice of another camp: the money pays what the payer owes for a registration, at most what
// is owed; what is left of it can still be chosen. Conflict when nothing is owed there.
func (s *Store) TakeCamp(ctx context.Context, guardianID, accountID, id, to uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.choose(ctx, guardianID, id, func(ctx context.Context, tx db.Tx, o ledger.RefundOrder) error {
		r, err := lock(ctx, tx, to)
		if err != nil {
			return err
		}
		d, err := ledger.DueFor(ctx, tx, to, guardianID)
		if err != nil {
			return err
		}
		b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
		if err != nil {
			return err
		}
		cents := min(o.Cents, b.Owed())
		if cents <= 0 || to == o.RegistrationID {
			return problem.Conflict("payment.nothing_due")
		}
		if cents < o.Cents {
			rest := o
			rest.Cents, rest.SubmissionKey = o.Cents-cents, nil
			if err := s.newRefund(ctx, tx, rest); err != nil {
				return err
			}
		}
		if o, err = ledger.CreditRefund(ctx, tx, o, cents, d, actor.String(), s.Now()); err != nil {
			return err
		}
		if err := s.announceRefund(ctx, tx, o); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "refund.camp_chosen", "refund", o.ID.String(), map[string]any{"registration": to, "cents": cents}); err != nil {
			return err
		}
		return s.settle(ctx, tx, &r, d, actor)
	})
}

// choose runs act on a refund that waits for its payer's choice.
func (s *Store) choose(ctx context.Context, guardianID, id uuid.UUID, act func(context.Context, db.Tx, ledger.RefundOrder) error) error {
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.PayerID != guardianID {
			return problem.NotFound("refund.not_found")
		}
		if o.State != ledger.RefundToChoose {
			return problem.Conflict("refund.chosen_already")
		}
		return act(ctx, tx, o)
	})
}

func guardianName(ctx context.Context, q db.Querier, id uuid.UUID) (name string, err error) {
	err = q.QueryRow(ctx, `
		SELECT btrim(first_name || ' ' || last_name)
		FROM guardian
		WHERE id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("reading guardian %s: %w", id, err)
	}
	return name, nil
}
