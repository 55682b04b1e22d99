package portal

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// rushLivePage shows the office how an opening goes, camp by camp.
type rushLivePage struct {
	staffPage
	Queue    int // browsers that wait for their turn
	Longest  int // minutes that the first of them has waited
	Rate     int // turns called in the last minute
	Requests int // requests received in the last minute
	Prepared int // lines that lie in baskets
	Camps    []rushCamp
	At       string // the server's time, in words
}

// rushCamp is one camp of the opening.
type rushCamp struct {
	ID       uuid.UUID
	Name     string
	OpensAt  *time.Time
	Later    bool // not open yet
	Prepared int  // lines in baskets
	Requests int  // ever received
	Minute   int  // received in the last minute
	Max      *int
	Free     *int
	Waiting  int
}

// URL is the camp's page in the office.
func (c rushCamp) URL() string { return "/gestion/stages/" + c.ID.String() }

// refreshLive is how often the live page looks for itself, in seconds.
const refreshLive = 5

// rushLive shows the opening as it goes.
func (s *server) rushLive(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("rush.live"), "/gestion/ouverture")
	if err != nil {
		return err
	}
	p := &rushLivePage{staffPage: base, At: base.L.Time(s.Now())}
	if err := s.rushFigures(r.Context(), p); err != nil {
		return err
	}
	if p.Camps, err = s.rushCamps(r.Context()); err != nil {
		return err
	}
	for _, c := range p.Camps {
		p.Requests += c.Minute
		p.Prepared += c.Prepared
	}
	// The page is looked at, not typed on: it follows the opening by itself.
	w.Header().Set("Refresh", strconv.Itoa(refreshLive))
	return s.render(w, r, http.StatusOK, "rush/live", p)
}

func (s *server) rushFigures(ctx context.Context, p *rushLivePage) error {
	now := s.Now()
	var first *time.Time
	err := s.DB.QueryRow(ctx, `
		SELECT q.waiting, q.first, (SELECT count(*)::int FROM waiting_turn WHERE served_at > @minute)
		FROM (
		  SELECT count(*)::int AS waiting, min(arrived_at) AS first
		  FROM waiting_turn
		  WHERE served_at IS NULL
		    AND seen_at > @alive) q`,
		pgx.NamedArgs{"alive": now.Add(-turnAlive), "minute": now.Add(-time.Minute)}).Scan(&p.Queue, &first, &p.Rate)
	if err != nil {
		return fmt.Errorf("reading the queue: %w", err)
	}
	if first != nil {
		p.Longest = int(now.Sub(*first) / time.Minute)
	}
	return nil
}

// rushCamps returns the camps that open within a week or opened within a day, or all that are still open when there
// is no such one; those with most requests of late first.
func (s *server) rushCamps(ctx context.Context) ([]rushCamp, error) {
	rows, err := s.DB.Query(ctx, `
		WITH shown AS (
		  SELECT c.id, c.name, c.pool_id, c.begins_at,
		    COALESCE((SELECT min(a.opens_at) FROM camp_audience a WHERE a.camp_id = c.id), c.opens_at) AS opens_at
		  FROM camp c
		  WHERE c.published
		    AND NOT c.archived
		    AND NOT c.cancelled
		    AND c.begins_at > @now
		), near AS (
		  SELECT id
		  FROM shown
		  WHERE opens_at BETWEEN @now::timestamptz - interval '1 day' AND @now::timestamptz + interval '7 days'
		)
		SELECT c.id, c.name, c.opens_at, COALESCE(c.opens_at > @now, false) AS later,
		  (SELECT count(*)::int FROM basket_line l WHERE l.camp_id = c.id) AS prepared,
		  r.requests, r.minute, r.waiting, p.max,
		  CASE WHEN p.closed THEN 0 WHEN p.max IS NOT NULL THEN GREATEST(0, p.max - p.held - p.confirmed - p.external) END AS free
		FROM shown c
		JOIN pool p ON p.id = c.pool_id
		CROSS JOIN LATERAL (
		  SELECT count(*)::int AS requests, (count(*) FILTER (WHERE created_at > @minute))::int AS minute,
		    (count(*) FILTER (WHERE state = 'waitlisted'))::int AS waiting
		  FROM registration
		  WHERE camp_id = c.id) r
		WHERE c.id IN (SELECT id FROM near)
		   OR NOT EXISTS (SELECT 1 FROM near)
		ORDER BY r.minute DESC, c.opens_at, c.begins_at, c.name, c.id
		LIMIT 100`,
		pgx.NamedArgs{"now": s.Now(), "minute": s.Now().Add(-time.Minute)})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of the opening: %w", err)
	}
	camps, err := pgx.CollectRows(rows, pgx.RowToStructByName[rushCamp])
	if err != nil {
		return nil, fmt.Errorf("reading the camps of the opening: %w", err)
	}
	return camps, nil
}
