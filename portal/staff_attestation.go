package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/portal/form"
	"ribambelle/reports"
)

const (
	staffAttestationPath = "/gestion/attestations"
	// mostPlanned, mostOpen and mostIssued bound what the page lists; the control list holds everything.
	mostPlanned, mostOpen, mostIssued = 100, 50, 50
)

// mayAttest is who makes attestations: they show what families pay and their national numbers.
var mayAttest = office("finance", "administrator")

// staffAttestationPage is a year of attestations: what would be made, what is missing, what was made and sent.
type staffAttestationPage struct {
	staffPage
	Year      int
	Years     []int
	Preview   ledger.Preview
	Planned   []ledger.Planned
	Open      []ledger.Open
	Reasons   []openReason
	Ready     int // with national numbers
	Total     civil.Cents
	Anyway    int // without them too
	Issued    []ledger.Attestation
	Files     []ledger.BelcotaxFile
	Faults    []reports.Fault
	Blocked   bool
	Maxima    []ledger.Maximum
	Form      *form.Form // of the maximum
	Sent      *form.Form // of a file's reference
	SentBad   uuid.UUID
	Limits    []limitRow
	LimitForm *form.Form
	LimitBad  uuid.UUID
}

// openReason counts the dues that give nothing for one reason.
type openReason struct {
	Why string
	N   int
}

// limitRow is a child whose age limit somebody declared to be 21.
type limitRow struct {
	ID    uuid.UUID
	Name  string
	State string
	Proof string
}

// fiscalYear returns the year that a page is about: the one before while it is not given, as that is what is made.
func (s *server) fiscalYear(raw string) int {
	this := s.today().Year
	if y, err := strconv.Atoi(raw); err == nil && y >= ledger.FirstFiscalYear && y <= this {
		return y
	}
	return max(ledger.FirstFiscalYear, this-1)
}

func yearPath(year int) string { return staffAttestationPath + "?annee=" + strconv.Itoa(year) }

func (s *server) attestationPage(r *http.Request, year int) (*staffAttestationPage, error) {
	l := s.locale(r)
	base, _, err := s.staff(r, l.T("staff.attestation.title", strconv.Itoa(year)), staffAttestationPath)
	if err != nil {
		return nil, err
	}
	p := &staffAttestationPage{staffPage: base, Year: year, Form: form.New().Set("year", strconv.Itoa(year)), Sent: form.New(), LimitForm: form.New()}
	for y := s.today().Year; y >= ledger.FirstFiscalYear; y-- {
		p.Years = append(p.Years, y)
	}
	ctx, store := r.Context(), s.attestations()
	if p.Preview, err = store.Preview(ctx, year); err != nil {
		return nil, err
	}
	p.Planned, p.Open = p.Preview.Planned[:min(mostPlanned, len(p.Preview.Planned))], p.Preview.Open[:min(mostOpen, len(p.Preview.Open))]
	p.Ready, p.Total = p.Preview.Ready(false)
	p.Anyway, _ = p.Preview.Ready(true)
	p.Reasons = reasonsOf(p.Preview.Open)
	if p.Issued, err = store.OfYear(ctx, ledger.SeriesFiscal, year, 0, mostIssued); err != nil {
		return nil, err
	}
	if p.Files, err = store.BelcotaxFiles(ctx, year); err != nil {
		return nil, err
	}
	if p.Maxima, err = ledger.Maxima(ctx, s.DB); err != nil {
		return nil, err
	}
	p.Limits, err = s.limits(r)
	return p, err
}

func reasonsOf(open []ledger.Open) []openReason {
	var all []openReason
	for _, o := range open {
		i := slices.IndexFunc(all, func(v openReason) bool { return v.Why == o.Why })
		if i < 0 {
			all = append(all, openReason{Why: o.Why})
			i = len(all) - 1
		}
		all[i].N++
	}
	slices.SortFunc(all, func(a, b openReason) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Why, b.Why)) })
	return all
}

// limits returns the children whose age limit waits for a decision, and those decided.
func (s *server) limits(r *http.Request) ([]limitRow, error) {
	known, err := s.Household.DeclaredHandicaps(r.Context())
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(known))
	for id, h := range known {
		if h.State != household.HandicapNone {
			ids = append(ids, id)
		}
	}
	rows, err := s.DB.Query(r.Context(), `
		SELECT id, trim(first_name || ' ' || last_name) AS name
		FROM child
		WHERE id = ANY(@ids)
		  AND merged_into IS NULL
		ORDER BY last_name, first_name, id`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading whose age limit was declared: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[limitRow])
	if err != nil {
		return nil, fmt.Errorf("reading whose age limit was declared: %w", err)
	}
	for i, v := range list {
		list[i].State, list[i].Proof = known[v.ID].State, known[v.ID].Proof
	}
	return list, nil
}

// staffAttestation shows a year. The audit keeps who looked.
func (s *server) staffAttestation(w http.ResponseWriter, r *http.Request) error {
	p, err := s.attestationPage(r, s.fiscalYear(r.URL.Query().Get("annee")))
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := audit.Record(r.Context(), s.DB, actor, "attestation.preview", "year", strconv.Itoa(p.Year), nil); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/attestation/year", p)
}

// staffAttestationIssue makes what is new or changed; a second click makes nothing more.
func (s *server) staffAttestationIssue(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year := s.fiscalYear(f.Text("year"))
	done, err := s.attestations().IssueAttestations(r.Context(), actor, year, ledger.IssueOptions{WithoutNumber: f.Checked("without_number")})
	if err != nil {
		return err
	}
	s.flash(w, "flash.attestations_none")
	if len(done.IDs) > 0 {
		s.flash(w, "flash.attestations")
	}
	return seeOther(w, r, yearPath(year))
}

// staffAttestationPDF hands out a document.
func (s *server) staffAttestationPDF(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	return s.handAttestation(w, r, pathID(r), actor)
}

// staffAttestationControl hands out the control list of a year.
func (s *server) staffAttestationControl(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	f, err := s.reports().Fiscal(r.Context(), s.attestations(), s.fiscalYear(r.URL.Query().Get("annee")), actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// staffBelcotax makes the file of a year, or shows what is wrong with it.
func (s *server) staffBelcotax(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year := s.fiscalYear(f.Text("year"))
	_, faults, err := reports.Belcotax(r.Context(), s.attestations(), year, f.Checked("test"), actor)
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		s.flash(w, "flash.belcotax")
		return seeOther(w, r, yearPath(year)+"#belcotax")
	}
	p, err := s.attestationPage(r, year)
	if err != nil {
		return err
	}
	p.Faults, p.Blocked = faults, reports.Blocked(faults)
	status := http.StatusOK // made, with what had to be changed
	if p.Blocked {
		status = http.StatusUnprocessableEntity
	}
	return s.render(w, r, status, "staff/attestation/year", p)
}

// staffBelcotaxFile hands out a kept file.
func (s *server) staffBelcotaxFile(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	body, year, err := s.attestations().BelcotaxBody(r.Context(), actor, pathID(r))
	if err != nil {
		return err
	}
	return s.sendFile(w, reports.File{Name: reports.BelcotaxName(year), ContentType: "application/xml", Body: body})
}

// staffBelcotaxSent notes that a file was sent.
func (s *server) staffBelcotaxSent(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year := s.fiscalYear(f.Text("year"))
	if err := f.Take(s.attestations().MarkSent(r.Context(), actor, pathID(r), f.Text("reference"))); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.attestationPage(r, year)
		if err != nil {
			return err
		}
		p.Sent, p.SentBad = f, pathID(r)
		return s.refuse(w, r, "staff/attestation/year", f, p)
	}
	s.flash(w, "flash.belcotax_sent")
	return seeOther(w, r, yearPath(year)+"#belcotax")
}

// staffMaximum stores the daily maximum of a year.
func (s *server) staffMaximum(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year, _ := f.Int("year")
	cents := f.Cents("maximum")
	if f.OK() {
		if err := f.Take(s.attestations().SetMaximum(r.Context(), actor, ledger.Maximum{Year: year, Cents: cents})); err != nil {
			return err
		}
	}
	shown := s.fiscalYear(f.Text("year"))
	if !f.OK() {
		p, err := s.attestationPage(r, shown)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/attestation/year", f, p)
	}
	s.flash(w, "flash.settings_saved")
	return seeOther(w, r, yearPath(shown)+"#maximum")
}

// staffLimit keeps what staff decided about an age limit of 21.
func (s *server) staffLimit(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year := s.fiscalYear(f.Text("year"))
	if err := f.Take(s.Household.VerifyHandicap(r.Context(), actor, pathID(r), f.Text("decision") == "oui", f.Text("proof"))); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.attestationPage(r, year)
		if err != nil {
			return err
		}
		p.LimitForm, p.LimitBad = f, pathID(r)
		return s.refuse(w, r, "staff/attestation/year", f, p)
	}
	s.flash(w, "flash.settings_saved")
	return seeOther(w, r, yearPath(year)+"#limites")
}

// FaultWho names what a fault is about.
func (p *staffAttestationPage) FaultWho(f reports.Fault) string {
	if f.Reference == "" {
		return p.L.T("belcotax.sender")
	}
	return f.Reference
}

// FaultText says what is wrong, and in which element.
func (p *staffAttestationPage) FaultText(f reports.Fault) string {
	return f.Element + " : " + p.L.T(f.Code, f.Args...)
}

// Control is the address of the control list.
func (p *staffAttestationPage) Control() string {
	return staffAttestationPath + "/controle.xlsx?" + url.Values{"annee": {strconv.Itoa(p.Year)}}.Encode()
}

// Lines says in one line what an attestation certifies.
func (p *staffAttestationPage) Lines(lines []ledger.AttestationLine) string {
	var parts []string
	for _, l := range lines {
		parts = append(parts, p.L.N("staff.attestation.line", l.Days, l.Camp, p.L.Euros(l.Cents)))
	}
	return strings.Join(parts, " · ")
}

// Above reports whether a line's day costs more than the maximum of the year: the tax office counts the maximum.
func (p *staffAttestationPage) Above(lines []ledger.AttestationLine) bool {
	return p.Preview.Maximum > 0 && slices.ContainsFunc(lines, func(l ledger.AttestationLine) bool { return l.Tariff > p.Preview.Maximum })
}
