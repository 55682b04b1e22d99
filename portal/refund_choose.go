package portal

import (
	"net/http"

	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// refundPage is where a payer chooses between money and another camp.
type refundPage struct {
	page.Base
	C       refundCard
	Reason  string   // the commune's, when it cancelled for every family
	Account bool     // the payer must say to which account
	Choices []choice // registrations that the money may pay
	Form    *form.Form
}

// ofRefund returns who acts and the refund in the address, which must be the guardian's own.
func (s *server) ofRefund(r *http.Request) (parent, ledger.RefundOrder, error) {
	g, err := s.parent(r)
	if err != nil {
		return g, ledger.RefundOrder{}, err
	}
	o, err := ledger.ReadRefund(r.Context(), s.DB, pathID(r))
	if err == nil && o.PayerID != g.guardian.ID {
		err = problem.NotFound("refund.not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, o.RegistrationID, "refund.not_found")
	}
	return g, o, err
}

func (s *server) refundPage(r *http.Request, g parent, o ledger.RefundOrder, f *form.Form) (*refundPage, error) {
	l := s.locale(r)
	p := &refundPage{Base: s.base(r, l.T("money.choose.title")), Form: f}
	p.Section, p.NoIndex = "registrations", true
	cards, err := s.myRefunds(r.Context(), l, g, &o.RegistrationID)
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		if c.ID == o.ID {
			p.C = c
		}
	}
	p.Back = &page.Link{URL: "/mon-espace/inscriptions/" + o.RegistrationID.String(), Text: l.T("portal.registration.title", p.C.Child, p.C.Camp)}
	if o.BatchID != nil {
		p.Reason = o.Reason
	}
	if p.Account, err = s.Enrol.NeedsAccount(r.Context(), s.DB, o); err != nil {
		return nil, err
	}
	list, err := s.myRegistrations(r.Context(), g, nil)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		if one.DueID == nil || one.ID == o.RegistrationID || one.NowCents() == 0 && one.LaterCents == 0 || one.OwedCents <= 0 {
			continue
		}
		p.Choices = append(p.Choices, choice{
			Value: one.ID.String(), Text: l.T("money.choose.camp", one.ChildName, one.CampName), Hint: l.T("money.choose.owed", l.Euros(one.OwedCents), l.Euros(min(one.OwedCents, o.Cents))),
		})
	}
	return p, nil
}

// refundShow asks the payer for the choice; one that is made is told on the registration's page.
func (s *server) refundShow(w http.ResponseWriter, r *http.Request) error {
	g, o, err := s.ofRefund(r)
	if err != nil {
		return err
	}
	if o.State != ledger.RefundToChoose {
		return seeOther(w, r, "/mon-espace/inscriptions/"+o.RegistrationID.String()+"#remboursements")
	}
	p, err := s.refundPage(r, g, o, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "refund", p)
}

// refundMoney takes the choice of money.
func (s *server) refundMoney(w http.ResponseWriter, r *http.Request) error {
	return s.refundChosen(w, r, "flash.refund_money", func(g parent, o ledger.RefundOrder, f *form.Form) error {
		return s.Enrol.TakeMoney(r.Context(), g.guardian.ID, g.account.ID, o.ID, f.Text("iban"))
	})
}

// refundCamp takes the choice of another camp.
func (s *server) refundCamp(w http.ResponseWriter, r *http.Request) error {
	return s.refundChosen(w, r, "flash.refund_camp", func(g parent, o ledger.RefundOrder, f *form.Form) error {
		to, ok := f.UUID("inscription")
		if !ok {
			f.Add("inscription", "money.choose.which")
			return nil
		}
		return s.Enrol.TakeCamp(r.Context(), g.guardian.ID, g.account.ID, o.ID, to)
	})
}

// refundChosen takes a choice once: who presses twice is shown what was chosen. A faulty form comes back as it was typed.
func (s *server) refundChosen(w http.ResponseWriter, r *http.Request, flash string, act func(parent, ledger.RefundOrder, *form.Form) error) error {
	g, o, err := s.ofRefund(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	home := "/mon-espace/inscriptions/" + o.RegistrationID.String() + "#remboursements"
	if o.State != ledger.RefundToChoose {
		return seeOther(w, r, home)
	}
	if err := f.Take(act(g, o, f)); err != nil {
		if p := problem.As(err); p != nil && p.Code == "refund.chosen_already" {
			return seeOther(w, r, home)
		}
		return err
	}
	if !f.OK() {
		p, err := s.refundPage(r, g, o, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "refund", f, p)
	}
	s.flash(w, flash)
	return seeOther(w, r, home)
}
