package enrol_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/pay"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
)

func TestStatesAreTheDatabases(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	rows, err := w.DB.Query(t.Context(), `SELECT from_state, to_state FROM registration_transition`)
	if err != nil {
		t.Fatal(err)
	}
	type move struct{ From, To enrol.State }
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[move])
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[move]bool{}
	for _, m := range stored {
		allowed[m] = true
	}
	for _, from := range enrol.States {
		for _, to := range enrol.States {
			if got, want := allowed[move{from.State, to.State}], from.State.Leads(to.State); got != want {
				t.Errorf("%s → %s: the database says %v, the table %v", from.State, to.State, got, want)
			}
		}
	}
}

func TestJourney(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	c := w.Camp(t, "Explorateurs", 2)
	line := w.Bus(t, c, 10)
	f := w.Family(t, 1)
	r, err := w.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{
		Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID, StopOutID: &line.Stops[0].ID, StopBackID: &line.Stops[1].ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.State != enrol.ToValidate || r.PriceCents != 8000 {
		t.Fatalf("after the request: %s at %d cents, want to_validate at 8000", r.State, r.PriceCents)
	}
	if got := count(t, w, `SELECT count(*) FROM leg WHERE registration_id = $1`, r.ID); got != 10 {
		t.Errorf("%d legs, want one each way on 5 days", got)
	}
	r = w.Validate(t, f, r)
	want := civil.NewDate(2027, 5, 11).At(20*60, civil.Brussels)
	if r.State != enrol.AwaitingPayment || r.DueAt == nil || !r.DueAt.Equal(want) {
		t.Fatalf("after the decision: %s until %v, want awaiting_payment until %v", r.State, r.DueAt, want)
	}
	a, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back)
	if err != nil || again.ID != a.ID {
		t.Errorf("a second start gave payment %s, %v; want the open one %s", again.ID, err, a.ID)
	}
	w.Provider.Pay(*a.ProviderID)
	for range 3 { // a callback that comes three times books once
		if status, err := w.Enrol.CheckPayment(ctx, a.ID); err != nil || status != pay.StatusPaid {
			t.Fatalf("check: %s, %v", status, err)
		}
	}
	if r = w.Read(t, r.ID); r.State != enrol.Confirmed {
		t.Errorf("after payment: %s, want confirmed", r.State)
	}
	if got := count(t, w, `SELECT count(*) FROM ledger_line WHERE registration_id = $1 AND kind = 'payment'`, r.ID); got != 1 {
		t.Errorf("%d payment lines, want 1", got)
	}
	if got := count(t, w, `SELECT count(*) FROM invoice WHERE registration_id = $1`, r.ID); got != 1 {
		t.Errorf("%d invoices, want 1", got)
	}
	var history []string
	rows, _ := w.DB.Query(ctx, `SELECT to_state FROM registration_event WHERE registration_id = $1 ORDER BY id`, r.ID)
	history, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"submitted", "to_validate", "validated", "awaiting_payment", "confirmed"}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	w.Pass(90 * 24 * time.Hour)
	if n, err := w.Enrol.Complete(ctx); err != nil || n != 1 {
		t.Errorf("completed %d, %v; want 1", n, err)
	}
	invariants(t, w)
}

func TestLateMoney(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		taken bool // someone else has the place meanwhile
		want  enrol.State
		tasks int
	}{
		"place free":    {want: enrol.Confirmed},
		"place retaken": {taken: true, want: enrol.Expired, tasks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ctx := enroltest.New(t), t.Context()
			c := w.Camp(t, "Cirque", 1)
			f := w.Family(t, 1)
			r := w.Validate(t, f, w.Ask(t, f, 0, c))
			a, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back)
			if err != nil {
				t.Fatal(err)
			}
			w.Pass(8 * 24 * time.Hour)
			if n, err := w.Enrol.Expire(ctx); err != nil || n != 0 {
				t.Fatalf("expired %d with a payment that the provider has not closed, %v", n, err)
			}
			if _, err := w.Enrol.CheckPayment(ctx, a.ID); err != nil {
				t.Fatal(err)
			}
			if n, err := w.Enrol.Expire(ctx); err != nil || n != 1 {
				t.Fatalf("expired %d, %v; want 1", n, err)
			}
			if tt.taken {
				other := w.Family(t, 1)
				w.Ask(t, other, 0, c)
			}
			w.Provider.Pay(*a.ProviderID) // the bank was slow
			if _, err := w.Enrol.CheckPayment(ctx, a.ID); err != nil {
				t.Fatal(err)
			}
			if got := w.Read(t, r.ID).State; got != tt.want {
				t.Errorf("state %s, want %s", got, tt.want)
			}
			if got := count(t, w, `SELECT count(*) FROM task WHERE kind = 'late_money' AND done_at IS NULL`); got != tt.tasks {
				t.Errorf("%d tasks, want %d", got, tt.tasks)
			}
			invariants(t, w)
		})
	}
}

func TestLostAnswerKeepsTheKey(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.Camp(t, "Chimie", 0)))
	w.Provider.LoseAnswers(true)
	if _, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back); !problem.Is(err, problem.KindUnavailable) {
		t.Fatalf("a lost answer gave %v, want unavailable", err)
	}
	w.Provider.LoseAnswers(false)
	if _, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back); err != nil {
		t.Fatal(err)
	}
	if n := w.Provider.Count(); n != 1 {
		t.Errorf("%d payments at the provider, want the one that was asked twice", n)
	}
}

func TestWaitingList(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	c := w.Camp(t, "Kayak", 1)
	first, second, third := w.Family(t, 1), w.Family(t, 1), w.Family(t, 1)
	a := w.Ask(t, first, 0, c)
	b := w.Ask(t, second, 0, c)
	w.Pass(time.Second)
	d := w.Ask(t, third, 0, c)
	if b.State != enrol.Waitlisted || d.State != enrol.Waitlisted {
		t.Fatalf("a full camp gave %s and %s", b.State, d.State)
	}
	if err := w.Enrol.Decide(ctx, first.Account, a.ID, false, ""); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a refusal without reason gave %v, want invalid", err)
	}
	if err := w.Enrol.Decide(ctx, first.Account, a.ID, false, "dossier incomplet"); err != nil {
		t.Fatal(err)
	}
	if b, d = w.Read(t, b.ID), w.Read(t, d.ID); b.State != enrol.Offered || d.State != enrol.Waitlisted {
		t.Fatalf("a freed place gave %s and %s, want an offer to the first", b.State, d.State)
	}
	if err := w.Enrol.Answer(ctx, second.Guardian.ID, second.Account, b.ID, false); err != nil {
		t.Fatal(err)
	}
	if d = w.Read(t, d.ID); d.State != enrol.Offered {
		t.Fatalf("a declined place gave the next %s, want offered", d.State)
	}
	if err := w.Enrol.Answer(ctx, third.Guardian.ID, third.Account, d.ID, true); err != nil {
		t.Fatal(err)
	}
	if d = w.Read(t, d.ID); d.State != enrol.ToValidate {
		t.Errorf("a taken offer is %s, want to_validate", d.State)
	}
	invariants(t, w)
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	c := w.Camp(t, "Nature", 10)
	f, stranger := w.Family(t, 1), w.Family(t, 1)
	key := uuid.New()
	ask := func(guardian uuid.UUID, key uuid.UUID, campID uuid.UUID) error {
		_, err := w.Enrol.Register(ctx, guardian, enrol.Request{Key: key, ChildID: f.Children[0].ID, CampID: campID})
		return err
	}
	if err := ask(stranger.Guardian.ID, uuid.New(), c.ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a stranger got %v, want not found", err)
	}
	if err := ask(f.Guardian.ID, key, c.ID); err != nil {
		t.Fatal(err)
	}
	if err := ask(f.Guardian.ID, key, c.ID); err != nil {
		t.Errorf("the same form again: %v", err)
	}
	if err := ask(f.Guardian.ID, uuid.New(), c.ID); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a second request for the camp gave %v, want invalid", err)
	}
	same := w.Camp(t, "Même semaine", 10)
	if err := ask(f.Guardian.ID, uuid.New(), same.ID); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("an overlapping camp gave %v, want invalid", err)
	}
	if got := count(t, w, `SELECT count(*) FROM registration`); got != 1 {
		t.Errorf("%d registrations, want 1", got)
	}
}

// TestRace lets many families ask at once for a few places and bus seats; its counter-proof is TestNaiveGrantOverbooks.
func TestRace(t *testing.T) {
	t.Parallel()
	const families, places, seats = 40, 12, 8
	w, ctx := enroltest.New(t), t.Context()
	c := w.Camp(t, "Ruée", places)
	line := w.Bus(t, c, seats)
	all := make([]enroltest.Family, families)
	for i := range all {
		all[i] = w.Family(t, 1)
	}
	var wg sync.WaitGroup
	for i, f := range all {
		wg.Go(func() {
			req := enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID}
			if i%2 == 0 {
				req.StopOutID, req.StopBackID = &line.Stops[0].ID, &line.Stops[0].ID
			}
			for range 2 { // a double click
				if _, err := w.Enrol.Register(ctx, f.Guardian.ID, req); err != nil {
					t.Errorf("family %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if got := count(t, w, `SELECT count(*) FROM registration WHERE state = 'to_validate'`); got != places {
		t.Errorf("%d places granted, want %d", got, places)
	}
	if got := count(t, w, `SELECT count(*) FROM registration`); got != families {
		t.Errorf("%d registrations, want %d", got, families)
	}
	invariants(t, w)
}

// TestNaiveGrantOverbooks shows that the race can be lost: a grant that reads and then writes gives more places than
// there are as soon as everybody has read before anybody writes.
func TestNaiveGrantOverbooks(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	const places = 3
	c := w.Camp(t, "Naïf", places)
	var read, done sync.WaitGroup
	read.Add(places + 1)
	for range places + 1 {
		done.Go(func() {
			err := w.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
				pools, err := place.Read(ctx, tx, c.PoolID)
				read.Done()
				read.Wait()
				if err != nil {
					return err
				}
				if free, _ := pools[0].Free(); free == 0 {
					return nil
				}
				_, err = tx.Exec(ctx, `UPDATE pool SET held = held + 1 WHERE id = $1`, c.PoolID)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	pools, err := place.Read(ctx, w.DB, c.PoolID)
	if err != nil {
		t.Fatal(err)
	}
	if !pools[0].OverFull() {
		t.Errorf("the naive grant gave %d of %d places: this race proves nothing", pools[0].Taken(), places)
	}
}

func TestFreePlaceNeedsNoPayment(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	c := w.Camp(t, "Gratuit", 5)
	w.Settings(t, c.ID, func(s *camp.Settings) { s.PriceCents = 0; s.Decision = camp.DecisionAutomatic })
	f := w.Family(t, 1)
	if r := w.Ask(t, f, 0, c); r.State != enrol.Confirmed {
		t.Errorf("a free camp decided by itself gave %s, want confirmed", r.State)
	}
	invariants(t, w)
}

func back(id uuid.UUID) string { return "https://portal.example/" + id.String() }

func count(t *testing.T, w *enroltest.World, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// invariants checks from outside what domain.md promises whatever happens.
func invariants(t *testing.T, w *enroltest.World) {
	t.Helper()
	for name, sql := range enrol.Invariants {
		if got := count(t, w, `SELECT count(*) FROM (`+sql+`) AS broken`); got != 0 {
			t.Errorf("%s: %d rows break it", name, got)
		}
	}
}
