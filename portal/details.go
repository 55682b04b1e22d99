package portal

import (
	"net/http"

	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// detailsPage is the form in which a guardian says who it is and how to reach it.
type detailsPage struct {
	page.Base
	Form     *form.Form
	Channels []choice
	Next     string
	First    bool // nothing was said yet
}

func (s *server) detailsPage(r *http.Request, f *form.Form, next string) *detailsPage {
	l := s.locale(r)
	p := &detailsPage{Base: s.base(r, l.T("portal.details.title")), Form: f, Next: safeNext(next, "")}
	p.Section, p.NoIndex = "family", true
	p.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	for _, c := range household.Channels {
		p.Channels = append(p.Channels, choice{Value: c, Text: l.T("household.channel." + c)})
	}
	return p
}

// detailsEdit shows the details as they are known.
func (s *server) detailsEdit(w http.ResponseWriter, r *http.Request) error {
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	g, err := s.Household.ByAccount(r.Context(), a.ID)
	first := problem.Is(err, problem.KindNotFound)
	if err != nil && !first {
		return err
	}
	if first {
		g = household.Guardian{Email: a.Email, Channel: "email"}
	}
	f := form.New().Set("first_name", g.FirstName).Set("last_name", g.LastName).Set("email", g.Email).Set("street", g.Street).
		Set("postcode", g.Postcode).Set("city", g.City).Set("channel", g.Channel)
	if g.Phone != "" {
		f.Set("phone", locale.Phone(g.Phone))
	}
	p := s.detailsPage(r, f, r.URL.Query().Get("suite"))
	p.First = first
	return s.render(w, r, http.StatusOK, "details", p)
}

// detailsSave keeps the details.
func (s *server) detailsSave(w http.ResponseWriter, r *http.Request) error {
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	_, err = s.Household.SaveGuardian(r.Context(), a.ID, household.GuardianForm{
		FirstName: f.Text("first_name"), LastName: f.Text("last_name"), Email: f.Text("email"), Phone: e164(f.Text("phone")),
		Street: f.Text("street"), Postcode: f.Text("postcode"), City: f.Text("city"), Channel: f.Text("channel"),
	})
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		return s.refuse(w, r, "details", f, s.detailsPage(r, f, f.Text("suite")))
	}
	s.flash(w, "flash.details")
	return seeOther(w, r, safeNext(f.Text("suite"), "/mon-espace/"))
}

// e164 returns a telephone number as the rooms keep it; what is no number stays as typed, and the room refuses it.
func e164(typed string) string {
	if n, err := locale.ParsePhone(typed); err == nil {
		return n
	}
	return typed
}
