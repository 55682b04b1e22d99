package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

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

	Missing []string // what the kept version lacks to count, as input names

	Newer bool        // another guardian saved while this one typed: the form holds the newest version
	Typed []sheetRow  // then what this one had written otherwise
	Mine  [][2]string // and all of it, as inputs, to go on from it
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
	if status.Version > 0 {
		p.Missing = v.Missing()
	}
	return s.render(w, r, http.StatusOK, "sheet", p)
}

// sheetSave keeps a new version of the sheet, which confirms it when it is complete; or shows more empty lines of a
// list. When another guardian saved meanwhile it shows the newest version beside what was typed.
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
		if problem.Is(err, problem.KindConflict) {
			return s.sheetNewer(w, r, g, c, v, f.Text("suite"))
		}
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		fillSheet(f, v)
		return s.refuse(w, r, "sheet", f, s.sheetPage(r, f, c, v, f.Text("suite")))
	}
	if len(v.Missing()) > 0 { // the page says what
		to := "/mon-espace/enfants/" + c.ID.String() + "/fiche-medicale"
		if next := safeNext(f.Text("suite"), ""); next != "" {
			to += "?" + url.Values{"suite": {next}}.Encode()
		}
		return seeOther(w, r, to)
	}
	s.flash(w, "flash.sheet")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/"))
}

// sheetNewer shows the newest version in the form, and what was typed on top of an older one beside it.
func (s *server) sheetNewer(w http.ResponseWriter, r *http.Request, g parent, c household.Child, typed medical.Sheet, next string) error {
	newest, status, err := s.Medical.ReadAsGuardian(r.Context(), g.account.ID, g.guardian.ID, c.ID)
	if err != nil {
		return err
	}
	f := form.New()
	fillSheet(f, newest)
	p := s.sheetPage(r, f, c, newest, next)
	p.Newer = true
	typed.Version = newest.Version
	l := s.locale(r)
	now := map[string]string{}
	for _, row := range sheetRows(l, newest) {
		now[row.Label] = row.Value
	}
	for _, row := range sheetRows(l, typed) {
		if row.Value != now[row.Label] {
			p.Typed = append(p.Typed, row)
		}
	}
	mine := form.New()
	fillSheet(mine, typed)
	for name, values := range mine.Values() {
		if values[0] != "" {
			p.Mine = append(p.Mine, [2]string{name, values[0]})
		}
	}
	if p.Next != "" {
		p.Mine = append(p.Mine, [2]string{"suite", p.Next})
	}
	slices.SortFunc(p.Mine, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	p.Status = medical.Status{Version: 0, SavedAt: status.SavedAt} // nothing to confirm before it was read
	return s.render(w, r, http.StatusConflict, "sheet", p)
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
	err = s.Medical.Confirm(r.Context(), g.account.ID, g.guardian.ID, c.ID, version)
	if problem.Is(err, problem.KindInvalid) || problem.Is(err, problem.KindConflict) {
		return s.sheetAgain(w, r, g, c, f, err)
	}
	if err != nil {
		return err
	}
	s.flash(w, "flash.sheet_confirmed")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/"))
}

// sheetAgain shows the newest version with what keeps it from being confirmed: missing answers, or that it is newer than
// the one that was shown.
func (s *server) sheetAgain(w http.ResponseWriter, r *http.Request, g parent, c household.Child, sent *form.Form, why error) error {
	v, status, err := s.Medical.ReadAsGuardian(r.Context(), g.account.ID, g.guardian.ID, c.ID)
	if err != nil {
		return err
	}
	f := form.New()
	fillSheet(f, v)
	if p := problem.As(why); p.Kind == problem.KindConflict {
		why = problem.Invalid(p.Code, p.Args...)
	}
	if err := f.Take(why); err != nil {
		return err
	}
	p := s.sheetPage(r, f, c, v, sent.Text("suite"))
	p.Status = status
	return s.refuse(w, r, "sheet", f, p)
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
