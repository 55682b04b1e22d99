package portal

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/cash"
	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const (
	cashPath = "/gestion/caisse"
	// mostCashDays and mostDeposits bound what the desk's pages list.
	mostCashDays, mostDeposits = 400, 20
)

// staffCashRoutes are the pages of the cash desk.
func (s *server) staffCashRoutes() []route {
	const day = cashPath + "/jours/" + idPart
	return []route{
		{get, cashPath, mayCash, s.staffCash},
		{post, cashPath, mayCash, s.staffCashOpen},
		{get, day, mayCash, s.staffCashDay},
		{get, day + ".xlsx", mayCash, s.staffCashSheet},
		{post, day + "/fermer", mayCash, s.staffCashClose},
		{post, day + "/reprendre", mayCash, s.staffCashTakeBack},
		{get, cashPath + "/historique", mayCash, s.staffCashHistory},
		{post, cashPath + "/depots", mayCash, s.staffCashBring},
		{get, "/gestion/recus/" + idPart, mayCash, s.staffReceiptOne},
	}
}

func (s *server) cash() *cash.Store { return cash.New(s.DB, s.Now) }

// staffCashPage is the desk today: what is open, what is to be brought to the bank, what was.
type staffCashPage struct {
	staffPage
	Form       *form.Form // of opening
	Bring      *form.Form // of bringing
	Key        uuid.UUID
	Next       string // where the agent came from
	Open       []cash.Day
	ToBring    []cash.Day
	Deposits   []cash.Deposit
	MayBank    bool
	MayCounter bool
}

func (s *server) staffCashPage(r *http.Request) (*staffCashPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("cash.title"), cashPath)
	if err != nil {
		return nil, err
	}
	ctx, c := r.Context(), s.cash()
	p := &staffCashPage{staffPage: base, Key: uuid.New(), MayBank: s.can(r, mayBank), MayCounter: s.can(r, mayDecide), Next: officeNext(r.URL.Query().Get("suite"), "")}
	if p.Open, err = c.OpenDays(ctx); err != nil {
		return nil, err
	}
	if p.ToBring, err = c.ToBring(ctx); err != nil {
		return nil, err
	}
	if p.Deposits, err = c.Deposits(ctx, mostDeposits); err != nil {
		return nil, err
	}
	desk, left, err := c.Suggested(ctx)
	if err != nil {
		return nil, err
	}
	if desk == "" {
		desk = p.L.T("cash.desk_first")
	}
	p.Form = form.New().Set("desk", desk)
	if left > 0 {
		p.Form.Set("float", typed(left))
	}
	p.Bring = form.New().SetDate("on", s.today())
	for _, d := range p.ToBring {
		p.Bring.Set("day", append(p.Bring.All("day"), d.ID.String())...)
	}
	return p, nil
}

// typed writes an amount as a person types it.
func typed(c civil.Cents) string { return strings.Replace(c.Euros(), ".", ",", 1) }

// Today is the civil day.
func (p *staffCashPage) Today() civil.Date { return civil.DateOf(p.Now, civil.Brussels) }

// Days are the closed days with something for the bank, to tick.
func (p *staffCashPage) Days() []choice {
	list := make([]choice, len(p.ToBring))
	for i, d := range p.ToBring {
		list[i] = choice{Value: d.ID.String(), Text: p.L.T("cash.day_to_bring", d.Desk, d.Day, d.ToDeposit())}
	}
	return list
}

// staffCash shows the desk.
func (s *server) staffCash(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffCashPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/cash/desk", p)
}

// staffCashOpen opens the day of a desk with what was counted.
func (s *server) staffCashOpen(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	o := cash.Opening{Desk: f.Text("desk"), Why: f.Text("why"), Float: f.Cents("float")}
	var ok bool
	if o.Key, ok = f.UUID("key"); !ok {
		f.Add("", "form.unreadable")
	}
	next := officeNext(f.Text("next"), "")
	if f.OK() {
		_, account := s.actorOf(r)
		id, err := s.cash().Open(r.Context(), account, o)
		if err := f.Take(err); err != nil {
			return err
		}
		if f.OK() {
			s.flash(w, "flash.cash_opened")
			if next == "" {
				next = cashPath + "/jours/" + id.String()
			}
			return seeOther(w, r, next)
		}
	}
	p, err := s.staffCashPage(r)
	if err != nil {
		return err
	}
	p.Form, p.Next = f, next
	if ok {
		p.Key = o.Key
	}
	return s.refuse(w, r, "staff/cash/desk", f, p)
}

// staffCashBring notes that money of closed days is at the bank.
func (s *server) staffCashBring(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	b := cash.Bag{On: f.Date("on"), Reference: f.Text("reference")}
	for _, v := range f.All("day") {
		if id, err := uuid.Parse(v); err == nil {
			b.Days = append(b.Days, id)
		}
	}
	var ok bool
	if b.Key, ok = f.UUID("key"); !ok {
		f.Add("", "form.unreadable")
	}
	if f.OK() {
		_, account := s.actorOf(r)
		_, err := s.cash().Bring(r.Context(), account, b)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffCashPage(r)
		if err != nil {
			return err
		}
		p.Bring = f
		if ok {
			p.Key = b.Key
		}
		return s.refuse(w, r, "staff/cash/desk", f, p)
	}
	s.flash(w, "flash.cash_deposited")
	return seeOther(w, r, cashPath)
}

// staffCashHistoryPage lists the closed days.
type staffCashHistoryPage struct {
	staffPage
	Days []cash.Day
}

// staffCashHistory shows the closed days.
func (s *server) staffCashHistory(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("cash.history"), cashPath)
	if err != nil {
		return err
	}
	p := &staffCashHistoryPage{staffPage: base}
	p.Back = &page.Link{URL: cashPath, Text: p.L.T("cash.title")}
	if p.Days, err = s.cash().History(r.Context(), mostCashDays); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/cash/history", p)
}

// NextURL is where to go on once the desk is open.
func (p *staffRegistrationPage) NextURL() string {
	if p.Form.Text("from") == fromCounter {
		return "/gestion/guichet/inscriptions/" + p.Registration.ID.String()
	}
	return p.Row.URL()
}

// None are the arguments of a label that has none.
func (staffPage) None() []string { return nil }

// pieceName is the input of a denomination.
func pieceName(c civil.Cents) string { return "p" + strconv.Itoa(int(c)) }

// pieceText says a denomination: « 5 € », « 20 cents ».
func pieceText(l *locale.Locale, c civil.Cents) string {
	if c < 100 {
		return l.N("cash.piece_cents", int(c))
	}
	return l.T("cash.piece_euros", int(c/100))
}
