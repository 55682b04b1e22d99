package enrol

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// SendRefund asks the provider to give money back by the payment that it came by. It may be called any number of times:
// the key is stored before the call, and once the provider may have forgotten it, the refund is looked for first. A
// temporary failure is returned, to be retried; what the provider refuses becomes a task.
func (s *Store) SendRefund(ctx context.Context, id uuid.UUID) error {
	o, err := ledger.ReadRefund(ctx, s.DB, id)
	if err != nil || o.State != ledger.RefundDecided || o.Way != ledger.ByProvider || o.PaymentID == nil {
		return err
	}
	a, err := ledger.ReadAttempt(ctx, s.DB, *o.PaymentID)
	if err != nil {
		return err
	}
	provider := s.provider(a.Provider)
	if provider == nil || a.ProviderID == nil {
		return s.refundStuck(ctx, o.ID, "refund.no_provider")
	}
	if there, err := s.askedBefore(ctx, provider, o, *a.ProviderID); err != nil || there {
		return err
	}
	r, err := provider.Refund(ctx, pay.RefundRequest{
		Key: o.IdempotencyKey.String(), PaymentID: *a.ProviderID, Amount: o.Cents, Description: refundText(o),
		Metadata: map[string]string{metadataRefund: o.ID.String()},
	})
	switch {
	case err == nil:
		return s.takeRefund(ctx, o.ID, r)
	case pay.Temporary(err):
		return fmt.Errorf("sending refund %s: %w", o.ID, err)
	}
	return s.refundStuck(ctx, o.ID, "refund.refused_"+string(pay.KindOf(err)))
}

// metadataRefund is the name under which a provider keeps our id of a refund.
const metadataRefund = "refund"

// refundText is what the payer reads on the statement: no name of a child.
func refundText(o ledger.RefundOrder) string { return "Remboursement " + o.ID.String()[:8] }

// askedBefore looks for a refund whose key the provider may have forgotten, and takes what it finds.
func (s *Store) askedBefore(ctx context.Context, provider pay.Provider, o ledger.RefundOrder, paymentID string) (bool, error) {
	if s.Now().Sub(o.CreatedAt) < refundKeyLife {
		return false, nil
	}
	all, err := provider.Refunds(ctx, paymentID)
	if pay.KindOf(err) == pay.ErrKindUnsupported {
		return false, nil // it never forgets a key
	}
	if err != nil {
		return false, fmt.Errorf("looking for refund %s: %w", o.ID, err)
	}
	for _, r := range all {
		if r.Metadata[metadataRefund] == o.ID.String() || r.Description == refundText(o) && r.Amount == o.Cents {
			return true, s.takeRefund(ctx, o.ID, r)
		}
	}
	return false, nil
}

// refundKeyLife stays below the hour for which Mollie keeps an idempotency key.
const refundKeyLife = 50 * time.Minute

// refundStuck gives a refund that cannot leave to staff.
func (s *Store) refundStuck(ctx context.Context, id uuid.UUID, why string) error {
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundDecided && o.State != ledger.RefundSent {
			return nil
		}
		o.Failure = why
		return s.failRefund(ctx, tx, o, ledger.RefundFailed, audit.Job("refund"))
	})
}

// failRefund ends a locked refund that did not reach its payer, with a task.
func (s *Store) failRefund(ctx context.Context, tx db.Tx, o ledger.RefundOrder, state string, actor audit.Actor) error {
	if _, err := s.moveRefund(ctx, tx, o, state, "provider", actor); err != nil {
		return err
	}
	return task.Open(ctx, tx, task.RefundStuck, "refund", o.ID.String(),
		map[string]any{"refund": o.ID, "registration": o.RegistrationID, "cents": o.Cents, "why": o.Failure})
}

// takeRefund writes what the provider said of a refund. Only refunded is money that left; a refunded one that the bank
// sent back is undone in the ledger.
func (s *Store) takeRefund(ctx context.Context, id uuid.UUID, r pay.Refund) error {
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		actor := audit.Job("refund")
		o.ProviderID = &r.ID
		var err error
		if o.State == ledger.RefundDecided && r.Status.Counts() {
			if o, err = s.moveRefund(ctx, tx, o, ledger.RefundSent, "provider", actor); err != nil {
				return err
			}
		}
		switch {
		case r.Status == pay.RefundRefunded && o.State == ledger.RefundSent:
			a, err := ledger.ReadAttempt(ctx, tx, *o.PaymentID)
			if err != nil {
				return err
			}
			_, err = s.moveRefund(ctx, tx, o, ledger.RefundDone, a.Provider, actor)
			return err
		case r.Status == pay.RefundFailed || r.Status == pay.RefundCanceled:
			o.Failure = "refund.bank_returned"
			switch o.State {
			case ledger.RefundDecided, ledger.RefundSent:
				return s.failRefund(ctx, tx, o, ledger.RefundFailed, actor)
			case ledger.RefundDone:
				return s.failRefund(ctx, tx, o, ledger.RefundDropped, actor)
			}
		}
		return ledger.RefundLooked(ctx, tx, o.ID, s.Now())
	})
}

// CheckRefunds asks the provider after the refunds of a payment, which it signals with the payment's id.
func (s *Store) CheckRefunds(ctx context.Context, paymentID uuid.UUID) error {
	a, err := ledger.ReadAttempt(ctx, s.DB, paymentID)
	if err != nil {
		return err
	}
	provider := s.provider(a.Provider)
	if provider == nil || a.ProviderID == nil {
		return nil
	}
	open, err := ledger.RefundsByPayment(ctx, s.DB, paymentID)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.ProviderID == nil {
			continue
		}
		r, err := provider.FetchRefund(ctx, *a.ProviderID, *o.ProviderID)
		if err != nil {
			return fmt.Errorf("asking after refund %s: %w", o.ID, err)
		}
		if err := s.takeRefund(ctx, o.ID, r); err != nil {
			return err
		}
	}
	return nil
}

// SweepRefunds sends what was decided and never asked, and asks after what was sent and has been silent, in case a job
// or a callback was lost. A failure of one does not keep it from the next.
func (s *Store) SweepRefunds(ctx context.Context) (n int, first error) {
	note := func(err error) {
		n++
		if err != nil && first == nil && !problem.Is(err, problem.KindConflict) {
			first = err
		}
	}
	decided, err := ledger.RefundsInState(ctx, s.DB, ledger.ByProvider, ledger.RefundDecided, s.Now().Add(-sweepAfter), 100)
	if err != nil {
		return 0, err
	}
	for _, o := range decided {
		note(s.SendRefund(ctx, o.ID))
	}
	sent, err := ledger.RefundsInState(ctx, s.DB, ledger.ByProvider, ledger.RefundSent, s.Now().Add(-refundSweep), 100)
	if err != nil {
		return n, err
	}
	for _, o := range sent {
		if o.PaymentID != nil {
			note(s.CheckRefunds(ctx, *o.PaymentID))
		}
	}
	return n, first
}

// refundSweep is how long a sent refund may be silent: banks take days.
const refundSweep = time.Hour
