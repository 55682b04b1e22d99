package enrol

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// Returnable is what a registration owes back to one payer, less what is on its way, and how the money came.
type Returnable struct {
	Due     ledger.Due
	Cents   civil.Cents
	Sources []ledger.Source
}

// Returnable returns what a registration owes back, by payer. The caller has checked who asks.
func (s *Store) Returnable(ctx context.Context, id uuid.UUID) ([]Returnable, error) {
	return s.returnable(ctx, s.DB, id)
}

func (s *Store) returnable(ctx context.Context, q db.Querier, id uuid.UUID) ([]Returnable, error) {
	a, err := s.accounts(ctx, q, id)
	if err != nil {
		return nil, err
	}
	var list []Returnable
	for _, d := range a.dues {
		open, err := ledger.RefundsUnderWay(ctx, q, d.ID)
		if err != nil {
			return nil, err
		}
		v := Returnable{Due: d, Cents: -a.of[d.ID].Owed() - open}
		if v.Cents <= 0 {
			continue
		}
		if v.Sources, err = ledger.SourcesOf(ctx, q, d.ID); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// OtherWay is why money does not go back the way it came, and where it goes instead.
type OtherWay struct {
	Way         string // ledger.ByTransfer or ledger.ByCash
	IBAN        string
	Beneficiary string
	Why         string // a death, a closed account
	Proof       string // what staff saw
}

// RefundForm asks for money to go back to the payer of a due.
type RefundForm struct {
	Key    uuid.UUID // of the form: the same key again is the same refund
	DueID  uuid.UUID
	Cents  civil.Cents
	Reason string
	Other  *OtherWay // nil: the way it came
}

func (f RefundForm) check() error {
	var p problem.Fields
	if f.Cents <= 0 {
		p.Add("amount", "payment.amount_out_of_range")
	}
	if strings.TrimSpace(f.Reason) == "" {
		p.Add("reason", "registration.reason_needed")
	}
	if len(f.Reason) > maxReason {
		p.Add("reason", "form.too_long")
	}
	if o := f.Other; o != nil {
		if o.Way != ledger.ByTransfer && o.Way != ledger.ByCash {
			p.Add("way", "refund.way_unknown")
		}
		if _, err := transfer.ParseIBAN(o.IBAN); o.Way == ledger.ByTransfer && err != nil {
			p.Add("iban", "refund.iban_wrong")
		}
		for name, text := range map[string]string{"beneficiary": o.Beneficiary, "why": o.Why, "proof": o.Proof} {
			if strings.TrimSpace(text) == "" {
				p.Add(name, "form.needed")
			}
			if len(text) > maxReason {
				p.Add(name, "form.too_long")
			}
		}
	}
	return p.Err()
}

// Refund decides that money goes back to the payer of a due: by the payments that it came by, the newest first, or by
// another way once a second member of staff agrees. Never more than the registration owes back: Invalid.
func (s *Store) Refund(ctx context.Context, accountID uuid.UUID, f RefundForm) error {
	if err := f.check(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		d, err := ledger.ReadDue(ctx, tx, f.DueID)
		if err != nil {
			return err
		}
		r, err := lock(ctx, tx, d.RegistrationID)
		if err != nil {
			return err
		}
		if _, err := ledger.RefundByKey(ctx, tx, f.Key); err == nil || !problem.Is(err, problem.KindNotFound) {
			return err
		}
		var back civil.Cents
		all, err := s.returnable(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		for _, v := range all {
			if v.Due.ID == d.ID {
				back = v.Cents
			}
		}
		if f.Cents > back {
			var p problem.Fields
			p.Add("amount", "refund.too_much", back.Euros())
			return p.Err()
		}
		o := ledger.RefundOrder{Reason: strings.TrimSpace(f.Reason), SubmissionKey: &f.Key, DecidedBy: actor.String()}
		if f.Other != nil {
			err = s.otherWay(ctx, tx, d, f, o)
		} else {
			err = s.giveBack(ctx, tx, d, f.Cents, o)
		}
		if err != nil {
			return err
		}
		if err := seenStuck(ctx, tx, r.ID, actor); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "refund.decided", "registration", r.ID.String(), map[string]any{"due": d.ID, "cents": f.Cents}); err != nil {
			return err
		}
		return s.owesBack(ctx, tx, &r)
	})
}

// seenStuck closes the tasks of refunds that their bank sent back: what they held is decided anew.
func seenStuck(ctx context.Context, tx db.Tx, registrationID uuid.UUID, actor audit.Actor) error {
	all, err := ledger.RefundsOf(ctx, tx, registrationID)
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range all {
		if o.State == ledger.RefundDropped {
			ids = append(ids, o.ID.String())
		}
	}
	return task.CloseAll(ctx, tx, task.RefundStuck, "refund", ids, actor.String())
}

// otherWay stores a refund that does not go the way its money came: it waits for a second member of staff.
func (s *Store) otherWay(ctx context.Context, tx db.Tx, d ledger.Due, f RefundForm, o ledger.RefundOrder) error {
	o.DueID, o.RegistrationID, o.PayerID, o.Cents = d.ID, d.RegistrationID, d.PayerID, f.Cents
	o.Way, o.State = f.Other.Way, ledger.RefundToConfirm
	o.Beneficiary, o.OtherWay, o.Proof = f.Other.Beneficiary, f.Other.Why, f.Other.Proof
	if o.Way == ledger.ByTransfer {
		var err error
		if o.IBAN, err = transfer.ParseIBAN(f.Other.IBAN); err != nil {
			return err
		}
	}
	o, err := ledger.NewRefund(ctx, tx, o, s.Now())
	if err != nil {
		return err
	}
	return task.Open(ctx, tx, task.RefundSecond, "refund", o.ID.String(), map[string]any{"refund": o.ID, "registration": d.RegistrationID, "cents": o.Cents})
}

// giveBack splits an amount over the payments of a due, the newest first, each by the way it came. What came by a
// terminal, by hand or from another registration has no way back of its own: its payer says where.
func (s *Store) giveBack(ctx context.Context, tx db.Tx, d ledger.Due, cents civil.Cents, o ledger.RefundOrder) error {
	terms, err := termsOfRegistration(ctx, tx, d.RegistrationID)
	if err != nil {
		return err
	}
	sources, err := ledger.SourcesOf(ctx, tx, d.ID)
	if err != nil {
		return err
	}
	o.DueID, o.RegistrationID, o.PayerID, o.Regulation = d.ID, d.RegistrationID, d.PayerID, terms.Regulation
	for _, from := range sources {
		one := o
		one.Cents = min(cents, from.Cents)
		if one.Cents <= 0 {
			break
		}
		cents -= one.Cents
		switch {
		case from.PaymentID != nil:
			one.Way, one.State, one.PaymentID = ledger.ByProvider, ledger.RefundDecided, from.PaymentID
		case from.IBAN != "":
			one.Way, one.State, one.IBAN, one.Beneficiary = ledger.ByTransfer, ledger.RefundDecided, from.IBAN, from.Holder
		case o.IBAN != "":
			one.Way, one.State = ledger.ByTransfer, ledger.RefundDecided
		case from.Source == "cash":
			one.Way, one.State = ledger.ByCash, ledger.RefundDecided
		default:
			one.Way, one.State = ledger.ByChoice, ledger.RefundToChoose
		}
		if err := s.newRefund(ctx, tx, one); err != nil {
			return err
		}
		o.SubmissionKey = nil // the first one keeps it
	}
	if cents > 0 {
		var p problem.Fields // a bank sent back what had left: the way it came is used up
		p.Add("way", "refund.no_way_back", cents.Euros())
		return p.Err()
	}
	return nil
}

func termsOfRegistration(ctx context.Context, q db.Querier, id uuid.UUID) (camp.Terms, error) {
	r, err := one(ctx, q, `id = @id`, map[string]any{"id": id})
	if err != nil {
		return camp.Terms{}, err
	}
	return camp.TermsOf(ctx, q, r.CampID)
}

// newRefund stores a refund, and enqueues what makes it leave or who must be told.
func (s *Store) newRefund(ctx context.Context, tx db.Tx, o ledger.RefundOrder) error {
	o, err := ledger.NewRefund(ctx, tx, o, s.Now())
	if err != nil {
		return err
	}
	return s.announceRefund(ctx, tx, o)
}

// announceRefund enqueues what a refund needs in its state: the provider is asked, the payer is told.
func (s *Store) announceRefund(ctx context.Context, tx db.Tx, o ledger.RefundOrder) error {
	if o.Way == ledger.ByProvider && o.State == ledger.RefundDecided {
		if _, err := s.Jobs.InsertTx(ctx, tx, job.RefundSend{RefundID: o.ID.String()}, nil); err != nil {
			return fmt.Errorf("sending refund %s: %w", o.ID, err)
		}
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.RefundChanged{RefundID: o.ID.String(), State: o.State}, nil); err != nil {
		return fmt.Errorf("announcing refund %s: %w", o.ID, err)
	}
	return nil
}

// moveRefund moves a locked refund and announces it.
func (s *Store) moveRefund(ctx context.Context, tx db.Tx, o ledger.RefundOrder, state, source string, actor audit.Actor) (ledger.RefundOrder, error) {
	o, err := ledger.MoveRefund(ctx, tx, o, state, source, actor.String(), s.Now())
	if err != nil {
		return o, err
	}
	return o, s.announceRefund(ctx, tx, o)
}

// onRefund runs act on a locked refund, after its registration, and looks again at what is owed back.
func (s *Store) onRefund(ctx context.Context, id uuid.UUID, act func(context.Context, db.Tx, *Registration, ledger.RefundOrder) error) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		o, err := ledger.ReadRefund(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := lock(ctx, tx, o.RegistrationID)
		if err != nil {
			return err
		}
		if o, err = ledger.LockRefund(ctx, tx, id); err != nil {
			return err
		}
		if err := act(ctx, tx, &r, o); err != nil {
			return err
		}
		if err := s.owesBack(ctx, tx, &r); err != nil || r.State.Info().Exit {
			return err
		}
		return s.owesAgain(ctx, tx, &r, "refund")
	})
}

// ConfirmRefund is the second member of staff's yes or no to a refund by another way. Who decided it cannot: Forbidden.
func (s *Store) ConfirmRefund(ctx context.Context, accountID, id uuid.UUID, agree bool) error {
	actor := audit.Account(accountID)
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.State != ledger.RefundToConfirm {
			return problem.Conflict("refund.not_waiting")
		}
		state := ledger.RefundDropped
		if agree {
			if o.DecidedBy == actor.String() {
				return problem.Forbidden("refund.second_needed")
			}
			state, o.SecondBy = ledger.RefundDecided, actor.String()
		}
		if _, err := s.moveRefund(ctx, tx, o, state, "staff", actor); err != nil {
			return err
		}
		if err := task.Close(ctx, tx, task.RefundSecond, "refund", o.ID.String(), actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "refund.confirmed", "refund", o.ID.String(), map[string]any{"agree": agree})
	})
}

// DropRefund takes a refund back that has not left, or that failed; what it held is owed back again.
func (s *Store) DropRefund(ctx context.Context, accountID, id uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.State == ledger.RefundDone || o.State == ledger.RefundSent {
			return problem.Conflict("refund.left_already")
		}
		if _, err := s.moveRefund(ctx, tx, o, ledger.RefundDropped, "staff", actor); err != nil {
			return err
		}
		for _, kind := range []string{task.RefundSecond, task.RefundStuck} {
			if err := task.Close(ctx, tx, kind, "refund", o.ID.String(), actor.String()); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, "refund.dropped", "refund", o.ID.String(), nil)
	})
}

// PayOut notes that a refund in cash was handed over at the counter.
func (s *Store) PayOut(ctx context.Context, accountID, id uuid.UUID) error {
	actor := audit.Account(accountID)
	return s.onRefund(ctx, id, func(ctx context.Context, tx db.Tx, _ *Registration, o ledger.RefundOrder) error {
		if o.State == ledger.RefundDone {
			return nil // the button, pressed twice
		}
		if o.Way != ledger.ByCash || o.State != ledger.RefundDecided {
			return problem.Conflict("refund.not_cash")
		}
		if _, err := s.moveRefund(ctx, tx, o, ledger.RefundDone, "cash", actor); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "refund.paid_out", "refund", o.ID.String(), map[string]any{"cents": o.Cents})
	})
}
