// Package sync keeps both sides equal: it pulls camps and outside registrations out of Odoo and pushes ours into it.
package sync

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ribambelle/connector"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/mirror"
)

// Syncer works between one Odoo and our database.
type Syncer struct {
	DB         *db.DB
	Now        civil.Clock
	Odoo       *connector.Client
	Camps      *camp.Store
	Enrol      *enrol.Store
	Households *household.Store
	Log        *slog.Logger
	// Believe lets a comparison of ids act although most of what is linked is missing in Odoo.
	Believe bool
}

// Result counts what a run did.
type Result struct {
	Events        int `json:"events"`                // read
	Created       int `json:"camps_created"`         // events seen for the first time
	Updated       int `json:"camps_updated"`         // events applied again
	Gone          int `json:"camps_gone"`            // no longer in Odoo, or no longer marked
	Outside       int `json:"outside_registrations"` // read
	Changed       int `json:"changed_in_odoo"`       // ours, changed there by someone else
	Pushed        int `json:"registrations_pushed"`
	Partners      int `json:"partners_pushed"`
	Refused       int `json:"refused"`
	Waiting       int `json:"waiting"`         // still to push after this run
	Reconstructed int `json:"links_recovered"` // ours whose answer had been lost
	Deleted       int `json:"deleted_in_odoo"` // ours, deleted there: pushed again
	Commands      int `json:"commands"`        // of staff, sent
	Fixed         int `json:"fixed"`           // differences, as staff asked

	Compared int            `json:"compared,omitempty"` // records, by a full run
	Drift    int            `json:"drift"`              // differences that a full run found
	DriftBy  map[string]int `json:"drift_by,omitempty"` // by kind and aspect
}

// Run pulls and then pushes; full reads everything, compares all ids, and at the end both sides, keeping the differences
// for staff. One run at a time works on a database.
func (s *Syncer) Run(ctx context.Context, full bool) (Result, error) {
	var r Result
	err := mirror.Alone(ctx, s.DB, func(ctx context.Context) error {
		if err := s.pull(ctx, full, &r); err != nil {
			return fmt.Errorf("pulling from Odoo: %w", err)
		}
		if full {
			if err := s.sweep(ctx, &r); err != nil {
				return fmt.Errorf("comparing with Odoo: %w", err)
			}
			if err := mirror.TryAllAgain(ctx, s.DB); err != nil {
				return err
			}
		}
		if err := s.push(ctx, &r); err != nil {
			return fmt.Errorf("pushing to Odoo: %w", err)
		}
		if full {
			if err := s.reconcile(ctx, &r); err != nil {
				return fmt.Errorf("comparing with Odoo: %w", err)
			}
		}
		return nil
	})
	return r, err
}

// Pull reads what changed in Odoo since the last pull; full reads everything.
func (s *Syncer) Pull(ctx context.Context, full bool) (r Result, err error) {
	err = mirror.Alone(ctx, s.DB, func(ctx context.Context) error { return s.pull(ctx, full, &r) })
	return r, err
}

// Push sends to Odoo what changed here.
func (s *Syncer) Push(ctx context.Context) (r Result, err error) {
	err = mirror.Alone(ctx, s.DB, func(ctx context.Context) error { return s.push(ctx, &r) })
	return r, err
}

// Sweep compares the ids of both sides, which alone shows what was deleted.
func (s *Syncer) Sweep(ctx context.Context) (r Result, err error) {
	err = mirror.Alone(ctx, s.DB, func(ctx context.Context) error { return s.sweep(ctx, &r) })
	return r, err
}

// overlap is how far back a pull reads again. Odoo's write_date is when a transaction began, and rows appear when it
// commits: at most limit_time_real (120 s by default) later. What exceeds even this is found by the sweep.
const overlap = 15 * time.Minute

// since is the instant from which a model is read; zero reads everything.
func (s *Syncer) since(ctx context.Context, model string, full bool) (time.Time, error) {
	if full {
		return time.Time{}, nil
	}
	c, err := mirror.ReadCursor(ctx, s.DB, model)
	if err != nil || c.ChangedAt == nil {
		return time.Time{}, err
	}
	return c.ChangedAt.Add(-overlap), nil
}
