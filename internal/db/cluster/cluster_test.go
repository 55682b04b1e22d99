package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// setup returns a place of our own that the server's user can reach, cleared away at the end of the test.
func setup(t *testing.T) Place {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ribambelle-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := Place{Base: filepath.Join(dir, "base"), Socket: filepath.Join(dir, "run")}
	t.Cleanup(func() {
		if c, err := Open(context.Background(), p); err == nil {
			if err := c.stop(context.Background(), "immediate"); err != nil {
				t.Error(err)
			}
			c.live.Close()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func open(t *testing.T, p Place) *Cluster {
	t.Helper()
	c, err := Open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c *Cluster, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL("town"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var got string
	if err := conn.QueryRow(t.Context(), sql).Scan(&got); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// pid returns the server's process, or 0 when it is stopped.
func pid(t *testing.T, p Place) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Base, "data", "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	n, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	p := setup(t)

	// A fresh place, and three commands at once.
	all := make([]*Cluster, 3)
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			if all[i], errs[i] = Open(t.Context(), p); errs[i] == nil {
				errs[i] = all[i].EnsureDatabase(t.Context(), "town")
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	server := pid(t, p)
	run(t, all[0], `CREATE TABLE child AS SELECT 'Zoé'::text AS name`)
	if got := run(t, all[0], `SELECT setting FROM pg_settings WHERE name = 'fsync'`); got != "on" {
		t.Errorf("fsync is %s", got)
	}
	if got := run(t, all[0], `SELECT setting FROM pg_settings WHERE name = 'listen_addresses'`); got != "" {
		t.Errorf("listens on %q, want the socket only", got)
	}

	// The first two to leave keep the server for the third.
	for _, c := range all[:2] {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, all[2], `SELECT name FROM child`); got != "Zoé" {
		t.Errorf("got %q", got)
	}

	// A killed command leaves the server; the next one attaches to it.
	if err := all[2].live.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, p)
	if got := pid(t, p); got != server {
		t.Errorf("server %d instead of %d: it was started again", got, server)
	}

	// A killed server is started again and has its rows. Its children end a moment after it.
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.live.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, p)
	if got := run(t, c, `SELECT name FROM child`); got != "Zoé" {
		t.Errorf("after the crash: %q", got)
	}

	// The last one out stops it, and the data stay.
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := pid(t, p); got != 0 {
		t.Errorf("server %d still runs", got)
	}
	c = open(t, p)
	if got := run(t, c, `SELECT name FROM child`); got != "Zoé" {
		t.Errorf("after the stop: %q", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenForeignDirectory(t *testing.T) {
	t.Parallel()
	p := setup(t)
	if err := os.Mkdir(p.Base, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.Base, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), p); err == nil || !strings.Contains(err.Error(), "closed to others") {
		t.Errorf("got %v, want a refusal of a directory open to everybody", err)
	}
	if err := os.Chmod(p.Base, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestOpenNoSpace(t *testing.T) {
	t.Parallel()
	p := setup(t)
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	if err := os.Mkdir(p.Base, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", p.Base, "tmpfs", 0, "size=12m,mode=0700"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(p.Base, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	_, err := Open(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "no space left on the disk") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one sentence about the disk", err)
	}
	for _, name := range []string{"data", "data.new"} {
		if _, err := os.Stat(filepath.Join(p.Base, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left half-made (%v)", name, err)
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := filepath.Join(dir, "var")
	first, err := Home(home)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Socket)+len("/.s.PGSQL.5432") > 107 {
		t.Errorf("the socket's path is too long: %s", first.Socket)
	}
	other, err := Home(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if other.Base == first.Base || other.Socket == first.Socket {
		t.Errorf("two homes share a cluster: %+v", other)
	}
	renamed := filepath.Join(dir, "renamed")
	if err := os.Rename(home, renamed); err != nil {
		t.Fatal(err)
	}
	got, err := Home(renamed)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("a renamed home lost its cluster (-want +got):\n%s", diff)
		}
	}
	if err := os.WriteFile(filepath.Join(renamed, recordName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Home(renamed); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want what is damaged", err)
	}
}

func TestFindVersion(t *testing.T) {
	t.Parallel()
	if _, err := find(t.Context(), 9); !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), "apt-get install postgresql-9") {
		t.Errorf("got %v, want what to install", err)
	}
}
