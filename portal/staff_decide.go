package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/enrol"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffReasonPage asks for the reason of a decision; the family reads it.
type staffReasonPage struct {
	staffPage
	Row    queueRow
	Action string // valider, refuser, reprendre, bus or garder
	Form   *form.Form
	From   string         // where to go on
	Bars   []enrol.Reason // that the decision would pass over
}

// staffManyPage shows what a decision on many registrations would do, before it is made.
type staffManyPage struct {
	staffPage
	Rows   []queueRow
	Failed map[uuid.UUID]string // why one could not be validated
}

// staffValidate accepts one request. An exception that the family asked for is granted with a reason: without one, the
// page asks for it.
func (s *server) staffValidate(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	_, account := s.actorOf(r)
	if err := f.Take(s.Enrol.Decide(r.Context(), account, id, true, f.Text("reason"))); err != nil {
		return err
	}
	if !f.OK() {
		return s.askReason(w, r, "valider", f)
	}
	s.flash(w, "flash.registration_validated")
	switch f.Text("from") {
	case "queue":
		return seeOther(w, r, "/gestion/inscriptions")
	case fromCounter:
		return seeOther(w, r, "/gestion/guichet/inscriptions/"+id.String())
	}
	return seeOther(w, r, "/gestion/inscriptions/"+id.String())
}

func (s *server) staffValidateForm(w http.ResponseWriter, r *http.Request) error {
	return s.askReason(w, r, "valider", form.New().Set("from", form.Query(r).Text("from")))
}

func (s *server) staffRestoreForm(w http.ResponseWriter, r *http.Request) error {
	return s.askReason(w, r, "reprendre", form.New())
}

// staffRestore takes back an exit, or a decision that nobody paid for.
func (s *server) staffRestore(w http.ResponseWriter, r *http.Request) error {
	return s.withReason(w, r, "reprendre", "flash.registration_restored", func(account, id uuid.UUID, reason string) error {
		return s.Enrol.Restore(r.Context(), account, id, reason)
	})
}

func (s *server) staffRefuseForm(w http.ResponseWriter, r *http.Request) error {
	return s.askReason(w, r, "refuser", form.New())
}

// staffRefuse refuses one request with a reason.
func (s *server) staffRefuse(w http.ResponseWriter, r *http.Request) error {
	return s.withReason(w, r, "refuser", "flash.registration_refused", func(account, id uuid.UUID, reason string) error {
		return s.Enrol.Decide(r.Context(), account, id, false, reason)
	})
}

func (s *server) withReason(w http.ResponseWriter, r *http.Request, action, flash string, act func(account, id uuid.UUID, reason string) error) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	_, account := s.actorOf(r)
	if err := f.Take(act(account, id, f.Text("reason"))); err != nil {
		return err
	}
	if !f.OK() {
		return s.askReason(w, r, action, f)
	}
	s.flash(w, flash)
	return seeOther(w, r, "/gestion/inscriptions/"+id.String())
}

func (s *server) askReason(w http.ResponseWriter, r *http.Request, action string, f *form.Form) error {
	id := pathID(r)
	base, _, err := s.staff(r, "", "/gestion/inscriptions")
	if err != nil {
		return err
	}
	p := &staffReasonPage{staffPage: base, Action: action, Form: f}
	rows, err := s.staffRows(r.Context(), p.L, `r.id = @id`, `r.id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return problem.NotFound("registration.not_found")
	}
	p.Row = rows[0]
	if action == "valider" {
		reasons, err := s.Enrol.Reasons(r.Context(), id)
		if err != nil {
			return err
		}
		_, p.Bars, _ = sortReasons(reasons)
	}
	if f.Text("from") == fromCounter {
		p.From = fromCounter
	}
	p.Title = p.L.T("staff.reason."+action, p.Row.Name())
	p.Back = &page.Link{URL: p.Row.URL(), Text: p.Row.Name()}
	if !f.OK() {
		return s.refuse(w, r, "staff/reason", f, p)
	}
	return s.render(w, r, http.StatusOK, "staff/reason", p)
}

// mostAtOnce bounds a decision on many registrations.
const mostAtOnce = 200

// chosen returns the registrations that were ticked, without doubles.
func chosen(f *form.Form) []uuid.UUID {
	var ids []uuid.UUID
	for _, v := range f.All("id") {
		if id, err := uuid.Parse(v); err == nil && !slices.Contains(ids, id) && len(ids) < mostAtOnce {
			ids = append(ids, id)
		}
	}
	return ids
}

// staffValidatePreview shows the ticked registrations and asks once more.
func (s *server) staffValidatePreview(w http.ResponseWriter, r *http.Request) error {
	ids := chosen(form.Query(r))
	if len(ids) == 0 {
		s.flash(w, "flash.nothing_ticked")
		return seeOther(w, r, "/gestion/inscriptions")
	}
	return s.manyPage(w, r, http.StatusOK, ids, nil)
}

// staffValidateMany accepts the ticked requests one by one; those that cannot be are shown with the reason.
func (s *server) staffValidateMany(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	ids := chosen(f)
	if len(ids) == 0 {
		s.flash(w, "flash.nothing_ticked")
		return seeOther(w, r, "/gestion/inscriptions")
	}
	l := s.locale(r)
	_, account := s.actorOf(r)
	failed := map[uuid.UUID]string{}
	for _, id := range ids {
		err := s.Enrol.Decide(r.Context(), account, id, true, "")
		p := problem.As(err)
		switch {
		case err == nil:
		case p != nil && len(p.Fields) > 0:
			failed[id] = l.T(p.Fields[0].Code, p.Fields[0].Args...)
		case p != nil && l.Has(p.Code):
			failed[id] = l.T(p.Code, p.Args...)
		default:
			return err
		}
	}
	if len(failed) == 0 {
		s.flash(w, "flash.registrations_validated")
		return seeOther(w, r, "/gestion/inscriptions")
	}
	return s.manyPage(w, r, http.StatusConflict, ids, failed)
}

func (s *server) manyPage(w http.ResponseWriter, r *http.Request, status int, ids []uuid.UUID, failed map[uuid.UUID]string) error {
	base, _, err := s.staff(r, "", "/gestion/inscriptions")
	if err != nil {
		return err
	}
	p := &staffManyPage{staffPage: base, Failed: failed}
	p.Back = &page.Link{URL: "/gestion/inscriptions", Text: p.L.T("staff.queue.to_validate")}
	if p.Rows, err = s.staffRows(r.Context(), p.L, `r.id = ANY(@ids)`, `r.state_since, r.id`, pgx.NamedArgs{"ids": ids}); err != nil {
		return err
	}
	p.Title = p.L.N("staff.many.title", len(p.Rows))
	return s.render(w, r, status, "staff/many", p)
}
