package job

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// AccountMail sends the mail of one account code; the link in it is made from the code's id when it is written.
type AccountMail struct {
	CodeID uuid.UUID `json:"code_id"`
}

// Kind names the job in the queue's table; it never changes.
func (AccountMail) Kind() string { return "account_mail" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (AccountMail) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueMail} }

// AccountSweep removes attempts, sessions, codes and unproved accounts that no longer count; daily.
type AccountSweep struct{}

// Kind names the job in the queue's table; it never changes.
func (AccountSweep) Kind() string { return "account_sweep" }

// InsertOpts says how the job is queued unless the caller overrides it.
func (AccountSweep) InsertOpts() river.InsertOpts { return sweep(QueueDefault) }
