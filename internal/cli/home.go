package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ribambelle/internal/db/cluster"
	"ribambelle/internal/seal"
)

// home is RIBAMBELLE_HOME: what this machine keeps when no database is given.
type home struct {
	dir     string
	cluster *cluster.Cluster // opened by the first that needs it
}

func (h *home) file(name string) string { return filepath.Join(h.dir, name) }

// open attaches to the private cluster or starts it.
func (h *home) open(ctx context.Context) (*cluster.Cluster, error) {
	if h.cluster != nil {
		return h.cluster, nil
	}
	place, err := cluster.Home(h.dir)
	if err != nil {
		return nil, err
	}
	h.cluster, err = cluster.Open(ctx, place)
	return h.cluster, err
}

// database returns the address of a database of the private cluster, made when missing.
func (h *home) database(ctx context.Context, name string) (string, error) {
	c, err := h.open(ctx)
	if err != nil {
		return "", err
	}
	if err := c.EnsureDatabase(ctx, name); err != nil {
		return "", err
	}
	return c.URL(name), nil
}

func (h *home) close() error {
	if h.cluster == nil {
		return nil
	}
	return h.cluster.Close()
}

// instead says what else helps when the home has lost its keys but not its data; "" for a given database.
func (h *home) instead() string {
	if h.cluster == nil {
		return ""
	}
	place, err := cluster.Home(h.dir)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(", or remove %s and %s to begin anew with nothing", h.dir, place.Base)
}

// keys returns the home's own keys, generated at first.
func (h *home) keys() (*seal.Box, error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the home: %w", err)
	}
	return seal.LoadFile(h.file("keyset.json"))
}

// record is what the home remembers about itself (ribambelle.json).
type record struct {
	// Demo says whether the home's database holds demo data; the two never mix.
	Demo bool `json:"demo"`
	// The addresses of the demo's simulators, kept so that links stay good over a restart.
	OdooAddr   string `json:"odoo_addr,omitempty"`
	MailAddr   string `json:"mail_addr,omitempty"`
	SMTPAddr   string `json:"smtp_addr,omitempty"`
	MollieAddr string `json:"mollie_addr,omitempty"`
	// Bancontact Pro's.
	BancontactAddr string `json:"bancontact_addr,omitempty"`
}

const recordFile = "ribambelle.json"

// record returns nil when the home is new.
func (h *home) record() (*record, error) {
	text, err := os.ReadFile(h.file(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the home's record: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("the file %s is damaged: %w", h.file(recordFile), err)
	}
	return &r, nil
}

func (h *home) save(r record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return fmt.Errorf("making the home: %w", err)
	}
	f, err := os.CreateTemp(h.dir, recordFile+".*")
	if err != nil {
		return fmt.Errorf("writing the home's record: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), h.file(recordFile))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing the home's record: %w", err)
	}
	return nil
}

// demo decides whether this installation pretends: asked for, recorded, or nothing of the world outside is configured.
// It refuses to mix the data of the two kinds, and changes nothing.
func (h *home) demo(c Config, asked bool) (bool, error) {
	if c.DatabaseURL != "" { // the home holds no data of ours
		return asked, nil
	}
	r, err := h.record()
	if err != nil {
		return false, err
	}
	switch {
	case r == nil:
		return asked || !c.outside(), nil
	case asked && !r.Demo:
		return false, fmt.Errorf("the home %s holds the data of real families: set another RIBAMBELLE_HOME for a demo", h.dir)
	}
	return r.Demo, nil
}

// remember records in a new home which kind it is.
func (h *home) remember(c Config, demo bool) error {
	r, err := h.record()
	if err != nil || r != nil || c.DatabaseURL != "" && !demo {
		return err
	}
	return h.save(record{Demo: demo})
}
