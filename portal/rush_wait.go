package portal

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ribambelle/internal/locale"
	"ribambelle/portal/page"
)

// waitPage is the light page of a turn that is not called yet.
type waitPage struct {
	page.Base
	Position int    // in the queue, from 1
	Wait     string // how long it may take, in words; "" while nothing can be said
	Again    string // its own address
	At       string // the server's time, in words
}

// rushRoutes are the queue of the opening and the office's view of it.
func (s *server) rushRoutes() []route {
	return []route{
		{get, "/file", nil, s.rushWait},
		{get, "/gestion/ouverture", maySee, s.rushLive},
	}
}

// Refreshing: often near the front, seldom far from it.
const (
	refreshNear = 3
	refreshFar  = 10
)

// rushWait shows where a turn stands, and goes on when it is called. It asks the database one thing and knows nobody:
// neither session nor name.
func (s *server) rushWait(w http.ResponseWriter, r *http.Request) error {
	next := safeNext(r.URL.Query().Get("vers"), "/mon-espace/demandes")
	if s.gate == nil {
		return seeOther(w, r, next)
	}
	t, known := s.turnOf(r)
	if !known {
		t = newTurn(s.Now())
		s.giveTurn(w, t)
	}
	v, err := s.seeTurn(r.Context(), t, !known)
	if err != nil {
		return err
	}
	if v.called() && len(s.gate.slots) < cap(s.gate.slots) {
		return seeOther(w, r, next)
	}
	scopeOf(r).asked = true // the page is the same for everybody
	l := s.locale(r)
	p := &waitPage{Base: s.base(r, l.T("rush.title")), Position: v.Ahead + 1, At: l.Time(s.Now())}
	p.NoIndex = true
	p.Again = "/file?vers=" + url.QueryEscape(next)
	p.Wait = waitWords(l, v, s.Now())
	every := refreshFar
	if v.Ahead < 4*turnWindow*cap(s.gate.slots) {
		every = refreshNear
	}
	return s.renderLight(w, every, p)
}

// waitWords estimates the wait from how many turns were called in the last minute; "" while too few were.
func waitWords(l *locale.Locale, v turnView, now time.Time) string {
	if v.Calls < 5 || v.First == nil {
		return ""
	}
	over := max(now.Sub(*v.First), 5*time.Second)
	wait := over / time.Duration(v.Calls) * time.Duration(v.Ahead+1)
	if wait < time.Minute {
		return l.T("rush.under_minute")
	}
	return l.N("rush.minutes", int((wait+time.Minute-1)/time.Minute))
}

// renderLight draws the page of the queue without the frame of the others: it must stay small. It looks for itself by a
// header, since the wait is what the page is for; nothing is typed on it.
func (s *server) renderLight(w http.ResponseWriter, every int, p *waitPage) error {
	t := s.pages[p.Lang]["rush/wait"]
	if t == nil {
		return fmt.Errorf("page %q is not declared", "rush/wait")
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, "light", p); err != nil {
		return fmt.Errorf("drawing the page of the queue: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Set("Refresh", strconv.Itoa(every)+"; url="+p.Again)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(buf.Bytes()) // the browser may have gone: nobody is left to tell
	return nil
}
