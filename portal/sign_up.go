package portal

import (
	"net/http"
	"net/url"
	"regexp"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// signPage is any of the pages with which a person opens or finds back an account.
type signPage struct {
	page.Base
	Form *form.Form
	Next string // where to go afterwards
	Why  string // message key: why one has to sign in; "" when one chose to
	Code string // of the mailed link
}

func (s *server) signPage(r *http.Request, title string, f *form.Form) *signPage {
	p := &signPage{Base: s.base(r, title), Form: f}
	p.Section, p.NoIndex = "sign_in", true
	return p
}

// toRegister is the address of the form that asks a camp for a place.
var toRegister = regexp.MustCompile(`^/stages/[^/]+/(inscription|demande)([?#]|$)`)

// why says what signing in is for.
func (p *signPage) why() {
	switch {
	case toRegister.MatchString(p.Next):
		p.Why = "portal.sign_in.why_register"
	case p.Next != "":
		p.Why = "portal.sign_in.why"
	}
}

const (
	// wantedCookie keeps where a new parent was going while the account is made, in this browser alone.
	wantedCookie = "suite"
	wantedKept   = 3600 // seconds
)

// want keeps an address of ours for after the confirmation.
func (s *server) want(w http.ResponseWriter, next string) {
	if next = safeNext(next, ""); next != "" && len(next) < 1000 {
		http.SetCookie(w, s.cookie(wantedCookie, url.QueryEscape(next), wantedKept))
	}
}

// wanted returns what want kept, "" for nothing.
func wanted(r *http.Request) string {
	c, err := r.Cookie(wantedCookie)
	if err != nil {
		return ""
	}
	next, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return safeNext(next, "")
}

// forgetWanted ends what want kept.
func (s *server) forgetWanted(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(wantedCookie); err == nil {
		http.SetCookie(w, s.cookie(wantedCookie, "", -1))
	}
}

// signUpNew shows the form that opens an account.
func (s *server) signUpNew(w http.ResponseWriter, r *http.Request) error {
	p := s.signPage(r, s.locale(r).T("portal.sign_up.title"), form.New())
	p.Next = safeNext(r.URL.Query().Get("suite"), "")
	return s.render(w, r, http.StatusOK, "sign_up", p)
}

// signUpCreate opens an account; the answer is the same for an address that has one.
func (s *server) signUpCreate(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	err = f.Take(s.Account.SignUp(r.Context(), account.SignUp{
		Email: f.Text("email"), Name: f.Text("name"), Password: f.Raw("password"), Locale: s.locale(r).Lang(),
	}))
	if err != nil {
		return err
	}
	if !f.OK() {
		p := s.signPage(r, s.locale(r).T("portal.sign_up.title"), f)
		p.Next = safeNext(f.Text("suite"), "")
		return s.refuse(w, r, "sign_up", f, p)
	}
	s.want(w, f.Text("suite"))
	return seeOther(w, r, "/inscription-compte/envoye")
}

// signUpSent says that a mail is under way.
func (s *server) signUpSent(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "sign_up_sent", s.signPage(r, s.locale(r).T("portal.sign_up.sent_title"), form.New()))
}

// confirmShow asks for one more tap: mail programs open links by themselves, and nothing changes on GET.
func (s *server) confirmShow(w http.ResponseWriter, r *http.Request) error {
	p := s.signPage(r, s.locale(r).T("portal.confirm.title"), form.New())
	p.Code = r.URL.Query().Get("code")
	return s.render(w, r, http.StatusOK, "sign_confirm", p)
}

// confirmDo proves the address of an account.
func (s *server) confirmDo(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	_, err = s.Account.Confirm(r.Context(), f.Text("code"))
	if problem.Is(err, problem.KindGone) {
		return &offered{err, "/connexion", "portal.sign_in.title", "portal.confirm.dead"}
	}
	if err != nil {
		return err
	}
	s.flash(w, "flash.confirmed")
	to := "/connexion"
	if next := wanted(r); next != "" {
		to += "?suite=" + url.QueryEscape(next)
	}
	return seeOther(w, r, to)
}
