package bancontactpro

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/pay"
)

const (
	testProfile = "07e998f9-d932-4848-8b60-d5b5ae94b1b2"
	testAddress = "https://camps.test/paiements/bancontact/notification"
	testBody    = `{"paymentId":"5f91483d78a74914bc6f0123","amount":6000,"currency":"EUR","reference":"a1",` +
		`"createdAt":"2026-05-12T08:00:00.000Z","expireAt":"2026-05-12T08:20:00.000Z","succeededAt":"2026-05-12T08:05:00.000Z",` +
		`"status":"SUCCEEDED","debtor":{"name":"John","iban":"************3456"}}`
)

var testNow = time.Date(2026, 5, 12, 8, 5, 1, 0, time.UTC)

// header is a good header, for tests to spoil.
func header() map[string]any {
	return map[string]any{
		"typ": "jose+json", "alg": "ES256", "kid": "k1",
		"crit":        []string{headerSubject, headerIssuer, headerIssued, headerUnique, headerPath},
		headerSubject: testProfile, headerIssuer: "Payconiq", headerIssued: "2026-05-12T08:05:00.675129286Z",
		headerUnique: "j1", headerPath: testAddress,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign signs a body under any header, by go-jose: another hand than the one that verifies.
func sign(t testing.TB, key *ecdsa.PrivateKey, head map[string]any, body string) string {
	t.Helper()
	options := new(jose.SignerOptions)
	for name, value := range head {
		if name != "alg" && name != "kid" {
			options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	kid, _ := head["kid"].(string)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid},
	}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := jws.DetachedCompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestVerify(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	keys := KeySet{"k1": &key.PublicKey}
	want := Callback{
		PaymentID: "5f91483d78a74914bc6f0123", Status: pay.StatusPaid, Amount: 6000, Reference: "a1", Unique: "j1",
		IssuedAt: time.Date(2026, 5, 12, 8, 5, 0, 675129286, time.UTC),
	}
	without := func(name string) func(map[string]any) { return func(h map[string]any) { delete(h, name) } }
	with := func(name string, value any) func(map[string]any) { return func(h map[string]any) { h[name] = value } }
	for name, tt := range map[string]struct {
		change func(map[string]any)
		want   error // nil when it must be believed
	}{
		"as documented":    {func(map[string]any) {}, nil},
		"a day later":      {with(headerIssued, "2026-05-11T08:06:00Z"), nil},
		"path alone":       {with(headerPath, "/paiements/bancontact/notification"), nil},
		"type in capitals": {with("typ", "JOSE+JSON"), nil},
		"subject the old way": {func(h map[string]any) {
			delete(h, headerSubject)
			h["sub"] = testProfile
			h["crit"] = []string{headerIssuer, headerIssued, headerUnique, headerPath}
		}, nil},
		"clock ahead":           {with(headerIssued, "2026-05-12T08:09:00Z"), nil},
		"unknown key":           {with("kid", "k2"), ErrUnknownKey},
		"no kid":                {without("kid"), ErrUnknownKey},
		"another profile":       {with(headerSubject, "11111111-d932-4848-8b60-d5b5ae94b1b2"), ErrSubject},
		"no profile":            {without(headerSubject), ErrSubject},
		"subject not protected": {func(h map[string]any) { delete(h, headerSubject); h["sub"] = testProfile }, ErrSubject},
		"another issuer":        {with(headerIssuer, "Somebody"), ErrIssuer},
		"another path":          {with(headerPath, "https://other.test/notification"), ErrPath},
		"our path elsewhere":    {with(headerPath, "https://other.test/paiements/bancontact/notification"), ErrPath},
		"no path":               {with(headerPath, ""), ErrPath},
		"too old":               {with(headerIssued, "2026-05-11T07:00:00Z"), ErrStale},
		"of the future":         {with(headerIssued, "2026-05-12T08:11:00Z"), ErrStale},
		"no instant":            {without(headerIssued), ErrMalformed},
		"instant is a number":   {with(headerIssued, 1778573100), ErrMalformed},
		"no name":               {without(headerUnique), ErrMalformed},
		"name too long":         {with(headerUnique, strings.Repeat("x", 129)), ErrMalformed},
		"another type":          {with("typ", "JWT"), ErrMalformed},
		"nothing critical":      {without("crit"), ErrCritical},
		"path not critical":     {with("crit", []string{headerSubject, headerIssuer, headerIssued, headerUnique}), ErrCritical},
		"unknown critical":      {with("crit", []string{headerSubject, headerIssuer, headerIssued, headerUnique, headerPath, "exp"}), ErrCritical},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head := header()
			tt.change(head)
			got, err := Verify(sign(t, key, head, testBody), []byte(testBody), keys, Expected{URL: testAddress, Profile: testProfile, Now: testNow})
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil {
				if diff := cmp.Diff(Callback{}, got); diff != "" {
					t.Errorf("something was believed (-want +got)\n%s", diff)
				}
				return
			}
			want := want
			want.IssuedAt, _ = time.Parse(time.RFC3339Nano, head[headerIssued].(string))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestVerifyForged changes what was signed, and how.
func TestVerifyForged(t *testing.T) {
	t.Parallel()
	key, stranger := newKey(t), newKey(t)
	keys := KeySet{"k1": &key.PublicKey}
	good := sign(t, key, header(), testBody)
	parts := strings.Split(good, "..")
	encode := base64.RawURLEncoding.EncodeToString
	head := func(edit func(map[string]any)) string {
		h := header()
		edit(h)
		raw, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		return encode(raw)
	}
	for name, tt := range map[string]struct {
		signature, body string
		want            error
	}{
		"another amount":      {good, strings.Replace(testBody, "6000", "9000", 1), ErrForged},
		"one byte more":       {good, testBody + "\n", ErrForged},
		"no body":             {good, "", ErrForged},
		"another's key":       {sign(t, stranger, header(), testBody), testBody, ErrForged},
		"another header":      {head(func(h map[string]any) { h[headerUnique] = "j2" }) + ".." + parts[1], testBody, ErrForged},
		"zeroes":              {parts[0] + ".." + encode(make([]byte, 64)), testBody, ErrForged},
		"short":               {parts[0] + ".." + encode(make([]byte, 63)), testBody, ErrMalformed},
		"in ASN.1":            {parts[0] + ".." + encode(make([]byte, 70)), testBody, ErrMalformed},
		"unsigned":            {head(func(h map[string]any) { h["alg"] = "none" }) + "..", testBody, ErrAlgorithm},
		"by a shared secret":  {head(func(h map[string]any) { h["alg"] = "HS256" }) + ".." + encode(make([]byte, 32)), testBody, ErrAlgorithm},
		"body inside":         {strings.Replace(good, "..", "."+encode([]byte(testBody))+".", 1), testBody, ErrMalformed},
		"two parts":           {strings.Replace(good, "..", ".", 1), testBody, ErrMalformed},
		"empty":               {"", testBody, ErrMalformed},
		"header no JSON":      {encode([]byte("{")) + ".." + parts[1], testBody, ErrMalformed},
		"header padded":       {parts[0] + "=.." + parts[1], testBody, ErrMalformed},
		"header endless":      {strings.Repeat("a", maxSignature) + "..", testBody, ErrMalformed},
		"body endless":        {good, strings.Repeat(" ", maxCallback+1), ErrMalformed},
		"signed but no JSON":  {sign(t, key, header(), "SUCCEEDED"), "SUCCEEDED", ErrMalformed},
		"signed other status": {sign(t, key, header(), strings.Replace(testBody, "SUCCEEDED", "SHIPPED", 1)), strings.Replace(testBody, "SUCCEEDED", "SHIPPED", 1), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Verify(tt.signature, []byte(tt.body), keys, Expected{URL: testAddress, Profile: testProfile, Now: testNow})
			if !errors.Is(err, tt.want) || got != (Callback{}) {
				t.Errorf("got %+v, %v, want %v", got, err, tt.want)
			}
			if AnswerStatus(err) != http.StatusUnauthorized {
				t.Errorf("the answer is %d", AnswerStatus(err))
			}
		})
	}
}

// server publishes keys, counts who asks, and fails while down.
type server struct {
	*httptest.Server
	keys  map[string]*ecdsa.PrivateKey
	asked int
	down  bool
}

func publish(t *testing.T, keys map[string]*ecdsa.PrivateKey) *server {
	t.Helper()
	s := &server{keys: keys}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked++
		if s.down {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		set := jose.JSONWebKeySet{}
		for kid, key := range s.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"})
		}
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := publish(t, map[string]*ecdsa.PrivateKey{"k1": newKey(t)})
	now := testNow
	keys := &Keys{URL: s.URL, Client: s.Client(), Now: func() time.Time { return now }}
	check := func(what, kid string, known bool, asked int) {
		t.Helper()
		set, err := keys.For(t.Context(), kid)
		if (err == nil && set[kid] != nil) != known || s.asked != asked {
			t.Errorf("%s: %v, %v, asked %d times, want %v and %d", what, set, err, s.asked, known, asked)
		}
		if err != nil && !pay.Temporary(err) {
			t.Errorf("%s: %v is not temporary", what, err)
		}
	}
	check("first", "k1", true, 1)
	check("remembered", "k1", true, 1)
	check("unknown, a moment later", "k2", false, 1)
	now = now.Add(keysPause)
	check("unknown, a minute later", "k2", false, 2)
	check("known meanwhile", "k1", true, 2)
	s.keys["k2"] = newKey(t)
	now = now.Add(keysPause)
	check("rotated", "k2", true, 3)
	s.down = true
	now = now.Add(keysFresh - time.Second)
	check("nearly old", "k2", true, 3)
	now = now.Add(time.Second)
	check("old, and nobody answers", "k2", false, 4)
	check("old keys are not believed", "k1", false, 5)
	s.down = false
	check("back", "k1", true, 6)
}

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	good := newKey(t)
	jwk := func(k jose.JSONWebKey) string {
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	one := jwk(jose.JSONWebKey{Key: good.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"})
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		keys string
		want int // 0 is an error
	}{
		"one":                {one, 1},
		"one among others":   {`{"kty":"new"},7,` + one + `,{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"bad"}`, 1},
		"not on the curve":   {`{"kty":"EC","crv":"P-256","kid":"k","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, 0},
		"another curve":      {jwk(jose.JSONWebKey{Key: wide.Public(), KeyID: "k"}), 0},
		"for encryption":     {jwk(jose.JSONWebKey{Key: good.Public(), KeyID: "k", Use: "enc"}), 0},
		"another algorithm":  {jwk(jose.JSONWebKey{Key: good.Public(), KeyID: "k", Algorithm: "RS256"}), 0},
		"a private key":      {jwk(jose.JSONWebKey{Key: good, KeyID: "k"}), 0},
		"a shared secret":    {`{"kty":"oct","k":"AAAA","kid":"k"}`, 0},
		"without name":       {jwk(jose.JSONWebKey{Key: good.Public()}), 0},
		"none":               {``, 0},
		"very long":          {`"` + strings.Repeat("x", maxKeySet) + `"`, 0},
		"the same name, two": {one + "," + one, 1},
	} {
		set, err := ParseKeySet([]byte(`{"keys":[` + tt.keys + `]}`))
		if len(set) != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("%s: %d keys, %v, want %d", name, len(set), err, tt.want)
		}
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := publish(t, map[string]*ecdsa.PrivateKey{"k1": key})
	seen := map[string]bool{}
	var table error
	rc := &Receiver{
		Keys: &Keys{URL: s.URL, Client: s.Client()}, URL: testAddress, Profile: testProfile,
		Now: func() time.Time { return testNow },
		Seen: func(_ context.Context, unique string, until time.Time) (bool, error) {
			if until.Before(testNow.Add(24 * time.Hour)) {
				t.Errorf("may be forgotten at %v", until)
			}
			before := seen[unique]
			seen[unique] = table == nil
			return before, table
		},
	}
	receive := func(signature, body string) error {
		r := httptest.NewRequest(http.MethodPost, "/paiements/bancontact/notification", strings.NewReader(body))
		r.Header.Set("Signature", signature)
		_, err := rc.Receive(r)
		return err
	}
	good := sign(t, key, header(), testBody)
	table = errors.New("the database is away")
	if err := receive(good, testBody); AnswerStatus(err) != http.StatusServiceUnavailable {
		t.Errorf("without the table: %v", err)
	}
	table = nil
	if err := receive(good, testBody); err != nil || AnswerStatus(err) != http.StatusOK {
		t.Errorf("good: %v", err)
	}
	if err := receive(good, testBody); !errors.Is(err, ErrReplayed) || AnswerStatus(err) != http.StatusOK {
		t.Errorf("again: %v", err)
	}
	asked := s.asked
	if err := receive("nonsense", testBody); !errors.Is(err, ErrMalformed) || s.asked != asked {
		t.Errorf("nonsense: %v, the keys were asked %d times", err, s.asked-asked)
	}
	if err := receive(good, strings.Repeat("x", maxCallback+10)); !errors.Is(err, ErrMalformed) {
		t.Errorf("endless: %v", err)
	}
	s.Close()
	rc.Keys = &Keys{URL: s.URL, Client: s.Client()}
	if err := receive(good, testBody); AnswerStatus(err) != http.StatusServiceUnavailable {
		t.Errorf("without keys: %v", err)
	}
}

// FuzzVerify proves that nothing but what was signed is ever believed.
func FuzzVerify(f *testing.F) {
	key := newKey(f)
	keys := KeySet{"k1": &key.PublicKey}
	good := sign(f, key, header(), testBody)
	f.Add(good, []byte(testBody))
	f.Add(good, []byte(strings.Replace(testBody, "6000", "1", 1)))
	f.Add("e30..AA", []byte("{}"))
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		c, err := Verify(signature, body, keys, Expected{URL: testAddress, Profile: testProfile, Now: testNow})
		if err != nil {
			if c != (Callback{}) {
				t.Errorf("an error and %+v", c)
			}
			return
		}
		// ECDSA allows a second form of the same signature, so its last part may differ.
		if head, _, _ := strings.Cut(signature, "."); string(body) != testBody || !strings.HasPrefix(good, head+".") {
			t.Errorf("believed %q with %q", body, signature)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"k"},{"kty":"EC","x5c":["AA"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := ParseKeySet(raw)
		if err == nil && (len(set) == 0 || len(set) > maxKeys) {
			t.Errorf("%d keys", len(set))
		}
		for kid, key := range set {
			if kid == "" || key.Curve != elliptic.P256() {
				t.Errorf("accepted %q", kid)
			}
			if _, err := key.Bytes(); err != nil {
				t.Errorf("%q is not on the curve: %v", kid, err)
			}
		}
	})
}
