package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffAccessPage is how one adult enters the portal: the account, or the codes with which to get one.
type staffAccessPage struct {
	staffPage
	Guardian household.Guardian
	Account  *account.Account // nil while nobody signs in
	Codes    []staffCode
	Claim    *household.Code // to take its place with, that counts
	Returned bool            // no server took the mail of Claim
	Reset    *household.Code // for a new password, that counts
	ByCode   bool            // a forgotten password is replaced by a code
	Form     *form.Form
	Can      bool
	URL      string
}

// staffCode is a code that was made for the adult, with what became of it.
type staffCode struct {
	household.Code
	Counts bool
}

func (s *server) staffAccess(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffAccessPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/family/access", p)
}

func (s *server) staffAccessPage(r *http.Request) (*staffAccessPage, error) {
	ctx := r.Context()
	base, err := s.familyStaff(r, "")
	if err != nil {
		return nil, err
	}
	g, err := s.Household.Guardian(ctx, pathID(r))
	if err != nil {
		return nil, err
	}
	p := &staffAccessPage{staffPage: base, Guardian: g, Can: s.can(r, mayDecide), URL: accessURL(g.ID), Form: form.New().Set("phone", locale.Phone(g.Phone))}
	p.Title = p.L.T("staff.access.title", g.Name())
	p.Back = &page.Link{URL: "/gestion/familles/" + g.HouseholdID.String(), Text: p.L.T("staff.family.of", g.LastName)}
	if g.AccountID != nil {
		a, err := s.Account.Account(ctx, *g.AccountID)
		if err != nil {
			return nil, err
		}
		p.Account, p.ByCode = &a, a.Email == "" && len(a.Roles) == 0
	}
	codes, err := s.Household.Handed(ctx, g.ID)
	if err != nil {
		return nil, err
	}
	for i, c := range codes {
		live := c.Live(s.Now())
		p.Codes = append(p.Codes, staffCode{Code: c, Counts: live})
		switch {
		case live && c.Kind == household.CodeClaim && p.Claim == nil && p.Account == nil:
			p.Claim = &codes[i]
		case live && c.Kind == household.CodeReset && p.Reset == nil && p.ByCode:
			p.Reset = &codes[i]
		}
	}
	if p.Claim != nil && p.Claim.MailedAt != nil {
		returned, err := s.returnedClaims(ctx)
		if err != nil {
			return nil, err
		}
		p.Returned = slices.Contains(returned, p.Claim.ID)
	}
	return p, nil
}

func accessURL(guardianID uuid.UUID) string {
	return "/gestion/adultes/" + guardianID.String() + "/acces"
}

// staffAccessMail mails the adult the code with which to open an account, or mails it again.
func (s *server) staffAccessMail(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	n, err := s.Household.MailClaims(r.Context(), actor, []uuid.UUID{pathID(r)})
	if err != nil {
		return err
	}
	s.flashMailed(w, n)
	return seeOther(w, r, accessURL(pathID(r)))
}

// staffAccessLetter makes a new code for a letter; the older ones, mailed ones too, no longer count.
func (s *server) staffAccessLetter(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	codes, err := s.Household.IssueClaims(r.Context(), actor, []uuid.UUID{pathID(r)})
	if err != nil {
		return err
	}
	if len(codes) == 0 {
		return problem.Conflict("household.signs_in")
	}
	return seeOther(w, r, accessURL(pathID(r))+"/imprimer")
}

// staffAccessOpen opens an account by mobile number for an adult at the counter, with the code for its password.
func (s *server) staffAccessOpen(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	_, err = s.Account.OpenAtCounter(r.Context(), s.Household, actor, pathID(r), phoneTyped(f.Text("phone")))
	if p := problem.As(err); p != nil && p.Kind == problem.KindConflict {
		f.Add("phone", p.Code, p.Args...)
		err = nil
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.staffAccessPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/family/access", f, p)
	}
	s.flash(w, "flash.access_opened")
	return seeOther(w, r, accessURL(pathID(r))+"/imprimer")
}

// staffAccessReset makes the code with which an adult without e-mail address chooses a new password.
func (s *server) staffAccessReset(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	if _, err := s.Account.IssueReset(r.Context(), s.Household, actor, pathID(r)); err != nil {
		return err
	}
	return seeOther(w, r, accessURL(pathID(r))+"/imprimer")
}

// staffAccessPrint is the sheet of paper with the code that counts.
func (s *server) staffAccessPrint(w http.ResponseWriter, r *http.Request) error {
	access, err := s.staffAccessPage(r)
	if err != nil {
		return err
	}
	p := &staffLettersPrintPage{staffPage: access.staffPage}
	p.Title, p.Back = p.L.T("staff.letter.print"), &page.Link{URL: access.URL, Text: access.Title}
	switch {
	case access.Reset != nil:
		p.URL = s.PublicURL + "/mot-de-passe/code"
		p.Letters = []letter{letterOf(*access.Reset, access.Guardian)}
	case access.Claim != nil:
		p.URL = s.PublicURL + "/activation"
		p.Letters = []letter{letterOf(*access.Claim, access.Guardian)}
	default:
		return problem.NotFound("household.code_not_found")
	}
	return s.render(w, r, http.StatusOK, "staff/family/letters_print", p)
}
