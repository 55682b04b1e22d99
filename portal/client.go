package portal

import (
	"net"
	"net/http"
	"strings"

	"ribambelle/internal/locale"
)

// clientAddr is the address that a request came from, without its port.
func clientAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// identifier is what somebody types to say who signs in, as the rooms take it: an e-mail address as typed, or a number
// in E.164 however it was written.
func identifier(typed string) string {
	if strings.Contains(typed, "@") {
		return typed
	}
	if number, err := locale.ParsePhone(typed); err == nil {
		return number
	}
	return typed
}

// phoneTyped is a number in E.164 however it was written; what is no number stays as typed, for the room to refuse.
func phoneTyped(typed string) string {
	if number, err := locale.ParsePhone(typed); err == nil {
		return number
	}
	return typed
}
