package house

import (
	"net"
	"strings"
)

// Twin returns a second `serve` on the same home and database, at an address of its own. It is started and stopped like
// the first one; Remove is the first one's.
func (h *House) Twin() (*House, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	twin := &House{Bin: h.Bin, Dir: h.Dir, Portal: "http://" + addr, outside: h.outside}
	for _, v := range h.env {
		if strings.HasPrefix(v, "LISTEN=") {
			v = "LISTEN=" + addr
		}
		twin.env = append(twin.env, v)
	}
	return twin, nil
}
