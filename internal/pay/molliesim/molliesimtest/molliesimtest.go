// Package molliesimtest starts a payment simulator for one test.
package molliesimtest

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/pay/molliesim"
)

// Key is the API key that the simulator accepts.
const Key = "test_simulator0123456789"

// Sim is a running simulator with a clock that stands still until it is moved. Webhooks leave on Step only.
type Sim struct {
	*molliesim.Server
	URL string // base of the API and of the hosted pages

	mu  sync.Mutex
	now time.Time
}

// Start runs a simulator on a database of its own until the test ends.
func Start(t testing.TB) *Sim {
	t.Helper()
	sim := &Sim{now: time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC)}
	pool := dbtest.Empty(t).Pool
	srv := httptest.NewUnstartedServer(nil)
	sim.URL = "http://" + srv.Listener.Addr().String()
	server, err := molliesim.Open(context.Background(), pool, molliesim.Options{
		APIKey: Key, BaseURL: sim.URL, Clock: sim.Now, Minute: time.Minute,
	})
	if err != nil {
		t.Fatalf("payment simulator: %v", err)
	}
	sim.Server, srv.Config.Handler = server, server
	srv.Start()
	t.Cleanup(srv.Close)
	return sim
}

// Now returns the simulator's time.
func (s *Sim) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves the simulator's clock.
func (s *Sim) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}
