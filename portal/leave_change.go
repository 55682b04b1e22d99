package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// movePage leads a child from one camp to another: first which, then how.
type movePage struct {
	page.Base
	R       registrationCard
	Choices []moveChoice // the camps that fit and have a place
	Line    *linePage    // the chosen one, with its formulas, stops and options
	Form    *form.Form
	Key     string
}

// moveChoice is a camp that the child may move to.
type moveChoice struct {
	ID       uuid.UUID
	Name     string
	FirstDay civil.Date
	LastDay  civil.Date
	Days     int
	Free     *int
	When     string
	Left     places
}

// moveAsk lists the camps, or asks how the chosen one is wanted.
func (s *server) moveAsk(w http.ResponseWriter, r *http.Request) error {
	one, err := s.mayChange(r, household.RightCancel)
	if err != nil {
		return err
	}
	p, err := s.movePage(r, one, form.Query(r))
	if err != nil {
		return err
	}
	p.Key = uuid.NewString()
	return s.render(w, r, http.StatusOK, "leave/move", p)
}

// mayChange returns the registration in the address; Conflict when it is over, or the right's error.
func (s *server) mayChange(r *http.Request, right household.Right) (myRegistration, error) {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return one, err
	}
	if err := s.Household.Right(r.Context(), s.DB, g.guardian.ID, one.ChildID, right, s.today()); err != nil {
		return one, err
	}
	if one.State.Info().Exit || one.State == enrol.Completed || one.FirstDay.Before(s.today()) {
		return one, problem.Conflict("registration.over", one.State.Info().Label())
	}
	return one, nil
}

func (s *server) movePage(r *http.Request, one myRegistration, f *form.Form) (*movePage, error) {
	l := s.locale(r)
	p := &movePage{Base: s.base(r, l.T("leave.move_title")), R: s.registrationCard(l, one), Form: f}
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	if to, ok := f.UUID("stage"); ok {
		line, err := s.linePage(r, to)
		if err != nil {
			return nil, err
		}
		p.Line = line
		if p.Form.Raw("aller") == "" { // not asked yet: as proposed
			line.propose(busHabit{Out: one.StopOut, Back: one.StopBack})
			p.Form = line.Form
		}
		return p, nil
	}
	var err error
	p.Choices, err = s.moveChoices(r.Context(), one)
	for i, c := range p.Choices {
		p.Choices[i].When = when(l, offer{FirstDay: c.FirstDay, LastDay: c.LastDay, Days: c.Days})
		p.Choices[i].Left = left(l, c.Free)
	}
	return p, err
}

// moveChoices returns the coming camps with a place that nothing but the present registration keeps the child from.
func (s *server) moveChoices(ctx context.Context, one myRegistration) ([]moveChoice, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.name, w.first_day, w.last_day, w.days,
		  CASE WHEN p.max IS NOT NULL THEN p.max - p.held - p.confirmed - p.external END AS free
		FROM camp c
		JOIN pool p ON p.id = c.pool_id
		CROSS JOIN LATERAL (
		  SELECT min(day) AS first_day, max(day) AS last_day, count(DISTINCT day)::int AS days
		  FROM camp_session
		  WHERE camp_id = c.id
		    AND state <> 'cancelled') w
		WHERE c.published
		  AND NOT c.archived
		  AND NOT c.cancelled
		  AND c.begins_at > @now
		  AND c.id <> @camp
		  AND NOT p.closed
		  AND (p.max IS NULL OR p.held + p.confirmed + p.external < p.max)
		  AND w.days > 0
		ORDER BY abs(w.first_day - @first::date), w.first_day, c.name, c.id
		LIMIT 100`,
		pgx.NamedArgs{"now": s.Now(), "camp": one.CampID, "first": one.FirstDay})
	if err != nil {
		return nil, fmt.Errorf("reading where registration %s may move: %w", one.ID, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[moveChoice])
	if err != nil {
		return nil, fmt.Errorf("reading where registration %s may move: %w", one.ID, err)
	}
	ids := make([]uuid.UUID, len(all))
	for i, c := range all {
		ids[i] = c.ID
	}
	fits, err := s.Enrol.Fits(ctx, one.ChildID, ids)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c moveChoice) bool {
		return slices.ContainsFunc(fits[c.ID], func(r enrol.Reason) bool { return r.Bar && !fromCamp(r, one.CampName) })
	})
	return all[:min(len(all), 24)], nil
}

// fromCamp reports whether a bar falls when the child leaves the camp of that name. A season's bound may or may not:
// the move itself checks it.
func fromCamp(r enrol.Reason, campName string) bool {
	switch r.Rule {
	case "overlap":
		return r.Args[0] == campName
	case "gap":
		return r.Args[1] == campName
	case "season":
		return true
	}
	return false
}

// moveDo takes the child from the one camp to the other, or changes nothing and says why.
func (s *server) moveDo(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	to, ok := f.UUID("stage")
	key, keyed := f.UUID("key")
	if !ok || !keyed {
		return problem.Invalid("form.unreadable")
	}
	q := wishes(f, to)
	q.Key = key
	made, err := s.Enrol.MoveTo(r.Context(), g.guardian.ID, g.account.ID, one.ID, q)
	if err := takeConflict(f, err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.movePage(r, one, f)
		if err != nil {
			return err
		}
		p.Key = key.String()
		return s.refuse(w, r, "leave/move", f, p)
	}
	s.flash(w, "flash.moved")
	return seeOther(w, r, "/mon-espace/inscriptions/"+made.ID.String())
}

// stopsPage changes the stops of a registration.
type stopsPage struct {
	page.Base
	R    registrationCard
	Line *linePage
	Form *form.Form
}

// busAsk shows the stops to choose from.
func (s *server) busAsk(w http.ResponseWriter, r *http.Request) error {
	one, err := s.mayChange(r, household.RightRegister)
	if err != nil {
		return err
	}
	p, err := s.stopsPageOf(r, one)
	if err != nil {
		return err
	}
	p.Line.propose(busHabit{Out: one.StopOut, Back: one.StopBack})
	return s.render(w, r, http.StatusOK, "leave/bus", p)
}

func (s *server) stopsPageOf(r *http.Request, one myRegistration) (*stopsPage, error) {
	l := s.locale(r)
	line, err := s.linePage(r, one.CampID)
	if err != nil {
		return nil, err
	}
	p := &stopsPage{Base: s.base(r, l.T("leave.bus_title")), R: s.registrationCard(l, one), Line: line, Form: line.Form}
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	return p, nil
}

// busDo changes the stops, or says why they stay.
func (s *server) busDo(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	done, err := s.Enrol.ChangeBus(r.Context(), g.guardian.ID, g.account.ID, one.ID, f.OptionalUUID("aller"), f.OptionalUUID("retour"))
	if err := takeConflict(f, err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.stopsPageOf(r, one)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "leave/bus", f, p)
	}
	if done {
		s.flash(w, "flash.bus_changed")
	} else {
		s.flash(w, "flash.bus_asked")
	}
	return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String())
}
