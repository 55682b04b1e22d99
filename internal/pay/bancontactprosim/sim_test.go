package bancontactprosim_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/pay/bancontactprosim"
	"ribambelle/internal/pay/bancontactprosim/bancontactprosimtest"
)

// shop receives callbacks as the portal does and remembers what it made of them.
type shop struct {
	URL      string
	receiver *bancontactpro.Receiver
	arrived  func() // nil: nobody waits

	mu   sync.Mutex
	good []bancontactpro.Callback
	bad  []error
	seen map[string]bool
}

// took returns what came since the last call.
func (s *shop) took() ([]bancontactpro.Callback, []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	good, bad := s.good, s.bad
	s.good, s.bad = nil, nil
	return good, bad
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.receiver.Receive(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.bad = append(s.bad, err)
	} else {
		s.good = append(s.good, c)
	}
	if s.arrived != nil {
		s.arrived()
	}
	w.WriteHeader(bancontactpro.AnswerStatus(err))
}

func setup(t *testing.T) (*bancontactprosimtest.Sim, *bancontactpro.Client, *shop) {
	t.Helper()
	sim := bancontactprosimtest.Start(t)
	sh := &shop{seen: map[string]bool{}}
	srv := httptest.NewServer(sh)
	t.Cleanup(srv.Close)
	sh.URL = srv.URL + "/paiements/bancontact/notification"
	sh.receiver = sim.Client.Receiver(sh.URL)
	sh.receiver.Now, sh.receiver.Keys.Now = sim.Now, sim.Now
	sh.receiver.Seen = func(_ context.Context, unique string, _ time.Time) (bool, error) {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		before := sh.seen[unique]
		sh.seen[unique] = true
		return before, nil
	}
	return sim, sim.Client, sh
}

func request(sh *shop) pay.CreateRequest {
	return pay.CreateRequest{
		Key: "0b4f4f5e-9d52-4a71-a1a8-6f2b8d1c7e90", Amount: 6000, Description: "Stage Cirque – été",
		RedirectURL: "http://127.0.0.1:1/retour", WebhookURL: sh.URL, Language: "fr", Method: pay.MethodBancontact,
	}
}

func create(t *testing.T, c *bancontactpro.Client, req pay.CreateRequest) pay.Payment {
	t.Helper()
	p, err := c.Create(t.Context(), req)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return p
}

func fetch(t *testing.T, c *bancontactpro.Client, id string) pay.Payment {
	t.Helper()
	p, err := c.Fetch(t.Context(), id)
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return p
}

func step(t *testing.T, sim *bancontactprosimtest.Sim) int {
	t.Helper()
	n, err := sim.Step(t.Context())
	if err != nil {
		t.Fatalf("Step: %v", err)
	}
	return n
}

func act(t *testing.T, sim *bancontactprosimtest.Sim, id string, action bancontactprosim.Action) {
	t.Helper()
	if _, err := sim.Act(t.Context(), id, action); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
}

func script(t *testing.T, sim *bancontactprosimtest.Sim, tr bancontactprosim.Trouble) {
	t.Helper()
	if err := sim.Script(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
}

// scan reads a code as a phone does, by a decoder that is not ours.
func scan(t *testing.T, src string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(src, "data:image/png;base64,"))
	if err != nil {
		t.Fatalf("the code is no image: %.40q", src)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("the code is no image: %v", err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := zxing.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("nobody can scan the code: %v", err)
	}
	return result.GetText()
}

func TestPaymentLife(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	if got := scan(t, p.QR); got != p.AppURL {
		t.Errorf("the code says %q, want the deep link %q", got, p.AppURL)
	}
	p.QR = ""
	want := pay.Payment{
		ID: p.ID, Mode: "test", Status: pay.StatusOpen, Amount: 6000, Description: "Stage Cirque - ete",
		Method: "bancontact", CheckoutURL: sim.URL + "/checkout/" + p.ID, AppURL: sim.URL + "/pay/2/" + p.ID,
		Cancelable: true, CreatedAt: sim.Now(), ExpiresAt: sim.Now().Add(20 * time.Minute),
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("created (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, fetch(t, client, p.ID)); diff != "" {
		t.Errorf("fetched (-want +got)\n%s", diff)
	}
	for _, tt := range []struct {
		action bancontactprosim.Action
		want   pay.Status
	}{
		{bancontactprosim.ActScan, pay.StatusPending},
		{bancontactprosim.ActAuthorize, pay.StatusAuthorized},
		{bancontactprosim.ActPay, pay.StatusPaid},
	} {
		sim.Advance(time.Minute)
		act(t, sim, p.ID, tt.action)
		if n := step(t, sim); n != 1 {
			t.Errorf("%s sent %d callbacks", tt.action, n)
		}
		good, bad := sh.took()
		wanted := []bancontactpro.Callback{{
			PaymentID: p.ID, Status: tt.want, Amount: 6000, Reference: "0b4f4f5e9d524a71a1a86f2b8d1c7e90", IssuedAt: sim.Now(),
		}}
		if diff := cmp.Diff(wanted, good, cmpopts.IgnoreFields(bancontactpro.Callback{}, "Unique")); diff != "" || bad != nil {
			t.Errorf("%s: %v (-want +got)\n%s", tt.action, bad, diff)
		}
		if got := fetch(t, client, p.ID).Status; got != tt.want {
			t.Errorf("%s: the payment is %s", tt.action, got)
		}
	}
	want.Status, want.PaidAt, want.CheckoutURL, want.AppURL = pay.StatusPaid, sim.Now(), "", ""
	want.ExpiresAt, want.Cancelable = time.Time{}, false
	if diff := cmp.Diff(want, fetch(t, client, p.ID)); diff != "" {
		t.Errorf("paid (-want +got)\n%s", diff)
	}
	if _, err := client.Cancel(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("canceling a paid payment gives %v, want refused", err)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	by := func(action bancontactprosim.Action) func(*testing.T, *bancontactprosimtest.Sim, string) {
		return func(t *testing.T, sim *bancontactprosimtest.Sim, id string) { act(t, sim, id, action) }
	}
	for name, tt := range map[string]struct {
		end  func(t *testing.T, sim *bancontactprosimtest.Sim, id string)
		want pay.Status
	}{
		"canceled by the payer": {by(bancontactprosim.ActCancel), pay.StatusCanceled},
		"canceled by the shop": {func(t *testing.T, sim *bancontactprosimtest.Sim, id string) {
			if p, err := sim.Client.Cancel(t.Context(), id); err != nil || p.Status != pay.StatusCanceled {
				t.Errorf("Cancel = %+v, %v", p, err)
			}
		}, pay.StatusCanceled},
		"expired by time": {func(_ *testing.T, sim *bancontactprosimtest.Sim, _ string) { sim.Advance(20 * time.Minute) }, pay.StatusExpired},
		"failed":          {by(bancontactprosim.ActFail), pay.StatusFailed},
		"refused by bank": {by(bancontactprosim.ActRefuse), pay.StatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, client, sh := setup(t)
			p := create(t, client, request(sh))
			tt.end(t, sim, p.ID)
			step(t, sim)
			if got := fetch(t, client, p.ID); got.Status != tt.want || got.CheckoutURL != "" || got.AppURL != "" {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
			if good, bad := sh.took(); len(good) != 1 || good[0].Status != tt.want || bad != nil {
				t.Errorf("callbacks %+v, %v", good, bad)
			}
			if _, err := sim.Act(t.Context(), p.ID, bancontactprosim.ActPay); !errors.Is(err, bancontactprosim.ErrEnded) {
				t.Errorf("paying it now gives %v, want ErrEnded", err)
			}
		})
	}
}

func TestCreateAgain(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	req := request(sh)
	script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCreateError})
	if _, err := client.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Fatalf("got %v, want temporary", err)
	}
	script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCreateCut})
	if _, err := client.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Fatalf("got %v, want temporary", err)
	}
	p := create(t, client, req)
	books, err := sim.Books(t.Context())
	if err != nil || len(books) != 1 || books[0].ID != p.ID {
		t.Errorf("the books hold %+v, %v, want only %s", books, err, p.ID)
	}
	if p.QR == "" || p.AppURL == "" {
		t.Errorf("the payment found again cannot be paid: %+v", p)
	}
	other := req
	other.Amount++
	if _, err := client.Create(t.Context(), other); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("the same key with another amount gives %v, want refused", err)
	}
	other.Key = "another"
	if got := create(t, client, other); got.ID == p.ID {
		t.Error("another key gives the same payment")
	}
	script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleReadError})
	if _, err := client.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindTemporary {
		t.Errorf("a failed search gives %v, want temporary: creating now might double", err)
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	t.Run("callbacks", func(t *testing.T) {
		t.Parallel()
		for kind, want := range map[bancontactprosim.TroubleKind]error{
			bancontactprosim.TroubleCallbackOtherPath: bancontactpro.ErrPath,
			bancontactprosim.TroubleCallbackStale:     bancontactpro.ErrStale,
			bancontactprosim.TroubleCallbackDuplicate: bancontactpro.ErrReplayed,
		} {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				sim, client, sh := setup(t)
				p := create(t, client, request(sh))
				script(t, sim, bancontactprosim.Trouble{Kind: kind})
				act(t, sim, p.ID, bancontactprosim.ActPay)
				step(t, sim)
				if _, bad := sh.took(); len(bad) != 1 || !errors.Is(bad[0], want) {
					t.Errorf("got %v, want %v", bad, want)
				}
				sim.Advance(time.Hour)
				if n := step(t, sim); n != 0 {
					t.Errorf("%d callbacks came again after a final answer", n)
				}
			})
		}
	})
	t.Run("forged", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCallbackForged})
		p := create(t, client, request(sh))
		step(t, sim)
		good, bad := sh.took()
		if good != nil || len(bad) != 1 || !errors.Is(bad[0], bancontactpro.ErrForged) {
			t.Errorf("a forged callback gives %v, %v", good, bad)
		}
		if got := fetch(t, client, p.ID); got.Status != pay.StatusOpen {
			t.Errorf("the payment is %s", got.Status)
		}
	})
	t.Run("lost and late", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		p := create(t, client, request(sh))
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCallbackLate, Delay: 5 * time.Minute})
		act(t, sim, p.ID, bancontactprosim.ActScan)
		act(t, sim, p.ID, bancontactprosim.ActPay)
		step(t, sim)
		if good, _ := sh.took(); len(good) != 1 || good[0].Status != pay.StatusPaid {
			t.Errorf("first came %+v, want the payment", good)
		}
		sim.Advance(5 * time.Minute)
		step(t, sim)
		if good, _ := sh.took(); len(good) != 1 || good[0].Status != pay.StatusPending || fetch(t, client, p.ID).Status != pay.StatusPaid {
			t.Errorf("then came %+v, want the scan, and the payment stays paid", good)
		}
		req := request(sh)
		req.Key = "lost"
		p = create(t, client, req)
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCallbackLost})
		act(t, sim, p.ID, bancontactprosim.ActPay)
		if n := step(t, sim); n != 0 || fetch(t, client, p.ID).Status != pay.StatusPaid {
			t.Errorf("a lost callback was sent %d times", n)
		}
	})
	t.Run("rotated key", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		p := create(t, client, request(sh))
		act(t, sim, p.ID, bancontactprosim.ActScan)
		step(t, sim) // the keys are known now
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleKeyRotated})
		act(t, sim, p.ID, bancontactprosim.ActPay)
		step(t, sim) // within a minute of the last question: come again
		good, bad := sh.took()
		if len(good) != 1 || len(bad) != 1 || !pay.Temporary(bad[0]) || bancontactpro.AnswerStatus(bad[0]) != http.StatusServiceUnavailable {
			t.Fatalf("at once: %+v, %v", good, bad)
		}
		sim.Advance(time.Minute)
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleKeysError})
		step(t, sim)
		if good, bad := sh.took(); good != nil || len(bad) != 1 || !pay.Temporary(bad[0]) {
			t.Fatalf("without keys: %+v, %v", good, bad)
		}
		sim.Advance(5 * time.Minute)
		step(t, sim)
		if good, bad := sh.took(); len(good) != 1 || good[0].Status != pay.StatusPaid || bad != nil {
			t.Errorf("with the new key: %+v, %v", good, bad)
		}
	})
	t.Run("other amount, paid before the answer, cancel", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCreatePaid})
		p := create(t, client, request(sh))
		if good, _ := sh.took(); p.Status != pay.StatusOpen || len(good) != 1 || good[0].Status != pay.StatusPaid {
			t.Errorf("the answer says %s, callbacks %+v", p.Status, good)
		}
		req := request(sh)
		req.Key = "b"
		p = create(t, client, req)
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleCancelError})
		if _, err := client.Cancel(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("cancel: %v, want temporary", err)
		}
		script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleOtherAmount, Cents: 5900})
		act(t, sim, p.ID, bancontactprosim.ActPay)
		if got := fetch(t, client, p.ID); got.Amount != 5900 || got.Status != pay.StatusPaid {
			t.Errorf("paid %+v, want 5900", got)
		}
	})
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	req := pay.RefundRequest{Key: "r1", PaymentID: p.ID, Amount: 2500, Description: "Journée annulée"}
	if _, err := client.Refund(t.Context(), req); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("refunding an open payment gives %v, want refused", err)
	}
	act(t, sim, p.ID, bancontactprosim.ActPay)
	for kind, want := range map[bancontactprosim.TroubleKind]pay.ErrorKind{
		bancontactprosim.TroubleRefundError: pay.ErrKindTemporary,
		bancontactprosim.TroubleRefundPoor:  pay.ErrKindTemporary,
		bancontactprosim.TroubleRefundCut:   pay.ErrKindTemporary,
	} {
		script(t, sim, bancontactprosim.Trouble{Kind: kind})
		_, err := client.Refund(t.Context(), req)
		if err == nil && kind == bancontactprosim.TroubleRefundCut {
			continue // net/http itself repeats a request with a key on a connection that was used before
		}
		if pay.KindOf(err) != want {
			t.Errorf("%s: %v, want %s", kind, err, want)
		}
	}
	r, err := client.Refund(t.Context(), req)
	want := pay.Refund{
		ID: r.ID, PaymentID: p.ID, Status: pay.RefundPending, Amount: 2500, Description: "Journee annulee", CreatedAt: sim.Now(),
	}
	if diff := cmp.Diff(want, r); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if list, err := sim.Refunds(t.Context(), p.ID); err != nil || len(list) != 1 {
		t.Errorf("the books hold %+v, %v, want one refund", list, err)
	}
	sim.Advance(time.Minute)
	want.Status = pay.RefundRefunded
	got, err := client.FetchRefund(t.Context(), p.ID, r.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("a minute later: %v (-want +got)\n%s", err, diff)
	}
	other := req
	other.Amount = 100
	if _, err := client.Refund(t.Context(), other); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("the same key with another amount gives %v, want refused", err)
	}
	other = pay.RefundRequest{Key: "r2", PaymentID: p.ID, Amount: 3501}
	if _, err := client.Refund(t.Context(), other); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("more than remains gives %v, want refused", err)
	}
	script(t, sim, bancontactprosim.Trouble{Kind: bancontactprosim.TroubleRefundFails})
	other.Amount = 3500
	failed, err := client.Refund(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	sim.Advance(time.Minute)
	if got, err := client.FetchRefund(t.Context(), p.ID, failed.ID); err != nil || got.Status != pay.RefundFailed {
		t.Errorf("got %+v, %v, want failed", got, err)
	}
	if _, err := client.FetchRefund(t.Context(), p.ID, strings.Repeat("0", 24)); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("an unknown refund gives %v, want not found", err)
	}
	other = pay.RefundRequest{Key: "r3", PaymentID: strings.Repeat("0", 24), Amount: 1}
	if _, err := client.Refund(t.Context(), other); pay.KindOf(err) != pay.ErrKindNotFound {
		t.Errorf("an unknown payment gives %v, want not found", err)
	}
	if iban, err := client.RefundIBAN(t.Context(), p.ID); err != nil || iban != "BE71096123456769" {
		t.Errorf("the payer's account is %q, %v", iban, err)
	}
	if _, err := client.Refunds(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindUnsupported {
		t.Errorf("listing gives %v, want unsupported", err)
	}
}

// TestRefundSignature proves that a refund by another key, or by none, is refused.
func TestRefundSignature(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	act(t, sim, p.ID, bancontactprosim.ActPay)
	for name, key := range map[string]string{"no key": "", "another key": bancontactprosimtest.SigningKey(t)} {
		other, err := bancontactpro.New(bancontactpro.Options{
			URL: sim.URL, Key: bancontactprosimtest.Key, Profile: bancontactprosimtest.Profile, SigningKey: key,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Refund(t.Context(), pay.RefundRequest{Key: "x", PaymentID: p.ID, Amount: 1}); pay.KindOf(err) != pay.ErrKindDenied {
			t.Errorf("%s: %v, want denied", name, err)
		}
	}
	if list, err := sim.Refunds(t.Context(), p.ID); err != nil || len(list) != 0 {
		t.Errorf("refunded %+v, %v", list, err)
	}
}

// TestSchedule proves that callbacks come again while we are down, word for word, and stop after a day.
func TestSchedule(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	var mu sync.Mutex
	var at []int
	signatures := map[string]bool{}
	start := sim.Now()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, int(sim.Now().Sub(start).Minutes()))
		signatures[r.Header.Get("Signature")] = true
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(srv.Close)
	req := request(sh)
	req.WebhookURL = srv.URL
	p := create(t, client, req)
	act(t, sim, p.ID, bancontactprosim.ActPay)
	for range 26 * 12 {
		step(t, sim)
		sim.Advance(time.Minute * 5)
	}
	if len(at) != 10 || at[0] != 0 || at[9] > 25*60 || at[9] < 23*60 || len(signatures) != 1 {
		t.Errorf("attempts at %v with %d signatures", at, len(signatures))
	}
}

// TestSurvives opens the simulator a second time on the same rows, as after a kill.
func TestSurvives(t *testing.T) {
	t.Parallel()
	pool := dbtest.Empty(t).Pool
	open := func() (*bancontactprosim.Server, *bancontactpro.Client) {
		srv := httptest.NewUnstartedServer(nil)
		base := "http://" + srv.Listener.Addr().String()
		sim, err := bancontactprosim.Open(t.Context(), pool, bancontactprosim.Options{
			APIKey: bancontactprosimtest.Key, Profile: bancontactprosimtest.Profile, BaseURL: base,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Config.Handler = sim
		srv.Start()
		t.Cleanup(srv.Close)
		client, err := bancontactpro.New(bancontactpro.Options{
			URL: base, Key: bancontactprosimtest.Key, Profile: bancontactprosimtest.Profile,
		})
		if err != nil {
			t.Fatal(err)
		}
		return sim, client
	}
	sh := &shop{URL: "http://127.0.0.1:1"}
	_, client := open()
	p := create(t, client, request(sh))
	sim, client := open()
	if got := create(t, client, request(sh)); got.ID != p.ID {
		t.Errorf("the payment was forgotten: %s, want %s", got.ID, p.ID)
	}
	if _, err := sim.Act(t.Context(), p.ID, bancontactprosim.ActPay); err != nil || fetch(t, client, p.ID).Status != pay.StatusPaid {
		t.Errorf("the payment was forgotten: %v", err)
	}
	if said, err := client.Check(t.Context()); err != nil || !strings.HasPrefix(said, "bancontactpro, test mode, refunds by transfer") {
		t.Errorf("Check = %q, %v", said, err)
	}
	for _, o := range []bancontactprosim.Options{
		{APIKey: bancontactprosimtest.Key, Profile: "p"},
		{APIKey: bancontactprosimtest.Key, BaseURL: "http://x.test"},
		{APIKey: "short", Profile: "p", BaseURL: "http://x.test"},
		{APIKey: bancontactprosimtest.Key, Profile: "p", BaseURL: "http://x.test", MerchantKeys: []byte("{")},
	} {
		if _, err := bancontactprosim.Open(t.Context(), pool, o); err == nil {
			t.Errorf("Open(%+v) succeeds", o)
		}
	}
}
