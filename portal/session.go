package portal

import (
	"net/http"
	"net/url"
	"strings"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
)

// cookieName is the session cookie's. Behind https the prefix makes browsers insist on Secure, Path=/ and no Domain.
func (s *server) cookieName() string {
	if s.secure {
		return "__Host-ribambelle"
	}
	return "ribambelle"
}

func (s *server) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure follows PUBLIC_URL: a portal on http could set no cookie at all
}

// identify returns who is signed in, nil for a visitor; the answer is kept for the request.
func (s *server) identify(r *http.Request) (*account.Account, error) {
	sc := scopeOf(r)
	if sc.asked {
		return sc.account, nil
	}
	c, err := r.Cookie(s.cookieName())
	if err != nil || c.Value == "" {
		sc.asked = true
		return nil, nil
	}
	a, err := s.Account.Session(r.Context(), c.Value)
	if err != nil && !problem.Is(err, problem.KindNotFound) {
		return nil, err
	}
	sc.asked = true
	if err == nil {
		sc.account, sc.token = &a, c.Value
	}
	return sc.account, nil
}

// signedIn is identify for a page that works without knowing: a failure to find out counts as a visitor.
func (s *server) signedIn(r *http.Request) *account.Account {
	a, err := s.identify(r)
	if err != nil {
		s.log.WarnContext(r.Context(), "reading the session", "request", scopeOf(r).reference, "error", err.Error())
		scopeOf(r).asked = true // one page asks many times
	}
	return a
}

// toSignIn sends a visitor to the sign-in page, and back afterwards to the page that was asked for.
func (s *server) toSignIn(w http.ResponseWriter, r *http.Request) {
	to := "/connexion"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		to += "?suite=" + url.QueryEscape(r.URL.RequestURI())
	} else if ref, err := url.Parse(r.Referer()); err == nil && ref.Path != "" {
		// A form that was sent after the session ended: back to the page of the form.
		to += "?suite=" + url.QueryEscape(ref.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// safeNext returns an address of our own to go to after signing in, or fallback: never another site's.
func safeNext(next, fallback string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(u.Path, "/connexion") {
		return fallback
	}
	return next
}

const flashCookie = "fait"

// flash keeps a message key for the next page. It is a key, never a text: nobody can make the portal say other words.
func (s *server) flash(w http.ResponseWriter, key string) {
	http.SetCookie(w, s.cookie(flashCookie, strings.TrimPrefix(key, "flash."), 60))
}

// takeFlash returns what flash kept, once.
func (s *server) takeFlash(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(flashCookie)
	if err != nil || r.Method != http.MethodGet {
		return ""
	}
	http.SetCookie(w, s.cookie(flashCookie, "", -1))
	l := s.locale(r)
	if key := "flash." + c.Value; l.Has(key) {
		return l.T(key)
	}
	return ""
}
