package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffPayment books money that staff saw on the account or at the counter, once however often the form is sent. Without
// a due in the form it is for the first one.
func (s *server) staffPayment(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	due, err := s.payableDue(r, f, id)
	if err != nil {
		return err
	}
	cents := f.Cents("amount")
	key, ok := f.UUID("key")
	if !ok {
		f.Add("", "form.unreadable")
	}
	if f.OK() {
		_, account := s.actorOf(r)
		if err := f.Take(s.Enrol.RecordPayment(r.Context(), account, due, cents, f.Text("source"), key)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.staffRegistrationOf(r, id)
		if err != nil {
			return err
		}
		p.Form = f
		if ok {
			p.Key = key
		}
		if f.Text("from") == fromCounter {
			p.atCounter()
			return s.refuse(w, r, "staff/counter_done", f, p)
		}
		return s.refuse(w, r, "staff/registration", f, p)
	}
	s.flash(w, "flash.payment_recorded")
	if f.Text("from") == fromCounter {
		return seeOther(w, r, "/gestion/guichet/inscriptions/"+id.String())
	}
	return seeOther(w, r, registrationPath+id.String())
}

// payableDue is the due that a payment is for. What an organisation owes is only for who may know of it.
func (s *server) payableDue(r *http.Request, f *form.Form, id uuid.UUID) (uuid.UUID, error) {
	chosen, ok := f.UUID("due")
	if !ok {
		d, err := ledger.DueOf(r.Context(), s.DB, id)
		return d.ID, err
	}
	d, err := ledger.ReadDue(r.Context(), s.DB, chosen)
	if err != nil {
		return uuid.Nil, err
	}
	if d.RegistrationID != id || d.Kind == ledger.DueCover && !s.can(r, maySocial) {
		return uuid.Nil, problem.NotFound("ledger.due_not_found")
	}
	return d.ID, nil
}
