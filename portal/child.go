package portal

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/household"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// childPage is the form about one child.
type childPage struct {
	page.Base
	Form      *form.Form
	Child     *household.Child // nil for a new one
	Levels    []choice
	Interests []choice
	Bases     []choice
	Year      string // « 2026-2027 »
	Next      string
	Key       string // of a new child's form
}

func (s *server) childPage(r *http.Request, f *form.Form, c *household.Child) (*childPage, error) {
	l := s.locale(r)
	title := l.T("portal.child.new_title")
	if c != nil {
		title = c.FirstName
	}
	p := &childPage{Base: s.base(r, title), Form: f, Child: c, Levels: levelChoices(l, false), Year: schoolYear(s.today())}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	p.Levels = slices.Insert(p.Levels, 0, choice{Text: l.T("portal.child.level_choose")})
	for _, b := range household.OwnBases {
		p.Bases = append(p.Bases, choice{Value: string(b), Text: l.T("household.basis." + string(b))})
	}
	themes, err := s.allThemes(r.Context())
	if err != nil {
		return nil, err
	}
	for _, v := range f.All("interests") {
		if !slices.Contains(themes, v) {
			themes = append(themes, v)
		}
	}
	for _, t := range themes {
		p.Interests = append(p.Interests, choice{Value: t, Text: t})
	}
	return p, nil
}

// allThemes returns what published camps are or were about: what a child may be interested in.
func (s *server) allThemes(ctx context.Context) ([]string, error) {
	return s.texts(ctx, `
		SELECT DISTINCT unnest(themes) AS theme
		FROM camp
		WHERE published
		ORDER BY theme
		LIMIT 40`)
}

// childNew shows an empty form with the key that makes a double click one child.
func (s *server) childNew(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f := form.New().Set("last_name", g.guardian.LastName).Set("basis", string(household.BasisParentalAuthority))
	p, err := s.childPage(r, f, nil)
	if err != nil {
		return err
	}
	p.Key, p.Next = uuid.NewString(), safeNext(r.URL.Query().Get("suite"), "")
	return s.render(w, r, http.StatusOK, "child", p)
}

// childCreate adds a child and goes on to its medical sheet, unless the family came from somewhere.
func (s *server) childCreate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	var made household.Child
	in := readChild(f)
	in.Key, _ = f.UUID("key")
	in.Basis = household.Basis(f.Text("basis"))
	// Everything that is wrong is told in one pass.
	if err := f.Take(in.Check(s.today())); err != nil {
		return err
	}
	if f.Text("level") == "" {
		f.Add("level", "portal.child.level_needed")
	}
	if f.OK() {
		if made, err = s.Household.AddChild(r.Context(), g.guardian.ID, in); err != nil {
			if err := f.Take(err); err != nil {
				return err
			}
		}
	}
	if !f.OK() {
		p, err := s.childPage(r, f, nil)
		if err != nil {
			return err
		}
		p.Key, p.Next = f.Text("key"), safeNext(f.Text("suite"), "")
		return s.refuse(w, r, "child", f, p)
	}
	s.flash(w, "flash.child_added")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/enfants/"+made.ID.String()+"/fiche-medicale"))
}

// childEdit shows what is known of a child.
func (s *server) childEdit(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	c, err := s.Household.Child(r.Context(), g.guardian.ID, pathID(r))
	if err != nil {
		return err
	}
	f := form.New().Set("first_name", c.FirstName).Set("last_name", c.LastName).SetDate("birth_date", c.BirthDate).
		Set("level", c.Level).Set("interests", c.Interests...)
	p, err := s.childPage(r, f, &c)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "child", p)
}

// childUpdate changes what is known of a child.
func (s *server) childUpdate(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	c, err := s.Household.Child(r.Context(), g.guardian.ID, pathID(r))
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	in := readChild(f)
	if err := f.Take(in.Check(s.today())); err != nil {
		return err
	}
	if f.OK() {
		if err := f.Take(s.Household.UpdateChild(r.Context(), g.guardian.ID, c.ID, in)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.childPage(r, f, &c)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "child", f, p)
	}
	s.flash(w, "flash.child")
	return seeOther(w, r, "/mon-espace/")
}

func readChild(f *form.Form) household.ChildForm {
	return household.ChildForm{
		FirstName: f.Text("first_name"), LastName: f.Text("last_name"), BirthDate: f.Date("birth_date"), NationalNumber: f.Text("national_number"),
		ForgetNationalNumber: f.Checked("forget_national_number"), Level: f.Text("level"), Interests: f.All("interests"),
	}
}
