package portal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
	"ribambelle/portal/page"
)

// Config is what the portal is made of. DB, the rooms, PublicURL and Now are required.
type Config struct {
	DB        *db.DB
	Account   *account.Store
	Household *household.Store
	Medical   *medical.Store
	Camp      *camp.Store
	Transport *transport.Store
	Enrol     *enrol.Store
	Ledger    *ledger.Store
	Jobs      job.Inserter

	// PublicURL is the address that families use, without a final slash: it stands in links that leave the portal, and
	// an https one makes the session cookie secure.
	PublicURL string
	Languages []string   // offered, the first by default; nil is French alone
	Demo      *page.Demo // set when this installation only pretends
	Now       civil.Clock
	Log       *slog.Logger // nil is slog.Default

	// Box signs the places in the queue of an opening; without it everybody is served at once.
	Box *seal.Box
	// Slots is how many heavy requests this instance does at once before it makes people wait; 0 is a good number.
	Slots int

	// Proxies are the networks of the reverse proxies: the address that X-Forwarded-For names counts only when such a one
	// says it. nil trusts nobody, and the peer is the client.
	Proxies []netip.Prefix

	// Ready says why the portal cannot work now, nil when it can: schema, keys. The database is always asked.
	Ready func(context.Context) error
	// Observe is told of every answer, for the metrics; nil is nobody.
	Observe func(route, method string, status int, took time.Duration)
	// InvoicePDF returns the kept bytes of an invoice, drawing them the first time. NotFound without the invoice.
	InvoicePDF func(ctx context.Context, id uuid.UUID) ([]byte, error)
	// Bancontact takes the signed callbacks of Bancontact Pro, and BancontactKeys is what it reads of our own key; nil
	// without that provider.
	Bancontact     *bancontactpro.Receiver
	BancontactKeys func() ([]byte, error)
	// Schedule is what runs by itself, for the system page.
	Schedule []Scheduled
}

// server answers every request; it is safe for concurrent use.
type server struct {
	Config
	log        *slog.Logger
	secure     bool
	pages      map[string]pages // by language
	assetNames map[string]asset
	assetURLs  map[string]asset
	table      []route
	gate       *gate // nil: nobody waits
	names      nameWords

	nameMu sync.Mutex // guards the commune's name, which every page shows
	name   string
	nameAt time.Time
}

// New returns the portal's handler. It fails when a template does not parse or the configuration lacks a part.
func New(c Config) (http.Handler, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return s.outside(s.router()), nil
}

func newServer(c Config) (*server, error) {
	switch {
	case c.DB == nil || c.Account == nil || c.Household == nil || c.Medical == nil || c.Camp == nil || c.Transport == nil ||
		c.Enrol == nil || c.Ledger == nil:
		return nil, errors.New("the portal lacks a room")
	case c.Now == nil || c.PublicURL == "":
		return nil, errors.New("the portal lacks a clock or its public address")
	}
	if len(c.Languages) == 0 {
		c.Languages = locale.Languages[:1]
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	s := &server{Config: c, log: c.Log, secure: secure(c.PublicURL)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if c.Box != nil {
		s.gate = newGate(c.Slots)
	}
	var err error
	if s.assetNames, s.assetURLs, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("loading the portal's files: %w", err)
	}
	s.pages = make(map[string]pages, len(c.Languages))
	for _, lang := range c.Languages {
		if s.pages[lang], err = pagesIn(lang); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// communeKept is how long the commune's name is remembered between two looks at the settings.
const communeKept = time.Minute

// commune returns the commune's name; the last known one when the database does not answer.
func (s *server) commune(ctx context.Context) string {
	s.nameMu.Lock()
	defer s.nameMu.Unlock()
	now := s.Now()
	if s.name != "" && now.Sub(s.nameAt).Abs() < communeKept {
		return s.name
	}
	name, err := camp.Setting(ctx, s.DB, "commune.name")
	if err != nil {
		s.log.WarnContext(ctx, "reading the commune's name", "error", err.Error())
		if s.name == "" {
			return camp.SettingKeys["commune.name"]
		}
		return s.name
	}
	s.name, s.nameAt = name, now
	return name
}
