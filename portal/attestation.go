package portal

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

const attestationPath = "/mon-espace/attestations"

func (s *server) attestations() *ledger.Attestations {
	return ledger.NewAttestations(s.DB, s.Now, s.Household.Box, s.Household, s.Jobs)
}

// attestationsPage is what a guardian can download, and what is asked for it.
type attestationsPage struct {
	page.Base
	Years     []attestationYear
	Form      *form.Form // of the own number
	Number    string     // masked
	Children  []attestedChild
	Mutuelles []ledger.Participation
	Funds     []ledger.FundForm
}

// attestationYear is the attestations of one year, the newest first.
type attestationYear struct {
	Year int
	List []ledger.Attestation
}

// attestedChild is a child with what the 281.86 needs of it.
type attestedChild struct {
	household.Child
	Limit string // what is known of a severe handicap
}

func (s *server) attestationsPage(r *http.Request, g parent, f *form.Form) (*attestationsPage, error) {
	l := s.locale(r)
	p := &attestationsPage{Base: s.base(r, l.T("portal.attestations.title")), Form: f}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	ctx, store := r.Context(), s.attestations()
	all, err := store.OfDebtor(ctx, g.guardian.ID)
	if err != nil {
		return nil, err
	}
	hidden, err := s.hiddenChildren(r, g.guardian.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if hidden[a.ChildID] {
			continue
		}
		if n := len(p.Years); n == 0 || p.Years[n-1].Year != a.Year {
			p.Years = append(p.Years, attestationYear{Year: a.Year})
		}
		last := &p.Years[len(p.Years)-1]
		last.List = append(last.List, a)
	}
	number, err := s.Household.OwnNumber(ctx, g.guardian.ID)
	if err != nil {
		return nil, err
	}
	p.Number = number.Masked()
	if p.Mutuelles, err = s.participations(r, g); err != nil {
		return nil, err
	}
	if p.Funds, err = store.FundForms(ctx, true); err != nil {
		return nil, err
	}
	p.Children, err = s.attestedChildren(r, g)
	return p, err
}

// participations returns the camps for which a health fund may be asked, without those of children who are hidden.
func (s *server) participations(r *http.Request, g parent) (shown []ledger.Participation, err error) {
	all, err := s.attestations().Participations(r.Context(), g.guardian.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		err := s.unblocked(r, g, v.RegistrationID, "attestation.not_found")
		if problem.Is(err, problem.KindNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shown = append(shown, v)
	}
	return shown, nil
}

// attestedChildren returns the children whom the guardian registers. What moves the age limit is shown to who may know
// of the child's health alone.
func (s *server) attestedChildren(r *http.Request, g parent) ([]attestedChild, error) {
	children, err := s.Household.Children(r.Context(), g.guardian.ID)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, c := range children {
		if c.Can(household.RightMedical) {
			ids = append(ids, c.ID)
		}
	}
	known, err := s.Household.Handicaps(r.Context(), s.DB, ids)
	if err != nil {
		return nil, err
	}
	var list []attestedChild
	for _, c := range children {
		if c.Can(household.RightRegister) {
			list = append(list, attestedChild{Child: c, Limit: known[c.ID].State})
		}
	}
	return list, nil
}

// hiddenChildren returns the children whom a decision hides from the guardian today.
func (s *server) hiddenChildren(r *http.Request, guardianID uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := s.DB.Query(r.Context(), `
		SELECT child_id
		FROM guardianship_block
		WHERE guardian_id = @guardian
		  AND valid_from <= @today
		  AND (lifted_on IS NULL OR lifted_on > @today)`,
		pgx.NamedArgs{"guardian": guardianID, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading who is hidden from guardian %s: %w", guardianID, err)
	}
	blocks, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading who is hidden from guardian %s: %w", guardianID, err)
	}
	hidden := make(map[uuid.UUID]bool, len(blocks))
	for _, id := range blocks {
		hidden[id] = true
	}
	return hidden, nil
}

// attestationsShow lists what there is to download.
func (s *server) attestationsShow(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	p, err := s.attestationsPage(r, g, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "attestations", p)
}

// attestationNumberSave keeps the guardian's own national number, or forgets it.
func (s *server) attestationNumberSave(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	raw := f.Text("national_number")
	if raw == "" && !f.Checked("forget") {
		f.Add("national_number", "household.required")
	}
	if f.OK() {
		if err := f.Take(s.Household.SaveOwnNumber(r.Context(), g.guardian.ID, raw)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.attestationsPage(r, g, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "attestations", f, p)
	}
	s.flash(w, "flash.details")
	return seeOther(w, r, attestationPath)
}

// attestationLimit lets a guardian declare that the age limit of a child is 21, or take it back.
func (s *server) attestationLimit(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if err := s.Household.DeclareHandicap(r.Context(), g.guardian.ID, pathID(r), f.Checked("has")); err != nil {
		return err
	}
	s.flash(w, "flash.child")
	return seeOther(w, r, attestationPath+"#limites")
}

// attestationMutuelle makes the attestation of one camp for a health fund; asked twice it is the same one.
func (s *server) attestationMutuelle(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	registration, ok := f.UUID("registration")
	if !ok {
		return problem.NotFound("attestation.not_found")
	}
	if err := s.unblocked(r, g, registration, "attestation.not_found"); err != nil {
		return err
	}
	if _, err := s.attestations().IssueMutuelle(r.Context(), audit.Account(g.account.ID), g.guardian.ID, registration); err != nil {
		return err
	}
	s.flash(w, "flash.mutuelle")
	return seeOther(w, r, attestationPath)
}

// myAttestation returns the attestation in the address, which the guardian must be the debtor of.
func (s *server) myAttestation(r *http.Request) (ledger.Attestation, audit.Actor, error) {
	g, err := s.parent(r)
	if err != nil {
		return ledger.Attestation{}, audit.Actor{}, err
	}
	a, err := s.attestations().Attestation(r.Context(), pathID(r))
	if err != nil {
		return a, audit.Actor{}, err
	}
	hidden, err := s.hiddenChildren(r, g.guardian.ID)
	if err != nil {
		return a, audit.Actor{}, err
	}
	if a.DebtorID != g.guardian.ID || hidden[a.ChildID] {
		return a, audit.Actor{}, problem.NotFound("attestation.not_found")
	}
	return a, audit.Account(g.account.ID), nil
}

// attestationPDF hands out a document to its debtor, always the same bytes. The audit keeps that it was read.
func (s *server) attestationPDF(w http.ResponseWriter, r *http.Request) error {
	a, actor, err := s.myAttestation(r)
	if err != nil {
		return err
	}
	return s.handAttestation(w, r, a.ID, actor)
}

// attestationOnForm hands out an attestation for a health fund on the fund's own form.
func (s *server) attestationOnForm(w http.ResponseWriter, r *http.Request) error {
	a, actor, err := s.myAttestation(r)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(mux.Vars(r)["form"])
	if err != nil || a.Series != ledger.SeriesMutuelle {
		return problem.NotFound("attestation.not_found")
	}
	store := s.attestations()
	fund, pdf, err := store.FundForm(r.Context(), id)
	if err != nil {
		return err
	}
	_, child, err := store.Numbers(a)
	if err != nil {
		return err
	}
	filled, err := reports.FillFund(pdf, fund.Fields, a, child)
	if err != nil {
		return err
	}
	if err := audit.Record(r.Context(), s.DB, actor, "attestation.read", "attestation", a.ID.String(), map[string]any{"form": id}); err != nil {
		return err
	}
	return s.sendFile(w, reports.File{Name: reports.AttestationFileName(a), ContentType: reports.ContentPDF, Body: filled})
}

func (s *server) handAttestation(w http.ResponseWriter, r *http.Request, id uuid.UUID, actor audit.Actor) error {
	f, err := reports.Attestation(r.Context(), s.attestations(), id, actor)
	if err != nil {
		return err
	}
	if err := audit.Record(r.Context(), s.DB, actor, "attestation.read", "attestation", id.String(), nil); err != nil {
		return err
	}
	return s.sendFile(w, f)
}
