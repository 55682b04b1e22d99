package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"ribambelle/internal/civil"
	"ribambelle/internal/finance"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const (
	financePath = "/gestion/finances"
	// financeSize is the number of rows on one page of a list about money.
	financeSize = 50
)

// mayFinance is who sees what everybody owes and pays.
var mayFinance = office("finance", "administrator")

// staffFinanceRoutes are the pages of the finance officer.
func (s *server) staffFinanceRoutes() []route {
	lists := []route{
		{get, financePath, mayFinance, s.staffFinance},
		{get, financePath + "/montants-dus", mayFinance, s.staffOwed},
		{get, financePath + "/journal", mayFinance, s.staffJournal},
		{get, financePath + "/encaissements", mayFinance, s.staffTaken},
		{get, financePath + "/budget", mayFinance, s.staffBudget},
		{get, financePath + "/export/{document:[a-z]{1,20}}", mayFinance, s.staffExport},
	}
	return slices.Concat(lists, s.staffDunningRoutes(), s.statementRoutes(), s.staffOrganisationRoutes())
}

func (s *server) finance() *finance.Store { return finance.New(s.DB, s.Now) }

// financeBase is the base of the pages about money.
type financeBase struct {
	staffPage
	Previous, Next string // addresses of the pages of a list
}

// Label says what an entry is about.
func (p financeBase) Label(e finance.Entry) string { return unbroken(p.L, finance.Words(p.L.T, e)) }

// Source names the way money came or went.
func (p financeBase) Source(v string) string { return p.known("finance.source.", v) }

// Printed writes a structured communication as it is printed.
func (financeBase) Printed(v string) string { return transfer.Communication(v).String() }

func (s *server) financeBase(r *http.Request, title string) (financeBase, error) {
	base, _, err := s.staff(r, title, financePath)
	p := financeBase{staffPage: base}
	if r.URL.Path != financePath {
		p.Back = &page.Link{URL: financePath, Text: base.L.T("finance.title")}
	}
	return p, err
}

// number of the page that is asked for, from 1.
func pageNumber(r *http.Request) int {
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil && n > 1 && n < 100_000 {
		return n
	}
	return 1
}

// turn fills in the addresses of the pages around this one; more says that there is a next one.
func (p *financeBase) turn(r *http.Request, more bool) {
	address := func(n int) string {
		v := r.URL.Query()
		v.Set("page", strconv.Itoa(n))
		return r.URL.Path + "?" + v.Encode()
	}
	n := pageNumber(r)
	if n > 1 {
		p.Previous = address(n - 1)
	}
	if more {
		p.Next = address(n + 1)
	}
}

// staffFinancePage is where the commune stands.
type staffFinancePage struct {
	financeBase
	Totals  finance.Totals
	Buckets []ageBucket
}

// ageBucket is one age of what is owed.
type ageBucket struct {
	Label string
	Cents civil.Cents
}

func (s *server) staffFinance(w http.ResponseWriter, r *http.Request) error {
	p := &staffFinancePage{}
	var err error
	if p.Totals, err = s.finance().Totals(r.Context()); err != nil {
		return err
	}
	if p.financeBase, err = s.financeBase(r, s.locale(r).T("finance.title")); err != nil {
		return err
	}
	t := p.Totals
	p.Buckets = []ageBucket{
		{p.L.T("reports.col.later"), t.Later},
		{p.L.T("reports.col.to30"), t.To30},
		{p.L.T("reports.col.to60"), t.To60},
		{p.L.T("reports.col.to90"), t.To90},
		{p.L.T("reports.col.above"), t.Above},
	}
	return s.render(w, r, http.StatusOK, "staff/finance/home", p)
}

// staffOwedPage is what is owed by payer, camp or child, with its age.
type staffOwedPage struct {
	financeBase
	By   finance.By
	Tabs []chip
	Rows []finance.OwedRow
}

// URL leads to what a row is about, "" where there is no page.
func (p *staffOwedPage) URL(row finance.OwedRow) string {
	switch p.By {
	case finance.ByPayer:
		return financePath + "/payeurs/" + row.ID.String()
	case finance.ByCamp:
		return "/gestion/stages/" + row.ID.String()
	}
	return "/gestion/enfants/" + row.ID.String()
}

func (s *server) staffOwed(w http.ResponseWriter, r *http.Request) error {
	p := &staffOwedPage{By: finance.By(r.URL.Query().Get("par"))}
	if !p.By.Known() {
		p.By = finance.ByPayer
	}
	rows, err := s.finance().Owed(r.Context(), p.By, finance.Range{Limit: financeSize + 1, Offset: (pageNumber(r) - 1) * financeSize})
	if err != nil {
		return err
	}
	if p.financeBase, err = s.financeBase(r, s.locale(r).T("finance.owed_title")); err != nil {
		return err
	}
	p.turn(r, len(rows) > financeSize)
	p.Rows = rows[:min(len(rows), financeSize)]
	for _, by := range []finance.By{finance.ByPayer, finance.ByCamp, finance.ByChild} {
		p.Tabs = append(p.Tabs, chip{URL: r.URL.Path + "?par=" + string(by), Text: p.L.T("finance.by." + string(by)), On: by == p.By})
	}
	return s.render(w, r, http.StatusOK, "staff/finance/owed", p)
}

// periodPage is a list of a period.
type periodPage struct {
	financeBase
	From, To civil.Date
	Bad      bool // the days that were asked for are no period
	Export   string
}

// ExportURL is the address of the list as a file, of the same period; format "" is a spreadsheet. It is whole, for a
// template escapes what it puts behind a question mark.
func (p periodPage) ExportURL(format string) string {
	q := url.Values{"du": {p.From.String()}, "au": {p.To.String()}}
	if format != "" {
		q.Set("format", format)
	}
	return financePath + "/export/" + p.Export + "?" + q.Encode()
}

// period reads the days in the address; what is no period is this year so far, and says so.
func (s *server) period(r *http.Request) (p finance.Period, bad bool) {
	today := s.today()
	p = finance.Period{From: civil.NewDate(today.Year, time.January, 1), To: today}
	from, to := r.URL.Query().Get("du"), r.URL.Query().Get("au")
	if from == "" && to == "" {
		return p, false
	}
	a, err1 := civil.ParseDate(from)
	b, err2 := civil.ParseDate(to)
	if err1 != nil || err2 != nil || b.Before(a) || b.Sub(a) > 3660 {
		return p, true
	}
	return finance.Period{From: a, To: b}, false
}

func (s *server) periodPage(r *http.Request, title, export string) (periodPage, error) {
	v, bad := s.period(r)
	base, err := s.financeBase(r, s.locale(r).T(title))
	return periodPage{financeBase: base, From: v.From, To: v.To, Bad: bad, Export: export}, err
}

// staffJournalPage is the day book.
type staffJournalPage struct {
	periodPage
	Totals  finance.DayTotals
	Entries []finance.Entry
}

func (s *server) staffJournal(w http.ResponseWriter, r *http.Request) error {
	p := &staffJournalPage{}
	var err error
	if p.periodPage, err = s.periodPage(r, "finance.journal", "journal"); err != nil {
		return err
	}
	v := finance.Period{From: p.From, To: p.To}
	if p.Totals, err = s.finance().DayBookTotals(r.Context(), v); err != nil {
		return err
	}
	offset := (pageNumber(r) - 1) * financeSize
	if p.Entries, err = s.finance().DayBook(r.Context(), v, finance.Range{Limit: financeSize, Offset: offset}); err != nil {
		return err
	}
	p.turn(r, offset+len(p.Entries) < p.Totals.Lines)
	return s.render(w, r, http.StatusOK, "staff/finance/journal", p)
}

// staffTakenPage is the money by month and by the way it came.
type staffTakenPage struct {
	periodPage
	Rows  []finance.Taken
	Total finance.Taken
}

// Month writes a month: « mai 2027 ».
func (p *staffTakenPage) Month(d civil.Date) string {
	return p.L.Month(d.Month) + " " + strconv.Itoa(d.Year)
}

func (s *server) staffTaken(w http.ResponseWriter, r *http.Request) error {
	p := &staffTakenPage{}
	var err error
	if p.periodPage, err = s.periodPage(r, "finance.taken", "encaissements"); err != nil {
		return err
	}
	if p.Rows, err = s.finance().ByProvider(r.Context(), finance.Period{From: p.From, To: p.To}); err != nil {
		return err
	}
	for _, one := range p.Rows {
		p.Total.Payments, p.Total.Paid = p.Total.Payments+one.Payments, p.Total.Paid+one.Paid
		p.Total.Refunds, p.Total.Refunded = p.Total.Refunds+one.Refunds, p.Total.Refunded+one.Refunded
	}
	return s.render(w, r, http.StatusOK, "staff/finance/taken", p)
}

// staffBudgetPage is what each budget article was charged and brought.
type staffBudgetPage struct {
	periodPage
	Rows  []finance.Budget
	Total finance.DayTotals
}

func (s *server) staffBudget(w http.ResponseWriter, r *http.Request) error {
	p := &staffBudgetPage{}
	var err error
	if p.periodPage, err = s.periodPage(r, "finance.budget", "budget"); err != nil {
		return err
	}
	v := finance.Period{From: p.From, To: p.To}
	if p.Rows, err = s.finance().ByBudget(r.Context(), v); err != nil {
		return err
	}
	if p.Total, err = s.finance().DayBookTotals(r.Context(), v); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/finance/budget", p)
}

// staffExport hands out one of the documents about money.
func (s *server) staffExport(w http.ResponseWriter, r *http.Request) error {
	d, err := reports.Find(mux.Vars(r)["document"])
	if err == nil && d.About == reports.AboutCamp {
		err = problem.NotFound("reports.unknown", d.Name)
	}
	if err != nil {
		return err
	}
	params := reports.Params{Lang: s.locale(r).Lang(), CSV: r.URL.Query().Get("format") == "csv"}
	if d.About == reports.AboutPeriod {
		v, bad := s.period(r)
		if bad {
			return problem.Invalid("reports.period_bad")
		}
		params.From, params.To = v.From, v.To
	}
	actor, _ := s.actorOf(r)
	f, err := s.reports().Produce(r.Context(), d.Name, params, actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}
