// Package maildrop is a mail server that keeps what it receives instead of delivering it, with a page to read it, for
// the demo and for tests.
//
// It speaks real SMTP and parses mails with the standard library, not with the library that writes ours. Its rows live
// in PostgreSQL, in a database of their own, and survive a kill.
package maildrop

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/internal/civil"
)

// Options sets up a mail drop. Every field may be zero.
type Options struct {
	MaxBytes int64        // size of the largest mail taken; zero is 20 MiB
	MaxMails int          // how many mails are kept, the oldest go first; zero is 5000
	Clock    civil.Clock  // when mails arrive; nil is the machine's
	Log      *slog.Logger // receives what goes wrong; nil discards it
}

// Drop is the mail drop.
type Drop struct {
	pool *pgxpool.Pool
	opts Options
	mux  *http.ServeMux
	smtp *smtp.Server

	mu        sync.Mutex
	script    []Refusal
	arrived   chan struct{} // closed and replaced at each arrival
	listeners []net.Listener
	closed    bool
}

//go:embed templates/*.html templates/style.css
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"at": func(t time.Time) string { return t.In(civil.Brussels).Format("02/01/2006 15:04:05") },
	"size": func(n int) string {
		if n < 1024 {
			return fmt.Sprintf("%d octets", n)
		}
		return fmt.Sprintf("%d Ko", (n+512)/1024)
	},
}).ParseFS(assets, "templates/*.html"))

const schema = `
CREATE TABLE IF NOT EXISTS mail (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	received_at timestamptz NOT NULL,
	sender text NOT NULL,
	recipients text[] NOT NULL,
	subject text NOT NULL,
	message_id text NOT NULL,
	raw bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_message_id ON mail (message_id);`

// Open lays the drop's tables in the database of pool, where they may stand already, and returns the drop. The pool
// stays the caller's to close.
func Open(ctx context.Context, pool *pgxpool.Pool, o Options) (*Drop, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 20 << 20
	}
	if o.MaxMails == 0 {
		o.MaxMails = 5000
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// CREATE TABLE IF NOT EXISTS still collides with itself when two processes start at once.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('maildrop schema'))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("laying the mail drop's table: %w", err)
	}
	d := &Drop{pool: pool, opts: o, mux: http.NewServeMux(), arrived: make(chan struct{})}
	d.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{drop: d, conn: c}, nil
	}))
	d.smtp.Domain = "maildrop.localhost"
	d.smtp.MaxMessageBytes = o.MaxBytes
	d.smtp.MaxRecipients = 100
	d.smtp.ReadTimeout = time.Minute
	d.smtp.WriteTimeout = time.Minute
	d.smtp.EnableSMTPUTF8 = true
	d.smtp.ErrorLog = log.New(io.Discard, "", 0) // a client that hangs up is no event
	d.routes()
	return d, nil
}

// ServeSMTP takes mails on l until Close, which closes l; it returns nil then, also when Close came first.
func (d *Drop) ServeSMTP(l net.Listener) error {
	d.mu.Lock()
	closed := d.closed
	d.listeners = append(d.listeners, l)
	d.mu.Unlock()
	if closed {
		return l.Close()
	}
	return d.smtp.Serve(l)
}

// Close stops ServeSMTP and hangs up on its clients.
func (d *Drop) Close() error {
	d.mu.Lock()
	d.closed = true
	listeners := d.listeners
	d.mu.Unlock()
	err := d.smtp.Close()
	// The library knows a listener only once it serves it; closing twice does no harm.
	for _, l := range listeners {
		_ = l.Close()
	}
	return err
}

// Wait returns the mails that hold, newest first, as soon as there are n or more; the context's error otherwise.
func (d *Drop) Wait(ctx context.Context, n int) ([]Mail, error) {
	for {
		d.mu.Lock()
		next := d.arrived
		d.mu.Unlock()
		mails, err := d.Mails(ctx, "")
		if err != nil || len(mails) >= n {
			return mails, err
		}
		select {
		case <-ctx.Done():
			return mails, ctx.Err()
		case <-next:
		}
	}
}

func (d *Drop) announce() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.arrived)
	d.arrived = make(chan struct{})
}
