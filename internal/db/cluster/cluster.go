// Package cluster runs the private PostgreSQL of one home: a small server on a socket that the first command starts
// and the last one stops.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// superuser is the role that every command uses; the socket's directory is closed to other accounts of the machine.
const superuser = "ribambelle"

// Cluster is a running private server and our share in it.
type Cluster struct {
	place Place
	owner owner
	bin   binaries
	live  *os.File // shared lock: somebody uses the cluster
}

func (p Place) file(name string) string { return filepath.Join(p.Base, name) }

// Open attaches to the cluster at p, starting it (and making its data) when it does not run. Any number of processes
// may call it at once. After a kill -9 of its users the server lives on and the next Open attaches. Close when done.
// Errors are one sentence that says what to do.
func Open(ctx context.Context, p Place) (*Cluster, error) {
	o, err := serverOwner()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{p.Base, p.Socket} {
		if err := o.closedDir(dir); err != nil {
			return nil, fmt.Errorf("preparing the private database: %w", err)
		}
	}
	c := &Cluster{place: p, owner: o}
	err = withStartLock(p, func() error {
		live, err := lockFile(p.file("live.lock"))
		if err != nil {
			return err
		}
		c.live = live
		err = flock(live, syscall.LOCK_SH)
		if err == nil {
			err = c.attachOrStart(ctx)
		}
		if err == nil && p.Throwaway {
			err = c.reap(ctx)
		}
		if err != nil {
			return errors.Join(err, live.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// URL returns the address of a database of the cluster, for db.Open.
func (c *Cluster) URL(database string) string {
	q := url.Values{"host": {c.place.Socket}, "user": {superuser}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: q.Encode()}).String()
}

// EnsureDatabase makes the database name unless it exists. It is safe to call from several processes.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("reaching the private database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const exists = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = @name)`
	var there bool
	if err := conn.QueryRow(ctx, exists, pgx.NamedArgs{"name": name}).Scan(&there); err != nil {
		return fmt.Errorf("looking for the database %s: %w", name, err)
	}
	if there {
		return nil
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var e *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &e) && (e.Code == "42P04" || e.Code == "23505"): // another process was first
		return nil
	case errors.As(err, &e) && e.Code == "53100":
		return c.noSpace()
	}
	return fmt.Errorf("making the database %s: %w", name, err)
}

// Close gives up our share. The last one out stops the server; others keep it.
func (c *Cluster) Close() error {
	return withStartLock(c.place, func() error {
		err := flock(c.live, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK): // others use it
			err = nil
		case err == nil:
			err = c.stop(context.Background(), "fast")
		}
		return errors.Join(err, c.live.Close())
	})
}

// attachOrStart returns when the server answers. The caller holds the start lock.
func (c *Cluster) attachOrStart(ctx context.Context) error {
	data := c.place.file("data")
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the private database's version: %w", err)
	}
	major := 0
	if made {
		if major, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return fmt.Errorf("the private database in %s is damaged: PG_VERSION says %q", data, text)
		}
	}
	if c.bin, err = find(ctx, major); err != nil {
		return err
	}
	if made {
		running, err := c.answers(ctx)
		if running || err != nil {
			return err
		}
	}
	if made && c.place.Throwaway {
		// Without fsync, data that a crash left may be torn.
		if err := errors.Join(c.stop(ctx, "immediate"), os.RemoveAll(data)); err != nil {
			return fmt.Errorf("clearing the test database: %w", err)
		}
		made = false
	}
	if !made {
		if err := c.initialise(ctx, data); err != nil {
			return err
		}
	}
	return c.start(ctx, data)
}

// answers reports whether a server of ours accepts connections, waiting while it starts, recovers or shuts down.
func (c *Cluster) answers(ctx context.Context) (bool, error) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return true, conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		var e *pgconn.PgError
		switch {
		case !errors.As(err, &e):
			return false, nil // nobody listens
		case e.Code == "53300": // too many connections: it lives
			return true, nil
		case e.Code == "57P03": // starting up, recovering or shutting down
			if time.Now().After(deadline) {
				return false, fmt.Errorf("the private database does not get ready: see %s", c.place.file("postgres.log"))
			}
			select {
			case <-ctx.Done():
				return false, ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		default:
			return false, fmt.Errorf("the private database refuses us: %w", err)
		}
	}
}

func (c *Cluster) noSpace() error {
	return fmt.Errorf("no space left on the disk that holds %s: the private database needs about 100 MB to begin with; free some and start again", c.place.Base)
}
