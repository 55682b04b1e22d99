package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/portal/page"
)

const (
	staffInvoicePath = "/gestion/factures/"
	staffNotePath    = "/gestion/notes-de-credit/"
)

// staffDocumentRoutes are the documents about money as the office reads them.
func (s *server) staffDocumentRoutes() []route {
	return []route{
		{get, staffInvoicePath + idPart, maySee, s.staffInvoiceShow},
		{get, staffNotePath + idPart, maySee, s.staffCreditShow},
		{get, staffNotePath + idPart + ".pdf", maySee, s.staffCredit},
	}
}

// staffDocumentPage is the twin of a document in the office.
type staffDocumentPage struct {
	staffPage
	Doc documentView
}

func (s *server) staffInvoiceShow(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Ledger.Invoice(r.Context(), pathID(r))
	if err == nil {
		err = s.mayRead(r, i.Content)
	}
	if err != nil {
		return err
	}
	v := s.document(r, i.Content, staffInvoicePath+i.ID.String())
	if v.Related, err = s.creditsOn(r.Context(), v, i.ID, staffNotePath); err != nil {
		return err
	}
	return s.staffDocument(w, r, v, i.ID, i.RegistrationID)
}

func (s *server) staffCreditShow(w http.ResponseWriter, r *http.Request) error {
	n, err := s.Ledger.CreditNote(r.Context(), pathID(r))
	if err == nil {
		err = s.mayRead(r, n.Content)
	}
	if err != nil {
		return err
	}
	v := s.document(r, n.Content, staffNotePath+n.ID.String())
	v.Related = []page.Link{{URL: staffInvoicePath + n.InvoiceID.String(), Text: n.Content.Credits}}
	return s.staffDocument(w, r, v, n.ID, n.RegistrationID)
}

func (s *server) staffDocument(w http.ResponseWriter, r *http.Request, v documentView, id, registrationID uuid.UUID) error {
	var err error
	if v.Hash, err = s.Ledger.Hash(r.Context(), id); err != nil {
		return err
	}
	base, _, err := s.staff(r, v.Title, "")
	if err != nil {
		return err
	}
	p := &staffDocumentPage{staffPage: base, Doc: v}
	p.Back = &page.Link{URL: "/gestion/inscriptions/" + registrationID.String(), Text: p.L.T("doc.registration")}
	if v.Group() {
		p.Back = &page.Link{URL: organisationPath, Text: p.L.T("organisation.title")}
	}
	return s.render(w, r, http.StatusOK, "staff/finance/document", p)
}

// mayRead returns Forbidden for a document that says what is confidential: an organisation that pays, or a tariff that
// was accorded, to staff without that right.
func (s *server) mayRead(r *http.Request, c ledger.InvoiceContent) error {
	accorded := slices.ContainsFunc(c.Lines, func(l ledger.InvoiceLine) bool { return l.Label == tariff.LabelAccorded })
	if (c.PayerBCE != "" || c.Group() || accorded) && !s.can(r, maySocial) {
		return problem.Forbidden("document.confidential")
	}
	return nil
}

// staffCredit hands out a credit note.
func (s *server) staffCredit(w http.ResponseWriter, r *http.Request) error {
	n, err := s.Ledger.CreditNote(r.Context(), pathID(r))
	if err == nil {
		err = s.mayRead(r, n.Content)
	}
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
