package mollie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"ribambelle/internal/pay"
)

var refundPattern = regexp.MustCompile(`^re_[A-Za-z0-9]{1,64}$`)

// maxRefunds is the most that Mollie lists at once; no payment has more.
const maxRefunds = 250

type refundBody struct {
	Amount      amount            `json:"amount"`
	Description string            `json:"description"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// refundAnswer is the part of Mollie's refund object that is read.
type refundAnswer struct {
	Resource    string          `json:"resource"`
	ID          string          `json:"id"`
	PaymentID   string          `json:"paymentId"`
	Status      string          `json:"status"`
	Amount      amount          `json:"amount"`
	Description string          `json:"description"`
	CreatedAt   time.Time       `json:"createdAt"`
	Metadata    json.RawMessage `json:"metadata"`
}

// refund checks the answer and returns it in our words.
func (a *refundAnswer) refund(paymentID string) (pay.Refund, error) {
	status := pay.RefundStatus(a.Status)
	switch {
	case a.Resource != "refund" || !refundPattern.MatchString(a.ID):
		return pay.Refund{}, errors.New("the answer is no refund")
	case a.PaymentID != paymentID:
		return pay.Refund{}, errors.New("the answer is the refund of another payment")
	case !status.Known():
		return pay.Refund{}, fmt.Errorf("the refund has the unknown status %q", clip(a.Status, 20))
	}
	cents, err := a.Amount.cents()
	if err != nil {
		return pay.Refund{}, err
	}
	return pay.Refund{
		ID: a.ID, PaymentID: a.PaymentID, Status: status, Amount: cents, Description: a.Description,
		CreatedAt: a.CreatedAt.UTC(), Metadata: metadata(a.Metadata),
	}, nil
}

// Refund asks Mollie to send money back by the way it came. Mollie refuses a second refund of the same amount within a
// short time under another key: ErrKindDuplicate; the same one may be asked again later.
func (c *Client) Refund(ctx context.Context, req pay.RefundRequest) (pay.Refund, error) {
	const doing = "refunding the payment"
	switch {
	case req.Key == "" || req.Amount <= 0:
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindRefused, Doing: doing, Detail: "the request needs a key and an amount"}
	case !ValidID(req.PaymentID):
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	body := refundBody{
		Amount: writeAmount(req.Amount), Description: clip(req.Description, 255), Metadata: req.Metadata,
	}
	raw, err := c.call(ctx, doing, http.MethodPost, "/v2/payments/"+req.PaymentID+"/refunds", req.Key, body)
	if err != nil {
		return pay.Refund{}, err
	}
	r, err := readRefund(doing, raw, req.PaymentID)
	if err == nil && r.Amount != req.Amount {
		return pay.Refund{}, unusable(doing, errors.New("the answer is a refund of another amount"))
	}
	return r, err
}

// FetchRefund reads a refund of a payment.
func (c *Client) FetchRefund(ctx context.Context, paymentID, refundID string) (pay.Refund, error) {
	const doing = "reading the refund"
	if !ValidID(paymentID) || !refundPattern.MatchString(refundID) {
		return pay.Refund{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no refund has such an id"}
	}
	raw, err := c.call(ctx, doing, http.MethodGet, "/v2/payments/"+paymentID+"/refunds/"+refundID, "", nil)
	if err != nil {
		return pay.Refund{}, err
	}
	r, err := readRefund(doing, raw, paymentID)
	if err == nil && r.ID != refundID {
		return pay.Refund{}, unusable(doing, errors.New("the answer is another refund"))
	}
	return r, err
}

func readRefund(doing string, raw []byte, paymentID string) (pay.Refund, error) {
	var answer refundAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return pay.Refund{}, unusable(doing, errors.New("the answer is no refund"))
	}
	r, err := answer.refund(paymentID)
	if err != nil {
		return pay.Refund{}, unusable(doing, err)
	}
	return r, nil
}

// Refunds lists the refunds of a payment, also those that staff asked on Mollie's own pages.
func (c *Client) Refunds(ctx context.Context, paymentID string) ([]pay.Refund, error) {
	const doing = "listing the refunds"
	if !ValidID(paymentID) {
		return nil, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	path := fmt.Sprintf("/v2/payments/%s/refunds?limit=%d", paymentID, maxRefunds)
	raw, err := c.call(ctx, doing, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Embedded *struct {
			Refunds []refundAnswer `json:"refunds"`
		} `json:"_embedded"`
		Links struct {
			Next *link `json:"next"`
		} `json:"_links"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Embedded == nil {
		return nil, unusable(doing, errors.New("the answer is no list of refunds"))
	}
	if answer.Links.Next != nil {
		return nil, unusable(doing, fmt.Errorf("the payment has more than %d refunds", maxRefunds))
	}
	list := make([]pay.Refund, 0, len(answer.Embedded.Refunds))
	for i := range answer.Embedded.Refunds {
		r, err := answer.Embedded.Refunds[i].refund(paymentID)
		if err != nil {
			return nil, unusable(doing, err)
		}
		list = append(list, r)
	}
	return list, nil
}
