package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	campsync "ribambelle/sync"
)

type syncCommand struct {
	Full bool `help:"Read everything and compare all ids, instead of what changed since the last time."`
	JSON bool `name:"json" help:"Print the counts as JSON."`

	BelieveMissing bool `help:"With --full: act although more than half of what is linked is missing in Odoo, after a restore for instance."`
}

// Run pulls and pushes once, here, beside the jobs of a serving process: one run at a time works on a database.
func (c syncCommand) Run(r *run) (err error) {
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if a.sync == nil {
		return errors.New("ODOO_URL is not set, so there is nothing to keep equal with")
	}
	a.sync.Believe = c.BelieveMissing
	result, err := a.sync.Run(r.ctx, c.Full)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(result)
	}
	printSync(r, result)
	if c.Full {
		fmt.Fprintf(r.out, "Compared: %d records, %d differences.\n", result.Compared, result.Drift)
		for _, what := range slices.Sorted(maps.Keys(result.DriftBy)) {
			fmt.Fprintf(r.out, "  %-24s %d\n", what, result.DriftBy[what])
		}
	}
	return nil
}

func printSync(r *run, s campsync.Result) {
	fmt.Fprintf(r.out, "Camps: %d events read, %d new, %d updated, %d gone.\n", s.Events, s.Created, s.Updated, s.Gone)
	fmt.Fprintf(r.out, "Registrations: %d from outside read, %d of ours pushed, %d contacts pushed, %d refused, %d still waiting.\n",
		s.Outside, s.Pushed, s.Partners, s.Refused, s.Waiting)
	if s.Changed+s.Reconstructed+s.Deleted > 0 {
		fmt.Fprintf(r.out, "Differences: %d changed in Odoo, %d links recovered, %d deleted there and pushed again.\n", s.Changed, s.Reconstructed, s.Deleted)
	}
}
