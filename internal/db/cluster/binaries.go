package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// oldest is the first PostgreSQL that the schema's SQL runs on (Debian 12's).
const oldest = 15

// ErrNoServer says that no PostgreSQL server programs are installed.
var ErrNoServer = errors.New("no PostgreSQL server programs found")

// binaries is one installed PostgreSQL.
type binaries struct {
	dir   string // holds initdb, pg_ctl and postgres
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// find returns the newest installed PostgreSQL, or the one of the given major version when major is not 0.
func find(ctx context.Context, major int) (binaries, error) {
	var found []binaries
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return binaries{}, fmt.Errorf("looking for PostgreSQL: %w", err)
		}
		for _, path := range paths {
			found = appendVersion(ctx, found, path)
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = appendVersion(ctx, found, real)
		}
	}
	slices.SortFunc(found, func(a, b binaries) int { return b.major - a.major })
	if major != 0 {
		for _, b := range found {
			if b.major == major {
				return b, nil
			}
		}
		return binaries{}, fmt.Errorf("%w of version %d, which made the data: apt-get install postgresql-%d", ErrNoServer, major, major)
	}
	if len(found) == 0 || found[0].major < oldest {
		return binaries{}, fmt.Errorf("%w (version %d or later): on Debian and Ubuntu, apt-get install postgresql; or set DATABASE_URL to a server of yours", ErrNoServer, oldest)
	}
	return found[0], nil
}

var versionText = regexp.MustCompile(`\) (\d+)`)

// appendVersion adds the PostgreSQL that owns the given postgres program, unless it lacks a part or does not answer.
func appendVersion(ctx context.Context, found []binaries, postgres string) []binaries {
	dir := filepath.Dir(postgres)
	for _, name := range []string{"initdb", "pg_ctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return found
		}
	}
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return found
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return found
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return found
	}
	return append(found, binaries{dir: dir, major: major})
}
