// Package molliesim is a payment provider that speaks Mollie's API over HTTP, for the demo and for tests: payments,
// hosted pages to pay on, refunds, chargebacks, webhooks with Mollie's schedule of retries, and trouble by script.
//
// It is written from Mollie's documentation alone and shares no code with our client, so that one mistake cannot
// cancel itself out. Its rows live in PostgreSQL, in a database of their own, and survive a kill.
package molliesim

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/internal/civil"
)

// Options sets up a simulator.
type Options struct {
	// APIKey is the only key that is accepted; required. One that starts with live_ makes live payments.
	APIKey string
	// BaseURL is where browsers and phones reach the simulator, "http://127.0.0.1:9321"; required.
	BaseURL string
	// Clock is the simulator's own clock; nil is the machine's. Payments expire by it.
	Clock civil.Clock
	// Minute is how long a minute of Mollie's webhook schedule lasts; zero is one second.
	Minute time.Duration
	// Lifetime is how long a payment stays open; zero is one hour, as Bancontact's.
	Lifetime time.Duration
	// Log receives what goes wrong; nil discards it.
	Log *slog.Logger
}

// Server is the simulator. Serve it over HTTP and keep Run going, or call Step in tests.
type Server struct {
	pool *pgxpool.Pool
	opts Options
	mux  *http.ServeMux
	hook *http.Client
	wake chan struct{}
}

//go:embed templates/*.html templates/style.css
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"euros": euros, "status": statusInFrench, "change": changeInFrench, "trouble": troubleInFrench, "refundStatus": refundInFrench,
	"hour":   func(t time.Time) string { return t.In(civil.Brussels).Format("15:04:05") },
	"minute": func(t time.Time) string { return t.In(civil.Brussels).Format("15\u00a0h\u00a004") },
}).ParseFS(assets, "templates/*.html"))

// schema is laid at Open; every statement may run again.
const schema = `
CREATE TABLE IF NOT EXISTS payment (
	id text PRIMARY KEY,
	mode text NOT NULL,
	status text NOT NULL,
	cents bigint NOT NULL,
	description text NOT NULL,
	method text NOT NULL,
	metadata text NOT NULL,
	locale text NOT NULL,
	redirect_url text NOT NULL,
	cancel_url text NOT NULL,
	webhook_url text NOT NULL,
	cancelable boolean NOT NULL,
	created_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	ended_at timestamptz
);
CREATE TABLE IF NOT EXISTS idempotency (
	key text PRIMARY KEY,
	request bytea NOT NULL,
	status int NOT NULL,
	body bytea NOT NULL,
	created_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payment,
	status text NOT NULL,
	attempt int NOT NULL DEFAULT 0,
	next_at timestamptz,
	outcome text NOT NULL DEFAULT ''
);
ALTER TABLE webhook ADD COLUMN IF NOT EXISTS says text NOT NULL DEFAULT '';
UPDATE webhook SET says = payment_id WHERE says = '';
CREATE INDEX IF NOT EXISTS webhook_due ON webhook (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS refund (
	id text PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payment,
	cents bigint NOT NULL,
	description text NOT NULL,
	metadata text NOT NULL,
	status text NOT NULL,
	fails_after_ms bigint,
	created_at timestamptz NOT NULL,
	next_at timestamptz
);
CREATE INDEX IF NOT EXISTS refund_payment ON refund (payment_id);
CREATE INDEX IF NOT EXISTS refund_due ON refund (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS chargeback (
	id text PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payment,
	cents bigint NOT NULL,
	created_at timestamptz NOT NULL,
	told boolean NOT NULL,
	reversed_at timestamptz
);
CREATE INDEX IF NOT EXISTS chargeback_payment ON chargeback (payment_id);
CREATE INDEX IF NOT EXISTS chargeback_due ON chargeback (created_at) WHERE NOT told;
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
	if len(o.APIKey) < 8 {
		return nil, fmt.Errorf("the simulator needs a key of 8 characters or more")
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Minute == 0 {
		o.Minute = time.Second
	}
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// CREATE TABLE IF NOT EXISTS still collides with itself when two processes start at once.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('molliesim schema'))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("laying the payment simulator's tables: %w", err)
	}
	s := &Server{
		pool: pool, opts: o, mux: http.NewServeMux(), wake: make(chan struct{}, 1),
		hook: &http.Client{
			Timeout:       15 * time.Second, // Mollie's limit
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	s.mux.HandleFunc("POST /v2/payments", s.authorized(s.paymentCreate))
	s.mux.HandleFunc("GET /v2/payments/{id}", s.authorized(s.paymentRead))
	s.mux.HandleFunc("DELETE /v2/payments/{id}", s.authorized(s.paymentCancel))
	s.mux.HandleFunc("POST /v2/payments/{id}/refunds", s.authorized(s.refundCreate))
	s.mux.HandleFunc("GET /v2/payments/{id}/refunds", s.authorized(s.refundList))
	s.mux.HandleFunc("GET /v2/payments/{id}/refunds/{refund}", s.authorized(s.refundRead))
	s.mux.HandleFunc("DELETE /v2/payments/{id}/refunds/{refund}", s.authorized(s.refundCancel))
	s.mux.HandleFunc("GET /v2/payments/{id}/chargebacks", s.authorized(s.chargebackList))
	s.mux.HandleFunc("GET /v2/methods", s.authorized(s.methodList))
	s.mux.HandleFunc("/v2/", s.authorized(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "The simulator has no such endpoint or method", "")
	}))
	s.mux.HandleFunc("GET /checkout/{id}", s.checkoutShow)
	s.mux.HandleFunc("POST /checkout/{id}", s.checkoutAct)
	s.mux.HandleFunc("GET /books/{id}", s.bookShow)
	s.mux.HandleFunc("POST /books/{id}", s.bookAct)
	s.mux.HandleFunc("POST /trouble", s.troubleForm)
	s.mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "templates/style.css")
	})
	s.mux.HandleFunc("GET /{$}", s.overview)
	s.mux.HandleFunc("GET /simulator/payments", s.booksJSON)
	s.mux.HandleFunc("POST /simulator/payments/{id}", s.bookJSON)
	s.mux.HandleFunc("POST /simulator/trouble", s.troubleAdd)
	s.mux.HandleFunc("DELETE /simulator/trouble", s.troubleClear)
}

// ServeHTTP answers Mollie's API under /v2/, the hosted pages under /checkout/, an overview at /, a page for each
// payment under /books/ and, for scripts, the books and the trouble under /simulator/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	// No form-action: browsers apply it to the redirect back to the shop as well.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	s.mux.ServeHTTP(w, r)
}

// broken answers 500 and logs why.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.opts.Log.ErrorContext(r.Context(), "payment simulator", "path", r.URL.Path, "error", err)
	fail(w, http.StatusInternalServerError, "The simulator is broken", "")
}
