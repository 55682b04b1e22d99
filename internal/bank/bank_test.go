package bank_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/bank"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

var actor = audit.Command("test")

// world is a commune with its bank.
type world struct {
	*enroltest.World
	bank *bank.Store
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{World: enroltest.New(t)}
	w.bank = bank.New(w.DB, w.Enrol, w.Now)
	return w
}

// owing is a family's registration that is to be paid, with its due.
type owing struct {
	id, due       uuid.UUID
	communication string
}

// owes makes a registration of a child that waits for 60,00 €.
func (w *world) owes(t *testing.T, f enroltest.Family, child int, campID uuid.UUID) owing {
	t.Helper()
	ctx := context.Background()
	r, err := w.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[child].ID, CampID: campID})
	if err != nil {
		t.Fatal(err)
	}
	w.Validate(t, f, r)
	o := owing{id: r.ID}
	if err := w.DB.QueryRow(ctx, `SELECT id, communication FROM due WHERE registration_id = $1`, r.ID).Scan(&o.due, &o.communication); err != nil {
		t.Fatal(err)
	}
	return o
}

// moved is one movement of a CODA file.
type moved struct {
	cents      int
	structured string
	free       string
	name, iban string
	ref        string
}

// coda writes a statement as a bank does, in Latin-1.
func coda(number int, list ...moved) string {
	var b strings.Builder
	line := func(pieces map[int]string) {
		row := bytes.Repeat([]byte(" "), 128)
		for at, s := range pieces {
			for _, r := range s {
				row[at] = byte(r)
				at++
			}
		}
		b.Write(append(row, '\r', '\n'))
	}
	amount := func(cents int) (sign, digits string) {
		if cents < 0 {
			return "1", fmt.Sprintf("%015d", -cents*10)
		}
		return "0", fmt.Sprintf("%015d", cents*10)
	}
	line(map[int]string{0: "0", 5: "030527", 14: "05", 127: "2"})
	line(map[int]string{0: "12", 5: "BE15091000000130", 39: "EUR", 42: "0", 43: "000000001000000", 58: "020527", 125: fmt.Sprintf("%03d", number)})
	sum, debit, credit, count := 100000, 0, 0, 2
	for i, m := range list {
		sign, digits := amount(m.cents)
		comm := "0" + m.free
		if m.structured != "" {
			comm = "1101" + m.structured
		}
		ref := m.ref
		if ref == "" {
			ref = fmt.Sprintf("REF%03d%04d", number, i)
		}
		seq := fmt.Sprintf("%04d", i+1)
		line(map[int]string{0: "21", 2: seq + "0000" + ref, 31: sign + digits + "030527" + "00150000" + comm, 115: "030527" + fmt.Sprintf("%03d", number) + "01", 127: "0"})
		line(map[int]string{0: "23", 2: seq + "0000" + m.iban, 44: "EUR" + m.name})
		sum += m.cents
		count += 2
		if m.cents < 0 {
			debit -= m.cents
		} else {
			credit += m.cents
		}
	}
	sign, digits := amount(sum)
	line(map[int]string{0: "8", 41: sign + digits + "030527"})
	line(map[int]string{0: "9", 16: fmt.Sprintf("%06d%015d%015d", count, debit*10, credit*10), 127: "2"})
	return b.String()
}

func (w *world) bring(t *testing.T, text string) bank.Result {
	t.Helper()
	in, err := w.bank.Import(context.Background(), actor, "releve.cod", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return in.Result
}

// counts are what a test looks at of a result.
func counts(r bank.Result) [5]int { return [5]int{r.New, r.Known, r.Matched, r.Queued, r.Aside} }

func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// failer is a test, or one draw of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// holds fails unless every promise of enrolment is kept.
func (w *world) holds(t failer) {
	t.Helper()
	for name, sql := range enrol.Invariants {
		var broken int
		if err := w.DB.QueryRow(context.Background(), `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
			t.Fatalf("%s: %d rows break it (%v)", name, broken, err)
		}
	}
}

// reasons returns the reasons of all entries by the counterparty's name.
func (w *world) reasons(t *testing.T) map[string]string {
	t.Helper()
	rows, err := w.DB.Query(context.Background(), `SELECT counterparty_name, state || ' ' || reason FROM bank_entry`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, reason string
		if err := rows.Scan(&name, &reason); err != nil {
			t.Fatal(err)
		}
		all[name] = strings.TrimSpace(strings.ReplaceAll(reason, "bank.", ""))
	}
	return all
}

// TestImport brings one statement with every kind of money: what is certain is booked, all else waits or stands aside
// with its reason.
func TestImport(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := w.Family(t, 2)
	c, other := w.Camp(t, "Stage", 0), w.CampOn(t, "Août", 0, civil.NewDate(2027, 8, 2), civil.NewDate(2027, 8, 6))
	exact, written := w.owes(t, f, 0, c.ID), w.owes(t, f, 1, c.ID)
	part, over := w.owes(t, f, 0, other.ID), w.owes(t, f, 1, other.ID)
	stranger, err := transfer.New(999)
	if err != nil {
		t.Fatal(err)
	}
	file := coda(
		42,
		moved{cents: 6000, structured: exact.communication, name: "EXACT"},
		moved{cents: 6000, free: "stage " + transfer.Communication(written.communication).String(), name: "WRITTEN"},
		moved{cents: 2500, structured: part.communication, name: "PART"},
		moved{cents: 9000, structured: over.communication, name: "OVER"},
		moved{cents: 6000, structured: exact.communication, name: "AGAIN"},
		moved{cents: 6000, structured: stranger.Digits(), name: "STRANGER"},
		moved{cents: 1234, free: "merci " + part.communication, name: "WRITTENOTHER"},
		moved{cents: 5000, free: "un don", name: "NONE"},
		moved{cents: 45670, free: "settlement", name: "MOLLIE PAYMENTS"},
		moved{cents: -3000, free: "fournitures", name: "SHOP"},
		moved{cents: -6000, structured: exact.communication, name: "BOUNCED"},
	)
	got := w.bring(t, file)
	if want := [5]int{11, 0, 5, 4, 2}; counts(got) != want {
		t.Errorf("new, known, matched, queued, aside: %v, want %v", counts(got), want)
	}
	want := map[string]string{
		"EXACT": "matched", "WRITTEN": "matched", "PART": "matched note.part", "OVER": "matched note.over", "AGAIN": "matched note.double",
		"STRANGER": "queued reason.unknown", "WRITTENOTHER": "queued reason.written", "NONE": "queued reason.none",
		"MOLLIE PAYMENTS": "aside reason.payout", "SHOP": "aside reason.outgoing", "BOUNCED": "queued reason.outgoing_ours",
	}
	if diff := cmp.Diff(want, w.reasons(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, v := range []struct {
		o    owing
		want enrol.State
	}{{exact, enrol.Confirmed}, {written, enrol.Confirmed}, {over, enrol.Confirmed}, {part, enrol.AwaitingPayment}} {
		if got := w.Read(t, v.o.id).State; got != v.want {
			t.Errorf("a registration is %s, want %s", got, v.want)
		}
	}
	for kind, want := range map[string]int{"over_paid": 2, "part_paid": 1} {
		if n := w.count(t, `SELECT count(*) FROM task WHERE kind = $1 AND done_at IS NULL`, kind); n != want {
			t.Errorf("%d tasks %s, want %d", n, kind, want)
		}
	}
	// Money counts on the day on which the bank booked it.
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE source = 'bank' AND (at AT TIME ZONE 'Europe/Brussels')::date = '2027-05-03'`); n != 5 {
		t.Errorf("%d lines on the bank's day, want 5", n)
	}
	w.holds(t)

	// The same file changes nothing; neither does its content in other words.
	lines := w.count(t, `SELECT count(*) FROM ledger_line`)
	for name, again := range map[string]string{"the same": file, "without carriage returns": strings.ReplaceAll(file, "\r\n", "\n")} {
		if got := w.bring(t, again); counts(got) != [5]int{0, 11, 0, 0, 0} || !got.Statements[0].Known {
			t.Errorf("%s file again: %v", name, counts(got))
		}
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line`); n != lines {
		t.Errorf("%d ledger lines after the same file, want %d", n, lines)
	}

	// What is missing comes, and the task goes.
	w.bring(t, coda(43, moved{cents: 3500, structured: part.communication, name: "REST"}))
	if got := w.Read(t, part.id).State; got != enrol.Confirmed {
		t.Errorf("paid in two parts it is %s", got)
	}
	if n := w.count(t, `SELECT count(*) FROM task WHERE kind = 'part_paid' AND done_at IS NULL`); n != 0 {
		t.Error("the task of the first part stays")
	}
	w.holds(t)
}

// TestLate brings money for a place that was given up.
func TestLate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f, g := w.Family(t, 1), w.Family(t, 1)
	c := w.Camp(t, "Stage", 1)
	late := w.owes(t, f, 0, c.ID)
	w.Pass(30 * 24 * 3600e9)
	if _, err := w.Enrol.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Ask(t, g, 0, c) // takes the only place
	w.bring(t, coda(1, moved{cents: 6000, structured: late.communication, name: "LATE"}))
	if got := w.Read(t, late.id).State; got != enrol.Expired {
		t.Errorf("the late one is %s, want expired: its place is taken", got)
	}
	if n := w.count(t, `SELECT count(*) FROM task WHERE kind = 'late_money'`); n != 1 {
		t.Error("nobody is told of the late money")
	}
	w.holds(t)
}

// TestTwoImporters bring the same file at the same time: every cent is booked once.
func TestTwoImporters(t *testing.T) {
	t.Parallel()
	w := setup(t)
	c := w.Camp(t, "Stage", 0)
	var list []moved
	for i := range 6 {
		o := w.owes(t, w.Family(t, 1), 0, c.ID)
		list = append(list, moved{cents: 6000, structured: o.communication, name: fmt.Sprint("P", i)})
	}
	file := coda(7, list...)
	var wg sync.WaitGroup
	results := make([]bank.Import, 4)
	errs := make([]error, len(results))
	for i := range results {
		wg.Go(func() { results[i], errs[i] = w.bank.Import(context.Background(), actor, "releve.cod", []byte(file)) })
	}
	wg.Wait()
	added := 0
	for i, r := range results {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		added += r.Result.New
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE source = 'bank'`); n != 6 || added != 6 {
		t.Errorf("%d lines and %d new entries, want 6", n, added)
	}
	if n := w.count(t, `SELECT count(*) FROM registration WHERE state = 'confirmed'`); n != 6 {
		t.Errorf("%d confirmed, want 6", n)
	}
	w.holds(t)
}

// TestQueue shows for money without a communication whom it may come from, and books it at a person's word alone.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	c, other := w.Camp(t, "Stage", 0), w.CampOn(t, "Août", 0, civil.NewDate(2027, 8, 2), civil.NewDate(2027, 8, 6))
	f := w.Family(t, 2)
	one, two := w.owes(t, f, 0, c.ID), w.owes(t, f, 1, c.ID)
	w.bring(t, coda(1,
		moved{cents: 6000, free: "stage de LÉAB", name: "LAMBERT-SOPHIE", iban: "BE68539007547034"},
		moved{cents: 777, free: "don", name: "PERSONNE"}))
	queue, err := w.bank.Queue(ctx, 10)
	if err != nil || len(queue) != 2 {
		t.Fatalf("%d wait, %v", len(queue), err)
	}
	first := queue[0]
	if first.CounterpartyName != "LAMBERT-SOPHIE" {
		first = queue[1]
	}
	if len(first.Candidates) != 2 {
		t.Fatalf("candidates %+v", first.Candidates)
	}
	if best, next := first.Candidates[0], first.Candidates[1]; best.RegistrationID != two.id || best.Confidence != 85 || best.Owed != 6000 ||
		best.Payer != "Sophie Lambert" || next.RegistrationID != one.id || next.Confidence != 70 {
		t.Errorf("the child that is named does not come first: %+v", first.Candidates)
	}
	if n := w.count(t, `SELECT count(*) FROM ledger_line WHERE source = 'bank'`); n != 0 {
		t.Fatal("a likeness was booked by itself")
	}
	if err := w.bank.Match(ctx, actor, first.ID, two.due); err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, two.id).State; got != enrol.Confirmed {
		t.Errorf("matched by hand it is %s", got)
	}
	if err := w.bank.Match(ctx, actor, first.ID, one.due); !problem.Is(err, problem.KindConflict) {
		t.Errorf("booked twice: %v", err)
	}

	// The account is known from then on.
	third := w.owes(t, f, 0, other.ID)
	w.bring(t, coda(2, moved{cents: 4000, free: "", name: "COMPTE COMMUN", iban: "BE68539007547034"}, moved{cents: 6000, name: "COMPTE COMMUN", iban: "BE68539007547034", ref: "Z"}))
	if queue, err = w.bank.Queue(ctx, 10); err != nil {
		t.Fatal(err)
	}
	for _, v := range queue {
		switch {
		case v.Cents == 6000 && (len(v.Candidates) != 2 || v.Candidates[0].Confidence != 75):
			t.Errorf("a known account and amount: %+v", v.Candidates)
		case v.Cents == 4000 && len(v.Candidates) != 0:
			t.Errorf("an account alone says too little: %+v", v.Candidates)
		case v.Cents == 4000:
			if err := w.bank.MatchCommunication(ctx, actor, v.ID, transfer.Communication(third.communication).String()); err != nil {
				t.Error(err)
			}
		case v.Cents == 777:
			for _, typed := range []string{"", "12", "202600000192"} {
				if err := w.bank.MatchCommunication(ctx, actor, v.ID, typed); !problem.Is(err, problem.KindInvalid) {
					t.Errorf("matched with %q: %v", typed, err)
				}
			}
			for _, do := range []func() error{
				func() error { return w.bank.SetAside(ctx, actor, v.ID) },
				func() error { return w.bank.TakeBack(ctx, actor, v.ID) },
				func() error { return w.bank.SetAside(ctx, actor, v.ID) },
			} {
				if err := do(); err != nil {
					t.Error(err)
				}
			}
			if err := w.bank.Match(ctx, actor, v.ID, one.due); !problem.Is(err, problem.KindConflict) {
				t.Errorf("booked from aside: %v", err)
			}
		}
	}
	if err := w.bank.TakeBack(ctx, actor, first.ID); !problem.Is(err, problem.KindConflict) {
		t.Errorf("booked money taken back: %v", err)
	}
	if err := w.bank.Match(ctx, actor, uuid.New(), one.due); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("an entry that is not: %v", err)
	}
	if n, err := w.bank.Waiting(ctx); err != nil || n != 1 {
		t.Errorf("%d wait, %v, want 1", n, err)
	}
	w.holds(t)
}

// TestAsRead proves that the database keeps what the bank said, and what was booked.
func TestAsRead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	o := w.owes(t, w.Family(t, 1), 0, w.Camp(t, "Stage", 0).ID)
	w.bring(t, coda(42, moved{cents: 6000, structured: o.communication, name: "X"}, moved{cents: 100, name: "Y"}))
	for _, sql := range []string{
		`UPDATE bank_entry SET cents = 1 WHERE counterparty_name = 'Y'`,
		`UPDATE bank_entry SET state = 'queued', due_id = NULL WHERE counterparty_name = 'X'`,
		`UPDATE bank_entry SET state = 'matched' WHERE counterparty_name = 'Y'`,
		`DELETE FROM bank_entry`, `TRUNCATE bank_entry`, `DELETE FROM bank_statement`, `UPDATE bank_statement SET closing_cents = 0`,
	} {
		if _, err := w.DB.Exec(context.Background(), sql); err == nil {
			t.Errorf("%s is let through", sql)
		}
	}
}

// TestMain makes the random files few in the suite; `go test -rapid.checks=200 -run AnyMatching` looks harder.
func TestMain(m *testing.M) {
	flag.Parse()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("15"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
