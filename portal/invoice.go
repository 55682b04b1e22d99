package portal

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// invoicesPage lists the invoices of a guardian, by year.
type invoicesPage struct {
	page.Base
	Invoices []ledger.Invoice
}

// invoices lists what was invoiced to the guardian, newest first.
func (s *server) invoices(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	rows, err := s.DB.Query(r.Context(), `
		SELECT id, year, number, due_id, registration_id, payer_id, issued_at, total_cents, content
		FROM invoice
		WHERE payer_id = @payer
		  AND NOT `+household.BlockedSQL("@payer", "(SELECT r.child_id FROM registration AS r WHERE r.id = registration_id)", "@today::date")+`
		ORDER BY year DESC, number DESC`,
		pgx.NamedArgs{"payer": g.guardian.ID, "today": s.today()})
	if err != nil {
		return fmt.Errorf("reading the invoices of guardian %s: %w", g.guardian.ID, err)
	}
	l := s.locale(r)
	p := &invoicesPage{Base: s.base(r, l.T("portal.invoices.title"))}
	if p.Invoices, err = pgx.CollectRows(rows, pgx.RowToStructByName[ledger.Invoice]); err != nil {
		return fmt.Errorf("reading the invoices of guardian %s: %w", g.guardian.ID, err)
	}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	return s.render(w, r, http.StatusOK, "invoices", p)
}

// invoicePage is the readable twin of an invoice: what the PDF holds, for screen readers too.
type invoicePage struct {
	page.Base
	Invoice ledger.Invoice
}

// myInvoice returns the invoice in the address, which the guardian must be the payer of.
func (s *server) myInvoice(r *http.Request) (ledger.Invoice, error) {
	g, err := s.parent(r)
	if err != nil {
		return ledger.Invoice{}, err
	}
	i, err := s.Ledger.Invoice(r.Context(), pathID(r))
	if err == nil && i.PayerID != g.guardian.ID {
		err = problem.NotFound("invoice.not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, i.RegistrationID, "invoice.not_found")
	}
	return i, err
}

// invoiceShow shows an invoice as a page.
func (s *server) invoiceShow(w http.ResponseWriter, r *http.Request) error {
	i, err := s.myInvoice(r)
	if err != nil {
		return err
	}
	l := s.locale(r)
	p := &invoicePage{Base: s.base(r, l.T("portal.invoice.title", i.Content.Number)), Invoice: i}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/factures", Text: l.T("portal.invoices.title")}
	return s.render(w, r, http.StatusOK, "invoice", p)
}

// invoicePDF sends the document, always the same bytes.
func (s *server) invoicePDF(w http.ResponseWriter, r *http.Request) error {
	i, err := s.myInvoice(r)
	if err != nil {
		return err
	}
	draw := s.InvoicePDF
	if draw == nil {
		draw = s.Ledger.InvoiceFile
	}
	pdf, err := draw(r.Context(), i.ID)
	if problem.Is(err, problem.KindNotFound) {
		return problem.Unavailable("invoice.not_drawn")
	}
	if err != nil {
		return err
	}
	name := strings.Map(func(c rune) rune {
		if c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return '-'
	}, i.Content.Number)
	w.Header().Set("Content-Disposition", `attachment; filename="facture-`+name+`.pdf"`)
	return s.send(w, "application/pdf", pdf)
}
