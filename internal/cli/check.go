package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ribambelle/internal/db"
)

type checkCommand struct{}

// checkTime bounds each question to the world outside.
const checkTime = 30 * time.Second

// finding is one line of the check.
type finding struct {
	fault bool
	text  string
}

func fine(format string, args ...any) finding { return finding{text: fmt.Sprintf(format, args...)} }

func fault(format string, args ...any) finding { return finding{true, fmt.Sprintf(format, args...)} }

// Run prints one line for each part and ends with 1 when one is at fault. A part that rests on a faulty one is
// faulty, too.
func (checkCommand) Run(r *run) (err error) {
	a := &app{config: r.config, home: &home{dir: r.config.Home}, log: newLogger(r.log, slog.LevelWarn), now: time.Now}
	defer func() { err = errors.Join(err, a.close()) }()
	bad := false
	for _, part := range []struct {
		name string
		look func(context.Context) finding
	}{
		{"configuration", a.checkConfiguration},
		{"database", a.checkDatabase},
		{"schema", a.checkSchema},
		{"keys", a.checkKeys},
		{"Odoo", a.checkOdoo},
		{"SMTP", a.checkSMTP},
		{"provider", a.checkProvider},
	} {
		ctx, cancel := withTimeout(r, checkTime)
		f := part.look(ctx)
		cancel()
		state := "ok"
		if f.fault {
			state, bad = "FAULT", true
			f.text = sentence(errors.New(f.text))
		}
		fmt.Fprintf(r.out, "%-5s  %-13s  %s\n", state, part.name, f.text)
	}
	if bad {
		return errTold
	}
	return nil
}

// checkConfiguration says what kind of installation this is; a broken environment never comes so far.
func (a *app) checkConfiguration(ctx context.Context) finding {
	var err error
	if a.demo, err = a.home.demo(a.config, false); err != nil {
		return fault("%v", err)
	}
	if err := a.home.remember(a.config, a.demo); err != nil {
		return fault("%v", err)
	}
	if !a.demo {
		return fine("for real; portal on %s as %s", a.config.Listen, a.config.PublicURL)
	}
	if a.sims, err = a.home.simulate(ctx, a.log); err != nil {
		return fault("%v", err)
	}
	a.config = a.sims.fill(a.config)
	return fine("demo in %s; portal on %s", a.config.Home, a.config.Listen)
}

func (a *app) checkDatabase(ctx context.Context) finding {
	url, err := a.databaseURL(ctx)
	if err != nil {
		return fault("%v", err)
	}
	if a.db, err = db.Open(ctx, url); err != nil {
		return fault("%v", err)
	}
	var version string
	if err := a.db.QueryRow(ctx, `SHOW server_version`).Scan(&version); err != nil {
		return fault("%v", err)
	}
	whose := "private"
	if a.config.DatabaseURL != "" {
		whose = "given"
	}
	return fine("PostgreSQL %s, %s", version, whose)
}

func (a *app) checkSchema(ctx context.Context) finding {
	if a.db == nil {
		return fault("not seen without the database")
	}
	if a.config.DatabaseURL == "" { // as every command does with the private database
		if err := db.Migrate(ctx, a.db); err != nil {
			return fault("%v", err)
		}
	}
	if err := db.CheckSchema(ctx, a.db); err != nil {
		return fault("%v", err)
	}
	have, _, err := db.SchemaVersion(ctx, a.db)
	if err != nil {
		return fault("%v", err)
	}
	return fine("version %d", have)
}

func (a *app) checkKeys(ctx context.Context) finding {
	if a.db == nil {
		return fault("not proved without the database")
	}
	if err := a.openKeys(ctx); err != nil {
		return fault("%v", err)
	}
	if n := a.box.Keys(); n > 1 {
		return fine("open what this database holds; %d keys, the newest seals", n)
	}
	return fine("open what this database holds")
}

func (a *app) checkOdoo(ctx context.Context) finding {
	if a.config.OdooURL == "" {
		return fine("none: camps and registrations are not mirrored")
	}
	client, err := newOdoo(a.config)
	if err != nil {
		return fault("%v", err)
	}
	a.odoo = client
	report := client.Check(ctx)
	if report.OK() {
		return fine("Odoo %s at %s, database %s (details: ribambelle odoo check)", report.Version.Text, a.config.OdooURL, a.config.OdooDB)
	}
	for _, line := range report.Lines() {
		if line.Level == "error" {
			return fault("%s", line.Text)
		}
	}
	return fault("ribambelle odoo check says more")
}

func (a *app) checkSMTP(ctx context.Context) finding {
	if a.config.SMTPURL == "" {
		return fault("SMTP_URL is not set, and no mail would leave")
	}
	if err := a.openSender(); err != nil {
		return fault("%v", err)
	}
	if err := a.sender.Check(ctx); err != nil {
		return fault("%v", err)
	}
	return fine("takes mails from %s", a.config.MailFrom)
}

// checkProvider asks every payment provider that is configured.
func (a *app) checkProvider(ctx context.Context) finding {
	var said, bad []string
	ask := func(name string, open func() error, check func(context.Context) (string, error)) {
		err := open()
		if err == nil {
			var text string
			if text, err = check(ctx); err == nil {
				said = append(said, text)
				return
			}
		}
		bad = append(bad, fmt.Sprintf("%s: %v", name, err))
	}
	if a.config.MollieAPIKey != "" {
		ask("Mollie", a.openProvider, func(ctx context.Context) (string, error) { return a.provider.Check(ctx) })
	}
	if a.config.BancontactKey != "" {
		ask("Bancontact Pro", a.openBancontact, func(ctx context.Context) (string, error) { return a.bancontact.Check(ctx) })
	}
	switch {
	case len(bad) > 0:
		return fault("%s", strings.Join(bad, "; "))
	case len(said) == 0:
		return fine("none: transfer and counter")
	}
	return fine("%s", strings.Join(said, "; "))
}
