package job

import (
	"time"

	"github.com/riverqueue/river"
)

// RegistrationChanged tells the people concerned of one change of a registration's state, by its line of history.
// It is not unique: every line is inserted once, in the transaction that wrote it, and waits for nobody else's.
type RegistrationChanged struct {
	EventID int64 `json:"event_id"`
}

// ConsentAsked asks a guardian by mail to agree to what the other one asked.
type ConsentAsked struct {
	RegistrationID string `json:"registration_id"`
	GuardianID     string `json:"guardian_id"`
}

// PaymentAsked asks somebody for a part of a price that was given to it after the family was asked.
type PaymentAsked struct {
	DueID string    `json:"due_id"`
	At    time.Time `json:"at"`
}

// CancelAsked tells the payer that somebody else asked to cancel what it pays; At tells one request from another.
type CancelAsked struct {
	RegistrationID string    `json:"registration_id"`
	At             time.Time `json:"at"`
}

// InvoiceIssued draws an invoice and sends it to its payer.
type InvoiceIssued struct {
	InvoiceID string `json:"invoice_id"`
}

// AttestationIssued draws an attestation and tells its debtor that it can be downloaded.
type AttestationIssued struct {
	AttestationID string `json:"attestation_id"`
}

// PushSoon asks for a SyncPush. A unique job inserted in the transaction of every family would make them wait for
// one another at nine o'clock; this one is not unique, and its worker inserts the unique one.
type PushSoon struct{}

// Kind names the job in the queue's table; it never changes.
func (RegistrationChanged) Kind() string { return "registration_changed" }
func (ConsentAsked) Kind() string        { return "consent_asked" }      //nolint:revive // see RegistrationChanged
func (PaymentAsked) Kind() string        { return "payment_asked" }      //nolint:revive // see RegistrationChanged
func (CancelAsked) Kind() string         { return "cancel_asked" }       //nolint:revive // see RegistrationChanged
func (InvoiceIssued) Kind() string       { return "invoice_issued" }     //nolint:revive // see RegistrationChanged
func (AttestationIssued) Kind() string   { return "attestation_issued" } //nolint:revive // see RegistrationChanged
func (PushSoon) Kind() string            { return "push_soon" }          //nolint:revive // see RegistrationChanged

// InsertOpts says how the job is queued unless the caller overrides it.
func (InvoiceIssued) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueMail} }

// InsertOpts says how the job is queued unless the caller overrides it.
func (AttestationIssued) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueMail} }

// RefundSend asks the provider to give money back.
type RefundSend struct {
	RefundID string `json:"refund_id"`
}

// RefundChanged tells a payer what became of the money that goes back; State tells one change from another.
type RefundChanged struct {
	RefundID string `json:"refund_id"`
	State    string `json:"state"`
}

// InstalmentsDue gives instalments that passed unpaid to staff.
type InstalmentsDue struct{}

// OrganisationsDue invoices to each organisation what it promised before this month.
type OrganisationsDue struct{}

func (RefundSend) Kind() string     { return "refund_send" }     //nolint:revive // see RegistrationChanged
func (RefundChanged) Kind() string  { return "refund_changed" }  //nolint:revive // see RegistrationChanged
func (InstalmentsDue) Kind() string { return "instalments_due" } //nolint:revive // see RegistrationChanged

func (OrganisationsDue) Kind() string { return "organisations_due" } //nolint:revive // see RegistrationChanged

func (OrganisationsDue) InsertOpts() river.InsertOpts { return sweep(QueueDefault) } //nolint:revive // see RegistrationChanged

func (InstalmentsDue) InsertOpts() river.InsertOpts { return sweep(QueueDefault) } //nolint:revive // see RegistrationChanged
