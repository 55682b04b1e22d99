package connector

import (
	"context"
	"time"
)

// ModelStage is the model of the stages of events.
const ModelStage = "event.stage"

// Stage is one event.stage, a column of the organisers' board.
type Stage struct {
	ID int64
	// Name is name, in the language of the session.
	Name string
	// Sequence is sequence, the order on the board.
	Sequence int64
	// Ended is pipe_end: events here are over, one way or another.
	Ended bool
	// Folded is fold.
	Folded bool
	// Cancelled says that this is the stage that Odoo itself delivers for
	// cancelled events (14 to 18), known by its external id: communes rename
	// it. In 19 it is always false; see Event.CancelledByKanban.
	Cancelled bool
	// Written is write_date, in UTC.
	Written time.Time
}

var stageModel = model[Stage]{
	name:   ModelStage,
	fields: []string{"name", "sequence", "pipe_end", "fold", "write_date"},
	from: func(r *row, _ Profile) Stage {
		return Stage{ID: r.id, Name: r.text("name"), Sequence: r.integer("sequence"), Ended: r.flag("pipe_end"), Folded: r.flag("fold"), Written: r.instant("write_date")}
	},
}

// Stages returns all stages and tells the cancelled one, in two calls (one
// in 19).
func (c *Client) Stages(ctx context.Context) ([]Stage, error) {
	stages, err := collect(ctx, c, stageModel, nil)
	if err != nil || len(stages) == 0 {
		return nil, err
	}
	p, err := c.Profile(ctx)
	if err != nil || p.CancelledStage == "" {
		return stages, err
	}
	ids := make([]int64, len(stages))
	for i, s := range stages {
		ids[i] = s.ID
	}
	metadata, err := c.Metadata(ctx, ModelStage, ids)
	if err != nil {
		return nil, err
	}
	for _, m := range metadata {
		for i := range stages {
			if stages[i].ID == m.ID && m.Has(p.CancelledStage) {
				stages[i].Cancelled = true
			}
		}
	}
	return stages, nil
}
