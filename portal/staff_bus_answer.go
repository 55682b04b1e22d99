package portal

import (
	"net/http"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffBusAccept gives a registration the stops that a guardian asked for after payment, or says on its page why not.
func (s *server) staffBusAccept(w http.ResponseWriter, r *http.Request) error {
	_, account := s.actorOf(r)
	err := s.Enrol.AcceptBus(r.Context(), account, pathID(r))
	if done, err := s.busAnswered(w, r, err); done || err != nil {
		return err
	}
	p := problem.As(err)
	if p == nil && err != nil {
		return err
	}
	if p == nil {
		s.flash(w, "flash.bus_accepted")
		return seeOther(w, r, "/gestion/inscriptions/"+pathID(r).String())
	}
	if p.Kind != problem.KindConflict {
		return err
	}
	shown, pageErr := s.staffRegistrationOf(r, pathID(r))
	if pageErr != nil {
		return pageErr
	}
	f := form.New()
	args := p.Args
	for i, v := range args {
		if cents, ok := v.(civil.Cents); ok {
			args[i] = shown.L.Euros(cents)
		}
	}
	f.Add("", p.Code, args...)
	return s.refuse(w, r, "staff/registration", f, shown)
}

// busAnswered ends a second click, or a colleague's, on a wish that has its answer.
func (s *server) busAnswered(w http.ResponseWriter, r *http.Request, err error) (bool, error) {
	if p := problem.As(err); p == nil || p.Code != "registration.bus_not_asked" {
		return false, nil
	}
	s.flash(w, "flash.bus_answered")
	return true, seeOther(w, r, "/gestion/inscriptions/"+pathID(r).String())
}

func (s *server) staffBusRefuseForm(w http.ResponseWriter, r *http.Request) error {
	return s.askReason(w, r, "bus", form.New())
}

// staffBusRefuse leaves the stops as they are, with a reason that the family reads.
func (s *server) staffBusRefuse(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	_, account := s.actorOf(r)
	err = s.Enrol.RefuseBus(r.Context(), account, pathID(r), f.Text("reason"))
	if done, err := s.busAnswered(w, r, err); done || err != nil {
		return err
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		return s.askReason(w, r, "bus", f)
	}
	s.flash(w, "flash.bus_refused")
	return seeOther(w, r, "/gestion/inscriptions/"+pathID(r).String())
}
