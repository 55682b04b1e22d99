package portal

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// sameWay is the answer that lets money go back the way it came.
const sameWay = "same"

// staffRefundFormPage decides that money goes back to a payer.
type staffRefundFormPage struct {
	*staffMoneyPage
	Returns []staffReturnable
	Choices []choice // of the dues, when there are several
	Ways    []choice
	Others  []staffRefund // that are under way already
}

// staffReturnable is what is owed back to one payer, and how it came.
type staffReturnable struct {
	enrol.Returnable
	Payer string
	Same  bool // all of it can go back the way it came
}

// Account writes the account that money came from.
func (v staffReturnable) Account(from ledger.Source) string { return groups(from.IBAN) }

func (s *server) refundFormPage(r *http.Request) (*staffRefundFormPage, error) {
	base, err := s.moneyPage(r, "smoney.refund_of")
	if err != nil {
		return nil, err
	}
	p := &staffRefundFormPage{staffMoneyPage: base}
	all, err := s.Enrol.Returnable(r.Context(), base.Reg.ID)
	if err != nil {
		return nil, err
	}
	same := len(all) > 0
	for _, v := range all {
		one := staffReturnable{Returnable: v}
		if m := base.one(v.Due.ID); m != nil {
			one.Payer = m.Payer
		}
		left := v.Cents
		for _, from := range v.Sources {
			left -= from.Cents
		}
		one.Same = left <= 0
		same = same && one.Same
		p.Returns = append(p.Returns, one)
		p.Choices = append(p.Choices, choice{Value: v.Due.ID.String(), Text: p.L.T("smoney.back_to", one.Payer, p.L.Euros(v.Cents))})
	}
	p.Ways = []choice{
		{Value: sameWay, Text: p.L.T("smoney.way_same"), Hint: p.L.T("smoney.way_same_hint"), Disabled: !same},
		{Value: ledger.ByTransfer, Text: p.L.T("smoney.way_transfer"), Hint: p.L.T("smoney.way_second")},
		{Value: ledger.ByCash, Text: p.L.T("smoney.way_cash"), Hint: p.L.T("smoney.way_second")},
	}
	list, err := s.refundsOf(r, p.L, base.Reg.ID)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if o.UnderWay() {
			p.Others = append(p.Others, o)
		}
	}
	return p, nil
}

// staffRefundForm shows what is owed back and asks how much goes.
func (s *server) staffRefundForm(w http.ResponseWriter, r *http.Request) error {
	p, err := s.refundFormPage(r)
	if err != nil {
		return err
	}
	if len(p.Returns) > 0 {
		first := p.Returns[0]
		p.Form.Set("due", first.Due.ID.String()).Set("amount", typedEuros(first.Cents))
		if !p.Ways[0].Disabled {
			p.Form.Set("way", sameWay)
		}
	}
	return s.render(w, r, http.StatusOK, "staff/money/refund_form", p)
}

// staffRefundDo decides a refund, once however often the form is sent.
func (s *server) staffRefundDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.refundFormPage(r)
	if err != nil {
		return err
	}
	v := enrol.RefundForm{Cents: f.Cents("amount"), Reason: f.Text("reason")}
	var ok bool
	if v.Key, ok = f.UUID("key"); !ok {
		f.Add("", "form.unreadable")
	}
	if v.DueID, ok = f.UUID("due"); !ok {
		f.Add("due", "form.choose")
	} else if p.one(v.DueID) == nil {
		return problem.NotFound("ledger.due_not_found")
	}
	switch way := f.Text("way"); way {
	case "":
		f.Add("way", "form.choose")
	case sameWay:
	default:
		v.Other = &enrol.OtherWay{Way: way, IBAN: f.Text("iban"), Beneficiary: f.Text("beneficiary"), Why: f.Text("why"), Proof: f.Text("proof")}
	}
	_, account := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Enrol.Refund(r.Context(), account, v)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.keep(f)
		return s.refuse(w, r, "staff/money/refund_form", f, p)
	}
	if v.Other != nil {
		return s.toMoney(w, r, "flash.refund_to_confirm")
	}
	return s.toMoney(w, r, "flash.refund_decided")
}

// staffRefundPage is one refund with what can be done about it.
type staffRefundPage struct {
	staffPage
	O         staffRefund
	CanRefund bool
	CanCash   bool
	Form      *form.Form
}

// NextURL is where the desk leads back to once it is open.
func (p *staffRefundPage) NextURL() string { return p.O.URL() }

func (s *server) officeRefund(r *http.Request) (*staffRefundPage, error) {
	base, _, err := s.staff(r, "", staffRefundPath)
	if err != nil {
		return nil, err
	}
	p := &staffRefundPage{staffPage: base, CanRefund: s.can(r, mayRefund), CanCash: s.can(r, mayCash), Form: form.New()}
	_, account := s.actorOf(r)
	list, err := s.readRefunds(r.Context(), account, s.can(r, maySocial), `f.id = @id`, pgx.NamedArgs{"id": pathID(r)})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, problem.NotFound("refund.not_found")
	}
	p.O = list[0]
	p.Title = p.L.T("smoney.refund_title", p.L.Euros(p.O.Cents))
	p.Back = &page.Link{URL: registrationPath + p.O.RegistrationID.String() + "#money", Text: p.O.Child}
	return p, nil
}

func (s *server) staffRefundShow(w http.ResponseWriter, r *http.Request) error {
	p, err := s.officeRefund(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/money/refund", p)
}

// onRefund runs an act on the refund of the address and leads back to it. A second click, or a colleague's, finds the
// refund elsewhere: the page says where it stands.
func (s *server) onRefund(w http.ResponseWriter, r *http.Request, flash string, act func(account, id uuid.UUID, f *form.Form) error) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.officeRefund(r)
	if err != nil {
		return err
	}
	_, account := s.actorOf(r)
	err = act(account, p.O.ID, f)
	if v := problem.As(err); v != nil && v.Kind == problem.KindConflict {
		s.flash(w, "flash.refund_elsewhere")
		return seeOther(w, r, p.O.URL())
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/money/refund", f, p)
	}
	s.flash(w, flash)
	if f.Text("then") == "form" { // to decide it anew
		return seeOther(w, r, registrationPath+p.O.RegistrationID.String()+"/rembourser")
	}
	return seeOther(w, r, p.O.URL())
}

// staffRefundConfirm is the second yes or no to a refund by another way.
func (s *server) staffRefundConfirm(w http.ResponseWriter, r *http.Request) error {
	return s.onRefund(w, r, "flash.refund_answered", func(account, id uuid.UUID, f *form.Form) error {
		switch f.Text("answer") {
		case "oui":
			return s.Enrol.ConfirmRefund(r.Context(), account, id, true)
		case "non":
			return s.Enrol.ConfirmRefund(r.Context(), account, id, false)
		}
		f.Add("", "form.choose")
		return nil
	})
}

// staffRefundDrop takes a refund back that has not left.
func (s *server) staffRefundDrop(w http.ResponseWriter, r *http.Request) error {
	return s.onRefund(w, r, "flash.refund_dropped", func(account, id uuid.UUID, _ *form.Form) error {
		return s.Enrol.DropRefund(r.Context(), account, id)
	})
}

// staffRefundRetry lets a refund that failed leave again.
func (s *server) staffRefundRetry(w http.ResponseWriter, r *http.Request) error {
	return s.onRefund(w, r, "flash.refund_retried", func(account, id uuid.UUID, _ *form.Form) error {
		return s.Enrol.RetryRefund(r.Context(), account, id)
	})
}

// staffRefundPayOut notes that the money was handed over at the counter.
func (s *server) staffRefundPayOut(w http.ResponseWriter, r *http.Request) error {
	return s.onRefund(w, r, "flash.refund_paid_out", func(account, id uuid.UUID, _ *form.Form) error {
		return s.Enrol.PayOut(r.Context(), account, id)
	})
}

// staffRefundChoose notes that the payer, who is at the counter or on the phone, wants the money.
func (s *server) staffRefundChoose(w http.ResponseWriter, r *http.Request) error {
	return s.onRefund(w, r, "flash.refund_decided", func(account, id uuid.UUID, f *form.Form) error {
		o, err := ledger.ReadRefund(r.Context(), s.DB, id)
		if err != nil {
			return err
		}
		return s.Enrol.TakeMoney(r.Context(), o.PayerID, account, id, f.Text("iban"))
	})
}
