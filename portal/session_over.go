package portal

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"ribambelle/internal/account"
	"ribambelle/portal/form"
)

// A form that arrives without a session is not lost: the answer is a page to sign in on, which carries what was typed
// as hidden inputs, and after it a page whose button sends the form again, to where it went. Nothing is written before
// that, nothing is kept here, and nothing stands in an address.

const (
	// typedPrefix sets what was typed apart from the inputs of the sign-in form.
	typedPrefix = "garde."
	// resumeInput holds the address that the form was sent to.
	resumeInput = "reprise"
	// typedMost bounds how many values are carried; the largest form of ours has a few dozen.
	typedMost = 500
)

// secretInputs are never carried: whoever sends the form again types them again.
var secretInputs = []string{"password", "present"}

// typedPage is the page to sign in on, or to go on from, with a form underway.
type typedPage struct {
	signPage
	Resume string // where the form was sent
	Typed  []kept
	Ended  bool // there was a session; else the visitor never had one
	Prefix string
	Who    string // is signed in now
}

// overForm answers a form that came without a session; it returns false for what is no form of a page of ours.
func (s *server) overForm(w http.ResponseWriter, r *http.Request) (bool, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || isAPI(r) || err != nil || kind != "application/x-www-form-urlencoded" {
		return false, nil
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false, nil // a script asks: it knows what to do with the answer
	}
	f, err := form.Read(r)
	if err != nil {
		return false, err
	}
	typed := typedOf(r.PostForm, "")
	if !s.resumable(r.URL.RequestURI()) || len(typed) > typedMost {
		return false, nil
	}
	_, cookieErr := r.Cookie(s.cookieName())
	p := s.typedPage(r, r.URL.RequestURI(), typed, form.New())
	p.Ended = cookieErr == nil
	p.Next = safeNext(f.Text("suite"), "")
	return true, s.render(w, r, http.StatusUnauthorized, "session_over", p)
}

func (s *server) typedPage(r *http.Request, to string, typed []kept, f *form.Form) *typedPage {
	return &typedPage{signPage: *s.signPage(r, s.locale(r).T("portal.over.title"), f), Resume: to, Typed: typed, Prefix: typedPrefix}
}

// typedOf lists the values whose names begin with prefix, without it and without what is secret, in a fixed order.
func typedOf(values url.Values, prefix string) []kept {
	var typed []kept
	for name, all := range values {
		bare, ok := strings.CutPrefix(name, prefix)
		if !ok || bare == "" || slices.Contains(secretInputs, bare) {
			continue
		}
		for _, v := range all {
			typed = append(typed, kept{bare, v})
		}
	}
	slices.SortStableFunc(typed, func(a, b kept) int { return strings.Compare(a.Name, b.Name) })
	return typed
}

// resumable reports whether a form may be sent to an address again: a page of ours that takes forms from who is signed
// in, and nothing else.
func (s *server) resumable(to string) bool {
	if safeNext(to, "") == "" {
		return false
	}
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	for _, rt := range s.table {
		if rt.method != post || rt.access == nil {
			continue
		}
		one := mux.NewRouter()
		one.HandleFunc(rt.pattern, func(http.ResponseWriter, *http.Request) {})
		if one.Match(&http.Request{Method: post, URL: u}, &mux.RouteMatch{}) {
			return true
		}
	}
	return false
}

// underway returns the page with the form that a sign-in carries, nil when it carries none.
func (s *server) underway(r *http.Request, f *form.Form) *typedPage {
	to, typed := f.Raw(resumeInput), typedOf(r.PostForm, typedPrefix)
	if to == "" || !s.resumable(to) || len(typed) > typedMost {
		return nil
	}
	p := s.typedPage(r, to, typed, f)
	p.Ended, p.Next = true, safeNext(f.Text("suite"), "")
	return p
}

// resume shows the button that sends the form again, to who has just signed in.
func (s *server) resume(w http.ResponseWriter, r *http.Request, a account.Account, p *typedPage) error {
	scopeOf(r).account, scopeOf(r).asked = &a, true
	p.Base = s.base(r, s.locale(r).T("portal.over.back"))
	p.NoIndex, p.Who = true, a.Name
	return s.render(w, r, http.StatusOK, "session_back", p)
}
