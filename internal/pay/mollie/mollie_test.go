package mollie

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

const testKey = "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM"

// setup returns a client of a server that answers with the given handler.
func setup(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	c, err := New(srv.URL, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/hal+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// openPayment is an answer to a creation, in the shape of Mollie's documentation.
const openPayment = `{
  "resource": "payment", "id": "tr_7UhSN1zuXS", "mode": "test", "createdAt": "2026-05-12T08:00:00+00:00",
  "amount": {"value": "60.00", "currency": "EUR"}, "description": "Stage Cirque", "method": "bancontact",
  "metadata": {"payment": "a1"}, "status": "open", "isCancelable": true, "expiresAt": "2026-05-12T09:00:00+00:00",
  "profileId": "pfl_1", "sequenceType": "oneoff", "redirectUrl": "https://camps.test/retour",
  "details": {"qrCode": {"height": 180, "width": 180, "src": "data:image/png;base64,iVBOR"}},
  "_links": {
    "self": {"href": "https://api.mollie.com/v2/payments/tr_7UhSN1zuXS", "type": "application/hal+json"},
    "checkout": {"href": "https://www.mollie.com/checkout/bancontact/7UhSN1zuXS", "type": "text/html"},
    "mobileAppCheckout": {"href": "https://www.mollie.com/app/7UhSN1zuXS", "type": "text/html"}
  }
}`

func TestCreate(t *testing.T) {
	t.Parallel()
	var got map[string]any
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		for header, want := range map[string]string{
			"Authorization": "Bearer " + testKey, "Content-Type": "application/json", "Idempotency-Key": "k-1",
		} {
			if got := r.Header.Get(header); got != want {
				t.Errorf("header %s is %q, want %q", header, got, want)
			}
		}
		if got, want := r.Method+" "+r.URL.String(), "POST /v2/payments?include=details.qrCode"; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Errorf("the body is no JSON: %v", err)
		}
		reply(http.StatusCreated, openPayment)(w, r)
	})
	p, err := c.Create(t.Context(), pay.CreateRequest{
		Key: "k-1", Amount: 6000, Description: strings.Repeat("é", 300), RedirectURL: "https://camps.test/retour",
		WebhookURL: "https://camps.test/webhook", Language: "fr", Method: "bancontact",
		Metadata: map[string]string{"payment": "a1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantBody := map[string]any{
		"amount":      map[string]any{"currency": "EUR", "value": "60.00"},
		"description": strings.Repeat("é", 255), "redirectUrl": "https://camps.test/retour",
		"webhookUrl": "https://camps.test/webhook", "locale": "fr_BE", "method": "bancontact",
		"metadata": map[string]any{"payment": "a1"},
	}
	if diff := cmp.Diff(wantBody, got); diff != "" {
		t.Errorf("body (-want +got)\n%s", diff)
	}
	want := pay.Payment{
		ID: "tr_7UhSN1zuXS", Mode: "test", Status: pay.StatusOpen, Amount: 6000, Description: "Stage Cirque",
		Method: "bancontact", CheckoutURL: "https://www.mollie.com/checkout/bancontact/7UhSN1zuXS",
		AppURL: "https://www.mollie.com/app/7UhSN1zuXS", QR: "data:image/png;base64,iVBOR", Cancelable: true,
		CreatedAt: time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC),
		Metadata: map[string]string{"payment": "a1"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("payment (-want +got)\n%s", diff)
	}
}

func TestCreateRefusesBeforeCalling(t *testing.T) {
	t.Parallel()
	c := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a faulty request was sent") })
	for _, req := range []pay.CreateRequest{
		{Amount: 1, RedirectURL: "https://x.test"}, {Key: "k", RedirectURL: "https://x.test"}, {Key: "k", Amount: 1},
	} {
		if _, err := c.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindRefused {
			t.Errorf("Create(%+v) = %v, want refused", req, err)
		}
	}
	for _, id := range []string{"", "tr_", "tr_a/../../methods", "tr_a?x", "ord_1", "tr_" + strings.Repeat("a", 65), "tr_é"} {
		if _, err := c.Fetch(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("Fetch(%q) = %v, want not found", id, err)
		}
		if _, err := c.Cancel(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("Cancel(%q) = %v, want not found", id, err)
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(openPayment) }
	for name, tt := range map[string]struct {
		body string
		want func(p pay.Payment) bool // nil when the answer must be refused
	}{
		"another currency":   {edit(`"EUR"`, `"USD"`), nil},
		"another payment":    {edit("tr_7UhSN1zuXS", "tr_other"), nil},
		"app runs script":    {edit("https://www.mollie.com/app/7UhSN1zuXS", "javascript:alert(1)"), func(p pay.Payment) bool { return p.AppURL == "" }},
		"app scheme":         {edit("https://www.mollie.com/app/", "bepgenapp://"), func(p pay.Payment) bool { return p.AppURL == "bepgenapp://7UhSN1zuXS" }},
		"checkout is script": {edit("https://www.mollie.com/checkout/", "javascript:"), func(p pay.Payment) bool { return p.CheckoutURL == "" }},
		"image is page":      {edit("data:image/png;", "data:text/html;"), func(p pay.Payment) bool { return p.QR == "" }},
		"metadata of others": {edit(`{"payment": "a1"}`, `["x"]`), func(p pay.Payment) bool { return p.Metadata == nil }},
		"method unknown yet": {edit(`"bancontact", `+"\n", "null,\n", `"method": "bancontact"`, `"method": null`), func(p pay.Payment) bool { return p.Method == "" }},
		"negative":           {edit(`"60.00"`, `"-60.00"`), nil},
		"no list":            {`[]`, nil},
		"no page":            {`<html>502`, nil},
		"one decimal":        {edit(`"60.00"`, `"60.0"`), nil},
		"paid": {
			edit(`"status": "open"`, `"status": "paid", "paidAt": "2026-05-12T10:05:00+02:00", "amountRefunded": {"value": "10.00", "currency": "EUR"}, "amountChargedBack": {"value": "1.00", "currency": "EUR"}`),
			func(p pay.Payment) bool {
				return p.Status == pay.StatusPaid && p.PaidAt.Equal(time.Date(2026, 5, 12, 8, 5, 0, 0, time.UTC)) &&
					p.Refunded == 1000 && p.ChargedBack == 100
			},
		},
		"refund in dollars": {edit(`"status"`, `"amountRefunded": {"value": "1.00", "currency": "USD"}, "status"`), nil},
		"unknown status":    {edit(`"open"`, `"shipped"`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := setup(t, reply(http.StatusOK, tt.body)).Fetch(t.Context(), "tr_7UhSN1zuXS")
			if tt.want == nil {
				if pay.KindOf(err) != pay.ErrKindTemporary {
					t.Errorf("got %+v, %v, want a temporary error", p, err)
				}
				return
			}
			if err != nil || !tt.want(p) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// TestQRImage proves that the code comes as data: pages load nothing from elsewhere.
func TestQRImage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an image": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the key goes to the server of images")
			}
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, "png")
		}, "data:image/png;base64,cG5n"},
		"moved":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, ""},
		"no image":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") }, ""},
		"not there": {http.NotFound, ""},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(make([]byte, maxImage+1))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			images := httptest.NewTLSServer(tt.answer)
			t.Cleanup(images.Close)
			body := strings.Replace(openPayment, "data:image/png;base64,iVBOR", images.URL+"/qr.png", 1)
			c := setup(t, reply(http.StatusCreated, body))
			c.client.Transport = images.Client().Transport
			p, err := c.Create(t.Context(), pay.CreateRequest{Key: "k", Amount: 6000, RedirectURL: "https://x.test"})
			if err != nil || p.QR != tt.want {
				t.Errorf("the code is %q, %v, want %q", p.QR, err, tt.want)
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
		"busy":     {http.StatusConflict, `{}`, pay.Error{Kind: pay.ErrKindTemporary}},
		"denied":   {http.StatusUnauthorized, `{"detail":"bad key ` + testKey + `"}`, pay.Error{Kind: pay.ErrKindDenied, Detail: "bad key …"}},
		"down":     {http.StatusServiceUnavailable, "<html>", pay.Error{Kind: pay.ErrKindTemporary}},
		"field":    {http.StatusUnprocessableEntity, `{"detail":"too high","field":"amount"}`, pay.Error{Kind: pay.ErrKindRefused, Detail: "too high", Field: "amount"}},
		"key used": {http.StatusBadRequest, `{"detail":"other parameters"}`, pay.Error{Kind: pay.ErrKindRefused, Detail: "other parameters"}},
		"long":     {http.StatusUnprocessableEntity, `{"detail":"` + strings.Repeat("x", 1000) + `"}`, pay.Error{Kind: pay.ErrKindRefused, Detail: strings.Repeat("x", maxDetail)}},
		"missing":  {http.StatusNotFound, `{"detail":"No payment exists"}`, pay.Error{Kind: pay.ErrKindNotFound, Detail: "No payment exists"}},
		"moved":    {http.StatusMovedPermanently, ``, pay.Error{Kind: pay.ErrKindRefused, Detail: "the address answers with a redirect"}},
		"too much": {http.StatusTooManyRequests, `{}`, pay.Error{Kind: pay.ErrKindTemporary}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("a redirect was followed")
				}
				w.Header().Set("Location", "/elsewhere")
				reply(tt.status, tt.body)(w, r)
			})
			_, err := c.Fetch(t.Context(), "tr_1")
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
			if pay.Temporary(err) != (tt.want.Kind == pay.ErrKindTemporary) {
				t.Errorf("Temporary is %v for %v", pay.Temporary(err), err)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	t.Run("body too long", func(t *testing.T) {
		t.Parallel()
		_, err := setup(t, reply(http.StatusOK, strings.Repeat(" ", maxBody+1))).Fetch(t.Context(), "tr_1")
		if !pay.Temporary(err) || !strings.Contains(err.Error(), "1 MB") {
			t.Errorf("got %v, want a temporary error about the size", err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		_, err := setup(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).Fetch(t.Context(), "tr_1")
		if pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("got %v, want temporary", err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		c := setup(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := c.Fetch(ctx, "tr_1")
		if pay.KindOf(err) != pay.ErrKindTemporary || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want temporary and canceled", err)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/methods" {
			t.Errorf("asked %s", r.URL)
		}
		reply(http.StatusOK, `{"count":2,"_embedded":{"methods":[{"id":"bancontact","description":"Bancontact"},{"id":"creditcard","description":"Carte"}]}}`)(w, r)
	})
	got, err := c.Check(t.Context())
	if want := "mollie, test mode: bancontact, creditcard"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := setup(t, reply(http.StatusUnauthorized, `{}`)).Check(t.Context()); pay.KindOf(err) != pay.ErrKindDenied {
		t.Errorf("a wrong key gives %v, want denied", err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		base, key string
		ok        bool
	}{
		"key of another kind": {DefaultURL, "access_x123", false},
		"key with newline":    {DefaultURL, "test_abcd\nX: y", false},
		"live":                {DefaultURL, "live_abcd", true},
		"live over http":      {"http://127.0.0.1:9000", "live_abcd", false},
		"no scheme":           {"127.0.0.1:9000", "test_abcd", false},
		"password in address": {"https://u:p@api.mollie.com", "test_abcd", false},
		"simulator":           {"http://127.0.0.1:9000/", "test_abcd", true},
	} {
		c, err := New(tt.base, tt.key)
		if (err == nil) != tt.ok {
			t.Errorf("%s: New = %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: the key shows in %v", name, err)
		}
		if c != nil && c.Name() != "mollie" {
			t.Errorf("Name is %q", c.Name())
		}
	}
}

func FuzzPayment(f *testing.F) {
	f.Add([]byte(openPayment))
	f.Add([]byte(`{"resource":"payment","id":"tr_1","status":"paid","amount":{"currency":"EUR","value":"0.01"},"_links":{"checkout":{"href":"https://x"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a paymentAnswer
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		p, err := a.payment()
		if err != nil {
			return
		}
		if !ValidID(p.ID) || !p.Status.Known() || p.Amount < 0 || p.Amount > civil.Cents(1e15) ||
			strings.HasPrefix(strings.ToLower(p.CheckoutURL), "javascript") {
			t.Errorf("accepted %+v", p)
		}
	})
}
