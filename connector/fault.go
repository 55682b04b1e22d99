package connector

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"
)

// Kind says what a caller can do about a fault.
type Kind string

// The kinds of fault.
const (
	// KindDenied: wrong database, user or password. A person must correct the
	// configuration.
	KindDenied Kind = "denied"
	// KindAccess: the user is known but lacks a right.
	KindAccess Kind = "access"
	// KindUser: Odoo refused the values, by a rule or a constraint. Repeating
	// the same call is refused again.
	KindUser Kind = "user"
	// KindMissing: a record does not exist any more.
	KindMissing Kind = "missing"
	// KindConflict: another transaction was faster. Nothing was changed;
	// repeat soon.
	KindConflict Kind = "conflict"
	// KindTemporary: no answer, or none that counts: network, timeout, server
	// starting, proxy error. Repeat later.
	KindTemporary Kind = "temporary"
	// KindProtocol: what answered is no Odoo, not the Odoo we know, or did
	// not understand us. A person must look.
	KindProtocol Kind = "protocol"
)

// Codes of faults that callers tell apart within a kind.
const (
	CodeDatabase     = "database"      // denied: the database does not exist
	CodePassword     = "password"      // denied: unknown user or wrong password
	CodeSession      = "session"       // denied: the user id is not accepted (any more)
	CodeModel        = "model"         // protocol: the model does not exist; its module is not installed
	CodeField        = "field"         // protocol: a field does not exist
	CodeValue        = "value"         // protocol: an answer is not of the declared type
	CodeServer       = "server_error"  // protocol: an exception inside Odoo
	CodeNotOdoo      = "not_odoo"      // protocol: the answer is not XML-RPC
	CodeRedirect     = "redirect"      // protocol: the server sends us elsewhere
	CodeTLS          = "tls"           // protocol: the certificate or the handshake is refused
	CodeTooLarge     = "too_large"     // protocol: the answer exceeds Config.MaxBody
	CodeUnreachable  = "unreachable"   // temporary: no connection
	CodeTimeout      = "timeout"       // temporary: no answer in time
	CodeCanceled     = "canceled"      // temporary: our own caller gave up
	CodeCut          = "cut"           // temporary: the connection broke
	CodeStatus       = "http_status"   // temporary or protocol: an HTTP error
	CodeBroken       = "broken"        // temporary: not sent, since too many calls were lost in a row
	CodeOverloaded   = "overloaded"    // temporary: Odoo or its database is busy or starting
	CodeNoSuchRecord = "no_record"     // missing
	CodeSerialize    = "serialization" // conflict
	CodeRefused      = "refused"       // user, access
)

// Fault is every error that comes from calling Odoo.
type Fault struct { //nolint:errname // XML-RPC and Odoo call it so.
	Kind Kind
	// Code is finer than Kind; one of the Code constants.
	Code string
	// Model and Method are what was called; empty before any model was.
	Model, Method string
	// Message is for people: one sentence of ours, or Odoo's own text for
	// refused values. It never holds a traceback and is at most 600 runes. It
	// may quote values, so it may be shown to staff but is not logged; Error
	// is for the log.
	Message string
	// Ambiguous says that the call may have been carried out although no
	// usable answer came. It is never set for calls that only read.
	Ambiguous bool

	cause error
}

// Error tells kind, call and message, without the values that Odoo quotes.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("odoo: ")
	if f.Model != "" {
		b.WriteString(f.Model + "." + f.Method + ": ")
	} else if f.Method != "" {
		b.WriteString(f.Method + ": ")
	}
	b.WriteString(string(f.Kind))
	if f.Code != "" && f.Code != CodeRefused {
		b.WriteString(" (" + f.Code + ")")
	}
	if m := f.Message; m != "" {
		if f.Kind == KindUser || f.Kind == KindMissing {
			m = quotedValue.ReplaceAllString(m, "…")
		}
		b.WriteString(": " + strings.ReplaceAll(m, "\n", " "))
	}
	if f.Ambiguous {
		b.WriteString(" [may have been carried out]")
	}
	return b.String()
}

// Unwrap gives the context's error behind a timeout or a cancellation.
func (f *Fault) Unwrap() error { return f.cause }

// Temporary reports whether the same call may succeed later.
func (f *Fault) Temporary() bool { return f.Kind == KindTemporary || f.Kind == KindConflict }

// KindOf returns the kind of the fault in err's chain, or "".
func KindOf(err error) Kind {
	if f, ok := asFault(err); ok {
		return f.Kind
	}
	return ""
}

// Ambiguous reports whether err leaves open if the change was made.
func Ambiguous(err error) bool {
	f, ok := asFault(err)
	return ok && f.Ambiguous
}

func asFault(err error) (*Fault, bool) { return errors.AsType[*Fault](err) }

func hasCode(err error, code string) bool {
	f, ok := asFault(err)
	return ok && f.Code == code
}

var (
	quotedValue   = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'|«[^»\n]*»|\([^()\n]*\)=\([^()\n]*\)|[^\s<>]+@[^\s<>]+`)
	exceptionLine = regexp.MustCompile(`^((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|\w*(?:Error|Exception|Warning|Failure|Timeout|Exit|Interrupt|NotFound))(?:: (.*))?$`)
	missingRecord = regexp.MustCompile(`\([^()]*[a-z_.]+\(\d[\d, ]*\)[^()]*\)\s*$`)
	missingUser   = regexp.MustCompile(`\bres\.users\((\d+),?\)\D*(\d+)\)\s*$`)
	// PostgreSQL speaks the language of its own server.
	noDatabase = regexp.MustCompile(`FATAL:.*(does not exist|n'existe pas|n’existe pas|bestaat niet|existiert nicht)`)
	noModel    = regexp.MustCompile(`^Object \S+ doesn't exist$`)
)

const noneMarshalled = "cannot marshal None unless allow_none is enabled"

// committedNone reports whether a server fault only says that the method
// returned None: Odoo 14 to 19 commit first and stumble over the answer.
func committedNone(err error) bool {
	fe, ok := errors.AsType[xmlrpc.FaultError](err)
	if !ok || fe.Code != 1 {
		return false
	}
	class, text := exception(fe.String)
	return class == "TypeError" && text == noneMarshalled
}

// faultOf sorts a fault that Odoo itself sent. Every such fault means that
// Odoo rolled its transaction back, so none of them is ambiguous.
func faultOf(fe xmlrpc.FaultError, c call) *Fault {
	f := &Fault{Model: c.Model, Method: c.Method}
	switch fe.Code {
	case 3:
		f.Kind, f.Code = KindDenied, CodeSession
		f.Message = "Odoo refused the user or the password."
	case 4:
		f.Kind, f.Code, f.Message = KindAccess, CodeRefused, tidy(fe.String)
	case 2:
		warning(f, fe.String, c)
	default:
		traceback(f, fe.String)
	}
	return f
}

// warning sorts a fault 2: Odoo sends the text of UserError, ValidationError
// and MissingError without their class, in the language of the user.
func warning(f *Fault, text string, c call) {
	f.Message = tidy(text)
	switch {
	case userGone(text):
		f.Kind, f.Code = KindDenied, CodeSession
		f.Message = "Odoo no longer knows the user."
	case missingRecord.MatchString(text):
		f.Kind, f.Code = KindMissing, CodeNoSuchRecord
	case noModel.MatchString(strings.TrimSpace(text)),
		c.Method == "fields_get" && strings.Contains(text, c.Model):
		f.Kind, f.Code = KindProtocol, CodeModel
		f.Message = fmt.Sprintf("Odoo has no model %q; the module is not installed.", c.Model)
	case serialization(text):
		f.Kind, f.Code = KindConflict, CodeSerialize
	default:
		f.Kind, f.Code = KindUser, CodeRefused
	}
}

// userGone reports whether the record that Odoo misses is the caller itself.
func userGone(text string) bool {
	m := missingUser.FindStringSubmatch(text)
	return m != nil && m[1] == m[2]
}

// traceback sorts a fault 1, whose text is a Python traceback. Only the line
// with the exception is kept.
func traceback(f *Fault, text string) {
	class, last := exception(text)
	f.Message = tidy(last)
	if f.Message == "" {
		f.Message = class
	}
	short := class[strings.LastIndexByte(class, '.')+1:]
	switch {
	case noDatabase.MatchString(last):
		f.Kind, f.Code = KindDenied, CodeDatabase
		f.Message = "The database does not exist on this server."
	case serialization(last), short == "SerializationFailure", short == "DeadlockDetected", short == "LockNotAvailable":
		f.Kind, f.Code = KindConflict, CodeSerialize
	case short == "PoolError", short == "OperationalError", short == "InterfaceError", short == "AdminShutdown",
		short == "QueryCanceled", short == "TooManyConnections", short == "MemoryError", short == "ConnectionError":
		f.Kind, f.Code = KindTemporary, CodeOverloaded
	case strings.HasPrefix(last, "Invalid field "), strings.HasPrefix(last, "Unknown field "):
		f.Kind, f.Code = KindProtocol, CodeField
	default:
		f.Kind, f.Code = KindProtocol, CodeServer
	}
}

func serialization(text string) bool {
	return strings.Contains(text, "could not serialize access") ||
		strings.Contains(text, "deadlock detected") ||
		strings.Contains(text, "could not obtain lock")
}

// exception finds the class and the text of the last exception of a Python
// traceback: the last unindented line that looks like one, since database
// errors are followed by details. The details quote values and are dropped.
func exception(text string) (class, message string) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if m := exceptionLine.FindStringSubmatch(strings.TrimRight(lines[i], "\r ")); m != nil {
			return m[1], m[2]
		}
	}
	last := lines[len(lines)-1]
	if class, message, ok := strings.Cut(last, ": "); ok && !strings.ContainsAny(class, " \t") {
		return class, message
	}
	return "", last
}

// tidy makes a server's text printable: no control characters, no traceback,
// at most 600 runes.
func tidy(s string) string {
	const most = 600
	if _, after, ok := strings.Cut(s, "Traceback (most recent call last)"); ok {
		_, s = exception(after)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most-1]) + "…"
	}
	return s
}

// lost builds the fault for a call without a usable answer. sent says that a
// connection existed, so the server may have worked on it.
func lost(c call, kind Kind, code, message string, sent bool, cause error) *Fault {
	f := &Fault{Kind: kind, Code: code, Model: c.Model, Method: c.Method, Message: message, Ambiguous: sent && !c.ReadOnly}
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		f.cause = cause
	}
	return f
}
