package mollie

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

// pendingRefund is an answer to a refund, in the shape of Mollie's documentation.
const pendingRefund = `{
  "resource": "refund", "id": "re_4qqhO89gsT", "mode": "test", "description": "Stage annulé",
  "amount": {"currency": "EUR", "value": "25.00"}, "status": "pending", "metadata": {"refund": "r1"},
  "paymentId": "tr_7UhSN1zuXS", "createdAt": "2026-05-20T10:30:00+02:00",
  "_links": {"self": {"href": "https://api.mollie.com/v2/payments/tr_7UhSN1zuXS/refunds/re_4qqhO89gsT", "type": "application/hal+json"}}
}`

var wantRefund = pay.Refund{
	ID: "re_4qqhO89gsT", PaymentID: "tr_7UhSN1zuXS", Status: pay.RefundPending, Amount: 2500, Description: "Stage annulé",
	CreatedAt: time.Date(2026, 5, 20, 8, 30, 0, 0, time.UTC), Metadata: map[string]string{"refund": "r1"},
}

func TestRefund(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Idempotency-Key"), " ", string(body))
		want := `POST /v2/payments/tr_7UhSN1zuXS/refunds k-1 {"amount":{"currency":"EUR","value":"25.00"},` +
			`"description":"Stage annulé","metadata":{"refund":"r1"}}`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got)\n%s", diff)
		}
		reply(http.StatusCreated, pendingRefund)(w, r)
	})
	got, err := c.Refund(t.Context(), pay.RefundRequest{
		Key: "k-1", PaymentID: "tr_7UhSN1zuXS", Amount: 2500, Description: "Stage annulé",
		Metadata: map[string]string{"refund": "r1"},
	})
	if diff := cmp.Diff(wantRefund, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestRefundRefusesBeforeCalling(t *testing.T) {
	t.Parallel()
	c := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("a faulty request was sent") })
	for _, tt := range []struct {
		req  pay.RefundRequest
		want pay.ErrorKind
	}{
		{pay.RefundRequest{PaymentID: "tr_1", Amount: 1}, pay.ErrKindRefused},
		{pay.RefundRequest{Key: "k", PaymentID: "tr_1"}, pay.ErrKindRefused},
		{pay.RefundRequest{Key: "k", PaymentID: "tr_1", Amount: -1}, pay.ErrKindRefused},
		{pay.RefundRequest{Key: "k", PaymentID: "tr_1/refunds/../..", Amount: 1}, pay.ErrKindNotFound},
	} {
		if _, err := c.Refund(t.Context(), tt.req); pay.KindOf(err) != tt.want {
			t.Errorf("Refund(%+v) = %v, want %s", tt.req, err, tt.want)
		}
	}
	for _, id := range []string{"", "re_", "re_a/../x", "tr_1", "re_" + strings.Repeat("a", 65)} {
		if _, err := c.FetchRefund(t.Context(), "tr_1", id); pay.KindOf(err) != pay.ErrKindNotFound {
			t.Errorf("FetchRefund(%q) = %v, want not found", id, err)
		}
	}
	if _, err := c.Refunds(t.Context(), "re_1"); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("Refunds of no payment = %v, want not found", err)
	}
}

func TestRefundAnswers(t *testing.T) {
	t.Parallel()
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(pendingRefund) }
	for name, tt := range map[string]struct {
		status int
		body   string
		want   pay.ErrorKind // "" when it is fine
	}{
		"another amount":     {201, edit("25.00", "26.00"), pay.ErrKindTemporary},
		"another currency":   {201, edit("EUR", "USD"), pay.ErrKindTemporary},
		"another payment":    {201, edit("tr_7UhSN1zuXS", "tr_other"), pay.ErrKindTemporary},
		"busy":               {409, `{"detail":"A request with this key is being worked on"}`, pay.ErrKindTemporary},
		"duplicate":          {409, `{"detail":"A duplicate refund has been detected"}`, pay.ErrKindDuplicate},
		"no refund":          {201, openPayment, pay.ErrKindTemporary},
		"page":               {201, `<html>`, pay.ErrKindTemporary},
		"metadata of others": {201, edit(`{"refund": "r1"}`, `"r1"`), ""},
		"too much":           {422, `{"detail":"higher than the remaining amount","field":"amount"}`, pay.ErrKindRefused},
		"unknown status":     {201, edit("pending", "shipped"), pay.ErrKindTemporary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := setup(t, reply(tt.status, tt.body)).Refund(t.Context(), pay.RefundRequest{
				Key: "k", PaymentID: "tr_7UhSN1zuXS", Amount: 2500, Description: "x",
			})
			if pay.KindOf(err) != tt.want || (tt.want == "") != (err == nil) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := setup(t, reply(200, pendingRefund)).FetchRefund(t.Context(), "tr_7UhSN1zuXS", "re_other"); !pay.Temporary(err) {
		t.Errorf("another refund gives %v, want temporary", err)
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Method+" "+r.URL.String(), "GET /v2/payments/tr_7UhSN1zuXS/refunds?limit=250"; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		reply(http.StatusOK, `{"count":1,"_embedded":{"refunds":[`+pendingRefund+`]},"_links":{"next":null}}`)(w, r)
	})
	got, err := c.Refunds(t.Context(), "tr_7UhSN1zuXS")
	if diff := cmp.Diff([]pay.Refund{wantRefund}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for name, body := range map[string]string{
		"more pages":     `{"_embedded":{"refunds":[]},"_links":{"next":{"href":"https://x"}}}`,
		"no list":        `{"count":1}`,
		"other payments": `{"_embedded":{"refunds":[` + strings.ReplaceAll(pendingRefund, "tr_7UhSN1zuXS", "tr_b") + `]}}`,
	} {
		if got, err := setup(t, reply(http.StatusOK, body)).Refunds(t.Context(), "tr_7UhSN1zuXS"); pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("%s: %+v, %v, want temporary", name, got, err)
		}
	}
}

func TestChargedBack(t *testing.T) {
	t.Parallel()
	const back = `{"resource":"chargeback","id":"chb_1","amount":{"currency":"EUR","value":"%s"},"reversedAt":%s}`
	for name, tt := range map[string]struct {
		embedded string
		want     civil.Cents
	}{
		"none told":    {``, 6000},
		"one reversed": {fmt.Sprintf(back+","+back, "20.00", "null", "40.00", `"2026-06-01T00:00:00+00:00"`), 2000},
		"all reversed": {fmt.Sprintf(back, "60.00", `"2026-06-01T00:00:00+00:00"`), 0},
	} {
		body := strings.Replace(openPayment, `"status": "open"`, `"status": "paid",
			"amountChargedBack": {"currency": "EUR", "value": "60.00"}, "_embedded": {"chargebacks": [`+tt.embedded+`]}`, 1)
		c := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("embed"); got != "chargebacks" {
				t.Errorf("embed is %q", got)
			}
			reply(http.StatusOK, body)(w, r)
		})
		if p, err := c.Fetch(t.Context(), "tr_7UhSN1zuXS"); err != nil || p.ChargedBack != tt.want {
			t.Errorf("%s: %d, %v, want %d", name, p.ChargedBack, err, tt.want)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	asked, down := 0, false
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if down {
			reply(http.StatusServiceUnavailable, ``)(w, r)
			return
		}
		reply(http.StatusOK, `{"_embedded":{"methods":[{"id":"ideal"},{"id":"creditcard"},{"id":""},{"id":"bancontact"}]}}`)(w, r)
	})
	want := []string{"bancontact", "creditcard", "ideal"}
	check := func(times int) {
		t.Helper()
		got, err := c.Methods(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" || asked != times {
			t.Errorf("asked %d times, want %d, %v (-want +got)\n%s", asked, times, err, diff)
		}
		if len(got) > 0 {
			got[0] = "changed by the caller"
		}
	}
	check(1)
	check(1)
	c.methods.asked = time.Now().Add(-methodsFresh)
	check(2)
	c.methods.asked, down = time.Now().Add(-methodsFresh), true
	check(3) // the old list serves
	c.methods.ids = nil
	if _, err := c.Methods(t.Context()); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Errorf("with nothing remembered: %v, want temporary", err)
	}
	denied := setup(t, reply(http.StatusUnauthorized, `{}`))
	denied.methods.ids = []string{"bancontact"}
	if _, err := denied.Methods(t.Context()); pay.KindOf(err) != pay.ErrKindDenied {
		t.Errorf("with a wrong key: %v, want denied", err)
	}
}

func FuzzRefund(f *testing.F) {
	f.Add([]byte(pendingRefund))
	f.Add([]byte(`{"resource":"refund","id":"re_1","paymentId":"tr_7UhSN1zuXS","status":"failed","amount":{"currency":"EUR","value":"0.01"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := readRefund("fuzzing", raw, "tr_7UhSN1zuXS")
		if err != nil {
			var typed *pay.Error
			if !errors.As(err, &typed) || typed.Kind != pay.ErrKindTemporary {
				t.Errorf("an answer that is none gives %v", err)
			}
			return
		}
		if !refundPattern.MatchString(r.ID) || r.PaymentID != "tr_7UhSN1zuXS" || !r.Status.Known() || r.Amount < 0 {
			t.Errorf("accepted %+v of %s", r, raw)
		}
		if !json.Valid(raw) {
			t.Errorf("accepted what is no JSON: %q", raw)
		}
	})
}
