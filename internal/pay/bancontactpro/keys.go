package bancontactpro

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

const (
	// keysFresh is how long keys may be remembered: Bancontact publishes a new one a day before the old one goes, and
	// asks for twelve hours at most.
	keysFresh = 12 * time.Hour
	// keysPause is how soon keys are asked again for the sake of an unknown one: a stranger must not make us ask.
	keysPause = time.Minute
	// maxKeySet bounds the published set.
	maxKeySet = 256 << 10
	// maxKeys bounds how many of it are kept.
	maxKeys = 64

	readingKeys = "reading the keys of Bancontact Pro"
)

// KeySet are the public keys that may have signed a callback, by their kid.
type KeySet map[string]*ecdsa.PublicKey

// ParseKeySet reads a JWK set (RFC 7517). What is no P-256 key for ES256 signatures is left out; it is an error if
// nothing remains.
func ParseKeySet(raw []byte) (KeySet, error) {
	if len(raw) > maxKeySet {
		return nil, errors.New("the key set is over 256 kB")
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("the key set is no JSON")
	}
	set := KeySet{}
	for _, one := range doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(one) != nil || k.KeyID == "" || !k.Valid() {
			continue
		}
		public, ok := k.Key.(*ecdsa.PublicKey)
		if !ok || public.Curve != elliptic.P256() || k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(jose.ES256) {
			continue
		}
		if len(set) < maxKeys {
			set[k.KeyID] = public
		}
	}
	if len(set) == 0 {
		return nil, errors.New("the key set holds no key for ES256")
	}
	return set, nil
}

// Keys fetches the published keys and remembers them for twelve hours. It is safe for concurrent use.
type Keys struct {
	URL    string
	Client *http.Client
	Now    civil.Clock // nil is the machine's

	mu      sync.Mutex
	set     KeySet
	fetched time.Time
	tried   time.Time
}

func (k *Keys) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

// For returns the keys among which kid should be. They are asked again when they are old or kid is unknown, the latter
// once a minute at most: in between an unknown kid gives an error, so that a callback under a key just published comes
// again. The error is a temporary *pay.Error.
func (k *Keys) For(ctx context.Context, kid string) (KeySet, error) {
	k.mu.Lock()
	now := k.now()
	set, fresh, pausing := k.set, now.Sub(k.fetched) < keysFresh, now.Sub(k.tried) < keysPause
	if fresh && set[kid] != nil {
		k.mu.Unlock()
		return set, nil
	}
	if fresh && pausing {
		k.mu.Unlock()
		return nil, &pay.Error{Kind: pay.ErrKindTemporary, Doing: readingKeys, Detail: "they were asked a moment ago"}
	}
	k.tried = now
	k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return nil, err // without an answer nobody knows whether kid is good: the callback must come again
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set, nil
}

// refresh asks for the keys.
func (k *Keys) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL, nil)
	if err != nil {
		return &pay.Error{Kind: pay.ErrKindRefused, Doing: readingKeys, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.Client.Do(req)
	if err != nil {
		return &pay.Error{Kind: pay.ErrKindTemporary, Doing: readingKeys, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("not 200")
	}
	var set KeySet
	if err == nil {
		set, err = ParseKeySet(raw)
	}
	if err != nil {
		return &pay.Error{Kind: pay.ErrKindTemporary, Doing: readingKeys, Status: resp.StatusCode, Err: err}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set, k.fetched = set, k.now()
	return nil
}
