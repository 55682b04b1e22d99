package portal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClientOf(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, v := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"a client writes the header itself":           {"203.0.113.9:1", []string{"192.0.2.1"}, "203.0.113.9:1"},
		"a proxy says nothing":                        {"10.0.0.1:1", nil, "10.0.0.1"},
		"a proxy names the client":                    {"10.0.0.1:1", []string{"192.0.2.1"}, "192.0.2.1"},
		"two proxies":                                 {"10.0.0.1:1", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		"two headers":                                 {"10.0.0.1:1", []string{"198.51.100.7", "192.0.2.1"}, "192.0.2.1"},
		"what the client wrote before does not count": {"10.0.0.1:1", []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		"no address":                                  {"10.0.0.1:1", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		"a port":                                      {"10.0.0.1:1", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		"IPv6":                                        {"[::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets with a port":                {"[::1]:1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv4 in IPv6":                                {"[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = v.peer
		for _, h := range v.forwarded {
			r.Header.Add("X-Forwarded-For", h)
		}
		if got := clientOf(r, trusted); got != v.want {
			t.Errorf("%s: %q, want %q", name, got, v.want)
		}
	}
}

// FuzzClientOf: whatever a header says, a stranger's request keeps its own address, and a proxy's gives an address.
func FuzzClientOf(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.2")
	f.Add("[2001:db8::7]:80,,unknown")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{RemoteAddr: "203.0.113.9:1", Header: http.Header{"X-Forwarded-For": {header}}}
		if got := clientOf(r, trusted); got != r.RemoteAddr {
			t.Errorf("a stranger became %q", got)
		}
		r.RemoteAddr = "10.0.0.1:1"
		if got := clientOf(r, trusted); !netip.MustParseAddr(got).IsValid() {
			t.Errorf("%q is no address", got)
		}
	})
}

// TestLimitsBehindProxy: behind a trusted proxy each client has its own count of failed sign-ins, and who is not behind
// it cannot pass for others.
func TestLimitsBehindProxy(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		proxies []netip.Prefix
		locked  bool
	}{
		"trusted": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, false},
		"nobody":  {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *Config) { c.Proxies = v.proxies })
			try := func(client, email string) answer {
				return b.browser().do(http.MethodPost, "/connexion", map[string][]string{"email": {email}, "password": {"wrong password"}}, "X-Forwarded-For", client)
			}
			for i := range 50 { // account.AddressAttempts
				try("192.0.2.1", fmt.Sprintf("a%d@example.be", i))
			}
			try("192.0.2.1", "z@example.be").has(t, "main", "Trop d’essais")
			got := try("192.0.2.2", "y@example.be").text("main")
			if locked := strings.Contains(got, "Trop d’essais"); locked != v.locked {
				t.Errorf("another client is locked: %v, want %v", locked, v.locked)
			}
		})
	}
}
