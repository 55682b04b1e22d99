package portal

import (
	"net/http"

	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffWriteOffPage gives up a small rest.
type staffWriteOffPage struct {
	*staffMoneyPage
	M *staffMoney
}

func (s *server) writeOffPage(r *http.Request) (*staffWriteOffPage, error) {
	base, err := s.moneyPage(r, "smoney.write_off_of")
	if err != nil {
		return nil, err
	}
	p := &staffWriteOffPage{staffMoneyPage: base, M: base.one(dueID(r))}
	if p.M == nil {
		return nil, problem.NotFound("ledger.due_not_found")
	}
	return p, nil
}

func (s *server) staffWriteOff(w http.ResponseWriter, r *http.Request) error {
	p, err := s.writeOffPage(r)
	if err != nil {
		return err
	}
	if owed := p.M.Balance.Owed(); owed > 0 {
		p.Form.Set("amount", typedEuros(owed))
	}
	return s.render(w, r, http.StatusOK, "staff/money/write_off", p)
}

// staffWriteOffDo books the rest as given up, once.
func (s *server) staffWriteOffDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.writeOffPage(r)
	if err != nil {
		return err
	}
	cents := f.Cents("amount")
	key, ok := f.UUID("key")
	if !ok {
		f.Add("", "form.unreadable")
	}
	_, account := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Enrol.WriteOff(r.Context(), account, p.M.DueID, cents, f.Text("reason"), key)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.keep(f)
		return s.refuse(w, r, "staff/money/write_off", f, p)
	}
	return s.toMoney(w, r, "flash.written_off")
}

// staffRegive gives a registration that was paid too late its place again, or says on its page why not.
func (s *server) staffRegive(w http.ResponseWriter, r *http.Request) error {
	_, account := s.actorOf(r)
	err := s.Enrol.Regive(r.Context(), account, pathID(r))
	v := problem.As(err)
	switch {
	case err == nil:
		s.flash(w, "flash.place_given_again")
		return seeOther(w, r, registrationPath+pathID(r).String())
	case v == nil || v.Kind != problem.KindConflict:
		return err
	case v.Code == "registration.not_expired": // pressed twice, or a colleague was faster
		return seeOther(w, r, registrationPath+pathID(r).String())
	}
	p, pageErr := s.staffRegistrationOf(r, pathID(r))
	if pageErr != nil {
		return pageErr
	}
	f := form.New()
	f.Add("", v.Code, v.Args...)
	return s.refuse(w, r, "staff/registration", f, p)
}
