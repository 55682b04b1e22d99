package job

import (
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// The queues. Each has its own workers, so that a slow Odoo never holds back a mail.
const (
	QueueDefault = river.QueueDefault
	QueueOdoo    = "odoo" // one at a time: Odoo's workers are few and shared with the commune's people
	QueueMail    = "mail"
)

// waiting are the states in which a job counts as still to come. River insists on "running" among them: what changes
// while such a job runs is picked up by the job's own last look or by the next tick of the schedule.
var waiting = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// sweep is for jobs that do all there is to do: one waits at a time, and it is tried again until it succeeds.
func sweep(queue string) river.InsertOpts {
	return river.InsertOpts{
		Queue: queue, MaxAttempts: forever,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: waiting},
	}
}

// forever is River's largest number of attempts (a smallint).
const forever = 32767

// SyncPull brings camps and outside registrations in from Odoo; Full reads everything instead of what changed.
type SyncPull struct {
	Full bool `json:"full,omitempty"`
}

// SyncPush sends to Odoo every registration that waits for it.
type SyncPush struct{}

// SyncSweep compares both sides and reports drift; nightly.
type SyncSweep struct{}

// SyncCommand sends to Odoo what staff asked to change there.
type SyncCommand struct{}

// SyncFix makes one side follow the other where staff asked it.
type SyncFix struct{}

// RemindersDue computes which reminders are due at an instant and enqueues each once.
type RemindersDue struct {
	At time.Time `json:"at"` // the slot of the schedule, UTC
}

// MessageSend sends one message; the row says to whom and what, and whether it left already.
type MessageSend struct {
	MessageID string `json:"message_id"`
}

// PaymentCheck asks the provider for the state of one payment. A webhook, a returning payer and the sweep insert it;
// it is not unique, because a signal that arrives during a check may announce what that check did not see.
type PaymentCheck struct {
	PaymentID string `json:"payment_id"`
}

// PaymentSweep checks every payment that is open for long, in case its webhook was lost.
type PaymentSweep struct{}

// ExpireDue lets holds, offers and payment deadlines that have passed expire.
type ExpireDue struct{}

// Kind names the job in the queue's table; it never changes.
func (SyncPull) Kind() string     { return "sync_pull" }
func (SyncPush) Kind() string     { return "sync_push" }
func (SyncSweep) Kind() string    { return "sync_sweep" }
func (SyncCommand) Kind() string  { return "sync_command" }
func (SyncFix) Kind() string      { return "sync_fix" }
func (RemindersDue) Kind() string { return "reminders_due" }
func (MessageSend) Kind() string  { return "message_send" }
func (PaymentCheck) Kind() string { return "payment_check" }
func (PaymentSweep) Kind() string { return "payment_sweep" }
func (ExpireDue) Kind() string    { return "expire_due" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (SyncPull) InsertOpts() river.InsertOpts     { return sweep(QueueOdoo) }
func (SyncPush) InsertOpts() river.InsertOpts     { return sweep(QueueOdoo) }
func (SyncSweep) InsertOpts() river.InsertOpts    { return sweep(QueueOdoo) }
func (SyncCommand) InsertOpts() river.InsertOpts  { return sweep(QueueOdoo) }
func (SyncFix) InsertOpts() river.InsertOpts      { return sweep(QueueOdoo) }
func (RemindersDue) InsertOpts() river.InsertOpts { return sweep(QueueDefault) }
func (PaymentSweep) InsertOpts() river.InsertOpts { return sweep(QueueDefault) }
func (ExpireDue) InsertOpts() river.InsertOpts    { return sweep(QueueDefault) }
func (MessageSend) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueMail}
}
