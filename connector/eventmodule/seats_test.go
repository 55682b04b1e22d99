package eventmodule

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestSeatsUnderConcurrency sends more parallel creators than there are seats,
// by every way a registration can take one. None may get in beyond the limit
// and none may be refused while there is room.
func TestSeatsUnderConcurrency(t *testing.T) {
	t.Parallel()
	const seats, callers, each = 20, 10, 4
	ways := map[string]func(p *peer, event, ticket, spare int64) error{
		"create": func(p *peer, event, _, _ int64) error {
			_, err := p.try("event.registration", "create", []any{object{{"event_id", event}}}, nil)
			return err
		},
		"create with ticket": func(p *peer, event, ticket, _ int64) error {
			_, err := p.try("event.registration", "create", []any{object{{"event_id", event}, {"event_ticket_id", ticket}}}, nil)
			return err
		},
		"load": func(p *peer, event, _, _ int64) error {
			v, err := p.try("event.registration", "load", []any{[]any{"name", "event_id/.id"}, []any{[]any{"x", pyRepr(event)}}}, nil)
			if err == nil && v.(map[string]any)["ids"] == false {
				err = validation("refused")
			}
			return err
		},
		"confirm a draft": func(p *peer, _, _, spare int64) error {
			_, err := p.try("event.registration", "write", []any{[]any{spare}, object{{"state", "open"}}}, nil)
			return err
		},
		"restore an archived one": func(p *peer, _, _, spare int64) error {
			if _, err := p.try("event.registration", "write", []any{[]any{spare}, object{{"active", false}, {"state", "open"}}}, nil); err != nil {
				return err
			}
			_, err := p.try("event.registration", "write", []any{[]any{spare}, object{{"active", true}}}, nil)
			return err
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			event := p.event("Ferme", seats)
			ticket := p.create("event.event.ticket", object{{"event_id", event}, {"name", "Semaine"}, {"seats_max", seats}})
			var spares []int64
			for range callers * each {
				spares = append(spares, p.create("event.registration", object{{"event_id", event}, {"state", "draft"}}))
			}
			var let, refused atomic.Int64
			var wg sync.WaitGroup
			for caller := range callers {
				wg.Go(func() {
					for i := range each {
						if err := way(p, event, ticket, spares[caller*each+i]); err != nil {
							refused.Add(1)
						} else {
							let.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if let.Load() != seats || refused.Load() != callers*each-seats {
				t.Errorf("%d let in and %d refused, want %d and %d", let.Load(), refused.Load(), seats, callers*each-seats)
			}
			if got := p.get("event.event", event, "seats_taken"); got != int64(seats) {
				t.Errorf("seats_taken = %v, want %d", got, seats)
			}
			if got := p.get("event.event", event, "seats_available"); got != int64(0) {
				t.Errorf("seats_available = %v, want 0", got)
			}
		})
	}
}

func TestSeatFaults(t *testing.T) {
	t.Parallel()
	p := start(t)
	event := p.event("Ferme", 3)
	ticket := p.create("event.event.ticket", object{{"event_id", event}, {"name", "Matin"}, {"seats_max", 1}})
	p.create("event.registration", object{{"event_id", event}, {"event_ticket_id", ticket}})
	draft := p.create("event.registration", object{{"event_id", event}, {"state", "draft"}})
	p.do("event.registration", "create", []any{[]any{object{{"event_id", event}}}}, nil)
	tests := map[string]struct {
		model, method string
		args          []any
		want          string
	}{
		"ticket full": {
			"event.registration", "create",
			[]any{object{{"event_id", event}, {"event_ticket_id", ticket}}},
			"There are not enough seats available for:\n- the ticket \"Matin\" (Ferme): Missing 1 seats.\n",
		},
		"batch": {
			"event.registration", "create",
			[]any{[]any{object{{"event_id", event}}, object{{"event_id", event}}, object{{"event_id", event}}}},
			"There are not enough seats available for:\n- \"Ferme\": Missing 2 seats.\n",
		},
		"limit lowered": {
			"event.event", "write",
			[]any{[]any{event}, object{{"seats_max", 1}}},
			"There are not enough seats available for:\n- \"Ferme\": Missing 1 seats.\n",
		},
		"moved into a full ticket": {
			"event.registration", "write",
			[]any{[]any{draft}, object{{"event_ticket_id", ticket}, {"state", "open"}}},
			"There are not enough seats available for:\n- the ticket \"Matin\" (Ferme): Missing 1 seats.\n",
		},
		"ticket of another event": {
			"event.registration", "create",
			[]any{object{{"event_id", p.event("Autre", 0)}, {"event_ticket_id", ticket}}},
			"Invalid event / ticket choice",
		},
	}
	for name, tt := range tests {
		_, err := p.try(tt.model, tt.method, tt.args, nil)
		if f, ok := faultOf(err); !ok || f.code != codeUser || f.text != tt.want {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	if got := p.do("event.registration", "search_count", []any{[]any{[]any{"event_id", "=", event}}}, nil); got != int64(3) {
		t.Errorf("after the refusals %v registrations are left, want 3", got)
	}
}
