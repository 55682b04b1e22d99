// Package pay speaks the protocols of payment providers. It holds no rows of ours: what a payment means for a
// registration is decided by the rooms that call it.
package pay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ribambelle/internal/civil"
)

// Status is where a provider's payment stands. Only StatusPaid means money.
type Status string

// The statuses, named as Mollie names them; other providers are mapped onto these.
const (
	StatusOpen       Status = "open"       // created, the payer has not begun
	StatusPending    Status = "pending"    // begun, the outcome is not known yet
	StatusAuthorized Status = "authorized" // promised, not yet captured
	StatusPaid       Status = "paid"
	StatusCanceled   Status = "canceled"
	StatusExpired    Status = "expired"
	StatusFailed     Status = "failed"
)

// Known reports whether s is one of the statuses above.
func (s Status) Known() bool {
	switch s {
	case StatusOpen, StatusPending, StatusAuthorized, StatusPaid, StatusCanceled, StatusExpired, StatusFailed:
		return true
	}
	return false
}

// Final reports whether the provider never moves the payment away from s.
func (s Status) Final() bool {
	switch s {
	case StatusPaid, StatusCanceled, StatusExpired, StatusFailed:
		return true
	}
	return false
}

// CreateRequest asks for a payment.
type CreateRequest struct {
	// Key makes the call repeatable: the same key with the same request gives the same payment. A UUID, stored by the
	// caller before the first call. Providers forget it (Mollie after one hour).
	Key         string
	Amount      civil.Cents // more than zero
	Description string      // on the payer's statement, up to 255 characters; no name of a child
	RedirectURL string      // where the payer's browser returns, whatever the outcome
	CancelURL   string      // where it returns after a cancel; "" is RedirectURL
	WebhookURL  string      // where changes are signalled; "" when no one outside can reach us
	Language    string      // "fr", "nl", "de", "en"
	Method      string      // one of Methods; "" lets the payer choose
	Metadata    map[string]string
}

// Payment is a provider's payment as last read.
type Payment struct {
	ID          string // the provider's, "tr_…" at Mollie
	Mode        string // "live" or "test"
	Status      Status
	Amount      civil.Cents
	Refunded    civil.Cents // returned to the payer so far, or about to be
	ChargedBack civil.Cents // taken back by the payer's bank and not given back again
	Description string
	Method      string // "" until the payer has chosen
	CheckoutURL string // the provider's page; "" once it serves no more
	AppURL      string // opens the payer's app on the same phone; often ""
	QR          string // image source of the code to scan, a data: URL; often "", and given by Create only
	Cancelable  bool
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero when it does not expire
	PaidAt      time.Time // zero until paid
	Metadata    map[string]string
}

// Provider takes payments over the network. Every method may be repeated; an *Error says whether that helps.
type Provider interface {
	Refunder
	// Name returns "mollie" and the like, as stored with each payment.
	Name() string
	// Methods lists the ways to pay that may stand in CreateRequest.Method now, the most used first. It may ask the
	// provider, and answers from memory when it was asked lately.
	Methods(ctx context.Context) ([]string, error)
	// Create opens a payment. After a temporary error the payment may exist: repeat with the same key.
	Create(ctx context.Context, req CreateRequest) (Payment, error)
	// Fetch reads a payment: the only source of truth, a webhook is but a signal.
	Fetch(ctx context.Context, id string) (Payment, error)
	// Cancel closes a payment that is not paid yet; ErrKindRefused when it is too late.
	Cancel(ctx context.Context, id string) (Payment, error)
}

// ErrorKind says what helps against an error.
type ErrorKind string

// The kinds of error.
const (
	ErrKindTemporary ErrorKind = "temporary" // no answer, or not a usable one: repeat later
	ErrKindDenied    ErrorKind = "denied"    // the key is wrong or lacks the right: a person must act
	ErrKindRefused   ErrorKind = "refused"   // the request is wrong; Detail and Field say how
	ErrKindNotFound  ErrorKind = "not_found" // no such payment under this key
	ErrKindDuplicate ErrorKind = "duplicate" // the provider takes it for a repeat of what it did: look before asking again
	// ErrKindUnsupported says that the provider has no such call at all.
	ErrKindUnsupported ErrorKind = "unsupported"
)

// Error is what a provider answered instead of a payment. It never holds a key, an address or a payer's name.
type Error struct {
	Kind   ErrorKind
	Doing  string // "creating the payment"
	Status int    // HTTP status, 0 without an answer
	Detail string // the provider's own words, in English
	Field  string // the faulty field of the request, if the provider named one
	Err    error  // the cause, if any
}

// Error says what was being done and what came of it; it is for logs and staff.
func (e *Error) Error() string {
	s := e.Doing + ": " + string(e.Kind)
	if e.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	if e.Field != "" {
		s += " " + e.Field
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the *Error in err's chain, or "".
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Temporary reports whether repeating the call later may help. An error of another origin counts as temporary.
func Temporary(err error) bool {
	kind := KindOf(err)
	return err != nil && (kind == "" || kind == ErrKindTemporary)
}
