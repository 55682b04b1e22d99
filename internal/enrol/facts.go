package enrol

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
)

// Fits returns the reasons for one child in each of the camps, without a ticket chosen. The caller has checked that
// the child may be seen.
func (s *Store) Fits(ctx context.Context, childID uuid.UUID, campIDs []uuid.UUID) (map[uuid.UUID][]Reason, error) {
	return s.fits(ctx, childID, uuid.Nil, campIDs)
}

// fits is Fits without one of the child's registrations.
func (s *Store) fits(ctx context.Context, childID, except uuid.UUID, campIDs []uuid.UUID) (map[uuid.UUID][]Reason, error) {
	fits := make(map[uuid.UUID][]Reason, len(campIDs))
	child, err := s.childFacts(ctx, s.DB, childID, except)
	if err != nil {
		return nil, err
	}
	camps, err := campFacts(ctx, s.DB, campIDs)
	if err != nil {
		return nil, err
	}
	for _, c := range camps {
		f, err := s.combine(ctx, s.DB, child, c)
		if err != nil {
			return nil, err
		}
		fits[c.camp.ID] = Eligible(f)
	}
	return fits, nil
}

// facts loads everything that Eligible weighs for one child, camp and ticket; except is a registration of the child
// that does not count as another one.
func (s *Store) facts(ctx context.Context, q db.Querier, childID, campID, except uuid.UUID, ticketID *uuid.UUID) (Facts, error) {
	child, err := s.childFacts(ctx, q, childID, except)
	if err != nil {
		return Facts{}, err
	}
	camps, err := campFacts(ctx, q, []uuid.UUID{campID})
	if err != nil {
		return Facts{}, err
	}
	if len(camps) == 0 {
		return Facts{}, problem.NotFound("camp.not_found")
	}
	f, err := s.combine(ctx, q, child, camps[0])
	if err != nil {
		return f, err
	}
	if except != uuid.Nil {
		if f.Overridden, err = overrides(ctx, q, except); err != nil {
			return f, err
		}
	}
	f.Ticket, err = chooseTicket(ctx, q, campID, ticketID)
	return f, err
}

// overrides returns the rules that staff let a registration pass.
func overrides(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT rule
		FROM registration_override
		WHERE registration_id = @id`,
		pgx.NamedArgs{"id": registrationID})
	if err != nil {
		return nil, fmt.Errorf("reading the overrides of registration %s: %w", registrationID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// chooseTicket returns the ticket asked for. A camp with tickets needs one; with a single one it goes without saying.
func chooseTicket(ctx context.Context, q db.Querier, campID uuid.UUID, ticketID *uuid.UUID) (*camp.Ticket, error) {
	tickets, err := camp.TicketsOf(ctx, q, campID)
	if err != nil {
		return nil, err
	}
	var offered []camp.Ticket
	for _, t := range tickets {
		if ticketID != nil && t.ID == *ticketID {
			return &t, nil
		}
		if !t.Withdrawn {
			offered = append(offered, t)
		}
	}
	var f problem.Fields
	switch {
	case ticketID != nil:
		f.Add("ticket", "registration.formula_unknown")
	case len(offered) == 1:
		return &offered[0], nil
	case len(offered) > 1:
		f.Add("ticket", "registration.formula_needed")
	}
	return nil, f.Err()
}

// childFacts is what is known of a child whatever the camp.
type childFacts struct {
	id       uuid.UUID
	birth    civil.Date
	sheet    medical.Status
	levels   map[int]string // by school year, as they are asked for
	busy     []busyAt
	resident bool
}

type busyAt struct {
	CampID   uuid.UUID
	State    State
	CampName string
	Day      *civil.Date
	Starts   *int
	Ends     *int
}

func (s *Store) childFacts(ctx context.Context, q db.Querier, childID, except uuid.UUID) (childFacts, error) {
	c := childFacts{id: childID, levels: map[int]string{}}
	err := q.QueryRow(ctx, `
		SELECT birth_date
		FROM child
		WHERE id = @id`,
		pgx.NamedArgs{"id": childID}).Scan(&c.birth)
	if err != nil {
		return c, fmt.Errorf("reading child %s: %w", childID, err)
	}
	statuses, err := medical.Statuses(ctx, q, []uuid.UUID{childID})
	if err != nil {
		return c, err
	}
	c.sheet = statuses[childID]
	if c.resident, err = resident(ctx, q, childID); err != nil {
		return c, err
	}
	rows, err := q.Query(ctx, `
		SELECT c.id AS camp_id, r.state, c.name AS camp_name, s.day,
		  (EXTRACT(EPOCH FROM s.starts) / 60)::int AS starts,
		  (EXTRACT(EPOCH FROM s.ends) / 60)::int AS ends
		FROM registration r
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN camp_session s ON s.camp_id = c.id AND s.state <> 'cancelled'
		WHERE r.child_id = @child
		  AND r.id <> @except
		  AND r.state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')
		ORDER BY s.day, s.starts`,
		pgx.NamedArgs{"child": childID, "except": except})
	if err != nil {
		return c, fmt.Errorf("reading where child %s is expected: %w", childID, err)
	}
	c.busy, err = pgx.CollectRows(rows, pgx.RowToStructByName[busyAt])
	if err != nil {
		return c, fmt.Errorf("reading where child %s is expected: %w", childID, err)
	}
	return c, nil
}

// resident reports whether one of the child's homes has a postcode of the commune.
func resident(ctx context.Context, q db.Querier, childID uuid.UUID) (yes bool, err error) {
	codes, err := camp.Setting(ctx, q, "commune.postcodes")
	if err != nil {
		return false, err
	}
	err = q.QueryRow(ctx, `
		SELECT EXISTS (
		  SELECT 1
		  FROM household_child hc
		  JOIN guardian g ON g.household_id = hc.household_id
		  WHERE hc.child_id = @child
		    AND g.postcode = ANY(@codes)
		)`,
		pgx.NamedArgs{"child": childID, "codes": strings.Fields(codes)}).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("reading where child %s lives: %w", childID, err)
	}
	return yes, nil
}

type campWithSessions struct {
	camp     camp.Camp
	sessions []camp.Session
	policy   camp.Policy
	season   camp.Season
}

func campFacts(ctx context.Context, q db.Querier, ids []uuid.UUID) ([]campWithSessions, error) {
	camps, err := camp.ReadAll(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	sessions, err := camp.SessionsOfAll(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	policies, err := camp.Policies(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	seasons, err := camp.Seasons(ctx, q)
	if err != nil {
		return nil, err
	}
	all := make([]campWithSessions, len(camps))
	for i, c := range camps {
		all[i].camp, all[i].policy = c, policies[c.ID]
		day := civil.DateOf(c.BeginsAt, c.TimeZone())
		for _, season := range seasons {
			if !day.Before(season.FirstDay) && !day.After(season.LastDay) {
				all[i].season = season
			}
		}
		for _, s := range sessions[c.ID] {
			if s.State != "cancelled" {
				all[i].sessions = append(all[i].sessions, s)
			}
		}
	}
	return all, nil
}

func (s *Store) combine(ctx context.Context, q db.Querier, child childFacts, c campWithSessions) (Facts, error) {
	f := Facts{At: s.Now(), Camp: c.camp, Sessions: c.sessions, Birth: child.birth, Policy: c.policy, Season: c.season, Resident: child.resident}
	for _, b := range child.busy {
		if b.CampID == c.camp.ID {
			f.Once = true
			continue
		}
		f.meet(b)
	}
	f.Fresh = child.sheet.FreshOn(f.FirstDay(), c.camp.SheetDays)
	year := civil.SchoolYear(f.FirstDay())
	level, known := child.levels[year]
	if !known {
		var err error
		if level, err = household.LevelIn(ctx, q, child.id, year); err != nil {
			return f, err
		}
		child.levels[year] = level
	}
	f.Level = level
	return f, nil
}

// meet adds one session at which the child is expected in another camp.
func (f *Facts) meet(b busyAt) {
	if b.Day != nil {
		f.Busy = append(f.Busy, Busy{CampName: b.CampName, Day: *b.Day, Starts: *b.Starts, Ends: *b.Ends})
	}
	if slices.Contains(f.Elsewhere, b.CampID) {
		return
	}
	f.Elsewhere = append(f.Elsewhere, b.CampID)
	if b.State == Confirmed || b.State == Completed {
		f.Going = append(f.Going, b.CampID)
	}
	if b.Day != nil && f.Season.ID != uuid.Nil && !b.Day.Before(f.Season.FirstDay) && !b.Day.After(f.Season.LastDay) {
		f.InSeason++
	}
}

// bars keeps the bars of some reasons, as the problems of a form.
func bars(reasons []Reason) error {
	var f problem.Fields
	for _, r := range reasons {
		if r.Bar {
			f.Add("camp", r.Code, r.Args...)
		}
	}
	return f.Err()
}

// withoutWindow drops the reasons that only concern when a request may be made: they do not hold against a family
// that asked in time and was offered a place later.
func withoutWindow(reasons []Reason) []Reason {
	return slices.DeleteFunc(slices.Clone(reasons), func(r Reason) bool {
		return r.Rule == "ticket" || r.Rule == "audience" || r.Rule == "window" && (r.Code == "eligible.closed" || r.Code == "eligible.opens_later")
	})
}
