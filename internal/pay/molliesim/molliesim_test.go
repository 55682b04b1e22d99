package molliesim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/mollie"
	"ribambelle/internal/pay/molliesim"
	"ribambelle/internal/pay/molliesim/molliesimtest"
)

// shop receives webhooks and remembers the ids; it answers with status.
type shop struct {
	URL string

	mu     sync.Mutex
	status int
	got    []string
}

func (s *shop) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// calls returns the ids received since the last call.
func (s *shop) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func setup(t *testing.T) (*molliesimtest.Sim, *mollie.Client, *shop) {
	t.Helper()
	sim := molliesimtest.Start(t)
	client, err := mollie.New(sim.URL, molliesimtest.Key)
	if err != nil {
		t.Fatal(err)
	}
	sh := &shop{status: http.StatusOK}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if r.Method != http.MethodPost || len(form) != 1 || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("webhook %s with body %q", r.Method, body)
		}
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.got = append(sh.got, form.Get("id"))
		w.WriteHeader(sh.status)
	}))
	t.Cleanup(srv.Close)
	sh.URL = srv.URL
	return sim, client, sh
}

func request(sh *shop) pay.CreateRequest {
	return pay.CreateRequest{
		Key: "7f3a", Amount: 6000, Description: "Stage Cirque, été", RedirectURL: "http://127.0.0.1:1/retour",
		CancelURL: "http://127.0.0.1:1/annule", WebhookURL: sh.URL + "/webhook", Language: "fr", Method: "bancontact",
		Metadata: map[string]string{"payment": "a1"},
	}
}

func create(t *testing.T, c *mollie.Client, req pay.CreateRequest) pay.Payment {
	t.Helper()
	p, err := c.Create(t.Context(), req)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return p
}

func fetch(t *testing.T, c *mollie.Client, id string) pay.Payment {
	t.Helper()
	p, err := c.Fetch(t.Context(), id)
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return p
}

func step(t *testing.T, sim *molliesimtest.Sim) int {
	t.Helper()
	n, err := sim.Step(t.Context())
	if err != nil {
		t.Fatalf("Step: %v", err)
	}
	return n
}

func act(t *testing.T, sim *molliesimtest.Sim, id string, action molliesim.Action) {
	t.Helper()
	if _, err := sim.Act(t.Context(), id, action, ""); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
}

func TestPaymentLife(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	p := create(t, client, request(sh))
	if !strings.HasPrefix(p.QR, "data:image/png;base64,") {
		t.Errorf("a Bancontact payment has no QR code: %.40q", p.QR)
	}
	p.QR = "" // given once only, here
	want := pay.Payment{
		ID: p.ID, Mode: "test", Status: pay.StatusOpen, Amount: 6000, Description: "Stage Cirque, été",
		Method: "bancontact", CheckoutURL: sim.URL + "/checkout/" + p.ID, AppURL: sim.URL + "/checkout/" + p.ID + "?app=1",
		Cancelable: true, CreatedAt: sim.Now(), ExpiresAt: sim.Now().Add(time.Hour),
		Metadata: map[string]string{"payment": "a1"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("created (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, fetch(t, client, p.ID)); diff != "" {
		t.Errorf("fetched (-want +got)\n%s", diff)
	}
	if n := step(t, sim); n != 0 {
		t.Errorf("an open payment sent %d webhooks", n)
	}
	act(t, sim, p.ID, molliesim.ActPend)
	if got := fetch(t, client, p.ID); got.Status != pay.StatusPending || got.Cancelable {
		t.Errorf("pending: got %+v", got)
	}
	sim.Advance(5 * time.Minute)
	act(t, sim, p.ID, molliesim.ActPay)
	step(t, sim)
	if diff := cmp.Diff([]string{p.ID}, sh.calls()); diff != "" {
		t.Errorf("webhooks (-want +got)\n%s", diff)
	}
	want.Status, want.PaidAt, want.CheckoutURL, want.AppURL = pay.StatusPaid, sim.Now(), "", ""
	want.ExpiresAt, want.Cancelable = time.Time{}, false
	if diff := cmp.Diff(want, fetch(t, client, p.ID)); diff != "" {
		t.Errorf("paid (-want +got)\n%s", diff)
	}
	if _, err := client.Cancel(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("canceling a paid payment gives %v, want refused", err)
	}
	sim.Advance(48 * time.Hour)
	if n := step(t, sim); n != 0 || fetch(t, client, p.ID).Status != pay.StatusPaid {
		t.Errorf("a paid payment changed with time; %d webhooks", n)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(t *testing.T, sim *molliesimtest.Sim, c *mollie.Client, id string)
		want pay.Status
	}{
		"canceled by the payer": {func(t *testing.T, sim *molliesimtest.Sim, _ *mollie.Client, id string) {
			act(t, sim, id, molliesim.ActCancel)
		}, pay.StatusCanceled},
		"canceled by the shop": {func(t *testing.T, _ *molliesimtest.Sim, c *mollie.Client, id string) {
			if p, err := c.Cancel(t.Context(), id); err != nil || p.Status != pay.StatusCanceled {
				t.Errorf("Cancel = %+v, %v", p, err)
			}
		}, pay.StatusCanceled},
		"expired by hand": {func(t *testing.T, sim *molliesimtest.Sim, _ *mollie.Client, id string) {
			act(t, sim, id, molliesim.ActExpire)
		}, pay.StatusExpired},
		"expired by time": {func(_ *testing.T, sim *molliesimtest.Sim, _ *mollie.Client, _ string) {
			sim.Advance(time.Hour)
		}, pay.StatusExpired},
		"failed": {func(t *testing.T, sim *molliesimtest.Sim, _ *mollie.Client, id string) {
			act(t, sim, id, molliesim.ActFail)
		}, pay.StatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, client, sh := setup(t)
			p := create(t, client, request(sh))
			tt.end(t, sim, client, p.ID)
			step(t, sim)
			if got := fetch(t, client, p.ID); got.Status != tt.want || got.CheckoutURL != "" {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
			if diff := cmp.Diff([]string{p.ID}, sh.calls()); diff != "" {
				t.Errorf("webhooks (-want +got)\n%s", diff)
			}
			if _, err := sim.Act(t.Context(), p.ID, molliesim.ActPay, ""); err != molliesim.ErrEnded { //nolint:errorlint // returned bare
				t.Errorf("paying it now gives %v, want ErrEnded", err)
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	req := request(sh)
	first := create(t, client, req)
	act(t, sim, first.ID, molliesim.ActPay)
	if diff := cmp.Diff(first, create(t, client, req)); diff != "" {
		t.Errorf("a replay differs, though the payment moved on (-first +replay)\n%s", diff)
	}
	other := req
	other.Amount++
	if _, err := client.Create(t.Context(), other); pay.KindOf(err) != pay.ErrKindRefused {
		t.Errorf("the same key with another amount gives %v, want refused", err)
	}
	sim.Advance(time.Hour)
	if again := create(t, client, req); again.ID == first.ID {
		t.Error("the key is remembered for more than an hour")
	}

	// Many at once: each gets the one payment or is told to come back.
	req.Key = "race"
	var wait sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]int{}
	for range 8 {
		wait.Go(func() {
			p, err := client.Create(t.Context(), req)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ids[p.ID]++
			case !pay.Temporary(err):
				t.Errorf("a concurrent creation gives %v", err)
			}
		})
	}
	wait.Wait()
	if len(ids) != 1 {
		t.Errorf("the race made payments %v, want one", ids)
	}
}

func TestWebhookSchedule(t *testing.T) {
	t.Parallel()
	sim, client, sh := setup(t)
	sh.answer(http.StatusMovedPermanently)
	p := create(t, client, request(sh))
	act(t, sim, p.ID, molliesim.ActPay)
	start := sim.Now()
	var at []int
	for range 27 * 60 {
		step(t, sim)
		for range sh.calls() {
			at = append(at, int(sim.Now().Sub(start).Minutes()))
		}
		sim.Advance(time.Minute)
	}
	if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 60, 120, 240, 1560}, at); diff != "" {
		t.Errorf("attempts in minutes (-want +got)\n%s", diff)
	}
	late := create(t, client, pay.CreateRequest{Key: "b", Amount: 1, Description: "x", RedirectURL: "http://x.test", WebhookURL: sh.URL})
	act(t, sim, late.ID, molliesim.ActPay)
	step(t, sim)
	sh.answer(http.StatusOK)
	sim.Advance(time.Minute)
	step(t, sim)
	sim.Advance(48 * time.Hour)
	if n := step(t, sim); n != 0 {
		t.Errorf("%d webhooks after a good answer", n)
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleNotCancelable})
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleCancelError})
		p := create(t, client, request(sh))
		if _, err := client.Cancel(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindTemporary {
			t.Errorf("first cancel: %v, want temporary", err)
		}
		if _, err := client.Cancel(t.Context(), p.ID); p.Cancelable || pay.KindOf(err) != pay.ErrKindRefused {
			t.Errorf("second cancel: %v, want refused", err)
		}
	})
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		req := request(sh)
		// The cut comes first: on a connection that was used before, net/http repeats a request with a key by itself.
		for _, kind := range []molliesim.TroubleKind{molliesim.TroubleCreateCut, molliesim.TroubleCreateError} {
			script(t, sim, molliesim.Trouble{Kind: kind})
			if _, err := client.Create(t.Context(), req); pay.KindOf(err) != pay.ErrKindTemporary {
				t.Fatalf("got %v, want temporary", err)
			}
		}
		p := create(t, client, req)
		books, err := sim.Books(t.Context())
		if err != nil || len(books) != 1 || books[0].ID != p.ID {
			t.Errorf("the books hold %+v, %v, want only %s", books, err, p.ID)
		}
	})
	t.Run("paid before the answer", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleCreatePaid})
		p := create(t, client, request(sh))
		if p.Status != pay.StatusOpen || fetch(t, client, p.ID).Status != pay.StatusPaid {
			t.Error("the answer should say open and the payment be paid")
		}
		if diff := cmp.Diff([]string{p.ID}, sh.calls()); diff != "" {
			t.Errorf("webhooks before the answer (-want +got)\n%s", diff)
		}
	})
	t.Run("read and other amount", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		p := create(t, client, request(sh))
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleReadError, Times: 2})
		for range 2 {
			if _, err := client.Fetch(t.Context(), p.ID); pay.KindOf(err) != pay.ErrKindTemporary {
				t.Errorf("got %v, want temporary", err)
			}
		}
		script(t, sim, molliesim.Trouble{Kind: molliesim.TroubleOtherAmount, Cents: 5900})
		act(t, sim, p.ID, molliesim.ActPay)
		if got := fetch(t, client, p.ID); got.Amount != 5900 {
			t.Errorf("paid %d, want 5900", got.Amount)
		}
	})
	t.Run("webhooks", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		var ids []string
		for _, kind := range []molliesim.TroubleKind{
			molliesim.TroubleWebhookLost, molliesim.TroubleWebhookLate, molliesim.TroubleWebhookDuplicate,
		} {
			req := request(sh)
			req.Key = string(kind)
			p := create(t, client, req)
			ids = append(ids, p.ID)
			script(t, sim, molliesim.Trouble{Kind: kind, Delay: time.Hour})
			act(t, sim, p.ID, molliesim.ActPay)
		}
		step(t, sim)
		if diff := cmp.Diff([]string{ids[2], ids[2]}, sh.calls()); diff != "" {
			t.Errorf("at once (-want +got)\n%s", diff)
		}
		sim.Advance(time.Hour)
		step(t, sim)
		if diff := cmp.Diff([]string{ids[1]}, sh.calls()); diff != "" {
			t.Errorf("an hour later (-want +got)\n%s", diff)
		}
	})
	t.Run("over HTTP", func(t *testing.T) {
		t.Parallel()
		sim, client, sh := setup(t)
		if got := post(t, sim.URL+"/simulator/trouble", `{"kind":"create_error","times":1}`); got != http.StatusNoContent {
			t.Errorf("script: %d", got)
		}
		if got := post(t, sim.URL+"/simulator/trouble", `{"kind":"earthquake"}`); got != http.StatusUnprocessableEntity {
			t.Errorf("unknown trouble: %d", got)
		}
		if err := sim.ClearScript(t.Context()); err != nil {
			t.Fatal(err)
		}
		create(t, client, request(sh))
	})
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestSurvives opens the simulator a second time on the same rows, as after a kill.
func TestSurvives(t *testing.T) {
	t.Parallel()
	pool := dbtest.Empty(t).Pool
	sh := &shop{URL: "http://127.0.0.1:1"}
	open := func() (*molliesim.Server, *mollie.Client) {
		srv := httptest.NewUnstartedServer(nil)
		base := "http://" + srv.Listener.Addr().String()
		sim, err := molliesim.Open(t.Context(), pool, molliesim.Options{APIKey: molliesimtest.Key, BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		srv.Config.Handler = sim
		srv.Start()
		t.Cleanup(srv.Close)
		client, err := mollie.New(base, molliesimtest.Key)
		if err != nil {
			t.Fatal(err)
		}
		return sim, client
	}
	_, client := open()
	p := create(t, client, request(sh))
	sim, client := open()
	if got := create(t, client, request(sh)); got.ID != p.ID {
		t.Errorf("the idempotency key was forgotten: %s, want %s", got.ID, p.ID)
	}
	if _, err := sim.Act(t.Context(), p.ID, molliesim.ActPay, ""); err != nil || fetch(t, client, p.ID).Status != pay.StatusPaid {
		t.Errorf("the payment was forgotten: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	pool := dbtest.Empty(t).Pool
	for _, o := range []molliesim.Options{
		{APIKey: molliesimtest.Key}, {BaseURL: "http://x.test"}, {APIKey: molliesimtest.Key, BaseURL: "ftp://x.test"},
	} {
		if _, err := molliesim.Open(t.Context(), pool, o); err == nil {
			t.Errorf("Open(%+v) succeeds", o)
		}
	}
}

// TestRun proves that Run sends without being asked, and stops.
func TestRun(t *testing.T) {
	t.Parallel()
	sim, client, _ := setup(t)
	came := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- struct{}{} }))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sim.Run(ctx)
	}()
	p := create(t, client, request(&shop{URL: srv.URL}))
	act(t, sim, p.ID, molliesim.ActPay)
	<-came
	cancel()
	<-ended
}
