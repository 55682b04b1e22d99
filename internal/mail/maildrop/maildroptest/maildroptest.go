// Package maildroptest starts a mail drop for one test.
package maildroptest

import (
	"context"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/mail/maildrop"
)

// Drop is a running mail drop.
type Drop struct {
	*maildrop.Drop
	SMTP string // an SMTP_URL: "smtp://127.0.0.1:40123?starttls=never"
	URL  string // base of the pages and of /api/mails

	t testing.TB
}

// Start runs a mail drop on a database of its own until the test ends.
func Start(t testing.TB) *Drop {
	t.Helper()
	return StartWith(t, maildrop.Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, o maildrop.Options) *Drop {
	t.Helper()
	d, err := maildrop.Open(context.Background(), dbtest.Empty(t).Pool, o)
	if err != nil {
		t.Fatalf("mail drop: %v", err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("mail drop: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- d.ServeSMTP(l) }()
	web := httptest.NewServer(d)
	t.Cleanup(func() {
		web.Close()
		_ = d.Close()
		if err := <-served; err != nil {
			t.Errorf("mail drop: %v", err)
		}
	})
	return &Drop{Drop: d, SMTP: "smtp://" + l.Addr().String() + "?starttls=never", URL: web.URL, t: t}
}

// patience bounds how long a test waits for a mail.
const patience = 20 * time.Second

// Await returns all mails, newest first, once there are n or more; it fails the test if they do not come.
func (d *Drop) Await(n int) []maildrop.Mail {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	mails, err := d.Wait(ctx, n)
	if err != nil {
		d.t.Fatalf("waiting for %d mails, %d came: %v", n, len(mails), err)
	}
	return mails
}

// To returns the mails to one recipient, newest first, without waiting.
func (d *Drop) To(recipient string) []maildrop.Mail {
	d.t.Helper()
	mails, err := d.Mails(context.Background(), recipient)
	if err != nil {
		d.t.Fatalf("reading mails: %v", err)
	}
	return mails
}
