package bancontactpro

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/pay"
)

const testKey = "8d3c1c2e-0b6e-4b4e-a7c5-simulated"

// setup returns a client of a server that answers with the given handler.
func setup(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	c, err := New(Options{URL: srv.URL, Key: testKey, Profile: testProfile})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// pendingPayment is an answer to a creation, in the shape of Bancontact's documentation.
const pendingPayment = `{
  "paymentId": "5f91483d78a74914bc6f0123", "status": "PENDING", "createdAt": "2026-05-12T08:00:00.000Z",
  "expiresAt": "2026-05-12T08:20:00.000Z", "description": "Stage", "reference": "ab12", "amount": 6000, "currency": "EUR",
  "creditor": {"profileId": "p", "name": "Commune"},
  "_links": {
    "self": {"href": "https://merchant.api.bancontact.net/v3/payments/5f91483d78a74914bc6f0123"},
    "deeplink": {"href": "https://pay.bancontact.net/pay/2/5f91483d78a74914bc6f0123"},
    "qrcode": {"href": "https://qrcodegenerator.api.bancontact.net/qrcode?c=x"},
    "checkout": {"href": "https://checkout.bancontact.net?paymentId=x"}
  }
}`

func TestCreateSends(t *testing.T) {
	t.Parallel()
	var bodies []string
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+testKey {
			t.Errorf("authorization %q", got)
		}
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Method+" "+r.URL.String()+" "+string(body))
		if strings.HasSuffix(r.URL.Path, "/search") {
			reply(http.StatusOK, `{"details":[{"reference":"somebody else's"}]}`)(w, r)
			return
		}
		reply(http.StatusCreated, pendingPayment)(w, r)
	})
	p, err := c.Create(t.Context(), pay.CreateRequest{
		Key: "ab-12", Amount: 6000, Description: "Stage «Cirque», n° 3 — l’été & cœur " + strings.Repeat("x", 200),
		RedirectURL: "https://camps.test/retour", WebhookURL: testAddress,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `POST /v3/payments {"amount":6000,"currency":"EUR","reference":"ab12","description":"` +
		`Stage Cirque , n 3 - l'ete coeur ` + strings.Repeat("x", 107) + `","callbackUrl":"` + testAddress + `",` +
		`"returnUrl":"https://camps.test/retour"}`
	if len(bodies) != 2 || !strings.HasPrefix(bodies[0], "POST /v3/payments/search?page=0&size=1 {") {
		t.Fatalf("calls %q", bodies)
	}
	if diff := cmp.Diff(want, bodies[1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.AppURL != "https://pay.bancontact.net/pay/2/5f91483d78a74914bc6f0123" || !strings.HasPrefix(p.CheckoutURL, "https://checkout.") ||
		!strings.HasPrefix(p.QR, "data:image/png") || p.Mode != "test" {
		t.Errorf("got %+v", p)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	c := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a faulty request was sent") })
	for _, req := range []pay.CreateRequest{
		{Amount: 1, RedirectURL: "https://x.test"},
		{Key: "k", RedirectURL: "https://x.test"},
		{Key: "k", Amount: 1},
		{Key: "k", Amount: 1, RedirectURL: "https://x.test", Method: pay.MethodCard},
	} {
		if _, err := c.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindRefused {
			t.Errorf("Create(%+v) = %v, want refused", req, err)
		}
	}
	for _, id := range []string{"", "5f91483d", strings.Repeat("a", 25), "../../../../../../secrets", "5f91483d78a74914bc6f012?"} {
		if _, err := c.Fetch(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("Fetch(%q) = %v, want not found", id, err)
		}
		if _, err := c.Cancel(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("Cancel(%q) = %v, want not found", id, err)
		}
		if _, err := c.FetchRefund(t.Context(), "5f91483d78a74914bc6f0123", id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("FetchRefund(%q) = %v, want not found", id, err)
		}
		if _, err := c.RefundIBAN(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("RefundIBAN(%q) = %v, want not found", id, err)
		}
	}
	if _, err := c.Refund(t.Context(), pay.RefundRequest{Key: "k", PaymentID: "5f91483d78a74914bc6f0123", Amount: 1}); pay.KindOf(err) != pay.ErrKindDenied {
		t.Errorf("a refund without signing key: %v, want denied", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(pendingPayment) }
	for name, tt := range map[string]struct {
		body string
		want func(p pay.Payment) bool // nil when the answer must be refused
	}{
		"another currency":  {edit(`"EUR"`, `"USD"`), nil},
		"another payment":   {edit("5f91483d78a74914bc6f0123", "5f91483d78a74914bc6f0124"), nil},
		"amount in text":    {edit("6000", `"6000"`), nil},
		"amount broken":     {edit("6000", "60.5"), nil},
		"negative":          {edit("6000", "-6000"), nil},
		"unknown status":    {edit("PENDING", "SHIPPED"), nil},
		"page":              {"<html>502", nil},
		"list":              {"[]", nil},
		"scripts for links": {edit("https://pay.", "javascript://", "https://checkout.", "data://"), func(p pay.Payment) bool { return p.AppURL == "" && p.CheckoutURL == "" }},
		"no checkout":       {edit("checkout", "other"), func(p pay.Payment) bool { return p.CheckoutURL == p.AppURL && p.AppURL != "" }},
		"to acknowledge":    {edit("PENDING", "PENDING_MERCHANT_ACKNOWLEDGEMENT"), func(p pay.Payment) bool { return p.Status == pay.StatusAuthorized && !p.Cancelable }},
		"voided":            {edit("PENDING", "VOIDED"), func(p pay.Payment) bool { return p.Status == pay.StatusFailed && p.AppURL == "" }},
		"scanned":           {edit("PENDING", "IDENTIFIED"), func(p pay.Payment) bool { return p.Status == pay.StatusPending && p.Cancelable }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := setup(t, reply(http.StatusOK, tt.body)).Fetch(t.Context(), "5f91483d78a74914bc6f0123")
			if tt.want == nil {
				if pay.KindOf(err) != pay.ErrKindTemporary {
					t.Errorf("got %+v, %v, want a temporary error", p, err)
				}
			} else if err != nil || !tt.want(p) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   pay.Error
	}{
		"denied":    {401, `{"code":"UNAUTHORIZED","message":"bad ` + testKey + `","traceId":"t1"}`, pay.Error{Kind: pay.ErrKindDenied, Detail: "UNAUTHORIZED: bad … (trace t1)"}},
		"down":      {503, `<html>`, pay.Error{Kind: pay.ErrKindTemporary}},
		"field":     {400, `{"code":"FIELD_IS_INVALID","message":"Field reference is invalid"}`, pay.Error{Kind: pay.ErrKindRefused, Detail: "FIELD_IS_INVALID: Field reference is invalid"}},
		"forbidden": {403, `{"code":"ACCESS_DENIED"}`, pay.Error{Kind: pay.ErrKindDenied, Detail: "ACCESS_DENIED"}},
		"missing":   {404, `{"code":"PAYMENT_NOT_FOUND"}`, pay.Error{Kind: pay.ErrKindNotFound, Detail: "PAYMENT_NOT_FOUND"}},
		"moved":     {302, ``, pay.Error{Kind: pay.ErrKindRefused, Detail: "the address answers with a redirect"}},
		"poor":      {422, `{"code":"REFUND_NOT_POSSIBLE"}`, pay.Error{Kind: pay.ErrKindTemporary, Detail: "REFUND_NOT_POSSIBLE"}},
		"too late":  {422, `{"code":"PAYMENT_NOT_PENDING"}`, pay.Error{Kind: pay.ErrKindRefused, Detail: "PAYMENT_NOT_PENDING"}},
		"too much":  {429, ``, pay.Error{Kind: pay.ErrKindTemporary}},
		"not open":  {422, `{"code":"REFUND_NOT_ALLOWED"}`, pay.Error{Kind: pay.ErrKindDenied, Detail: "REFUND_NOT_ALLOWED"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := setup(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				reply(tt.status, tt.body)(w, r)
			}).Fetch(t.Context(), "5f91483d78a74914bc6f0123")
			var got *pay.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *pay.Error", err)
			}
			tt.want.Doing, tt.want.Status = "reading the payment", tt.status
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.Contains(err.Error(), testKey) {
				t.Errorf("the key shows in %v", err)
			}
		})
	}
	if _, err := setup(t, reply(200, strings.Repeat(" ", maxBody+1))).Fetch(t.Context(), "5f91483d78a74914bc6f0123"); !pay.Temporary(err) || !strings.Contains(err.Error(), "256 kB") {
		t.Errorf("an endless answer: %v", err)
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, key := range []string{"0b4f4f5e-9d52-4a71-a1a8-6f2b8d1c7e90", "short", strings.Repeat("x", 64), "clé", "clê", "a b", "---"} {
		got := Reference(key)
		if got == "" || len(got) > maxReference || got != sepa(got, maxReference) || seen[got] {
			t.Errorf("Reference(%q) = %q", key, got)
		}
		seen[got] = true
	}
	if got, want := Reference("0b4f4f5e-9d52-4a71-a1a8-6f2b8d1c7e90"), "0b4f4f5e9d524a71a1a86f2b8d1c7e90"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := Options{URL: DefaultURL, Key: testKey, Profile: testProfile}
	for name, tt := range map[string]struct {
		change func(*Options)
		ok     bool
	}{
		"good":                  {func(*Options) {}, true},
		"preprod":               {func(o *Options) { o.URL = PreprodURL + "/" }, true},
		"simulator":             {func(o *Options) { o.URL = "http://127.0.0.1:9000" }, true},
		"key over http":         {func(o *Options) { o.URL = "http://merchant.api.bancontact.net" }, false},
		"key with newline":      {func(o *Options) { o.Key = "abcdefgh\nX: y" }, false},
		"no profile":            {func(o *Options) { o.Profile = "" }, false},
		"no address":            {func(o *Options) { o.URL = "" }, false},
		"password in address":   {func(o *Options) { o.URL = "https://u:p@merchant.api.bancontact.net" }, false},
		"signing key is no key": {func(o *Options) { o.SigningKey = "hello" }, false},
	} {
		o := good
		tt.change(&o)
		c, err := New(o)
		if (err == nil) != tt.ok {
			t.Errorf("%s: New = %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), o.Key) {
			t.Errorf("%s: the key shows in %v", name, err)
		}
		if c != nil && c.Name() != "bancontactpro" {
			t.Errorf("Name is %q", c.Name())
		}
	}
	for base, want := range map[string]string{
		DefaultURL: "https://jwks.bancontact.net/", PreprodURL: "https://jwks.preprod.bancontact.net/",
		"http://127.0.0.1:9000/": "http://127.0.0.1:9000/jwks",
	} {
		c, err := New(Options{URL: base, Key: testKey, Profile: testProfile})
		if err != nil || c.keys.URL != want {
			t.Errorf("%s: keys at %v, %v, want %s", base, c, err, want)
		}
	}
}

func FuzzPayment(f *testing.F) {
	f.Add([]byte(pendingPayment))
	f.Add([]byte(testBody))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a paymentAnswer
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		p, err := a.payment("test")
		if err != nil {
			return
		}
		if !ValidID(p.ID) || !p.Status.Known() || p.Amount < 0 || p.Amount > maxCents ||
			strings.HasPrefix(strings.ToLower(p.AppURL), "javascript") {
			t.Errorf("accepted %+v", p)
		}
	})
}

func FuzzRefund(f *testing.F) {
	f.Add([]byte(`{"refundId":"5f91483d78a74914bc6f0999","paymentId":"5f91483d78a74914bc6f0123","amount":1,"currency":"EUR","status":"PENDING","creationDate":"2026-05-12T08:00:00Z"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := readRefund("fuzzing", raw, "5f91483d78a74914bc6f0123")
		if err == nil && (!ValidID(r.ID) || !r.Status.Known() || r.Amount <= 0) {
			t.Errorf("accepted %+v", r)
		}
	})
}

func FuzzSEPA(f *testing.F) {
	f.Add("Stage «Cirque», n° 3 — l’été", 35)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 || most > 200 {
			return
		}
		got := sepa(s, most)
		if len(got) > most || got != sepa(got, most) || strings.Trim(got, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ") != "" {
			t.Errorf("sepa(%q, %d) = %q", s, most, got)
		}
	})
}
