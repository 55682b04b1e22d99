package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
	"ribambelle/portal/form"
)

// staffCampsPage is the list of camps, those to come or those that are over.
type staffCampsPage struct {
	staffPage
	Past  bool
	Camps []campRow
}

// campRow is one camp with its figures.
type campRow struct {
	ID        uuid.UUID
	Name      string
	Location  string
	FirstDay  civil.Date
	LastDay   civil.Date
	Published bool
	Archived  bool
	Cancelled bool
	OpensAt   *time.Time
	Max       *int
	Held      int
	Taken     int // confirmed
	External  int
	Closed    bool
	ToDecide  int
	Waiting   int
	Confirmed int // registrations
}

// Pool returns the camp's capacity.
func (c campRow) Pool() place.Pool {
	return place.Pool{Max: c.Max, Held: c.Held, Confirmed: c.Taken, External: c.External, Closed: c.Closed}
}

// URL is the camp's page in the office.
func (c campRow) URL() string { return "/gestion/stages/" + c.ID.String() }

// staffCamps lists the camps in order of their beginning; ?passes=oui lists those that are over, the latest first.
func (s *server) staffCamps(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("staff.camps.title"), "/gestion/stages")
	if err != nil {
		return err
	}
	p := &staffCampsPage{staffPage: base, Past: form.Query(r).Checked("passes")}
	where, order := `c.ends_at >= @since`, `c.begins_at, c.name, c.id`
	if p.Past {
		where, order = `c.ends_at < @since`, `c.begins_at DESC, c.name, c.id`
	}
	p.Camps, err = s.campRows(r.Context(), where, order, pgx.NamedArgs{"since": s.Now().Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/camps", p)
}

// campRows reads camps with their figures; where and order are written in the program.
func (s *server) campRows(ctx context.Context, where, order string, args pgx.NamedArgs) ([]campRow, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.name, c.location, c.published, c.archived, c.cancelled, c.opens_at,
		  COALESCE(x.first_day, (c.begins_at AT TIME ZONE 'Europe/Brussels')::date) AS first_day,
		  COALESCE(x.last_day, (c.ends_at AT TIME ZONE 'Europe/Brussels')::date) AS last_day,
		  p.max, p.held, p.confirmed AS taken, p.external, p.closed,
		  r.to_decide, r.waiting, r.confirmed
		FROM camp c
		JOIN pool p ON p.id = c.pool_id
		CROSS JOIN LATERAL (
		  SELECT min(s.day) AS first_day, max(s.day) AS last_day
		  FROM camp_session s
		  WHERE s.camp_id = c.id
		    AND s.state <> 'cancelled'
		) x
		CROSS JOIN LATERAL (
		  SELECT (count(*) FILTER (WHERE g.state IN ('submitted', 'to_validate')))::int AS to_decide,
		    (count(*) FILTER (WHERE g.state = 'waitlisted'))::int AS waiting,
		    (count(*) FILTER (WHERE g.state IN ('confirmed', 'completed')))::int AS confirmed
		  FROM registration g
		  WHERE g.camp_id = c.id
		) r
		WHERE `+where+`
		ORDER BY `+order+`
		LIMIT 500`, args)
	if err != nil {
		return nil, fmt.Errorf("reading the camps: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[campRow])
	if err != nil {
		return nil, fmt.Errorf("reading the camps: %w", err)
	}
	return list, nil
}

// staffPlaces closes a camp to new requests, or opens it again; how many places there are is Odoo's to say.
func (s *server) staffPlaces(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	c, err := s.Camp.Camp(r.Context(), id)
	if err != nil {
		return err
	}
	closed := f.Text("closed") == "oui"
	actor, _ := s.actorOf(r)
	err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		if _, err := place.SetClosed(ctx, tx, c.PoolID, closed); err != nil {
			return err
		}
		return s.note(ctx, tx, actor, "camp.places_closed", "camp", id, map[string]any{"closed": closed})
	})
	if err != nil {
		return err
	}
	if closed {
		s.flash(w, "flash.camp_closed")
	} else {
		s.flash(w, "flash.camp_reopened")
	}
	return seeOther(w, r, "/gestion/stages/"+id.String())
}
