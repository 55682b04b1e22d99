package pay

import (
	"context"
	"time"

	"ribambelle/internal/civil"
)

// RefundStatus is where a refund stands. Only RefundRefunded means that the money is on its way to the payer's bank.
type RefundStatus string

// The statuses of a refund, named as Mollie names them.
const (
	RefundQueued     RefundStatus = "queued"     // waits for money at the provider
	RefundPending    RefundStatus = "pending"    // will be sent to the bank
	RefundProcessing RefundStatus = "processing" // sent to the bank
	RefundRefunded   RefundStatus = "refunded"
	RefundFailed     RefundStatus = "failed" // the bank gave it back; the payer got nothing
	RefundCanceled   RefundStatus = "canceled"
)

// Known reports whether s is one of the statuses above.
func (s RefundStatus) Known() bool {
	switch s {
	case RefundQueued, RefundPending, RefundProcessing, RefundRefunded, RefundFailed, RefundCanceled:
		return true
	}
	return false
}

// Final reports whether the provider has done with the refund. A bank may still send a refunded one back: it then
// becomes RefundFailed days later, and the provider signals it.
func (s RefundStatus) Final() bool {
	switch s {
	case RefundRefunded, RefundFailed, RefundCanceled:
		return true
	}
	return false
}

// Counts reports whether the refund takes its amount from what may still be refunded.
func (s RefundStatus) Counts() bool { return s.Known() && s != RefundFailed && s != RefundCanceled }

// RefundRequest asks for money to go back to the payer, by the way it came.
type RefundRequest struct {
	// Key makes the call repeatable, as CreateRequest.Key does: a UUID, stored by the caller before the first call, of
	// this refund alone. Providers forget it (Mollie after one hour): later, look for the refund among Refunds first.
	Key         string
	PaymentID   string
	Amount      civil.Cents // more than zero, at most what remains of the payment
	Description string      // on the payer's statement; no name of a child
	Metadata    map[string]string
}

// Refund is a provider's refund as last read.
type Refund struct {
	ID          string // the provider's, "re_…" at Mollie
	PaymentID   string
	Status      RefundStatus
	Amount      civil.Cents
	Description string
	CreatedAt   time.Time
	Metadata    map[string]string // nil where the provider keeps none
}

// Refunder gives money back. Every method may be repeated; an *Error says whether that helps.
type Refunder interface {
	// Refund asks for a refund. Errors: ErrKindRefused for more than remains and for a payment that is not paid,
	// ErrKindDuplicate when the provider sees the like of it already, ErrKindTemporary when it may exist: repeat with the
	// same key.
	Refund(ctx context.Context, req RefundRequest) (Refund, error)
	// FetchRefund reads a refund. Providers signal its changes with the payment's id.
	FetchRefund(ctx context.Context, paymentID, refundID string) (Refund, error)
	// Refunds lists the refunds of a payment, also those asked on the provider's own pages. ErrKindUnsupported where
	// the provider tells them by payout only; such a provider keeps a refund's key for good.
	Refunds(ctx context.Context, paymentID string) ([]Refund, error)
}

// The ways to pay that callers know by name; a provider may offer others.
const (
	MethodBancontact = "bancontact"
	MethodCard       = "creditcard"
)
