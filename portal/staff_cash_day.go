package portal

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/cash"
	"ribambelle/internal/civil"
	"ribambelle/internal/pay/transfer"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffCashDayPage is one day of a desk: what went through it, and how it was or will be closed.
type staffCashDayPage struct {
	staffPage
	Form    *form.Form // of closing
	Undo    *form.Form // of taking a line back
	Bad     uuid.UUID  // the line whose taking back was refused
	Key     uuid.UUID
	Day     cash.Day
	Entries []cash.Entry
}

// Pieces are the denominations to count, and what was typed for them.
func (p *staffCashDayPage) Pieces() []pieceInput {
	list := make([]pieceInput, len(cash.Denominations))
	for i, c := range cash.Denominations {
		list[i] = pieceInput{Name: pieceName(c), Text: pieceText(p.L, c), Typed: p.Form.Raw(pieceName(c))}
	}
	return list
}

// Counted are the pieces that were counted when the day was closed.
func (p *staffCashDayPage) Counted() []pieceInput {
	var list []pieceInput
	for _, c := range cash.Denominations {
		if n := p.Day.Detail[c]; n > 0 {
			list = append(list, pieceInput{Text: pieceText(p.L, c), Typed: p.L.Number(n)})
		}
	}
	return list
}

// pieceInput is how often a note or coin is there.
type pieceInput struct{ Name, Text, Typed string }

// Open reports whether somebody has begun to count pieces.
func (p *staffCashDayPage) Open() bool {
	for _, one := range p.Pieces() {
		if one.Typed != "" {
			return true
		}
	}
	return false
}

// Receipt is the number of a line's receipt as it is printed.
func (staffCashDayPage) Receipt(e cash.Entry) string { return receiptNumber(e.Year, e.Number) }

func receiptNumber(year, number int) string {
	if number == 0 {
		return ""
	}
	text := strconv.Itoa(number)
	for len(text) < 5 {
		text = "0" + text
	}
	return "R-" + strconv.Itoa(year) + "-" + text
}

func (s *server) staffCashDayPage(r *http.Request) (*staffCashDayPage, error) {
	id := pathID(r)
	d, err := s.cash().Day(r.Context(), id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, s.locale(r).T("cash.day_title", d.Desk, d.Day), cashPath)
	if err != nil {
		return nil, err
	}
	p := &staffCashDayPage{staffPage: base, Form: form.New(), Undo: form.New(), Key: uuid.New(), Day: d}
	p.Back = &page.Link{URL: cashPath, Text: p.L.T("cash.title")}
	p.Form.Set("left", typed(d.Float))
	p.Entries, err = s.cash().Entries(r.Context(), id)
	return p, err
}

// staffCashDay shows a day.
func (s *server) staffCashDay(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffCashDayPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/cash/day", p)
}

// countOf reads what was counted; what is typed wrong is noted.
func countOf(f *form.Form) cash.Count {
	c := cash.Count{Why: f.Text("why"), Pieces: map[civil.Cents]int{}, Left: f.Cents("left")}
	if f.Text("counted") != "" {
		v := f.Cents("counted")
		c.Cents = &v
	}
	if f.Text("terminal") != "" {
		v := f.Cents("terminal")
		c.Terminal = &v
	}
	for _, piece := range cash.Denominations {
		if f.Text(pieceName(piece)) == "" {
			continue
		}
		n, ok := f.Int(pieceName(piece))
		if !ok || n < 0 {
			f.Add("pieces", "cash.pieces_wrong")
			continue
		}
		if n > 0 {
			c.Pieces[piece] = n
		}
	}
	return c
}

// staffCashClose closes a day for ever.
func (s *server) staffCashClose(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	c := countOf(f)
	var ok bool
	if c.Key, ok = f.UUID("key"); !ok {
		f.Add("", "form.unreadable")
	}
	id := pathID(r)
	if f.OK() {
		_, account := s.actorOf(r)
		if err := f.Take(s.cash().Close(r.Context(), account, id, c)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffCashDayPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		if ok {
			p.Key = c.Key
		}
		return s.refuse(w, r, "staff/cash/day", f, p)
	}
	s.flash(w, "flash.cash_closed")
	return seeOther(w, r, cashPath+"/jours/"+id.String())
}

// staffCashTakeBack takes back what was booked by mistake while its day is open.
func (s *server) staffCashTakeBack(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	line, ok := f.UUID("line")
	if !ok {
		f.Add("", "form.unreadable")
	}
	id := pathID(r)
	if f.OK() {
		_, account := s.actorOf(r)
		if err := f.Take(s.Enrol.TakeBackAtDesk(r.Context(), account, line, f.Text("reason"))); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffCashDayPage(r)
		if err != nil {
			return err
		}
		p.Undo, p.Bad = f, line
		return s.refuse(w, r, "staff/cash/day", f, p)
	}
	s.flash(w, "flash.cash_taken_back")
	return seeOther(w, r, cashPath+"/jours/"+id.String())
}

// staffCashSheet hands out a day as a workbook.
func (s *server) staffCashSheet(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	f, err := s.reports().CashDay(r.Context(), pathID(r), actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// receiptOnePage is the receipt of one payment at the counter, numbered and ready to print.
type receiptOnePage struct {
	staffPage
	Settings map[string]string
	Receipt  cash.Receipt
	Number   string
}

// Printed is the communication of the due as it is printed.
func (p *receiptOnePage) Printed() string {
	return transfer.Communication(p.Receipt.Communication).String()
}

// Of is the number of the receipt that this one takes back.
func (p *receiptOnePage) Of() string {
	return receiptNumber(p.Receipt.ReversesYear, p.Receipt.Reverses)
}

// staffReceiptOne shows the receipt of one line.
func (s *server) staffReceiptOne(w http.ResponseWriter, r *http.Request) error {
	one, err := s.cash().Receipt(r.Context(), pathID(r))
	if err != nil {
		return err
	}
	p := &receiptOnePage{Receipt: one, Number: receiptNumber(one.Year, one.Number)}
	base, _, err := s.staff(r, s.locale(r).T("cash.receipt_title", p.Number), cashPath)
	if err != nil {
		return err
	}
	p.staffPage = base
	p.Back = &page.Link{URL: "/gestion/inscriptions/" + one.RegistrationID.String(), Text: one.Child + " · " + one.Camp}
	if p.Settings, err = camp.AllSettings(r.Context(), s.DB); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/cash/receipt", p)
}
