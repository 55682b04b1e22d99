package portal

import (
	"net/http"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// leaveRoutes are the pages that end or change a registration.
func (s *server) leaveRoutes() []route {
	const registration = "/mon-espace/inscriptions/" + idPart
	return []route{
		{get, registration + "/annuler", anyone, s.leaveAsk},
		{post, registration + "/annuler", anyone, s.leaveDo},
		{get, registration + "/deplacer", anyone, s.moveAsk},
		{post, registration + "/deplacer", anyone, s.moveDo},
		{get, registration + "/bus", anyone, s.busAsk},
		{post, registration + "/bus", anyone, s.busDo},
		{get, registration + "/place", anyone, s.offerShow},
		{post, registration + "/place", anyone, s.offerAnswer},
		{post, registration + "/accord", anyone, s.agree},
	}
}

// leavePage says what leaving means now, before it is confirmed.
type leavePage struct {
	page.Base
	Form      *form.Form
	R         registrationCard
	Until     string // until when the family leaves by itself
	Late      bool   // that instant has passed
	Now       enrol.Leaving
	Certified enrol.Leaving // with a medical certificate
	Steps     []leaveStep   // the ladder of fees, furthest from the camp first
	Money     bool          // amounts are the guardian's own to see
	Fees      bool          // a fee stands against leaving now
}

// leaveStep is one step of the ladder with the first day on which it holds.
type leaveStep struct {
	enrol.FeeStep
	From civil.Date
	Now  bool
}

// leaveAsk shows what leaving costs and who decides.
func (s *server) leaveAsk(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	p, err := s.leavePage(r, g, one)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "leave/show", p)
}

func (s *server) leavePage(r *http.Request, g parent, one myRegistration) (*leavePage, error) {
	ctx, l := r.Context(), s.locale(r)
	p := &leavePage{Base: s.base(r, l.T("portal.withdraw.title")), R: s.registrationCard(l, one), Form: form.New(), Money: one.Payer}
	if !p.R.CanLeave && !one.CancelAsked {
		return nil, problem.Conflict("registration.over", one.State.Info().Label())
	}
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	var err error
	if p.Now, err = s.Enrol.Leaving(ctx, g.guardian.ID, one.ID, false); err != nil {
		return nil, err
	}
	if p.Certified, err = s.Enrol.Leaving(ctx, g.guardian.ID, one.ID, true); err != nil {
		return nil, err
	}
	p.Until, p.Late = l.Deadline(p.Now.Until), s.Now().After(p.Now.Until)
	p.Fees = p.Money && p.Now.Fee > 0
	steps, err := s.Enrol.FeeSteps(ctx)
	if err != nil || one.PriceCents == 0 || !p.Money {
		return p, err
	}
	left := one.FirstDay.Sub(s.today())
	for i, step := range steps {
		v := leaveStep{FeeStep: step, From: one.FirstDay.AddDays(1 - step.DaysBefore)}
		v.Now = left < step.DaysBefore && (i+1 == len(steps) || left >= steps[i+1].DaysBefore)
		p.Steps = append(p.Steps, v)
	}
	return p, nil
}

// leaveDo gives the place back, or asks staff to: when money or another payer is concerned, when it is late, and when a
// certificate excuses the child.
func (s *server) leaveDo(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	done := false
	if f.Checked("certificate") {
		err = s.Enrol.WithdrawCertified(r.Context(), g.guardian.ID, g.account.ID, one.ID, f.Text("reason"))
	} else {
		done, err = s.Enrol.Withdraw(r.Context(), g.guardian.ID, g.account.ID, one.ID, f.Text("reason"))
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.leavePage(r, g, one)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "leave/show", f, p)
	}
	if done {
		s.flash(w, "flash.withdrawn")
	} else {
		s.flash(w, "flash.cancel_asked")
	}
	return seeOther(w, r, "/mon-espace/inscriptions")
}

// offerPage asks whether an offered place is taken.
type offerPage struct {
	page.Base
	R registrationCard
}

// offerShow shows an offered place with its deadline; once answered, or over, the registration itself.
func (s *server) offerShow(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	l := s.locale(r)
	p := &offerPage{Base: s.base(r, l.T("leave.offer_title")), R: s.registrationCard(l, one)}
	if one.State != enrol.Offered {
		return seeOther(w, r, p.R.URL())
	}
	if err := s.Household.Right(r.Context(), s.DB, g.guardian.ID, one.ChildID, household.RightRegister, s.today()); err != nil {
		return err
	}
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	return s.render(w, r, http.StatusOK, "leave/offer", p)
}

// takeConflict adds what keeps a change from being made to its form, and returns any other error.
func takeConflict(f *form.Form, err error) error {
	if p := problem.As(err); p != nil && p.Kind == problem.KindConflict {
		f.Add("", p.Code, p.Args...)
		return nil
	}
	return f.Take(err)
}
