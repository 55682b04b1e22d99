package job

import "github.com/riverqueue/river"

// HouseholdSweep asks staff about blocks whose decision ends soon; daily.
type HouseholdSweep struct{}

// Kind names the job in the queue's table; it never changes.
func (HouseholdSweep) Kind() string { return "household_sweep" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (HouseholdSweep) InsertOpts() river.InsertOpts { return sweep(QueueDefault) }
