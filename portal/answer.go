package portal

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// handler answers a request, or returns the error that fail answers.
type handler func(w http.ResponseWriter, r *http.Request) error

var (
	errCrossOrigin = problem.Forbidden("portal.error.cross_origin")
	errPanic       = errors.New("a handler panicked")
	errMethod      = errors.New("method not allowed")
	// errSignIn sends a visitor to the sign-in page and back.
	errSignIn = errors.New("sign in first")
)

// errorPage says what happened, what is saved and what to do.
type errorPage struct {
	page.Base
	Status   int
	Happened string
	Saved    string
	Next     string
	Retry    string // address to try again; "" when that is of no use
	Action   *page.Link
}

// offered is an error whose page offers what to do about it: the text of its link and, as key, what to do.
type offered struct {
	error
	url, text, next string // text and next are message keys
}

func (o *offered) Unwrap() error { return o.error }

// status returns the HTTP status of an error and the key under which its page is told.
func status(err error) (int, string) {
	var large *http.MaxBytesError
	switch p := problem.As(err); {
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed, "method"
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "large"
	case p == nil && errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "unavailable"
	case p == nil:
		return http.StatusInternalServerError, "internal"
	case p.Kind == problem.KindInvalid:
		return http.StatusUnprocessableEntity, "invalid"
	case p.Kind == problem.KindNotFound:
		return http.StatusNotFound, "not_found"
	case p.Kind == problem.KindForbidden:
		return http.StatusForbidden, "forbidden"
	case p.Kind == problem.KindConflict:
		return http.StatusConflict, "conflict"
	case p.Kind == problem.KindGone:
		return http.StatusGone, "gone"
	case p.Kind == problem.KindUnavailable:
		return http.StatusServiceUnavailable, "unavailable"
	}
	return http.StatusInternalServerError, "internal"
}

// fail is the one funnel: every error that a handler returns becomes a page here.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errSignIn) {
		answered, formErr := s.overForm(w, r)
		if formErr == nil && !answered {
			s.toSignIn(w, r)
		}
		if formErr == nil {
			return
		}
		err = formErr
	}
	if errors.Is(err, errDetails) {
		s.toDetails(w, r)
		return
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// The browser went away; the status is for the log alone.
		w.WriteHeader(499)
		return
	}
	code, key := status(err)
	sc := scopeOf(r)
	if code >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "answering", "request", sc.reference, "route", sc.route, "error", err.Error())
	}
	switch code {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(30))
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", s.allowed(r))
	}
	if isAPI(r) {
		s.failAPI(w, code, sc.reference)
		return
	}
	l := s.locale(r)
	p := &errorPage{Base: s.base(r, l.T("portal.error."+key+".title")), Status: code}
	p.Reference, p.NoIndex = sc.reference, true
	p.Happened, p.Saved, p.Next = l.T("portal.error."+key+".happened"), l.T("portal.error."+key+".saved"), l.T("portal.error."+key+".next")
	if known := problem.As(err); known != nil && l.Has(known.Code) {
		p.Happened = told(l, known.Code, known.Args)
	}
	var offer *offered
	if errors.As(err, &offer) {
		p.Next, p.Action = l.T(offer.next), &page.Link{URL: offer.url, Text: l.T(offer.text)}
	}
	if r.Method == http.MethodGet && code >= http.StatusInternalServerError {
		p.Retry = r.URL.RequestURI()
	}
	if err := s.render(w, r, code, "error", p); err != nil {
		s.log.ErrorContext(r.Context(), "drawing the error page", "request", sc.reference, "error", err.Error())
		http.Error(w, "Le service est indisponible. Référence : "+sc.reference, code)
	}
}

// send answers 200 with the given bytes.
func (s *server) send(w http.ResponseWriter, kind string, b []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, err := w.Write(b) //nolint:gosec // drawn by a template that escapes, or a document of ours
	if err != nil {
		return nil //nolint:nilerr // the browser went away: nobody is left to tell
	}
	return nil
}

// seeOther ends a form that was accepted: the browser asks for the next page with GET.
func seeOther(w http.ResponseWriter, r *http.Request, url string) error {
	http.Redirect(w, r, url, http.StatusSeeOther) //nolint:gosec // callers pass paths of ours; what a form names goes through safeNext
	return nil
}
