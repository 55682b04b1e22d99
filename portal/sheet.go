package portal

import (
	"net/http"

	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// sheetPage is the medical sheet of a child as its guardians fill it in.
type sheetPage struct {
	page.Base
	Form   *form.Form
	Child  household.Child
	Status medical.Status
	Lines  map[string][]int // indexes of the lines shown of each list
	YesNo  []choice
	Next   string
}

func (s *server) sheetPage(r *http.Request, f *form.Form, c household.Child, v medical.Sheet, next string) *sheetPage {
	l := s.locale(r)
	p := &sheetPage{Base: s.base(r, l.T("portal.sheet.of", c.FirstName)), Form: f, Child: c, Next: safeNext(next, "")}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	p.YesNo = []choice{{Value: string(medical.Yes), Text: l.T("portal.yes")}, {Value: string(medical.No), Text: l.T("portal.no")}}
	p.Lines = sheetLines(v, f.Text("plus"))
	return p
}

// ofChild returns who acts and the child in the address.
func (s *server) ofChild(r *http.Request) (parent, household.Child, error) {
	g, err := s.parent(r)
	if err != nil {
		return g, household.Child{}, err
	}
	c, err := s.Household.Child(r.Context(), g.guardian.ID, pathID(r))
	return g, c, err
}

// sheetEdit shows the sheet; the reading is logged like any other.
func (s *server) sheetEdit(w http.ResponseWriter, r *http.Request) error {
	g, c, err := s.ofChild(r)
	if err != nil {
		return err
	}
	v, status, err := s.Medical.ReadAsGuardian(r.Context(), g.account.ID, g.guardian.ID, c.ID)
	if err != nil {
		return err
	}
	f := form.New()
	fillSheet(f, v)
	p := s.sheetPage(r, f, c, v, r.URL.Query().Get("suite"))
	p.Status = status
	return s.render(w, r, http.StatusOK, "sheet", p)
}

// sheetSave keeps a new version of the sheet, which also confirms it; or shows more empty lines of a list.
func (s *server) sheetSave(w http.ResponseWriter, r *http.Request) error {
	g, c, err := s.ofChild(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	v := readSheet(f)
	if f.Checked("plus") {
		fillSheet(f, v)
		// Showing more lines says nothing yet about what is written.
		return s.render(w, r, http.StatusOK, "sheet", s.sheetPage(r, f, c, v, f.Text("suite")))
	}
	if f.OK() {
		err := s.Medical.Save(r.Context(), g.account.ID, g.guardian.ID, c.ID, v)
		if p := problem.As(err); p != nil && p.Kind == problem.KindConflict {
			// The other parent saved meanwhile: what was typed stays, and is said to be on top of an older version.
			err = problem.Invalid(p.Code, p.Args...)
		}
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		fillSheet(f, v)
		return s.refuse(w, r, "sheet", f, s.sheetPage(r, f, c, v, f.Text("suite")))
	}
	s.flash(w, "flash.sheet")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/"))
}

// sheetConfirm says that nothing changed since the version that was shown.
func (s *server) sheetConfirm(w http.ResponseWriter, r *http.Request) error {
	g, c, err := s.ofChild(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	version, _ := f.Int("version")
	if err := s.Medical.Confirm(r.Context(), g.account.ID, g.guardian.ID, c.ID, version); err != nil {
		return err
	}
	s.flash(w, "flash.sheet_confirmed")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/"))
}

// accessesPage lists who read a child's sheet.
type accessesPage struct {
	page.Base
	Child    household.Child
	Accesses []medical.Access
	Me       string // actor of the account that looks
}

// maxAccesses is how many readings are shown; all are kept.
const maxAccesses = 200

// sheetAccesses shows who read the sheet, when and why.
func (s *server) sheetAccesses(w http.ResponseWriter, r *http.Request) error {
	g, c, err := s.ofChild(r)
	if err != nil {
		return err
	}
	list, err := s.Medical.Accesses(r.Context(), g.guardian.ID, c.ID, maxAccesses)
	if err != nil {
		return err
	}
	l := s.locale(r)
	p := &accessesPage{Base: s.base(r, l.T("portal.accesses.title", c.FirstName)), Child: c, Accesses: list, Me: "account:" + g.account.ID.String()}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/enfants/" + c.ID.String() + "/fiche-medicale", Text: l.T("portal.sheet.of", c.FirstName)}
	return s.render(w, r, http.StatusOK, "sheet_accesses", p)
}
