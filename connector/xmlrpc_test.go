package connector

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hijack gives a handler the connection, to be maltreated and closed.
func hijack(f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		f(conn)
		_ = conn.Close()
	}
}

// reset closes a connection so that the peer sees ECONNRESET.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func page200(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<html><h1>Bad Gateway</h1></html>")
	}
}

// TestLostAnswers breaks the answer of a write and of a read in every way that
// a network and its proxies know.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	good := document(true)
	tests := []struct {
		name      string
		h         http.HandlerFunc
		kind      Kind
		code      string
		ambiguous bool
		reads     int // how often a read is sent
	}{
		{"404", status(404), KindProtocol, CodeNotOdoo, false, 1},
		{"429", status(429), KindTemporary, CodeStatus, false, 1},
		{"502", status(502), KindTemporary, CodeStatus, true, 1},
		{"bad base type", page200("text/xml", document(raw("<value><int>x</int></value>"))), KindProtocol, CodeNotOdoo, true, 1},
		{"cut before the answer", hijack(func(net.Conn) {}), KindTemporary, CodeCut, true, 2},
		{"cut in the body", hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 500\r\n\r\n"+good[:60])
		}), KindTemporary, CodeCut, true, 2},
		{"cut in the body without a length", hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n"+good[:60])
		}), KindTemporary, CodeCut, true, 2},
		{"cut in the header", hijack(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-T") }), KindTemporary, CodeCut, true, 2},
		{"cut after the header", hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n")
		}), KindTemporary, CodeCut, true, 2},
		{"html with 200", page200("text/html; charset=utf-8", "<html>login</html>"), KindProtocol, CodeNotOdoo, true, 1},
		{"html as xml", page200("text/xml", "<html>login</html>"), KindProtocol, CodeNotOdoo, true, 1},
		{"no content type", page200("", ""), KindProtocol, CodeNotOdoo, true, 1},
		{"redirect", status(301, "Location", "https://elsewhere.example/web?token=secret"), KindProtocol, CodeRedirect, false, 1},
		{"reset", hijack(reset), KindTemporary, CodeCut, true, 2},
		{"too large", page200("text/xml", document(strings.Repeat("x", 70_000))), KindProtocol, CodeTooLarge, true, 1},
		{"too large without a length", hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n"+document(strings.Repeat("x", 70_000)))
		}), KindProtocol, CodeTooLarge, true, 1},
		{"too large by its header", hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 99999999999\r\n\r\n")
		}), KindProtocol, CodeTooLarge, true, 1},
		{"trailing rubbish", page200("text/xml", good+"<br>"), KindProtocol, CodeNotOdoo, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.handle("event.registration.write", tt.h)
			f.handle("event.registration.search_count", tt.h)
			c := f.client(func(c *Config) { c.MaxBody = 60_000 })

			err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"})
			wantFault(t, err, tt.kind, tt.code, tt.ambiguous)
			if n := f.count("event.registration.write"); n != 1 {
				t.Errorf("the write was sent %d times", n)
			}
			_, err = c.SearchCount(t.Context(), ModelRegistration, nil)
			wantFault(t, err, tt.kind, tt.code, false)
			if n := f.count("event.registration.search_count"); n != tt.reads {
				t.Errorf("the read was sent %d times, want %d", n, tt.reads)
			}

			// The client survives.
			f.answer("event.registration.write", true)
			if err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"}); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}

func wantFault(t *testing.T, err error, kind Kind, code string, ambiguous bool) {
	t.Helper()
	f, ok := asFault(err)
	if !ok {
		t.Fatalf("error %v (%T), want a fault", err, err)
	}
	if f.Kind != kind || f.Code != code || f.Ambiguous != ambiguous {
		t.Errorf("fault %s/%s ambiguous=%v, want %s/%s ambiguous=%v: %v", f.Kind, f.Code, f.Ambiguous, kind, code, ambiguous, err)
	}
	for _, secret := range []string{testPassword, "s3cret", "token=", "Bad Gateway", "127.0.0.1"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func TestSilenceEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	gone := make(chan struct{})
	silent := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gone:
		case <-r.Context().Done():
		}
	}
	t.Cleanup(func() { close(gone) })
	f.handle("event.registration.write", silent)
	f.handle("event.registration.search_count", silent)
	c := f.impatient()
	start := time.Now()
	err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"})
	wantFault(t, err, KindTemporary, CodeTimeout, true)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not a deadline", err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
	_, err = c.SearchCount(t.Context(), ModelRegistration, nil)
	wantFault(t, err, KindTemporary, CodeTimeout, false)
	if n := f.count("event.registration.search_count"); n != 1 {
		t.Errorf("a read that timed out was sent %d times", n)
	}
}

func TestSilenceInTheBody(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	f.handle("event.registration.write", hijack(func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 500\r\n\r\n<?xml")
		<-gone
	}))
	c := f.impatient()
	err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"})
	wantFault(t, err, KindTemporary, CodeTimeout, true)
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	f.handle("event.registration.write", func(http.ResponseWriter, *http.Request) { cancel(); <-gone })
	err := f.client().Write(ctx, ModelRegistration, []int64{1}, map[string]any{"state": "open"})
	wantFault(t, err, KindTemporary, CodeCanceled, true)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not a cancellation", err)
	}
}

func TestCallsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var now, most atomic.Int64
	arrived, release := make(chan struct{}, 16), make(chan struct{})
	f.handle("event.registration.search_count", func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		arrived <- struct{}{}
		<-release
		now.Add(-1)
		writeXML(w, document(3))
	})
	c := f.client(func(c *Config) { c.MaxCalls = 3 })
	if _, err := c.UserID(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 12)
	for range 12 {
		go func() {
			_, err := c.SearchCount(t.Context(), ModelRegistration, nil)
			errs <- err
		}()
	}
	for range 3 {
		<-arrived
	}
	// A waiting call leaves when its own caller gives up; it was never sent.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.SearchCount(ctx, ModelRegistration, nil)
	wantFault(t, err, KindTemporary, CodeCanceled, false)
	close(release)
	for range 12 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d calls were in flight, want 3", most.Load())
	}
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	c, err := New(Config{URL: "http://" + addr, DB: "d", User: "u", Password: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"a": 1})
	wantFault(t, err, KindTemporary, CodeUnreachable, false)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for _, tt := range []struct{ name, url string }{
		{"plain server asked for TLS", strings.Replace(plain.URL, "http:", "https:", 1)},
		{"untrusted certificate", secure.URL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := New(Config{URL: tt.url, DB: "d", User: "u", Password: testPassword})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Version(t.Context())
			wantFault(t, err, KindProtocol, CodeTLS, false)
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := Config{URL: "https://odoo.example.be/odoo/", DB: "d", User: "u", Password: testPassword}
	for _, tt := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"all missing", func(c *Config) { *c = Config{} }, "password is missing"},
		{"negative", func(c *Config) { c.MaxCalls = -1 }, "negative"},
		{"no host", func(c *Config) { c.URL = "https://" }, "no host"},
		{"no scheme", func(c *Config) { c.URL = "odoo.example.be" }, "http://"},
		{"password in the URL", func(c *Config) { c.URL = "https://u:hunter2@odoo.example.be" }, "must not contain"},
		{"unreadable with a password", func(c *Config) { c.URL = "https://u:hunter2@odoo.example.be:port" }, "cannot be read"},
	} {
		cfg := good
		tt.edit(&cfg)
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), testPassword)) {
			t.Errorf("%s: the error tells a password: %v", tt.name, err)
		}
	}
	c, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.caller.(*breaker).caller.(*xmlrpcCaller).object; got != "https://odoo.example.be/odoo/xmlrpc/2/object" {
		t.Errorf("endpoint %s", got)
	}
	if c.CampMark() != "Stage" || c.cfg.Timeout != DefaultTimeout || c.cfg.PageSize != 500 {
		t.Errorf("defaults %+v", c.cfg.Timeout)
	}
}
