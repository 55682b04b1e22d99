package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/reports"
)

type reportCommand struct {
	Name    string    `arg:"" help:"Name of the document, or list."`
	Camp    uuid.UUID `help:"Id of the camp that the document is about."`
	From    string    `help:"First day of the period, as 2026-01-01." placeholder:"DAY"`
	To      string    `help:"Last day of the period; without days it is the year so far." placeholder:"DAY"`
	CSV     bool      `name:"csv" help:"For another program: CSV instead of a workbook, where the document is a plain list."`
	Out     string    `help:"File to write; by default the document's own name, here. - is standard output." type:"path"`
	Year    int       `help:"Year of payment, for fiscal and belcotax."`
	Test    bool      `help:"For the test site of Belcotax-on-web."`
	Medical bool      `help:"With the medical alerts; the reading is logged and shown to the families."`
}

// Run writes the document, readable by its owner alone. Who can run this command may see everything; the audit keeps
// that it was run.
func (c reportCommand) Run(r *run) (err error) {
	if c.Name == "list" {
		loc := locale.For("fr")
		for _, d := range reports.List() {
			fmt.Fprintf(r.out, "%-12s %s: %s\n", d.Name, loc.T(d.Title), loc.T(d.Purpose))
		}
		for _, d := range yearly {
			fmt.Fprintf(r.out, "%-12s %s\n", d.name, loc.T(d.title))
		}
		return nil
	}
	for _, d := range yearly {
		if d.name == c.Name {
			return c.yearly(r, d.make)
		}
	}
	p, err := c.params()
	if err != nil {
		return err
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	f, err := a.reports.Produce(r.ctx, c.Name, p, audit.Command("report"))
	if problem.Is(err, problem.KindNotFound) {
		return fmt.Errorf("there is no camp %s", c.Camp)
	}
	if problem.Is(err, problem.KindInvalid) {
		return errors.New("a period needs both days, the last one not before the first, within ten years")
	}
	if err != nil {
		return err
	}
	return c.hand(r, f)
}

// hand writes a document where the command says.
func (c reportCommand) hand(r *run, f reports.File) error {
	if c.Out == "-" {
		_, err := r.out.Write(f.Body)
		return err
	}
	if c.Out == "" {
		c.Out = f.Name
	}
	if err := os.WriteFile(c.Out, f.Body, 0o600); err != nil {
		return fmt.Errorf("writing the document: %w", err)
	}
	fmt.Fprintf(r.out, "Wrote %s (%d bytes).\n", c.Out, len(f.Body))
	return nil
}

// params says what the document is about; it must be what that document wants.
func (c reportCommand) params() (p reports.Params, err error) {
	d, err := reports.Find(c.Name)
	if err != nil {
		return p, fmt.Errorf("there is no document %q: ribambelle report list names them", c.Name)
	}
	p = reports.Params{Camp: c.Camp, Medical: c.Medical, CSV: c.CSV}
	switch {
	case d.About == reports.AboutCamp && c.Camp == uuid.Nil:
		return p, errors.New("say which camp: --camp ID, as in the address of its page")
	case d.About != reports.AboutCamp && c.Camp != uuid.Nil:
		return p, fmt.Errorf("%s is not about a camp", c.Name)
	case d.About != reports.AboutPeriod && c.From+c.To != "":
		return p, fmt.Errorf("%s is not about a period", c.Name)
	}
	for _, day := range []struct {
		text string
		to   *civil.Date
	}{{c.From, &p.From}, {c.To, &p.To}} {
		if day.text == "" {
			continue
		}
		if *day.to, err = civil.ParseDate(day.text); err != nil {
			return p, err
		}
	}
	return p, nil
}
