// Package problem holds the few kinds of error that a caller must tell apart, each with a code that is a message key.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what the caller can do about an error.
type Kind string

// The kinds and how a page answers them: 422, 404, 403, 409, 410, 503.
const (
	KindInvalid     Kind = "invalid"
	KindNotFound    Kind = "not_found"
	KindForbidden   Kind = "forbidden"
	KindConflict    Kind = "conflict"
	KindGone        Kind = "gone"
	KindUnavailable Kind = "unavailable"
)

// Error is an error with a kind. Code is a message key, Args fill its placeholders; neither ever carries a name,
// a health value, a national number or a token. Fields is set on KindInvalid for forms.
type Error struct {
	Kind   Kind
	Code   string
	Args   []any
	Fields Fields
}

// Field is one faulty input of a form.
type Field struct {
	Name string // name of the input
	Code string // message key
	Args []any
}

// Error returns the kind and codes; it is for logs, never for a page.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return fmt.Sprintf("%s: %s", e.Kind, e.Code)
	}
	codes := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		codes[i] = f.Name + "=" + f.Code
	}
	return fmt.Sprintf("%s: %s", e.Kind, strings.Join(codes, " "))
}

// Fields collects every faulty input in one pass.
type Fields []Field

// Add notes that the input name is faulty for the reason code.
func (f *Fields) Add(name, code string, args ...any) {
	*f = append(*f, Field{Name: name, Code: code, Args: args})
}

// Err returns nil when nothing was added, else an *Error of KindInvalid.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Code: "form.invalid", Fields: f}
}

// Invalid says that the request itself is wrong.
func Invalid(code string, args ...any) error {
	return &Error{Kind: KindInvalid, Code: code, Args: args}
}

// NotFound says that the thing does not exist, or that the caller may not know that it does.
func NotFound(code string, args ...any) error {
	return &Error{Kind: KindNotFound, Code: code, Args: args}
}

// Forbidden says that the caller may know of the thing, but not do this to it.
func Forbidden(code string, args ...any) error {
	return &Error{Kind: KindForbidden, Code: code, Args: args}
}

// Conflict says that the state of the thing does not allow this now.
func Conflict(code string, args ...any) error {
	return &Error{Kind: KindConflict, Code: code, Args: args}
}

// Gone says that the thing existed and is over: an expired code, a used link.
func Gone(code string, args ...any) error { return &Error{Kind: KindGone, Code: code, Args: args} }

// Unavailable says that something outside does not answer; the caller may try later.
func Unavailable(code string, args ...any) error {
	return &Error{Kind: KindUnavailable, Code: code, Args: args}
}

// As returns the *Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Is reports whether err carries an *Error of the given kind.
func Is(err error, kind Kind) bool {
	e := As(err)
	return e != nil && e.Kind == kind
}
