package portal

import (
	"net/http"

	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// resetAsk shows the form that asks for a link to choose a new password.
func (s *server) resetAsk(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "reset_ask", s.signPage(r, s.locale(r).T("portal.reset.title"), form.New()))
}

// resetSend mails the link; the answer is the same for who has no account, or one without an e-mail address.
func (s *server) resetSend(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if f.Text("email") == "" {
		f.Add("email", "account.identifier_required")
	} else if err := f.Take(s.Account.RequestReset(r.Context(), identifier(f.Text("email")))); err != nil {
		return err
	}
	if !f.OK() {
		return s.refuse(w, r, "reset_ask", f, s.signPage(r, s.locale(r).T("portal.reset.title"), f))
	}
	return seeOther(w, r, "/mot-de-passe/envoye")
}

// resetSent says that a mail is under way.
func (s *server) resetSent(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "reset_sent", s.signPage(r, s.locale(r).T("portal.reset.sent_title"), form.New()))
}

// resetNew shows the form for the new password.
func (s *server) resetNew(w http.ResponseWriter, r *http.Request) error {
	p := s.signPage(r, s.locale(r).T("portal.reset.new_title"), form.New())
	p.Code = r.URL.Query().Get("code")
	return s.render(w, r, http.StatusOK, "reset_new", p)
}

// resetDo sets the new password.
func (s *server) resetDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	err = s.Account.Reset(r.Context(), f.Text("code"), f.Raw("password"))
	if problem.Is(err, problem.KindGone) {
		return &offered{err, "/mot-de-passe", "portal.reset.again", "portal.reset.dead"}
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p := s.signPage(r, s.locale(r).T("portal.reset.new_title"), f)
		p.Code = f.Text("code")
		return s.refuse(w, r, "reset_new", f, p)
	}
	s.flash(w, "flash.password")
	return seeOther(w, r, "/connexion")
}
