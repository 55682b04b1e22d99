package camp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The audiences for which a camp may open at different instants.
const (
	Residents = "resident"
	Everyone  = "everyone"
)

// Policy is who may come to a camp and how one leaves it.
type Policy struct {
	MinGap       int  // minutes that a child needs between two sessions, the way included
	Derogations  bool // a family may ask for an exception
	LeaveDays    int  // until when a family cancels by itself: days before the first session…
	LeaveWorking bool // …counted in working days
	LeaveMinute  int  // …at this minute of the day
	Openings     []Opening
	Requires     []Other
	Excludes     []Other
}

// Opening is when a camp opens for an audience.
type Opening struct {
	Audience string
	At       time.Time
}

// OpensFor returns when a camp opens for a family, nil for since its publication, and false when it never does. With
// openings by audience the earliest one that is the family's counts, and opensAt, the camp's own, does not.
func OpensFor(openings []Opening, opensAt *time.Time, resident bool) (*time.Time, bool) {
	if len(openings) == 0 {
		return opensAt, true
	}
	var first *time.Time
	for _, o := range openings {
		if (o.Audience == Everyone || resident) && (first == nil || o.At.Before(*first)) {
			first = &o.At
		}
	}
	return first, first != nil
}

// Openings returns when some camps open by audience, the earliest first; a camp that makes no difference has none.
func Openings(ctx context.Context, q db.Querier, campIDs []uuid.UUID) (map[uuid.UUID][]Opening, error) {
	all := make(map[uuid.UUID]Policy, len(campIDs))
	if err := openings(ctx, q, campIDs, all); err != nil {
		return nil, err
	}
	list := make(map[uuid.UUID][]Opening, len(all))
	for id, p := range all {
		list[id] = p.Openings
	}
	return list, nil
}

// Other is a camp that a rule names.
type Other struct {
	CampID uuid.UUID
	Name   string
}

// LeaveUntil is the instant until which a family may cancel by itself, given the first session's day.
func (p Policy) LeaveUntil(first civil.Date) time.Time {
	day := first
	for left := p.LeaveDays; left > 0; {
		day = day.AddDays(-1)
		if !p.LeaveWorking || civil.WorkingDay(day) {
			left--
		}
	}
	return day.At(p.LeaveMinute, civil.Brussels)
}

// Policies returns the policies of some camps.
func Policies(ctx context.Context, q db.Querier, campIDs []uuid.UUID) (map[uuid.UUID]Policy, error) {
	rows, err := q.Query(ctx, `
		SELECT id, min_gap, derogations, leave_days, leave_working, leave_minute
		FROM camp
		WHERE id = ANY(@ids)`,
		pgx.NamedArgs{"ids": campIDs})
	if err != nil {
		return nil, fmt.Errorf("reading the policies of camps: %w", err)
	}
	all := make(map[uuid.UUID]Policy, len(campIDs))
	var id uuid.UUID
	var p Policy
	_, err = pgx.ForEachRow(rows, []any{&id, &p.MinGap, &p.Derogations, &p.LeaveDays, &p.LeaveWorking, &p.LeaveMinute}, func() error {
		all[id] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the policies of camps: %w", err)
	}
	if err := openings(ctx, q, campIDs, all); err != nil {
		return nil, err
	}
	return all, others(ctx, q, campIDs, all)
}

func openings(ctx context.Context, q db.Querier, campIDs []uuid.UUID, all map[uuid.UUID]Policy) error {
	rows, err := q.Query(ctx, `
		SELECT camp_id, audience, opens_at
		FROM camp_audience
		WHERE camp_id = ANY(@ids)
		ORDER BY camp_id, opens_at`,
		pgx.NamedArgs{"ids": campIDs})
	if err != nil {
		return fmt.Errorf("reading the openings of camps: %w", err)
	}
	var id uuid.UUID
	var o Opening
	_, err = pgx.ForEachRow(rows, []any{&id, &o.Audience, &o.At}, func() error {
		p := all[id]
		p.Openings = append(p.Openings, o)
		all[id] = p
		return nil
	})
	return err
}

func others(ctx context.Context, q db.Querier, campIDs []uuid.UUID, all map[uuid.UUID]Policy) error {
	rows, err := q.Query(ctx, `
		SELECT r.camp_id, r.kind, c.id, c.name
		FROM camp_rule r
		JOIN camp c ON c.id = r.other_id
		WHERE r.camp_id = ANY(@ids)
		ORDER BY c.begins_at, c.id`,
		pgx.NamedArgs{"ids": campIDs})
	if err != nil {
		return fmt.Errorf("reading the rules of camps: %w", err)
	}
	var id uuid.UUID
	var kind string
	var o Other
	_, err = pgx.ForEachRow(rows, []any{&id, &kind, &o.CampID, &o.Name}, func() error {
		p := all[id]
		if kind == "requires" {
			p.Requires = append(p.Requires, o)
		} else {
			p.Excludes = append(p.Excludes, o)
		}
		all[id] = p
		return nil
	})
	return err
}

func (p Policy) validate(campID uuid.UUID) error {
	var f problem.Fields
	if p.MinGap < 0 || p.MinGap > 600 {
		f.Add("min_gap", "camp.gap_out_of_range")
	}
	if p.LeaveDays < 0 || p.LeaveDays > 90 {
		f.Add("leave_days", "camp.leave_out_of_range")
	}
	if p.LeaveMinute < 0 || p.LeaveMinute > 1439 {
		f.Add("leave_hour", "camp.hour_unknown")
	}
	for _, o := range append(append([]Other{}, p.Requires...), p.Excludes...) {
		if o.CampID == campID {
			f.Add("rules", "camp.rule_on_itself")
		}
	}
	return f.Err()
}

// SavePolicy stores the policy of a camp, in place of the former one; Invalid with every faulty field.
func (s *Store) SavePolicy(ctx context.Context, actor audit.Actor, campID uuid.UUID, p Policy) error {
	if err := p.validate(campID); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE camp
			SET min_gap = @gap, derogations = @derogations, leave_days = @days, leave_working = @working, leave_minute = @minute, updated_at = now()
			WHERE id = @id`,
			pgx.NamedArgs{
				"id": campID, "gap": p.MinGap, "derogations": p.Derogations, "days": p.LeaveDays, "working": p.LeaveWorking, "minute": p.LeaveMinute,
			})
		if err != nil {
			return fmt.Errorf("saving the policy of camp %s: %w", campID, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("camp.not_found")
		}
		if err := replaceRules(ctx, tx, campID, p); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "camp.policy", "camp", campID.String(), map[string]any{"policy": p})
	})
}

func replaceRules(ctx context.Context, tx db.Tx, campID uuid.UUID, p Policy) error {
	args := pgx.NamedArgs{"camp": campID}
	for _, table := range []string{"camp_audience", "camp_rule"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE camp_id = @camp`, args); err != nil {
			return fmt.Errorf("clearing %s of camp %s: %w", table, campID, err)
		}
	}
	for _, o := range p.Openings {
		_, err := tx.Exec(ctx, `
			INSERT INTO camp_audience (camp_id, audience, opens_at)
			VALUES (@camp, @audience, @at)`,
			pgx.NamedArgs{"camp": campID, "audience": o.Audience, "at": o.At})
		if err != nil {
			return fmt.Errorf("opening camp %s for %s: %w", campID, o.Audience, err)
		}
	}
	for kind, others := range map[string][]Other{"requires": p.Requires, "excludes": p.Excludes} {
		for _, o := range others {
			_, err := tx.Exec(ctx, `
				INSERT INTO camp_rule (camp_id, kind, other_id)
				VALUES (@camp, @kind, @other)
				ON CONFLICT DO NOTHING`,
				pgx.NamedArgs{"camp": campID, "kind": kind, "other": o.CampID})
			if err != nil {
				return fmt.Errorf("saving a rule of camp %s: %w", campID, err)
			}
		}
	}
	return nil
}

// Season is a run of holidays over which a town counts a child's camps.
type Season struct {
	ID           uuid.UUID
	Name         string
	FirstDay     civil.Date
	LastDay      civil.Date
	MostPerChild *int // nil is no bound
}

// Seasons returns the seasons, latest first.
func Seasons(ctx context.Context, q db.Querier) ([]Season, error) {
	rows, err := q.Query(ctx, `
		SELECT id, name, first_day, last_day, most_per_child
		FROM season
		ORDER BY first_day DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the seasons: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Season])
}

// SaveSeason stores a season; a zero ID makes a new one. Invalid with every faulty field.
func (s *Store) SaveSeason(ctx context.Context, actor audit.Actor, v Season) error {
	var f problem.Fields
	v.Name = strings.TrimSpace(v.Name)
	if v.Name == "" {
		f.Add("name", "form.required")
	} else if len(v.Name) > 100 {
		f.Add("name", "form.too_long")
	}
	if v.FirstDay.IsZero() {
		f.Add("first_day", "form.required")
	}
	if v.LastDay.IsZero() || v.LastDay.Before(v.FirstDay) {
		f.Add("last_day", "camp.season_crossed")
	}
	if v.MostPerChild != nil && (*v.MostPerChild < 1 || *v.MostPerChild > 50) {
		f.Add("most", "camp.most_out_of_range")
	}
	if err := f.Err(); err != nil {
		return err
	}
	if v.ID == uuid.Nil {
		v.ID = uuid.New()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO season (id, name, first_day, last_day, most_per_child)
			VALUES (@id, @name, @first, @last, @most)
			ON CONFLICT (id)
			DO UPDATE SET name = EXCLUDED.name, first_day = EXCLUDED.first_day, last_day = EXCLUDED.last_day, most_per_child = EXCLUDED.most_per_child`,
			pgx.NamedArgs{"id": v.ID, "name": v.Name, "first": v.FirstDay, "last": v.LastDay, "most": v.MostPerChild})
		if err != nil {
			return fmt.Errorf("saving season %s: %w", v.ID, err)
		}
		return audit.Record(ctx, tx, actor, "season.saved", "season", v.ID.String(), map[string]any{"season": v})
	})
}
