package portal

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// linePage is the form of one camp in the basket: new lines for several children at once, or one line to change.
type linePage struct {
	page.Base
	Form     *form.Form
	Camp     camp.Camp
	Action   string
	When     string
	Children []choice // whom the camp may be for; none when a line is changed
	Child    string   // of the line that is changed
	Formulas []choice
	Out      []choice
	Back1    []choice // stops on the way home; Back is the page one step up
	Options  []choice
	Habit    bool // the stops are those of the last request
	Bars     []enrol.Reason
	MayAsk   bool // an exception may be asked
	Key      string
	New      bool
	Vouchers bool // a voucher may be had
}

// lineNew asks for whom and how a camp is wanted. It opens as soon as the camp is published.
func (s *server) lineNew(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	children, err := s.registrable(r, g)
	if err != nil {
		return err
	}
	if len(children) == 0 {
		return seeOther(w, r, "/mon-espace/enfants/nouveau?suite="+url.QueryEscape(r.URL.RequestURI()))
	}
	p, err := s.linePage(r, pathID(r))
	if err != nil {
		return err
	}
	p.New, p.Key, p.Action = true, uuid.NewString(), r.URL.Path
	fitting, err := s.lineChildren(r, p, children)
	if err != nil {
		return err
	}
	if asked := r.URL.Query().Get("enfant"); asked != "" {
		p.Form.Set("enfant", asked)
	} else if len(fitting) == 1 {
		p.Form.Set("enfant", fitting...)
	}
	habit, err := s.busHabit(r.Context(), g.guardian.ID)
	if err != nil {
		return err
	}
	p.propose(habit)
	return s.render(w, r, http.StatusOK, "basket/line", p)
}

// linePage prepares the form of a camp that is shown.
func (s *server) linePage(r *http.Request, campID uuid.UUID) (*linePage, error) {
	ctx, l := r.Context(), s.locale(r)
	c, err := s.Camp.Camp(ctx, campID)
	if err == nil && !c.Published {
		err = problem.NotFound("camp.not_found")
	}
	if err != nil {
		return nil, err
	}
	p := &linePage{Base: s.base(r, l.T("basket.line_title", c.Name)), Camp: c, Form: form.New()}
	p.Section, p.NoIndex = "camps", true
	p.Back = &page.Link{URL: campURL(c.ID, c.Name), Text: c.Name}
	if p.When, err = s.campDays(ctx, l, c.ID); err != nil {
		return nil, err
	}
	if p.Vouchers, err = tariff.AnyVoucher(ctx, s.DB, s.today()); err != nil {
		return nil, err
	}
	tickets, err := camp.TicketsOf(ctx, s.DB, c.ID)
	if err != nil {
		return nil, err
	}
	tickets = slices.DeleteFunc(tickets, func(t camp.Ticket) bool { return t.Withdrawn })
	if len(tickets) > 1 {
		prices, err := s.Enrol.ListPrices(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range tickets {
			cents, more := from(prices, t.ID)
			p.Formulas = append(p.Formulas, choice{Value: t.ID.String(), Text: ticketText(l, t.Name, cents, more)})
		}
		p.Form.Set("formule", tickets[0].ID.String())
	}
	lines, err := transport.LinesOf(ctx, s.DB, c.ID)
	if err != nil {
		return nil, err
	}
	if len(lines) > 0 {
		p.stops(l, lines)
	}
	options, err := camp.OptionsOf(ctx, s.DB, c.ID)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if o.OfferedAt(s.Now()) {
			p.Options = append(p.Options, choice{Value: o.ID.String(), Text: optionText(l, o)})
		}
	}
	return p, nil
}

// optionText names an option with its price.
func optionText(l *locale.Locale, o camp.Option) string {
	text := l.T("basket.option", o.Name, l.Euros(o.Cents))
	if o.Unit == tariff.PerSession || o.Unit == tariff.PerDay {
		text += " " + l.T("tariff.by."+string(o.Unit))
	}
	return text
}

// stops lists where the bus stops, by direction, with the time.
func (p *linePage) stops(l *locale.Locale, lines []transport.Line) {
	p.Out = []choice{{Value: noBus, Text: l.T("portal.register.no_bus_out")}}
	p.Back1 = []choice{{Value: noBus, Text: l.T("portal.register.no_bus_back")}}
	for _, line := range lines {
		for _, stop := range line.Stops {
			if stop.OutAt != nil {
				p.Out = append(p.Out, choice{Value: stop.ID.String(), Text: l.T("portal.register.stop", l.Minutes(*stop.OutAt), stop.Name), Hint: stop.Name})
			}
			if stop.BackAt != nil {
				p.Back1 = append(p.Back1, choice{Value: stop.ID.String(), Text: l.T("portal.register.stop", l.Minutes(*stop.BackAt), stop.Name), Hint: stop.Name})
			}
		}
	}
	p.Form.Set("aller", noBus).Set("retour", noBus)
}

// propose fills in the stops of the last request where this camp's bus stops there too.
func (p *linePage) propose(h busHabit) {
	for _, way := range []struct {
		name, stop string
		choices    []choice
	}{{"aller", h.Out, p.Out}, {"retour", h.Back, p.Back1}} {
		for _, c := range way.choices {
			if way.stop != "" && c.Hint == way.stop {
				p.Form.Set(way.name, c.Value)
				p.Habit = true
				break
			}
		}
	}
}

// lineChildren lists the children with what keeps each from the camp, the clock apart, and returns those whom nothing
// keeps.
func (s *server) lineChildren(r *http.Request, p *linePage, children []household.Child) (fitting []string, err error) {
	for _, c := range children {
		fits, err := s.Enrol.Fits(r.Context(), c.ID, []uuid.UUID{p.Camp.ID})
		if err != nil {
			return nil, err
		}
		_, bars, _ := sortReasons(fits[p.Camp.ID])
		one := choice{Value: c.ID.String(), Text: c.FirstName, Hint: c.Level}
		switch {
		case len(bars) == 0:
			fitting = append(fitting, one.Value)
		case enrol.Derogable(bars):
			one.Hint = p.L.T("basket.only_exception", told(p.L, bars[0].Code, bars[0].Args))
		default:
			one.Hint = p.L.T("portal.register.impossible", told(p.L, bars[0].Code, bars[0].Args))
			one.Disabled = bars[0].Rule == "once"
		}
		p.Children = append(p.Children, one)
	}
	return fitting, nil
}

// wishes reads what a form asks for one camp, the child apart. Whether it belongs to the camp is checked with the price.
func wishes(f *form.Form, campID uuid.UUID) enrol.Request {
	q := enrol.Request{
		CampID: campID, TicketID: f.OptionalUUID("formule"), StopOutID: f.OptionalUUID("aller"), StopBackID: f.OptionalUUID("retour"),
		WithoutBus: f.Checked("without_bus"), Remark: f.Text("remark"), Derogation: f.Text("derogation"),
		Voucher: f.Text("voucher"),
	}
	for _, v := range f.All("option") {
		if id, err := uuid.Parse(v); err == nil && !slices.Contains(q.OptionIDs, id) {
			q.OptionIDs = append(q.OptionIDs, id)
		}
	}
	return q
}

// lineCreate keeps one line a ticked child. The form's key names the line, so that a form sent twice is one line.
func (s *server) lineCreate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok {
		return problem.Invalid("form.unreadable")
	}
	var ids []uuid.UUID
	for _, v := range f.All("enfant") {
		if id, err := uuid.Parse(v); err == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		f.Add("enfant", "basket.choose_child")
	}
	for _, id := range ids {
		q := wishes(f, pathID(r))
		q.ChildID, q.Key = id, lineKey(key, id, len(ids))
		if err := f.Take(s.putLine(r, g, q)); err != nil {
			return err
		}
	}
	if f.OK() {
		s.flash(w, "flash.line_kept")
		return seeOther(w, r, "/mon-espace/demandes")
	}
	p, err := s.linePage(r, pathID(r))
	if err != nil {
		return err
	}
	children, err := s.registrable(r, g)
	if err != nil {
		return err
	}
	if _, err := s.lineChildren(r, p, children); err != nil {
		return err
	}
	p.Form, p.New, p.Key, p.Action = f, true, key.String(), r.URL.Path
	return s.refuse(w, r, "basket/line", f, p)
}

// lineKey names the line of a child: the form's own key for one child, so that the line and a registration sent with
// the same form are one; a key of its own for each of several.
func lineKey(key, child uuid.UUID, children int) uuid.UUID {
	if children == 1 {
		return key
	}
	return uuid.NewSHA1(key, child[:])
}

// putLine keeps a line, under another key when that of its form was used for another child.
func (s *server) putLine(r *http.Request, g parent, q enrol.Request) error {
	err := s.Enrol.PutLine(r.Context(), g.guardian.ID, q)
	if db.Constraint(err) == "basket_line_pkey" {
		q.Key = uuid.New()
		err = s.Enrol.PutLine(r.Context(), g.guardian.ID, q)
	}
	switch db.Constraint(err) {
	case "basket_line_stop_out_id_fkey", "basket_line_stop_back_id_fkey":
		return problem.Invalid("form.unreadable")
	}
	return err
}

// lineEdit shows a line to change, with the exception that may be asked.
func (s *server) lineEdit(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	line, err := s.Enrol.Line(r.Context(), g.guardian.ID, pathID(r))
	if err != nil {
		return err
	}
	p, err := s.lineEditPage(r, g, line)
	if err != nil {
		return err
	}
	f := p.Form
	if line.TicketID != nil {
		f.Set("formule", line.TicketID.String())
	}
	if line.StopOutID != nil {
		f.Set("aller", line.StopOutID.String())
	}
	if line.StopBackID != nil {
		f.Set("retour", line.StopBackID.String())
	}
	var options []string
	for _, id := range line.OptionIDs {
		options = append(options, id.String())
	}
	f.Set("option", options...).Set("remark", line.Remark).Set("derogation", line.Derogation).Set("voucher", line.Voucher)
	if line.WithoutBus {
		f.Set("without_bus", "oui")
	}
	return s.render(w, r, http.StatusOK, "basket/line", p)
}

func (s *server) lineEditPage(r *http.Request, g parent, line enrol.Request) (*linePage, error) {
	p, err := s.linePage(r, line.CampID)
	if err != nil {
		return nil, err
	}
	words, err := s.lineWords(r.Context(), g.guardian.ID)
	if err != nil {
		return nil, err
	}
	c := basketCard{lineWords: words[line.Key], Request: line}
	if err := s.checkLine(r.Context(), p.L, g, &c); err != nil {
		return nil, err
	}
	p.Child, p.Action, p.Section = c.ChildName, r.URL.Path, "basket"
	p.Back = &page.Link{URL: "/mon-espace/demandes", Text: p.L.T("basket.title")}
	p.Bars, p.MayAsk = c.Bars, c.MayAsk
	return p, nil
}

// lineUpdate keeps what was changed.
func (s *server) lineUpdate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	line, err := s.Enrol.Line(r.Context(), g.guardian.ID, pathID(r))
	if err != nil {
		return err
	}
	q := wishes(f, line.CampID)
	q.Key, q.ChildID = line.Key, line.ChildID
	if err := f.Take(s.putLine(r, g, q)); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.lineEditPage(r, g, line)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "basket/line", f, p)
	}
	s.flash(w, "flash.line_kept")
	return seeOther(w, r, "/mon-espace/demandes")
}

// lineDrop takes a line out of the basket.
func (s *server) lineDrop(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	if err := s.Enrol.DropLine(r.Context(), g.guardian.ID, pathID(r)); err != nil {
		return err
	}
	s.flash(w, "flash.line_dropped")
	return seeOther(w, r, "/mon-espace/demandes")
}
