package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/reports"
)

type reportCommand struct {
	Name    string    `arg:"" help:"Name of the document, or list."`
	Camp    uuid.UUID `help:"Id of the camp that the document is about."`
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
	if _, err := reports.Find(c.Name); err != nil {
		return fmt.Errorf("there is no document %q: ribambelle report list names them", c.Name)
	}
	if c.Camp == uuid.Nil {
		return errors.New("say which camp: --camp ID, as in the address of its page")
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	f, err := a.reports.Produce(r.ctx, c.Name, reports.Params{Camp: c.Camp, Medical: c.Medical}, audit.Command("report"))
	if problem.Is(err, problem.KindNotFound) {
		return fmt.Errorf("there is no camp %s", c.Camp)
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
