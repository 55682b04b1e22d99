// Package bancontactprosimtest starts a Bancontact Pro simulator for one test.
package bancontactprosimtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/pay/bancontactprosim"
)

// What the simulator accepts.
const (
	Key     = "simulator-0123456789"
	Profile = "07e998f9-d932-4848-8b60-d5b5ae94b1b2"
)

// Sim is a running simulator with a clock that stands still until it is moved. Callbacks leave on Step only.
type Sim struct {
	*bancontactprosim.Server
	URL    string                // base of the API and of the pages
	Client *bancontactpro.Client // may refund

	mu  sync.Mutex
	now time.Time
}

// Start runs a simulator on a database of its own until the test ends.
func Start(t testing.TB) *Sim {
	t.Helper()
	sim := &Sim{now: time.Now().UTC().Truncate(time.Second)}
	srv := httptest.NewUnstartedServer(nil)
	sim.URL = "http://" + srv.Listener.Addr().String()
	var err error
	if sim.Client, err = bancontactpro.New(bancontactpro.Options{
		URL: sim.URL, Key: Key, Profile: Profile, SigningKey: SigningKey(t),
	}); err != nil {
		t.Fatalf("Bancontact Pro client: %v", err)
	}
	keys, err := sim.Client.JWKS()
	if err != nil {
		t.Fatalf("Bancontact Pro client: %v", err)
	}
	server, err := bancontactprosim.Open(context.Background(), dbtest.Empty(t).Pool, bancontactprosim.Options{
		APIKey: Key, Profile: Profile, MerchantKeys: keys, BaseURL: sim.URL, Clock: sim.Now, Minute: time.Minute,
	})
	if err != nil {
		t.Fatalf("Bancontact Pro simulator: %v", err)
	}
	sim.Server, srv.Config.Handler = server, server
	srv.Start()
	t.Cleanup(srv.Close)
	return sim
}

// SigningKey returns a fresh key in PEM.
func SigningKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
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
