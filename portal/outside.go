package portal

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"ribambelle/internal/account"
	"ribambelle/internal/bank"
	"ribambelle/reports"
)

// Everything here is wrapped around the router from outside: gorilla/mux runs its own middleware neither for a 404, nor
// for a 405, nor for a redirect.

const (
	// bodyLimit bounds what a form may send; nothing of ours comes near it.
	bodyLimit = 256 << 10
	// fileLimit bounds the files of the bank, with the form around them.
	fileLimit = bank.MaxFile + 64<<10
	// answerWithin bounds the work for one request; what takes longer is a job.
	answerWithin = 20 * time.Second
)

// scope is what one request knows about itself. The outermost handler makes it, the inner ones fill it in.
type scope struct {
	reference string           // shown to people and logged
	route     string           // the pattern that matched: logged in place of the address, which may name a child
	token     string           // of the session, as the browser sent it
	account   *account.Account // who is signed in, once asked
	asked     bool
}

type scopeKey struct{}

// scopeOf returns the scope of a request; every request that came through outside has one.
func scopeOf(r *http.Request) *scope {
	if sc, ok := r.Context().Value(scopeKey{}).(*scope); ok {
		return sc
	}
	return &scope{}
}

// outside wraps the router: reference, log, recovery, headers, cross-origin refusal, bounds of size and time.
func (s *server) outside(inner http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, errCrossOrigin)
	}))
	inner = cross.Handler(inner)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sc := &scope{reference: newReference(), route: "none"}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), scopeKey{}, sc), answerWithin)
		defer cancel()
		r = r.WithContext(ctx)
		r.RemoteAddr = clientOf(r, s.Proxies)
		rec := &recorder{ResponseWriter: w, headless: r.Method == http.MethodHead}
		start := time.Now()
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // a recovered value, compared as net/http does
					panic(v)
				}
				s.log.ErrorContext(r.Context(), "panic", "request", sc.reference, "route", sc.route, "value", v, "stack", string(debug.Stack()))
				if !rec.wrote {
					s.fail(rec, r, errPanic)
				}
			}
			took := time.Since(start)
			s.log.LogAttrs(context.WithoutCancel(ctx), level(rec.status), "request",
				slog.String("request", sc.reference), slog.String("method", r.Method), slog.String("route", sc.route),
				slog.Int("status", rec.status), slog.Int("bytes", rec.bytes), slog.Duration("took", took))
			if s.Observe != nil {
				s.Observe(sc.route, r.Method, rec.status, took)
			}
		}()
		s.headers(rec.Header())
		rec.Header().Set("X-Request-Id", sc.reference)
		r.Body = http.MaxBytesReader(rec, r.Body, limitOf(r))
		inner.ServeHTTP(rec, r)
	})
}

// limitOf returns how many bytes a request may send. Nobody reads them before the route knows who asks.
func limitOf(r *http.Request) int64 {
	switch r.URL.Path {
	case bankPath:
		return fileLimit
	case fundPath:
		return reports.MaxFundForm + bodyLimit
	}
	return bodyLimit
}

// headers sets what every answer carries. Nothing comes from elsewhere and no inline script or style runs; a provider's
// QR picture may be a data: address.
func (s *server) headers(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()")
	h.Set("Cache-Control", "no-store")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func level(status int) slog.Level {
	if status >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// newReference returns eight letters and digits that people can read out on the telephone.
func newReference() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	t := base32.NewEncoding("23456789ABCDEFGHJKLMNPQRSTUVWXYZ").EncodeToString(b[:])
	return t[:4] + "-" + t[4:]
}

// recorder notes what was answered, and leaves out the body of an answer to HEAD.
type recorder struct {
	http.ResponseWriter
	headless bool
	wrote    bool
	status   int
	bytes    int
}

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.wrote, w.status = true, status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.headless {
		return len(b), nil
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// secure reports whether the public address is https, which cookies and headers depend on.
func secure(publicURL string) bool {
	u, err := url.Parse(publicURL)
	return err == nil && u.Scheme == "https"
}
