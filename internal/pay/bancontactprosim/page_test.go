package bancontactprosim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/pay"
	"ribambelle/internal/pay/bancontactprosim"
	"ribambelle/internal/pay/bancontactprosim/bancontactprosimtest"
)

// browse asks for a page without following redirects and returns status, Location and document.
func browse(t *testing.T, method, address string, form url.Values) (int, string, *goquery.Document) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	doc, err := goquery.NewDocumentFromReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	location := ""
	if u, err := resp.Location(); err == nil {
		location = u.String()
	} else if !errors.Is(err, http.ErrNoLocation) {
		t.Fatal(err)
	}
	return resp.StatusCode, location, doc
}

// TestPhone pays, cancels and lets expire as a payer would, from the desktop's code to the phone and back.
func TestPhone(t *testing.T) {
	t.Parallel()
	for action, want := range map[bancontactprosim.Action]pay.Status{
		bancontactprosim.ActPay: pay.StatusPaid, bancontactprosim.ActCancel: pay.StatusCanceled,
		bancontactprosim.ActExpire: pay.StatusExpired, bancontactprosim.ActRefuse: pay.StatusFailed,
		bancontactprosim.ActFail: pay.StatusFailed,
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			_, client, sh := setup(t)
			p := create(t, client, request(sh))
			status, _, doc := browse(t, http.MethodGet, p.CheckoutURL, nil)
			if status != http.StatusOK || !strings.Contains(doc.Text(), "60,00\u00a0€") ||
				!strings.HasPrefix(doc.Find("img").AttrOr("src", ""), "data:image/png;base64,") ||
				doc.Find(`a[href="`+p.AppURL+`"]`).Length() != 1 {
				t.Errorf("the page to scan (%d): %s", status, doc.Text())
			}
			_, _, doc = browse(t, http.MethodGet, p.AppURL, nil)
			if doc.Find(`button[value="`+string(action)+`"]`).Length() != 1 || doc.Find("html[lang=fr]").Length() != 1 {
				t.Errorf("the phone has no such button: %s", doc.Text())
			}
			for range 2 { // the second touch changes nothing
				status, location, _ := browse(t, http.MethodPost, p.AppURL, url.Values{"action": {string(action)}})
				if status != http.StatusSeeOther || location != p.AppURL {
					t.Errorf("answer %d to %s", status, location)
				}
			}
			_, _, doc = browse(t, http.MethodGet, p.AppURL, nil)
			if doc.Find("[role=status]").Length() != 1 || doc.Find("button").Length() != 0 ||
				doc.Find(`a[href="http://127.0.0.1:1/retour"]`).Length() != 1 {
				t.Errorf("the phone afterwards: %s", doc.Text())
			}
			_, _, doc = browse(t, http.MethodGet, p.CheckoutURL, nil)
			if doc.Find("[role=status]").Length() != 1 || doc.Find("img").Length() != 0 {
				t.Errorf("the desktop afterwards: %s", doc.Text())
			}
			if got := fetch(t, client, p.ID).Status; got != want {
				t.Errorf("the payment is %s, want %s", got, want)
			}
		})
	}
}

func TestPagesRefuse(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	if status, _, _ := browse(t, http.MethodPost, p.AppURL, url.Values{"action": {"steal"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown action gives %d", status)
	}
	for _, path := range []string{"/pay/2/unknown", "/checkout/unknown"} {
		if status, _, doc := browse(t, http.MethodGet, sim.URL+path, nil); status != http.StatusNotFound || !strings.Contains(doc.Text(), "Paiement inconnu") {
			t.Errorf("%s gives %d", path, status)
		}
	}
	if status, _, _ := browse(t, http.MethodPost, sim.URL+"/pay/2/unknown", url.Values{"action": {"pay"}}); status != http.StatusNotFound {
		t.Errorf("paying an unknown payment gives %d", status)
	}
	for query, want := range map[string]int{"": http.StatusBadRequest, "?c=" + url.QueryEscape(p.AppURL): http.StatusOK} {
		if status, _, _ := browse(t, http.MethodGet, sim.URL+"/qrcode"+query, nil); status != want {
			t.Errorf("/qrcode%s gives %d, want %d", query, status, want)
		}
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	form := url.Values{"action": {"add"}, "kind": {"create_error"}, "times": {"2"}, "seconds": {""}, "amount": {""}}
	if status, location, _ := browse(t, http.MethodPost, sim.URL+"/trouble", form); status != http.StatusSeeOther || location != sim.URL+"/" {
		t.Errorf("adding trouble: %d to %s", status, location)
	}
	if _, err := client.Create(t.Context(), request(sh)); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Errorf("the trouble did not happen: %v", err)
	}
	_, _, doc := browse(t, http.MethodGet, sim.URL+"/", nil)
	if got := doc.Find("form li").Text(); !strings.HasPrefix(got, "1 × création") || doc.Find("option").Length() != len(bancontactprosim.Troubles) {
		t.Errorf("the overview: %q", got)
	}
	browse(t, http.MethodPost, sim.URL+"/trouble", url.Values{"action": {"clear"}})
	p := create(t, client, request(sh))
	act(t, sim, p.ID, bancontactprosim.ActPay)
	step(t, sim)
	_, _, doc = browse(t, http.MethodGet, sim.URL+"/", nil)
	if got := doc.Find("td").Text(); !strings.Contains(got, p.ID) || !strings.Contains(got, "payé") || !strings.Contains(got, "reçu") {
		t.Errorf("the overview: %s", got)
	}
	_, _, doc = browse(t, http.MethodGet, sim.URL+"/simulator/payments", nil)
	if got := doc.Text(); !strings.Contains(got, `"cents":6000`) || strings.Contains(got, bancontactprosimtest.Key) {
		t.Errorf("the books: %s", got)
	}
}

// call asks the API with a key and returns status and body.
func call(t *testing.T, sim *bancontactprosimtest.Sim, key, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, sim.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// TestWire looks at the bytes as any client would, without ours.
func TestWire(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	const good = `{"amount":1000,"currency":"EUR","reference":"x","returnUrl":"https://shop.test/"}`
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	const key = bancontactprosimtest.Key
	for name, tt := range map[string]struct {
		key, method, path, body string
		status                  int
		holds                   string
	}{
		"amount missing":     {key, "POST", "/v3/payments", `{"currency":"EUR"}`, 400, "FIELD_IS_REQUIRED"},
		"amount zero":        {key, "POST", "/v3/payments", edit("1000", "0"), 400, "FIELD_IS_INVALID"},
		"amount in euros":    {key, "POST", "/v3/payments", edit("1000", "10.00"), 400, "FIELD_IS_INVALID"},
		"another currency":   {key, "POST", "/v3/payments", edit("EUR", "USD"), 400, "currency"},
		"reference long":     {key, "POST", "/v3/payments", edit(`"x"`, `"`+strings.Repeat("x", 36)+`"`), 400, "reference"},
		"reference odd":      {key, "POST", "/v3/payments", edit(`"x"`, `"x<y"`), 400, "reference"},
		"callback elsewhere": {key, "POST", "/v3/payments", edit(`"reference"`, `"callbackUrl":"ftp://x","reference"`), 400, "callbackUrl"},
		"return nowhere":     {key, "POST", "/v3/payments", edit("https://shop.test/", "javascript:x"), 400, "returnUrl"},
		"no body":            {key, "POST", "/v3/payments", ``, 400, "BODY_MISSING"},
		"no JSON":            {key, "POST", "/v3/payments", `amount=1`, 400, "FIELD_IS_INVALID"},
		"good":               {key, "POST", "/v3/payments", good, 201, `"expiresAt"`},
		"read":               {key, "GET", "/v3/payments/" + p.ID, "", 200, `"expireAt"`},
		"unknown":            {key, "GET", "/v3/payments/" + strings.Repeat("0", 24), "", 404, "PAYMENT_NOT_FOUND"},
		"cancel unknown":     {key, "DELETE", "/v3/payments/" + strings.Repeat("0", 24), "", 404, "PAYMENT_NOT_FOUND"},
		"search":             {key, "POST", "/v3/payments/search", `{"reference":"0b4f4f5e9d524a71a1a86f2b8d1c7e90","paymentStatuses":["PENDING"]}`, 200, p.ID},
		"search paid":        {key, "POST", "/v3/payments/search", `{"paymentStatuses":["SUCCEEDED"]}`, 200, `"details":[]`},
		"account too early":  {key, "GET", "/v3/payments/" + p.ID + "/debtor/refundIban", "", 422, "REFUND_NOT_ALLOWED"},
		"unsigned refund":    {key, "POST", "/v3/payments/" + p.ID + "/refunds", `{"amount":1,"currency":"EUR"}`, 401, "UNAUTHORIZED"},
		"another key":        {"another-key", "GET", "/v3/payments/" + p.ID, "", 401, "UNAUTHORIZED"},
		"no endpoint":        {key, "GET", "/v3/orders", "", 404, "NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := call(t, sim, tt.key, tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(body, tt.holds) || !json.Valid([]byte(body)) {
				t.Errorf("got %d %s, want %d with %s", status, body, tt.status, tt.holds)
			}
			if tt.status >= 400 && !strings.Contains(body, `"traceId"`) {
				t.Errorf("the error has no trace: %s", body)
			}
		})
	}
}

// TestKeysOverHTTP proves that no private key is published, and that a rotation keeps the key before.
func TestKeysOverHTTP(t *testing.T) {
	t.Parallel()
	sim := bancontactprosimtest.Start(t)
	for want := range 3 {
		status, body := call(t, sim, "", http.MethodGet, "/jwks", "")
		if got := strings.Count(body, `"kid"`); status != http.StatusOK || got != min(want+1, 2) || strings.Contains(body, `"d"`) {
			t.Errorf("after %d rotations: %d %s", want, status, body)
		}
		if err := sim.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRun proves that Run sends without being asked, and stops.
func TestRun(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	came := make(chan struct{}, 1)
	sh.receiver.Seen = nil
	sh.arrived = func() { came <- struct{}{} }
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		sim.Run(ctx)
	}()
	act(t, sim, p.ID, bancontactprosim.ActPay)
	<-came
	stop()
	<-ended
}
