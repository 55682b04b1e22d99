package molliesim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ribambelle/internal/pay"
)

func typedCard(number, expiry, code string) url.Values {
	return url.Values{"action": {"pay"}, "number": {number}, "expiry": {expiry}, "code": {code}}
}

func TestCard(t *testing.T) {
	t.Parallel()
	const good, poor = "4111 1111 1111 1111", "4000-0000-0000-0002"
	for name, tt := range map[string]struct {
		form    url.Values
		want    pay.Status
		problem string // field with a problem, when the form comes back
	}{
		"paid":             {typedCard(good, "05/26", "123"), pay.StatusPaid, ""},
		"refused by bank":  {typedCard(poor, "12 / 28", "123"), pay.StatusFailed, ""},
		"canceled":         {url.Values{"action": {"cancel"}, "number": {""}}, pay.StatusCanceled, ""},
		"bank asked":       {url.Values{"action": {"pend"}, "number": {""}}, pay.StatusPending, ""},
		"number mistyped":  {typedCard("4111 1111 1111 1112", "12/28", "123"), pay.StatusOpen, "number"},
		"number of digits": {typedCard("4242", "12/28", "123"), pay.StatusOpen, "number"},
		"number of text":   {typedCard("quatre mille cent", "12/28", "123"), pay.StatusOpen, "number"},
		"card too old":     {typedCard(good, "04/26", "123"), pay.StatusOpen, "expiry"},
		"month unknown":    {typedCard(good, "13/28", "123"), pay.StatusOpen, "expiry"},
		"code too short":   {typedCard(good, "12/28", "12"), pay.StatusOpen, "code"},
	} {
		for _, asked := range []string{pay.MethodCard, ""} {
			t.Run(name+" "+asked, func(t *testing.T) {
				t.Parallel()
				_, client, sh := setup(t)
				req := request(sh)
				req.Method = asked
				p := create(t, client, req)
				page := p.CheckoutURL
				if asked == "" {
					// The payer chooses the card on the common page and gets its own.
					status, location, _ := browse(t, http.MethodPost, page, url.Values{"action": {"pay"}, "method": {pay.MethodCard}})
					if want := page + "?method=creditcard"; status != http.StatusSeeOther || location != want {
						t.Fatalf("choosing the card: %d to %s, want %s", status, location, want)
					}
					page = location
				}
				status, _, doc := browse(t, http.MethodGet, page, nil)
				if status != http.StatusOK || doc.Find("#number").Length() != 1 || !strings.Contains(doc.Text(), "60,00\u00a0€") {
					t.Fatalf("the card page (%d): %s", status, doc.Text())
				}
				status, location, doc := browse(t, http.MethodPost, p.CheckoutURL, tt.form)
				if tt.problem != "" {
					if status != http.StatusUnprocessableEntity || doc.Find("[aria-invalid]").Length() != 1 ||
						doc.Find("#"+tt.problem+"[aria-invalid=true]").Length() != 1 || doc.Find("#"+tt.problem+"-problem").Text() == "" {
						t.Errorf("got %d, want a problem at %s: %s", status, tt.problem, doc.Text())
					}
					if got := doc.Find("#number").AttrOr("value", ""); got != tt.form.Get("number") {
						t.Errorf("the form lost the number: %q", got)
					}
					if got, has := doc.Find("#code").Attr("value"); has {
						t.Errorf("the page gives the code back: %q", got)
					}
				} else if status != http.StatusSeeOther || !strings.HasPrefix(location, "http://127.0.0.1:1/") {
					t.Errorf("got %d to %s", status, location)
				}
				got := fetch(t, client, p.ID)
				if got.Status != tt.want || tt.want == pay.StatusPaid && got.Method != pay.MethodCard {
					t.Errorf("the payment is %s by %q, want %s", got.Status, got.Method, tt.want)
				}
			})
		}
	}
}

// TestCardEnded proves that the card page of an ended payment says so and takes nothing more.
func TestCardEnded(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	req := request(sh)
	req.Method = pay.MethodCard
	p := create(t, client, req)
	sim.Advance(time.Hour)
	status, location, _ := browse(t, http.MethodPost, p.CheckoutURL, typedCard("4111111111111111", "12/28", "123"))
	if status != http.StatusSeeOther || location != p.CheckoutURL {
		t.Errorf("paying an expired payment: %d to %s", status, location)
	}
	_, _, doc := browse(t, http.MethodGet, p.CheckoutURL, nil)
	if doc.Find("[role=status]").Length() != 1 || doc.Find("form").Length() != 0 {
		t.Errorf("the page: %s", doc.Text())
	}
	if got := fetch(t, client, p.ID); got.Status != pay.StatusExpired {
		t.Errorf("the payment is %s", got.Status)
	}
}
