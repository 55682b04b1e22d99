package cli

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Config is the environment. Every variable has a twin with _FILE behind its name that holds the path of a file with
// the value, so that a secret need not stand in the environment.
type Config struct {
	Home          string
	DatabaseURL   string
	OdooURL       string
	OdooDB        string
	OdooUser      string
	OdooPassword  string
	OdooCampMark  string
	Listen        string
	MetricsListen string
	PublicURL     string
	SMTPURL       string
	MailFrom      string
	MollieAPIKey  string
	MollieAPIURL  string
	// Of Bancontact Pro; the signing key is for refunds.
	BancontactKey        string
	BancontactURL        string
	BancontactProfile    string
	BancontactSigningKey string
	SealKeyset           string

	TrustedProxies string // see proxies
	RushSlots      string // see rushSlots
}

// setting is one variable of the environment.
type setting struct {
	name, help, fallback string
	value                *string
	check                func(string) error
}

func (c *Config) settings() []setting {
	return []setting{
		{"RIBAMBELLE_HOME", "directory of the private database, the keys and the demo's record", "./var", &c.Home, nil},
		{"DATABASE_URL", "a PostgreSQL of yours, 15 or later, instead of the private one; needs SEAL_KEYSET", "", &c.DatabaseURL, checkURL("postgres", "postgresql")},
		{"ODOO_URL", "root of the commune's Odoo; without it nothing is mirrored", "", &c.OdooURL, checkURL("http", "https")},
		{"ODOO_DB", "Odoo's database", "", &c.OdooDB, nil},
		{"ODOO_USER", "login of an integration user of its own", "", &c.OdooUser, nil},
		{"ODOO_PASSWORD", "its password or an API key", "", &c.OdooPassword, nil},
		{"ODOO_CAMP_MARK", "tag or event type that makes an event a camp", "Stage", &c.OdooCampMark, nil},
		{"LISTEN", "address of the portal; put a proxy with TLS before it", "127.0.0.1:8080", &c.Listen, checkAddress},
		{"METRICS_LISTEN", "address of Prometheus metrics, internal; none by default", "", &c.MetricsListen, checkAddress},
		{"PUBLIC_URL", "address that families use; http://LISTEN by default", "", &c.PublicURL, checkURL("http", "https")},
		{"SMTP_URL", "smtp:// or smtps://user:password@host:port, ?starttls=required|opportunistic|never", "", &c.SMTPURL, checkURL("smtp", "smtps")},
		{"MAIL_FROM", "sender of the mails", "", &c.MailFrom, checkMail},
		{"MOLLIE_API_KEY", "live_… or test_…; without it: transfer and counter", "", &c.MollieAPIKey, nil},
		{"MOLLIE_API_URL", "another address of Mollie's API, for tests", "", &c.MollieAPIURL, checkURL("http", "https")},
		{"BANCONTACT_PRO_KEY", "API key of a Bancontact Pro product profile; without it: none", "", &c.BancontactKey, nil},
		{"BANCONTACT_PRO_PROFILE", "id of that product profile, which signed callbacks must name", "", &c.BancontactProfile, nil},
		{"BANCONTACT_PRO_URL", "another address of its API, for tests and preprod", "", &c.BancontactURL, checkURL("http", "https")},
		{"BANCONTACT_PRO_SIGNING_KEY", "P-256 private key in PEM that signs refunds; without it: refunds by transfer", "", &c.BancontactSigningKey, nil},
		{"TRUSTED_PROXIES", "networks of your reverse proxies, 10.0.0.0/8,::1: only they say by X-Forwarded-For who the client is", "", &c.TrustedProxies, checkProxies},
		{"RUSH_SLOTS", "heavy requests that one process does at once in the rush of an opening", "8", &c.RushSlots, checkSlots},
		{"SEAL_KEYSET", "keys of sealed fields, JSON or base64; the home's own without DATABASE_URL", "", &c.SealKeyset, nil},
	}
}

// environment describes the variables for --help.
func environment() string {
	var c Config
	var b strings.Builder
	b.WriteString("Configuration is by environment; each variable has a twin with _FILE (the path of a file with the value).\n")
	for _, s := range c.settings() {
		fmt.Fprintf(&b, "\n  %-26s %s", s.name, s.help)
		if s.fallback != "" {
			fmt.Fprintf(&b, " (%s)", s.fallback)
		}
	}
	return b.String()
}

// loadConfig reads the environment by lookup and returns every problem at once. No value of a secret stands in it.
func loadConfig(lookup func(string) (string, bool)) (Config, error) {
	var c Config
	var problems []error
	for _, s := range c.settings() {
		value, err := read(lookup, s.name)
		if err == nil && value == "" {
			value = s.fallback
		}
		if err == nil && value != "" && s.check != nil {
			if err = s.check(value); err != nil {
				err = fmt.Errorf("%s %w", s.name, err)
			}
		}
		if err != nil {
			problems = append(problems, err)
		}
		*s.value = value
	}
	if c.OdooURL != "" {
		var lacks []string
		for _, s := range c.settings() {
			if *s.value == "" && (s.value == &c.OdooDB || s.value == &c.OdooUser || s.value == &c.OdooPassword) {
				lacks = append(lacks, s.name)
			}
		}
		if len(lacks) > 0 {
			problems = append(problems, fmt.Errorf("ODOO_URL needs %s beside it", strings.Join(lacks, ", ")))
		}
	}
	if c.BancontactKey != "" && c.BancontactProfile == "" {
		problems = append(problems, errors.New("BANCONTACT_PRO_KEY needs BANCONTACT_PRO_PROFILE beside it"))
	}
	if c.DatabaseURL != "" && c.SealKeyset == "" {
		problems = append(problems, errors.New("DATABASE_URL needs SEAL_KEYSET beside it: the keys must not be lost with this machine"))
	}
	if c.SMTPURL != "" && c.MailFrom == "" {
		problems = append(problems, errors.New("SMTP_URL needs MAIL_FROM beside it"))
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return c, errors.Join(problems...)
}

func read(lookup func(string) (string, bool), name string) (string, error) {
	value, _ := lookup(name)
	file, _ := lookup(name + "_FILE")
	switch {
	case file == "":
		return strings.TrimSpace(value), nil
	case value != "":
		return "", fmt.Errorf("%s and %s_FILE are both set: keep one", name, name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE cannot be read: %w", name, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// outside reports whether anything of the world outside is configured.
func (c Config) outside() bool {
	return c.DatabaseURL != "" || c.OdooURL != "" || c.SMTPURL != "" || c.MollieAPIKey != "" || c.BancontactKey != ""
}

// proxies are the networks of TRUSTED_PROXIES.
func (c Config) proxies() []netip.Prefix {
	list, _ := parseProxies(c.TrustedProxies) // checked when it was read
	return list
}

func parseProxies(s string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			a, addrErr := netip.ParseAddr(part)
			if addrErr != nil {
				return nil, fmt.Errorf("must be networks such as 10.0.0.0/8, parted by commas, not %q", part)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func checkProxies(s string) error {
	_, err := parseProxies(s)
	return err
}

// mostSlots bounds RUSH_SLOTS: more than the connections of any database that one process should hold.
const mostSlots = 500

// rushSlots is RUSH_SLOTS as a number.
func (c Config) rushSlots() int {
	n, _ := strconv.Atoi(c.RushSlots) // checked when it was read
	return n
}

func checkSlots(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 1 || n > mostSlots {
		return fmt.Errorf("must be a number from 1 to %d, not %q", mostSlots, s)
	}
	return nil
}

func checkURL(schemes ...string) func(string) error {
	return func(s string) error {
		u, err := url.Parse(s)
		if err == nil && u.Host == "" && u.Query().Get("host") == "" {
			err = errors.New("no host")
		}
		for _, scheme := range schemes {
			if err == nil && u.Scheme == scheme {
				return nil
			}
		}
		return fmt.Errorf("must be an address that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

func checkAddress(s string) error {
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return fmt.Errorf("must be host:port, such as 127.0.0.1:8080, not %q", s)
	}
	return nil
}

func checkMail(s string) error {
	if _, err := mail.ParseAddress(s); err != nil {
		return errors.New("must be a mail address, such as Stages <stages@commune.example>")
	}
	return nil
}
