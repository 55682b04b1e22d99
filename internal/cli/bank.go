package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"ribambelle/internal/audit"
	"ribambelle/internal/bank"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

type bankImportCommand struct {
	File string `arg:"" help:"CODA or CAMT.053 file, or a ZIP of them; - reads what is piped in."`
	JSON bool   `name:"json" help:"Print what was read as JSON."`
}

// Run takes in a file of the bank, here, and prints what came of it. The same file again changes nothing.
func (c bankImportCommand) Run(r *run) (err error) {
	raw, err := c.read()
	if err != nil {
		return err
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	in, err := bank.New(a.db, a.enrol, a.now).Import(r.ctx, audit.Command("bank import"), c.File, raw)
	if p := problem.As(err); p != nil {
		return fmt.Errorf("%s: %s", c.File, locale.For("en").T(p.Code, p.Args...))
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(in.Result)
	}
	printBank(r, in.Result)
	return nil
}

// read reads no more than may be taken in, and one byte that tells that it is too much.
func (c bankImportCommand) read() ([]byte, error) {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("reading the bank's file: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, bank.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the bank's file: %w", err)
	}
	return raw, nil
}

func printBank(r *run, v bank.Result) {
	words := locale.For("en")
	for _, s := range v.Statements {
		known := ""
		if s.Known {
			known = ", taken in before"
		}
		fmt.Fprintf(r.out, "Statement %s of %s, account %s: %d movements, %d new%s.\n", s.Number, s.Day, s.Account, s.Entries, s.New, known)
		for _, w := range s.Warnings {
			args := make([]any, len(w.Args))
			for i, a := range w.Args {
				args[i] = a
			}
			fmt.Fprintf(r.out, "  warning: %s\n", words.T(w.Code, args...))
		}
	}
	for _, f := range v.Refused {
		fmt.Fprintf(r.out, "Not read: %s (%s).\n", f.File, words.T(f.Reason))
	}
	fmt.Fprintf(r.out, "%d new movements: %d booked, %d wait for a person, %d set aside. %d were known.\n", v.New, v.Matched, v.Queued, v.Aside, v.Known)
}
