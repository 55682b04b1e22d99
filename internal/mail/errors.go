package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Kind says what helps against an error.
type Kind string

// The kinds of error.
const (
	// KindTemporary: no answer, or a 4xx one (greylisting, full mailbox): repeat later.
	KindTemporary Kind = "temporary"
	// KindDenied: the server refuses us (password, TLS, sender): a person mends the configuration, then a repeat helps.
	KindDenied Kind = "denied"
	// KindRecipient: the server refuses this address for good, or it is none.
	KindRecipient Kind = "recipient"
	// KindRefused: the server refuses this mail for good (too large, taken for spam), or it cannot be composed.
	KindRefused Kind = "refused"
)

// Error is why a mail was not sent. It holds no address, subject or content.
type Error struct {
	Kind   Kind
	Doing  string // "connecting"
	Code   int    // the server's answer, 0 without one
	Detail string // the server's or the network's words, addresses removed
}

// Error says what was being done and what came of it; it is for logs and staff.
func (e *Error) Error() string {
	s := "mail: " + e.Doing + ": " + string(e.Kind)
	if e.Code != 0 {
		s += fmt.Sprintf(" (%d)", e.Code)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// KindOf returns the kind of the *Error in err's chain, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Temporary reports whether the same mail may be taken later: after KindTemporary, KindDenied and errors of another
// origin.
func Temporary(err error) bool {
	switch KindOf(err) {
	case KindRecipient, KindRefused:
		return false
	}
	return err != nil
}

// dialError types what went wrong before the mail itself.
func dialError(doing string, err error) error {
	e := &Error{Kind: KindDenied, Doing: doing, Detail: scrub(err.Error())}
	var said *textproto.Error
	var network net.Error
	switch {
	case errors.As(err, &said):
		e.Code = said.Code
		if said.Code < 500 {
			e.Kind = KindTemporary
		}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind = KindTemporary
	}
	return e
}

// sendError types what the library says of a mail. Its own "temporary" is not used: it takes a cut line for permanent.
func sendError(err error) error {
	e := &Error{Kind: KindTemporary, Doing: "sending"}
	var said *gomail.SendError
	if !errors.As(err, &said) {
		e.Detail = scrub(err.Error())
		return e
	}
	e.Doing, e.Code = said.Reason.String(), said.ErrorCode()
	e.Detail = scrub(strings.TrimPrefix(said.Error(), e.Doing+": "))
	if e.Code >= 500 {
		switch said.Reason {
		case gomail.ErrSMTPRcptTo:
			e.Kind = KindRecipient
		case gomail.ErrSMTPMailFrom:
			e.Kind = KindDenied
		default:
			e.Kind = KindRefused
		}
	}
	return e
}

var (
	address = regexp.MustCompile(`[^\s<>"',;:()]+@[^\s<>"',;:()]+`)
	trailer = regexp.MustCompile(`(?s), affected (recipient|message).*$`)
)

// scrub takes mail addresses out of a text, and all but 200 characters of its first line.
func scrub(s string) string {
	s = trailer.ReplaceAllString(s, "")
	s, _, _ = strings.Cut(s, "\n")
	s = strings.ToValidUTF8(address.ReplaceAllString(s, "…"), "")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200])
	}
	return strings.TrimSpace(s)
}
