package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"ribambelle/connector/eventmodule"
	"ribambelle/internal/db"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/pay/bancontactprosim"
	"ribambelle/internal/pay/molliesim"
)

// What the demo's simulators are called; they listen on this machine only.
const (
	demoOdooDB       = "odoo"
	demoOdooUser     = "ribambelle"
	demoOdooPassword = "ribambelle-demo" //nolint:gosec // of a simulator on this machine, told by the demo itself
	demoMollieKey    = "test_ribambelledemo"

	demoBancontactKey     = "ribambelle-demo-bancontact"
	demoBancontactProfile = "00000000-0000-4000-8000-000000000001"

	demoMailFrom = "Service jeunesse <stages@commune.example>"
)

// simulators are the stand-ins of the demo: Odoo, the mail drop and the payment provider. One process of a home hosts
// them; the others use those, and a serving one takes over when the host is gone.
type simulators struct {
	home *home
	log  *slog.Logger
	addr record // where they are

	lock    *os.File // held by the host
	servers []*http.Server
	pools   []*db.DB
	drop    *maildrop.Drop
	stopRun context.CancelFunc
	done    sync.WaitGroup
}

// simulatorsReady is how long a command waits for simulators that another process is just starting.
const simulatorsReady = 20 * time.Second

// simulate makes sure that the home's simulators live, here or in another process.
func (h *home) simulate(ctx context.Context, log *slog.Logger) (*simulators, error) {
	s := &simulators{home: h, log: log}
	hosting, err := s.host(ctx)
	if err != nil || hosting {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, simulatorsReady)
	defer cancel()
	for {
		r, err := h.record()
		if err != nil {
			return nil, err
		}
		if r != nil && r.answers(ctx) {
			s.addr = *r
			return s, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, fmt.Errorf("another command of the home %s holds the demo's simulators, but they do not answer", h.dir)
		}
		// The other one may have ended meanwhile.
		if hosting, err := s.host(ctx); err != nil || hosting {
			return s, err
		}
	}
}

// answers reports whether somebody listens at every recorded address.
func (r *record) answers(ctx context.Context) bool {
	var d net.Dialer
	for _, addr := range []string{r.OdooAddr, r.MailAddr, r.SMTPAddr, r.MollieAddr, r.BancontactAddr} {
		if addr == "" {
			return false
		}
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// host starts the simulators if no living process has them, and reports whether it did.
func (s *simulators) host(ctx context.Context) (bool, error) {
	lock, err := os.OpenFile(s.home.file("simulators.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, fmt.Errorf("opening the simulators' lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, fmt.Errorf("taking the simulators' lock: %w", err)
	}
	s.lock = lock
	if err := s.start(ctx); err != nil {
		return false, errors.Join(fmt.Errorf("starting the demo's simulators: %w", err), s.close())
	}
	return true, nil
}

func (s *simulators) start(ctx context.Context) error {
	r, err := s.home.record()
	if err != nil {
		return err
	}
	if r == nil {
		r = &record{Demo: true}
	}
	listeners := make([]net.Listener, 0, 5)
	for _, addr := range []*string{&r.OdooAddr, &r.MailAddr, &r.SMTPAddr, &r.MollieAddr, &r.BancontactAddr} {
		l, err := listenAgain(ctx, *addr)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return err
		}
		*addr = l.Addr().String()
		listeners = append(listeners, l)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopRun = stop
	odoo, err := s.odoo(ctx)
	if err == nil {
		s.serve(listeners[0], odoo)
		err = s.mail(ctx, listeners[1], listeners[2])
	}
	if err == nil {
		err = s.mollie(ctx, running, listeners[3])
	}
	if err == nil {
		err = s.bancontact(ctx, running, listeners[4])
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return err
	}
	s.addr = *r
	return s.home.save(*r)
}

// listenAgain takes the recorded address, which a process that just ended may still hold for a moment, or a free one.
func listenAgain(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	for try := 0; addr != "" && try < 10; try++ {
		l, err := config.Listen(ctx, "tcp", addr)
		if err == nil {
			return l, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return config.Listen(ctx, "tcp", "127.0.0.1:0")
}

func (s *simulators) serve(l net.Listener, h http.Handler) {
	server := newServer(h, s.log)
	s.servers = append(s.servers, server)
	s.done.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("simulator", "addr", l.Addr().String(), "error", err)
		}
	})
}

// pool opens a database of a simulator's own in the private cluster.
func (s *simulators) pool(ctx context.Context, name string) (*db.DB, error) {
	url, err := s.home.database(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, url+"&pool_max_conns=6")
	if err == nil {
		s.pools = append(s.pools, d)
	}
	return d, err
}

func (s *simulators) odoo(ctx context.Context) (http.Handler, error) {
	d, err := s.pool(ctx, "demo_odoo")
	if err != nil {
		return nil, err
	}
	module, err := eventmodule.Open(ctx, d.Pool, eventmodule.Options{
		DB:     demoOdooDB,
		Logger: s.log,
		Users: []eventmodule.User{
			{Login: "admin", Password: demoOdooPassword, Admin: true},
			{Login: demoOdooUser, Password: demoOdooPassword, Name: "Ribambelle", Desk: true, ContactCreation: true},
		},
	})
	if err != nil {
		return nil, err
	}
	if err := module.Seed(ctx, demoCommune(time.Now())); err != nil {
		return nil, err
	}
	return module, nil
}

func (s *simulators) mail(ctx context.Context, web, smtp net.Listener) error {
	d, err := s.pool(ctx, "demo_mail")
	if err != nil {
		return err
	}
	drop, err := maildrop.Open(ctx, d.Pool, maildrop.Options{Log: s.log})
	if err != nil {
		return err
	}
	s.drop = drop
	s.done.Go(func() {
		if err := drop.ServeSMTP(smtp); err != nil {
			s.log.ErrorContext(ctx, "simulator", "addr", smtp.Addr().String(), "error", err)
		}
	})
	s.serve(web, drop)
	return nil
}

func (s *simulators) mollie(ctx, running context.Context, l net.Listener) error {
	d, err := s.pool(ctx, "demo_mollie")
	if err != nil {
		return err
	}
	sim, err := molliesim.Open(ctx, d.Pool, molliesim.Options{
		APIKey: demoMollieKey, BaseURL: "http://" + l.Addr().String(), Log: s.log,
	})
	if err != nil {
		return err
	}
	s.done.Go(func() { sim.Run(running) })
	s.serve(l, sim)
	return nil
}

func (s *simulators) bancontact(ctx, running context.Context, l net.Listener) error {
	d, err := s.pool(ctx, "demo_bancontact")
	if err != nil {
		return err
	}
	base := "http://" + l.Addr().String()
	signing, err := demoSigningKey()
	if err != nil {
		return err
	}
	client, err := bancontactpro.New(bancontactpro.Options{
		URL: base, Key: demoBancontactKey, Profile: demoBancontactProfile, SigningKey: signing,
	})
	if err != nil {
		return err
	}
	merchant, err := client.JWKS()
	if err != nil {
		return err
	}
	sim, err := bancontactprosim.Open(ctx, d.Pool, bancontactprosim.Options{
		APIKey: demoBancontactKey, Profile: demoBancontactProfile, MerchantKeys: merchant, BaseURL: base, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.done.Go(func() { sim.Run(running) })
	s.serve(l, sim)
	return nil
}

// demoSigningKey is the key by which the demo signs refunds. It is the same in every process of a demo and secret to
// nobody: only the simulator on this machine believes it.
func demoSigningKey() (string, error) {
	seed := sha256.Sum256([]byte("the demo of Ribambelle"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return "", fmt.Errorf("making the demo's signing key: %w", err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("writing the demo's signing key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), nil
}

// takeOver waits, while a process serves, for the host to go, and then hosts at the same addresses.
func (s *simulators) takeOver(ctx context.Context) {
	for s.lock == nil {
		if pause(ctx, time.Second) != nil {
			return
		}
		if _, err := s.host(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "simulators", "error", err)
		}
	}
}

// close stops what is hosted here.
func (s *simulators) close() error {
	if s.lock == nil {
		return nil
	}
	if s.stopRun != nil {
		s.stopRun()
	}
	for _, server := range s.servers {
		server.Close()
	}
	if s.drop != nil {
		if err := s.drop.Close(); err != nil {
			s.log.Error("closing the mail drop", "error", err)
		}
	}
	s.done.Wait()
	for _, d := range s.pools {
		d.Close()
	}
	return s.lock.Close()
}

// fill puts the simulators where the configuration says nothing.
func (s *simulators) fill(c Config) Config {
	if c.OdooURL == "" {
		c.OdooURL, c.OdooDB, c.OdooUser, c.OdooPassword = "http://"+s.addr.OdooAddr, demoOdooDB, demoOdooUser, demoOdooPassword
	}
	if c.SMTPURL == "" {
		c.SMTPURL = "smtp://" + s.addr.SMTPAddr + "?starttls=never"
	}
	if c.MailFrom == "" {
		c.MailFrom = demoMailFrom
	}
	if c.MollieAPIKey == "" {
		c.MollieAPIKey, c.MollieAPIURL = demoMollieKey, "http://"+s.addr.MollieAddr
	}
	if signing, err := demoSigningKey(); err == nil && c.BancontactKey == "" {
		c.BancontactKey, c.BancontactProfile = demoBancontactKey, demoBancontactProfile
		c.BancontactURL, c.BancontactSigningKey = "http://"+s.addr.BancontactAddr, signing
	}
	return c
}

// pause waits for d or for the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
