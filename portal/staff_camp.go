package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/problem"
	"ribambelle/internal/transport"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
	"ribambelle/reports"
)

// staffCampPage is one camp with its figures, children, bus, leaders and history.
type staffCampPage struct {
	staffPage
	Camp        camp.Camp
	Row         campRow
	PublicURL   string
	For         string
	Tickets     []ticketFigures
	Sessions    []sessionFigures
	Lines       []transport.Line
	Trips       []tripFigures
	OtherLines  []choice // lines that do not serve the camp yet
	Leaders     []leaderRow
	Candidates  []choice // accounts that may lead
	Rows        []queueRow
	States      []stateCount
	History     []staffAudit
	CanOrganise bool
	CanPrice    bool
	CanEnd      bool // give it up, or some of its sessions
	MayHave     bool // the register
	MayMedical  bool // with alerts
	Form        *form.Form
}

type ticketFigures struct {
	Name                      string
	Cents                     *civil.Cents
	Max                       *int
	Held, Confirmed, External int
	Withdrawn                 bool
}

type sessionFigures struct {
	camp.Session
	Present, Marked int
}

type tripFigures struct {
	LineID    uuid.UUID
	Day       civil.Date
	Direction string
	State     string
	Max       *int
	Taken     int // held, confirmed and external
	Aboard    int // children of this camp
}

// Over reports whether the trip carries more than it seats.
func (t tripFigures) Over() bool { return t.Max != nil && t.Taken > *t.Max }

type leaderRow struct {
	ID          uuid.UUID
	Name        string
	Email       string
	Coordinator bool
}

// stateCount is the number of registrations of a camp in one state.
type stateCount struct {
	State enrol.State
	Count int
}

type staffAudit struct {
	At        time.Time
	ActorKind string
	ActorID   string
	ActorName string
	Action    string
}

// staffCamp shows one camp.
func (s *server) staffCamp(w http.ResponseWriter, r *http.Request) error {
	p, err := s.campPage(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/camp", p)
}

func (s *server) campPage(r *http.Request, id uuid.UUID) (*staffCampPage, error) {
	ctx := r.Context()
	c, err := s.Camp.Camp(ctx, id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, c.Name, "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p := &staffCampPage{staffPage: base, Camp: c, PublicURL: campURL(c.ID, c.Name), CanOrganise: s.can(r, mayOrganise), CanPrice: s.can(r, mayPrice), CanEnd: s.can(r, mayEndCamp), Form: form.New()}
	p.Back = &page.Link{URL: "/gestion/stages", Text: p.L.T("staff.camps.title")}
	p.For = who(p.L, c.Levels, c.AgeMin, c.AgeMax)
	list, err := s.campRows(ctx, `c.id = @id`, `c.id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		p.Row = list[0]
	}
	p.Rows, err = s.staffRows(ctx, p.L, `r.camp_id = @camp AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`,
		`r.state = 'waitlisted', k.last_name, k.first_name, r.id`, pgx.NamedArgs{"camp": id})
	if err != nil {
		return nil, err
	}
	for _, read := range []func(context.Context, *staffCampPage) error{s.campFigures, s.campBus, s.campPeople, s.campHistory} {
		if err := read(ctx, p); err != nil {
			return nil, fmt.Errorf("reading camp %s: %w", id, err)
		}
	}
	actor, _ := s.actorOf(r)
	p.MayHave, p.MayMedical, err = s.reports().MayHave(ctx, "registre", id, actor)
	return p, err
}

func (s *server) reports() *reports.Store { return reports.New(s.DB, s.Now, s.Medical) }

func (s *server) campFigures(ctx context.Context, p *staffCampPage) error {
	args := pgx.NamedArgs{"camp": p.Camp.ID}
	rows, err := s.DB.Query(ctx, `
		SELECT t.name, COALESCE(t.set_cents, t.odoo_cents) AS cents, o.max, o.held, o.confirmed, o.external, t.withdrawn
		FROM ticket t
		JOIN pool o ON o.id = t.pool_id
		WHERE t.camp_id = @camp
		ORDER BY t.position, t.name, t.id`, args)
	if err != nil {
		return err
	}
	if p.Tickets, err = pgx.CollectRows(rows, pgx.RowToStructByName[ticketFigures]); err != nil {
		return err
	}
	sessions, err := camp.SessionsOf(ctx, s.DB, p.Camp.ID)
	if err != nil {
		return err
	}
	rows, err = s.DB.Query(ctx, `
		SELECT a.session_id, (count(*) FILTER (WHERE a.present))::int, count(*)::int
		FROM attendance a
		JOIN camp_session x ON x.id = a.session_id
		WHERE x.camp_id = @camp
		GROUP BY a.session_id`, args)
	if err != nil {
		return err
	}
	figures := map[uuid.UUID][2]int{}
	var id uuid.UUID
	var present, marked int
	if _, err = pgx.ForEachRow(rows, []any{&id, &present, &marked}, func() error {
		figures[id] = [2]int{present, marked}
		return nil
	}); err != nil {
		return err
	}
	for _, x := range sessions {
		p.Sessions = append(p.Sessions, sessionFigures{Session: x, Present: figures[x.ID][0], Marked: figures[x.ID][1]})
	}
	rows, err = s.DB.Query(ctx, `
		SELECT state, count(*)::int AS count
		FROM registration
		WHERE camp_id = @camp
		GROUP BY state`, args)
	if err != nil {
		return err
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByName[stateCount])
	if err != nil {
		return err
	}
	for _, i := range enrol.States { // in the order of the journey
		if at := slices.IndexFunc(counts, func(c stateCount) bool { return c.State == i.State }); at >= 0 {
			p.States = append(p.States, counts[at])
		}
	}
	return nil
}

func (s *server) campBus(ctx context.Context, p *staffCampPage) (err error) {
	if p.Lines, err = transport.LinesOf(ctx, s.DB, p.Camp.ID); err != nil {
		return err
	}
	args := pgx.NamedArgs{"camp": p.Camp.ID}
	rows, err := s.DB.Query(ctx, `
		SELECT t.line_id, t.day, t.direction, t.state, o.max, o.held + o.confirmed + o.external AS taken,
		  (SELECT count(*)::int FROM leg g JOIN registration r ON r.id = g.registration_id WHERE g.trip_id = t.id AND r.camp_id = @camp) AS aboard
		FROM camp_line cl
		JOIN trip t ON t.line_id = cl.line_id
		JOIN pool o ON o.id = t.pool_id
		WHERE cl.camp_id = @camp
		  AND t.day IN (SELECT x.day FROM camp_session x WHERE x.camp_id = @camp)
		ORDER BY t.line_id, t.day, t.direction DESC`, args)
	if err != nil {
		return err
	}
	if p.Trips, err = pgx.CollectRows(rows, pgx.RowToStructByName[tripFigures]); err != nil {
		return err
	}
	p.OtherLines, err = s.choicesOf(ctx, `
		SELECT l.id::text, l.name
		FROM bus_line l
		WHERE NOT EXISTS (SELECT 1 FROM camp_line cl WHERE cl.line_id = l.id AND cl.camp_id = @camp)
		ORDER BY l.name, l.id`, args)
	return err
}

func (s *server) campPeople(ctx context.Context, p *staffCampPage) error {
	args := pgx.NamedArgs{"camp": p.Camp.ID}
	rows, err := s.DB.Query(ctx, `
		SELECT a.id, a.name, coalesce(a.email, a.phone) AS email, l.coordinator
		FROM camp_leader l
		JOIN account a ON a.id = l.account_id
		WHERE l.camp_id = @camp
		ORDER BY l.coordinator DESC, a.name, a.id`, args)
	if err != nil {
		return err
	}
	if p.Leaders, err = pgx.CollectRows(rows, pgx.RowToStructByName[leaderRow]); err != nil {
		return err
	}
	p.Candidates, err = s.choicesOf(ctx, `
		SELECT a.id::text, a.name
		FROM account a
		WHERE a.roles && ARRAY['leader', 'coordinator']
		  AND NOT EXISTS (SELECT 1 FROM camp_leader l WHERE l.account_id = a.id AND l.camp_id = @camp)
		ORDER BY a.name, a.id`, args)
	return err
}

func (s *server) campHistory(ctx context.Context, p *staffCampPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT e.at, e.actor_kind, e.actor_id, COALESCE(a.name, '') AS actor_name, e.action
		FROM audit e
		LEFT JOIN account a ON a.id = CASE e.actor_kind WHEN 'account' THEN e.actor_id::uuid END
		WHERE e.subject_kind = 'camp'
		  AND e.subject_id = @camp
		ORDER BY e.id DESC
		LIMIT 30`,
		pgx.NamedArgs{"camp": p.Camp.ID.String()})
	if err != nil {
		return err
	}
	p.History, err = pgx.CollectRows(rows, pgx.RowToStructByName[staffAudit])
	return err
}

// choicesOf reads the options of a select: value and text.
func (s *server) choicesOf(ctx context.Context, sql string, args pgx.NamedArgs) ([]choice, error) {
	rows, err := s.DB.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c choice, err error) {
		err = row.Scan(&c.Value, &c.Text)
		return c, err
	})
}

// note keeps in the audit what the office did.
func (s *server) note(ctx context.Context, q db.Querier, actor audit.Actor, action, kind string, id uuid.UUID, detail map[string]any) error {
	return audit.Record(ctx, q, actor, action, kind, id.String(), detail)
}

// staffLeaderAdd lets somebody lead the camp.
func (s *server) staffLeaderAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	account, ok := f.UUID("account")
	if !ok {
		return problem.Invalid("staff.camp.no_leader_chosen")
	}
	a, err := s.Account.Account(r.Context(), account)
	if err != nil {
		return err
	}
	if !a.Is("leader") && !a.Is("coordinator") {
		return problem.Invalid("staff.camp.no_leader_chosen")
	}
	actor, _ := s.actorOf(r)
	if err := s.Camp.AddLeader(r.Context(), actor, id, account, f.Checked("coordinator")); err != nil {
		return err
	}
	s.flash(w, "flash.leader_added")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"#animateurs")
}

// staffLeaderRemove takes the camp away from a leader.
func (s *server) staffLeaderRemove(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	account, ok := f.UUID("account")
	if !ok {
		return problem.Invalid("staff.camp.no_leader_chosen")
	}
	actor, _ := s.actorOf(r)
	if err := s.Camp.RemoveLeader(r.Context(), actor, id, account); err != nil {
		return err
	}
	s.flash(w, "flash.leader_removed")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"#animateurs")
}

// staffLineServe lets a bus line serve the camp.
func (s *server) staffLineServe(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	if _, err := s.Camp.Camp(r.Context(), id); err != nil {
		return err
	}
	line, ok := f.UUID("line")
	if !ok {
		return problem.Invalid("staff.camp.no_line_chosen")
	}
	actor, _ := s.actorOf(r)
	if err := s.Transport.ServeCamp(r.Context(), actor, line, id); err != nil {
		return err
	}
	s.flash(w, "flash.line_added")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"#bus")
}

// staffRegister hands out the register of the camp; what the role may not see is not in it.
func (s *server) staffRegister(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	f, err := s.reports().Produce(r.Context(), "registre", reports.Params{
		Camp: pathID(r), Medical: r.URL.Query().Get("sante") == "oui", Lang: s.locale(r).Lang(),
	}, actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}

// sendFile hands out a document under its own name.
func (s *server) sendFile(w http.ResponseWriter, f reports.File) error {
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	return s.send(w, f.ContentType, f.Body)
}

// staffInvoice hands out an invoice.
func (s *server) staffInvoice(w http.ResponseWriter, r *http.Request) error {
	i, err := s.Ledger.Invoice(r.Context(), pathID(r))
	if err == nil {
		err = s.mayRead(r, i.Content)
	}
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	f, err := s.reports().Invoice(r.Context(), i.ID, actor)
	if err != nil {
		return err
	}
	return s.sendFile(w, f)
}
