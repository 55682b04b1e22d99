package molliesim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"ribambelle/internal/pay/molliesim/molliesimtest"
)

// TestWire looks at the bytes as any client would, without ours.
func TestWire(t *testing.T) {
	t.Parallel()
	sim := molliesimtest.Start(t)
	const good = `{"amount":{"currency":"EUR","value":"10.00"},"description":"x","redirectUrl":"https://shop.test/"}`
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, tt := range map[string]struct {
		method, path, key, body string
		status                  int
		field                   string
	}{
		"amount currency":    {"POST", "/v2/payments", "", edit("EUR", "USD"), 422, "amount"},
		"amount decimals":    {"POST", "/v2/payments", "", edit("10.00", "10.0"), 422, "amount"},
		"amount missing":     {"POST", "/v2/payments", "", `{"description":"x","redirectUrl":"https://shop.test/"}`, 422, "amount"},
		"amount too high":    {"POST", "/v2/payments", "", edit("10.00", "50000.01"), 422, "amount"},
		"amount zero":        {"POST", "/v2/payments", "", edit("10.00", "0.00"), 422, "amount"},
		"bad redirect":       {"POST", "/v2/payments", "", edit("https://shop.test/", "javascript:x"), 422, "redirectUrl"},
		"bad webhook":        {"POST", "/v2/payments", "", edit(`"description"`, `"webhookUrl":"ftp://x","description"`), 422, "webhookUrl"},
		"description long":   {"POST", "/v2/payments", "", edit(`"x"`, `"`+strings.Repeat("é", 256)+`"`), 422, "description"},
		"description none":   {"POST", "/v2/payments", "", edit(`"x"`, `""`), 422, "description"},
		"metadata long":      {"POST", "/v2/payments", "", edit(`"description"`, `"metadata":"`+strings.Repeat("a", 1024)+`","description"`), 422, "metadata"},
		"method list":        {"POST", "/v2/payments", "", edit(`"description"`, `"method":["bancontact","creditcard"],"description"`), 201, ""},
		"method unknown":     {"POST", "/v2/payments", "", edit(`"description"`, `"method":"cheque","description"`), 422, "method"},
		"method wrong type":  {"POST", "/v2/payments", "", edit(`"description"`, `"method":7,"description"`), 422, "method"},
		"minimal":            {"POST", "/v2/payments", "", good, 201, ""},
		"no JSON":            {"POST", "/v2/payments", "", "amount=1", 400, ""},
		"no endpoint":        {"GET", "/v2/orders", "", "", 404, ""},
		"no key":             {"GET", "/v2/methods", "none", "", 401, ""},
		"other key":          {"GET", "/v2/methods", "test_other123", "", 401, ""},
		"payment unknown":    {"GET", "/v2/payments/tr_x", "", "", 404, ""},
		"payment to cancel?": {"DELETE", "/v2/payments/tr_x", "", "", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, sim.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			switch tt.key {
			case "":
				req.Header.Set("Authorization", "Bearer "+molliesimtest.Key)
			case "none":
			default:
				req.Header.Set("Authorization", "Bearer "+tt.key)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var got struct {
				Status json.RawMessage
				Field  string
				Detail string
				Links  map[string]any `json:"_links"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatalf("the answer is no JSON: %v", err)
			}
			if resp.StatusCode != tt.status || got.Field != tt.field || len(got.Links) == 0 ||
				resp.Header.Get("Content-Type") != "application/hal+json" {
				t.Errorf("got %d %+v, want %d %s", resp.StatusCode, got, tt.status, tt.field)
			}
			if tt.status >= 400 && (got.Detail == "" || string(got.Status) != resp.Status[:3]) {
				t.Errorf("the error has no detail or another status: %+v", got)
			}
		})
	}
}

// TestReplayHeader proves the header of a replay.
func TestReplayHeader(t *testing.T) {
	t.Parallel()
	sim := molliesimtest.Start(t)
	var bodies []string
	for i, want := range []string{"", "true"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sim.URL+"/v2/payments", strings.NewReader(
			`{"amount":{"currency":"EUR","value":"10.00"},"description":"x","redirectUrl":"https://shop.test/"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+molliesimtest.Key)
		req.Header.Set("Idempotency-Key", "k")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Idempotent-Replayed"); got != want {
			t.Errorf("call %d: Idempotent-Replayed is %q, want %q", i, got, want)
		}
		bodies = append(bodies, string(body))
	}
	if bodies[0] != bodies[1] {
		t.Errorf("the replay differs:\n%s\n%s", bodies[0], bodies[1])
	}
}

// call asks the API with the key and returns status and body.
func call(t *testing.T, sim *molliesimtest.Sim, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, sim.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+molliesimtest.Key)
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
