package bancontactpro

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"ribambelle/internal/pay"
)

const (
	// callTimeout bounds a call from the first packet to the last byte.
	callTimeout = 20 * time.Second
	// maxBody bounds an answer; a payment is about 2 kB.
	maxBody = 256 << 10
	// maxDetail bounds what is kept of Bancontact's words.
	maxDetail = 300
)

// call is one HTTP exchange.
type call struct {
	doing, method, path string
	key                 string // Idempotency-Key, "" for none
	body                any    // nil for none
	sign                bool   // by our key
}

// unusable is an answer with a good status that cannot be understood. It is temporary: what was asked may be done, and
// a repeat under the same key is safe.
func unusable(doing string, cause error) error {
	return &pay.Error{Kind: pay.ErrKindTemporary, Doing: doing, Err: cause}
}

// call does the exchange and returns the body of a 2xx answer, or a *pay.Error.
func (c *Client) call(ctx context.Context, k call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	payload := []byte{}
	if k.body != nil {
		var err error
		if payload, err = json.Marshal(k.body); err != nil {
			return nil, &pay.Error{Kind: pay.ErrKindRefused, Doing: k.doing, Err: err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, k.method, strings.TrimSuffix(c.base.String(), "/")+k.path, bytes.NewReader(payload))
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindRefused, Doing: k.doing, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Ribambelle")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if k.key != "" {
		req.Header.Set("Idempotency-Key", k.key)
	}
	if k.sign {
		signature, err := c.sign(req.URL.Path, payload, time.Now())
		if err != nil {
			return nil, &pay.Error{Kind: pay.ErrKindRefused, Doing: k.doing, Err: err}
		}
		req.Header.Set("Signature", signature)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindTemporary, Doing: k.doing, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindTemporary, Doing: k.doing, Status: resp.StatusCode, Err: err}
	}
	if len(raw) > maxBody {
		return nil, &pay.Error{
			Kind: pay.ErrKindTemporary, Doing: k.doing, Status: resp.StatusCode, Detail: "the answer is over 256 kB",
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, c.refusal(k.doing, resp.StatusCode, raw)
	}
	return raw, nil
}

// refusal turns an answer that is not 2xx into an error of the right kind.
func (c *Client) refusal(doing string, status int, raw []byte) error {
	var said struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Trace   string `json:"traceId"` // what Bancontact's support asks for
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		said.Code, said.Message, said.Trace = "", "", "" // a proxy's page: the status says enough
	}
	detail := strings.TrimSuffix(clip(said.Code, 60)+": "+said.Message, ": ")
	if said.Trace != "" {
		detail = clip(detail, maxDetail-60) + " (trace " + clip(said.Trace, 50) + ")"
	}
	e := &pay.Error{Doing: doing, Status: status, Detail: clip(strings.ReplaceAll(detail, c.key, "…"), maxDetail)}
	switch {
	case said.Code == "PAYMENT_FOR_REFUND_NOT_FOUND", status == http.StatusNotFound, status == http.StatusGone:
		e.Kind = pay.ErrKindNotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden, said.Code == "REFUND_NOT_ALLOWED":
		e.Kind = pay.ErrKindDenied // a person must have refunds opened
	case status >= 300 && status < 400:
		e.Kind = pay.ErrKindRefused
		e.Detail = "the address answers with a redirect"
	case said.Code == "REFUND_NOT_POSSIBLE": // not enough money in the payout under way
		e.Kind = pay.ErrKindTemporary
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status == http.StatusConflict, status >= 500:
		e.Kind = pay.ErrKindTemporary
	default:
		e.Kind = pay.ErrKindRefused
	}
	return e
}

// clip shortens s to at most n runes.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
