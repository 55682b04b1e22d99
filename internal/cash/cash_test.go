package cash_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/cash"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// world is a commune whose counter takes coins at an open desk only.
type world struct {
	*enroltest.World
	cash  *cash.Store
	agent uuid.UUID
	camp  camp.Camp
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{World: enroltest.New(t)}
	w.cash = cash.New(w.DB, w.Now)
	w.agent = w.account(t, "Anne")
	if err := camp.SetSetting(context.Background(), w.DB, enroltest.Actor, "cash.no_desk", ""); err != nil {
		t.Fatal(err)
	}
	w.camp = w.Camp(t, "Stage", 0)
	return w
}

func (w *world) account(t *testing.T, name string) (id uuid.UUID) {
	t.Helper()
	err := w.DB.QueryRow(context.Background(), `
		INSERT INTO account (email, password_hash, name, roles, created_at)
		VALUES (lower($1) || '@example.test', 'x', $1, '{agent}', now())
		RETURNING id`, name).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// due is what a new family's registration owes: 60,00 €.
func (w *world) due(t *testing.T) (id, registration uuid.UUID) {
	t.Helper()
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.camp))
	if err := w.DB.QueryRow(context.Background(), `SELECT id FROM due WHERE registration_id = $1`, r.ID).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id, r.ID
}

func (w *world) pay(t *testing.T, due uuid.UUID, cents civil.Cents, source string) error {
	t.Helper()
	return w.Enrol.RecordPayment(context.Background(), w.agent, due, cents, source, uuid.New())
}

func (w *world) open(t *testing.T, float civil.Cents) uuid.UUID {
	t.Helper()
	id, err := w.cash.Open(context.Background(), w.agent, cash.Opening{Key: uuid.New(), Desk: "Guichet", Float: float})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// fault returns the code that a problem has about an input.
func fault(err error, name string) string {
	if p := problem.As(err); p != nil {
		for _, f := range p.Fields {
			if f.Name == name {
				return f.Code
			}
		}
		return p.Code
	}
	return ""
}

func cents(c civil.Cents) *civil.Cents { return &c }

// TestDay runs a desk through a day: opened, paid at, counted, closed for ever, brought to the bank.
func TestDay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	due, reg := w.due(t)
	if got := fault(w.pay(t, due, 1000, "cash"), "source"); got != "cash.no_desk" {
		t.Fatalf("coins without a desk: %q", got)
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE kind = 'payment'`) + w.count(t, `SELECT count(*) FROM receipt`); n != 0 {
		t.Fatalf("refused coins left %d rows", n)
	}
	day := w.open(t, 5000)
	for _, v := range []struct {
		cents  civil.Cents
		source string
	}{{1000, "cash"}, {2000, "terminal"}, {3000, "cash"}} {
		if err := w.pay(t, due, v.cents, v.source); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Read(t, reg).State; got != enrol.Confirmed {
		t.Errorf("paid at the counter it is %s", got)
	}
	d, err := w.cash.Day(ctx, day)
	if err != nil {
		t.Fatal(err)
	}
	if d.Drawer() != 9000 || d.TerminalNet() != 2000 || d.Entries != 3 {
		t.Errorf("the drawer should have %v, the terminal %v, of %d", d.Drawer(), d.TerminalNet(), d.Entries)
	}
	// Money of the bank is no business of the desk.
	if err := w.pay(t, due, 500, "bank"); err != nil {
		t.Fatal(err)
	}
	if d, _ = w.cash.Day(ctx, day); d.Entries != 3 {
		t.Errorf("a transfer went through the desk: %d entries", d.Entries)
	}

	for name, v := range map[string]struct {
		count      cash.Count
		input, why string
	}{
		"nothing counted":    {cash.Count{}, "counted", "cash.count_needed"},
		"pieces that differ": {cash.Count{Cents: cents(9000), Pieces: map[civil.Cents]int{5000: 1}}, "counted", "cash.count_differs"},
		"a strange note":     {cash.Count{Pieces: map[civil.Cents]int{3000: 3}}, "pieces", "cash.pieces_wrong"},
		"more left than is":  {cash.Count{Cents: cents(9000), Left: 9001}, "left", "cash.left_too_much"},
		"a cent missing":     {cash.Count{Cents: cents(8999)}, "why", "cash.why_needed"},
		"a terminal off":     {cash.Count{Cents: cents(9000), Terminal: cents(2001)}, "why", "cash.why_needed"},
	} {
		v.count.Key = uuid.New()
		if got := fault(w.cash.Close(ctx, w.agent, day, v.count), v.input); got != v.why {
			t.Errorf("%s: %q, want %q", name, got, v.why)
		}
	}
	c := cash.Count{Key: uuid.New(), Pieces: map[civil.Cents]int{5000: 1, 2000: 1, 1000: 1, 500: 1, 200: 2}, Terminal: cents(2000), Left: 5000, Why: "1 € rendu en trop"}
	for range 2 { // a double click
		if err := w.cash.Close(ctx, w.agent, day, c); err != nil {
			t.Fatal(err)
		}
	}
	if d, err = w.cash.Day(ctx, day); err != nil {
		t.Fatal(err)
	}
	if d.Open() || *d.Counted != 8900 || d.Difference() != -100 || d.TerminalDifference() != 0 || d.ToDeposit() != 3900 || d.DifferenceWhy == "" {
		t.Errorf("closed as %+v", d)
	}
	if diff := cmp.Diff(c.Pieces, d.Detail); diff != "" {
		t.Errorf("pieces (-want +got):\n%s", diff)
	}

	// Closed is closed: for agents, for late money, and for the database.
	c.Key = uuid.New()
	if err := w.cash.Close(ctx, w.agent, day, c); !problem.Is(err, problem.KindConflict) {
		t.Errorf("closed twice: %v", err)
	}
	if got := fault(w.pay(t, due, 100, "cash"), "source"); got != "cash.no_desk" {
		t.Errorf("coins after closing: %q", got)
	}
	for _, sql := range []string{
		`UPDATE cash_day SET counted_cents = 9000`, `UPDATE cash_day SET closed_at = NULL`, `DELETE FROM cash_day`, `TRUNCATE cash_day CASCADE`,
		`DELETE FROM cash_entry`, `UPDATE receipt SET number = 9`, `DELETE FROM receipt`,
		`INSERT INTO cash_entry SELECT id, (SELECT id FROM cash_day) FROM ledger_line WHERE source = 'bank'`,
	} {
		if _, err := w.DB.Exec(ctx, sql); err == nil {
			t.Errorf("%s is let through", sql)
		}
	}

	// The bank takes what is not left, once.
	bag := cash.Bag{Key: uuid.New(), Days: []uuid.UUID{day}, On: civil.DateOf(w.Now(), civil.Brussels), Reference: "SAC 12"}
	for range 2 {
		if _, err := w.cash.Bring(ctx, w.agent, bag); err != nil {
			t.Fatal(err)
		}
	}
	bag.Key = uuid.New()
	if _, err := w.cash.Bring(ctx, w.agent, bag); !problem.Is(err, problem.KindConflict) {
		t.Errorf("brought twice: %v", err)
	}
	if list, err := w.cash.Deposits(ctx, 10); err != nil || len(list) != 1 || list[0].Cents != 3900 || list[0].Reference != "SAC 12" {
		t.Errorf("deposits %+v, %v", list, err)
	}
	if list, err := w.cash.ToBring(ctx); err != nil || len(list) != 0 {
		t.Errorf("still to bring: %+v, %v", list, err)
	}

	// The next day begins with what was left, or says why not.
	if got := fault(func() error {
		_, err := w.cash.Open(ctx, w.agent, cash.Opening{Key: uuid.New(), Desk: "Guichet", Float: 4000})
		return err
	}(), "why"); got != "cash.float_differs" {
		t.Errorf("another float: %q", got)
	}
	w.open(t, 5000)
	if _, err := w.cash.Open(ctx, w.agent, cash.Opening{Key: uuid.New(), Desk: "Guichet", Float: 5000}); !problem.Is(err, problem.KindConflict) {
		t.Errorf("opened twice: %v", err)
	}
}

// TestTakeBack takes a wrong payment back while the day is open; the registration keeps its state and a task tells.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	due, reg := w.due(t)
	day := w.open(t, 0)
	if err := w.pay(t, due, 6000, "cash"); err != nil {
		t.Fatal(err)
	}
	entries, err := w.cash.Entries(ctx, day)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if got := fault(w.Enrol.TakeBackAtDesk(ctx, w.agent, entries[0].LineID, " "), "reason"); got != "form.required" {
		t.Errorf("without a reason: %q", got)
	}
	if err := w.Enrol.TakeBackAtDesk(ctx, w.agent, entries[0].LineID, "mauvais enfant"); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.TakeBackAtDesk(ctx, w.agent, entries[0].LineID, "encore"); !problem.Is(err, problem.KindConflict) {
		t.Errorf("taken back twice: %v", err)
	}
	d, _ := w.cash.Day(ctx, day)
	if d.Drawer() != 0 || d.CashIn != 6000 || d.CashOut != 6000 {
		t.Errorf("the drawer has %v of %v less %v", d.Drawer(), d.CashIn, d.CashOut)
	}
	if got := w.Read(t, reg).State; got != enrol.Confirmed {
		t.Errorf("it became %s; a correction is a task, never a state", got)
	}
	if n := w.count(t, `SELECT count(*) FROM task WHERE kind = 'owes_again' AND done_at IS NULL AND subject_id = $1`, reg.String()); n != 1 {
		t.Errorf("%d tasks tell that it is covered no more", n)
	}
	entries, _ = w.cash.Entries(ctx, day)
	if len(entries) != 2 || !entries[0].TakenBack || entries[1].Kind != "refund" || entries[1].Number != 2 {
		t.Errorf("entries %+v", entries)
	}
	one, err := w.cash.Receipt(ctx, entries[1].LineID)
	if err != nil || one.Reverses != 1 || one.Owed != 6000 {
		t.Errorf("receipt %+v, %v", one, err)
	}
	if err := w.pay(t, due, 6000, "cash"); err != nil {
		t.Fatal(err)
	}
	entries, _ = w.cash.Entries(ctx, day)
	if err := w.cash.Close(ctx, w.agent, day, cash.Count{Key: uuid.New(), Cents: cents(6000)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.TakeBackAtDesk(ctx, w.agent, entries[2].LineID, "trop tard"); !problem.Is(err, problem.KindConflict) {
		t.Errorf("taken back from a closed day: %v", err)
	}
	if _, err := w.cash.Receipt(ctx, uuid.New()); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a receipt that is not: %v", err)
	}
}

// TestTwoDesks puts money in the day of whoever takes it.
func TestTwoDesks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	due, _ := w.due(t)
	other := w.account(t, "Bruno")
	mine := w.open(t, 0)
	theirs, err := w.cash.Open(ctx, other, cash.Opening{Key: uuid.New(), Desk: "Piscine"})
	if err != nil {
		t.Fatal(err)
	}
	third := w.account(t, "Carla")
	if got := fault(w.Enrol.RecordPayment(ctx, third, due, 100, "cash", uuid.New()), "source"); got != "cash.which_desk" {
		t.Errorf("somebody without a desk beside two: %q", got)
	}
	if err := w.Enrol.RecordPayment(ctx, other, due, 300, "cash", uuid.New()); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(t, due, 200, "cash"); err != nil {
		t.Fatal(err)
	}
	a, _ := w.cash.Day(ctx, mine)
	b, _ := w.cash.Day(ctx, theirs)
	if a.Drawer() != 200 || b.Drawer() != 300 {
		t.Errorf("drawers of %v and %v, want 200 and 300", a.Drawer(), b.Drawer())
	}
}

// TestOvernight makes a task of a day that nobody closed, once, which closing ends.
func TestOvernight(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	day := w.open(t, 1000)
	if n, err := w.cash.Overnight(ctx); err != nil || n != 0 {
		t.Errorf("on the day itself %d, %v", n, err)
	}
	w.Pass(24 * time.Hour)
	for range 2 {
		if n, err := w.cash.Overnight(ctx); err != nil || n != 1 {
			t.Errorf("the next day %d, %v", n, err)
		}
	}
	const open = `SELECT count(*) FROM task WHERE kind = 'desk_open' AND done_at IS NULL`
	if n := w.count(t, open); n != 1 {
		t.Errorf("%d tasks", n)
	}
	if err := w.cash.Close(ctx, w.agent, day, cash.Count{Key: uuid.New(), Cents: cents(1000), Left: 1000}); err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, open); n != 0 {
		t.Errorf("%d tasks after closing", n)
	}
}

// TestRush pays at two desks from many hands while one of the days is being closed: receipts have no gap, and every cent
// is in exactly one day.
func TestRush(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	day := w.open(t, 0)
	const hands = 12
	dues := make([]uuid.UUID, hands)
	for i := range dues {
		dues[i], _ = w.due(t)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken, refused := 0, 0
	for _, due := range dues {
		wg.Go(func() {
			err := w.Enrol.RecordPayment(ctx, w.agent, due, 1000, "cash", uuid.New())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken++
			case fault(err, "source") == "cash.no_desk":
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		for {
			d, err := w.cash.Day(ctx, day)
			if err != nil {
				t.Error(err)
				return
			}
			err = w.cash.Close(ctx, w.agent, day, cash.Count{Key: uuid.New(), Cents: cents(d.Drawer())})
			if err == nil {
				return
			}
			if fault(err, "why") != "cash.why_needed" { // somebody paid meanwhile: count again
				t.Error(err)
				return
			}
		}
	})
	wg.Wait()
	d, err := w.cash.Day(ctx, day)
	if err != nil || taken+refused != hands || *d.Counted != civil.Cents(taken*1000) || d.Difference() != 0 || *d.Expected != d.Drawer() {
		t.Errorf("%d taken, %d refused, closed with %+v, %v", taken, refused, d, err)
	}
	if n := w.count(t, `SELECT count(*) FROM receipt`); n != taken || w.count(t, `SELECT COALESCE(max(number), 0) FROM receipt`) != taken {
		t.Errorf("%d receipts for %d payments", n, taken)
	}
	var b ledger.Booked
	if b, err = ledger.ReadLine(ctx, w.DB, uuid.New()); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a line that is not: %+v, %v", b, err)
	}
}
