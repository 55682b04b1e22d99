package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"ribambelle/connector"
	"ribambelle/internal/job"
	"ribambelle/internal/seed"
)

type seedCommand struct {
	Children      int `help:"How many children, in families." default:"500"`
	Camps         int `help:"How many camps, made in the demo's Odoo." default:"20"`
	Registrations int `help:"How many registrations, of these children to these camps." default:"800"`
}

// Run adds people, camps and registrations in volume. Camps are made in the demo's Odoo and pulled like all others;
// people and registrations are copied; the ordinary push brings the registrations to Odoo. It refuses a real Odoo, a
// given database and a home with real families.
func (c seedCommand) Run(r *run) (err error) {
	switch {
	case r.config.OdooURL != "":
		return errors.New("seed makes up camps and families, and ODOO_URL names a real Odoo: unset it, seed works on the demo's own")
	case r.config.DatabaseURL != "":
		return errors.New("seed makes up families, and DATABASE_URL names a database of yours: unset it, seed works in a demo's home")
	}
	h := home{dir: r.config.Home}
	demo, err := h.demo(r.config, false)
	if err != nil {
		return err
	}
	if !demo {
		return fmt.Errorf("the home %s is not a demo's: set another RIBAMBELLE_HOME, or unset what names the world outside", h.dir)
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.furnish(r.ctx); err != nil {
		return err
	}
	admin, err := connector.New(connector.Config{
		URL: a.config.OdooURL, DB: demoOdooDB, User: "admin", Password: demoOdooPassword, CampMark: a.config.OdooCampMark,
	})
	if err != nil {
		return err
	}
	defer admin.Close()
	begun := time.Now()
	filler := seed.Filler{
		DB: a.db, Now: a.now, Odoo: admin, Accounts: a.account,
		Pull: func(ctx context.Context) error { _, err := a.sync.Pull(ctx, false); return err },
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), //nolint:gosec // invented people, not secrets
	}
	counts := seed.Counts{Children: c.Children, Camps: c.Camps, Registrations: c.Registrations}
	if err := filler.Fill(r.ctx, counts); err != nil {
		return err
	}
	if _, err := a.jobs.Insert(r.ctx, job.SyncPush{}, nil); err != nil {
		return fmt.Errorf("asking for the push: %w", err)
	}
	fmt.Fprintf(r.out, "Seeded %d camps, %d children and %d registrations in %v; ribambelle sync or a serving process pushes them to Odoo.\n",
		c.Camps, c.Children, c.Registrations, time.Since(begun).Round(100*time.Millisecond))
	return nil
}
