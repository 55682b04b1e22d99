package portal

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"ribambelle/internal/camp"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// leaderSheetPage is the whole medical sheet of a child of the camp, to read and to print.
type leaderSheetPage struct {
	page.Base
	Camp     camp.Camp
	Child    rollChild
	Status   medical.Status
	Rows     []sheetRow
	Contacts []staffGuardian
}

// leaderSheet shows the whole sheet of a child with a confirmed place to a leader of the camp, within the weeks around
// it. Reading it is logged.
func (s *server) leaderSheet(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pathID(r)
	actor, account := s.actorOf(r)
	if err := camp.Leads(ctx, s.DB, account, id, s.today()); err != nil {
		return err
	}
	registration, err := uuid.Parse(mux.Vars(r)["registration"])
	if err != nil {
		return problem.NotFound("registration.not_found")
	}
	c, err := s.Camp.Camp(ctx, id)
	if err != nil {
		return err
	}
	p := &leaderSheetPage{Base: s.base(r, ""), Camp: c}
	sessions, err := camp.SessionsOf(ctx, s.DB, id)
	if err != nil {
		return err
	}
	children, err := s.roll(ctx, &leaderCampPage{Base: p.Base, Camp: c}, sessions)
	if err != nil {
		return err
	}
	for _, k := range children {
		if k.ID == registration {
			p.Child = k
		}
	}
	if p.Child.ID != registration {
		return problem.NotFound("registration.not_found")
	}
	sheet, status, err := s.Medical.Read(ctx, actor, p.Child.ChildID, medical.PurposeLeader)
	if err != nil {
		return fmt.Errorf("reading the sheet of registration %s: %w", registration, err)
	}
	p.Title = p.L.T("portal.sheet.of", p.Child.Name())
	p.Section, p.NoIndex = "leader", true
	p.Back = &page.Link{URL: "/animateur/stages/" + id.String() + "#e-" + registration.String(), Text: c.Name}
	p.Status = status
	if status.Version > 0 {
		p.Rows = sheetRows(p.L, sheet)
	}
	return s.render(w, r, http.StatusOK, "leader/sheet", p)
}
