package proof

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/e2e/house"
	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/place"
)

var (
	guardians = flag.Int("guardians", 45, "how many race")
	places    = flag.Int("places", 6, "places of the camp")
	seats     = flag.Int("seats", 3, "seats of its bus")
	late      = flag.Int("late", 15, "how many register while the winners withdraw")
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	house.Clear()
	os.Exit(code)
}

// say prints a line of the proof, whatever -v says.
func say(format string, args ...any) { fmt.Printf("proof: "+format+"\n", args...) }

func TestProof(t *testing.T) {
	begun := time.Now()
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
	twin, err := h.Twin()
	if err != nil {
		t.Fatal(err)
	}
	if err := twin.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := openTown(t, h)
	c, line := w.camp(t, *places, *seats)
	servers := []string{h.Portal, twin.Portal}
	racers := w.racers(t, servers, 0, *guardians, c.ID, line.Stops[0].ID)

	say("%d guardians stand at the last step of the form after %.0f s", len(racers), time.Since(begun).Seconds())
	race(t, w, c, racers)
	if t.Failed() {
		return
	}
	naive(t, w)
	promotion(t, w, c, racers, w.racers(t, servers, *guardians, *late, c.ID, line.Stops[0].ID))
}

// racers makes guardians who stand at the last step of the form.
func (w *town) racers(t *testing.T, servers []string, from, n int, campID, stop uuid.UUID) []*racer {
	t.Helper()
	racers := make([]*racer, n)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 6)
	for i := range racers {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			token, child, err := w.guardian(t.Context(), from+i)
			if err == nil {
				racers[i], err = newRacer(from+i, token, child, servers)
			}
			if err == nil {
				err = racers[i].prepare(t.Context(), campID, stop)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return racers
}

// race is (a): everybody at once, every tenth with a double click.
func race(t *testing.T, w *town, c camp.Camp, racers []*racer) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	begun := time.Now()
	all(racers, func(r *racer) error {
		if r.n%10 == 0 {
			return r.twice(ctx)
		}
		return r.register(ctx)
	}, func(err error) { t.Error(err) })
	took := time.Since(begun)

	held, waiting, queued, retries := 0, 0, 0, 0
	for _, r := range racers {
		switch r.told {
		case "held":
			held++
		case "waiting":
			waiting++
		}
		if r.queued {
			queued++
		}
		retries += r.retries
	}
	granted := w.count(t, `SELECT count(*) FROM place WHERE pool_id = $1`, c.PoolID)
	stored := w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1`, c.ID)
	fullest := w.count(t, `
		SELECT COALESCE(max(n), 0)::int
		FROM (SELECT count(*) AS n FROM leg g JOIN registration r ON r.id = g.registration_id WHERE r.camp_id = $1 GROUP BY g.trip_id) x`, c.ID)
	say("(a) %d guardians, 2 processes, %d places, %d seats: %d places granted, %d told of a place, %d told of the list, %d registrations, fullest bus %d/%d, %d through the queue, %d tries again, %.1f s",
		len(racers), *places, *seats, granted, held, waiting, stored, fullest, *seats, queued, retries, took.Seconds())

	for what, got := range map[string][2]int{
		"places granted":               {granted, *places},
		"guardians told of a place":    {held, *places},
		"guardians told of the list":   {waiting, len(racers) - *places},
		"registrations":                {stored, len(racers)},
		"lines left in baskets":        {w.count(t, `SELECT count(*) FROM basket_line b WHERE camp_id = $1 AND NOT EXISTS (SELECT 1 FROM registration r WHERE r.submission_key = b.id)`, c.ID), 0},
		"trips with more than seats":   {w.count(t, `SELECT count(*) FROM trip t JOIN pool p ON p.id = t.pool_id WHERE p.held + p.confirmed > p.max`), 0},
		"children twice on the list":   {w.count(t, `SELECT count(*) FROM (SELECT child_id FROM registration WHERE camp_id = $1 GROUP BY child_id HAVING count(*) > 1) x`, c.ID), 0},
		"guardians told a wrong place": {wrongPositions(t, w, c, racers), 0},
	} {
		if got[0] != got[1] {
			t.Errorf("(a) %s: %d, want %d", what, got[0], got[1])
		}
	}
	invariants(t, w)
}

// order returns the registrations that wait, in order.
func order(t *testing.T, w *town, c camp.Camp) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), `
		SELECT id::text
		FROM registration
		WHERE camp_id = $1
		  AND state = 'waitlisted'
		ORDER BY waiting_since, id`, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		list = append(list, "/mon-espace/inscriptions/"+id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// wrongPositions counts the guardians whose position on the list is not the one they were told.
func wrongPositions(t *testing.T, w *town, c camp.Camp, racers []*racer) (n int) {
	t.Helper()
	list := order(t, w, c)
	for _, r := range racers {
		if r.told == "waiting" && slices.Index(list, r.registration)+1 != r.position {
			n++
		}
	}
	return n
}

// naive is (b): the same race for as many places, granted by a handler that reads and then writes, on two servers with
// connections of their own. It must overbook, or (a) proves nothing.
func naive(t *testing.T, w *town) {
	ctx := t.Context()
	var pool uuid.UUID
	err := w.db.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		pool, err = place.Create(ctx, tx, "camp", places)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // the overbooked pool is nobody's
		if _, err := w.db.Exec(ctx, `DELETE FROM pool WHERE id = $1`, pool); err != nil {
			t.Error(err)
		}
	}()
	grant := func(ctx context.Context, d *db.DB) (granted bool, err error) {
		err = d.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			pools, err := place.Read(ctx, tx, pool)
			if err != nil {
				return err
			}
			if free, _ := pools[0].Free(); free == 0 {
				return nil
			}
			granted = true
			_, err = tx.Exec(ctx, `UPDATE pool SET held = held + 1 WHERE id = $1`, pool)
			return err
		})
		return granted, err
	}
	var servers []string
	for range 2 {
		d, err := db.Open(ctx, w.db.Config().ConnString())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			granted, err := grant(r.Context(), d)
			switch {
			case err != nil:
				http.Error(rw, err.Error(), http.StatusInternalServerError)
			case !granted:
				rw.WriteHeader(http.StatusConflict)
			}
		}))
		defer s.Close()
		servers = append(servers, s.URL)
	}
	var told atomic.Int64
	gun := make(chan struct{})
	var wg sync.WaitGroup
	for i := range max(*guardians, 200) {
		wg.Go(func() {
			<-gun
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, servers[i%2], nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := browsers.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				told.Add(1)
			}
		})
	}
	close(gun)
	wg.Wait()
	say("(b) the same race with a grant that reads and then writes: %d places promised of %d", told.Load(), *places)
	if told.Load() <= int64(*places) {
		t.Errorf("(b) the naive grant did not overbook: the race proves nothing")
	}
}

// promotion is (c): every winner withdraws while newcomers register.
func promotion(t *testing.T, w *town, c camp.Camp, racers, newcomers []*racer) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	before := order(t, w, c)
	kind := map[string]int{}
	var winners []*racer
	for _, r := range racers {
		kind[r.registration] = r.kind
		if r.told == "held" {
			winners = append(winners, r)
		}
	}
	all(slices.Concat(winners, newcomers), func(r *racer) error {
		if r.told == "held" {
			return r.withdraw(ctx)
		}
		return r.register(ctx)
	}, func(err error) { t.Error(err) })

	after := order(t, w, c)
	var offered []string
	jumped := 0
	for i, id := range before {
		if slices.Contains(after, id) {
			continue
		}
		offered = append(offered, id)
		// Nobody who would take any free place waits before somebody who was offered one.
		for _, earlier := range before[:i] {
			if kind[earlier] != busOnly && slices.Contains(after, earlier) {
				jumped++
			}
		}
	}
	fresh := 0
	for _, r := range newcomers {
		if r.told == "held" {
			fresh++
		}
	}
	granted := w.count(t, `SELECT count(*) FROM place WHERE pool_id = $1`, c.PoolID)
	withdrawn := w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1 AND state = 'withdrawn'`, c.ID)
	open := w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1 AND state = 'offered'`, c.ID)
	say("(c) %d winners withdrew while %d registered: %d places granted, %d offered to the list in order, %d newcomers before the list, %d jumped",
		withdrawn, len(newcomers), granted, open, fresh, jumped)
	for what, got := range map[string][2]int{
		"places granted":                {granted, *places},
		"withdrawn":                     {withdrawn, len(winners)},
		"offered":                       {open, len(offered)},
		"offered to fill every place":   {open, *places},
		"newcomers who passed the list": {fresh, 0},
		"offered past somebody":         {jumped, 0},
		"registrations":                 {w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1`, c.ID), len(racers) + len(newcomers)},
		"trips with more than seats":    {w.count(t, `SELECT count(*) FROM trip t JOIN pool p ON p.id = t.pool_id WHERE p.held + p.confirmed > p.max`), 0},
	} {
		if got[0] != got[1] {
			t.Errorf("(c) %s: %d, want %d", what, got[0], got[1])
		}
	}
	invariants(t, w)
}

// invariants checks what domain.md promises whatever happens.
func invariants(t *testing.T, w *town) {
	t.Helper()
	for name, sql := range enrol.Invariants {
		if n := w.count(t, `SELECT count(*) FROM (`+sql+`) AS broken`); n != 0 {
			t.Errorf("%s: %d rows break it", name, n)
		}
	}
}
