package portal

import (
	"net/http"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// activationPage lets a family that the commune knows take its place: by the link of a mail, or by the code of a letter.
type activationPage struct {
	signPage
	Name    string // of the guardian of a link
	Address string
	Typed   string // the code, to type after signing in to an account that is there already
}

// activationNew shows the form for the link in the address, or for a letter.
func (s *server) activationNew(w http.ResponseWriter, r *http.Request) error {
	link := r.URL.Query().Get("lien")
	if link == "" {
		return s.render(w, r, http.StatusOK, "activation", s.activationPage(r, form.New()))
	}
	p, err := s.activationOf(r, link, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "activation_link", p)
}

func (s *server) activationPage(r *http.Request, f *form.Form) *activationPage {
	return &activationPage{signPage: *s.signPage(r, s.locale(r).T("activation.title"), f)}
}

// activationOf is the page of a link; a dead one is answered with the way by letter.
func (s *server) activationOf(r *http.Request, link string, f *form.Form) (*activationPage, error) {
	c, g, err := s.Household.ClaimOfLink(r.Context(), s.DB, link)
	if problem.Is(err, problem.KindGone) {
		return nil, deadLink(err)
	}
	if err != nil {
		return nil, err
	}
	p := s.activationPage(r, f)
	p.Code, p.Name, p.Address, p.Typed = link, g.Name(), g.Email, c.Typed
	return p, nil
}

func deadLink(err error) error {
	return &offered{err, "/connexion", "portal.sign_in.title", "activation.dead"}
}

// activationDo opens the account and signs it in.
func (s *server) activationDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if link := f.Text("lien"); link != "" {
		return s.activateByLink(w, r, f, link)
	}
	in := account.Activation{Code: f.Text("code"), Phone: phoneTyped(f.Text("phone")), Password: f.Raw("password"), Locale: s.locale(r).Lang()}
	a, err := s.Account.Activate(r.Context(), s.Household, in, clientAddr(r))
	if err := takeLocked(f, err); err != nil {
		return err
	}
	if !f.OK() {
		return s.refuse(w, r, "activation", f, s.activationPage(r, f))
	}
	return s.activated(w, r, a, in.Password)
}

// takeLocked tells too many codes on the input of the code.
func takeLocked(f *form.Form, err error) error {
	if p := problem.As(err); p != nil && p.Code == "household.code_locked" {
		f.Add("code", p.Code, p.Args...)
		return nil
	}
	return f.Take(err)
}

func (s *server) activateByLink(w http.ResponseWriter, r *http.Request, f *form.Form, link string) error {
	a, err := s.Account.ActivateByLink(r.Context(), s.Household, link, f.Raw("password"), s.locale(r).Lang())
	p := problem.As(err)
	switch {
	case p != nil && p.Kind == problem.KindGone:
		return deadLink(err)
	case p != nil && p.Kind == problem.KindConflict:
		// The mail went to this very address: its owner may know.
		known, err := s.activationOf(r, link, f)
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusConflict, "activation_known", known)
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		again, err := s.activationOf(r, link, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "activation_link", f, again)
	}
	return s.activated(w, r, a, f.Raw("password"))
}

// activated signs in who has just chosen a password.
func (s *server) activated(w http.ResponseWriter, r *http.Request, a account.Account, password string) error {
	token, _, err := s.Account.SignIn(r.Context(), a.Identifier(), password, clientAddr(r), r.UserAgent())
	if err != nil {
		// The account is there: a busy server or a lock only costs another sign-in.
		s.flash(w, "flash.family_claimed")
		return seeOther(w, r, "/connexion")
	}
	http.SetCookie(w, s.cookie(s.cookieName(), token, 0))
	s.flash(w, "flash.family_claimed")
	return seeOther(w, r, "/mon-espace/famille")
}

// resetCodeNew shows the form for who signs in by number and has a code of the counter.
func (s *server) resetCodeNew(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "reset_code", s.signPage(r, s.locale(r).T("portal.reset.new_title"), form.New()))
}

// resetCodeDo sets the new password by a code of the counter.
func (s *server) resetCodeDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	err = s.Account.ResetByCode(r.Context(), s.Household, phoneTyped(f.Text("phone")), f.Text("code"), f.Raw("password"), clientAddr(r))
	if err := takeLocked(f, err); err != nil {
		return err
	}
	if !f.OK() {
		return s.refuse(w, r, "reset_code", f, s.signPage(r, s.locale(r).T("portal.reset.new_title"), f))
	}
	s.flash(w, "flash.password")
	return seeOther(w, r, "/connexion")
}
