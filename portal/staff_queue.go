package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/portal/form"
)

// queueSize is the number of registrations on one page of a queue.
const queueSize = 50

// How many registrations a list counts; the missing sheets are looked for child by child.
const (
	mostCounted = 10_000
	mostSheets  = 1_000
)

// staffList is one of the lists of registrations: which ones, in which order.
type staffList struct {
	name  string
	where string // on registration r, camp c
	order string
	most  int // how many are counted: beyond it the title says « plus de »
}

var staffLists = []staffList{
	{"to_validate", `r.state IN ('submitted', 'to_validate')`, `r.state_since, r.id`, mostCounted},
	{"awaiting_payment", `r.state = 'awaiting_payment'`, `r.due_at, r.id`, mostCounted},
	{"late", `r.state = 'awaiting_payment' AND r.due_at < @now`, `r.due_at, r.id`, mostCounted},
	{"waitlisted", `r.state IN ('waitlisted', 'offered')`, `c.begins_at, c.id, r.waiting_since, r.id`, mostCounted},
	{"sheet", `c.begins_at > @now`, `c.begins_at, c.id, r.id`, mostSheets},
	{"confirmed", `r.state IN ('validated', 'confirmed', 'completed')`, `r.state_since DESC, r.id`, mostCounted},
	{"over", `r.state IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`, `r.state_since DESC, r.id`, mostCounted},
	{"all", `true`, `r.created_at DESC, r.id`, mostCounted},
}

// staffQueuePage is one list of registrations.
type staffQueuePage struct {
	staffPage
	Name      string
	Tabs      []chip
	Camp      *camp.Camp // the list is of this camp alone
	Rows      []queueRow
	Total     int
	More      bool // there are more than Total
	Previous  string
	Next      string
	CanDecide bool
}

// queueRow is one registration in a list.
type queueRow struct {
	ID           uuid.UUID
	ChildID      uuid.UUID
	FirstName    string
	LastName     string
	BirthDate    civil.Date
	CampID       uuid.UUID
	CampName     string
	AgeMin       *int
	AgeMax       *int
	Levels       []string
	SheetDays    int
	FirstDay     civil.Date
	Payer        string
	State        enrol.State
	StateSince   time.Time
	DueAt        *time.Time
	WaitingSince *time.Time
	StopOutID    *uuid.UUID
	StopBackID   *uuid.UUID
	Legs         int
	Remark       string
	Derogation   string // the exception that the family asks for, in its words
	Total        int

	Level  string // of the child, in the school year of the camp
	Age    int    // at the first session
	Points []staffPoint

	NoConsent bool // a consent that the commune asks for is missing
}

// staffPoint is one thing to know before deciding.
type staffPoint struct{ Kind, Text string } // Kind: ok, wait, stop or info

// Name is the child's name.
func (r queueRow) Name() string { return r.FirstName + " " + r.LastName }

// URL is the registration's page.
func (r queueRow) URL() string { return "/gestion/inscriptions/" + r.ID.String() }

// NeedsReason reports whether validating passes over something, so that the page asks for a reason first.
func (r queueRow) NeedsReason() bool { return r.Derogation != "" || r.NoConsent }

// ToDecide reports whether the registration waits for a decision.
func (r queueRow) ToDecide() bool { return r.State == enrol.ToValidate }

// staffQueue shows one list: ?state=, ?camp=, ?page=.
func (s *server) staffQueue(w http.ResponseWriter, r *http.Request) error {
	in := form.Query(r)
	q := staffLists[0]
	if i := slices.IndexFunc(staffLists, func(q staffList) bool { return q.name == in.Text("state") }); i >= 0 {
		q = staffLists[i]
	}
	campID := in.OptionalUUID("camp")
	number := 1
	if n, ok := in.Int("page"); ok && n > 1 && n < 100_000 {
		number = n
	}
	current := "/gestion/inscriptions"
	if slices.Contains([]string{"late", "waitlisted", "sheet"}, q.name) {
		current += "?state=" + q.name
	}
	base, _, err := s.staff(r, s.locale(r).T("staff.queue."+q.name), current)
	if err != nil {
		return err
	}
	p := &staffQueuePage{staffPage: base, Name: q.name, CanDecide: s.can(r, mayDecide)}
	if campID != nil {
		c, err := s.Camp.Camp(r.Context(), *campID)
		if err != nil {
			return err
		}
		p.Camp, p.Title = &c, p.Title+" · "+c.Name
	}
	address := func(state string, page int) string {
		v := url.Values{}
		if state != staffLists[0].name {
			v.Set("state", state)
		}
		if campID != nil {
			v.Set("camp", campID.String())
		}
		if page > 1 {
			v.Set("page", strconv.Itoa(page))
		}
		if len(v) == 0 {
			return "/gestion/inscriptions"
		}
		return "/gestion/inscriptions?" + v.Encode()
	}
	for _, tab := range staffLists {
		p.Tabs = append(p.Tabs, chip{URL: address(tab.name, 1), Text: p.L.T("staff.queue." + tab.name), On: tab.name == q.name})
	}
	from, where := joined(q.where+q.order), q.where
	of := ` AND r.camp_id = @camp`
	if q.name == "sheet" {
		from, of = sheetFrom, ` AND c.id = @camp`
	}
	if campID != nil {
		where += of
	}
	p.Rows, err = s.staffRowsFrom(r.Context(), p.L, from, where, q.order, pgx.NamedArgs{
		"camp": campID, "limit": queueSize, "offset": (number - 1) * queueSize, "counted": q.most + 1,
	})
	if err != nil {
		return err
	}
	if len(p.Rows) > 0 {
		p.Total = p.Rows[0].Total
	}
	if p.Total > q.most {
		p.Total, p.More = q.most, true
	}
	if number > 1 {
		p.Previous = address(q.name, number-1)
	}
	if number*queueSize < p.Total || p.More && len(p.Rows) == queueSize {
		p.Next = address(q.name, number+1)
	}
	return s.render(w, r, http.StatusOK, "staff/queue", p)
}

// joined are the tables that a condition and an order name: registration r, camp c, child k.
func joined(names string) string {
	from := `
		  FROM registration r`
	if strings.Contains(names, "c.") {
		from += `
		  JOIN camp c ON c.id = r.camp_id`
	}
	if strings.Contains(names, "k.") {
		from += `
		  JOIN child k ON k.id = r.child_id`
	}
	return from
}

// staffRows reads registrations with what the office must know of each. where and order are written in the
// program; args may hold @limit and @offset, and @now is there.
func (s *server) staffRows(ctx context.Context, l *locale.Locale, where, order string, args pgx.NamedArgs) ([]queueRow, error) {
	return s.staffRowsFrom(ctx, l, joined(where+order), where, order, args)
}

// staffRowsFrom is staffRows on given tables. The rows of the page are found first, with no more tables than that takes
// and in the order of an index where there is one; only these rows are dressed.
func (s *server) staffRowsFrom(ctx context.Context, l *locale.Locale, from, where, order string, args pgx.NamedArgs) ([]queueRow, error) {
	args["now"] = s.Now()
	if args["limit"] == nil {
		args["limit"], args["offset"] = 500, 0
	}
	if args["counted"] == nil {
		args["counted"] = mostCounted + 1
	}
	from += `
		  WHERE ` + where + `
		  ORDER BY ` + order
	rows, err := s.DB.Query(ctx, `
		WITH page AS MATERIALIZED (
		  SELECT r.id`+from+`
		  LIMIT @limit
		  OFFSET @offset
		)
		SELECT r.id, r.child_id, k.first_name, k.last_name, k.birth_date, r.camp_id, c.name AS camp_name, c.age_min, c.age_max, c.levels, c.sheet_days,
		  COALESCE((SELECT min(x.day) FROM camp_session x WHERE x.camp_id = c.id AND x.state <> 'cancelled'),
		    (c.begins_at AT TIME ZONE 'Europe/Brussels')::date) AS first_day,
		  btrim(g.first_name || ' ' || g.last_name) AS payer,
		  r.state, r.state_since, r.due_at, r.waiting_since, r.stop_out_id, r.stop_back_id, r.remark, r.derogation,
		  (SELECT count(DISTINCT t.direction)::int FROM leg JOIN trip t ON t.id = leg.trip_id WHERE leg.registration_id = r.id) AS legs,
		  (SELECT count(*)::int FROM (SELECT 1`+from+` LIMIT @counted) x) AS total
		FROM page p
		JOIN registration r ON r.id = p.id
		JOIN camp c ON c.id = r.camp_id
		JOIN child k ON k.id = r.child_id
		JOIN guardian g ON g.id = r.payer_id
		ORDER BY `+order, args)
	if err != nil {
		return nil, fmt.Errorf("reading registrations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[queueRow])
	if err != nil {
		return nil, fmt.Errorf("reading registrations: %w", err)
	}
	return list, s.staffPoints(ctx, l, list)
}

// staffPoints adds level, age and what there is to know to each registration.
func (s *server) staffPoints(ctx context.Context, l *locale.Locale, list []queueRow) error {
	ids, own := make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	years := map[int][]uuid.UUID{}
	for i, r := range list {
		ids[i], own[i] = r.ChildID, r.ID
		year := civil.SchoolYear(r.FirstDay)
		years[year] = append(years[year], r.ChildID)
	}
	sheets, err := medical.Statuses(ctx, s.DB, ids)
	if err != nil {
		return err
	}
	levels := map[int]map[uuid.UUID]string{}
	for year, children := range years {
		if levels[year], err = household.LevelsIn(ctx, s.DB, children, year); err != nil {
			return err
		}
	}
	waits, err := s.Enrol.AwaitedAmong(ctx, s.DB, own)
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		r.NoConsent = waits[r.ID]
		r.Level, r.Age = levels[civil.SchoolYear(r.FirstDay)][r.ChildID], civil.AgeOn(r.BirthDate, r.FirstDay)
		fresh := sheets[r.ChildID].FreshOn(r.FirstDay, r.SheetDays)
		r.Points = staffPointsOf(l, *r, fresh)
	}
	return nil
}

// staffPointsOf is what the office weighs for one registration: age and level against the camp, the sheet, the bus.
func staffPointsOf(l *locale.Locale, r queueRow, fresh bool) []staffPoint {
	var points []staffPoint
	reasons := enrol.Eligible(enrol.Facts{
		Camp: camp.Camp{AgeMin: r.AgeMin, AgeMax: r.AgeMax, Levels: r.Levels}, Sessions: []camp.Session{{Day: r.FirstDay}},
		Birth: r.BirthDate, Level: r.Level, Fresh: fresh,
	})
	for _, why := range reasons {
		switch why.Rule {
		case "age":
			points = append(points, staffPoint{"stop", l.T("staff.point.age", r.Age)})
		case "level":
			points = append(points, staffPoint{"stop", l.T("staff.point.level", staffDash(r.Level))})
		}
	}
	if fresh {
		points = append(points, staffPoint{"ok", l.T("staff.point.sheet")})
	} else {
		points = append(points, staffPoint{"wait", l.T("staff.point.no_sheet")})
	}
	wanted := 0
	for _, stop := range []*uuid.UUID{r.StopOutID, r.StopBackID} {
		if stop != nil {
			wanted++
		}
	}
	switch {
	case wanted > 0 && (r.Legs >= wanted || !r.State.Info().Place):
		points = append(points, staffPoint{"ok", l.N("staff.point.bus", wanted)})
	case wanted > 0:
		points = append(points, staffPoint{"stop", l.T("staff.point.no_bus")})
	}
	if r.NoConsent {
		points = append(points, staffPoint{"wait", l.T("staff.point.no_consent")})
	}
	if r.Derogation != "" {
		points = append(points, staffPoint{"info", l.T("staff.point.derogation")})
	}
	if r.Remark != "" {
		points = append(points, staffPoint{"info", l.T("staff.point.remark")})
	}
	return points
}

func staffDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
