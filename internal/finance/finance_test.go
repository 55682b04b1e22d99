package finance_test

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/finance"
	"ribambelle/internal/ledger"
)

func TestMain(m *testing.M) {
	flag.Parse()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("25"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// world is a commune with six charged registrations of three families in two camps, of which a test books lines.
type world struct {
	*enroltest.World
	finance *finance.Store
	dues    []ledger.Due
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{World: enroltest.New(t)}
	w.finance = finance.New(w.DB, w.Now)
	one := w.CampOn(t, "Cirque", 20, civil.NewDate(2027, 7, 5), civil.NewDate(2027, 7, 9))
	two := w.CampOn(t, "Kayak", 20, civil.NewDate(2027, 7, 12), civil.NewDate(2027, 7, 16))
	w.exec(t, `UPDATE camp SET budget_article = '76101/161-01' WHERE id = $1`, one.ID)
	for range 3 {
		f := w.Family(t, 1)
		for _, r := range []uuid.UUID{w.Ask(t, f, 0, one).ID, w.Ask(t, f, 0, two).ID} {
			if err := w.Enrol.Decide(t.Context(), f.Account, r, true, ""); err != nil {
				t.Fatal(err)
			}
			d, err := ledger.DueOf(t.Context(), w.DB, r)
			if err != nil {
				t.Fatal(err)
			}
			w.dues = append(w.dues, d)
		}
	}
	return w
}

func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := w.DB.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) book(d ledger.Due, kind ledger.Kind, cents civil.Cents, source string, at time.Time) error {
	return w.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
		_, err := ledger.Add(ctx, tx, d, ledger.Line{Kind: kind, Cents: cents, Label: "ledger.rest", Source: source, Actor: "test", At: at})
		return err
	})
}

// cents asks the ledger itself.
func (w *world) cents(r interface{ Fatal(...any) }, sql string, args ...any) (c civil.Cents) {
	if err := w.DB.QueryRow(context.Background(), sql, args...).Scan(&c); err != nil {
		r.Fatal(err)
	}
	return c
}

const signed = `COALESCE(sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END), 0)::bigint`

// TestSumsAreTheLedgers books random lines over two years and compares every list with SQL over the ledger: what is
// owed by payer, camp and child, the ages, the day book, the providers, the budget, and the books in double entry.
func TestSumsAreTheLedgers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(r, "lines") {
			err := w.book(w.dues[rapid.IntRange(0, len(w.dues)-1).Draw(r, "due")],
				rapid.SampledFrom([]ledger.Kind{ledger.Charge, ledger.Fee, ledger.Reduction, ledger.WriteOff, ledger.Payment, ledger.Refund}).Draw(r, "kind"),
				civil.Cents(rapid.Int64Range(1, 20_000).Draw(r, "cents")),
				rapid.SampledFrom([]string{"tariff", "mollie", "bank", "cash", "credit", "terminal"}).Draw(r, "source"),
				enroltest.Start.AddDate(0, 0, -rapid.IntRange(0, 500).Draw(r, "days")))
			if err != nil {
				r.Fatal(err)
			}
		}
		all := w.cents(r, `SELECT `+signed+` FROM ledger_line`)
		totals, err := w.finance.Totals(ctx)
		if err != nil {
			r.Fatal(err)
		}
		if got := totals.Owed() - totals.Back; got != all {
			r.Fatalf("owed %d less %d back, the ledger says %d", totals.Owed(), totals.Back, all)
		}
		for _, by := range []finance.By{finance.ByPayer, finance.ByCamp, finance.ByChild} {
			list, err := w.finance.Owed(ctx, by, finance.Range{})
			if err != nil {
				r.Fatal(err)
			}
			var sum finance.Totals
			for _, one := range list {
				sum.Later, sum.To30, sum.To60, sum.To90, sum.Above = sum.Later+one.Later, sum.To30+one.To30, sum.To60+one.To60, sum.To90+one.To90, sum.Above+one.Above
				sum.Back += one.Back
			}
			if diff := cmp.Diff(totals, sum); diff != "" {
				r.Fatalf("by %s (-want +got):\n%s", by, diff)
			}
		}
		from := civil.NewDate(2026, 1, rapid.IntRange(1, 31).Draw(r, "from"))
		p := finance.Period{From: from, To: from.AddDays(rapid.IntRange(0, 500).Draw(r, "to"))}
		w.compare(r, p)
	})
}

// compare holds the lists of a period against each other and against the ledger.
func (w *world) compare(r *rapid.T, p finance.Period) {
	ctx := context.Background()
	const period = ` FROM ledger_line WHERE (at AT TIME ZONE 'Europe/Brussels')::date BETWEEN $1 AND $2`
	want := w.cents(r, `SELECT `+signed+period, p.From, p.To)
	totals, err := w.finance.DayBookTotals(ctx, p)
	if err != nil {
		r.Fatal(err)
	}
	book, err := w.finance.DayBook(ctx, p, finance.Range{})
	if err != nil {
		r.Fatal(err)
	}
	var sum civil.Cents
	for _, e := range book {
		sum += e.Signed()
	}
	if totals.Change() != want || sum != want || totals.Lines != len(book) {
		r.Fatalf("the day book changes %d, its %d lines %d, the ledger %d", totals.Change(), len(book), sum, want)
	}
	var pages []finance.Entry
	for offset := 0; ; offset += 7 {
		one, err := w.finance.DayBook(ctx, p, finance.Range{Limit: 7, Offset: offset})
		if err != nil {
			r.Fatal(err)
		}
		if pages = append(pages, one...); len(one) < 7 {
			break
		}
	}
	if diff := cmp.Diff(book, pages, cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("page by page it is another book (-want +got):\n%s", diff)
	}
	taken, err := w.finance.ByProvider(ctx, p)
	if err != nil {
		r.Fatal(err)
	}
	var net civil.Cents
	for _, one := range taken {
		net += one.Net()
	}
	if net != totals.Paid-totals.Refunded {
		r.Fatalf("the providers brought %d, the day book says %d", net, totals.Paid-totals.Refunded)
	}
	budgets, err := w.finance.ByBudget(ctx, p)
	if err != nil {
		r.Fatal(err)
	}
	var change civil.Cents
	for _, one := range budgets {
		change += one.Change()
	}
	if change != want {
		r.Fatalf("the budget articles change %d, the ledger %d", change, want)
	}
	postings, err := w.finance.Postings(ctx, p)
	if err != nil {
		r.Fatal(err)
	}
	var debit, credit, debtors civil.Cents
	for _, one := range postings {
		debit, credit = debit+one.Debit, credit+one.Credit
		if one.Account == "40000" {
			debtors += one.Debit - one.Credit
		}
	}
	if debit != credit || debtors != want || len(postings) != 2*len(book) {
		r.Fatalf("debit %d, credit %d, debtors %d; the ledger %d", debit, credit, debtors, want)
	}
}

// TestPostBalances posts any line on any accounts: both sides are equal, and never one account alone unless the
// settings name it twice.
func TestPostBalances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := func(name string) string { return rapid.StringMatching(`[0-9]{0,5}`).Draw(r, name) }
		a := finance.Accounts{
			Debtors: s("debtors"), Revenue: s("revenue"), Fees: s("fees"), Losses: s("losses"),
			Bank: s("bank"), Cash: s("cash"), Online: s("online"), Transfer: s("transfer"),
		}
		e := finance.Entry{
			Kind:   ledger.Kind(rapid.SampledFrom([]string{"charge", "fee", "reduction", "write_off", "payment", "refund"}).Draw(r, "kind")),
			Cents:  civil.Cents(rapid.Int64Range(1, 1<<40).Draw(r, "cents")),
			Source: rapid.SampledFrom([]string{"tariff", "mollie", "bank", "cash", "credit", "staff", ""}).Draw(r, "source"),
		}
		both := a.Post(e)
		if both[0].Debit+both[1].Debit != e.Cents || both[0].Credit+both[1].Credit != e.Cents || both[0].Debit*both[0].Credit != 0 {
			r.Fatalf("%+v is posted as %+v", e, both)
		}
		debtors := both[0]
		if e.Signed() < 0 {
			debtors = both[1]
		}
		if debtors.Account != a.Debtors || debtors.Debit-debtors.Credit != e.Signed() {
			r.Fatalf("%+v moves the debtors by %+v", e, debtors)
		}
	})
}

// TestAgeing puts debts of known age into their buckets: the bounds, a plan whose second part comes later, and a cover.
func TestAgeing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	today := civil.DateOf(enroltest.Start, civil.Brussels)
	for i, days := range []int{-1, 0, 30, 31, 60, 61, 90, 91} {
		if i == len(w.dues) {
			break
		}
		w.exec(t, `UPDATE registration SET due_at = $2 WHERE id = $1`, w.dues[i].RegistrationID, today.AddDays(-days).At(20*60, civil.Brussels))
	}
	rows, err := w.DB.Query(t.Context(), `SELECT price_cents FROM registration ORDER BY created_at LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	price, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[civil.Cents])
	if err != nil {
		t.Fatal(err)
	}
	totals, err := w.finance.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(finance.Buckets{Later: price, To30: 2 * price, To60: 2 * price, To90: price}, totals.Buckets); diff != "" {
		t.Fatalf("the ages (-want +got):\n%s", diff)
	}
	// The last one gets a plan: a deposit that was due 91 days ago, the rest in ten days; half of the deposit is paid.
	last := w.dues[5]
	w.exec(t, `INSERT INTO instalment (due_id, position, due_on, cents) VALUES ($1, 0, $2, 2000), ($1, 1, $3, $4)`,
		last.ID, today.AddDays(-91), today.AddDays(10), price-2000)
	if err := w.book(last, ledger.Payment, 500, "cash", enroltest.Start); err != nil {
		t.Fatal(err)
	}
	if totals, err = w.finance.Totals(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(finance.Buckets{Later: price + price - 2000, To30: 2 * price, To60: 2 * price, Above: 1500}, totals.Buckets); diff != "" {
		t.Errorf("with a plan (-want +got):\n%s", diff)
	}
}
