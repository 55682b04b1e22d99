package bancontactpro

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/transfer"
)

// maxKey is the longest Idempotency-Key.
const maxKey = 64

type refundBody struct {
	Amount      int64  `json:"amount"` // cents
	Currency    string `json:"currency"`
	Description string `json:"description,omitempty"`
}

// refundAnswer is the part of a refund that is read.
type refundAnswer struct {
	RefundID     string    `json:"refundId"`
	PaymentID    string    `json:"paymentId"`
	Status       string    `json:"status"`
	Amount       int64     `json:"amount"`
	Currency     string    `json:"currency"`
	Description  string    `json:"description"`
	CreationDate time.Time `json:"creationDate"`
}

var refundStatuses = map[string]pay.RefundStatus{
	"PENDING": pay.RefundPending, "REFUNDED": pay.RefundRefunded, "FAILED": pay.RefundFailed,
}

func readRefund(doing string, raw []byte, paymentID string) (pay.Refund, error) {
	var a refundAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return pay.Refund{}, unusable(doing, errors.New("the answer is no refund"))
	}
	status, known := refundStatuses[a.Status]
	switch {
	case !ValidID(a.RefundID):
		return pay.Refund{}, unusable(doing, errors.New("the answer is no refund"))
	case a.PaymentID != paymentID:
		return pay.Refund{}, unusable(doing, errors.New("the answer is the refund of another payment"))
	case !known:
		return pay.Refund{}, unusable(doing, fmt.Errorf("the refund has the unknown status %q", clip(a.Status, 20)))
	case a.Currency != "" && a.Currency != "EUR" || a.Amount <= 0 || a.Amount > maxCents:
		return pay.Refund{}, unusable(doing, errors.New("the refund has no amount in euros"))
	}
	return pay.Refund{
		ID: a.RefundID, PaymentID: a.PaymentID, Status: status, Amount: civil.Cents(a.Amount), Description: a.Description,
		CreatedAt: a.CreationDate.UTC(),
	}, nil
}

// Refund asks Bancontact to send money back out of the payout under way: ErrKindTemporary when that holds too little.
// The same key gives the same refund for good; a new one is a new refund.
func (c *Client) Refund(ctx context.Context, req pay.RefundRequest) (pay.Refund, error) {
	const doing = "refunding the payment"
	switch {
	case c.signing == nil:
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindDenied, Doing: doing, Detail: "refunds need a signing key"}
	case req.Key == "" || len(req.Key) > maxKey || req.Amount <= 0:
		return pay.Refund{}, &pay.Error{
			Kind: pay.ErrKindRefused, Doing: doing, Detail: "the request needs a key of at most 64 characters and an amount",
		}
	case !ValidID(req.PaymentID):
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	raw, err := c.call(ctx, call{
		doing: doing, method: http.MethodPost, path: "/v3/payments/" + url.PathEscape(req.PaymentID) + "/refunds",
		key: req.Key, sign: true,
		body: refundBody{Amount: int64(req.Amount), Currency: "EUR", Description: sepa(req.Description, maxDescription)},
	})
	if err != nil {
		return pay.Refund{}, err
	}
	r, err := readRefund(doing, raw, req.PaymentID)
	if err == nil && r.Amount != req.Amount {
		return pay.Refund{}, unusable(doing, errors.New("the answer is a refund of another amount"))
	}
	return r, err
}

// FetchRefund reads a refund. Bancontact Pro sends no callback about refunds: ask until its status is final.
func (c *Client) FetchRefund(ctx context.Context, paymentID, refundID string) (pay.Refund, error) {
	const doing = "reading the refund"
	if !ValidID(paymentID) || !ValidID(refundID) {
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no refund has such an id"}
	}
	raw, err := c.call(ctx, call{
		doing: doing, method: http.MethodGet, sign: c.signing != nil,
		path: "/v3/payments/" + url.PathEscape(paymentID) + "/refunds/" + url.PathEscape(refundID),
	})
	if err != nil {
		return pay.Refund{}, err
	}
	r, err := readRefund(doing, raw, paymentID)
	if err == nil && r.ID != refundID {
		return pay.Refund{}, unusable(doing, errors.New("the answer is another refund"))
	}
	return r, err
}

// Refunds is unsupported: the API lists the refunds of a payout, not of a payment. It needs none of it, because it
// keeps the key of a refund for good.
func (c *Client) Refunds(context.Context, string) ([]pay.Refund, error) {
	return nil, &pay.Error{Kind: pay.ErrKindUnsupported, Doing: "listing the refunds", Detail: "repeat under the same key instead"}
}

// RefundIBAN reads the account that a paid payment came from, to send money back by an ordinary transfer. It is the
// payer's: keep it out of logs.
func (c *Client) RefundIBAN(ctx context.Context, paymentID string) (string, error) {
	const doing = "reading the payer's account"
	if !ValidID(paymentID) {
		return "", &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	raw, err := c.call(ctx, call{
		doing: doing, method: http.MethodGet, path: "/v3/payments/" + url.PathEscape(paymentID) + "/debtor/refundIban",
	})
	if err != nil {
		return "", err
	}
	var answer struct {
		IBAN string `json:"iban"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return "", unusable(doing, errors.New("the answer is no account"))
	}
	iban, err := transfer.ParseIBAN(answer.IBAN)
	if err != nil {
		return "", unusable(doing, errors.New("the answer is no IBAN"))
	}
	return iban, nil
}
