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

// Stages returns all stages and tells the cancelled one. It asks for the stages
// in one call, and once more when there are some that this session has not
// seen (never in 19).
func (c *Client) Stages(ctx context.Context) ([]Stage, error) {
	stages, err := collect(ctx, c, stageModel, nil)
	if err != nil || len(stages) == 0 {
		return nil, err
	}
	s, err := c.session(ctx)
	if err != nil || s.profile.CancelledStage == "" {
		return stages, err
	}
	var unseen []int64
	s.mu.Lock()
	for i := range stages {
		cancelled, seen := s.cancelled[stages[i].ID]
		stages[i].Cancelled = cancelled
		if !seen {
			unseen = append(unseen, stages[i].ID)
		}
	}
	s.mu.Unlock()
	if len(unseen) == 0 {
		return stages, nil
	}
	metadata, err := c.Metadata(ctx, ModelStage, unseen)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range metadata {
		s.cancelled[m.ID] = m.Has(s.profile.CancelledStage)
	}
	for i := range stages {
		stages[i].Cancelled = s.cancelled[stages[i].ID]
	}
	return stages, nil
}
