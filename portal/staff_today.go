package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/medical"
)

// staffTodayPage is what waits today: one line a queue, with its number and the age of its oldest.
type staffTodayPage struct {
	staffPage
	Queues []queueLine
	Camps  []campToday
	Odoo   odooState
}

// queueLine is one thing to decide.
type queueLine struct {
	URL, Text, Hint string
	Count           int
	Age             string // of the oldest; "" when there is none
}

// campToday is a camp that takes place today.
type campToday struct {
	campRow
	Present int
	Marked  int
}

// odooState is how the mirror stands.
type odooState struct {
	Used         bool // something was ever read from an Odoo
	PulledAt     *time.Time
	Unmirrored   int
	OldestUnsent *time.Time
	Drift        int // differences that the last comparison found
	Tag, Text    string
}

// staffToday shows the queues, the camps of the day and the state of the link with Odoo.
func (s *server) staffToday(w http.ResponseWriter, r *http.Request) error {
	base, q, err := s.staff(r, s.locale(r).T("staff.today.title"), "/gestion/")
	if err != nil {
		return err
	}
	p := &staffTodayPage{staffPage: base}
	sheets, err := s.missingSheets(r.Context())
	if err != nil {
		return err
	}
	line := func(url, key string, n int, since *time.Time) {
		one := queueLine{URL: url, Text: p.L.N("staff.today."+key, n), Hint: p.L.T("staff.today." + key + "_hint"), Count: n}
		if n > 0 && since != nil {
			one.Age = p.Age(*since)
		}
		p.Queues = append(p.Queues, one)
	}
	line("/gestion/inscriptions", "decide", q.ToDecide, q.DecideSince)
	line("/gestion/inscriptions?state=late", "late", q.Late, q.LateSince)
	line("/gestion/inscriptions?state=waitlisted", "waiting", q.Waiting, q.WaitingSince)
	line("/gestion/inscriptions?state=sheet", "sheets", min(sheets, mostSheets), nil)
	if sheets > mostSheets {
		p.Queues[len(p.Queues)-1].Text = p.L.T("staff.today.sheets_more")
	}
	line("/gestion/taches", "tasks", q.Tasks, q.TasksSince)
	line("/gestion/taches?kind=odoo", "odoo", q.OdooRefusals, q.OdooRefusedFor)
	if p.Odoo, err = s.odooState(r.Context(), p.staffPage); err != nil {
		return err
	}
	if p.Camps, err = s.campsToday(r.Context()); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/today", p)
}

// sheetFrom are the camps c and their registrations r whose child has a place and a medical sheet that does not count
// for the camp. Camps are taken one by one (OFFSET 0 and IS NOT TRUE keep it so), and each child is looked up: a list
// that begins with the next camps stops when it is long enough, instead of comparing with all confirmations of all years.
var sheetFrom = `
		  FROM camp c
		  CROSS JOIN LATERAL (
		    SELECT q.id
		    FROM registration q
		    WHERE q.camp_id = c.id
		      AND q.state IN ('to_validate', 'validated', 'awaiting_payment', 'offered', 'confirmed')
		      AND (` + medical.FreshSQL("q.child_id", "(c.begins_at AT TIME ZONE 'Europe/Brussels')::date", "c.sheet_days") + `) IS NOT TRUE
		    OFFSET 0) r`

// missingSheets counts the sheets that are missing, up to one more than mostSheets; the next camps come first.
func (s *server) missingSheets(ctx context.Context) (n int, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT count(*)::int
		FROM (
		  SELECT 1`+sheetFrom+`
		  WHERE c.begins_at > @now
		  ORDER BY c.begins_at, c.id
		  LIMIT @counted) x`,
		pgx.NamedArgs{"now": s.Now(), "counted": mostSheets + 1}).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting the missing sheets: %w", err)
	}
	return n, nil
}

// quietPull is how old the last pull may be before the office is told that Odoo does not answer: the schedule pulls
// every minute.
const quietPull = 10 * time.Minute

func (s *server) odooState(ctx context.Context, p staffPage) (odooState, error) {
	var o odooState
	err := s.DB.QueryRow(ctx, `
		SELECT
		  EXISTS (SELECT 1 FROM odoo_cursor) OR EXISTS (SELECT 1 FROM odoo_link),
		  (SELECT max(pulled_at) FROM odoo_cursor),
		  (SELECT count(*)::int FROM odoo_drift WHERE solved_at IS NULL),
		  u.n, u.since
		FROM (
		  SELECT count(*)::int AS n, min(updated_at) AS since
		  FROM registration
		  WHERE version > mirrored_version
		    AND (state <> 'waitlisted' OR mirrored_version > 0)
		) u`).Scan(&o.Used, &o.PulledAt, &o.Drift, &o.Unmirrored, &o.OldestUnsent)
	if err != nil {
		return o, fmt.Errorf("reading the state of the mirror: %w", err)
	}
	switch {
	case !o.Used:
		o.Tag, o.Text = "", p.L.T("staff.odoo.unused")
	case o.PulledAt == nil:
		o.Tag, o.Text = "wait", p.L.T("staff.odoo.never")
	case p.Now.Sub(*o.PulledAt) > quietPull:
		o.Tag, o.Text = "stop", p.L.T("staff.odoo.silent", p.L.Ago(*o.PulledAt, p.Now))
	default:
		o.Tag, o.Text = "ok", p.L.T("staff.odoo.fresh", p.L.Ago(*o.PulledAt, p.Now))
	}
	return o, nil
}

func (s *server) campsToday(ctx context.Context) ([]campToday, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.name, c.location,
		  (SELECT count(*)::int FROM registration r WHERE r.camp_id = c.id AND r.state IN ('confirmed', 'completed')) AS confirmed,
		  (SELECT count(*)::int FROM attendance a JOIN camp_session x ON x.id = a.session_id
		   WHERE x.camp_id = c.id AND x.day = @today AND a.present) AS present,
		  (SELECT count(*)::int FROM attendance a JOIN camp_session x ON x.id = a.session_id
		   WHERE x.camp_id = c.id AND x.day = @today) AS marked
		FROM camp c
		WHERE EXISTS (SELECT 1 FROM camp_session x WHERE x.camp_id = c.id AND x.day = @today AND x.state <> 'cancelled')
		ORDER BY c.name, c.id`,
		pgx.NamedArgs{"today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of today: %w", err)
	}
	camps, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[campToday])
	if err != nil {
		return nil, fmt.Errorf("reading the camps of today: %w", err)
	}
	return camps, nil
}
