package molliesim_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/mollie"
	"ribambelle/internal/pay/molliesim"
	"ribambelle/internal/pay/molliesim/molliesimtest"
)

// paid returns a payment of 60,00 € that was just paid, its webhook answered.
func paid(t *testing.T) (*molliesimtest.Sim, *mollie.Client, *shop, pay.Payment) {
	t.Helper()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	act(t, sim, p.ID, molliesim.ActPay)
	step(t, sim)
	sh.calls()
	return sim, client, sh, p
}

func refundOf(p pay.Payment, key string, cents civil.Cents) pay.RefundRequest {
	return pay.RefundRequest{
		Key: key, PaymentID: p.ID, Amount: cents, Description: "Stage annulé", Metadata: map[string]string{"refund": key},
	}
}

func refund(t *testing.T, c *mollie.Client, req pay.RefundRequest) pay.Refund {
	t.Helper()
	r, err := c.Refund(t.Context(), req)
	if err != nil {
		t.Fatalf("Refund: %v", err)
	}
	return r
}

func script(t *testing.T, sim *molliesimtest.Sim, tr molliesim.Trouble) {
	t.Helper()
	if err := sim.Script(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
}

func TestRefundLife(t *testing.T) {
	t.Parallel()
	sim, client, sh, p := paid(t)
	r := refund(t, client, refundOf(p, "a", 2500))
	want := pay.Refund{
		ID: r.ID, PaymentID: p.ID, Status: pay.RefundPending, Amount: 2500, Description: "Stage annulé",
		CreatedAt: sim.Now(), Metadata: map[string]string{"refund": "a"},
	}
	for _, status := range []pay.RefundStatus{pay.RefundPending, pay.RefundProcessing, pay.RefundRefunded} {
		want.Status = status
		step(t, sim)
		if diff := cmp.Diff([]string{p.ID}, sh.calls()); diff != "" {
			t.Errorf("%s: webhooks (-want +got)\n%s", status, diff)
		}
		got, err := client.FetchRefund(t.Context(), p.ID, r.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", status, err, diff)
		}
		list, err := client.Refunds(t.Context(), p.ID)
		if diff := cmp.Diff([]pay.Refund{want}, list); err != nil || diff != "" {
			t.Errorf("%s: list, %v (-want +got)\n%s", status, err, diff)
		}
		if got := fetch(t, client, p.ID); got.Refunded != 2500 || got.Amount != 6000 || got.Status != pay.StatusPaid {
			t.Errorf("%s: the payment is %+v", status, got)
		}
		sim.Advance(time.Minute)
	}
	if _, err := client.Refund(t.Context(), refundOf(p, "b", 3501)); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("refunding more than remains gives %v, want refused", err)
	}
	if r := refund(t, client, refundOf(p, "c", 3500)); r.Status != pay.RefundPending || fetch(t, client, p.ID).Refunded != 6000 {
		t.Errorf("the rest: %+v", r)
	}
	if _, err := client.FetchRefund(t.Context(), p.ID, "re_unknown"); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("an unknown refund gives %v, want not found", err)
	}
}

func TestRefundRefused(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	open := create(t, client, request(sh))
	if _, err := client.Refund(t.Context(), refundOf(open, "a", 100)); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("refunding an open payment gives %v, want refused", err)
	}
	unknown := pay.Payment{ID: "tr_unknown"}
	if _, err := client.Refund(t.Context(), refundOf(unknown, "a", 100)); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("refunding an unknown payment gives %v, want not found", err)
	}
	if _, err := client.Refunds(t.Context(), unknown.ID); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("listing the refunds of an unknown payment gives %v, want not found", err)
	}
	act(t, sim, open.ID, molliesim.ActPay)
	first := refund(t, client, refundOf(open, "b", 1000))
	if diff := cmp.Diff(first, refund(t, client, refundOf(open, "b", 1000))); diff != "" {
		t.Errorf("a replay (-first +replay)\n%s", diff)
	}
	if _, err := client.Refund(t.Context(), refundOf(open, "b", 1100)); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("the same key with another amount gives %v, want refused", err)
	}
	_, err := client.Refund(t.Context(), refundOf(open, "c", 1000))
	if pay.KindOf(err) != pay.ErrKindDuplicate || pay.Temporary(err) {
		t.Errorf("the same amount at once gives %v, want duplicate", err)
	}
	sim.Advance(time.Minute)
	if again := refund(t, client, refundOf(open, "c", 1000)); again.ID == first.ID {
		t.Error("a minute later it is still the first refund")
	}
	if got := fetch(t, client, open.ID); got.Refunded != 2000 {
		t.Errorf("refunded %d, want 2000", got.Refunded)
	}
}

// TestRefundRace asks many times at once with keys of their own: never more than was paid goes back.
func TestRefundRace(t *testing.T) {
	t.Parallel()
	_, client, _, p := paid(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			_, err := client.Refund(t.Context(), refundOf(p, string(rune('a'+i)), 2000+civil.Cents(i)))
			if err != nil && pay.KindOf(err) != pay.ErrKindRefused {
				t.Errorf("got %v, want refused", err)
			}
		})
	}
	wait.Wait()
	if got := fetch(t, client, p.ID); got.Refunded > 6000 || got.Refunded < 4000 {
		t.Errorf("refunded %d of 6000", got.Refunded)
	}
}

func TestRefundTrouble(t *testing.T) {
	t.Parallel()
	t.Run("error, then cut", func(t *testing.T) {
		t.Parallel()
		sim, client, _, p := paid(t)
		// Not cut on the connection used before: net/http would repeat the request by itself.
		client2, err := mollie.New(sim.URL, molliesimtest.Key)
		if err != nil {
			t.Fatal(err)
		}
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleRefundError})
		if _, err := client.Refund(t.Context(), refundOf(p, "a", 1000)); pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("got %v, want temporary", err)
		}
		if list, err := client.Refunds(t.Context(), p.ID); err != nil || len(list) != 0 {
			t.Errorf("after an error: %+v, %v", list, err)
		}
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleRefundCut})
		if _, err := client2.Refund(t.Context(), refundOf(p, "a", 1000)); pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("got %v, want temporary", err)
		}
		r := refund(t, client, refundOf(p, "a", 1000))
		if list, err := client.Refunds(t.Context(), p.ID); err != nil || len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("after the repeat: %+v, %v", list, err)
		}
	})
	t.Run("fails later", func(t *testing.T) {
		t.Parallel()
		sim, client, sh, p := paid(t)
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleRefundFails, Delay: 72 * time.Hour})
		r := refund(t, client, refundOf(p, "a", 6000))
		sim.Advance(48 * time.Hour)
		step(t, sim)
		if got, err := client.FetchRefund(t.Context(), p.ID, r.ID); err != nil || got.Status != pay.RefundProcessing {
			t.Errorf("two days later: %+v, %v", got, err)
		}
		sh.calls()
		sim.Advance(25 * time.Hour)
		step(t, sim)
		if got, err := client.FetchRefund(t.Context(), p.ID, r.ID); err != nil || got.Status != pay.RefundFailed {
			t.Errorf("three days later: %+v, %v", got, err)
		}
		if got := sh.calls(); !slices.Equal(got, []string{p.ID}) {
			t.Errorf("webhooks %v", got)
		}
		if got := fetch(t, client, p.ID); got.Refunded != 0 {
			t.Errorf("a failed refund still counts: %d", got.Refunded)
		}
	})
	t.Run("queued", func(t *testing.T) {
		t.Parallel()
		sim, client, _, p := paid(t)
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleRefundQueued})
		r := refund(t, client, refundOf(p, "a", 6000))
		sim.Advance(72 * time.Hour)
		if got, err := client.FetchRefund(t.Context(), p.ID, r.ID); err != nil || got.Status != pay.RefundQueued {
			t.Errorf("without money: %+v, %v", got, err)
		}
		order := `{"action":"move","refund":"` + r.ID + `","status":"`
		if got := post(t, sim.URL+"/simulator/payments/"+p.ID, order+`refunded"}`); got != http.StatusUnprocessableEntity {
			t.Errorf("skipping steps: %d", got)
		}
		if got := post(t, sim.URL+"/simulator/payments/"+p.ID, order+`pending"}`); got != http.StatusNoContent {
			t.Errorf("moving it on: %d", got)
		}
		sim.Advance(2 * time.Minute)
		if got, err := client.FetchRefund(t.Context(), p.ID, r.ID); err != nil || got.Status != pay.RefundRefunded {
			t.Errorf("with money: %+v, %v", got, err)
		}
	})
	t.Run("forged webhooks", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleWebhookForged})
		p := create(t, client, request(sh))
		step(t, sim)
		got := sh.calls()
		if len(got) != 2 || !slices.Contains(got, p.ID) || got[0] == got[1] {
			t.Fatalf("webhooks %v, want the open payment's and an unknown one", got)
		}
		for _, id := range got {
			if id == p.ID {
				if status := fetch(t, client, id).Status; status != pay.StatusOpen {
					t.Errorf("the payment is %s", status)
				}
			} else if _, err := client.Fetch(t.Context(), id); pay.KindOf(err) != pay.ErrKindNotFound {
				t.Errorf("the unknown one gives %v, want not found", err)
			}
		}
	})
}

func TestChargeback(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleChargeback, Delay: 24 * time.Hour, Cents: 2000})
	p := create(t, client, request(sh))
	act(t, sim, p.ID, molliesim.ActPay)
	step(t, sim)
	sh.calls()
	if got := fetch(t, client, p.ID); got.ChargedBack != 0 {
		t.Errorf("charged back %d at once", got.ChargedBack)
	}
	sim.Advance(24 * time.Hour)
	step(t, sim)
	if got := sh.calls(); !slices.Equal(got, []string{p.ID}) || fetch(t, client, p.ID).ChargedBack != 2000 {
		t.Errorf("a day later: webhooks %v, %+v", got, fetch(t, client, p.ID))
	}
	if _, err := client.Refund(t.Context(), refundOf(p, "a", 4001)); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("refunding what the bank took gives %v, want refused", err)
	}
	if got := post(t, sim.URL+"/simulator/payments/"+p.ID, `{"action":"chargeback"}`); got != http.StatusNoContent {
		t.Errorf("the rest: %d", got)
	}
	if got := post(t, sim.URL+"/simulator/payments/"+p.ID, `{"action":"chargeback","cents":1}`); got != http.StatusUnprocessableEntity {
		t.Errorf("more than was paid: %d", got)
	}
	if got := fetch(t, client, p.ID); got.ChargedBack != 6000 || got.Status != pay.StatusPaid {
		t.Errorf("all taken: %+v", got)
	}
	list, err := sim.Chargebacks(t.Context(), p.ID)
	if err != nil || len(list) != 2 {
		t.Fatalf("the books: %+v, %v", list, err)
	}
	first := list[slices.IndexFunc(list, func(e molliesim.ChargebackEntry) bool { return e.Cents == 2000 })]
	for range 2 { // the second time changes nothing
		err := sim.ReverseChargeback(t.Context(), p.ID, first.ID)
		if err != nil && err != molliesim.ErrEnded { //nolint:errorlint // returned bare
			t.Fatal(err)
		}
	}
	if got := fetch(t, client, p.ID); got.ChargedBack != 4000 {
		t.Errorf("after a reversal %d is charged back, want 4000", got.ChargedBack)
	}
}

// TestBook uses the page of one payment as a person would.
func TestBook(t *testing.T) {
	t.Parallel()
	sim, client, sh, p := paid(t)
	page := sim.URL + "/books/" + p.ID
	send := func(form url.Values, want int) string {
		t.Helper()
		status, location, doc := browse(t, http.MethodPost, page, form)
		if status != want || want == http.StatusSeeOther && location != page {
			t.Errorf("%v: %d to %s, want %d: %s", form, status, location, want, doc.Find("[role=alert]").Text())
		}
		return doc.Find("[role=alert]").Text()
	}
	send(url.Values{"action": {"refund"}, "amount": {"10,5"}}, http.StatusSeeOther)
	if said := send(url.Values{"action": {"refund"}, "amount": {"60"}}, http.StatusUnprocessableEntity); said == "" {
		t.Error("the page does not say why")
	}
	send(url.Values{"action": {"refund"}, "amount": {"dix"}}, http.StatusUnprocessableEntity)
	send(url.Values{"action": {"steal"}}, http.StatusUnprocessableEntity)
	list, err := client.Refunds(t.Context(), p.ID)
	if err != nil || len(list) != 1 || list[0].Amount != 1050 || list[0].Metadata != nil {
		t.Fatalf("the refund of the staff: %+v, %v", list, err)
	}
	send(url.Values{"action": {"move"}, "refund": {list[0].ID}, "status": {"processing"}}, http.StatusSeeOther)
	send(url.Values{"action": {"move"}, "refund": {list[0].ID}, "status": {"failed"}}, http.StatusSeeOther)
	send(url.Values{"action": {"chargeback"}, "amount": {"12.00"}}, http.StatusSeeOther)
	if got := fetch(t, client, p.ID); got.Refunded != 0 || got.ChargedBack != 1200 {
		t.Errorf("the payment is %+v", got)
	}
	step(t, sim)
	if got := len(sh.calls()); got != 4 {
		t.Errorf("%d webhooks, want 4", got)
	}
	_, _, doc := browse(t, http.MethodGet, page, nil)
	for _, want := range []string{"refusé par la banque", "repris par la banque : 12,00\u00a0€", list[0].ID, "remboursement : envoyé à la banque"} {
		if !strings.Contains(doc.Text(), want) {
			t.Errorf("the page lacks %q: %s", want, doc.Text())
		}
	}
	back, _ := doc.Find("input[name=chargeback]").Attr("value")
	send(url.Values{"action": {"reverse"}, "chargeback": {back}}, http.StatusSeeOther)
	if got := fetch(t, client, p.ID); got.ChargedBack != 0 {
		t.Errorf("%d is still charged back", got.ChargedBack)
	}
	if status, _, _ := browse(t, http.MethodGet, sim.URL+"/books/tr_unknown", nil); status != http.StatusNotFound {
		t.Errorf("an unknown payment: %d", status)
	}
}

func TestTroubleForm(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	form := url.Values{"action": {"add"}, "kind": {"create_error"}, "times": {"2"}, "seconds": {""}, "amount": {""}}
	if status, location, _ := browse(t, http.MethodPost, sim.URL+"/trouble", form); status != http.StatusSeeOther || location != sim.URL+"/" {
		t.Errorf("adding: %d to %s", status, location)
	}
	if _, err := client.Create(t.Context(), request(sh)); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Errorf("the trouble did not happen: %v", err)
	}
	_, _, doc := browse(t, http.MethodGet, sim.URL+"/", nil)
	if got := doc.Find("form li").Text(); !strings.HasPrefix(got, "1 × création") {
		t.Errorf("left: %q", got)
	}
	browse(t, http.MethodPost, sim.URL+"/trouble", url.Values{"action": {"clear"}})
	create(t, client, request(sh))
	for _, wrong := range []url.Values{
		{"kind": {"earthquake"}},
		{"kind": {"create_error"}, "times": {"-1"}},
		{"kind": {"other_amount"}, "amount": {"x"}},
		{"kind": {"webhook_late"}, "seconds": {"1e9"}},
	} {
		if status, _, _ := browse(t, http.MethodPost, sim.URL+"/trouble", wrong); status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", wrong, status)
		}
	}
}

// TestWireRefunds looks at the bytes of refunds and embeds as any client would.
func TestWireRefunds(t *testing.T) {
	t.Parallel()
	sim, client, _, p := paid(t)
	r := refund(t, client, refundOf(p, "a", 1000))
	if got := post(t, sim.URL+"/simulator/payments/"+p.ID, `{"action":"chargeback","cents":500}`); got != http.StatusNoContent {
		t.Fatalf("chargeback: %d", got)
	}
	payment := "/v2/payments/" + p.ID
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		holds              string
	}{
		"amount missing":    {"POST", payment + "/refunds", `{}`, 422, `"field":"amount"`},
		"amount in dollars": {"POST", payment + "/refunds", `{"amount":{"currency":"USD","value":"1.00"}}`, 422, `"field":"amount"`},
		"amount zero":       {"POST", payment + "/refunds", `{"amount":{"currency":"EUR","value":"0.00"}}`, 422, `"field":"amount"`},
		"no JSON":           {"POST", payment + "/refunds", `1,00`, 400, `"detail"`},
		"duplicate":         {"POST", payment + "/refunds", `{"amount":{"currency":"EUR","value":"10.00"}}`, 409, "duplicate refund"},
		"too much":          {"POST", payment + "/refunds", `{"amount":{"currency":"EUR","value":"45.01"}}`, 422, "remaining"},
		"one":               {"GET", payment + "/refunds/" + r.ID, "", 200, `"status":"pending"`},
		"unknown":           {"GET", payment + "/refunds/re_x", "", 404, "re_x"},
		"list":              {"GET", payment + "/refunds", "", 200, `"count":1`},
		"chargebacks":       {"GET", payment + "/chargebacks", "", 200, `"resource":"chargeback"`},
		"embedded":          {"GET", payment + "?embed=refunds,chargebacks", "", 200, `"amountRemaining":{"currency":"EUR","value":"45.00"}`},
		"embed refunds":     {"GET", payment + "?embed=refunds,chargebacks", "", 200, `"refunds":[{`},
		"embed chargebacks": {"GET", payment + "?embed=chargebacks", "", 200, `"chargebacks":[{`},
		"charged back":      {"GET", payment, "", 200, `"amountChargedBack":{"currency":"EUR","value":"5.00"}`},
		"cancel unknown":    {"DELETE", payment + "/refunds/re_x", "", 404, "re_x"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := call(t, sim, tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(body, tt.holds) {
				t.Errorf("got %d %s, want %d with %s", status, body, tt.status, tt.holds)
			}
		})
	}
	if status, body := call(t, sim, "DELETE", payment+"/refunds/"+r.ID, ""); status != http.StatusNoContent || body != "" {
		t.Errorf("cancel: %d %s", status, body)
	}
	if status, _ := call(t, sim, "DELETE", payment+"/refunds/"+r.ID, ""); status != http.StatusUnprocessableEntity {
		t.Errorf("a second cancel: %d", status)
	}
	if got, err := client.FetchRefund(t.Context(), p.ID, r.ID); err != nil || got.Status != pay.RefundCanceled {
		t.Errorf("the refund is %+v, %v", got, err)
	}
}
