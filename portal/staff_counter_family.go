package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/household"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// counterNewPage is the form of a family that is not known yet.
type counterNewPage struct {
	staffPage
	Form     *form.Form
	Key      string
	Channels []choice
	Alike    []counterAdult // who may be the same person
}

// counterFamilyNew shows the form.
func (s *server) counterFamilyNew(w http.ResponseWriter, r *http.Request) error {
	p, err := s.counterNewPage(r, form.New().Set("city", "").Set("channel", "phone"))
	if err != nil {
		return err
	}
	p.Key = uuid.NewString()
	return s.render(w, r, http.StatusOK, "staff/counter_new", p)
}

func (s *server) counterNewPage(r *http.Request, f *form.Form) (*counterNewPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.counter.new"), "/gestion/guichet")
	if err != nil {
		return nil, err
	}
	p := &counterNewPage{staffPage: base, Form: f, Key: f.Text("key")}
	p.Back = &page.Link{URL: "/gestion/guichet", Text: p.L.T("staff.counter.title")}
	for _, c := range household.Channels {
		p.Channels = append(p.Channels, choice{Value: c, Text: p.L.T("household.channel." + c)})
	}
	return p, nil
}

// counterFamilyCreate makes the family; whoever looks alike is shown first.
func (s *server) counterFamilyCreate(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.counterNewPage(r, f)
	if err != nil {
		return err
	}
	name := f.Text("first_name") + " " + f.Text("last_name")
	if !f.Checked("anyway") && f.Text("first_name") != "" && f.Text("last_name") != "" {
		if p.Alike, _, err = s.counterAdults(r.Context(), name); err != nil {
			return err
		}
		// A child of the same name is somebody else.
		words := foldWords(name)
		p.Alike = slices.DeleteFunc(p.Alike, func(g counterAdult) bool { return score(words, foldWords(g.FirstName+" "+g.LastName)) < 0 })
		if len(p.Alike) > 0 {
			f.Add("anyway", "staff.counter.alike")
		}
	}
	key, _ := f.UUID("key")
	actor, _ := s.actorOf(r)
	var made household.Guardian
	if f.OK() {
		made, err = s.Household.CreateGuardian(r.Context(), actor, key, household.GuardianForm{
			FirstName: f.Text("first_name"), LastName: f.Text("last_name"), Email: f.Text("email"), Phone: e164(f.Text("phone")),
			Street: f.Text("street"), Postcode: f.Text("postcode"), City: f.Text("city"), Channel: f.Text("channel"),
		})
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		return s.refuse(w, r, "staff/counter_new", f, p)
	}
	s.flash(w, "flash.family_made")
	return seeOther(w, r, counterPath+made.ID.String()+"/enfants")
}

// counterChildPage is the form of one more child.
type counterChildPage struct {
	*counterFamilyPage
	Form   *form.Form
	Key    string
	Year   string
	Levels []choice
	Bases  []choice
}

// counterChildNew shows the form.
func (s *server) counterChildNew(w http.ResponseWriter, r *http.Request) error {
	p, err := s.counterChildPage(r, nil)
	if err != nil {
		return err
	}
	p.Key = uuid.NewString()
	return s.render(w, r, http.StatusOK, "staff/counter_child", p)
}

func (s *server) counterChildPage(r *http.Request, f *form.Form) (*counterChildPage, error) {
	family, err := s.counterFamilyPage(r)
	if err != nil {
		return nil, err
	}
	p := &counterChildPage{counterFamilyPage: family, Form: f, Year: schoolYear(s.today())}
	if f == nil {
		p.Form = form.New().Set("last_name", family.Guardian.LastName).Set("basis", string(household.BasisParentalAuthority))
	} else {
		p.Key = f.Text("key")
	}
	p.Title = p.L.T("staff.counter.child_new", family.Guardian.Name())
	p.Back = &page.Link{URL: family.URL(), Text: family.Guardian.Name()}
	p.Levels = append([]choice{{Text: p.L.T("portal.child.level_choose")}}, levelChoices(p.L, false)...)
	for _, b := range household.OwnBases {
		p.Bases = append(p.Bases, choice{Value: string(b), Text: p.L.T("household.basis." + string(b))})
	}
	return p, nil
}

// counterChildCreate adds the child to the family.
func (s *server) counterChildCreate(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.counterChildPage(r, f)
	if err != nil {
		return err
	}
	in := readChild(f)
	in.Key, _ = f.UUID("key")
	in.Basis = household.Basis(f.Text("basis"))
	if f.Text("level") == "" {
		f.Add("level", "portal.child.level_needed")
	}
	var made household.Child
	if f.OK() {
		made, err = s.Household.AddChild(r.Context(), p.Guardian.ID, in)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		return s.refuse(w, r, "staff/counter_child", f, p)
	}
	s.flash(w, "flash.child_added")
	return seeOther(w, r, p.URL()+"/stages?enfant="+made.ID.String())
}
