package portal

import (
	"net/http"

	"ribambelle/internal/account"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// signPage is any of the pages with which a person opens or finds back an account.
type signPage struct {
	page.Base
	Form *form.Form
	Next string // where to go afterwards
	Code string // of the mailed link
}

func (s *server) signPage(r *http.Request, title string, f *form.Form) *signPage {
	p := &signPage{Base: s.base(r, title), Form: f}
	p.Section, p.NoIndex = "sign_in", true
	return p
}

// signUpNew shows the form that opens an account.
func (s *server) signUpNew(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "sign_up", s.signPage(r, s.locale(r).T("portal.sign_up.title"), form.New()))
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
		return s.refuse(w, r, "sign_up", f, s.signPage(r, s.locale(r).T("portal.sign_up.title"), f))
	}
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
	if _, err := s.Account.Confirm(r.Context(), f.Text("code")); err != nil {
		return err
	}
	s.flash(w, "flash.confirmed")
	return seeOther(w, r, "/connexion")
}
