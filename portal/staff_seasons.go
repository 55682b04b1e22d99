package portal

import (
	"fmt"
	"net/http"
	"strconv"

	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// feeRows is how many steps the ladder of fees may have on the page.
const feeRows = 6

// staffSeasonsPage is the seasons and what leaving late costs.
type staffSeasonsPage struct {
	staffPage
	Seasons []camp.Season
	Form    *form.Form // of one season, new or chosen
	Editing string     // its id; "" for a new one
	Fees    *form.Form
	Rows    []string // names of the fees' inputs
}

// seasonsRoutes are the pages of the seasons and fees.
func (s *server) seasonsRoutes() []route {
	const seasons = "/gestion/reglages/periodes"
	return []route{
		{get, seasons, maySet, s.staffSeasons},
		{post, seasons, maySet, s.staffSeasonSave},
		{post, "/gestion/reglages/frais", maySet, s.staffFeesSave},
	}
}

// staffSeasons shows the seasons and the fees; ?periode= opens one to change.
func (s *server) staffSeasons(w http.ResponseWriter, r *http.Request) error {
	p, err := s.seasonsPage(r)
	if err != nil {
		return err
	}
	chosen, ok := form.Query(r).UUID("periode")
	for _, v := range p.Seasons {
		if !ok || v.ID != chosen {
			continue
		}
		p.Editing = v.ID.String()
		p.Form.Set("id", p.Editing).Set("name", v.Name).SetDate("first_day", v.FirstDay).SetDate("last_day", v.LastDay).Set("most", optionalInt(v.MostPerChild))
	}
	return s.render(w, r, http.StatusOK, "staff/seasons", p)
}

func (s *server) seasonsPage(r *http.Request) (*staffSeasonsPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.seasons.title"), "/gestion/reglages")
	if err != nil {
		return nil, err
	}
	p := &staffSeasonsPage{staffPage: base, Form: form.New(), Fees: form.New()}
	p.Back = &page.Link{URL: "/gestion/reglages", Text: p.L.T("staff.settings.title")}
	if p.Seasons, err = camp.Seasons(r.Context(), s.DB); err != nil {
		return nil, err
	}
	steps, err := s.Enrol.FeeSteps(r.Context())
	if err != nil {
		return nil, err
	}
	for i := range max(feeRows, len(steps)) {
		row := strconv.Itoa(i)
		p.Rows = append(p.Rows, row)
		if i < len(steps) {
			p.Fees.Set("days_"+row, strconv.Itoa(steps[i].DaysBefore)).Set("percent_"+row, strconv.Itoa(steps[i].Percent))
		}
	}
	return p, nil
}

// staffSeasonSave stores one season.
func (s *server) staffSeasonSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	v := camp.Season{Name: f.Text("name"), FirstDay: f.Date("first_day"), LastDay: f.Date("last_day"), MostPerChild: optionalNumber(f, "most")}
	v.ID, _ = f.UUID("id") // none is a new season
	p, err := s.seasonsPage(r)
	if err != nil {
		return err
	}
	for _, has := range p.Seasons {
		switch {
		case has.ID == v.ID:
			p.Editing = v.ID.String()
		case !v.FirstDay.IsZero() && !v.LastDay.IsZero() && !has.LastDay.Before(v.FirstDay) && !v.LastDay.Before(has.FirstDay):
			f.Add("first_day", "staff.seasons.overlap", has.Name) // a day has one season; a double click ends here too
		}
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Camp.SaveSeason(r.Context(), actor, v)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/seasons", f, p)
	}
	s.flash(w, "flash.season_saved")
	return seeOther(w, r, "/gestion/reglages/periodes")
}

// staffFeesSave stores the ladder of fees; an empty row is no step.
func (s *server) staffFeesSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.seasonsPage(r)
	if err != nil {
		return err
	}
	var steps []enrol.FeeStep
	for _, row := range p.Rows {
		days, percent := "days_"+row, "percent_"+row
		if f.Text(days) == "" && f.Text(percent) == "" {
			continue
		}
		steps = append(steps, enrol.FeeStep{DaysBefore: number(f, days), Percent: number(f, percent)})
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Enrol.SaveFeeSteps(r.Context(), actor, steps)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Fees = f
		return s.refuse(w, r, "staff/seasons", f, p)
	}
	s.flash(w, "flash.fees_saved")
	return seeOther(w, r, "/gestion/reglages/periodes#frais")
}

// Problem is what is wrong with the ladder as a whole, "" for nothing.
func (p *staffSeasonsPage) Problem() string {
	if f := p.Fees.Problem("fees"); f != nil {
		return told(p.L, f.Code, f.Args)
	}
	return ""
}

// Step names a row of the ladder.
func (p *staffSeasonsPage) Step(row string) string {
	n, err := strconv.Atoi(row)
	if err != nil {
		return row
	}
	return fmt.Sprint(n + 1)
}
