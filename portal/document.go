package portal

import (
	"cmp"
	"net/http"
	"strings"

	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

// documentView is an invoice or a credit note as a page: what the PDF holds, for screen readers too. It is shown in the
// language it was issued in; another one is a help to read it.
type documentView struct {
	ledger.InvoiceContent
	D       *locale.Locale // the language shown
	Title   string         // in that language
	Help    string         // the warning of a translation, "" for the document itself
	PDF     string
	Langs   []documentLang // to read it in
	Related []page.Link    // the invoice of a credit note, the credit notes on an invoice
	Contest string         // where to contest it, "" where one cannot
	Years   []page.Link    // the same account of another year
	Hash    string         // of the PDF that is kept, for the office
}

// documentLang is a language to read a document in.
type documentLang struct {
	Code, Name string
	URL        string // the page in this language, from the page itself
	Help       bool   // a translation
	Current    bool
}

// document makes the page of a document; url is its own address.
func (s *server) document(r *http.Request, c ledger.InvoiceContent, url string) documentView {
	own := locale.For(c.Lang)
	v := documentView{InvoiceContent: c, D: own, PDF: url + ".pdf"}
	if lang := r.URL.Query().Get("langue"); locale.Known(lang) && lang != own.Lang() {
		v.D = locale.For(lang)
		v.Help = v.D.T("doc.help", v.D.T("doc.language."+own.Lang()))
	}
	v.Title = strings.TrimSpace(reports.InvoiceTitle(v.D, c) + " " + c.Number)
	for _, lang := range locale.Languages {
		v.Langs = append(v.Langs, documentLang{Code: lang, Name: locale.For(lang).T("doc.own_name"), URL: "?langue=" + lang, Help: lang != own.Lang(), Current: lang == v.D.Lang()})
	}
	return v
}

// Line writes a priced line in the language shown.
func (v documentView) Line(l ledger.InvoiceLine) string { return told(v.D, l.Label, anys(l.Args)) }

// Because writes the reason of a credit note.
func (v documentView) Because() string { return told(v.D, v.Reason, nil) }

// IBANGroups writes the commune's account in groups of four.
func (v documentView) IBANGroups() string { return groups(v.IBAN) }

// Period says on which days the camp is.
func (v documentView) Period() string {
	if v.FirstDay.IsZero() {
		return ""
	}
	return v.D.DayRange(v.FirstDay, v.LastDay)
}

// Left is what is still to pay at issue.
func (v documentView) Left() string { return v.D.Euros(v.Total - v.Paid) }

// listed is a document in a list.
type listed struct {
	URL    string
	Title  string // what it is, with its number
	Credit bool
	ledger.InvoiceContent
}

func (s *server) listedInvoice(l *locale.Locale, url string, c ledger.InvoiceContent) listed {
	return listed{URL: url, Title: strings.TrimSpace(reports.InvoiceTitle(l, c) + " " + c.Number), Credit: c.Credits != "", InvoiceContent: c}
}

// Sum is what the document adds to what is owed.
func (d listed) Sum(l *locale.Locale) string {
	if d.Credit {
		return l.Euros(-d.Total)
	}
	return l.Euros(d.Total)
}

// byIssue orders documents, the newest first.
func byIssue(a, b listed) int {
	return cmp.Or(b.IssuedOn.Compare(a.IssuedOn), cmp.Compare(b.Number, a.Number))
}
