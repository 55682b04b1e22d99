package portal

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
)

// offer is one camp as the catalogue, the calendar and the JSON interface show it.
type offer struct {
	ID        uuid.UUID
	Name      string
	Location  string
	Levels    []string
	Themes    []string
	AgeMin    *int
	AgeMax    *int
	BeginsAt  time.Time
	EndsAt    time.Time
	OpensAt   *time.Time
	ClosesAt  *time.Time
	FirstDay  civil.Date
	LastDay   civil.Date
	Days      int // days with at least one session
	Starts    int // minutes after midnight: the earliest session's begin
	Ends      int // minutes after midnight: the latest session's end
	FromCents civil.Cents
	Prices    int  // different prices
	Free      *int // places left; nil is unlimited
	Waiting   int  // children on the waiting list
	Bus       bool
	Mine      bool // the child that the filter is about has a place or asked for one
	Liked     int  // themes that the child likes
	Total     int  // offers that the filter lets through, on all pages

	Openings []camp.Opening `db:"-"` // by audience, the earliest first; see openFor
	Shut     bool           `db:"-"` // never opens for the family that looks
}

// Slug is the readable part of the camp's address.
func (o offer) Slug() string { return camp.Slug(o.Name) }

// URL is the camp's address in the portal.
func (o offer) URL() string { return campURL(o.ID, o.Name) }

// Picture names the drawing that goes with the camp's themes.
func (o offer) Picture() string { return picture(o.Themes, o.Name) }

// Full reports whether no place is left.
func (o offer) Full() bool { return o.Free != nil && *o.Free == 0 }

// Few reports whether so few places are left that the number matters.
func (o offer) Few() bool { return o.Free != nil && *o.Free > 0 && *o.Free <= fewPlaces }

const fewPlaces = 5

// OpenAt reports whether families may ask for a place at t.
func (o offer) OpenAt(t time.Time) bool { return !o.Shut && !o.Later(t) && t.Before(o.Closes()) }

// Later reports whether registrations open after t.
func (o offer) Later(t time.Time) bool { return o.OpensAt != nil && t.Before(*o.OpensAt) }

// Closes is the instant from which requests are no longer taken.
func (o offer) Closes() time.Time {
	if o.ClosesAt != nil && o.ClosesAt.Before(o.BeginsAt) {
		return *o.ClosesAt
	}
	return o.BeginsAt
}

func campURL(id uuid.UUID, name string) string {
	slug := camp.Slug(name)
	if slug == "" {
		slug = "stage"
	}
	return "/stages/" + id.String() + "-" + slug
}

// filter is what a visitor asks of the catalogue; the zero filter is everything that is still to come.
type filter struct {
	Level string // "" is any
	Age   int    // -1 is any
	Theme string
	Week  civil.Date // its Monday
	Free  bool       // only camps with a place left
	Bus   bool
	Child *childFit
	ID    *uuid.UUID // one camp alone
	Page  int        // from 1
	Size  int
}

// childFit is what is needed of a child to leave out what does not fit.
type childFit struct {
	ID        uuid.UUID
	FirstName string
	Birth     civil.Date
	Interests []string
	Levels    []yearLevel
}

// yearLevel is a child's level in one school year, given by its first day and that of the next.
type yearLevel struct {
	From, Until civil.Date
	Level       string
}

// offers reads the published coming camps that the filter lets through: for a child, those with most of its interests
// first, then by date.
//
// A camp may ask for levels, for ages, or for both. A filter by level also asks whether a child of that level usually has
// an age that the camp takes, and the other way round: level i of civil.Levels is usually reached at i+2 to i+4 years,
// holidays included.
func (s *server) offers(ctx context.Context, f filter) ([]offer, error) {
	args := pgx.NamedArgs{
		"now": s.Now(), "level": f.Level, "level_index": civil.LevelIndex(f.Level), "age": f.Age, "theme": f.Theme, "week": f.Week,
		"free": f.Free, "bus": f.Bus, "id": f.ID, "all_levels": civil.Levels,
		"child": nil, "birth": civil.Date{}, "interests": []string{}, "year_from": []civil.Date{}, "year_until": []civil.Date{}, "year_level": []string{},
		"limit": f.Size, "offset": (max(f.Page, 1) - 1) * f.Size,
	}
	if c := f.Child; c != nil {
		args["child"], args["birth"], args["interests"] = c.ID, c.Birth, append([]string{}, c.Interests...)
		var from, until []civil.Date
		var levels []string
		for _, y := range c.Levels {
			from, until, levels = append(from, y.From), append(until, y.Until), append(levels, y.Level)
		}
		args["year_from"], args["year_until"], args["year_level"] = from, until, levels
	}
	rows, err := s.DB.Query(ctx, `
		WITH offer AS (
		  SELECT c.id, c.name, c.location, c.levels, c.themes, c.age_min, c.age_max, c.begins_at, c.ends_at, c.opens_at, c.closes_at,
		    s.first_day, s.last_day, s.days, s.starts, s.ends,
		    a.from_cents * CASE c.price_unit WHEN 'day' THEN s.days WHEN 'session' THEN s.sessions ELSE 1 END AS from_cents,
		    a.prices,
		    LEAST(
		      CASE WHEN p.closed THEN 0 WHEN p.max IS NOT NULL THEN GREATEST(0, p.max - p.held - p.confirmed - p.external) END,
		      t.free) AS free,
		    (SELECT count(*)::int FROM registration r WHERE r.camp_id = c.id AND r.state = 'waitlisted') AS waiting,
		    EXISTS (SELECT 1 FROM camp_line l WHERE l.camp_id = c.id) AS bus,
		    EXISTS (
		      SELECT 1
		      FROM registration r
		      WHERE r.camp_id = c.id
		        AND r.child_id = @child::uuid
		        AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')) AS mine,
		    cardinality(ARRAY(SELECT unnest(c.themes) INTERSECT SELECT unnest(@interests::text[]))) AS liked
		  FROM camp c
		  JOIN pool p ON p.id = c.pool_id
		  CROSS JOIN LATERAL (
		    SELECT min(day) AS first_day, max(day) AS last_day, count(DISTINCT day)::int AS days, count(*)::int AS sessions,
		      (EXTRACT(EPOCH FROM min(starts)) / 60)::int AS starts,
		      (EXTRACT(EPOCH FROM max(ends)) / 60)::int AS ends
		    FROM camp_session
		    WHERE camp_id = c.id
		      AND state <> 'cancelled') s
		  LEFT JOIN LATERAL (
		    -- A camp with tickets is sold by them: their cheapest price, and the sum of their places unless one is unlimited.
		    SELECT
		      CASE WHEN bool_and(places IS NOT NULL) THEN sum(places)::int END AS free
		    FROM (
		      SELECT CASE WHEN tp.closed THEN 0 WHEN tp.max IS NOT NULL THEN GREATEST(0, tp.max - tp.held - tp.confirmed - tp.external) END AS places
		      FROM ticket k
		      JOIN pool tp ON tp.id = k.pool_id
		      WHERE k.camp_id = c.id
		        AND NOT k.withdrawn) each) t ON true
		  CROSS JOIN LATERAL (
		    -- What each audience that needs no proof pays for each ticket, as internal/tariff says it.
		    SELECT min(x.price) AS from_cents, count(DISTINCT x.price)::int AS prices
		    FROM (
		      SELECT COALESCE(mine.cents, CASE WHEN NOT k.own THEN whole.cents END, (k.price * u.percent + 50) / 100) AS price
		      FROM (
		        SELECT o.id, COALESCE(o.set_cents, NULLIF(o.odoo_cents, 0), c.price_cents) AS price, COALESCE(o.set_cents, NULLIF(o.odoo_cents, 0)) IS NOT NULL AS own
		        FROM ticket o
		        WHERE o.camp_id = c.id
		          AND NOT o.withdrawn
		        UNION ALL
		        SELECT NULL, c.price_cents, false
		        WHERE NOT EXISTS (SELECT 1 FROM ticket o WHERE o.camp_id = c.id AND NOT o.withdrawn)) k
		      CROSS JOIN audience u
		      LEFT JOIN camp_price mine ON mine.camp_id = c.id AND mine.ticket_id = k.id AND mine.audience = u.code
		      LEFT JOIN camp_price whole ON whole.camp_id = c.id AND whole.ticket_id IS NULL AND whole.audience = u.code
		      WHERE u.ended_at IS NULL
		        AND u.rule <> 'verified') x) a
		  WHERE c.published
		    AND NOT c.archived
		    AND NOT c.cancelled
		    AND c.ends_at > @now
		    AND s.days > 0
		    AND (@id::uuid IS NULL OR c.id = @id)
		    AND (@theme = '' OR @theme = ANY(c.themes))
		    AND (@level = ''
		      OR ((cardinality(c.levels) = 0 OR @level = ANY(c.levels))
		        AND COALESCE(c.age_min <= @level_index + 4, true) AND COALESCE(c.age_max >= @level_index + 2, true)))
		    AND (@age < 0
		      OR (COALESCE(c.age_min <= @age, true) AND COALESCE(c.age_max >= @age, true)
		        AND (cardinality(c.levels) = 0
		          OR c.levels && (@all_levels::text[])[GREATEST(1, @age - 3):GREATEST(0, @age - 1)])))
		    AND (@week::date IS NULL
		      OR EXISTS (
		        SELECT 1
		        FROM camp_session w
		        WHERE w.camp_id = c.id
		          AND w.state <> 'cancelled'
		          AND w.day BETWEEN @week::date AND @week::date + 6))
		    AND (@child::uuid IS NULL
		      OR (COALESCE(date_part('year', age(s.first_day, @birth::date)) >= c.age_min, true)
		        AND COALESCE(date_part('year', age(s.first_day, @birth::date)) <= c.age_max, true)
		        AND (cardinality(c.levels) = 0
		          OR EXISTS (
		            SELECT 1
		            FROM unnest(@year_from::date[], @year_until::date[], @year_level::text[]) AS y (f, u, l)
		            WHERE s.first_day >= y.f
		              AND s.first_day < y.u
		              AND y.l = ANY(c.levels)))
		        AND NOT EXISTS (
		          SELECT 1
		          FROM registration r
		          JOIN camp_session a ON a.camp_id = r.camp_id AND a.state <> 'cancelled'
		          JOIN camp_session b ON b.camp_id = c.id AND b.state <> 'cancelled' AND b.day = a.day AND b.starts < a.ends AND a.starts < b.ends
		          WHERE r.child_id = @child::uuid
		            AND r.camp_id <> c.id
		            AND r.state NOT IN ('waitlisted', 'refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled'))))
		)
		SELECT id, name, location, levels, themes, age_min, age_max, begins_at, ends_at, opens_at, closes_at, first_day, last_day, days, starts, ends,
		  from_cents, prices, free, waiting, bus, mine, liked, (count(*) OVER ())::int AS total
		FROM offer
		WHERE (NOT @free OR free IS NULL OR free > 0)
		  AND (NOT @bus OR bus)
		ORDER BY liked DESC, first_day, name, id
		LIMIT @limit
		OFFSET @offset`, args)
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[offer])
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return found, nil
}

// weeks returns the Mondays of the weeks in which a published camp is still to come, and themes what they are about.
func (s *server) weeksAndThemes(ctx context.Context) (weeks []civil.Date, themes []string, err error) {
	args := pgx.NamedArgs{"now": s.Now()}
	rows, err := s.DB.Query(ctx, `
		SELECT DISTINCT date_trunc('week', w.day)::date AS monday
		FROM camp c
		JOIN camp_session w ON w.camp_id = c.id AND w.state <> 'cancelled'
		WHERE c.published
		  AND NOT c.archived
		  AND NOT c.cancelled
		  AND c.ends_at > @now
		  AND w.day >= @now::date
		ORDER BY monday`, args)
	if err == nil {
		weeks, err = pgx.CollectRows(rows, pgx.RowTo[civil.Date])
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the weeks of the catalogue: %w", err)
	}
	rows, err = s.DB.Query(ctx, `
		SELECT DISTINCT unnest(themes) AS theme
		FROM camp
		WHERE published
		  AND NOT archived
		  AND NOT cancelled
		  AND ends_at > @now
		ORDER BY theme`, args)
	if err == nil {
		themes, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the themes of the catalogue: %w", err)
	}
	return weeks, themes, nil
}
