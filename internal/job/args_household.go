package job

import (
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// HouseholdSweep asks staff about blocks whose decision ends soon; daily.
type HouseholdSweep struct{}

// Kind names the job in the queue's table; it never changes.
func (HouseholdSweep) Kind() string { return "household_sweep" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (HouseholdSweep) InsertOpts() river.InsertOpts { return sweep(QueueDefault) }

// ClaimMail mails the codes with which families take their place; the links are made from the codes' ids when the mails
// are written. At tells one request from another.
type ClaimMail struct {
	CodeIDs []uuid.UUID `json:"code_ids"`
	At      time.Time   `json:"at"`
}

// Kind names the job in the queue's table; it never changes.
func (ClaimMail) Kind() string { return "claim_mail" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (ClaimMail) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueMail} }
