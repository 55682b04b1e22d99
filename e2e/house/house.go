// Package house runs the program as a commune would: one binary, one home, its simulators, seen from outside.
package house

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"ribambelle/internal/db/cluster"
)

// House is one home and the `serve --demo` that runs on it.
type House struct {
	Bin    string
	Dir    string // RIBAMBELLE_HOME
	Portal string // http://127.0.0.1:port, the same over every restart
	Mail   string // of the mail drop
	Mollie string // of the payment simulator
	// Bancontact is the simulator of Bancontact Pro, with the payer's phone.
	Bancontact string
	Odoo       *Odoo // the one that the portal is pointed at

	outside *Odoo // a real one, or nil
	env     []string
	serve   *exec.Cmd
	ended   chan error
}

// Person is a demo account as the program prints it.
type Person struct{ Role, Email, Password string }

// startTime bounds a start on a busy machine; the first one makes the private cluster.
const startTime = 2 * time.Minute

// stopTime bounds a clean stop: requests and jobs under way are allowed 30 seconds together.
const stopTime = 45 * time.Second

// Root returns the directory of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("not inside the module")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Build makes the binary once a process, in a directory that Clear removes; E2E_BINARY names a finished one instead.
var Build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("E2E_BINARY"); bin != "" {
		return filepath.Abs(bin)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "ribambelle-e2e-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "ribambelle")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return bin, nil
})

var built string

// Clear removes what Build made.
func Clear() {
	if built != "" {
		os.RemoveAll(built)
	}
}

// New prepares a home of its own. With outside the portal works on that Odoo instead of the event module.
func New(outside *Odoo) (*House, error) {
	bin, err := Build()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ribambelle-e2e-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	h := &House{Bin: bin, Dir: filepath.Join(dir, "home"), Portal: "http://" + addr, outside: outside}
	if err := os.Mkdir(h.Dir, 0o700); err != nil {
		return nil, err
	}
	h.env = []string{"RIBAMBELLE_HOME=" + h.Dir, "LISTEN=" + addr, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	if outside != nil {
		h.env = append(h.env, "ODOO_URL="+outside.URL, "ODOO_DB="+outside.DB, "ODOO_USER="+outside.User, "ODOO_PASSWORD="+outside.Password)
	}
	return h, nil
}

// Start runs the program and returns when /readyz says yes.
func (h *House) Start(ctx context.Context) error {
	begun := time.Now()
	if err := h.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !h.Ready(ctx) {
		select {
		case err := <-h.ended:
			h.ended <- err
			return fmt.Errorf("the program ended after %v instead of starting (%w):\n%s", time.Since(begun), err, h.Tail("serve.err"))
		case <-ctx.Done():
			return fmt.Errorf("the program is not ready after %v:\n%s", time.Since(begun), h.Tail("serve.err"))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return h.readRecord()
}

// Launch runs the program without waiting for it. Its output is added to serve.out and serve.err beside the home.
func (h *House) Launch() error {
	out, err := h.open("serve.out")
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := h.open("serve.err")
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(h.Bin, "serve", "--demo")
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, out, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the terminal is ours to pass on
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the program: %w", err)
	}
	h.serve, h.ended = cmd, make(chan error, 1)
	go func(ended chan<- error) { ended <- cmd.Wait() }(h.ended)
	return nil
}

func (h *House) open(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(filepath.Dir(h.Dir), name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// Ready asks /readyz once.
func (h *House) Ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := get(ctx, h.Portal+"/readyz")
	return err == nil
}

// readRecord learns from the home where the simulators are.
func (h *House) readRecord() error {
	text, err := os.ReadFile(filepath.Join(h.Dir, "ribambelle.json"))
	if err != nil {
		return err
	}
	var r struct {
		Odoo   string `json:"odoo_addr"`
		Mail   string `json:"mail_addr"`
		Mollie string `json:"mollie_addr"`
		Phone  string `json:"bancontact_addr"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	h.Mail, h.Mollie, h.Bancontact = "http://"+r.Mail, "http://"+r.Mollie, "http://"+r.Phone
	if h.Odoo = h.outside; h.Odoo == nil {
		h.Odoo = &Odoo{URL: "http://" + r.Odoo, DB: "odoo", User: "admin", Password: "ribambelle-demo"}
	}
	return nil
}

var columns = regexp.MustCompile(`\s{2,}`)

// People reads the demo accounts from what the program printed.
func (h *House) People() ([]Person, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(h.Dir), "serve.out"))
	if err != nil {
		return nil, err
	}
	var all []Person
	for line := range strings.Lines(string(text)) {
		if f := columns.Split(strings.TrimSpace(line), -1); len(f) == 3 && strings.Contains(f[1], "@") {
			all = append(all, Person{f[0], f[1], f[2]})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the program printed no account:\n%s", text)
	}
	return all, nil
}

// Kill ends the program as a power cut would.
func (h *House) Kill() error {
	if h.serve == nil {
		return nil
	}
	err := h.serve.Process.Kill()
	_ = h.wait() // killed, as asked
	h.serve = nil
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the program had ended by itself:\n%s", h.Tail("serve.err"))
	}
	return err
}

// wait returns how the program ended.
func (h *House) wait() error { return <-h.ended }

// Stop asks the program to end, as Ctrl-C does, and returns an error unless it does so clean and in time.
func (h *House) Stop() error {
	if h.serve == nil {
		return nil
	}
	cmd := h.serve
	h.serve = nil
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stopping the program: %w\n%s", err, h.Tail("serve.err"))
	}
	select {
	case err := <-h.ended:
		if err != nil {
			return fmt.Errorf("the program stopped with %w:\n%s", err, h.Tail("serve.err"))
		}
		return nil
	case <-time.After(stopTime):
		err := cmd.Process.Kill()
		_ = h.wait() // killed, as asked
		return errors.Join(fmt.Errorf("the program did not stop within %v", stopTime), err)
	}
}

// Command runs another command of the program in the same home and returns what it printed.
func (h *House) Command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.Bin, args...)
	cmd.Env = h.env
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("ribambelle %s: %w\n%s%s", strings.Join(args, " "), err, out, failed.String())
	}
	return string(out), nil
}

// Database returns the address of a database of the home's private cluster: ribambelle, demo_odoo, demo_mail or
// demo_mollie. The cluster lives at least until the program stops.
func (h *House) Database(name string) (string, error) {
	place, err := cluster.Home(h.Dir)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres:///%s?host=%s&user=ribambelle&sslmode=disable", name, place.Socket), nil
}

// Tail returns the end of a file of output, for messages.
func (h *House) Tail(name string) string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(h.Dir), name))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Output returns all that the program has printed and logged so far.
func (h *House) Output() (string, error) {
	var all strings.Builder
	for _, name := range []string{"serve.out", "serve.err"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(h.Dir), name))
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}

// Remove ends everything that runs on the home, the private cluster too, and deletes its data.
func (h *House) Remove() error {
	err := h.Stop()
	place, e := cluster.Home(h.Dir)
	if e == nil {
		// The last one out stops the server, also one that a kill left behind.
		c, e := cluster.Open(context.Background(), place)
		if e == nil {
			e = c.Close()
		}
		err = errors.Join(err, e, os.RemoveAll(place.Base), os.RemoveAll(place.Socket))
	}
	return errors.Join(err, e, os.RemoveAll(filepath.Dir(h.Dir)))
}

var client = &http.Client{Timeout: time.Minute}

// get returns the body of an answer 200.
func get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.300s", address, resp.Status, body)
	}
	return body, err
}

// Set gives the program one more variable of the environment; before Start.
func (h *House) Set(name, value string) { h.env = append(h.env, name+"="+value) }
