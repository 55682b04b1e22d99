package portal

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// The steps of a registration. The answers given so far stand in the address: going back works, a lost connection
// loses nothing, and no step writes anything before the last.
const (
	stepChild   = "enfant"
	stepFormula = "formule"
	stepBus     = "bus"
	stepCheck   = "verifier"
)

// noBus is the answer of a family that brings the child itself.
const noBus = "non"

// registrationPage is any step of a registration.
type registrationPage struct {
	page.Base
	Form     *form.Form
	Camp     camp.Camp
	Path     string // of the form itself
	Step     string
	Number   int // of the step, from 1
	Steps    int
	When     string
	Before   string // address of the step before; "" on the first
	Children []choice
	Nobody   bool // no child may be chosen
	Formulas []choice
	Out      []choice
	Back1    []choice // stops on the way home; Back is the page one step up
	Kept     []kept   // answers of earlier steps, carried along

	// The last step.
	Child     household.Child
	Formula   string
	StopOut   string
	StopBack  string
	Quote     enrol.Quote
	Bars      []enrol.Reason
	ToDo      []enrol.Reason
	Full      bool // only the waiting list is left
	BusFull   bool // the camp has a place, the bus has not
	Key       string
	Vouchers  bool   // a voucher may be had
	Seen      string // the voucher of the price that is shown
	ChildURL  string // where to change each answer
	TicketURL string
	BusURL    string
	BasketURL string // where the request is kept beside others
}

// kept is one answer that a form carries along unseen.
type kept struct{ Name, Value string }

// answers are what a family chose so far.
type answers struct {
	child    *household.Child
	tickets  []ticketLine
	ticket   *ticketLine
	lines    []transport.Line
	out      *transport.Stop
	back     *transport.Stop
	busAsked bool
}

// registrationNew shows the first step that is not answered yet, or the one that the address asks for.
func (s *server) registrationNew(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	p, a, err := s.registrationPage(r, g, form.Query(r))
	if err != nil {
		return err
	}
	if len(p.Children) == 0 {
		return seeOther(w, r, "/mon-espace/enfants/nouveau?suite="+url.QueryEscape(r.URL.RequestURI()))
	}
	if p.missed(form.Query(r)) {
		return s.refuse(w, r, "registration_new", p.Form, p)
	}
	if p.Step == stepCheck {
		p.Key = uuid.NewString()
		if err := s.quote(r, g, p, a.request(p.Camp.ID, uuid.Nil, "", false)); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "registration_new", p)
}

// registrationCreate sends the request. Its key makes a double click, or a second try after a lost connection, the same
// registration.
func (s *server) registrationCreate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, a, err := s.registrationPage(r, g, f)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok || p.Step != stepCheck {
		return problem.Invalid("form.unreadable")
	}
	ask := a.request(p.Camp.ID, key, f.Text("remark"), f.Checked("without_bus"))
	ask.Voucher = f.Text("voucher")
	shown, err := s.voucherShown(r, f, g.guardian.ID, ask)
	if err != nil {
		return err
	}
	var made enrol.Registration
	if shown {
		if made, err = s.Enrol.Register(r.Context(), g.guardian.ID, ask); err != nil {
			if err := f.Take(err); err != nil {
				return err
			}
		}
	}
	if !shown || !f.OK() {
		p.Key = key.String()
		if err := s.quote(r, g, p, ask); err != nil {
			return err
		}
		if f.OK() {
			return s.render(w, r, http.StatusOK, "registration_new", p)
		}
		return s.refuse(w, r, "registration_new", f, p)
	}
	return seeOther(w, r, "/mon-espace/inscriptions/"+made.ID.String()+"/recue")
}

// registrationPage reads the answers given so far and prepares the step that is next.
func (s *server) registrationPage(r *http.Request, g parent, f *form.Form) (*registrationPage, answers, error) {
	var a answers
	l := s.locale(r)
	c, err := s.Camp.Camp(r.Context(), pathID(r))
	if err == nil && !c.Published {
		err = problem.NotFound("camp.not_found")
	}
	if err != nil {
		return nil, a, err
	}
	p := &registrationPage{Base: s.base(r, l.T("portal.register.title")), Form: f, Camp: c, Path: r.URL.Path}
	p.Section, p.NoIndex = "camps", true
	p.Back = &page.Link{URL: campURL(c.ID, c.Name), Text: c.Name}
	p.BasketURL = "/stages/" + c.ID.String() + "/demande"
	if p.When, err = s.campDays(r.Context(), l, c.ID); err != nil {
		return nil, a, err
	}
	children, err := s.registrable(r, g)
	if err != nil {
		return nil, a, err
	}
	if err := s.childChoices(r, l, p, children); err != nil {
		return nil, a, err
	}
	if a.tickets, err = s.tickets(r.Context(), l, c); err != nil {
		return nil, a, err
	}
	if a.lines, err = transport.LinesOf(r.Context(), s.DB, c.ID); err != nil {
		return nil, a, err
	}
	a.read(f, children)
	p.fill(l, a, f.Text("etape"))
	return p, a, nil
}

// answeredInput is the step whose form was sent: without an answer it says so, where an address alone would not.
const answeredInput = "repondu"

// missed notes what the form of a step lacks that was sent without an answer.
func (p *registrationPage) missed(f *form.Form) bool {
	if f.Text(answeredInput) != p.Step {
		return false
	}
	switch p.Step {
	case stepChild:
		if f.Text("enfant") == "" {
			p.Form.Add("enfant", "portal.register.choose_child")
		}
	case stepFormula:
		if f.Text("formule") == "" {
			p.Form.Add("formule", "portal.register.choose_formula")
		}
	case stepBus:
		if f.Text("aller") == "" {
			p.Form.Add("aller", "portal.register.choose_out")
		}
		if f.Text("retour") == "" {
			p.Form.Add("retour", "portal.register.choose_back")
		}
	}
	return !p.Form.OK()
}

// registrable returns the children whom the guardian may register.
func (s *server) registrable(r *http.Request, g parent) ([]household.Child, error) {
	children, err := s.Household.Children(r.Context(), g.guardian.ID)
	return slices.DeleteFunc(children, func(c household.Child) bool { return !c.Can(household.RightRegister) }), err
}

// childChoices lists the children, with what keeps each from this camp.
func (s *server) childChoices(r *http.Request, l *locale.Locale, p *registrationPage, children []household.Child) error {
	p.Nobody = true
	for _, c := range children {
		fits, err := s.Enrol.Fits(r.Context(), c.ID, []uuid.UUID{p.Camp.ID})
		if err != nil {
			return err
		}
		one := choice{Value: c.ID.String(), Text: c.FirstName, Hint: c.Level}
		for _, reason := range fits[p.Camp.ID] {
			if reason.Bar {
				one.Disabled, one.Hint = true, l.T("portal.register.impossible", told(l, reason.Code, reason.Args))
				break
			}
		}
		p.Nobody = p.Nobody && one.Disabled
		p.Children = append(p.Children, one)
	}
	return nil
}

// read takes the answers from a form; what does not belong to this camp or family counts as not answered.
func (a *answers) read(f *form.Form, children []household.Child) {
	if id, ok := f.UUID("enfant"); ok {
		if i := slices.IndexFunc(children, func(c household.Child) bool { return c.ID == id }); i >= 0 {
			a.child = &children[i]
		}
	}
	id, ok := f.UUID("formule")
	for i := range a.tickets {
		if ok && a.tickets[i].ID == id || len(a.tickets) == 1 {
			a.ticket = &a.tickets[i]
		}
	}
	a.busAsked = f.Text("aller") != "" && f.Text("retour") != ""
	out, _ := f.UUID("aller")
	back, _ := f.UUID("retour")
	for i := range a.lines {
		for j := range a.lines[i].Stops {
			stop := &a.lines[i].Stops[j]
			if stop.ID == out && stop.OutAt != nil {
				a.out = stop
			}
			if stop.ID == back && stop.BackAt != nil {
				a.back = stop
			}
		}
	}
}

// request is what the answers ask for.
func (a *answers) request(campID, key uuid.UUID, remark string, withoutBus bool) enrol.Request {
	q := enrol.Request{Key: key, CampID: campID, Remark: remark, WithoutBus: withoutBus}
	if a.child != nil {
		q.ChildID = a.child.ID
	}
	if a.ticket != nil {
		q.TicketID = &a.ticket.ID
	}
	if a.out != nil {
		q.StopOutID = &a.out.ID
	}
	if a.back != nil {
		q.StopBackID = &a.back.ID
	}
	return q
}

// fill chooses the step and prepares what it shows.
func (p *registrationPage) fill(l *locale.Locale, a answers, asked string) {
	steps := []string{stepChild}
	if len(a.tickets) > 1 {
		steps = append(steps, stepFormula)
	}
	if len(a.lines) > 0 {
		steps = append(steps, stepBus)
	}
	steps = append(steps, stepCheck)
	p.Step = stepCheck
	switch {
	case a.child == nil:
		p.Step = stepChild
	case len(a.tickets) > 1 && a.ticket == nil:
		p.Step = stepFormula
	case len(a.lines) > 0 && !a.busAsked:
		p.Step = stepBus
	}
	// Going back to change an answer is possible, jumping ahead of a missing one is not.
	if i := slices.Index(steps, asked); i >= 0 && i < slices.Index(steps, p.Step) {
		p.Step = asked
	}
	p.Number, p.Steps = slices.Index(steps, p.Step)+1, len(steps)

	q := url.Values{}
	if a.child != nil {
		p.Child = *a.child
		q.Set("enfant", a.child.ID.String())
	}
	if a.ticket != nil {
		p.Formula = a.ticket.Name
		if len(a.tickets) > 1 {
			q.Set("formule", a.ticket.ID.String())
		}
	}
	if a.busAsked {
		q.Set("aller", stopValue(a.out))
		q.Set("retour", stopValue(a.back))
	}
	for _, name := range []string{"enfant", "formule", "aller", "retour"} {
		if v := q.Get(name); v != "" && !stepAsks(p.Step, name) {
			p.Kept = append(p.Kept, kept{name, v})
		}
	}
	to := func(step string) string {
		q.Set("etape", step)
		return p.Path + "?" + q.Encode()
	}
	p.ChildURL, p.BusURL = to(stepChild), to(stepBus)
	if len(a.tickets) > 1 {
		p.TicketURL = to(stepFormula)
	}
	if len(a.lines) == 0 {
		p.BusURL = ""
	}
	if p.Number > 1 {
		p.Before = to(steps[p.Number-2])
	}
	for _, t := range a.tickets {
		p.Formulas = append(p.Formulas, choice{Value: t.ID.String(), Text: ticketText(l, t.Name, t.Cents, t.More), Hint: t.Left.Text})
	}
	p.Out = []choice{{Value: noBus, Text: l.T("portal.register.no_bus_out")}}
	p.Back1 = []choice{{Value: noBus, Text: l.T("portal.register.no_bus_back")}}
	for _, line := range a.lines {
		for _, stop := range line.Stops {
			if stop.OutAt != nil {
				p.Out = append(p.Out, choice{Value: stop.ID.String(), Text: l.T("portal.register.stop", l.Minutes(*stop.OutAt), stop.Name), Hint: busHint(l, line)})
			}
			if stop.BackAt != nil {
				p.Back1 = append(p.Back1, choice{Value: stop.ID.String(), Text: l.T("portal.register.stop", l.Minutes(*stop.BackAt), stop.Name), Hint: busHint(l, line)})
			}
		}
	}
	p.StopOut, p.StopBack = l.T("portal.register.no_bus_out"), l.T("portal.register.no_bus_back")
	if a.out != nil {
		p.StopOut = l.T("portal.register.stop", l.Minutes(*a.out.OutAt), a.out.Name)
	}
	if a.back != nil {
		p.StopBack = l.T("portal.register.stop", l.Minutes(*a.back.BackAt), a.back.Name)
	}
}

// busHint names a bus and, when it costs something, the price of one direction.
func busHint(l *locale.Locale, line transport.Line) string {
	hint := l.T("portal.camp.bus", line.Name)
	if line.Cents > 0 {
		hint += " · " + l.T("portal.register.bus_price", line.Cents)
		if line.Unit == tariff.PerDay {
			hint += " " + l.T("tariff.by.day")
		}
	}
	return hint
}

func stepAsks(step, name string) bool {
	switch step {
	case stepChild:
		return name == "enfant"
	case stepFormula:
		return name == "formule"
	case stepBus:
		return name == "aller" || name == "retour"
	}
	return false
}

func stopValue(s *transport.Stop) string {
	if s == nil {
		return noBus
	}
	return s.ID.String()
}

// quote adds the price, the reasons and the places to the last step. A key that made a registration already is of no
// interest here: sending the form again leads to it.
func (s *server) quote(r *http.Request, g parent, p *registrationPage, ask enrol.Request) (err error) {
	q, seen, err := s.quoteVoucher(r, p.Form, g.guardian.ID, ask)
	if err != nil {
		return err
	}
	p.Quote, p.Seen = q, seen
	if p.Vouchers, err = tariff.AnyVoucher(r.Context(), s.DB, s.today()); err != nil {
		return err
	}
	for _, reason := range q.Reasons {
		if reason.Bar {
			p.Bars = append(p.Bars, reason)
		} else {
			p.ToDo = append(p.ToDo, reason)
		}
	}
	p.Full = q.Free != nil && *q.Free == 0
	p.BusFull = !p.Full && q.BusFree != nil && *q.BusFree == 0
	return nil
}
