package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// initialise makes the data directory beside its place and moves it there whole, so that a kill leaves no half.
func (c *Cluster) initialise(ctx context.Context, data string) error {
	fresh := data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clearing an unfinished private database: %w", err)
	}
	args := []string{"-D", fresh, "-U", superuser, "--encoding=UTF8", "--auth=trust", "--locale=C.UTF-8"}
	if c.place.Throwaway {
		args = append(args, "--no-sync")
	}
	out, err := c.command(ctx, "initdb", args...)
	if err != nil && strings.Contains(out, "invalid locale") { // systems without C.UTF-8
		args[len(args)-1] = "--no-locale"
		out, err = c.command(ctx, "initdb", append(args, "--no-locale")...)
	}
	if err != nil {
		err = errors.Join(c.explain("making", out, err), os.RemoveAll(fresh))
		return err
	}
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("making the private database: %w", err)
	}
	return nil
}

// largestLog is the size above which the server's log is set aside at a start; one older log is kept.
const largestLog = 8 << 20

func (c *Cluster) start(ctx context.Context, data string) error {
	log := c.place.file("postgres.log")
	if info, err := os.Stat(log); err == nil && info.Size() > largestLog {
		if err := os.Rename(log, log+".1"); err != nil {
			return fmt.Errorf("setting the database's log aside: %w", err)
		}
	}
	before := size(log)
	settings := []string{
		"listen_addresses=",
		"unix_socket_directories=" + c.place.Socket, // neither blanks nor quotes: see newPlace
		"unix_socket_permissions=0700",
		"timezone=UTC",
		"log_timezone=UTC",
		// No value of a row may reach the log: no DETAIL lines, no statements.
		"log_error_verbosity=terse",
		"log_min_error_statement=panic",
	}
	if c.place.Throwaway {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=500",
			"autovacuum=off", "max_wal_size=2GB", "checkpoint_timeout=1h")
	}
	options := strings.Join(settings, " -c ")
	for deadline := time.Now().Add(dying); ; {
		out, err := c.command(ctx, "pg_ctl", "start", "-w", "-t", "120", "-s", "-D", data, "-l", log, "-o", "-c "+options)
		if err == nil {
			return nil
		}
		out += tail(log, before)
		if !stillDying(out) || time.Now().After(deadline) {
			return c.explain("starting", out, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		before = size(log)
	}
}

// dying is how long the processes of a killed server may take to go.
const dying = 15 * time.Second

// stillDying reports whether a start was refused because processes of a killed server are not gone yet.
func stillDying(out string) bool {
	return strings.Contains(out, `lock file "postmaster.pid" already exists`) || strings.Contains(out, "is still in use")
}

// stop ends the server; one that does not run is no error.
func (c *Cluster) stop(ctx context.Context, mode string) error {
	data := c.place.file("data")
	if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	out, err := c.command(ctx, "pg_ctl", "stop", "-w", "-t", "120", "-s", "-m", mode, "-D", data)
	if err != nil && !strings.Contains(out, "No such process") {
		return c.explain("stopping", out, err)
	}
	return nil
}

// command runs one of PostgreSQL's programs as the owner and returns what it printed.
func (c *Cluster) command(ctx context.Context, name string, args ...string) (string, error) {
	// Interrupting pg_ctl half-way would leave a server that nobody waited for: it has its own time limit.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.bin.path(name), args...) //nolint:gosec // our own arguments
	cmd.Dir = "/"                                                                     // the owner may not be able to enter ours
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = c.owner.attributes()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// explain turns what a program of PostgreSQL printed into one sentence.
func (c *Cluster) explain(doing, out string, err error) error {
	if strings.Contains(out, "No space left on device") || strings.Contains(out, "Disk quota exceeded") {
		return c.noSpace()
	}
	for line := range strings.Lines(out) {
		for _, mark := range []string{"FATAL:", "PANIC:", "error:"} {
			if _, what, ok := strings.Cut(line, mark); ok {
				return fmt.Errorf("%s the private database in %s: %s", doing, c.place.Base, strings.TrimSpace(what))
			}
		}
	}
	return fmt.Errorf("%s the private database in %s: %w; its log is %s", doing, c.place.Base, err, c.place.file("postgres.log"))
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// tail returns what was added to a log since it had the size from.
func tail(file string, from int64) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, from, 64<<10))
	if err != nil {
		return ""
	}
	return string(text)
}
