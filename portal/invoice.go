package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const (
	invoicePath = "/mon-espace/factures/"
	notePath    = "/mon-espace/notes-de-credit/"
)

// invoicesPage lists the invoices and credit notes of a guardian, newest first.
type invoicesPage struct {
	page.Base
	Documents []listed
	Refunds   []refundCard
}

// invoices lists what was invoiced to the guardian, and what of it was taken back.
func (s *server) invoices(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	l := s.locale(r)
	p := &invoicesPage{Base: s.base(r, l.T("portal.invoices.title"))}
	rows, err := s.DB.Query(r.Context(), `
		SELECT id, content, false AS credit
		FROM invoice
		WHERE payer_id = @payer
		  AND NOT `+blockedRegistration+`
		UNION ALL
		SELECT id, content, true
		FROM credit_note
		WHERE payer_id = @payer
		  AND NOT `+blockedRegistration,
		pgx.NamedArgs{"payer": g.guardian.ID, "today": s.today()})
	if err != nil {
		return fmt.Errorf("reading the invoices of guardian %s: %w", g.guardian.ID, err)
	}
	var id uuid.UUID
	var credit bool
	var c ledger.InvoiceContent
	_, err = pgx.ForEachRow(rows, []any{&id, &c, &credit}, func() error {
		path := invoicePath
		if credit {
			path = notePath
		}
		p.Documents = append(p.Documents, s.listedInvoice(l, path+id.String(), c))
		c = ledger.InvoiceContent{} // what the next one leaves out must not stay
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the invoices of guardian %s: %w", g.guardian.ID, err)
	}
	steps, err := s.dunning().OfPayer(r.Context(), g.guardian.ID)
	if err != nil {
		return err
	}
	for _, v := range steps {
		if s.unblocked(r, g, v.RegistrationID, "dunning.not_found") == nil {
			p.Documents = append(p.Documents, s.listedInvoice(l, reminderPath+v.ID.String(), v.Content))
		}
	}
	slices.SortFunc(p.Documents, byIssue)
	if p.Refunds, err = s.myRefunds(r.Context(), l, g, nil); err != nil {
		return err
	}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	return s.render(w, r, http.StatusOK, "invoices", p)
}

// blockedRegistration hides from @payer what concerns a child that a decision hides; the row has a registration_id.
var blockedRegistration = household.BlockedSQL("@payer", "(SELECT r.child_id FROM registration AS r WHERE r.id = registration_id)", "@today::date")

// invoicePage is the readable twin of an invoice or a credit note.
type invoicePage struct {
	page.Base
	Doc documentView
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

// invoiceShow shows an invoice as a page, with the credit notes on it.
func (s *server) invoiceShow(w http.ResponseWriter, r *http.Request) error {
	i, err := s.myInvoice(r)
	if err != nil {
		return err
	}
	v := s.document(r, i.Content, invoicePath+i.ID.String())
	v.Contest = complaintPath + i.DueID.String()
	if v.Related, err = s.creditsOn(r.Context(), v, i.ID, notePath); err != nil {
		return err
	}
	return s.documentShow(w, r, v)
}

// creditsOn links to the credit notes on an invoice.
func (s *server) creditsOn(ctx context.Context, v documentView, invoiceID uuid.UUID, path string) ([]page.Link, error) {
	notes, err := s.Ledger.CreditNotesOn(ctx, invoiceID)
	if err != nil {
		return nil, err
	}
	var links []page.Link
	for _, n := range notes {
		links = append(links, page.Link{URL: path + n.ID.String(), Text: reports.InvoiceTitle(v.D, n.Content) + " " + n.Content.Number})
	}
	return links, nil
}

func (s *server) documentShow(w http.ResponseWriter, r *http.Request, v documentView) error {
	l := s.locale(r)
	p := &invoicePage{Base: s.base(r, v.Title), Doc: v}
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
	return s.sendFile(w, reports.File{Name: reports.InvoiceFileName(i), ContentType: reports.ContentPDF, Body: pdf})
}

// myCredit returns the credit note in the address, which the guardian must be the payer of.
func (s *server) myCredit(r *http.Request) (ledger.CreditNote, error) {
	g, err := s.parent(r)
	if err != nil {
		return ledger.CreditNote{}, err
	}
	n, err := s.Ledger.CreditNote(r.Context(), pathID(r))
	if err == nil && n.PayerID != g.guardian.ID {
		err = problem.NotFound("credit.not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, n.RegistrationID, "credit.not_found")
	}
	return n, err
}

// creditShow shows a credit note as a page, with the invoice that it takes back.
func (s *server) creditShow(w http.ResponseWriter, r *http.Request) error {
	n, err := s.myCredit(r)
	if err != nil {
		return err
	}
	v := s.document(r, n.Content, notePath+n.ID.String())
	v.Related = []page.Link{{URL: invoicePath + n.InvoiceID.String(), Text: n.Content.Credits}}
	return s.documentShow(w, r, v)
}

// creditPDF sends the document, always the same bytes.
func (s *server) creditPDF(w http.ResponseWriter, r *http.Request) error {
	n, err := s.myCredit(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	f, err := s.reports().CreditNote(r.Context(), n.ID, actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}
