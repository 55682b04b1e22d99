package portal

import (
	"errors"
	"net/http"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// signInNew shows the sign-in form; who is signed in already goes on.
func (s *server) signInNew(w http.ResponseWriter, r *http.Request) error {
	next := r.URL.Query().Get("suite")
	if a := s.signedIn(r); a != nil {
		return seeOther(w, r, safeNext(next, home(*a)))
	}
	if next == "" {
		next = wanted(r)
	}
	p := s.signPage(r, s.locale(r).T("portal.sign_in.title"), form.New())
	p.Next = safeNext(next, "")
	p.why()
	return s.render(w, r, http.StatusOK, "sign_in", p)
}

// signInCreate opens a session.
func (s *server) signInCreate(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	token, a, err := s.Account.SignIn(r.Context(), identifier(f.Text("email")), f.Raw("password"), clientAddr(r), r.UserAgent())
	// A lock and an address that is not proved yet are told above the form: what was typed stays.
	if p := problem.As(err); p != nil && (p.Kind == problem.KindConflict || p.Kind == problem.KindForbidden) {
		err = problem.Invalid(p.Code, p.Args...)
	}
	if err := f.Take(err); err != nil {
		return err
	}
	over := s.underway(r, f)
	switch {
	case !f.OK() && over != nil:
		return s.refuse(w, r, "session_over", f, over)
	case !f.OK():
		p := s.signPage(r, s.locale(r).T("portal.sign_in.title"), f)
		p.Next = safeNext(f.Text("suite"), "")
		p.why()
		return s.refuse(w, r, "sign_in", f, p)
	}
	http.SetCookie(w, s.cookie(s.cookieName(), token, 0)) // the browser forgets it on closing; the row has its own limits
	s.forgetWanted(w, r)
	if over != nil {
		return s.resume(w, r, a, over)
	}
	return seeOther(w, r, safeNext(f.Text("suite"), home(a)))
}

// home is the page on which an account begins.
func home(a account.Account) string {
	switch {
	case a.Staff():
		return "/gestion/"
	case len(a.Roles) > 0:
		return "/animateur/"
	}
	return "/mon-espace/"
}

// signOut ends the session, here and in the database.
func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	c, err := r.Cookie(s.cookieName())
	if errors.Is(err, http.ErrNoCookie) {
		return seeOther(w, r, "/")
	}
	if err == nil {
		if err := s.Account.SignOut(r.Context(), c.Value); err != nil && !problem.Is(err, problem.KindNotFound) {
			return err
		}
	}
	http.SetCookie(w, s.cookie(s.cookieName(), "", -1))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	s.flash(w, "flash.signed_out")
	return seeOther(w, r, "/")
}
