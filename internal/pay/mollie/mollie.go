// Package mollie is a client of Mollie's payments API, version 2 (docs.mollie.com, read in November 2026).
package mollie

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"ribambelle/internal/pay"
)

// DefaultURL is where Mollie answers.
const DefaultURL = "https://api.mollie.com"

const (
	// callTimeout bounds a call from the first packet to the last byte; Mollie answers in well under a second.
	callTimeout = 20 * time.Second
	// maxBody bounds an answer; a payment with its QR code is about 10 kB.
	maxBody = 1 << 20
	// maxDetail bounds what is kept of Mollie's words.
	maxDetail = 300
)

// Client calls Mollie under one API key. It implements pay.Provider and is safe for concurrent use.
type Client struct {
	base    *url.URL
	key     string
	client  *http.Client
	methods methods
}

var (
	keyPattern = regexp.MustCompile(`^(live|test)_[A-Za-z0-9_-]{4,128}$`)
	idPattern  = regexp.MustCompile(`^tr_[A-Za-z0-9]{1,64}$`)
)

// ValidID reports whether id looks like a payment's: what a webhook sends may be anything.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// New returns a client for the API at base (DefaultURL, or a simulator's) under an API key, live_… or test_….
// A live key is refused over plain http. The key shows in no error.
func New(base, key string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("the Mollie address is not an http or https address without user, password or query")
	}
	if !keyPattern.MatchString(key) {
		return nil, errors.New("the Mollie key does not look like live_… or test_…")
	}
	if u.Scheme == "http" && strings.HasPrefix(key, "live_") {
		return nil, errors.New("a live Mollie key is sent over https only")
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = 8
	return &Client{
		base: u, key: key,
		client: &http.Client{
			Transport: transport,
			// A redirect would carry the key elsewhere or turn a POST into a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Name returns "mollie".
func (c *Client) Name() string { return "mollie" }

// Create opens a payment and asks for its QR code, which Mollie gives once only, here.
func (c *Client) Create(ctx context.Context, req pay.CreateRequest) (pay.Payment, error) {
	const doing = "creating the payment"
	if req.Key == "" || req.Amount <= 0 || req.RedirectURL == "" {
		return pay.Payment{}, &pay.Error{
			Kind: pay.ErrKindRefused, Doing: doing, Detail: "the request needs a key, an amount and a redirect address",
		}
	}
	body := createBody{
		Amount: writeAmount(req.Amount), Description: clip(req.Description, 255), RedirectURL: req.RedirectURL,
		CancelURL: req.CancelURL, WebhookURL: req.WebhookURL, Locale: locales[req.Language],
		Method: req.Method, Metadata: req.Metadata,
	}
	return c.payment(ctx, doing, http.MethodPost, "/v2/payments?include=details.qrCode", req.Key, body)
}

// locales are Mollie's names of our languages; it has no German or English for Belgium.
var locales = map[string]string{"fr": "fr_BE", "nl": "nl_BE", "de": "de_DE", "en": "en_GB"}

// Fetch reads a payment with its chargebacks.
func (c *Client) Fetch(ctx context.Context, id string) (pay.Payment, error) {
	return c.one(ctx, "reading the payment", http.MethodGet, id, "?embed=chargebacks")
}

// Cancel closes an open payment.
func (c *Client) Cancel(ctx context.Context, id string) (pay.Payment, error) {
	return c.one(ctx, "canceling the payment", http.MethodDelete, id, "")
}

func (c *Client) one(ctx context.Context, doing, method, id, query string) (pay.Payment, error) {
	if !ValidID(id) {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	p, err := c.payment(ctx, doing, method, "/v2/payments/"+id+query, "", nil)
	if err == nil && p.ID != id {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindTemporary, Doing: doing, Detail: "the answer is another payment"}
	}
	return p, err
}

func (c *Client) payment(ctx context.Context, doing, method, path, key string, body any) (pay.Payment, error) {
	raw, err := c.call(ctx, doing, method, path, key, body)
	if err != nil {
		return pay.Payment{}, err
	}
	var answer paymentAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return pay.Payment{}, unusable(doing, errors.New("the answer is no payment"))
	}
	p, err := answer.payment()
	if err != nil {
		return pay.Payment{}, unusable(doing, err)
	}
	p.QR = c.inline(ctx, p.QR)
	return p, nil
}

const (
	imageTimeout = 5 * time.Second
	maxImage     = 256 << 10
)

// inline returns the QR code as a data: URL. Mollie gives that or the address of an image; a page that loads it from
// there would tell a third party who pays. It returns "" when the image cannot be had: the payment works without.
func (c *Client) inline(ctx context.Context, src string) string {
	if !strings.HasPrefix(src, "https:") {
		return src
	}
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, src, nil)
	if err != nil {
		return ""
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "image/") {
		return ""
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxImage+1))
	if err != nil || len(raw) > maxImage {
		return ""
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(raw)
}

// unusable is an answer with a good status that cannot be understood. It is temporary: what was asked may be done,
// and a repeat under the same key is safe.
func unusable(doing string, cause error) error {
	return &pay.Error{Kind: pay.ErrKindTemporary, Doing: doing, Err: cause}
}

// call does one HTTP exchange and returns the body of a 2xx answer, or a *pay.Error.
func (c *Client) call(ctx context.Context, doing, method, path, key string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, &pay.Error{Kind: pay.ErrKindRefused, Doing: doing, Err: err}
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base.String(), "/")+path, payload)
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindRefused, Doing: doing, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/hal+json")
	req.Header.Set("User-Agent", "Ribambelle")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindTemporary, Doing: doing, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, &pay.Error{Kind: pay.ErrKindTemporary, Doing: doing, Status: resp.StatusCode, Err: err}
	}
	if len(raw) > maxBody {
		return nil, &pay.Error{
			Kind: pay.ErrKindTemporary, Doing: doing, Status: resp.StatusCode, Detail: "the answer is over 1 MB",
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, c.refusal(doing, resp.StatusCode, raw)
	}
	return raw, nil
}

// refusal turns an answer that is not 2xx into an error of the right kind.
func (c *Client) refusal(doing string, status int, raw []byte) error {
	var said struct {
		Detail string `json:"detail"`
		Field  string `json:"field"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		said.Detail, said.Field = "", "" // a proxy's page: the status says enough
	}
	e := &pay.Error{
		Doing: doing, Status: status, Field: clip(said.Field, 60),
		Detail: clip(strings.ReplaceAll(said.Detail, c.key, "…"), maxDetail),
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Kind = pay.ErrKindDenied
	case status == http.StatusNotFound, status == http.StatusGone:
		e.Kind = pay.ErrKindNotFound
	case status >= 300 && status < 400:
		e.Kind = pay.ErrKindRefused
		e.Detail = "the address answers with a redirect"
	case status == http.StatusConflict && strings.Contains(strings.ToLower(said.Detail), "duplicate"):
		e.Kind = pay.ErrKindDuplicate
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests,
		status == http.StatusConflict, // the same key is being worked on
		status >= 500:
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
