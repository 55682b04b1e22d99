package portal

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// counterWishPage asks what a family wants of one camp, and shows it all once more before it is sent.
type counterWishPage struct {
	*counterFamilyPage
	Child    household.Child
	Line     *linePage
	Form     *form.Form
	Check    bool // everything is answered
	Path     string
	Kept     []kept // the answers, carried along
	Change   string // address where the answers are changed; "" when nothing is asked
	Formula  string
	StopOut  string
	StopBack string
	Options  []string
	Quote    enrol.Quote
	Bars     []enrol.Reason
	ToDo     []enrol.Reason
	MayAsk   bool
	Full     bool
	BusFull  bool
	Consents []choice
	Seen     string // the voucher of the price that is shown
	Key      string
}

// counterWish asks for formula, stops and options, or shows the answers with the price.
func (s *server) counterWish(w http.ResponseWriter, r *http.Request) error {
	p, err := s.counterWishPage(r, form.Query(r))
	if err != nil {
		return err
	}
	if !p.Check {
		return s.render(w, r, http.StatusOK, "staff/counter_wish", p)
	}
	p.Key = uuid.NewString()
	if err := s.counterQuote(r, p); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/counter_wish", p)
}

func (s *server) counterWishPage(r *http.Request, f *form.Form) (*counterWishPage, error) {
	family, err := s.counterFamilyPage(r)
	if err != nil {
		return nil, err
	}
	p := &counterWishPage{counterFamilyPage: family, Form: f, Path: r.URL.Path}
	if p.Child, err = family.child(f); err != nil {
		return nil, err
	}
	campID, err := uuid.Parse(mux.Vars(r)["camp"])
	if err != nil {
		return nil, problem.NotFound("camp.not_found")
	}
	if p.Line, err = s.linePage(r, campID); err != nil {
		return nil, err
	}
	p.Title = p.L.T("staff.counter.wish", p.Child.FirstName, p.Line.Camp.Name)
	p.Back = &page.Link{URL: family.URL() + "/stages?enfant=" + p.Child.ID.String(), Text: p.L.T("staff.counter.other_camp")}
	asks := len(p.Line.Formulas) > 0 || len(p.Line.Out) > 0 || len(p.Line.Options) > 0
	p.Check = !asks || f.Checked("verifier") && p.answered()
	if !p.Check && !f.Checked("verifier") {
		p.Form = p.Line.Form
	}
	p.keep(asks)
	for _, how := range enrol.Consents {
		p.Consents = append(p.Consents, choice{Value: how, Text: p.L.T("consent." + how)})
	}
	return p, nil
}

// answered reports whether every question of the camp has one of its answers.
func (p *counterWishPage) answered() bool {
	for _, q := range []struct {
		name    string
		choices []choice
	}{{"formule", p.Line.Formulas}, {"aller", p.Line.Out}, {"retour", p.Line.Back1}} {
		if len(q.choices) > 0 && !slices.ContainsFunc(q.choices, func(c choice) bool { return p.Form.Has(q.name, c.Value) }) {
			p.Form.Add(q.name, "form.required")
		}
	}
	return p.Form.OK()
}

// keep carries the answers along and writes them for people.
func (p *counterWishPage) keep(asks bool) {
	p.Kept = []kept{{"enfant", p.Child.ID.String()}}
	back := url.Values{"enfant": {p.Child.ID.String()}}
	say := func(name string, choices []choice) (texts []string) {
		for _, c := range choices {
			if p.Form.Has(name, c.Value) {
				p.Kept = append(p.Kept, kept{name, c.Value})
				back.Add(name, c.Value)
				texts = append(texts, c.Text)
			}
		}
		return texts
	}
	one := func(name string, choices []choice) string {
		if texts := say(name, choices); len(texts) > 0 {
			return texts[0]
		}
		return ""
	}
	p.Formula, p.StopOut, p.StopBack = one("formule", p.Line.Formulas), one("aller", p.Line.Out), one("retour", p.Line.Back1)
	p.Options = say("option", p.Line.Options)
	say("without_bus", []choice{{Value: "oui"}})
	if p.Check {
		p.Kept = append(p.Kept, kept{"verifier", "oui"})
	}
	if asks {
		p.Change = p.Path + "?" + back.Encode()
	}
}

// counterQuote adds the price, the reasons and the places.
func (s *server) counterQuote(r *http.Request, p *counterWishPage) error {
	ask := wishes(p.Form, p.Line.Camp.ID)
	ask.ChildID = p.Child.ID
	if r.Method != http.MethodPost { // a code is never tried by an address
		ask.Voucher = ""
	}
	q, seen, err := s.quoteVoucher(r, p.Form, p.Guardian.ID, ask)
	if err != nil {
		return err
	}
	q.Lines = s.discreet(r, q.Lines)
	p.Quote, p.Seen = q, seen
	p.Bars, p.ToDo = splitBars(q.Reasons)
	p.MayAsk = len(p.Bars) > 0 && enrol.Derogable(p.Bars)
	p.Full = q.Free != nil && *q.Free == 0
	p.BusFull = !p.Full && q.BusFree != nil && *q.BusFree == 0
	return nil
}

// counterRegister sends the request for the family; the form's key makes a double click one registration.
func (s *server) counterRegister(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.counterWishPage(r, f)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok || !p.Check {
		return problem.Invalid("form.unreadable")
	}
	ask := wishes(f, p.Line.Camp.ID)
	ask.ChildID, ask.Key = p.Child.ID, key
	_, account := s.actorOf(r)
	shown, err := s.voucherShown(r, f, p.Guardian.ID, ask)
	if err != nil {
		return err
	}
	var made enrol.Registration
	if shown {
		made, err = s.Enrol.RegisterFor(r.Context(), account, enrol.Consent{GuardianID: p.Guardian.ID, How: f.Text("consent")}, ask)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !shown || !f.OK() {
		p.Key = key.String()
		if err := s.counterQuote(r, p); err != nil {
			return err
		}
		if f.OK() {
			return s.render(w, r, http.StatusOK, "staff/counter_wish", p)
		}
		return s.refuse(w, r, "staff/counter_wish", f, p)
	}
	return seeOther(w, r, "/gestion/guichet/inscriptions/"+made.ID.String())
}

// counterDone shows what came of it, and takes the money.
func (s *server) counterDone(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffRegistrationOf(r, pathID(r))
	if err != nil {
		return err
	}
	p.atCounter()
	if p.Form.Raw("source") != "" {
		p.Form.Set("source", "cash")
	}
	return s.render(w, r, http.StatusOK, "staff/counter_done", p)
}

// atCounter turns a registration's page into the counter's.
func (p *staffRegistrationPage) atCounter() {
	p.MarkSide("/gestion/guichet")
	p.Back = &page.Link{URL: counterPath + p.Registration.RegistrantID.String(), Text: p.L.T("staff.counter.family")}
}
