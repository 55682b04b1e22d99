// Package dbtest gives each test a real PostgreSQL database of its own, in a server that all test processes of the
// machine share and that goes away by itself.
package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"ribambelle/internal/db"
	"ribambelle/internal/db/cluster"
)

// New returns a migrated database that nobody else uses, dropped when the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	return create(t, true)
}

// Empty returns a database without our schema, dropped when the test ends.
func Empty(t testing.TB) *db.DB {
	t.Helper()
	return create(t, false)
}

// URL returns the address of the database that d, made by this package, is connected to.
func URL(d *db.DB) string { return d.Config().ConnString() }

// shared opens the machine's test cluster; our share ends with the process.
var shared = sync.OnceValues(func() (*cluster.Cluster, error) {
	dir := fmt.Sprintf("/tmp/ribambelle-test-%d", os.Getuid())
	return cluster.Open(context.Background(), cluster.Place{Base: dir, Socket: dir + "/run", Throwaway: true})
})

// template makes the migrated database that the others are copied from, once per schema on the machine.
var template = sync.OnceValues(func() (string, error) {
	c, err := shared()
	if err != nil {
		return "", err
	}
	return makeTemplate(context.Background(), c)
})

var serial atomic.Int64

// poolSize is enough for a race of a few dozen goroutines, and lets many tests share the server.
const poolSize = 12

func create(t testing.TB, migrated bool) *db.DB {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	source := "template0"
	if migrated {
		if source, err = template(); err != nil {
			t.Fatalf("test database: %v", err)
		}
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), serial.Add(1))
	ctx := context.Background()
	if err := run(ctx, c, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, source)); err != nil {
		t.Fatalf("test database: %v", err)
	}
	d, err := db.Open(ctx, fmt.Sprintf("%s&pool_max_conns=%d", c.URL(name), poolSize))
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { d.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Errorf("a connection or a transaction of the test database was not given back")
		}
		if err := run(ctx, c, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Errorf("test database: %v", err)
		}
	})
	return d
}

func run(ctx context.Context, c *cluster.Cluster, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// makeTemplate builds under another name and renames, so that a killed build is never taken for the template.
func makeTemplate(ctx context.Context, c *cluster.Cluster) (string, error) {
	hash, err := schemaHash()
	if err != nil {
		return "", err
	}
	name, building := "template_"+hash, "building_"+hash
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	// Held until the connection closes: one process builds, the others wait and find it.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext(@name))`, pgx.NamedArgs{"name": name}); err != nil {
		return "", err
	}
	var there bool
	const exists = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = @name)`
	if err := conn.QueryRow(ctx, exists, pgx.NamedArgs{"name": name}).Scan(&there); err != nil || there {
		return name, err
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + building + " WITH (FORCE)", "CREATE DATABASE " + building + " TEMPLATE template0"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", err
		}
	}
	d, err := db.Open(ctx, c.URL(building))
	if err != nil {
		return "", err
	}
	err = db.Migrate(ctx, d)
	d.Close()
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+building+" RENAME TO "+name)
	return name, err
}

// schemaHash names the schema that db.Migrate makes: our files and the job queue's.
func schemaHash() (string, error) {
	queue, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, m := range queue.AllVersions() {
		fmt.Fprintf(sum, "river %d %d\n%s", m.Version, len(m.SQLUp), m.SQLUp)
	}
	err = fs.WalkDir(db.Migrations(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(db.Migrations(), path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}
