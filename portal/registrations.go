package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/transport"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// registrationCard is a registration in words.
type registrationCard struct {
	myRegistration
	When      string
	Label     string // of the state: « à payer »
	Kind      string // of the tag: ok, wait, stop or info
	Now       string // what happens next and who acts, in one sentence
	Deadline  string // of the family's act: « jeudi 13 mai à 20 h »
	Past      []timelineStep
	Coming    []string
	CanPay    bool
	CanAnswer bool
	CanLeave  bool
}

// timelineStep is one line of the history in words.
type timelineStep struct {
	Text, By, At, Reason string
	Now, Over            bool
}

// URL is the registration's own page.
func (c registrationCard) URL() string { return "/mon-espace/inscriptions/" + c.ID.String() }

// registrationsPage shows the two lists, and what is over folded under them.
type registrationsPage struct {
	page.Base
	Pending, Valid, Over []registrationCard
	PayAll               civil.Cents  // what can be paid at once for several registrations; 0 for fewer
	Refunds              []refundCard // that wait for the family's choice
}

// registrations lists the registrations of the family.
func (s *server) registrations(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	list, err := s.myRegistrations(r.Context(), g, nil)
	if err != nil {
		return err
	}
	l := s.locale(r)
	p := &registrationsPage{Base: s.base(r, l.T("portal.registrations.title"))}
	p.Section, p.NoIndex = "registrations", true
	for _, one := range list {
		card := s.registrationCard(l, one)
		switch list := one.State.Info().List; {
		case list == enrol.Pending || one.State.Info().Exit && card.CanPay: // what is left to pay is not folded away
			p.Pending = append(p.Pending, card)
		case list == enrol.Valid:
			p.Valid = append(p.Valid, card)
		default:
			p.Over = append(p.Over, card)
		}
	}
	if p.PayAll, err = s.payAllTotal(r.Context(), g, list); err != nil {
		return err
	}
	if p.Refunds, err = s.myChoices(r.Context(), l, g); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "registrations", p)
}

// registrationCard puts a registration in words.
func (s *server) registrationCard(l *locale.Locale, r myRegistration) registrationCard {
	info := r.State.Info()
	c := registrationCard{myRegistration: r, Label: l.T(info.Label()), Kind: tagOf(info)}
	if !r.FirstDay.IsZero() {
		c.When = when(l, offer{FirstDay: r.FirstDay, LastDay: r.LastDay, Days: r.Days})
	}
	if r.DueAt != nil {
		c.Deadline = l.Deadline(*r.DueAt)
	}
	c.CanPay = r.NowCents() > 0
	c.CanAnswer = r.State == enrol.Offered
	c.CanLeave = !info.Exit && r.State != enrol.Completed && !r.CancelAsked && !r.FirstDay.Before(s.today())
	if r.State == enrol.Waitlisted {
		c.Label = l.T("portal.registration.rank", r.Rank)
	}
	c.Now = nowOf(l, c)
	now := len(r.Steps) - 1 // the line that brought the state of today
	for now > 0 && r.Steps[now].From != nil && *r.Steps[now].From == r.Steps[now].State {
		now--
	}
	for i, e := range r.Steps {
		if e.State == enrol.Submitted && i+1 < len(r.Steps) && e.From != nil {
			continue // a request taken up again is told by what follows
		}
		t := timelineStep{Text: l.T("portal.timeline." + string(e.State)), By: l.T("portal.by." + e.Actor), At: l.DateTime(e.At), Reason: e.Reason}
		if e.From != nil && *e.From == enrol.Expired && e.State == enrol.Confirmed {
			t.Text, t.By = l.T("timeline.paid_late"), ""
		} else if e.From != nil && *e.From == e.State {
			switch e.Topic {
			case "bus_refused":
				t.Text = l.T("timeline.bus_refused")
			case "sessions_cancelled":
				t.Text = l.T("timeline.sessions_cancelled")
			case "cancel_refused":
				t.Text = l.T("timeline.cancel_refused")
			default:
				t.Text = l.T("portal.timeline.bus_changed")
			}
		} else if e.State == enrol.AwaitingPayment || e.Actor == "program" && !e.State.Info().Exit && e.State != enrol.Validated {
			t.By = "" // goes without saying
		}
		t.Now = i == now && !info.Exit && r.State != enrol.Completed && r.State != enrol.Confirmed
		t.Over = e.State.Info().Exit
		if t.Now {
			t.By = l.T("portal.next." + nextActor(info, r))
		}
		c.Past = append(c.Past, t)
	}
	for _, next := range coming(r) {
		c.Coming = append(c.Coming, l.T("portal.timeline."+string(next)))
	}
	return c
}

// coming are the states that usually follow, for the grey end of the timeline.
func coming(r myRegistration) []enrol.State {
	switch {
	case r.State == enrol.Submitted || r.State == enrol.ToValidate:
		if r.PriceCents == 0 {
			return []enrol.State{enrol.Validated, enrol.Confirmed}
		}
		return []enrol.State{enrol.Validated, enrol.AwaitingPayment, enrol.Confirmed}
	case r.State == enrol.Validated && r.PriceCents > 0:
		return []enrol.State{enrol.AwaitingPayment, enrol.Confirmed}
	case r.State == enrol.Validated || r.State == enrol.AwaitingPayment:
		return []enrol.State{enrol.Confirmed}
	}
	return nil
}

func nextActor(info enrol.Info, r myRegistration) string {
	switch {
	case info.Next == enrol.ByFamily && r.State == enrol.AwaitingPayment && r.NowCents() == 0:
		return "payer"
	case info.Next == enrol.ByFamily:
		return "you"
	case info.Next == enrol.ByCommune:
		return "service"
	}
	return "nobody"
}

func tagOf(info enrol.Info) string {
	switch {
	case info.List == enrol.Valid:
		return "ok"
	case info.Exit:
		return "stop"
	case info.Next == enrol.ByFamily:
		return "wait"
	}
	return "info"
}

// nowOf says in one sentence what happens next.
func nowOf(l *locale.Locale, c registrationCard) string {
	switch {
	case c.CancelAsked:
		return l.T("portal.now.cancel_asked")
	case c.State == enrol.AwaitingPayment && c.NowCents() > 0 && c.Deadline != "":
		return l.T("portal.now.pay", c.Deadline)
	case c.State == enrol.AwaitingPayment && c.KeptCents > 0:
		return l.T("money.now.part_paid")
	case c.State == enrol.Confirmed && c.NowCents() > 0:
		return l.T("money.now.confirmed")
	case c.NowCents() > 0 && c.State.Info().Exit:
		return l.T("money.now.exit")
	case c.State == enrol.Expired && c.KeptCents > 0:
		return l.T("money.now.late")
	case c.State == enrol.AwaitingPayment:
		return l.T("portal.now.pay_other")
	case c.State == enrol.Offered:
		return l.T("portal.now.offered", c.Deadline)
	case c.State == enrol.Waitlisted:
		return l.T("portal.now.waitlisted")
	}
	if key := "portal.now." + string(c.State); l.Has(key) {
		return l.T(key)
	}
	return ""
}

// registrationShowPage is one registration with all that belongs to it.
type registrationShowPage struct {
	page.Base
	R         registrationCard
	Sheet     bool       // the medical sheet must be confirmed
	SheetBy   civil.Date // until when
	Received  bool       // right after it was sent
	DecideURL string
	Form      *form.Form
	Bus       bool // a bus serves the camp
	Agree     bool // the guardian's consent is asked for
	Awaited   bool // the guardian asked, and another one has not agreed yet
	Coming    []ledger.Instalment
	Refunds   []refundCard
}

// ofRegistration returns who acts and the registration in the address.
func (s *server) ofRegistration(r *http.Request) (parent, myRegistration, error) {
	g, err := s.parent(r)
	if err != nil {
		return g, myRegistration{}, err
	}
	one, err := s.myRegistration(r.Context(), g, pathID(r))
	return g, one, err
}

func (s *server) registrationShowPage(r *http.Request, g parent, one myRegistration) (*registrationShowPage, error) {
	l := s.locale(r)
	card := s.registrationCard(l, one)
	p := &registrationShowPage{Base: s.base(r, l.T("portal.registration.title", one.ChildName, one.CampName)), R: card, Form: form.New()}
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: "/mon-espace/inscriptions", Text: l.T("portal.registrations.title")}
	var err error
	if p.Refunds, err = s.myRefunds(r.Context(), l, g, &one.ID); err != nil {
		return nil, err
	}
	if p.Coming, err = s.comingParts(r.Context(), one); err != nil {
		return nil, err
	}
	if one.State.Info().Exit || one.State == enrol.Completed {
		return p, nil
	}
	lines, err := transport.LinesOf(r.Context(), s.DB, one.CampID)
	if err != nil {
		return nil, err
	}
	p.Bus = len(lines) > 0
	if p.Agree, p.Awaited, err = s.awaited(r.Context(), g, one.ID); err != nil {
		return nil, err
	}
	err = s.Household.Right(r.Context(), s.DB, g.guardian.ID, one.ChildID, household.RightMedical, s.today())
	if err != nil {
		return p, nil //nolint:nilerr // who may not see the sheet is not asked to confirm it
	}
	fits, err := s.Enrol.Fits(r.Context(), one.ChildID, []uuid.UUID{one.CampID})
	if err != nil {
		return nil, err
	}
	for _, reason := range fits[one.CampID] {
		if reason.Rule == "sheet" {
			p.Sheet, p.SheetBy = true, reason.Deadline
		}
	}
	return p, nil
}

// registrationShow shows one registration.
func (s *server) registrationShow(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	p, err := s.registrationShowPage(r, g, one)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "registration_show", p)
}

// registrationReceived is the same page right after the request was sent: it says that it arrived and what follows.
func (s *server) registrationReceived(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	p, err := s.registrationShowPage(r, g, one)
	if err != nil {
		return err
	}
	p.Received = true
	return s.render(w, r, http.StatusOK, "registration_show", p)
}

// offerAnswer takes an offered place, or leaves it to the next family.
func (s *server) offerAnswer(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	take := f.Text("reponse") == "oui"
	if err := s.Enrol.Answer(r.Context(), g.guardian.ID, g.account.ID, one.ID, take); err != nil {
		return err
	}
	if take {
		s.flash(w, "flash.offer_taken")
	} else {
		s.flash(w, "flash.offer_left")
	}
	return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String())
}
