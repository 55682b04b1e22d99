package portal

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const payAllPath = "/mon-espace/payer"

// payAllPage lists everything that a guardian has to pay by today, all of it ticked, and what comes later.
type payAllPage struct {
	page.Base
	Parts  []payPart
	Boxes  []choice // of the parts
	Total  civil.Cents
	Later  []laterPart
	Ways   []payWay
	Form   *form.Form
	Online bool
}

// laterPart is an instalment to come of one registration.
type laterPart struct {
	payPart
	On civil.Date
}

// payNow returns what a guardian has to pay by today and may: of children for whom the guardian pays.
func (s *server) payNow(ctx context.Context, g parent, list []myRegistration) ([]payPart, error) {
	if !slices.ContainsFunc(list, func(one myRegistration) bool { return one.NowCents() > 0 }) {
		return nil, nil
	}
	children, err := s.Household.ChildIDs(ctx, s.DB, g.guardian.ID, household.RightPay, s.today())
	if err != nil {
		return nil, err
	}
	var parts []payPart
	for _, one := range list {
		if one.NowCents() > 0 && slices.Contains(children, one.ChildID) {
			parts = append(parts, payPart{ID: one.ID, Child: one.ChildName, Camp: one.CampName, Cents: one.NowCents()})
		}
	}
	return parts, nil
}

// payAllTotal is what several registrations cost together; 0 when there are not several.
func (s *server) payAllTotal(ctx context.Context, g parent, list []myRegistration) (civil.Cents, error) {
	parts, err := s.payNow(ctx, g, list)
	if err != nil || len(parts) < 2 {
		return 0, err
	}
	return sumOf(parts), nil
}

func sumOf(parts []payPart) (sum civil.Cents) {
	for _, p := range parts {
		sum += p.Cents
	}
	return sum
}

func (s *server) payAllPage(r *http.Request, g parent, f *form.Form) (*payAllPage, error) {
	l := s.locale(r)
	list, err := s.myRegistrations(r.Context(), g, nil)
	if err != nil {
		return nil, err
	}
	p := &payAllPage{Base: s.base(r, l.T("money.all.title")), Form: f, Ways: s.payWays(r.Context(), l)}
	p.Section, p.NoIndex, p.Online = "registrations", true, len(p.Ways) > 0
	p.Back = &page.Link{URL: "/mon-espace/inscriptions", Text: l.T("portal.registrations.title")}
	if p.Parts, err = s.payNow(r.Context(), g, list); err != nil {
		return nil, err
	}
	for _, part := range p.Parts {
		p.Boxes = append(p.Boxes, choice{Value: part.ID.String(), Text: l.T("money.all.box", part.Child, part.Camp, part.Cents)})
	}
	p.Total = sumOf(p.Parts)
	for _, one := range list {
		coming, err := s.comingParts(r.Context(), one)
		if err != nil {
			return nil, err
		}
		for _, c := range coming {
			p.Later = append(p.Later, laterPart{payPart{ID: one.ID, Child: one.ChildName, Camp: one.CampName, Cents: c.Cents}, c.DueOn})
		}
	}
	slices.SortStableFunc(p.Later, func(a, b laterPart) int { return a.On.Compare(b.On) })
	return p, nil
}

// payAllShow shows what can be paid at once.
func (s *server) payAllShow(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f := form.New()
	p, err := s.payAllPage(r, g, f)
	if err != nil {
		return err
	}
	var all []string
	for _, part := range p.Parts {
		all = append(all, part.ID.String())
	}
	f.Set("inscription", all...)
	return s.render(w, r, http.StatusOK, "payment_all", p)
}

// payAllStart opens one payment for what is ticked. What is not the guardian's to pay is left out as if it were not there.
func (s *server) payAllStart(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.payAllPage(r, g, f)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, part := range p.Parts {
		if f.Has("inscription", part.ID.String()) {
			ids = append(ids, part.ID)
		}
	}
	if len(ids) == 0 {
		if len(p.Parts) == 0 {
			return problem.Conflict("payment.nothing_due")
		}
		f.Add("inscription", "money.all.choose")
		return s.refuse(w, r, "payment_all", f, p)
	}
	a, err := s.openPayment(r, g, ids, f.Text("method"))
	if err != nil {
		return err
	}
	return s.toAttempt(w, r, a)
}

func (s *server) toAttempt(w http.ResponseWriter, r *http.Request, a ledger.Attempt) error {
	home, err := s.homeOf(r.Context(), a)
	if err != nil {
		return err
	}
	return seeOther(w, r, home)
}
