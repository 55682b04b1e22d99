package job

import (
	"time"

	"github.com/riverqueue/river"
)

// CreditNoteIssued draws a credit note and sends it to its payer.
type CreditNoteIssued struct {
	CreditNoteID string `json:"credit_note_id"`
}

// DunningSent brings a decided step towards what is owed to its payer.
type DunningSent struct {
	StepID string `json:"step_id"`
}

// ComplaintAnswered brings the answer to a complaint to the payer who made it.
type ComplaintAnswered struct {
	ComplaintID string `json:"complaint_id"`
}

// DunningDue decides the steps that the commune lets go by themselves.
type DunningDue struct {
	At time.Time `json:"at"` // the slot of the schedule, UTC
}

// Kind names the job in the queue's table; it never changes.
func (CreditNoteIssued) Kind() string  { return "credit_note_issued" }
func (DunningSent) Kind() string       { return "dunning_sent" }       //nolint:revive // see CreditNoteIssued
func (ComplaintAnswered) Kind() string { return "complaint_answered" } //nolint:revive // see CreditNoteIssued
func (DunningDue) Kind() string        { return "dunning_due" }        //nolint:revive // see CreditNoteIssued

// InsertOpts says how the job is queued unless the caller overrides it.
func (CreditNoteIssued) InsertOpts() river.InsertOpts  { return river.InsertOpts{Queue: QueueMail} }
func (DunningSent) InsertOpts() river.InsertOpts       { return river.InsertOpts{Queue: QueueMail} } //nolint:revive // see CreditNoteIssued
func (ComplaintAnswered) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueMail} } //nolint:revive // see CreditNoteIssued
func (DunningDue) InsertOpts() river.InsertOpts        { return sweep(QueueDefault) }                //nolint:revive // see CreditNoteIssued
