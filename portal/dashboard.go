package portal

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// dashboardPage is the family's page: a list of tasks, each of which saves on its own.
type dashboardPage struct {
	page.Base
	Guardian *household.Guardian // nil until the details are given
	Children []childTask
	Acts     []registrationCard // registrations that wait for the family
	Pending  int
	Valid    int
	PayAll   civil.Cents  // what can be paid at once for several registrations; 0 for fewer
	Refunds  []refundCard // that wait for the family's choice
}

// childTask is one child with what is to do for it.
type childTask struct {
	household.Child
	Age      int
	Medical  bool // the guardian may see the sheet
	Sheet    medical.Status
	Needed   bool       // a camp asks for a confirmation
	NeededBy civil.Date // until when
}

// dashboardMoved leads to the address with its slash.
func (s *server) dashboardMoved(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/mon-espace/", http.StatusMovedPermanently)
	return nil
}

// dashboard shows what the family has given and what is left to do.
func (s *server) dashboard(w http.ResponseWriter, r *http.Request) error {
	l := s.locale(r)
	p := &dashboardPage{Base: s.base(r, l.T("portal.nav.family"))}
	p.Section, p.NoIndex = "family", true
	g, err := s.parent(r)
	if errors.Is(err, errDetails) {
		return s.render(w, r, http.StatusOK, "dashboard", p)
	}
	if err != nil {
		return err
	}
	p.Guardian = &g.guardian
	children, err := s.Household.Children(r.Context(), g.guardian.ID)
	if err != nil {
		return err
	}
	registrations, err := s.myRegistrations(r.Context(), g, nil)
	if err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(children))
	for i, c := range children {
		ids[i] = c.ID
	}
	sheets, err := medical.Statuses(r.Context(), s.DB, ids)
	if err != nil {
		return err
	}
	for _, c := range children {
		t := childTask{Child: c, Age: civil.AgeOn(c.BirthDate, s.today()), Medical: c.Can(household.RightMedical), Sheet: sheets[c.ID]}
		if t.Medical {
			if err := s.sheetNeeded(r, &t, registrations); err != nil {
				return err
			}
		}
		p.Children = append(p.Children, t)
	}
	for _, one := range registrations {
		if card := s.registrationCard(l, one); card.CanPay || card.CanAnswer {
			p.Acts = append(p.Acts, card)
		}
		switch {
		case one.State.Info().List == enrol.Pending:
			p.Pending++
		case one.State.Info().List == enrol.Valid:
			p.Valid++
		}
	}
	if p.PayAll, err = s.payAllTotal(r.Context(), g, registrations); err != nil {
		return err
	}
	if p.Refunds, err = s.myChoices(r.Context(), l, g); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "dashboard", p)
}

// sheetNeeded finds out until when a child's sheet must be confirmed for the camps it has or asked for.
func (s *server) sheetNeeded(r *http.Request, t *childTask, registrations []myRegistration) error {
	var camps []uuid.UUID
	for _, one := range registrations {
		if info := one.State.Info(); one.ChildID == t.ID && !info.Exit && one.State != enrol.Completed && !one.LastDay.Before(s.today()) {
			camps = append(camps, one.CampID)
		}
	}
	if len(camps) == 0 {
		return nil
	}
	fits, err := s.Enrol.Fits(r.Context(), t.ID, camps)
	if err != nil && !problem.Is(err, problem.KindNotFound) {
		return err
	}
	for _, reasons := range fits {
		for _, reason := range reasons {
			if reason.Rule == "sheet" && (!t.Needed || reason.Deadline.Before(t.NeededBy)) {
				t.Needed, t.NeededBy = true, reason.Deadline
			}
		}
	}
	return nil
}
