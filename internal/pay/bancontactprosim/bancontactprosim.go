// Package bancontactprosim is a payment provider that speaks the Bancontact Pro merchant API over HTTP, for the demo
// and for tests: payments, a page that stands for the payer's phone, callbacks signed by keys that rotate, refunds, and
// trouble by script.
//
// It is written from Bancontact's documentation alone and shares no code with our client, so that one mistake cannot
// cancel itself out. Its rows live in PostgreSQL, in a database of their own, and survive a kill.
package bancontactprosim

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/internal/civil"
)

// Options sets up a simulator.
type Options struct {
	// APIKey is the only key that is accepted; required.
	APIKey string
	// Profile is the id of the product profile that the key belongs to; required.
	Profile string
	// MerchantKeys is the JWK set by which the merchant signs refunds; without it refunds are not allowed.
	MerchantKeys []byte
	// BaseURL is where browsers and phones reach the simulator, "http://127.0.0.1:9321"; required.
	BaseURL string
	// Clock is the simulator's own clock; nil is the machine's. Payments expire by it.
	Clock civil.Clock
	// Minute is how long a minute of the callbacks' schedule lasts; zero is one second.
	Minute time.Duration
	// Lifetime is how long a payment stays open; zero is 20 minutes.
	Lifetime time.Duration
	// Log receives what goes wrong; nil discards it.
	Log *slog.Logger
}

// Server is the simulator. Serve it over HTTP and keep Run going, or call Step in tests.
type Server struct {
	pool     *pgxpool.Pool
	opts     Options
	merchant jose.JSONWebKeySet
	mux      *http.ServeMux
	hook     *http.Client
	wake     chan struct{}
}

//go:embed templates/*.html templates/style.css
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"euros": euros, "status": statusInFrench, "trouble": troubleInFrench,
	"hour":   func(t time.Time) string { return t.In(civil.Brussels).Format("15:04:05") },
	"minute": func(t time.Time) string { return t.In(civil.Brussels).Format("15\u00a0h\u00a004") },
}).ParseFS(assets, "templates/*.html"))

// schema is laid at Open; every statement may run again.
const schema = `
CREATE TABLE IF NOT EXISTS payment (
	id text PRIMARY KEY,
	status text NOT NULL,
	cents bigint NOT NULL,
	reference text NOT NULL,
	description text NOT NULL,
	callback_url text NOT NULL,
	return_url text NOT NULL,
	created_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	succeeded_at timestamptz
);
CREATE INDEX IF NOT EXISTS payment_reference ON payment (reference, created_at);
CREATE TABLE IF NOT EXISTS refund (
	id text PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payment,
	key text NOT NULL UNIQUE,
	cents bigint NOT NULL,
	description text NOT NULL,
	status text NOT NULL,
	fails boolean NOT NULL,
	created_at timestamptz NOT NULL,
	next_at timestamptz
);
CREATE INDEX IF NOT EXISTS refund_payment ON refund (payment_id);
CREATE TABLE IF NOT EXISTS callback (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payment,
	says text NOT NULL,
	url text NOT NULL,
	body bytea NOT NULL,
	signature text NOT NULL,
	attempt int NOT NULL DEFAULT 0,
	next_at timestamptz,
	outcome text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS callback_due ON callback (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS signing_key (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	jwk jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS trouble (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind text NOT NULL,
	remaining int NOT NULL,
	delay_ms bigint NOT NULL,
	cents bigint NOT NULL
);`

// Open lays the simulator's tables in the database of pool, where they may stand already, and returns the simulator.
// The pool stays the caller's to close.
func Open(ctx context.Context, pool *pgxpool.Pool, o Options) (*Server, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the simulator's address %q is no http address", o.BaseURL)
	}
	if len(o.APIKey) < 8 || o.Profile == "" {
		return nil, fmt.Errorf("the simulator needs a key of 8 characters or more and a profile")
	}
	s := &Server{
		pool: pool, opts: o, mux: http.NewServeMux(), wake: make(chan struct{}, 1),
		hook: &http.Client{
			Timeout:       15 * time.Second, // Bancontact's limit
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if len(o.MerchantKeys) > 0 {
		if err := json.Unmarshal(o.MerchantKeys, &s.merchant); err != nil {
			return nil, fmt.Errorf("reading the merchant's keys: %w", err)
		}
	}
	s.opts.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.Clock == nil {
		s.opts.Clock = time.Now
	}
	if o.Minute == 0 {
		s.opts.Minute = time.Second
	}
	if o.Lifetime == 0 {
		s.opts.Lifetime = 20 * time.Minute
	}
	if o.Log == nil {
		s.opts.Log = slog.New(slog.DiscardHandler)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// CREATE TABLE IF NOT EXISTS still collides with itself when two processes start at once.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('bancontactprosim schema'))`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, schema); err != nil {
			return err
		}
		return s.firstKey(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("laying the payment simulator's tables: %w", err)
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	s.mux.HandleFunc("POST /v3/payments", s.authorized(s.paymentCreate))
	s.mux.HandleFunc("POST /v3/payments/search", s.authorized(s.paymentSearch))
	s.mux.HandleFunc("GET /v3/payments/{id}", s.authorized(s.paymentRead))
	s.mux.HandleFunc("DELETE /v3/payments/{id}", s.authorized(s.paymentCancel))
	s.mux.HandleFunc("GET /v3/payments/{id}/debtor/refundIban", s.authorized(s.refundIBAN))
	s.mux.HandleFunc("POST /v3/payments/{id}/refunds", s.authorized(s.signed(s.refundCreate)))
	s.mux.HandleFunc("GET /v3/payments/{id}/refunds/{refund}", s.authorized(s.signed(s.refundRead)))
	s.mux.HandleFunc("/v3/", s.authorized(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "NOT_FOUND", "The simulator has no such endpoint or method")
	}))
	s.mux.HandleFunc("GET /jwks", s.keySet)
	s.mux.HandleFunc("GET /qrcode", s.code)
	s.mux.HandleFunc("GET /pay/2/{id}", s.phoneShow)
	s.mux.HandleFunc("POST /pay/2/{id}", s.phoneAct)
	s.mux.HandleFunc("GET /checkout/{id}", s.checkoutShow)
	s.mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "templates/style.css")
	})
	s.mux.HandleFunc("GET /{$}", s.overview)
	s.mux.HandleFunc("POST /trouble", s.troubleForm)
	s.mux.HandleFunc("GET /simulator/payments", s.booksJSON)
	s.mux.HandleFunc("POST /simulator/trouble", s.troubleAdd)
	s.mux.HandleFunc("DELETE /simulator/trouble", s.troubleClear)
}

// ServeHTTP answers the API under /v3/, the phone under /pay/2/, a page to scan under /checkout/, the keys under /jwks,
// an overview at / and, for scripts, the books and the trouble under /simulator/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	// No form-action: browsers apply it to the redirect back to the shop as well.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	s.mux.ServeHTTP(w, r)
}

// broken answers 500 and logs why.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.opts.Log.ErrorContext(r.Context(), "payment simulator", "path", r.URL.Path, "error", err)
	fail(w, http.StatusInternalServerError, "TECHNICAL_ERROR", "The simulator is broken")
}
