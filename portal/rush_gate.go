package portal

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// The rush of an opening. Each instance does a bounded number of heavy requests at once. While it has room it asks
// nobody anything: no query, no cookie. When it has none, who comes takes a turn (rush_turn.go): a row that every
// instance sees, with a light page that looks for itself until the turn is called. What was sent meanwhile lies in the
// basket, so that nothing typed is lost.

const (
	// defaultSlots is how many heavy requests one instance does at once: half of its connections to the database, so
	// that light pages always find one.
	defaultSlots = 8
	// slotPatience is how long a request waits for room before it takes a turn: a short burst is no rush.
	slotPatience = 300 * time.Millisecond
	// calledPatience is the usual gate.called.
	calledPatience = 10 * time.Second
	// rushLasts is how long an instance goes on asking for turns after it last saw somebody wait.
	rushLasts = 10 * time.Second
)

// gate bounds the heavy work of one instance.
type gate struct {
	slots  chan struct{}
	called time.Duration // how long a request whose turn was called waits for room
	rush   atomic.Int64  // until when turns are asked for, in Unix nanoseconds
	swept  atomic.Int64  // when turns that are over were last removed
}

func newGate(slots int) *gate {
	if slots <= 0 {
		slots = defaultSlots
	}
	return &gate{slots: make(chan struct{}, slots), called: calledPatience}
}

// calm reports whether nobody waited lately.
func (g *gate) calm(now time.Time) bool { return now.UnixNano() > g.rush.Load() }

// stir notes that somebody waits.
func (g *gate) stir(now time.Time) { g.rush.Store(now.Add(rushLasts).UnixNano()) }

// enter takes a slot within the time, or reports false.
func (g *gate) enter(ctx context.Context, patience time.Duration) bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case g.slots <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (g *gate) leave() { <-g.slots }

// keeper keeps what a form holds and returns the address where it goes on once its turn comes.
type keeper func(r *http.Request) (string, error)

// heavy lets h run while the instance has room for it, and otherwise sends the browser to wait for its turn. A page
// goes on at its own address, a form where keep says.
func (s *server) heavy(h handler, keep keeper) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.gate == nil {
			return h(w, r)
		}
		t, ok, err := s.pass(w, r)
		if err != nil {
			return err
		}
		if !ok {
			next := r.URL.RequestURI()
			if keep != nil {
				if next, err = keep(r); err != nil {
					return err
				}
			}
			return seeOther(w, r, "/file?vers="+url.QueryEscape(next))
		}
		defer s.gate.leave()
		err = h(w, r)
		if err == nil && t != nil && r.Method == http.MethodPost {
			s.turnDone(r.Context(), *t)
		}
		return err
	}
}

// pass takes a slot for r, which the caller gives back, or reports false when it must wait. The turn is nil when none
// was needed.
func (s *server) pass(w http.ResponseWriter, r *http.Request) (*turn, bool, error) {
	now := s.Now()
	if s.gate.calm(now) {
		if s.gate.enter(r.Context(), slotPatience) {
			return nil, true, nil
		}
		s.gate.stir(now)
	}
	t, known := s.turnOf(r)
	if !known {
		t = newTurn(now)
		s.giveTurn(w, t)
	}
	v, err := s.seeTurn(r.Context(), t, !known)
	if err != nil {
		return nil, false, err
	}
	if v.over(now) { // spent long ago: it counts as a newcomer
		t = newTurn(now)
		s.giveTurn(w, t)
		if v, err = s.seeTurn(r.Context(), t, true); err != nil {
			return nil, false, err
		}
	}
	if v.called() && s.gate.enter(r.Context(), s.gate.called) {
		return &t, true, nil
	}
	return nil, false, nil
}
