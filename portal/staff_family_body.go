package portal

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffBodiesPage lists the organisations that are guardians, with who acts for them.
type staffBodiesPage struct {
	staffPage
	Bodies []familyBody
	Form   *form.Form
	Member *form.Form
	Can    bool
	// CanCovers shows the way to what organisations promised to pay.
	CanCovers bool
}

// familyBody is an organisation with its members.
type familyBody struct {
	ID          uuid.UUID
	HouseholdID uuid.UUID
	LastName    string
	City        string
	Children    int
	Members     []familyMember
}

// familyMember is a member with whether it acts today.
type familyMember struct {
	household.Member
	Acts bool
}

func (s *server) staffBodiesPage(r *http.Request) (*staffBodiesPage, error) {
	base, err := s.familyStaff(r, s.locale(r).T("staff.body.title"))
	if err != nil {
		return nil, err
	}
	p := &staffBodiesPage{staffPage: base, Form: form.New(), Member: form.New(), Can: s.can(r, mayDecide), CanCovers: s.can(r, maySocial)}
	rows, err := s.DB.Query(r.Context(), `
		SELECT g.id, g.household_id, g.last_name, g.city,
		  (SELECT count(DISTINCT gs.child_id)::int FROM guardianship AS gs WHERE gs.guardian_id = g.id
		   AND gs.valid_from <= @today AND (gs.valid_until IS NULL OR gs.valid_until >= @today)) AS children
		FROM guardian AS g
		WHERE g.kind = 'organisation'
		  AND g.merged_into IS NULL
		ORDER BY g.last_name, g.id`,
		pgx.NamedArgs{"today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the organisations: %w", err)
	}
	if p.Bodies, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[familyBody]); err != nil {
		return nil, fmt.Errorf("reading the organisations: %w", err)
	}
	for i := range p.Bodies {
		members, err := s.Household.Members(r.Context(), p.Bodies[i].ID)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			p.Bodies[i].Members = append(p.Bodies[i].Members, familyMember{Member: m, Acts: m.Holds(s.today())})
		}
	}
	return p, nil
}

func (s *server) staffBodies(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffBodiesPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/family/bodies", p)
}

// staffBodyAdd enters an organisation.
func (s *server) staffBodyAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	_, err = s.Household.AddOrganisation(r.Context(), actor, household.GuardianForm{
		LastName: f.Text("last_name"), Email: f.Text("email"), Phone: e164(f.Text("phone")), Street: f.Text("street"),
		Postcode: f.Text("postcode"), City: f.Text("city"),
	})
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffBodiesPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/family/bodies", f, p)
	}
	s.flash(w, "flash.body_added")
	return seeOther(w, r, "/gestion/organismes")
}

// staffMemberAdd lets an account act for an organisation.
func (s *server) staffMemberAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	until := f.Date("member_until")
	a, err := s.Account.ByEmail(r.Context(), f.Text("member_email"))
	switch {
	case problem.Is(err, problem.KindNotFound):
		f.Add("member_email", "staff.body.no_account")
	case err != nil:
		return err
	}
	if f.OK() {
		err := s.Household.AddMember(r.Context(), actor, pathID(r), a.ID, civil.Date{}, until)
		if p := problem.As(err); p != nil && p.Kind != problem.KindNotFound {
			f.Add("member_email", p.Code, p.Args...)
			if len(p.Fields) > 0 {
				f.Add("member_until", p.Fields[0].Code)
			}
		} else if err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffBodiesPage(r)
		if err != nil {
			return err
		}
		p.Member = f
		return s.refuse(w, r, "staff/family/bodies", f, p)
	}
	s.flash(w, "flash.member_added")
	return seeOther(w, r, "/gestion/organismes")
}

// staffMemberEnd ends what a member may do, at once.
func (s *server) staffMemberEnd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id, ok := f.UUID("account")
	if !ok {
		return problem.NotFound("household.member_not_found")
	}
	actor, _ := s.actorOf(r)
	if err := s.Household.EndMember(r.Context(), actor, pathID(r), id, s.today().AddDays(-1)); err != nil {
		return err
	}
	s.flash(w, "flash.member_ended")
	return seeOther(w, r, "/gestion/organismes")
}
