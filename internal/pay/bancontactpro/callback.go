package bancontactpro

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

const (
	// maxCallback bounds the body of a callback; one is about 1 kB.
	maxCallback = 64 << 10
	// maxSignature bounds the header Signature.
	maxSignature = 8 << 10
	// maxUnique bounds the jti, which callers store.
	maxUnique = 128
	// callbackLife is how old a callback may be: it is sent again, word for word, for up to 24 hours.
	callbackLife = 25 * time.Hour
	// callbackSkew is how far Bancontact's clock may be ahead of ours.
	callbackSkew = 5 * time.Minute
)

// Why a callback is not believed. Each is wrapped with what was found.
var (
	ErrMalformed  = errors.New("the callback is malformed")
	ErrAlgorithm  = errors.New("the signature is not of ES256")
	ErrCritical   = errors.New("the signature has critical headers that are missing or unknown")
	ErrUnknownKey = errors.New("the signature is of an unknown key")
	ErrForged     = errors.New("the signature does not fit the body")
	ErrIssuer     = errors.New("the callback is not of the payment provider")
	ErrSubject    = errors.New("the callback is for another profile")
	ErrPath       = errors.New("the callback was sent to another address")
	ErrStale      = errors.New("the callback is too old, or of the future")
	ErrReplayed   = errors.New("the callback came before")
)

// Callback is a change that Bancontact Pro signalled and signed. Its order is not guaranteed: read the payment.
type Callback struct {
	PaymentID string
	Status    pay.Status
	Amount    civil.Cents
	Reference string    // as Reference makes it
	Unique    string    // the same in every repeat
	IssuedAt  time.Time // when it was signed first
}

// Expected is what a callback must be about.
type Expected struct {
	URL     string // our address of callbacks, as the payment was created with it
	Profile string // our product profile
	Now     time.Time
}

// joseHeader is the protected header of a callback's signature.
type joseHeader struct {
	Type     string   `json:"typ"`
	KeyID    string   `json:"kid"`
	Alg      string   `json:"alg"`
	Critical []string `json:"crit"`
	Subject  string   `json:"https://payconiq.com/sub"`
	Plain    string   `json:"sub"` // where older callbacks have the subject
	Issuer   string   `json:"https://payconiq.com/iss"`
	Issued   string   `json:"https://payconiq.com/iat"`
	Unique   string   `json:"https://payconiq.com/jti"`
	Path     string   `json:"https://payconiq.com/path"`
}

// Verify checks a callback: signature is the header of that name, a detached JWS (RFC 7515, appendix F) by ES256, body
// the bytes that came. It asks nobody, and trusts nothing before the signature fits.
//
// It verifies by crypto/ecdsa, because go-jose, which reads the keys, refuses private critical headers.
func Verify(signature string, body []byte, keys KeySet, want Expected) (Callback, error) {
	if len(body) > maxCallback {
		return Callback{}, fmt.Errorf("%w: the body is over 64 kB", ErrMalformed)
	}
	header, protected, mark, err := readSignature(signature)
	if err != nil {
		return Callback{}, err
	}
	key := keys[header.KeyID]
	if key == nil {
		return Callback{}, ErrUnknownKey
	}
	signed := sha256.Sum256([]byte(protected + "." + base64.RawURLEncoding.EncodeToString(body)))
	// A JWS holds the two numbers of the signature as 32 bytes each, not as ASN.1 (RFC 7518, 3.4).
	if !ecdsa.Verify(key, signed[:], new(big.Int).SetBytes(mark[:32]), new(big.Int).SetBytes(mark[32:])) {
		return Callback{}, ErrForged
	}
	issued, err := header.fits(want)
	if err != nil {
		return Callback{}, err
	}
	var answer paymentAnswer
	if json.Unmarshal(body, &answer) != nil {
		return Callback{}, fmt.Errorf("%w: the body is no payment", ErrMalformed)
	}
	p, err := answer.payment("")
	if err != nil {
		return Callback{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Callback{
		PaymentID: p.ID, Status: p.Status, Amount: p.Amount, Reference: clip(answer.Reference, maxReference),
		Unique: header.Unique, IssuedAt: issued,
	}, nil
}

// readSignature takes a detached JWS apart: its header, the header as it was signed, and the 64 bytes of the signature.
func readSignature(signature string) (h joseHeader, protected string, mark []byte, err error) {
	malformed := func(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }
	if len(signature) > maxSignature {
		return h, "", nil, malformed("the signature is over 8 kB")
	}
	parts := strings.Split(signature, ".")
	if len(parts) != 3 || parts[1] != "" {
		return h, "", nil, malformed("the signature is no detached JWS")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return h, "", nil, malformed("the signature has no header")
	}
	if h.Alg != "ES256" {
		return h, "", nil, ErrAlgorithm
	}
	mark, err = base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(mark) != 64 {
		return h, "", nil, malformed("the signature is not 64 bytes")
	}
	return h, parts[0], mark, nil
}

// fits checks what a header that is known to be genuine says, and returns when it was signed.
func (h *joseHeader) fits(want Expected) (time.Time, error) {
	// RFC 7515, 4.1.11: a critical header that we do not understand makes the whole invalid.
	understood := []string{headerSubject, headerIssuer, headerIssued, headerUnique, headerPath}
	for _, name := range h.Critical {
		if !slices.Contains(understood, name) {
			return time.Time{}, ErrCritical
		}
	}
	for _, name := range understood[1:] { // older callbacks leave the subject out of the list
		if !slices.Contains(h.Critical, name) {
			return time.Time{}, ErrCritical
		}
	}
	subject := h.Subject
	if subject == "" && !slices.Contains(h.Critical, headerSubject) {
		subject = h.Plain
	}
	issued, err := time.Parse(time.RFC3339Nano, h.Issued)
	switch {
	case !strings.EqualFold(h.Type, "jose+json"):
		return issued, fmt.Errorf("%w: the type of the signature", ErrMalformed)
	case err != nil || h.Unique == "" || len(h.Unique) > maxUnique:
		return issued, fmt.Errorf("%w: the signature has no instant or no name", ErrMalformed)
	case h.Issuer != issuer:
		return issued, ErrIssuer
	case subject == "" || subject != want.Profile:
		return issued, ErrSubject
	case !samePath(h.Path, want.URL):
		return issued, ErrPath
	case issued.Before(want.Now.Add(-callbackLife)) || issued.After(want.Now.Add(callbackSkew)):
		return issued, ErrStale
	}
	return issued.UTC(), nil
}

// samePath reports whether what was signed is our address, whole or its path: the documentation says both.
func samePath(signed, ours string) bool {
	u, err := url.Parse(ours)
	if err != nil || u.Host == "" || signed == "" {
		return false
	}
	return signed == ours || signed == u.RequestURI() || signed == u.Path
}

// Receiver takes callbacks off HTTP requests.
type Receiver struct {
	Keys    *Keys
	URL     string // our address of callbacks, as payments are created with it
	Profile string
	Now     civil.Clock // nil is the machine's
	// Seen reports whether the callback of that name was dealt with before. It is asked last; whoever answers from a
	// table notes the name together with what the callback starts, and may forget it at until. nil remembers nothing: a
	// repeat then costs a reading of the payment and changes nothing.
	Seen func(ctx context.Context, unique string, until time.Time) (bool, error)
}

// Receiver returns what takes the callbacks of this client's payments, which are created with address as WebhookURL.
func (c *Client) Receiver(address string) *Receiver {
	return &Receiver{Keys: c.keys, URL: address, Profile: c.profile}
}

// Receive reads and verifies a callback. The error wraps one of those above, or is temporary: see AnswerStatus.
func (rc *Receiver) Receive(r *http.Request) (Callback, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallback+1))
	if err != nil {
		return Callback{}, fmt.Errorf("%w: the body is cut", ErrMalformed)
	}
	signature := r.Header.Get("Signature")
	header, _, _, err := readSignature(signature)
	if err != nil {
		return Callback{}, err
	}
	keys, err := rc.Keys.For(r.Context(), header.KeyID)
	if err != nil {
		return Callback{}, err
	}
	now := time.Now()
	if rc.Now != nil {
		now = rc.Now()
	}
	call, err := Verify(signature, body, keys, Expected{URL: rc.URL, Profile: rc.Profile, Now: now})
	if err != nil || rc.Seen == nil {
		return call, err
	}
	seen, err := rc.Seen(r.Context(), call.Unique, call.IssuedAt.Add(callbackLife+callbackSkew))
	if err != nil {
		return Callback{}, fmt.Errorf("looking for the callback: %w", err)
	}
	if seen {
		return call, ErrReplayed
	}
	return call, nil
}

// AnswerStatus is the HTTP status to answer after Receive: 200 also for what came before, 503 so that Bancontact comes
// again when we could not verify, 401 for what is not theirs, which they do not send again.
func AnswerStatus(err error) int {
	if err == nil || errors.Is(err, ErrReplayed) {
		return http.StatusOK
	}
	for _, no := range []error{
		ErrMalformed, ErrAlgorithm, ErrCritical, ErrUnknownKey, ErrForged, ErrIssuer, ErrSubject, ErrPath, ErrStale,
	} {
		if errors.Is(err, no) {
			return http.StatusUnauthorized
		}
	}
	return http.StatusServiceUnavailable
}
