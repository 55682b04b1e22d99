package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/notice"
)

type remindCommand struct {
	At     string `required:"" help:"The time, as 2026-06-20T09:00 in Brussels or with an offset (RFC 3339)."`
	DryRun bool   `help:"Say what is due and write nothing."`
	JSON   bool   `name:"json" help:"Print what is due as JSON: ids and camps, no names of people."`
}

// Run enqueues what is due at the time, each reminder once whoever enqueues it; a serving process sends them.
func (c remindCommand) Run(r *run) (err error) {
	at, err := instant(c.At)
	if err != nil {
		return err
	}
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	due, err := a.notice.Due(r.ctx, at)
	if err != nil {
		return err
	}
	enqueued := 0
	if !c.DryRun {
		if enqueued, err = a.notice.EnqueueDue(r.ctx, at); err != nil {
			return err
		}
	}
	if c.JSON {
		if due == nil {
			due = []notice.Due{}
		}
		return json.NewEncoder(r.out).Encode(struct {
			At       time.Time    `json:"at"`
			Due      []notice.Due `json:"due"`
			Enqueued int          `json:"enqueued"`
		}{at, due, enqueued})
	}
	for _, d := range due {
		fmt.Fprintf(r.out, "%s  %-20s  %s  registration %s\n", d.SlotDay, d.Rule, d.CampName, d.RegistrationID)
	}
	fmt.Fprintf(r.out, "%d due, %d enqueued.\n", len(due), enqueued)
	return nil
}

// instant reads a time of the command line, in Brussels unless it says otherwise.
func instant(s string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, civil.Brussels); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("the time %q is not like 2026-06-20T09:00", s)
}
