package connector

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultMaxCalls = 4
	DefaultCampMark = "Stage"
	// DefaultBreakAfter and DefaultBreakFor are what the circuit breaker waits
	// for: five lost calls in a row, then fifteen seconds of peace.
	DefaultBreakAfter = 5
	DefaultBreakFor   = 15 * time.Second

	defaultMaxBody = 64 << 20
	defaultPage    = 500
)

// Config says which Odoo is asked, and as whom.
type Config struct {
	// URL is the root of the server, as in https://odoo.example.be. A path is
	// kept, for servers behind a reverse proxy; user and password are refused
	// in it, because URLs end up in logs.
	URL string
	// DB is the name of the database.
	DB string
	// User is the login of the integration user. The group "Registration
	// Desk" of the event application is enough for the daily work.
	User string
	// Password is the user's password or an API key. It appears in no error.
	Password string
	// CampMark names the tag or the event type that makes an event a camp.
	// Empty means DefaultCampMark.
	CampMark string
	// Lang is the Odoo language code in which translated names are read, such
	// as fr_BE. Empty means the language of the integration user. A code that
	// the server has not installed makes Odoo 18 and later refuse every call.
	Lang string
	// Timeout bounds each call, from the moment it is sent. Zero means
	// DefaultTimeout. Odoo's own limit is 120 s by default.
	Timeout time.Duration
	// MaxCalls bounds the calls in flight at once; the others wait. Zero means
	// DefaultMaxCalls. Odoo with two workers gains nothing beyond four.
	MaxCalls int
	// BreakAfter is the number of calls lost in a row (no connection, no answer
	// in time, HTTP 5xx) after which calls are refused here for BreakFor, so
	// that a server in trouble is left alone; then one call tries. Zero means
	// DefaultBreakAfter and DefaultBreakFor; a negative BreakAfter never breaks.
	BreakAfter int
	BreakFor   time.Duration
	// MaxBody bounds one answer in bytes. Zero means 64 MiB.
	MaxBody int64
	// PageSize is the number of rows asked at once. Zero means 500, where
	// decoding is cheapest a row.
	PageSize int
}

// loopback reports whether a URL stays on this machine.
func loopback(raw string) bool {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// normalised returns the configuration with its defaults filled in and the
// parsed root URL, or one error that names every missing or wrong setting.
func (c Config) normalised() (Config, *url.URL, error) {
	var problems []error
	u, err := url.Parse(strings.TrimSpace(c.URL))
	switch {
	case c.URL == "":
		problems = append(problems, errors.New("the URL is missing"))
	case err != nil:
		// The parser's message quotes the whole URL; it may hold a password.
		problems = append(problems, errors.New("the URL cannot be read"))
	case u.User != nil:
		problems = append(problems, errors.New("the URL must not contain a user or a password"))
	case u.Scheme != "http" && u.Scheme != "https":
		problems = append(problems, errors.New("the URL must begin with http:// or https://"))
	case u.Host == "":
		problems = append(problems, errors.New("the URL has no host"))
	}
	if c.DB == "" {
		problems = append(problems, errors.New("the database name is missing"))
	}
	if c.User == "" {
		problems = append(problems, errors.New("the user is missing"))
	}
	if c.Password == "" {
		problems = append(problems, errors.New("the password is missing"))
	}
	if c.BreakFor < 0 || c.Timeout < 0 || c.MaxCalls < 0 || c.MaxBody < 0 || c.PageSize < 0 {
		problems = append(problems, errors.New("timeout, calls, body and page size must not be negative"))
	}
	if len(problems) > 0 {
		return c, nil, fmt.Errorf("odoo configuration: %w", errors.Join(problems...))
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath, u.RawQuery, u.Fragment = "", "", ""
	if c.CampMark == "" {
		c.CampMark = DefaultCampMark
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxCalls == 0 {
		c.MaxCalls = DefaultMaxCalls
	}
	if c.BreakAfter == 0 {
		c.BreakAfter = DefaultBreakAfter
	}
	if c.BreakFor == 0 {
		c.BreakFor = DefaultBreakFor
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.PageSize == 0 {
		c.PageSize = defaultPage
	}
	return c, u, nil
}
