package molliesim_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/pay"
	"ribambelle/internal/pay/molliesim"
	"ribambelle/internal/pay/molliesim/molliesimtest"
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

func TestCheckout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		query    string
		form     url.Values
		method   string // asked at creation
		location string // "%" stands for the hosted page
		want     pay.Status
		by       string
	}{
		"cancel":            {"", url.Values{"action": {"cancel"}}, "bancontact", "http://127.0.0.1:1/annule", pay.StatusCanceled, "bancontact"},
		"expire":            {"", url.Values{"action": {"expire"}}, "bancontact", "http://127.0.0.1:1/retour", pay.StatusExpired, "bancontact"},
		"fail":              {"", url.Values{"action": {"fail"}}, "bancontact", "http://127.0.0.1:1/retour", pay.StatusFailed, "bancontact"},
		"pay":               {"", url.Values{"action": {"pay"}}, "bancontact", "http://127.0.0.1:1/retour", pay.StatusPaid, "bancontact"},
		"pay as chosen":     {"", url.Values{"action": {"pay"}, "method": {"bancontact"}}, "", "http://127.0.0.1:1/retour", pay.StatusPaid, "bancontact"},
		"pay on the phone":  {"?qr=1", url.Values{"action": {"pay"}, "qr": {"1"}}, "bancontact", "%?qr=1", pay.StatusPaid, "bancontact"},
		"the bank is asked": {"", url.Values{"action": {"pend"}}, "bancontact", "http://127.0.0.1:1/retour", pay.StatusPending, "bancontact"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client, sh := setup(t)
			req := request(sh)
			req.Method = tt.method
			p := create(t, client, req)
			status, _, doc := browse(t, http.MethodGet, p.CheckoutURL+tt.query, nil)
			text := doc.Text()
			if status != http.StatusOK || !strings.Contains(text, "Simulateur de paiement") ||
				!strings.Contains(text, "60,00\u00a0€") || !strings.Contains(text, "Stage Cirque, été") ||
				!strings.Contains(text, "expire à 11\u00a0h\u00a000") {
				t.Errorf("the page (%d) lacks what is paid: %s", status, text)
			}
			if got, want := doc.Find("input[type=radio]").Length() > 0, tt.method == ""; got != want {
				t.Errorf("choice of method is %v, want %v", got, want)
			}
			if doc.Find("html[lang=fr]").Length() != 1 || doc.Find("button[name=action]").Length() != 5 {
				t.Error("the page has no language or not its five buttons")
			}
			if got, want := doc.Find("input[name=qr]").Length() == 1, tt.query != ""; got != want {
				t.Errorf("the page remembers the scan: %v, want %v", got, want)
			}
			status, location, _ := browse(t, http.MethodPost, p.CheckoutURL, tt.form)
			want := strings.Replace(tt.location, "%", p.CheckoutURL, 1)
			if status != http.StatusSeeOther || location != want {
				t.Errorf("answer %d to %s, want %s", status, location, want)
			}
			got := fetch(t, client, p.ID)
			if got.Status != tt.want || got.Method != tt.by && tt.want == pay.StatusPaid {
				t.Errorf("the payment is %s by %s, want %s by %s", got.Status, got.Method, tt.want, tt.by)
			}
			if tt.want == pay.StatusPending {
				return
			}
			// A second click, or the back button, changes nothing and says how it stands.
			status, location, _ = browse(t, http.MethodPost, p.CheckoutURL, url.Values{"action": {"pay"}})
			if status != http.StatusSeeOther || location != p.CheckoutURL {
				t.Errorf("second click: %d to %s", status, location)
			}
			_, _, doc = browse(t, http.MethodGet, p.CheckoutURL, nil)
			if doc.Find("[role=status]").Length() != 1 || doc.Find("button").Length() != 0 {
				t.Errorf("the page of an ended payment: %s", doc.Text())
			}
			if fetch(t, client, p.ID).Status != tt.want {
				t.Error("a second click changed the payment")
			}
		})
	}
}

func TestCheckoutRefuses(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	for _, form := range []url.Values{{"action": {"steal"}}, {}, {"action": {"pay"}, "method": {"cheque"}}} {
		if status, _, _ := browse(t, http.MethodPost, p.CheckoutURL, form); status != http.StatusUnprocessableEntity {
			t.Errorf("%v gives %d", form, status)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		status, _, doc := browse(t, method, sim.URL+"/checkout/tr_unknown", url.Values{"action": {"pay"}})
		if status != http.StatusNotFound || !strings.Contains(doc.Text(), "Paiement inconnu") {
			t.Errorf("%s of an unknown payment gives %d", method, status)
		}
	}
	if fetch(t, client, p.ID).Status != pay.StatusOpen {
		t.Error("a refused form changed the payment")
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	_, _, doc := browse(t, http.MethodGet, sim.URL+"/", nil)
	if got := doc.Find("select[name=kind] option").Length(); got != len(molliesim.Troubles) {
		t.Errorf("the overview offers %d troubles, want %d", got, len(molliesim.Troubles))
	}
	if !strings.Contains(doc.Text(), "Aucun paiement") {
		t.Errorf("the empty overview: %s", doc.Text())
	}
	p := create(t, client, request(sh))
	act(t, sim, p.ID, "pay")
	step(t, sim)
	_, _, doc = browse(t, http.MethodGet, sim.URL+"/", nil)
	if got := doc.Find("td").Text(); !strings.Contains(got, p.ID) || !strings.Contains(got, "payé") || !strings.Contains(got, "reçu") {
		t.Errorf("the overview: %s", got)
	}
	status, _, doc := browse(t, http.MethodGet, sim.URL+"/simulator/payments", nil)
	if got := doc.Text(); status != http.StatusOK || !strings.Contains(got, `"cents":6000`) || strings.Contains(got, molliesimtest.Key) {
		t.Errorf("the books: %s", got)
	}
}
