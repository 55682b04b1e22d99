package notice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// refundChanged keeps the message that tells a payer of money that goes back, once for each refund and state. What fails
// is for staff to mend; what is sent says nothing until it is done.
func (s *Store) refundChanged(ctx context.Context, a job.RefundChanged) error {
	id, err := uuid.Parse(a.RefundID)
	if err != nil {
		return job.Permanent(fmt.Errorf("reading the id of a refund: %w", err))
	}
	o, err := ledger.ReadRefund(ctx, s.DB, id)
	if problem.Is(err, problem.KindNotFound) {
		return nil
	}
	if err != nil || !tellRefund(o, a.State) {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateRefund+a.State, id.String(), o.CreatedAt, nil, toGuardian(o.PayerID))
	})
}

// tellRefund reports whether the payer of a refund is told that it came to a state.
func tellRefund(o ledger.RefundOrder, state string) bool {
	switch state {
	case ledger.RefundToChoose, ledger.RefundDone:
		return true
	case ledger.RefundDecided:
		return o.Way == ledger.ByTransfer || o.Way == ledger.ByCash
	}
	return false
}

// stillSo are the states in which a message of a refund still says what is so.
var stillSo = map[string][]string{
	ledger.RefundToChoose: {ledger.RefundToChoose},
	ledger.RefundDecided:  {ledger.RefundDecided, ledger.RefundSent},
	ledger.RefundDone:     {ledger.RefundDone},
}

// refundLetter tells of money that goes back, unless something newer became of it. It names neither the account in full
// nor another person.
func (s *Store) refundLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the refund %q", m.ID, m.SubjectID)
	}
	o, err := ledger.ReadRefund(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	state := strings.TrimPrefix(m.Template, templateRefund)
	if o.PayerID != to.GuardianID || !slices.Contains(stillSo[state], o.State) {
		return letter{}, errDrop
	}
	if err := s.notBlocked(ctx, tx, to.GuardianID, o.RegistrationID); err != nil {
		return letter{}, err
	}
	p, err := readPlace(ctx, tx, o.RegistrationID)
	if err != nil {
		return letter{}, err
	}
	l := letter{
		key: m.Template, args: []any{p.Child, p.Camp, loc.Euros(o.Cents)}, button: pathRegistration(p.ID),
		facts: append([]mail.Fact{{Label: loc.T("notice.fact.amount"), Value: loc.Euros(o.Cents)}}, p.facts(loc)...),
	}
	switch {
	case state == ledger.RefundToChoose:
		l.button = pathRefund(o.ID)
		if o.BatchID != nil && o.Reason != "" { // written for every family of the camp
			l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.reason"), Value: o.Reason})
		}
	case o.Way == ledger.ByCash:
		l.key += ".cash"
	case o.Way == ledger.ByTransfer:
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.iban"), Value: transfer.Masked(o.IBAN)})
	case o.Way == ledger.ByCredit && o.CreditTo != nil:
		l.key += ".credit"
		other, err := readPlace(ctx, tx, *o.CreditTo)
		if err != nil {
			return l, err
		}
		l.args = append(l.args, other.Child, other.Camp)
		l.button = pathRegistration(other.ID)
	}
	return l, nil
}
