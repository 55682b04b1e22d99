package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/dunning"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const (
	reminderPath  = "/mon-espace/rappels/"
	complaintPath = "/mon-espace/contester/"
)

// myReminder returns the step in the address, which the guardian must be the payer of.
func (s *server) myReminder(r *http.Request) (dunning.Record, error) {
	g, err := s.parent(r)
	if err != nil {
		return dunning.Record{}, err
	}
	v, err := s.dunning().Read(r.Context(), pathID(r))
	if err == nil && v.PayerID != g.guardian.ID {
		err = problem.NotFound("dunning.not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, v.RegistrationID, "dunning.not_found")
	}
	return v, err
}

// reminderShow shows a reminder as a page.
func (s *server) reminderShow(w http.ResponseWriter, r *http.Request) error {
	v, err := s.myReminder(r)
	if err != nil {
		return err
	}
	view := s.document(r, v.Content, reminderPath+v.ID.String())
	view.Contest = complaintPath + v.DueID.String()
	return s.documentShow(w, r, view)
}

// reminderPDF sends the letter.
func (s *server) reminderPDF(w http.ResponseWriter, r *http.Request) error {
	v, err := s.myReminder(r)
	if err != nil {
		return err
	}
	f, err := reports.Letter(v)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// complaintPage lets a payer contest what is asked, and shows what became of it.
type complaintPage struct {
	page.Base
	DueID      uuid.UUID
	Complaints []dunning.Complaint
	Form       *form.Form
	Key        string
}

// myDue returns the due in the address, which the guardian must be the payer of.
func (s *server) myDue(r *http.Request) (ledger.Due, error) {
	g, err := s.parent(r)
	if err != nil {
		return ledger.Due{}, err
	}
	d, err := ledger.ReadDue(r.Context(), s.DB, pathID(r))
	if err == nil && d.PayerID != g.guardian.ID {
		err = problem.NotFound("ledger.due_not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, d.RegistrationID, "ledger.due_not_found")
	}
	return d, err
}

func (s *server) complaintPage(r *http.Request, d ledger.Due, f *form.Form) (*complaintPage, error) {
	l := s.locale(r)
	p := &complaintPage{Base: s.base(r, l.T("dunning.contest")), DueID: d.ID, Form: f, Key: uuid.NewString()}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/factures", Text: l.T("portal.invoices.title")}
	var err error
	p.Complaints, err = s.dunning().Complaints(r.Context(), d.ID)
	return p, err
}

func (s *server) complaintShow(w http.ResponseWriter, r *http.Request) error {
	d, err := s.myDue(r)
	if err != nil {
		return err
	}
	p, err := s.complaintPage(r, d, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "family/complaint", p)
}

// complaintSend notes what the payer contests: no step is taken on this due until somebody answers.
func (s *server) complaintSend(w http.ResponseWriter, r *http.Request) error {
	d, err := s.myDue(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok {
		return problem.Invalid("form.unreadable")
	}
	err = f.Take(s.dunning().Complain(r.Context(), audit.Account(s.signedIn(r).ID), d.ID, f.Text("words"), key))
	if err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.complaintPage(r, d, f)
		if err != nil {
			return err
		}
		p.Key = key.String()
		return s.refuse(w, r, "family/complaint", f, p)
	}
	s.flash(w, "flash.complaint_sent")
	return seeOther(w, r, complaintPath+d.ID.String())
}
