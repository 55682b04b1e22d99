// Package seed fills a commune with believable families, camps and registrations, for trying, measuring and load runs.
// It alone writes the rows of several rooms at once, by COPY, and leaves them as the rooms themselves would.
package seed

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// Counts says how much to make.
type Counts struct {
	Children      int
	Camps         int
	Registrations int
}

// Bounds of Counts: a hundred times a town of 20,000 people.
const (
	maxChildren      = 200_000
	maxCamps         = 10_000
	maxRegistrations = 500_000
)

func (c Counts) validate() error {
	switch {
	case c.Children < 1 || c.Children > maxChildren, c.Camps < 1 || c.Camps > maxCamps, c.Registrations < 0 || c.Registrations > maxRegistrations:
		return fmt.Errorf("between 1 and %d children, 1 and %d camps, 0 and %d registrations can be made", maxChildren, maxCamps, maxRegistrations)
	case c.Registrations > c.Children*weeks/2:
		return fmt.Errorf("%d children fill at most %d registrations: half of %d weeks each", c.Children, c.Children*weeks/2, weeks)
	}
	return nil
}

// Filler makes rows in one commune.
type Filler struct {
	DB       *db.DB
	Now      civil.Clock
	Odoo     *connector.Client               // of the event module: a real Odoo is never filled
	Pull     func(ctx context.Context) error // brings the new events in as camps
	Accounts *account.Store
	Rand     *rand.Rand
}

// weeks is over how many weeks the camps are spread: a child is in one camp a week.
const weeks = 12

// Password is that of every family's account; the first one signs in as famille1.<run>@seed.example.
const Password = "famille-de-valmont" //nolint:gosec // of families that do not exist

// Fill makes events in Odoo, pulls them as camps, and copies families and registrations into the database. It may be
// run again: each run adds.
func (f *Filler) Fill(ctx context.Context, c Counts) error {
	if err := c.validate(); err != nil {
		return err
	}
	run := fmt.Sprintf("%06x", f.Rand.IntN(1<<24))
	if err := f.events(ctx, run, c); err != nil {
		return fmt.Errorf("making events: %w", err)
	}
	if err := f.Pull(ctx); err != nil {
		return fmt.Errorf("pulling the events: %w", err)
	}
	camps, err := f.camps(ctx, run)
	if err != nil {
		return err
	}
	if len(camps) != c.Camps {
		return fmt.Errorf("%d of %d events came back as camps: is the camp mark the one of the event module?", len(camps), c.Camps)
	}
	hash, err := f.passwordHash(ctx, run)
	if err != nil {
		return err
	}
	b := &batch{f: f, run: run, hash: hash, now: f.Now().UTC().Truncate(time.Microsecond)}
	b.families(c.Children)
	if err := b.register(ctx, camps, c.Registrations); err != nil {
		return err
	}
	if err := b.copy(ctx); err != nil {
		return fmt.Errorf("copying families and registrations: %w", err)
	}
	return nil
}

// cycles are the groups of school levels of the camps, in turn, with the birth years of their children before the
// school year of the camps.
var cycles = []struct {
	levels string
	first  int // index in civil.Levels
	last   int
}{{"M1-M3", 0, 2}, {"P1-P3", 3, 5}, {"P4-P6", 6, 8}}

var themes = []string{"Nature", "Sport", "Cirque", "Sciences", "Arts", "Eau", "Cuisine"}

// firstMonday is the Monday of the first seeded week: 30 days ahead at least, so that registrations are open.
func (f *Filler) firstMonday() civil.Date {
	return civil.DateOf(f.Now(), civil.Brussels).AddDays(30).Monday()
}

// name of the n-th camp of a run; it tells the run apart.
func campName(run string, n int) string {
	return fmt.Sprintf("%s %d (%s)", themes[n%len(themes)], n+1, run)
}

// events makes the camps' events over XML-RPC, as the commune's staff would by import.
func (f *Filler) events(ctx context.Context, run string, c Counts) error {
	tags, err := f.tags(ctx)
	if err != nil {
		return err
	}
	seats := c.Registrations/c.Camps + c.Registrations/c.Camps/4 + 8
	var values []map[string]any
	for n := range c.Camps {
		monday := f.firstMonday().AddDays(7 * (n % weeks))
		cycle := cycles[(n/weeks)%len(cycles)]
		values = append(values, map[string]any{
			"name":       campName(run, n),
			"date_begin": monday.At(9*60, civil.Brussels).UTC().Format(time.DateTime), "date_end": monday.AddDays(4).At(16*60, civil.Brussels).UTC().Format(time.DateTime),
			"date_tz": "Europe/Brussels", "seats_limited": true, "seats_max": seats,
			"tag_ids": []any{[]any{6, 0, []any{tags[f.Odoo.CampMark()], tags[cycle.levels], tags[themes[n%len(themes)]]}}},
		})
		if len(values) == 200 || n == c.Camps-1 {
			if _, err := f.Odoo.CreateAll(ctx, connector.ModelEvent, values); err != nil {
				return err
			}
			values = nil
		}
	}
	return nil
}

// tags finds or makes the tags that the events carry, by name.
func (f *Filler) tags(ctx context.Context) (map[string]int64, error) {
	known, err := f.Odoo.TagsChanged(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	ids := map[string]int64{}
	for _, t := range known {
		ids[t.Name] = t.ID
	}
	categories, err := f.Odoo.TagCategoriesChanged(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	byName := map[string]int64{}
	for _, c := range categories {
		byName[c.Name] = c.ID
	}
	wanted := map[string]string{f.Odoo.CampMark(): "Type"}
	for _, c := range cycles {
		wanted[c.levels] = "Niveau"
	}
	for _, t := range themes {
		wanted[t] = "Thème"
	}
	for tag, category := range wanted {
		if ids[tag] != 0 {
			continue
		}
		if byName[category] == 0 {
			if byName[category], err = f.Odoo.Create(ctx, connector.ModelTagCategory, map[string]any{"name": category}); err != nil {
				return nil, err
			}
		}
		if ids[tag], err = f.Odoo.Create(ctx, connector.ModelTag, map[string]any{"name": tag, "category_id": byName[category], "color": 1}); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// seeded is one camp of the run, as it was pulled.
type seeded struct {
	camp  camp.Camp
	week  int
	cycle int
	days  []civil.Date
	used  int
	max   int
}

func (f *Filler) camps(ctx context.Context, run string) ([]*seeded, error) {
	rows, err := f.DB.Query(ctx, `
		SELECT id
		FROM camp
		WHERE name LIKE '% (' || @run || ')'`,
		pgx.NamedArgs{"run": run})
	if err != nil {
		return nil, fmt.Errorf("reading the new camps: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading the new camps: %w", err)
	}
	_, err = f.DB.Exec(ctx, `
		UPDATE camp
		SET price_cents = 6000
		WHERE id = ANY(@ids)`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("pricing the new camps: %w", err)
	}
	all, err := camp.ReadAll(ctx, f.DB, ids)
	if err != nil {
		return nil, err
	}
	sessions, err := camp.SessionsOfAll(ctx, f.DB, ids)
	if err != nil {
		return nil, err
	}
	first := f.firstMonday()
	camps := make([]*seeded, len(all))
	for i, c := range all {
		s := &seeded{camp: c, week: civil.DateOf(c.BeginsAt, civil.Brussels).Sub(first) / 7}
		for n, cycle := range cycles {
			if len(c.Levels) > 0 && c.Levels[0] == civil.Levels[cycle.first] {
				s.cycle = n
			}
		}
		for _, session := range sessions[c.ID] {
			s.days = append(s.days, session.Day)
		}
		if err := f.DB.QueryRow(ctx, `SELECT max FROM pool WHERE id = $1`, c.PoolID).Scan(&s.max); err != nil {
			return nil, fmt.Errorf("reading the places of camp %s: %w", c.ID, err)
		}
		camps[i] = s
	}
	return camps, nil
}

// passwordHash hashes the families' password once: a hash is slow on purpose.
func (f *Filler) passwordHash(ctx context.Context, run string) (hash string, err error) {
	a, err := f.Accounts.Create(ctx, audit.Command("seed"), account.Draft{
		Email: "famille0." + run + "@seed.example", Name: "Famille modèle", Password: Password, Confirmed: true,
	})
	if err != nil && !problem.Is(err, problem.KindConflict) {
		return "", fmt.Errorf("making the first account: %w", err)
	}
	err = f.DB.QueryRow(ctx, `SELECT password_hash FROM account WHERE id = $1`, a.ID).Scan(&hash)
	if err != nil {
		return "", fmt.Errorf("reading the first account: %w", err)
	}
	return hash, nil
}

// communications draws n structured communications in one go.
func (f *Filler) communications(ctx context.Context, n int) ([]transfer.Communication, error) {
	rows, err := f.DB.Query(ctx, `
		SELECT nextval('communication_number')
		FROM generate_series(1, @n)`,
		pgx.NamedArgs{"n": n})
	if err != nil {
		return nil, fmt.Errorf("drawing communications: %w", err)
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("drawing communications: %w", err)
	}
	all := make([]transfer.Communication, len(numbers))
	for i, v := range numbers {
		if all[i], err = transfer.New(v); err != nil {
			return nil, fmt.Errorf("drawing communications: %w", err)
		}
	}
	return all, nil
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("seed: " + err.Error()) // only our own plain structs come here
	}
	return b
}
