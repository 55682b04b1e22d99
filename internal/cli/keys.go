package cli

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"ribambelle/internal/audit"
	"ribambelle/internal/reseal"
	"ribambelle/internal/seal"
)

type keysCommand struct {
	New    keysNewCommand    `cmd:"" help:"Print a new keyset."`
	Add    keysAddCommand    `cmd:"" help:"Print the keyset with a new key, which seals from then on; the former ones still open."`
	Rotate keysRotateCommand `cmd:"" help:"Seal everything again with the newest key. Stopped, it goes on where it was."`
	Prune  keysPruneCommand  `cmd:"" help:"Print the keyset without its former sealing keys; refused while one of them is needed."`
}

// keysForm is how a keyset is printed.
type keysForm struct {
	Base64 bool `name:"base64" help:"Print it in base64, on one line, for an environment variable."`
}

// print writes a keyset and nothing else, to be kept in a file that nobody else reads.
func (f keysForm) print(r *run, text []byte) error {
	out := strings.TrimSpace(string(text))
	if f.Base64 {
		out = base64.StdEncoding.EncodeToString([]byte(out))
	}
	_, err := fmt.Fprintln(r.out, out)
	return err
}

type keysNewCommand struct{ keysForm }

// Run prints a new keyset.
func (c keysNewCommand) Run(r *run) error {
	text, err := seal.Generate()
	if err != nil {
		return err
	}
	return c.print(r, text)
}

type keysAddCommand struct{ keysForm }

// Run prints the keyset that is set, or the home's, with a new key. It changes nothing.
func (c keysAddCommand) Run(r *run) error {
	text, err := keysetText(r)
	if err != nil {
		return err
	}
	if text, err = seal.Rotate(text); err != nil {
		return err
	}
	return c.print(r, text)
}

// keysetText reads the keyset as it is kept: of the configuration, else the home's file.
func keysetText(r *run) ([]byte, error) {
	if r.config.SealKeyset != "" {
		return []byte(r.config.SealKeyset), nil
	}
	text, err := os.ReadFile((&home{dir: r.config.Home}).file("keyset.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the keyset, as SEAL_KEYSET is not set: %w", err)
	}
	return text, nil
}

type keysRotateCommand struct {
	JSON bool `name:"json" help:"Print the counts as JSON."`
}

// Run seals everything again that a former key had sealed, and prints the counts by column.
func (c keysRotateCommand) Run(r *run) (err error) {
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	rotation := &reseal.Runner{DB: a.db, Box: a.box}
	counts, err := rotation.Run(r.ctx, audit.Command("keys rotate"))
	if c.JSON {
		return errors.Join(err, json.NewEncoder(r.out).Encode(counts))
	}
	sealed := 0
	for _, n := range counts {
		fmt.Fprintf(r.out, "%-24s %7d sealed again", n.Name, n.Sealed)
		if n.Stays > 0 {
			fmt.Fprintf(r.out, ", %d do not open", n.Stays)
		}
		fmt.Fprintln(r.out)
		sealed += n.Sealed
	}
	if err != nil {
		return fmt.Errorf("%w; %d were sealed again: the former keys are still needed", err, sealed)
	}
	if sealed == 0 {
		fmt.Fprintln(r.out, "Nothing to do: everything is sealed with the newest key.")
	} else {
		fmt.Fprintf(r.out, "%d values are sealed with the newest key.\n", sealed)
	}
	return nil
}

type keysPruneCommand struct {
	keysForm
	Codes bool `help:"Remove the former code keys too: links and codes made with them, on paper too, stop working."`
}

// Run prints the keyset with the newest sealing key alone, once nothing needs a former one. It changes nothing.
func (c keysPruneCommand) Run(r *run) (err error) {
	text, err := keysetText(r)
	if err != nil {
		return err
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	left, err := (&reseal.Runner{DB: a.db, Box: a.box}).Left(r.ctx)
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d values are still sealed with a former key: run ribambelle keys rotate first", left)
	}
	if text, err = seal.Prune(text, c.Codes); err != nil {
		return err
	}
	return c.print(r, text)
}
