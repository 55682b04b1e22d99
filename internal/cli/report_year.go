package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"ribambelle/internal/audit"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/reports"
)

// yearly are the documents about a year of payments.
var yearly = []struct {
	name, title string
	make        func(r *run, a *app, c reportCommand) (reports.File, error)
}{
	{"fiscal", "reports.fiscal.title", func(r *run, a *app, c reportCommand) (reports.File, error) {
		return a.reports.Fiscal(r.ctx, a.attestations, c.Year, audit.Command("report"))
	}},
	{"belcotax", "reports.belcotax.title", makeBelcotax},
}

// yearly makes a document about a year.
func (c reportCommand) yearly(r *run, make func(*run, *app, reportCommand) (reports.File, error)) (err error) {
	if c.Year == 0 {
		return errors.New("say which year of payment: --year 2025")
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	f, err := make(r, a, c)
	if bad := problem.As(err); bad != nil {
		return errors.New(locale.For("fr").T(bad.Code, bad.Args...))
	}
	if err != nil {
		return err
	}
	return c.hand(r, f)
}

// makeBelcotax writes what had to be changed, and refuses with a list of what is wrong.
func makeBelcotax(r *run, a *app, c reportCommand) (reports.File, error) {
	f, faults, err := reports.Belcotax(r.ctx, a.attestations, c.Year, c.Test, audit.Command("report"))
	if err != nil {
		return f, err
	}
	loc := locale.For("fr")
	for _, fault := range faults {
		who := fault.Reference
		if who == "" {
			who = loc.T("belcotax.sender")
		}
		fmt.Fprintf(r.log, "%s, %s : %s\n", who, fault.Element, loc.T(fault.Code, fault.Args...))
	}
	if reports.Blocked(faults) {
		return f, fmt.Errorf("no file was written: %d faults, listed above", len(faults))
	}
	return f, nil
}
