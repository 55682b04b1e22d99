package portal

import (
	"net/http"
	"strconv"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffLevel is a recorded school level with its year in words.
type staffLevel struct {
	household.RecordedLevel
	Year string // « 2026-2027 »
}

func schoolYearWords(y int) string { return strconv.Itoa(y) + "-" + strconv.Itoa(y+1) }

// fillChild reads everything that the page of a child shows.
func (s *server) fillChild(r *http.Request, p *staffChildPage, f *form.Form) error {
	if err := s.readChild(r.Context(), p.L, p.ID, p); err != nil {
		return err
	}
	p.Title, p.Form = p.FirstName+" "+p.LastName, f
	p.Back = &page.Link{URL: "/gestion/recherche", Text: p.L.T("staff.search.title")}
	levels, err := household.RecordedLevels(r.Context(), s.DB, p.ID)
	if err != nil {
		return err
	}
	for _, v := range levels {
		p.Levels = append(p.Levels, staffLevel{RecordedLevel: v, Year: schoolYearWords(v.SchoolYear)})
	}
	p.All = levelChoices(p.L, false)
	now := civil.SchoolYear(s.today())
	for y := now + 1; y >= now-1; y-- {
		p.Years = append(p.Years, choice{Value: strconv.Itoa(y), Text: schoolYearWords(y)})
	}
	if f.Text("school_year") == "" {
		f.Set("school_year", strconv.Itoa(now))
	}
	return nil
}

// staffLevelVerify records a level that staff saw on a document.
func (s *server) staffLevelVerify(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	year, _ := f.Int("school_year")
	in := household.LevelProof{SchoolYear: year, Level: f.Text("level"), Document: f.Text("document"), SeenOn: f.Date("seen_on")}
	if err := f.Take(s.Household.VerifyLevel(r.Context(), actor, pathID(r), in)); err != nil {
		return err
	}
	if !f.OK() {
		base, _, err := s.staff(r, "", "/gestion/recherche")
		if err != nil {
			return err
		}
		p := &staffChildPage{staffPage: base, ID: pathID(r), Can: true}
		if err := s.fillChild(r, p, f); err != nil {
			return err
		}
		return s.refuse(w, r, "staff/child", f, p)
	}
	s.flash(w, "flash.level_verified")
	return seeOther(w, r, "/gestion/enfants/"+pathID(r).String())
}
