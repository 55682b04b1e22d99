package portal

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientOf returns the address that a request comes from. Each proxy adds the address of its peer at the right end of
// X-Forwarded-For, so the first one from the right that is none of our proxies is the client; what stands left of it
// anybody may have written. Without a trusted peer, or with something that is no address, the last one known counts.
func clientOf(r *http.Request, trusted []netip.Prefix) string {
	peer, ok := addrOf(r.RemoteAddr)
	if !ok || !within(peer, trusted) {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	client := peer
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := addrOf(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		client = hop
		if !within(hop, trusted) {
			break
		}
	}
	return client.String()
}

// addrOf reads an IP address, with a port or without; ok is false for anything else.
func addrOf(s string) (a netip.Addr, ok bool) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

func within(a netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
