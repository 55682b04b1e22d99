package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// How many stops the form of a line shows at first, how many a click adds, and where it ends.
const (
	stopRows     = 6
	stopRowsMore = 6
	stopRowsMost = 60
)

// staffBusPage is every line, and the form of a new one.
type staffBusPage struct {
	staffPage
	Units       []choice // for what the price of a line may be asked
	Lines       []busRow
	Form        *form.Form
	Rows        []string // names of the stops' inputs
	More        bool     // rows may be added
	CanOrganise bool
}

// busRow is one line with what it serves.
type busRow struct {
	transport.Line
	Camps int
	Next  *civil.Date // its next trip
}

// staffLinePage is one line with its stops, camps and trips.
type staffLinePage struct {
	staffPage
	Line        transport.Line
	Camps       []lineCamp
	Trips       []tripFigures
	CanOrganise bool
}

// lineCamp is a camp that the line serves.
type lineCamp struct {
	ID       uuid.UUID
	Name     string
	FirstDay civil.Date
	Children int // who ride on the line, or wait for a place with one of its stops
}

// busRoutes are the pages of the bus.
func (s *server) busRoutes() []route {
	return []route{
		{get, "/gestion/bus", maySee, s.staffBus},
		{post, "/gestion/bus", mayOrganise, s.staffLineAdd},
		{get, "/gestion/bus/" + idPart, maySee, s.staffLine},
		{post, "/gestion/bus/" + idPart + "/retirer", mayOrganise, s.staffLineLeave},
	}
}

// staffBus lists the lines.
func (s *server) staffBus(w http.ResponseWriter, r *http.Request) error {
	p, err := s.busPage(r, stopRows)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/bus", p)
}

func (s *server) busPage(r *http.Request, rows int) (*staffBusPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.bus.title"), "/gestion/bus")
	if err != nil {
		return nil, err
	}
	rows = min(max(rows, stopRows), stopRowsMost)
	p := &staffBusPage{staffPage: base, Form: form.New().Set("unit", string(tariff.PerCamp)), Units: unitChoices(base.L, []tariff.Unit{tariff.PerCamp, tariff.PerDay}), More: rows < stopRowsMost, CanOrganise: s.can(r, mayOrganise)}
	for i := range rows {
		p.Rows = append(p.Rows, strconv.Itoa(i+1))
	}
	lines, err := transport.Lines(r.Context(), s.DB)
	if err != nil {
		return nil, err
	}
	p.Lines, err = s.busRows(r.Context(), lines)
	return p, err
}

func (s *server) busRows(ctx context.Context, lines []transport.Line) ([]busRow, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.id, (SELECT count(*)::int FROM camp_line cl WHERE cl.line_id = l.id),
		  (SELECT min(t.day) FROM trip t WHERE t.line_id = l.id AND t.day >= @today AND t.state <> 'cancelled')
		FROM bus_line l`,
		pgx.NamedArgs{"today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("counting the camps of the bus lines: %w", err)
	}
	list := make([]busRow, len(lines))
	for i, l := range lines {
		list[i].Line = l
	}
	var id uuid.UUID
	var camps int
	var next *civil.Date
	_, err = pgx.ForEachRow(rows, []any{&id, &camps, &next}, func() error {
		if i := slices.IndexFunc(list, func(l busRow) bool { return l.ID == id }); i >= 0 {
			list[i].Camps = camps
			if next != nil {
				day := *next
				list[i].Next = &day
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting the camps of the bus lines: %w", err)
	}
	return list, nil
}

// staffLineAdd makes a line; the button « ajouter des arrêts » only shows the form again with more rows.
func (s *server) staffLineAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	rows, _ := f.Int("rows")
	if f.Checked("more") {
		p, err := s.busPage(r, rows+stopRowsMore)
		if err != nil {
			return err
		}
		p.Form = f
		return s.render(w, r, http.StatusOK, "staff/bus", p)
	}
	p, err := s.busPage(r, rows)
	if err != nil {
		return err
	}
	l := transport.Line{Name: f.Text("name"), Seats: number(f, "seats"), Cents: f.Cents("price"), Unit: tariff.Unit(f.Text("unit")), Operator: f.Text("operator")}
	if f.Text("phone") != "" {
		if l.Phone = e164(f.Text("phone")); l.Phone == "" || l.Phone[0] != '+' {
			f.Add("phone", "household.phone_invalid")
		}
	}
	if len(l.Operator) > 100 {
		f.Add("operator", "form.too_long")
	}
	for _, row := range p.Rows {
		if name := f.Text("stop_" + row); name != "" || f.Text("out_"+row) != "" || f.Text("back_"+row) != "" {
			l.Stops = append(l.Stops, transport.Stop{Name: name, OutAt: optionalMinute(f, "out_"+row), BackAt: optionalMinute(f, "back_"+row)})
		}
	}
	if slices.ContainsFunc(p.Lines, func(has busRow) bool { return has.Name == l.Name }) {
		f.Add("name", "staff.bus.twice") // a double click too
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if l, err = s.Transport.AddLine(r.Context(), actor, l); err != nil {
			if err := f.Take(err); err != nil {
				return err
			}
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/bus", f, p)
	}
	s.flash(w, "flash.line_made")
	return seeOther(w, r, "/gestion/bus/"+l.ID.String())
}

// optionalMinute reads an hour that may be left out.
func optionalMinute(f *form.Form, name string) *int {
	if f.Text(name) == "" {
		return nil
	}
	n := readMinute(f, name)
	return &n
}

// StopsProblem is what is wrong with the stops as a whole, "" for nothing.
func (p *staffBusPage) StopsProblem() string {
	if f := p.Form.Problem("stops"); f != nil {
		return told(p.L, f.Code, f.Args)
	}
	return ""
}

// staffLine shows one line.
func (s *server) staffLine(w http.ResponseWriter, r *http.Request) error {
	id := pathID(r)
	lines, err := transport.Lines(r.Context(), s.DB)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(lines, func(l transport.Line) bool { return l.ID == id })
	if i < 0 {
		return problem.NotFound("portal.error.not_found")
	}
	base, _, err := s.staff(r, s.locale(r).T("portal.camp.bus", lines[i].Name), "/gestion/bus")
	if err != nil {
		return err
	}
	p := &staffLinePage{staffPage: base, Line: lines[i], CanOrganise: s.can(r, mayOrganise)}
	p.Back = &page.Link{URL: "/gestion/bus", Text: p.L.T("staff.bus.title")}
	if err := s.lineFigures(r.Context(), p); err != nil {
		return fmt.Errorf("reading line %s: %w", id, err)
	}
	return s.render(w, r, http.StatusOK, "staff/line", p)
}

func (s *server) lineFigures(ctx context.Context, p *staffLinePage) error {
	args := pgx.NamedArgs{"line": p.Line.ID, "today": s.today()}
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.name,
		  COALESCE((SELECT min(x.day) FROM camp_session x WHERE x.camp_id = c.id AND x.state <> 'cancelled'),
		    (c.begins_at AT TIME ZONE 'Europe/Brussels')::date) AS first_day,
		  (SELECT count(*)::int FROM registration r
		   WHERE r.camp_id = c.id
		     AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled', 'completed')
		     AND EXISTS (SELECT 1 FROM bus_stop p WHERE p.line_id = @line AND p.id IN (r.stop_out_id, r.stop_back_id))) AS children
		FROM camp_line cl
		JOIN camp c ON c.id = cl.camp_id
		WHERE cl.line_id = @line
		ORDER BY first_day DESC, c.name, c.id`, args)
	if err != nil {
		return err
	}
	if p.Camps, err = pgx.CollectRows(rows, pgx.RowToStructByName[lineCamp]); err != nil {
		return err
	}
	rows, err = s.DB.Query(ctx, `
		SELECT t.line_id, t.day, t.direction, t.state, o.max, o.held + o.confirmed + o.external AS taken,
		  (SELECT count(*)::int FROM leg g WHERE g.trip_id = t.id) AS aboard
		FROM trip t
		JOIN pool o ON o.id = t.pool_id
		WHERE t.line_id = @line
		  AND t.day >= @today
		ORDER BY t.day, t.direction DESC
		LIMIT 200`, args)
	if err != nil {
		return err
	}
	p.Trips, err = pgx.CollectRows(rows, pgx.RowToStructByName[tripFigures])
	return err
}

// staffLineLeave takes the line from a camp whose children do not need it.
func (s *server) staffLineLeave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	campID, ok := f.UUID("camp")
	if !ok {
		return problem.NotFound("transport.line_not_here")
	}
	actor, _ := s.actorOf(r)
	if err := s.Transport.LeaveCamp(r.Context(), actor, id, campID); err != nil {
		return err
	}
	s.flash(w, "flash.line_left")
	return seeOther(w, r, "/gestion/bus/"+id.String())
}
