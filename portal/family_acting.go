package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// actingCookie keeps in whose name a person acts who may act for several. It is a choice among what the account may do,
// asked anew at every request, and gives nothing by itself.
const actingCookie = "pour"

// acting returns the guardian in whose name an account acts: the chosen one, else its own, else its first organisation;
// NotFound when there is none.
func (s *server) acting(r *http.Request, accountID uuid.UUID) (household.Guardian, error) {
	list, err := s.Household.ActsFor(r.Context(), accountID)
	if err != nil {
		return household.Guardian{}, err
	}
	if len(list) == 0 {
		return household.Guardian{}, problem.NotFound("household.guardian_not_found")
	}
	if c, err := r.Cookie(actingCookie); err == nil {
		if i := slices.IndexFunc(list, func(g household.Guardian) bool { return g.ID.String() == c.Value }); i >= 0 {
			return list[i], nil
		}
	}
	return list[0], nil
}

// familyActingPage asks in whose name someone wants to act.
type familyActingPage struct {
	page.Base
	Form    *form.Form
	Choices []choice
}

func (s *server) familyActing(w http.ResponseWriter, r *http.Request) error {
	g, err := s.parent(r)
	if err != nil {
		return err
	}
	list, err := s.Household.ActsFor(r.Context(), g.account.ID)
	if err != nil {
		return err
	}
	p := &familyActingPage{Base: s.familyBase(r, "family.acting.title"), Form: form.New().Set("guardian", g.guardian.ID.String())}
	for _, v := range list {
		p.Choices = append(p.Choices, choice{Value: v.ID.String(), Text: v.Name()})
	}
	return s.render(w, r, http.StatusOK, "family/acting", p)
}

// familyActingSet keeps the choice in the browser.
func (s *server) familyActingSet(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id, _ := f.UUID("guardian")
	http.SetCookie(w, s.cookie(actingCookie, id.String(), 0))
	return seeOther(w, r, "/mon-espace/")
}

// familyBase is the base of the pages about a family.
func (s *server) familyBase(r *http.Request, title string) page.Base {
	l := s.locale(r)
	b := s.base(r, l.T(title))
	b.Section, b.NoIndex = "family", true
	b.Back = &page.Link{URL: "/mon-espace/", Text: l.T("portal.nav.family")}
	return b
}
