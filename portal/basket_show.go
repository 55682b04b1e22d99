package portal

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// basketRoutes are the pages of the basket, « Mes demandes ».
func (s *server) basketRoutes() []route {
	const (
		basket = "/mon-espace/demandes"
		line   = basket + "/" + idPart
	)
	return []route{
		{get, "/stages/" + idPart + "/demande", anyone, s.heavy(s.lineNew, nil)},
		{post, "/stages/" + idPart + "/demande", anyone, s.heavy(s.lineCreate, s.keepLines)},
		{get, basket, anyone, s.heavy(s.basketShow, nil)},
		{post, basket + "/envoyer", anyone, s.heavy(s.basketSend, s.keepBasket)},
		{get, basket + "/envoyees", anyone, s.basketSent},
		{get, line, anyone, s.lineEdit},
		{post, line, anyone, s.lineUpdate},
		{post, line + "/retirer", anyone, s.lineDrop},
	}
}

// basketPage is the basket before it is sent.
type basketPage struct {
	page.Base
	Form    *form.Form
	Lines   []basketCard
	Total   civil.Cents
	Ready   int        // lines that go through now
	Waiting int        // ready lines of camps that are full
	Opens   *time.Time // the next opening, while no line may be sent
	OpensAt string
	In      string // how long until then, in words
	Now     string // the server's time, in words
	Modes   []choice
	Turn    bool // it is this browser's turn in the rush
}

// basketShow shows the basket, priced and checked, with the button that sends it or the time until then.
func (s *server) basketShow(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	if sent, err := s.sentAlready(r, g); err != nil || sent {
		if err == nil {
			err = seeOther(w, r, "/mon-espace/demandes/envoyees?"+url.Values{"l": r.URL.Query()["l"]}.Encode())
		}
		return err
	}
	p, err := s.basketPage(r, g)
	if err != nil {
		return err
	}
	if p.Opens != nil {
		if in := p.Opens.Sub(s.Now()); in < lookAgain {
			// The hour is what the family waits for, so the page looks for itself when it comes. Nothing is typed here. The
			// last look comes a little after the hour, at another instant for each family.
			next := min(in, 30*time.Second) + time.Second + time.Duration(rand.Int64N(int64(3*time.Second))) //nolint:gosec // spreads load, not a secret
			w.Header().Set("Refresh", strconv.Itoa(int(next.Seconds())))
		}
	}
	return s.render(w, r, http.StatusOK, "basket/show", p)
}

// sentAlready reports whether the lines for which a browser waited its turn have become registrations meanwhile: by the
// first of two clicks, or from another tab.
func (s *server) sentAlready(r *http.Request, g parent) (bool, error) {
	ids := lineIDs(r.URL.Query()["l"])
	if len(ids) == 0 {
		return false, nil
	}
	sent, err := s.Enrol.Sent(r.Context(), g.guardian.ID, ids)
	return err == nil && len(sent) == len(ids), err
}

// lineIDs reads the ids of lines; what is none is left out.
func lineIDs(texts []string) (ids []uuid.UUID) {
	for _, v := range texts {
		if id, err := uuid.Parse(v); err == nil && len(ids) < 50 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// lookAgain is how long before the opening the basket begins to look for itself.
const lookAgain = 10 * time.Minute

func (s *server) basketPage(r *http.Request, g parent) (*basketPage, error) {
	l := s.locale(r)
	lines, err := s.basket(r.Context(), l, g)
	if err != nil {
		return nil, err
	}
	p := &basketPage{Base: s.base(r, l.T("basket.title")), Lines: lines, Form: form.New(), Now: l.Time(s.Now())}
	p.Section, p.NoIndex = "basket", true
	p.Turn = r.URL.Query().Get("tour") != ""
	var next *time.Time
	for _, c := range lines {
		if c.Stopped() {
			continue
		}
		p.Total += c.Quote.Total
		if c.Opens != nil && (next == nil || c.Opens.Before(*next)) {
			next = c.Opens
		}
		if c.Ready() {
			p.Ready++
			if c.Full {
				p.Waiting++
			}
		}
	}
	if p.Ready == 0 && next != nil {
		p.Opens, p.OpensAt, p.In = next, l.Deadline(*next), untilWords(l, next.Sub(s.Now()))
	}
	p.Modes = sendModes(l, lines)
	p.Form.Set("mode", string(enrol.EachAlone))
	if asked := r.URL.Query().Get("mode"); slices.ContainsFunc(p.Modes, func(c choice) bool { return c.Value == asked }) {
		p.Form.Set("mode", asked)
	}
	return p, nil
}

// sendModes offers how lines may depend on one another, where that makes a difference; none when there is one way only.
func sendModes(l *locale.Locale, lines []basketCard) []choice {
	ready, camps, same := 0, map[uuid.UUID]bool{}, false
	for _, c := range lines {
		if c.Ready() {
			ready++
			same = same || camps[c.Request.CampID]
			camps[c.Request.CampID] = true
		}
	}
	if ready < 2 {
		return nil
	}
	modes := []choice{{Value: string(enrol.EachAlone), Text: l.T("basket.mode_each"), Hint: l.T("basket.mode_each_hint")}}
	if ready == len(lines) {
		modes = append(modes, choice{Value: string(enrol.AllOrNone), Text: l.T("basket.mode_all"), Hint: l.T("basket.mode_all_hint")})
	}
	if same {
		modes = append(modes, choice{Value: string(enrol.Together), Text: l.T("basket.mode_together"), Hint: l.T("basket.mode_together_hint")})
	}
	return modes
}

// untilWords writes how long it still takes: « 2 jours et 3 heures », « 1 h 05 », « 40 secondes ».
func untilWords(l *locale.Locale, d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return l.N("basket.in_days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return l.T("basket.in_hours", int(d/time.Hour), int(d/time.Minute)%60)
	case d >= time.Minute:
		return l.N("basket.in_minutes", int(d/time.Minute))
	}
	return l.N("basket.in_seconds", max(1, int(d/time.Second)))
}

// basketSend turns the basket into registrations and leads to what became of each line, by the lines' ids: a second
// click, a second tab or another try after a lost connection leads to the same page with the same registrations.
func (s *server) basketSend(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	mode := sendMode(f.Text("mode"))
	outcomes, err := s.Enrol.Send(r.Context(), g.guardian.ID, mode)
	if err != nil {
		return err
	}
	q := url.Values{"mode": {string(mode)}}
	for _, o := range outcomes {
		q.Add("l", o.Request.Key.String())
	}
	for _, id := range lineIDs(f.All("ligne")) {
		if !slices.Contains(q["l"], id.String()) {
			q.Add("l", id.String())
		}
	}
	return seeOther(w, r, "/mon-espace/demandes/envoyees?"+q.Encode())
}

func sendMode(text string) enrol.SendMode {
	switch m := enrol.SendMode(text); m {
	case enrol.AllOrNone, enrol.Together:
		return m
	}
	return enrol.EachAlone
}

// sentPage says what became of each line that was sent.
type sentPage struct {
	page.Base
	Held     []registrationCard // with a place
	Waiting  []registrationCard // on the waiting list
	Kept     []basketCard       // still in the basket, with why
	HeldBack bool               // all or none, and it is none
}

// basketSent shows what became of the lines in the address.
func (s *server) basketSent(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	ctx, l := r.Context(), s.locale(r)
	ids := lineIDs(r.URL.Query()["l"])
	sent, err := s.Enrol.Sent(ctx, g.guardian.ID, ids)
	if err != nil {
		return err
	}
	p := &sentPage{Base: s.base(r, l.T("basket.sent_title"))}
	p.Section, p.NoIndex = "registrations", true
	for _, id := range ids {
		made, ok := sent[id]
		if !ok {
			continue
		}
		one, err := s.myRegistration(ctx, g, made)
		if problem.Is(err, problem.KindNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if card := s.registrationCard(l, one); one.State == enrol.Waitlisted {
			p.Waiting = append(p.Waiting, card)
		} else {
			p.Held = append(p.Held, card)
		}
	}
	kept, err := s.basket(ctx, l, g)
	if err != nil {
		return err
	}
	p.Kept = slices.DeleteFunc(kept, func(c basketCard) bool { return !slices.Contains(ids, c.Request.Key) })
	p.HeldBack = sendMode(r.URL.Query().Get("mode")) == enrol.AllOrNone && len(p.Kept) > 0
	if len(p.Held)+len(p.Waiting)+len(p.Kept) == 0 {
		return seeOther(w, r, "/mon-espace/inscriptions")
	}
	return s.render(w, r, http.StatusOK, "basket/sent", p)
}

// keepBasket is where a basket that was sent in the rush goes on once its turn comes: it lies on the server already.
func (s *server) keepBasket(r *http.Request) (string, error) {
	f, err := form.Read(r)
	if err != nil {
		return "", err
	}
	q := url.Values{"tour": {"oui"}, "mode": {string(sendMode(f.Text("mode")))}}
	for _, id := range lineIDs(f.All("ligne")) {
		q.Add("l", id.String())
	}
	return "/mon-espace/demandes?" + q.Encode(), nil
}

// keepLines keeps, unchecked, what a form asked for in the rush, and says where it goes on: in the basket. The line has
// the key of the form, so that it is the same registration should the form have gone through after all.
func (s *server) keepLines(r *http.Request) (string, error) {
	g, err := s.parent(r)
	if err != nil {
		return "", err
	}
	f, err := form.Read(r)
	if err != nil {
		return "", err
	}
	key, ok := f.UUID("key")
	children := f.All("enfant")
	if !ok || len(children) == 0 {
		return r.URL.Path, nil // nothing in it yet: the form again
	}
	next := url.Values{"tour": {"oui"}}
	for _, id := range lineIDs(children) {
		q := wishes(f, pathID(r))
		q.ChildID, q.Key = id, lineKey(key, id, len(children))
		next.Add("l", q.Key.String())
		if err := s.Enrol.KeepLine(r.Context(), g.guardian.ID, q); err != nil {
			return "", err
		}
	}
	return "/mon-espace/demandes?" + next.Encode(), nil
}
