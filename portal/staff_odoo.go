package portal

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/mirror"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// odooRoutes are the pages about what Odoo says and what we ask of it.
func (s *server) odooRoutes() []route {
	const (
		outside = "/gestion/odoo/exterieures/{odoo:[0-9]{1,18}}"
		ask     = "/gestion/stages/" + idPart + "/odoo"
	)
	return []route{
		{get, "/gestion/odoo", maySee, s.staffOdoo},
		{post, "/gestion/odoo/comparer", mayOrganise, s.staffOdooCompare},
		{post, "/gestion/odoo/ecarts/" + idPart, mayOrganise, s.staffOdooFix},
		{get, outside, mayDecide, s.staffOdooOutside},
		{post, outside, mayDecide, s.staffOdooAdopt},
		{get, ask, mayOrganise, s.staffOdooAsk},
		{post, ask, mayOrganise, s.staffOdooAskSave},
		{get, "/gestion/odoo/nouveau-stage", mayOrganise, s.staffOdooAsk},
		{post, "/gestion/odoo/nouveau-stage", mayOrganise, s.staffOdooAskSave},
	}
}

// staffOdooPage shows where both sides differ, what Odoo refuses, and what others registered there.
type staffOdooPage struct {
	staffPage
	Odoo       odooState
	ComparedAt *time.Time
	Drift      []driftRow
	Refusals   []refusalRow
	Outside    []outsideRow
	Commands   []mirror.Command
	CanFix     bool
	CanAdopt   bool
}

// driftRow is a difference with what it is about.
type driftRow struct {
	mirror.Drift
	About *string
}

// URL leads to what differs, "" when there is nothing of ours.
func (d driftRow) URL() string {
	switch {
	case d.LocalID == nil:
		return ""
	case d.Kind == mirror.Camp:
		return "/gestion/stages/" + d.LocalID.String()
	case d.Kind == mirror.Registration:
		return "/gestion/inscriptions/" + d.LocalID.String()
	}
	return ""
}

// refusalRow is a record that Odoo does not take, with its reason.
type refusalRow struct {
	Kind      string
	LocalID   uuid.UUID
	About     *string
	Message   string
	RefusedAt time.Time
}

// URL leads to the registration that is refused.
func (r refusalRow) URL() string {
	if r.Kind == mirror.Registration {
		return "/gestion/inscriptions/" + r.LocalID.String()
	}
	return ""
}

// outsideRow is a registration that someone made in Odoo.
type outsideRow struct {
	OdooID int64
	CampID uuid.UUID
	Camp   string
	Name   string
	Email  string
	State  string
	SeenAt time.Time
}

// Shown says what is on one side of a difference, states by their names.
func (p *staffOdooPage) Shown(d driftRow, there bool) string {
	v := d.Here
	if there {
		v = d.There
	}
	switch {
	case v == "":
		return p.L.T("drift.nothing")
	case d.Aspect == "state" || d.Aspect == "outside" || d.Aspect == "unlinked":
		return p.known("odoo.state.", v)
	case d.Aspect == "offer":
		return p.known("odoo.offer.", v)
	case d.Aspect == "missing" || d.Aspect == "archived":
		return p.known("state.", v)
	}
	return v
}

// Can reports whether one side can follow the other by a click.
func (p *staffOdooPage) Can(d driftRow, side string) bool {
	return p.CanFix && d.Fix == nil && d.CanFollow(side)
}

// State names a state of Odoo.
func (p *staffOdooPage) State(state string) string { return p.known("odoo.state.", state) }

// staffOdoo shows the page.
func (s *server) staffOdoo(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("staff.odoo.page"), "/gestion/odoo")
	if err != nil {
		return err
	}
	p := &staffOdooPage{staffPage: base, CanFix: s.can(r, mayOrganise), CanAdopt: s.can(r, mayDecide)}
	ctx := r.Context()
	if p.Odoo, err = s.odooState(ctx, p.staffPage); err != nil {
		return err
	}
	cursor, err := mirror.ReadCursor(ctx, s.DB, mirror.ModelComparison)
	if err != nil {
		return err
	}
	p.ComparedAt = cursor.SweptAt
	if p.Commands, err = mirror.CommandsOf(ctx, s.DB, nil); err != nil {
		return err
	}
	for _, read := range []func(context.Context, *staffOdooPage) error{s.readDrift, s.readRefusals, s.readOutside} {
		if err := read(ctx, p); err != nil {
			return fmt.Errorf("reading what Odoo says: %w", err)
		}
	}
	return s.render(w, r, http.StatusOK, "staff/odoo", p)
}

func (s *server) readDrift(ctx context.Context, p *staffOdooPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT d.id, d.kind, d.aspect, d.local_id, d.odoo_id, d.here, d.there, d.cause, d.found_at, d.fix, d.failure,
		  CASE d.kind
		    WHEN 'registration' THEN (SELECT k.first_name || ' ' || k.last_name || ' · ' || c.name
		      FROM registration r JOIN child k ON k.id = r.child_id JOIN camp c ON c.id = r.camp_id WHERE r.id = d.local_id)
		    WHEN 'camp' THEN (SELECT c.name FROM camp c WHERE c.id = d.local_id)
		    ELSE (SELECT g.first_name || ' ' || g.last_name FROM guardian g WHERE g.id = d.local_id)
		  END AS about
		FROM odoo_drift d
		WHERE d.solved_at IS NULL
		ORDER BY d.found_at, d.kind, d.aspect, d.id
		LIMIT 200`)
	if err != nil {
		return err
	}
	p.Drift, err = pgx.CollectRows(rows, pgx.RowToStructByNameLax[driftRow])
	return err
}

func (s *server) readRefusals(ctx context.Context, p *staffOdooPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT f.kind, f.local_id, f.message, f.refused_at,
		  CASE f.kind
		    WHEN 'registration' THEN (SELECT k.first_name || ' ' || k.last_name || ' · ' || c.name
		      FROM registration r JOIN child k ON k.id = r.child_id JOIN camp c ON c.id = r.camp_id WHERE r.id = f.local_id)
		    ELSE (SELECT g.first_name || ' ' || g.last_name FROM guardian g WHERE g.id = f.local_id)
		  END AS about
		FROM odoo_refusal f
		WHERE NOT f.quiet
		ORDER BY f.refused_at, f.local_id
		LIMIT 100`)
	if err != nil {
		return err
	}
	p.Refusals, err = pgx.CollectRows(rows, pgx.RowToStructByName[refusalRow])
	return err
}

func (s *server) readOutside(ctx context.Context, p *staffOdooPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT e.odoo_id, e.camp_id, c.name AS camp, e.name, e.email, e.state, e.seen_at
		FROM odoo_external e
		JOIN camp c ON c.id = e.camp_id
		WHERE e.state IN ('draft', 'open', 'done')
		  AND c.ends_at > @now
		ORDER BY c.begins_at, c.id, e.odoo_id
		LIMIT 300`,
		pgx.NamedArgs{"now": s.Now()})
	if err != nil {
		return err
	}
	p.Outside, err = pgx.CollectRows(rows, pgx.RowToStructByName[outsideRow])
	return err
}

// enqueue inserts a job in the caller's transaction.
func (s *server) enqueue(ctx context.Context, tx db.Tx, args river.JobArgs) error {
	if _, err := s.Jobs.InsertTx(ctx, tx, args, nil); err != nil {
		return fmt.Errorf("asking for %s: %w", args.Kind(), err)
	}
	return nil
}

// staffOdooCompare asks for a comparison now.
func (s *server) staffOdooCompare(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	err := s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		if err := s.enqueue(ctx, tx, job.SyncSweep{}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "odoo.compare_asked", "odoo", "odoo", nil)
	})
	if err != nil {
		return err
	}
	s.flash(w, "flash.odoo_compare")
	return seeOther(w, r, "/gestion/odoo")
}

// staffOdooFix lets one side follow the other in one difference.
func (s *server) staffOdooFix(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	side := f.Text("side")
	if side != mirror.FixHere && side != mirror.FixOdoo {
		return problem.Invalid("drift.by_hand")
	}
	actor, account := s.actorOf(r)
	id := pathID(r)
	err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		if err := mirror.AskFix(ctx, tx, id, side, account); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, job.SyncFix{}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "odoo.fix_asked", "odoo_drift", id.String(), map[string]any{"side": side})
	})
	if err != nil {
		return err
	}
	s.flash(w, "flash.odoo_fix")
	return seeOther(w, r, "/gestion/odoo")
}

// staffOutsidePage lets a person recognise whose registration was made in Odoo.
type staffOutsidePage struct {
	staffPage
	Outside outsideRow
	Query   string
	Form    *form.Form
	Choices []choice // child and guardian, by their ids
	Key     uuid.UUID
}

func (s *server) outsidePage(r *http.Request, f *form.Form) (*staffOutsidePage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.outside.title"), "/gestion/odoo")
	if err != nil {
		return nil, err
	}
	p := &staffOutsidePage{staffPage: base, Query: form.Query(r).Text("q"), Form: f, Key: uuid.New()}
	p.Back = &page.Link{URL: "/gestion/odoo", Text: p.L.T("staff.odoo.page")}
	id, err := strconv.ParseInt(mux.Vars(r)["odoo"], 10, 64)
	if err != nil {
		return nil, problem.NotFound("portal.error.not_found")
	}
	rows, err := s.DB.Query(r.Context(), `
		SELECT e.odoo_id, e.camp_id, c.name AS camp, e.name, e.email, e.state, e.seen_at
		FROM odoo_external e
		JOIN camp c ON c.id = e.camp_id
		WHERE e.odoo_id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading an outside registration: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[outsideRow])
	if err != nil {
		return nil, fmt.Errorf("reading an outside registration: %w", err)
	}
	if len(found) == 0 {
		return nil, problem.NotFound("staff.outside.gone")
	}
	p.Outside = found[0]
	if p.Query == "" {
		p.Query = p.Outside.Name
	}
	p.Choices, err = s.whose(r.Context(), p.L.T, p.Query, p.Outside.Email)
	return p, err
}

// whose finds the children whose names hold the words, or whose guardian has the e-mail, each with its guardians.
func (s *server) whose(ctx context.Context, t func(string, ...any) string, query, email string) ([]choice, error) {
	words := foldWords(query)
	rows, err := s.DB.Query(ctx, `
		SELECT k.id, k.first_name || ' ' || k.last_name, g.id, g.first_name || ' ' || g.last_name, @email <> '' AND lower(g.email) = lower(@email) AS known
		FROM child k
		JOIN guardianship h ON h.child_id = k.id AND h.valid_from <= @today AND (h.valid_until IS NULL OR h.valid_until >= @today)
		JOIN guardian g ON g.id = h.guardian_id
		WHERE k.merged_into IS NULL
		  AND 'register' = ANY(h.rights)
		ORDER BY known DESC, k.last_name, k.first_name, g.last_name`,
		pgx.NamedArgs{"email": email, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("looking for a child: %w", err)
	}
	var list []choice
	var child, guardian uuid.UUID
	var childName, guardianName string
	var known bool
	_, err = pgx.ForEachRow(rows, []any{&child, &childName, &guardian, &guardianName, &known}, func() error {
		if len(list) < mostFound && (known || len(words) > 0 && score(words, foldWords(childName)) >= 0) {
			list = append(list, choice{Value: child.String() + "," + guardian.String(), Text: t("staff.outside.choice", childName, guardianName)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for a child: %w", err)
	}
	return list, nil
}

// staffOdooOutside shows who was registered and which children it may be.
func (s *server) staffOdooOutside(w http.ResponseWriter, r *http.Request) error {
	p, err := s.outsidePage(r, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/odoo_outside", p)
}

// staffOdooAdopt makes a registration of ours of it. From then on it is sent to Odoo under its own id there.
func (s *server) staffOdooAdopt(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.outsidePage(r, f)
	if err != nil {
		return err
	}
	key, hasKey := f.UUID("key")
	childPart, guardianPart, _ := strings.Cut(f.Text("who"), ",")
	child, err1 := uuid.Parse(childPart)
	guardian, err2 := uuid.Parse(guardianPart)
	if err1 != nil || err2 != nil || !hasKey {
		f.Add("who", "staff.outside.choose")
		return s.render(w, r, http.StatusUnprocessableEntity, "staff/odoo_outside", p)
	}
	_, account := s.actorOf(r)
	made, err := s.adopt(r.Context(), p.Outside.OdooID, account, child, guardian, key)
	if e := problem.As(err); e != nil && e.Kind == problem.KindInvalid {
		for _, field := range e.Fields {
			f.Add("who", field.Code, field.Args...)
		}
		if len(e.Fields) == 0 {
			f.Add("who", e.Code, e.Args...)
		}
		return s.render(w, r, http.StatusUnprocessableEntity, "staff/odoo_outside", p)
	}
	if err != nil {
		return err
	}
	s.flash(w, "flash.odoo_adopted")
	return seeOther(w, r, "/gestion/inscriptions/"+made.String())
}
