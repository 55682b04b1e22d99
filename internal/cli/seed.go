package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/mirror"
)

type seedCommand struct {
	Children      int `help:"How many children, in families of one or two." default:"500"`
	Camps         int `help:"How many camps, made in the demo's Odoo." default:"20"`
	Registrations int `help:"How many registrations, of these children to these camps." default:"800"`
}

// Run adds people, camps and registrations in volume. Camps are made in the demo's Odoo and pulled like all others;
// people and registrations are copied in one transaction; the ordinary push brings the registrations to Odoo. It
// refuses a real Odoo and a given database.
func (c seedCommand) Run(r *run) (err error) {
	switch {
	case r.config.OdooURL != "":
		return errors.New("seed makes up camps and families, and ODOO_URL names a real Odoo: unset it, seed works on the demo's own")
	case r.config.DatabaseURL != "":
		return errors.New("seed makes up families, and DATABASE_URL names a database of yours: unset it, seed works in a demo's home")
	case c.Children < 0 || c.Camps < 0 || c.Registrations < 0:
		return errors.New("the numbers must not be negative")
	case c.Registrations > c.Children*c.Camps:
		return fmt.Errorf("%d children and %d camps make at most %d registrations", c.Children, c.Camps, c.Children*c.Camps)
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if !a.demo {
		return fmt.Errorf("the home %s holds the data of real families: set another RIBAMBELLE_HOME for a demo", a.home.dir)
	}
	if err := a.furnish(r.ctx); err != nil {
		return err
	}
	begun := time.Now()
	camps, err := c.makeCamps(r.ctx, a)
	if err != nil {
		return err
	}
	s := newSeeding(a.now(), c, camps)
	if err := a.db.InTx(r.ctx, s.copy); err != nil {
		return fmt.Errorf("copying the families: %w", err)
	}
	if _, err := a.jobs.Insert(r.ctx, job.SyncPush{}, nil); err != nil {
		return fmt.Errorf("asking for the push: %w", err)
	}
	fmt.Fprintf(r.out, "Seeded %d camps, %d children in %d families and %d registrations in %v; ribambelle sync or a serving process pushes them to Odoo.\n",
		len(camps), c.Children, s.families, c.Registrations, time.Since(begun).Round(100*time.Millisecond))
	return nil
}

const (
	seedPrice    civil.Cents = 6000
	seedWeeks                = 26 // camps are spread over so many weeks
	odooDateTime             = "2006-01-02 15:04:05"
)

// makeCamps creates the events as the demo's administrator, pulls them, and returns the camps in order.
func (c seedCommand) makeCamps(ctx context.Context, a *app) ([]uuid.UUID, error) {
	if c.Camps == 0 {
		return nil, nil
	}
	admin, err := connector.New(connector.Config{
		URL: a.config.OdooURL, DB: demoOdooDB, User: "admin", Password: demoOdooPassword, CampMark: a.config.OdooCampMark,
	})
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	mark, err := admin.FindMark(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for the mark of camps: %w", err)
	}
	if len(mark.TagIDs) == 0 {
		return nil, fmt.Errorf("the demo's Odoo has no tag %q", a.config.OdooCampMark)
	}
	seats := 20 + 2*c.Registrations/c.Camps
	monday := civil.DateOf(a.now(), civil.Brussels).AddDays(35)
	monday = monday.AddDays((8 - int(monday.Weekday())) % 7)
	ids := make([]int64, 0, c.Camps)
	for from := 0; from < c.Camps; from += 500 {
		values := make([]map[string]any, 0, 500)
		for n := from; n < min(from+500, c.Camps); n++ {
			first := monday.AddDays(7 * (n % seedWeeks))
			values = append(values, map[string]any{
				"name":       fmt.Sprintf("Stage %s %d", seedThemes[n%len(seedThemes)], n+1),
				"date_begin": first.At(9*60, civil.Brussels).UTC().Format(odooDateTime),
				"date_end":   first.AddDays(4).At(16*60, civil.Brussels).UTC().Format(odooDateTime),
				"date_tz":    "Europe/Brussels", "seats_limited": true, "seats_max": seats,
				"tag_ids": []any{[]any{6, 0, []any{mark.TagIDs[0]}}},
			})
		}
		made, err := admin.CreateAll(ctx, connector.ModelEvent, values)
		if err != nil {
			return nil, fmt.Errorf("making events: %w", err)
		}
		ids = append(ids, made...)
	}
	if _, err := a.sync.Pull(ctx, false); err != nil {
		return nil, fmt.Errorf("pulling the events: %w", err)
	}
	links, err := mirror.Links(ctx, a.db, connector.ModelEvent, ids)
	if err != nil {
		return nil, err
	}
	camps := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		camp, ok := links[id]
		if !ok {
			return nil, fmt.Errorf("event %d did not become a camp", id)
		}
		camps[i] = camp
	}
	const price = `
		UPDATE camp
		SET price_cents = @cents
		WHERE id = ANY (@camps)`
	_, err = a.db.Exec(ctx, price, pgx.NamedArgs{"cents": seedPrice, "camps": camps})
	return camps, err
}

// copy writes everything in the caller's transaction.
func (s *seeding) copy(ctx context.Context, tx db.Tx) error {
	if err := s.prepare(ctx, tx); err != nil {
		return err
	}
	for _, t := range s.tables() {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("copying into %s: %w", t.name, err)
		}
	}
	const count = `
		UPDATE pool
		SET held = pool.held + x.held, confirmed = pool.confirmed + x.confirmed
		FROM (
		  SELECT p.pool_id, count(*) FILTER (WHERE p.state = 'held') AS held, count(*) FILTER (WHERE p.state = 'confirmed') AS confirmed
		  FROM place p
		  WHERE p.registration_id = ANY (@registrations)
		  GROUP BY p.pool_id
		) AS x
		WHERE pool.id = x.pool_id`
	if _, err := tx.Exec(ctx, count, pgx.NamedArgs{"registrations": s.registrationIDs}); err != nil {
		return fmt.Errorf("counting the places: %w", err)
	}
	return nil
}
