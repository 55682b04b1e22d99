package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/enrol"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffMovePage takes a child to another camp: first which, then how and why.
type staffMovePage struct {
	staffPage
	R     *staffRegistrationPage
	Camps []counterCamp
	Line  *linePage // the chosen camp; nil while none is
	Form  *form.Form
	Leave enrol.Leaving
	Key   string
}

// moveRoutes are the pages that take a child from one camp to another.
func (s *server) moveRoutes() []route {
	const move = "/gestion/inscriptions/" + idPart + "/deplacer"
	return []route{
		{get, move, mayDecide, s.staffMove},
		{post, move, mayDecide, s.staffMoveDo},
	}
}

// staffMove lists the camps; with ?stage= it asks how the chosen one is wanted.
func (s *server) staffMove(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffMovePage(r, form.Query(r))
	if err != nil {
		return err
	}
	if p.Line != nil {
		p.Form, p.Key = p.Line.Form, uuid.NewString()
	}
	return s.render(w, r, http.StatusOK, "staff/move", p)
}

func (s *server) staffMovePage(r *http.Request, f *form.Form) (*staffMovePage, error) {
	reg, err := s.staffRegistrationOf(r, pathID(r))
	if err != nil {
		return nil, err
	}
	if !reg.Row.CanCancel() {
		return nil, problem.Conflict("registration.over", reg.Info.Label())
	}
	p := &staffMovePage{staffPage: reg.staffPage, R: reg, Form: f}
	p.Title = p.L.T("staff.move.title", reg.Row.Name())
	p.Back = &page.Link{URL: reg.Row.URL(), Text: reg.Row.Name()}
	if p.Leave, err = s.Enrol.LeavingFor(r.Context(), reg.Row.ID); err != nil {
		return nil, err
	}
	p.Leave.Fee, p.Leave.Back = 0, p.Leave.Paid // a move costs nothing
	if to, ok := f.UUID("stage"); ok {
		p.Line, err = s.linePage(r, to)
		return p, err
	}
	p.Camps, err = s.counterCampRows(r.Context(), p.L, func(ids []uuid.UUID) (map[uuid.UUID][]enrol.Reason, error) {
		return s.Enrol.FitsInstead(r.Context(), reg.Row.ID, ids)
	})
	return p, err
}

// staffMoveDo moves the child, all or nothing.
func (s *server) staffMoveDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	to, ok := f.UUID("stage")
	key, keyed := f.UUID("key")
	if !ok || !keyed {
		return problem.Invalid("form.unreadable")
	}
	ask := wishes(f, to)
	ask.Key = key
	_, account := s.actorOf(r)
	made, err := s.Enrol.MoveFor(r.Context(), account, pathID(r), ask, f.Text("reason"))
	if full := problem.As(err); full != nil && full.Code == "registration.move_full" {
		f.Add("", full.Code)
		err = nil
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffMovePage(r, f)
		if err != nil {
			return err
		}
		p.Key = key.String()
		return s.refuse(w, r, "staff/move", f, p)
	}
	s.flash(w, "flash.moved_by_staff")
	return seeOther(w, r, "/gestion/inscriptions/"+made.ID.String())
}
