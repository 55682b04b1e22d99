package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/seal"
)

// TestMain lets the test binary be the program itself, so that the tests see exit codes, signals and kills.
func TestMain(m *testing.M) {
	if os.Getenv("RIBAMBELLE_TEST_MAIN") == "1" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// house is a home with its own environment.
type house struct {
	t    *testing.T
	home string
	env  []string
}

// newHouse returns a house whose private cluster is cleared away at the end.
func newHouse(t *testing.T, env ...string) *house {
	t.Helper()
	h := &house{t: t, home: filepath.Join(t.TempDir(), "home")}
	h.env = append([]string{
		"RIBAMBELLE_TEST_MAIN=1", "RIBAMBELLE_HOME=" + h.home, "LISTEN=127.0.0.1:0",
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}, env...)
	t.Cleanup(func() {
		text, err := os.ReadFile(filepath.Join(h.home, "cluster.json"))
		if err != nil {
			return
		}
		var where struct{ Base, Socket string }
		if err := json.Unmarshal(text, &where); err != nil {
			t.Error(err)
		}
		if err := errors.Join(os.RemoveAll(where.Base), os.RemoveAll(where.Socket)); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) command(args ...string) *exec.Cmd {
	// A serving process lives for as long as its test, which is minutes on a busy machine; only a hang is cut off.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	h.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = h.env
	return cmd
}

// run runs a command to its end.
func (h *house) run(args ...string) (code int, out, errs string) {
	h.t.Helper()
	cmd := h.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// serve starts a serving process and returns it with its portal's address once it is ready.
func (h *house) serve(args ...string) (*exec.Cmd, string) {
	h.t.Helper()
	cmd := h.command(append([]string{"serve"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	var said strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(said.String(), "Ready.") {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			_ = cmd.Wait()
			h.t.Fatalf("serve ended before it was ready:\n%s%s", said.String(), stderr.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for line := range strings.Lines(said.String()) {
		if _, url, ok := strings.Cut(line, "portal"); ok {
			return cmd, strings.TrimSpace(url)
		}
	}
	h.t.Fatalf("no portal in:\n%s", said.String())
	return nil, ""
}

// interrupt stops a serving process as Ctrl-C does and wants a clean end.
func (h *house) interrupt(cmd *exec.Cmd) {
	h.t.Helper()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		h.t.Errorf("the stop was not clean: %v", err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the parallel subtests
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	odoo := []string{"ODOO_URL=http://127.0.0.1:1", "ODOO_DB=town", "ODOO_USER=u", "ODOO_PASSWORD=sesame"}
	for _, tc := range []struct {
		name string
		env  []string
		args string
		code int
		want string
	}{
		{"address", []string{"LISTEN=8080"}, "serve", 1, "LISTEN must be host:port"},
		{"port taken", []string{"LISTEN=" + taken.Addr().String()}, "serve --demo", 1, "another program listens on " + taken.Addr().String()},
		{"metrics port taken", []string{"METRICS_LISTEN=" + taken.Addr().String()}, "serve --demo", 1, "set METRICS_LISTEN"},
		{"half an Odoo", []string{"ODOO_URL=http://odoo.example", "ODOO_DB=town"}, "serve", 1, "ODOO_URL needs ODOO_USER, ODOO_PASSWORD"},
		{"no mail", odoo, "serve", 1, "SMTP_URL is not set"},
		{"no keys", []string{"DATABASE_URL=postgres://127.0.0.1:1/town"}, "serve", 1, "DATABASE_URL needs SEAL_KEYSET"},
		{"half a Bancontact", []string{"BANCONTACT_PRO_KEY=sesame-open-yourself"}, "serve", 1, "BANCONTACT_PRO_KEY needs BANCONTACT_PRO_PROFILE"},
		{"no sender", []string{"SMTP_URL=smtp://127.0.0.1"}, "serve", 1, "SMTP_URL needs MAIL_FROM"},
		{"twins", []string{"ODOO_PASSWORD=x", "ODOO_PASSWORD_FILE=" + secret}, "version", 1, "both set"},
		{"no such file", []string{"SMTP_URL_FILE=/nowhere"}, "version", 1, "SMTP_URL_FILE cannot be read"},
		{"no such command", nil, "dance", 2, "dance"},
		{"no such flag", nil, "serve --dance", 2, "--dance"},
		{"no such document", nil, "report dance", 1, "report list"},
		{"no camp", nil, "report registre", 1, "--camp"},
		{"no year", nil, "report belcotax", 1, "--year"},
		{"no time", nil, "remind --at tomorrow", 1, "2026-06-20T09:00"},
		{"no password", nil, "odoo serve", 1, "ODOO_PASSWORD"},
		{"no Odoo answers", odoo, "odoo check", 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, tc.env...)
			code, out, errs := h.run(strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(errs, tc.want) {
				t.Errorf("code %d, want %d and %q, got:\n%s", code, tc.code, tc.want, errs)
			}
			if strings.Count(errs, "\n") > 1 {
				t.Errorf("more than one sentence:\n%s", errs)
			}
			if strings.Contains(out+errs, "sesame") {
				t.Errorf("shows a secret:\n%s%s", out, errs)
			}
			if _, err := os.Stat(h.home); err == nil {
				t.Error("left a half-started home")
			}
		})
	}
}

func TestGivenDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.Empty(t)
	keys, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"DATABASE_URL=" + dbtest.URL(d), "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=stages@commune.example"}
	h := newHouse(t, append(env, "SEAL_KEYSET="+string(keys))...)
	for _, args := range [][]string{{"serve"}, {"remind", "--at", "2026-06-20"}} {
		if code, _, errs := h.run(args...); code != 1 || !strings.Contains(errs, `run "ribambelle migrate"`) {
			t.Errorf("%v on an old schema: code %d, %s", args, code, errs)
		}
	}
	if code, out, errs := h.run("migrate"); code != 0 || !strings.Contains(out, "from version 0 to") {
		t.Fatalf("migrate: code %d, %s%s", code, out, errs)
	}
	if code, out, _ := h.run("migrate"); code != 0 || !strings.Contains(out, "up to date") {
		t.Errorf("migrate again: code %d, %s", code, out)
	}
	code, out, _ := h.run("check")
	if code != 1 || strings.Count(out, "\n") != 7 || strings.Count(out, "FAULT") != 1 || !strings.Contains(out, "FAULT  SMTP") {
		t.Errorf("check: code %d, want seven lines and SMTP alone at fault:\n%s", code, out)
	}
	cmd, url := h.serve()
	if status, body := get(t, url+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, body)
	}
	h.interrupt(cmd)
	if _, err := os.Stat(h.home); err == nil {
		t.Error("made a home although the database is elsewhere")
	}

	other, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	wrong := newHouse(t, append(env, "SEAL_KEYSET="+string(other))...)
	if code, _, errs := wrong.run("serve"); code != 1 || !strings.Contains(errs, "not the ones that this database was sealed with") {
		t.Errorf("other keys: code %d, %s", code, errs)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, portal := h.serve("--demo")
	status, body := get(t, portal+"/api/v1/camps")
	var list struct {
		Camps []struct{ ID, Name string }
	}
	if err := json.Unmarshal([]byte(body), &list); status != http.StatusOK || err != nil || len(list.Camps) < 10 {
		t.Fatalf("camps: %d, %v, %d of them", status, err, len(list.Camps))
	}
	if code, out, errs := h.run("check"); code != 0 || strings.Count(out, "ok ") != 7 {
		t.Errorf("check beside serve: code %d\n%s%s", code, out, errs)
	}

	// A second one uses the first one's simulators, and takes them over when that is killed.
	second, portal2 := h.serve()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if code, out, errs := h.run("odoo", "check"); code != 0 {
		t.Errorf("odoo check after a kill: code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := h.run("sync", "--full", "--json"); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("sync after a kill: code %d\n%s%s", code, out, errs)
	}
	if _, again := get(t, portal2+"/api/v1/camps"); !strings.Contains(again, list.Camps[0].ID) {
		t.Error("the second portal shows other camps")
	}
	file := filepath.Join(t.TempDir(), "registre.xlsx")
	if code, out, errs := h.run("report", "registre", "--camp", list.Camps[0].ID, "--out", file); code != 0 {
		t.Errorf("report: code %d\n%s%s", code, out, errs)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(text, []byte("PK")) {
		t.Errorf("the register is no workbook: %v", err)
	}
	// Nothing was certified yet: the control list says what is missing, and there is nothing to send.
	year := strconv.Itoa(time.Now().Year())
	if code, out, errs := h.run("report", "fiscal", "--year", year, "--out", file); code != 0 {
		t.Errorf("report fiscal: code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := h.run("report", "belcotax", "--year", year, "--out", file); code != 1 || !strings.Contains(errs, "rien à envoyer") {
		t.Errorf("report belcotax: code %d, %s", code, errs)
	}
	h.interrupt(second)

	// The last one out stopped the database; the data are there at the next start.
	text, err := os.ReadFile(filepath.Join(h.home, "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	var where struct{ Base string }
	if err := json.Unmarshal(text, &where); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(where.Base, "data", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the private database still runs: %v", err)
	}
	third, portal3 := h.serve()
	if _, again := get(t, portal3+"/api/v1/camps"); !strings.Contains(again, list.Camps[0].ID) {
		t.Error("the data did not survive the stop")
	}
	h.interrupt(third)

	real := &house{t: t, home: h.home, env: append(h.env, "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=a@b.example")}
	if code, _, errs := real.run("serve"); code != 1 || !strings.Contains(errs, "demo") {
		t.Errorf("a demo's home taken for real: code %d, %s", code, errs)
	}
}
