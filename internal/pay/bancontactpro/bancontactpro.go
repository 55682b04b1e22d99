// Package bancontactpro is a client of the Bancontact Pro merchant API, version 3, which was Payconiq's
// (docs.bancontactpro.com, read in November 2026): payments by a deep link or a code to scan, refunds, and the signed
// callbacks.
package bancontactpro

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"ribambelle/internal/pay"
	"ribambelle/internal/pay/qrcode"
)

// Where Bancontact Pro answers.
const (
	DefaultURL = "https://merchant.api.bancontact.net"
	PreprodURL = "https://merchant.api.preprod.bancontact.net"
)

// Options sets up a client.
type Options struct {
	URL     string // DefaultURL, PreprodURL or a simulator's
	Key     string // the API key of the product profile
	Profile string // the product profile's id: whom callbacks must be addressed to
	// SigningKey signs refunds: a P-256 key in PEM whose public half Bancontact reads at an address given to them, as
	// JWKS returns it. Without it Refund is refused, and money goes back by transfer to RefundIBAN.
	SigningKey string
}

// Client calls Bancontact Pro for one product profile. It implements pay.Provider and is safe for concurrent use.
type Client struct {
	base    *url.URL
	key     string
	profile string
	signing *ecdsa.PrivateKey // nil: refunds by transfer
	client  *http.Client
	keys    *Keys
}

var (
	// Keys are JWTs or random words; what matters is that they fit in a header.
	keyPattern     = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]{8,1000}$`)
	profilePattern = regexp.MustCompile(`^[A-Za-z0-9-]{4,64}$`)
	idPattern      = regexp.MustCompile(`^[A-Za-z0-9=_-]{24}$`)
)

// ValidID reports whether id looks like a payment's or a refund's.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// New returns a client. The key shows in no error; it is sent over https only, unless the API is on this machine.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("the Bancontact Pro address is not an http or https address without user, password or query")
	}
	if u.Scheme == "http" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" && u.Hostname() != "::1" {
		return nil, errors.New("a Bancontact Pro key is sent over https only")
	}
	if !keyPattern.MatchString(o.Key) {
		return nil, errors.New("the Bancontact Pro key is not one word of 8 characters or more")
	}
	if !profilePattern.MatchString(o.Profile) {
		return nil, errors.New("the Bancontact Pro profile does not look like a product profile's id")
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = 8
	c := &Client{
		base: u, key: o.Key, profile: o.Profile,
		client: &http.Client{
			Transport: transport,
			// A redirect would carry the key elsewhere or turn a POST into a GET.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if o.SigningKey != "" {
		if c.signing, err = readSigningKey(o.SigningKey); err != nil {
			return nil, err
		}
	}
	c.keys = &Keys{URL: keysURL(u), Client: c.client}
	return c, nil
}

// keysURL is where the keys of callbacks are published for an API.
func keysURL(base *url.URL) string {
	if domain, ok := strings.CutPrefix(base.Host, "merchant.api."); ok {
		return "https://jwks." + domain + "/"
	}
	return strings.TrimSuffix(base.String(), "/") + "/jwks"
}

// Name returns "bancontactpro".
func (c *Client) Name() string { return "bancontactpro" }

// Methods lists the one way to pay: the app, by deep link or code.
func (c *Client) Methods(context.Context) ([]string, error) {
	return []string{pay.MethodBancontact}, nil
}

// Reference is what a payment asked under key is called at Bancontact Pro: 35 characters at most, for a UUID its digits.
func Reference(key string) string {
	plain := strings.ReplaceAll(key, "-", "")
	if plain == sepa(plain, maxReference) && plain != "" {
		return plain
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

const (
	maxReference   = 35
	maxDescription = 140
	// repeatWithin is how far back a repeat looks for its payment; Bancontact's own default is a day.
	repeatWithin = 24 * time.Hour
)

// Create opens a payment; the payer gets 20 minutes. Bancontact Pro knows no idempotency key for it, so a payment of
// the same reference is looked for first. Their index may lag a moment behind: a repeat right after a lost answer may
// then open a second payment, which does no harm, because nobody ever holds the link of the first.
func (c *Client) Create(ctx context.Context, req pay.CreateRequest) (pay.Payment, error) {
	const doing = "creating the payment"
	if req.Key == "" || req.Amount <= 0 || req.RedirectURL == "" || req.Method != "" && req.Method != pay.MethodBancontact {
		return pay.Payment{}, &pay.Error{
			Kind: pay.ErrKindRefused, Doing: doing,
			Detail: "the request needs a key, an amount and a redirect address, and Bancontact is the only method",
		}
	}
	reference := Reference(req.Key)
	p, known, err := c.search(ctx, reference)
	if err != nil {
		return pay.Payment{}, err
	}
	if known {
		if p.Amount != req.Amount {
			return pay.Payment{}, &pay.Error{Kind: pay.ErrKindRefused, Doing: doing, Detail: "the key was used for another amount"}
		}
		return c.draw(p), nil
	}
	raw, err := c.call(ctx, call{doing: doing, method: http.MethodPost, path: "/v3/payments", body: createBody{
		Amount: int64(req.Amount), Currency: "EUR", Reference: reference, Description: sepa(req.Description, maxDescription),
		CallbackURL: req.WebhookURL, ReturnURL: req.RedirectURL,
	}})
	if err != nil {
		return pay.Payment{}, err
	}
	if p, err = c.read(doing, raw); err != nil {
		return pay.Payment{}, err
	}
	if p.Amount != req.Amount {
		return pay.Payment{}, unusable(doing, errors.New("the answer is a payment of another amount"))
	}
	return c.draw(p), nil
}

// draw adds the code to scan while the payment can be paid; it is drawn here, so that no third party learns of it.
func (c *Client) draw(p pay.Payment) pay.Payment {
	if p.Status == pay.StatusOpen && p.AppURL != "" {
		if src, err := qrcode.DataURL(p.AppURL); err == nil {
			p.QR = src
		}
	}
	return p
}

// search finds the newest payment of a reference.
func (c *Client) search(ctx context.Context, reference string) (pay.Payment, bool, error) {
	const doing = "looking for the payment"
	raw, err := c.call(ctx, call{
		doing: doing, method: http.MethodPost, path: "/v3/payments/search?page=0&size=1", body: searchBody{
			From: time.Now().Add(-repeatWithin).UTC().Format("2006-01-02T15:04:05.000Z"), Reference: reference,
		},
	})
	if err != nil {
		return pay.Payment{}, false, err
	}
	var answer struct {
		Details *[]paymentAnswer `json:"details"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Details == nil {
		return pay.Payment{}, false, unusable(doing, errors.New("the answer is no list of payments"))
	}
	for i := range *answer.Details {
		one := &(*answer.Details)[i]
		if one.Reference != reference {
			continue
		}
		p, err := one.payment(c.mode())
		if err != nil {
			return pay.Payment{}, false, unusable(doing, err)
		}
		return p, true, nil
	}
	return pay.Payment{}, false, nil
}

// Fetch reads a payment. Bancontact Pro does not tell there what was refunded: Refunded stays zero.
func (c *Client) Fetch(ctx context.Context, id string) (pay.Payment, error) {
	const doing = "reading the payment"
	if !ValidID(id) {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	raw, err := c.call(ctx, call{doing: doing, method: http.MethodGet, path: "/v3/payments/" + url.PathEscape(id)})
	if err != nil {
		return pay.Payment{}, err
	}
	p, err := c.read(doing, raw)
	if err == nil && p.ID != id {
		return pay.Payment{}, unusable(doing, errors.New("the answer is another payment"))
	}
	return p, err
}

// Cancel closes a payment that the payer has not confirmed.
func (c *Client) Cancel(ctx context.Context, id string) (pay.Payment, error) {
	const doing = "canceling the payment"
	if !ValidID(id) {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: doing, Detail: "no payment has such an id"}
	}
	if _, err := c.call(ctx, call{doing: doing, method: http.MethodDelete, path: "/v3/payments/" + url.PathEscape(id)}); err != nil {
		return pay.Payment{}, err
	}
	return c.Fetch(ctx, id)
}

func (c *Client) read(doing string, raw []byte) (pay.Payment, error) {
	var answer paymentAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return pay.Payment{}, unusable(doing, errors.New("the answer is no payment"))
	}
	p, err := answer.payment(c.mode())
	if err != nil {
		return pay.Payment{}, unusable(doing, err)
	}
	return p, nil
}

// mode is "live" at the real address alone.
func (c *Client) mode() string {
	if strings.TrimSuffix(c.base.String(), "/") == DefaultURL {
		return "live"
	}
	return "test"
}

// Check proves address, key and the keys of callbacks, in a few words for the command of that name.
func (c *Client) Check(ctx context.Context) (string, error) {
	if _, _, err := c.search(ctx, Reference("ribambelle check")); err != nil {
		return "", err
	}
	if err := c.keys.refresh(ctx); err != nil {
		return "", err
	}
	said := "bancontactpro, " + c.mode() + " mode"
	if c.signing == nil {
		said += ", refunds by transfer (no BANCONTACT_PRO_SIGNING_KEY)"
	}
	return said, nil
}
