package portal

import (
	"context"
	"net/http"

	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
	"ribambelle/portal/form"
)

// Why a registration ends: it decides whether the commune keeps a fee.
const (
	causeService     = "service"    // the commune ends it: no fee
	causeFamily      = "famille"    // the family asks: the regulation's fee, or less
	causeCertificate = "certificat" // the family asks, with a medical certificate: no fee
	endTemplate      = "staff/money/end"
)

// staffEndPage ends a registration with what comes of its money.
type staffEndPage struct {
	*staffMoneyPage
	Leave     enrol.Leaving
	Asked     *staffAsked // what the family asks; nil when it does not
	Causes    []choice
	Returns   []staffReturnable // how the money came
	CanRefund bool
}

// staffAsked is a guardian's request to cancel, as staff read it.
type staffAsked struct {
	Reason      string
	Certificate bool
}

// HasFee reports whether the regulation keeps anything.
func (p *staffEndPage) HasFee() bool { return p.Leave.Fee > 0 }

func (s *server) endPage(r *http.Request) (*staffEndPage, error) {
	base, err := s.moneyPage(r, "staff.reason.annuler")
	if err != nil {
		return nil, err
	}
	p := &staffEndPage{staffMoneyPage: base, CanRefund: s.can(r, mayRefund)}
	if p.Leave, err = s.Enrol.LeavingFor(r.Context(), p.Reg.ID); err != nil {
		return nil, err
	}
	for _, cause := range []string{causeFamily, causeCertificate, causeService} {
		c := choice{Value: cause, Text: p.L.T("smoney.cause." + cause)}
		if cause == causeFamily {
			c.Hint = p.L.T("smoney.cause_fee", p.Leave.Percent, p.L.Euros(p.Leave.Fee))
		}
		p.Causes = append(p.Causes, c)
	}
	if p.Asked, err = s.cancelAsked(r.Context(), p.Reg); err != nil {
		return nil, err
	}
	return p, s.fillSources(r, p)
}

// cancelAsked returns what a guardian asks, nil when nobody does.
func (s *server) cancelAsked(ctx context.Context, reg enrol.Registration) (asked *staffAsked, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		detail, ok, err := task.Detail(ctx, tx, task.CancelAsked, "registration", reg.ID.String())
		if err != nil || !ok {
			return err
		}
		asked = &staffAsked{}
		asked.Reason, _ = detail["reason"].(string)
		asked.Certificate, _ = detail["certificate"].(bool)
		return nil
	})
	return asked, err
}

// fillSources reads how the money came that may go back.
func (s *server) fillSources(r *http.Request, p *staffEndPage) error {
	for _, m := range p.Dues {
		if m.Hidden() || m.Balance.Kept() <= 0 {
			continue
		}
		sources, err := ledger.SourcesOf(r.Context(), s.DB, m.DueID)
		if err != nil {
			return err
		}
		p.Returns = append(p.Returns, staffReturnable{Returnable: enrol.Returnable{Due: m.Due, Cents: m.Balance.Kept(), Sources: sources}, Payer: m.Payer})
	}
	return nil
}

// staffCancelForm shows what the regulation keeps, what comes back, and by which way.
func (s *server) staffCancelForm(w http.ResponseWriter, r *http.Request) error {
	p, err := s.endPage(r)
	if err != nil {
		return err
	}
	p.Form.Set("cause", causeService).Set("fee", typedEuros(p.Leave.Fee))
	switch {
	case p.Asked != nil && p.Asked.Certificate:
		p.Form.Set("cause", causeCertificate)
	case p.Asked != nil:
		p.Form.Set("cause", causeFamily)
	}
	if p.CanRefund && p.Leave.Paid > 0 {
		p.Form.Set("give_back", "oui")
	}
	return s.render(w, r, http.StatusOK, endTemplate, p)
}

// staffCancel ends a registration with a reason. Only who decides refunds lets the money go back at once; otherwise it
// becomes a task.
func (s *server) staffCancel(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.endPage(r)
	if err != nil {
		return err
	}
	e := enrol.Ending{Reason: f.Text("reason"), GiveBack: f.Checked("give_back")}
	if e.GiveBack && !p.CanRefund {
		return problem.Forbidden("staff.role_lacks")
	}
	if f.Text("cause") == causeFamily && p.HasFee() {
		if c := optionalCents(f, "fee"); c != nil {
			e.Fee = *c
		}
		if e.Fee > p.Leave.Fee {
			f.Add("fee", "smoney.fee_above", p.L.Euros(p.Leave.Fee))
		}
	}
	if e.Reason == "" {
		f.Add("reason", "registration.reason_needed")
	}
	if f.OK() {
		_, account := s.actorOf(r)
		if err := f.Take(s.Enrol.End(r.Context(), account, p.Reg.ID, e)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, endTemplate, f, p)
	}
	s.flash(w, "flash.registration_cancelled")
	return seeOther(w, r, registrationPath+p.Reg.ID.String())
}

func (s *server) staffKeepForm(w http.ResponseWriter, r *http.Request) error {
	return s.askReason(w, r, "garder", form.New())
}

// staffKeep refuses what a guardian asked: the registration stays, and who asked and who pays read why.
func (s *server) staffKeep(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	_, account := s.actorOf(r)
	err = s.Enrol.RefuseCancel(r.Context(), account, pathID(r), f.Text("reason"))
	if v := problem.As(err); v != nil && v.Code == "registration.cancel_not_asked" { // pressed twice, or a colleague answered
		s.flash(w, "flash.cancel_answered")
		return seeOther(w, r, registrationPath+pathID(r).String())
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		return s.askReason(w, r, "garder", f)
	}
	s.flash(w, "flash.cancel_refused")
	return seeOther(w, r, registrationPath+pathID(r).String())
}
