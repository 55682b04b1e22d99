package portal

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const (
	statementPath = "/mon-espace/releve"
	quartersPath  = "/mon-espace/decompte"
)

// statementRoutes are the accounts of payers: their own, and as the office reads them.
func (s *server) statementRoutes() []route {
	const payer, child = financePath + "/payeurs/" + idPart, financePath + "/decompte/" + idPart
	return []route{
		{get, statementPath, anyone, s.statement(ledger.CalledStatement, false)},
		{get, statementPath + ".pdf", anyone, s.statement(ledger.CalledStatement, true)},
		{get, quartersPath, anyone, s.statement(ledger.CalledQuarters, false)},
		{get, quartersPath + ".pdf", anyone, s.statement(ledger.CalledQuarters, true)},
		{get, payer, mayFinance, s.staffStatement(ledger.CalledStatement, false)},
		{get, payer + ".pdf", mayFinance, s.staffStatement(ledger.CalledStatement, true)},
		{get, payer + "/decompte", mayFinance, s.staffStatement(ledger.CalledQuarters, false)},
		{get, payer + "/decompte.pdf", mayFinance, s.staffStatement(ledger.CalledQuarters, true)},
		{get, child, mayFinance, s.staffTogether(false)},
		{get, child + ".pdf", mayFinance, s.staffTogether(true)},
	}
}

// year is the year in the address, this one without.
func (s *server) year(r *http.Request) int {
	if n, err := strconv.Atoi(r.URL.Query().Get("annee")); err == nil && n >= 2000 && n <= 2200 {
		return n
	}
	return s.today().Year
}

// statementView turns an account into a page; url is its own address without the year.
func (s *server) statementView(r *http.Request, c ledger.InvoiceContent, url string, year int) documentView {
	v := s.document(r, c, url)
	v.Title = reports.InvoiceTitle(v.D, c) + " " + strconv.Itoa(year)
	v.PDF = fmt.Sprintf("%s.pdf?annee=%d", url, year)
	for i := range v.Langs {
		v.Langs[i].URL += "&annee=" + strconv.Itoa(year)
	}
	for _, y := range []int{year - 1, year + 1} {
		if y <= s.today().Year {
			v.Years = append(v.Years, page.Link{URL: fmt.Sprintf("%s?annee=%d", url, y), Text: strconv.Itoa(y)})
		}
	}
	return v
}

// account writes an account of one payer.
func (s *server) account(r *http.Request, called string, payerID uuid.UUID, year int, own bool) (ledger.InvoiceContent, error) {
	if called == ledger.CalledQuarters {
		return s.reports().QuartersFor(r.Context(), payerID, year)
	}
	return s.reports().StatementOf(r.Context(), payerID, year, own)
}

// statement shows or sends the guardian's own account.
func (s *server) statement(called string, pdf bool) handler {
	url := statementPath
	if called == ledger.CalledQuarters {
		url = quartersPath
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		g, err := s.parent(r)
		if err != nil {
			return err
		}
		year := s.year(r)
		c, err := s.account(r, called, g.guardian.ID, year, true)
		if err != nil {
			return err
		}
		if pdf {
			return s.sendStatement(w, c)
		}
		return s.documentShow(w, r, s.statementView(r, c, url, year))
	}
}

func (s *server) sendStatement(w http.ResponseWriter, c ledger.InvoiceContent) error {
	f, err := s.reports().StatementFile(c)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// staffStatement shows or sends the account of a payer to the finance officer.
func (s *server) staffStatement(called string, pdf bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, year := pathID(r), s.year(r)
		if _, err := s.Household.Guardian(r.Context(), id); err != nil {
			return err
		}
		c, err := s.account(r, called, id, year, false)
		if err != nil {
			return err
		}
		if pdf {
			return s.sendStatement(w, c)
		}
		url := financePath + "/payeurs/" + id.String()
		other := page.Link{URL: fmt.Sprintf("%s/decompte?annee=%d", url, year), Text: s.locale(r).T("statement.quarters")}
		if called == ledger.CalledQuarters {
			other = page.Link{URL: fmt.Sprintf("%s?annee=%d", url, year), Text: s.locale(r).T("finance.statement")}
			url += "/decompte"
		}
		v := s.statementView(r, c, url, year)
		v.Related = []page.Link{other}
		quarters, err := s.finance().QuartersOfPayer(r.Context(), id, year)
		if err != nil {
			return err
		}
		var last uuid.UUID
		for _, q := range quarters { // in the order of the children
			if called == ledger.CalledQuarters && q.ChildID != last {
				last = q.ChildID
				v.Related = append(v.Related, page.Link{
					URL:  fmt.Sprintf("%s/decompte/%s?annee=%d", financePath, q.ChildID, year),
					Text: s.locale(r).T("statement.together") + " · " + q.Child,
				})
			}
		}
		return s.staffStatementShow(w, r, v)
	}
}

// staffTogether shows or sends who paid what for a child, only when every payer shares with the others: else each gets
// the own part, from the page of the payer.
func (s *server) staffTogether(pdf bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, year := pathID(r), s.year(r)
		c, shared, err := s.reports().QuartersTogether(r.Context(), id, year)
		if err != nil {
			return err
		}
		if !shared {
			return problem.Forbidden("statement.not_shared")
		}
		if pdf {
			return s.sendStatement(w, c)
		}
		return s.staffStatementShow(w, r, s.statementView(r, c, financePath+"/decompte/"+id.String(), year))
	}
}

func (s *server) staffStatementShow(w http.ResponseWriter, r *http.Request, v documentView) error {
	base, _, err := s.staff(r, v.Title, financePath)
	if err != nil {
		return err
	}
	p := &staffDocumentPage{staffPage: base, Doc: v}
	p.Back = &page.Link{URL: financePath + "/montants-dus", Text: p.L.T("finance.owed_title")}
	return s.render(w, r, http.StatusOK, "staff/finance/document", p)
}
