package portal

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

// leads is the access of leaders and coordinators; for anybody else their pages do not exist.
func leads(_ *server, a *account.Account) error {
	if a.Is(account.RoleLeader) || a.Is(account.RoleCoordinator) {
		return nil
	}
	return problem.NotFound("portal.error.not_found")
}

// leaderRoutes are the pages of leaders and coordinators under /animateur/. Who leads which camp, and when, is asked
// again on each of them.
func (s *server) leaderRoutes() []route {
	const one = "/animateur/stages/" + idPart
	return []route{
		{get, "/animateur", leads, s.leaderHome},
		{get, "/animateur/", leads, s.leaderCamps},
		{get, one, leads, s.leaderCamp},
		{post, one + "/presence", leads, s.leaderMark},
		{get, one + "/enfants/{registration:" + uuidPattern + "}", leads, s.leaderSheet},
		{get, one + "/registre.xlsx", leads, s.leaderRegister},
	}
}

func (s *server) leaderHome(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/animateur/", http.StatusMovedPermanently)
	return nil
}

// leaderCampsPage is the list of a leader's camps.
type leaderCampsPage struct {
	page.Base
	Camps []leaderCampRow
}

type leaderCampRow struct {
	ID          uuid.UUID
	Name        string
	Location    string
	FirstDay    civil.Date
	LastDay     civil.Date
	Coordinator bool
	Children    int
	Open        bool // within the weeks in which the leader sees the children
	Today       bool
}

// leaderCamps lists the own camps, the next one first; a single open one opens at once.
func (s *server) leaderCamps(w http.ResponseWriter, r *http.Request) error {
	p := &leaderCampsPage{Base: s.base(r, s.locale(r).T("leader.camps.title"))}
	p.Section, p.NoIndex = "leader", true
	var err error
	if p.Camps, err = s.leaderCampRows(r.Context(), s.signedIn(r).ID); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "leader/camps", p)
}

func (s *server) leaderCampRows(ctx context.Context, accountID uuid.UUID) ([]leaderCampRow, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.name, c.location, l.coordinator, x.first_day, x.last_day,
		  EXISTS (SELECT 1 FROM camp_session t WHERE t.camp_id = c.id AND t.day = @today AND t.state <> 'cancelled') AS today,
		  (SELECT count(*)::int FROM registration r WHERE r.camp_id = c.id AND r.state IN ('confirmed', 'completed')) AS children
		FROM camp_leader l
		JOIN camp c ON c.id = l.camp_id
		CROSS JOIN LATERAL (
		  SELECT COALESCE(min(s.day), (c.begins_at AT TIME ZONE 'Europe/Brussels')::date) AS first_day,
		    COALESCE(max(s.day), (c.ends_at AT TIME ZONE 'Europe/Brussels')::date) AS last_day
		  FROM camp_session s
		  WHERE s.camp_id = c.id
		) x
		WHERE l.account_id = @account
		ORDER BY x.last_day < @today, CASE WHEN x.last_day < @today THEN @today - x.last_day ELSE x.first_day - @today END, c.name, c.id`,
		pgx.NamedArgs{"account": accountID, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of leader %s: %w", accountID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[leaderCampRow])
	if err != nil {
		return nil, fmt.Errorf("reading the camps of leader %s: %w", accountID, err)
	}
	for i := range list {
		err := camp.Leads(ctx, s.DB, accountID, list[i].ID, s.today())
		if err != nil && !problem.Is(err, problem.KindForbidden) {
			return nil, err
		}
		list[i].Open = err == nil
	}
	return list, nil
}

// leaderRegister hands the register of the own camp to a leader, with alerts.
func (s *server) leaderRegister(w http.ResponseWriter, r *http.Request) error {
	id := pathID(r)
	actor, account := s.actorOf(r)
	if err := camp.Leads(r.Context(), s.DB, account, id, s.today()); err != nil {
		return err
	}
	f, err := s.reports().Produce(r.Context(), "registre", reports.Params{Camp: id, Medical: true, Lang: s.locale(r).Lang()}, actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}
