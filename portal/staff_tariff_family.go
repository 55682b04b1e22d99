package portal

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffFamilyTariffPage is what staff verified of a household's adults and, for those who may know, what was accorded.
type staffFamilyTariffPage struct {
	staffPage
	ID         uuid.UUID
	Adults     []familyTariffAdult
	Members    []tariff.Member
	Audiences  []choice
	Guardians  []choice
	Form       *form.Form // of a status
	CanAdmit   bool
	CanAccord  bool
	Accorded   []tariff.Accorded
	Children   []choice // the first is every child
	Accord     *form.Form
	Key        uuid.UUID
	childNames map[uuid.UUID]string
}

type familyTariffAdult struct {
	ID   uuid.UUID
	Name string
}

// Adult names a guardian of the household.
func (p *staffFamilyTariffPage) Adult(id uuid.UUID) string {
	for _, a := range p.Adults {
		if a.ID == id {
			return a.Name
		}
	}
	return ""
}

// For names the child for whom a tariff was accorded, or all of them.
func (p *staffFamilyTariffPage) For(a tariff.Accorded) string {
	if a.ChildID == nil {
		return p.L.T("tariff.every_child")
	}
	return p.childNames[*a.ChildID]
}

// Runs reports whether an accorded tariff counts today.
func (p *staffFamilyTariffPage) Runs(a tariff.Accorded) bool {
	return a.EndedOn.IsZero() && !p.today().Before(a.ValidFrom) && !p.today().After(a.ValidUntil)
}

// today is the civil day of the page.
func (p staffPage) today() civil.Date { return civil.DateOf(p.Now, civil.Brussels) }

func (s *server) familyTariffPage(r *http.Request, id uuid.UUID) (*staffFamilyTariffPage, error) {
	ctx := r.Context()
	base, err := s.familyStaff(r, s.locale(r).T("tariff.family"))
	if err != nil {
		return nil, err
	}
	p := &staffFamilyTariffPage{
		staffPage: base, ID: id, Form: form.New(), Accord: form.New(), Key: uuid.New(), childNames: map[uuid.UUID]string{},
		CanAdmit: s.can(r, mayAdmit), CanAccord: s.can(r, maySocial),
	}
	rows, err := s.DB.Query(ctx, `
		SELECT id, trim(first_name || ' ' || last_name) AS name
		FROM guardian
		WHERE household_id = @id
		  AND merged_into IS NULL
		ORDER BY created_at, id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading household %s: %w", id, err)
	}
	if p.Adults, err = pgx.CollectRows(rows, pgx.RowToStructByName[familyTariffAdult]); err != nil {
		return nil, fmt.Errorf("reading household %s: %w", id, err)
	}
	if len(p.Adults) == 0 {
		return nil, problem.NotFound("household.family_not_found")
	}
	p.Title = p.L.T("tariff.family_of", p.Adults[0].Name)
	p.Back = &page.Link{URL: "/gestion/familles/" + id.String(), Text: p.L.T("staff.family.title")}
	for _, a := range p.Adults {
		p.Guardians = append(p.Guardians, choice{Value: a.ID.String(), Text: a.Name})
	}
	audiences, err := tariff.Audiences(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	for _, a := range audiences {
		if a.Rule == tariff.RuleVerified {
			p.Audiences = append(p.Audiences, choice{Value: a.Code, Text: a.Name})
		}
	}
	if p.Members, err = tariff.MembersOf(ctx, s.DB, id); err != nil {
		return nil, err
	}
	p.Form.SetDate("from", p.today())
	if len(p.Guardians) == 1 {
		p.Form.Set("guardian", p.Guardians[0].Value)
	}
	if !p.CanAccord {
		return p, nil
	}
	p.Accord.SetDate("accord_from", p.today())
	return p, s.familyAccorded(r, p)
}

func (s *server) familyAccorded(r *http.Request, p *staffFamilyTariffPage) error {
	children, err := s.choicesOf(r.Context(), `
		SELECT c.id::text, c.first_name
		FROM household_child hc
		JOIN child c ON c.id = hc.child_id
		WHERE hc.household_id = @id
		  AND c.merged_into IS NULL
		ORDER BY c.birth_date, c.id`, pgx.NamedArgs{"id": p.ID})
	if err != nil {
		return fmt.Errorf("reading the children of household %s: %w", p.ID, err)
	}
	p.Children = append([]choice{{Text: p.L.T("tariff.every_child")}}, children...)
	for _, c := range children {
		p.childNames[uuid.MustParse(c.Value)] = c.Text
	}
	p.Accorded, err = tariff.AccordedTo(r.Context(), s.DB, p.ID)
	return err
}

// staffFamilyTariff shows the tariffs of a family.
func (s *server) staffFamilyTariff(w http.ResponseWriter, r *http.Request) error {
	p, err := s.familyTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/tariff/family", p)
}

func (p *staffFamilyTariffPage) url() string { return "/gestion/familles/" + p.ID.String() + "/tarifs" }

// staffMemberAdmit notes that staff saw why an adult belongs to an audience.
func (s *server) staffMemberAdmit(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.familyTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	m := tariff.Member{Audience: f.Text("audience"), Proof: f.Text("proof"), ValidFrom: f.Date("from"), ValidUntil: f.Date("until")}
	id, ok := f.UUID("guardian")
	if !ok || p.Adult(id) == "" {
		f.Add("guardian", "form.required")
	}
	m.GuardianID = id
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.tariffs().Admit(r.Context(), actor, m)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/tariff/family", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, p.url())
}

// staffMemberExpel ends what staff verified of an adult.
func (s *server) staffMemberExpel(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.familyTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	id, ok := f.UUID("statut")
	if !ok || !slices.ContainsFunc(p.Members, func(m tariff.Member) bool { return m.ID == id }) {
		return problem.NotFound("tariff.member_not_found")
	}
	actor, _ := s.actorOf(r)
	if err := s.tariffs().EndMember(r.Context(), actor, id); err != nil {
		return err
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, p.url())
}

// staffAccord grants a tariff to the household.
func (s *server) staffAccord(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.familyTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	key, ok := f.UUID("key")
	if !ok {
		f.Add("", "form.unreadable")
	}
	a := tariff.Accorded{
		HouseholdID: p.ID, ChildID: f.OptionalUUID("enfant"), Percent: optionalNumber(f, "percent"), Cents: optionalCents(f, "price"),
		ValidFrom: f.Date("accord_from"), ValidUntil: f.Date("accord_until"), Reference: f.Text("reference"), Regulation: f.Text("regulation"), Key: key,
	}
	if a.ChildID != nil && p.childNames[*a.ChildID] == "" {
		f.Add("enfant", "form.required")
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		err := s.tariffs().Accord(r.Context(), actor, a)
		if refused := problem.As(err); refused != nil {
			for i, field := range refused.Fields { // the page has two forms with dates
				if field.Name == "from" || field.Name == "until" {
					refused.Fields[i].Name = "accord_" + field.Name
				}
			}
		}
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Accord = f
		if ok {
			p.Key = key
		}
		return s.refuse(w, r, "staff/tariff/family", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, p.url()+"#accorde")
}

// staffAccordEnd ends an accorded tariff.
func (s *server) staffAccordEnd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id, ok := f.UUID("tarif")
	if !ok {
		return problem.NotFound("tariff.accorded_not_found")
	}
	actor, _ := s.actorOf(r)
	if err := s.tariffs().EndAccorded(r.Context(), actor, pathID(r), id); err != nil {
		return err
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, "/gestion/familles/"+pathID(r).String()+"/tarifs#accorde")
}
