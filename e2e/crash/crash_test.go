package crash

import (
	"context"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

var (
	kills    = flag.Int("kills", 3, "how often the program is killed")
	families = flag.Int("families", 4, "how many families are at it at any time")
)

// calmTime is how long the program may take after the last kill to be done with everything: the sweep of payments and
// the push look once a minute, and a job that failed is tried again later and later.
const calmTime = 5 * time.Minute

// finishTime is how long the clients may take after the last kill to get their last answers.
const finishTime = 4 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	house.Clear()
	os.Exit(code)
}

// TestKills kills the program at random moments under load, starts it again each time, lets it come to rest and
// compares the books.
func TestKills(t *testing.T) {
	h, err := house.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Remove(); err != nil {
			t.Error(err)
		}
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{house: h, notes: notes{
		registrations: map[string]string{}, decided: map[string]bool{}, refusals: map[string]int{}, answers: map[int]int{},
	}}
	prepare(t, w)
	database, err := h.Database("ribambelle")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	p := &proof{t: t, w: w, db: pool}

	begun := time.Now()
	over := make(chan struct{}) // closed after the last kill: families finish what they do and begin nothing new
	clients, stop := context.WithCancel(t.Context())
	defer stop()
	var busy, office sync.WaitGroup
	for range *families {
		busy.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := w.live(clients, 1+mathrand.IntN(2)); err != nil {
					t.Errorf("a family: %v", err)
					return
				}
			}
		})
	}
	office.Go(func() {
		if err := w.decide(clients); err != nil && clients.Err() == nil {
			t.Errorf("the agent: %v", err)
		}
	})
	slowest := killAndStart(t, h)
	close(over)
	finished := make(chan struct{})
	go func() { busy.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(finishTime):
		t.Errorf("the families do not get their answers within %v after the last kill", finishTime)
	}
	stop()
	office.Wait()
	busy.Wait()
	loaded := time.Since(begun)

	if err := p.calm(t.Context()); err != nil {
		t.Errorf("BREACH: the program does not come to rest: %v", err)
	}
	rested := time.Since(begun) - loaded
	p.invariants()
	p.registrations()
	p.money()
	p.secrets()
	n := &w.notes
	for _, status := range []int{500, 502} {
		if n.answers[status] > 0 {
			t.Errorf("BREACH: %d answers with status %d", n.answers[status], status)
		}
	}
	fmt.Printf("proof: %d kills in %v, slowest start %v, at rest after %v\n", *kills, loaded.Round(time.Second), slowest.Round(10*time.Millisecond), rested.Round(time.Second))
	fmt.Printf("proof: %d requests without an answer, answers by status %v, refusals %v\n", n.lost, n.answers, n.refusals)
	fmt.Printf("proof: %d payments opened, %d paid on the hosted page, %d decisions, %d withdrawn\n", n.asked, n.paid, len(n.decided), n.withdrawn)
	for _, line := range p.seen {
		fmt.Println("proof:", line)
	}
	if len(n.registrations) == 0 || n.paid == 0 {
		t.Error("nothing happened, so nothing is proved")
	}
	if t.Failed() {
		t.Logf("end of the log:\n%s", h.Tail("serve.err"))
	}
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
}

// killAndStart kills and starts again; one time in five it kills a program that is only just starting. It returns how
// long the slowest start took.
func killAndStart(t *testing.T, h *house.House) (slowest time.Duration) {
	t.Helper()
	for n := range *kills {
		if pause(t.Context(), time.Duration(mathrand.IntN(2500))*time.Millisecond) != nil {
			return slowest
		}
		if err := h.Kill(); err != nil {
			t.Errorf("BREACH: before kill %d: %v", n+1, err)
		}
		if mathrand.IntN(5) == 0 && n+1 < *kills {
			if err := h.Launch(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		begun := time.Now()
		if err := h.Start(t.Context()); err != nil {
			t.Fatalf("BREACH: after kill %d: %v", n+1, err)
		}
		slowest = max(slowest, time.Since(begun))
	}
	return slowest
}

// prepare makes five camps in weeks of their own, two of them small, with the demo's buses, and finds the agent.
func prepare(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	people, err := w.house.People()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		if strings.HasPrefix(p.Role, "Agent") {
			w.agent = p
		}
	}
	tags, err := w.house.Odoo.Rows(ctx, "event.tag", []any{[]any{"name", "=", "Stage"}}, "name")
	if err != nil || len(tags) == 0 {
		t.Fatalf("the event module has no tag for camps: %v", err)
	}
	day := civil.DateOf(time.Now(), civil.Brussels).AddDays(200)
	for day.Weekday() != time.Monday {
		day = day.AddDays(1)
	}
	for i, seats := range []int{0, 6, 0, 15, 0} {
		first := day.AddDays(7 * i)
		at := func(d civil.Date, hour int) string {
			return d.At(hour*60, civil.Brussels).UTC().Format("2006-01-02 15:04:05")
		}
		_, err := w.house.Odoo.Create(ctx, "event.event", map[string]any{
			"name": fmt.Sprintf("Crash %d", i), "date_begin": at(first, 9), "date_end": at(first.AddDays(4), 16), "date_tz": "Europe/Brussels",
			"tag_ids": []any{[]any{6, 0, []any{tags[0]["id"]}}}, "seats_limited": seats > 0, "seats_max": seats,
			"event_ticket_ids": []any{[]any{0, 0, map[string]any{"name": "Semaine", "price": 50.0 + float64(i)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.house.Command(ctx, "sync"); err != nil {
		t.Fatal(err)
	}
	office := newSession(w)
	if err := office.signIn(ctx, w.agent.Email, w.agent.Password); err != nil {
		t.Fatal(err)
	}
	list, err := office.page(ctx, "/gestion/stages")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list.doc.Find(`a[href^="/gestion/stages/"]`).EachIter() {
		if !strings.HasPrefix(strings.TrimSpace(a.Text()), "Crash ") {
			continue
		}
		address := a.AttrOr("href", "")
		w.camps = append(w.camps, strings.TrimPrefix(address, "/gestion/stages/"))
		camp, err := office.page(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		line := camp.doc.Find(`select[name=line] option[value!=""]`).First().AttrOr("value", "")
		if _, err := office.send(ctx, address+"/bus", map[string][]string{"line": {line}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.camps) != 5 {
		t.Fatalf("the office lists the camps %v", w.camps)
	}
}
