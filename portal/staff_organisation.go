package portal

import (
	"net/http"
	"slices"
	"strings"

	"ribambelle/internal/ledger"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const (
	organisationPath = "/gestion/organismes/factures"
	// organisationDocuments is how many documents of an organisation its page lists.
	organisationDocuments = 100
)

// staffOrganisationRoutes are the pages about what organisations promised to pay, for those who may see covers.
func (s *server) staffOrganisationRoutes() []route {
	one := "/gestion/organismes/" + idPart + "/factures"
	return []route{
		{get, organisationPath, maySocial, s.staffOrganisations},
		{get, one, maySocial, s.staffOrganisation},
		{post, one, maySocial, s.staffOrganisationInvoice},
	}
}

func (s *server) organisations() *ledger.Organisations {
	return ledger.NewOrganisations(s.DB, s.Now, s.Jobs)
}

// staffOrganisationsPage lists the organisations that pay.
type staffOrganisationsPage struct {
	financeBase
	Rows []ledger.Organisation
}

// BCE writes an enterprise number as it is printed.
func (financeBase) BCE(v string) string {
	if len(v) != 10 {
		return v
	}
	return v[:4] + "." + v[4:7] + "." + v[7:]
}

func (s *server) organisationBase(r *http.Request, title string, back page.Link) (financeBase, error) {
	base, _, err := s.staff(r, title, organisationPath)
	base.Back = &back
	return financeBase{staffPage: base}, err
}

func (s *server) staffOrganisations(w http.ResponseWriter, r *http.Request) error {
	p := &staffOrganisationsPage{}
	var err error
	p.Rows, err = s.organisations().List(r.Context(), financeSize+1, (pageNumber(r)-1)*financeSize)
	if err != nil {
		return err
	}
	l := s.locale(r)
	if p.financeBase, err = s.organisationBase(r, l.T("organisation.title"), page.Link{URL: "/gestion/organismes", Text: l.T("staff.body.title")}); err != nil {
		return err
	}
	p.turn(r, len(p.Rows) > financeSize)
	p.Rows = p.Rows[:min(len(p.Rows), financeSize)]
	return s.render(w, r, http.StatusOK, "staff/finance/organisations", p)
}

// staffOrganisationPage is one organisation with its promises and documents.
type staffOrganisationPage struct {
	financeBase
	Organisation ledger.Organisation
	Promises     []ledger.Promise
	Documents    []listed
}

func (s *server) staffOrganisation(w http.ResponseWriter, r *http.Request) error {
	id, ctx := pathID(r), r.Context()
	store := s.organisations()
	p := &staffOrganisationPage{}
	var err error
	if p.Organisation, err = store.Read(ctx, id); err != nil {
		return err
	}
	if p.Promises, err = store.Promises(ctx, id, financeSize+1, (pageNumber(r)-1)*financeSize); err != nil {
		return err
	}
	invoices, notes, err := store.Documents(ctx, id, organisationDocuments)
	if err != nil {
		return err
	}
	l := s.locale(r)
	for _, i := range invoices {
		p.Documents = append(p.Documents, s.listedInvoice(l, staffInvoicePath+i.ID.String(), i.Content))
	}
	for _, n := range notes {
		p.Documents = append(p.Documents, s.listedInvoice(l, staffNotePath+n.ID.String(), n.Content))
	}
	slices.SortFunc(p.Documents, byIssue)
	if p.financeBase, err = s.organisationBase(r, p.Organisation.Name, page.Link{URL: organisationPath, Text: l.T("organisation.title")}); err != nil {
		return err
	}
	p.turn(r, len(p.Promises) > financeSize)
	p.Promises = p.Promises[:min(len(p.Promises), financeSize)]
	return s.render(w, r, http.StatusOK, "staff/finance/organisation", p)
}

// staffOrganisationInvoice makes the invoice of what an organisation promised until now. Sent twice it makes one: the
// second time nothing is left.
func (s *server) staffOrganisationInvoice(w http.ResponseWriter, r *http.Request) error {
	if _, err := form.Read(r); err != nil {
		return err
	}
	store := s.organisations()
	if _, err := store.Read(r.Context(), pathID(r)); err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	inv, err := store.InvoiceNow(r.Context(), actor, pathID(r))
	if err != nil {
		return err
	}
	if inv == nil {
		s.flash(w, "flash.organisation_nothing")
	} else {
		s.flash(w, "flash.organisation_invoiced")
	}
	return seeOther(w, r, "/gestion/organismes/"+pathID(r).String()+"/factures")
}

// MonthName says which month an organisation is invoiced for: « juillet 2027 ».
func (v documentView) MonthName() string {
	if !v.Group() {
		return ""
	}
	return v.D.T("reports.invoice.month_name", v.D.Month(v.Month.Month), v.Month.Year)
}

// About says which child and camp a listed document is about, or that it is of a whole month.
func (d listed) About(v page.Base) string {
	if d.Group() && d.Child == "" {
		return v.L.T("reports.invoice.month_name", v.L.Month(d.Month.Month), d.Month.Year)
	}
	return strings.Trim(d.Child+", "+d.Camp, ", ")
}
