package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// book adds a line to a due, as enrolment does under the registration's lock.
func book(t testing.TB, w *enroltest.World, d ledger.Due, kind ledger.Kind, cents civil.Cents, label, source string) {
	t.Helper()
	err := w.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
		_, err := ledger.Add(ctx, tx, d, ledger.Line{Kind: kind, Cents: cents, Label: label, Source: source, Actor: "test", At: w.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func papers(t testing.TB, w *enroltest.World, id uuid.UUID, o ledger.Occasion) {
	t.Helper()
	err := w.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
		return ledger.Papers(ctx, tx, w.Jobs, id, o, "credit.reason.changed", w.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// documents writes the invoices and credit notes of a due as "number total".
func documents(t testing.TB, w *enroltest.World, dueID uuid.UUID) (all []string) {
	t.Helper()
	rows, err := w.DB.Query(t.Context(), `
		SELECT content->>'Number' || ' ' || sign * total_cents
		FROM (
		  SELECT content, total_cents, 1 AS sign, issued_at FROM invoice WHERE due_id = $1
		  UNION ALL
		  SELECT content, total_cents, -1, issued_at FROM credit_note WHERE due_id = $1
		) x
		ORDER BY issued_at, content->>'Number'`, dueID)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	return all
}

func setting(t testing.TB, w *enroltest.World, key, value string) {
	t.Helper()
	if err := camp.SetSetting(context.Background(), w.DB, audit.Command("test"), key, value); err != nil {
		t.Fatal(err)
	}
}

func due(t testing.TB, w *enroltest.World, r enrol.Registration) ledger.Due {
	t.Helper()
	d, err := ledger.DueOf(t.Context(), w.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPapersFollowTheLedger(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.Camp(t, "Cirque", 5)))
	d := due(t, w, r)
	step := func(what string, o ledger.Occasion, want ...string) {
		t.Helper()
		w.Pass(time.Minute)
		for range 2 { // the second time there is nothing to do
			papers(t, w, r.ID, o)
			if diff := cmp.Diff(want, documents(t, w, d.ID), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", what, diff)
			}
		}
	}
	price := r.PriceCents
	step("charged, and the commune invoices at confirmation", ledger.OnCharge)
	first := fmt.Sprintf("F-2027-00001 %d", price)
	step("confirmed", ledger.OnConfirmation, first)

	book(t, w, d, ledger.Charge, 500, "Repas du vendredi", "tariff")
	step("another charge completes it", ledger.OnCharge, first, "F-2027-00002 500")

	book(t, w, d, ledger.Fee, 700, "dunning.fee", ledger.SourceDunning)
	step("a reminder's fee stands on no invoice", ledger.OnCharge, first, "F-2027-00002 500")

	book(t, w, d, ledger.Reduction, price+500, "ledger.given_up", "staff")
	book(t, w, d, ledger.Fee, 1000, "ledger.cancel_fee", "tariff")
	step("the exit credits the newest invoice first, and keeps the fee", ledger.OnReduction,
		first, "F-2027-00002 500", "NC-2027-00001 -500", fmt.Sprintf("NC-2027-00002 -%d", price-1000))

	book(t, w, d, ledger.WriteOff, 1000, "ledger.fee_back", "staff")
	step("a fee that is taken back is credited", ledger.OnReduction,
		first, "F-2027-00002 500", "NC-2027-00001 -500", fmt.Sprintf("NC-2027-00002 -%d", price-1000), "NC-2027-00003 -1000")

	book(t, w, d, ledger.WriteOff, 700, "Irrécouvrable", "staff")
	book(t, w, d, ledger.Charge, price, "price.camp", "tariff")
	step("taken back, it is invoiced again", ledger.OnConfirmation,
		first, "F-2027-00002 500", "NC-2027-00001 -500", fmt.Sprintf("NC-2027-00002 -%d", price-1000), "NC-2027-00003 -1000", fmt.Sprintf("F-2027-00003 %d", price))
	for name, sql := range ledger.Invariants {
		var broken int
		if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
			t.Errorf("%s: %d rows break it (%v)", name, broken, err)
		}
	}
	var jobs int
	if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind IN ('invoice_issued', 'credit_note_issued')`).Scan(&jobs); err != nil || jobs != 6 {
		t.Errorf("%d documents go to the family, want 6 (%v)", jobs, err)
	}
}

// TestInvoiceBeforePayment asks to pay by a document, in the commune's words and language.
func TestInvoiceBeforePayment(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	for key, value := range map[string]string{"invoice.when": "charged", "invoice.name": "invitation", "commune.language": "de", "invoice.appeal": "Recours : collège communal, 30 jours."} {
		setting(t, w, key, value)
	}
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.Camp(t, "Cirque", 5)))
	papers(t, w, r.ID, ledger.OnCharge)
	list, err := ledger.InvoicesOfDue(t.Context(), w.DB, due(t, w, r).ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d invoices, %v; want one", len(list), err)
	}
	c := list[0].Content
	if c.Called != ledger.CalledInvitation || c.Lang != "de" || !c.PaidOn.IsZero() || c.PayBy != civil.DateOf(*r.DueAt, civil.Brussels) || len(c.Legal) != 1 {
		t.Errorf("the invitation holds %+v", c)
	}
}

// TestPartOfAPrice invoices two payers, each the own part, and shows the second no reduction of the first.
func TestPartOfAPrice(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f, other := w.Family(t, 1), w.Family(t, 0)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.Camp(t, "Cirque", 5)))
	d := due(t, w, r)
	communication, err := transfer.New(9876)
	if err != nil {
		t.Fatal(err)
	}
	var second ledger.Due
	err = w.DB.QueryRow(t.Context(), `
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, part_cents, created_at)
		VALUES ($1, $2, $2, $4, 2000, $3)
		RETURNING id, registration_id, payer_id, debtor_id`, r.ID, other.Guardian.ID, w.Now(), communication.Digits()).Scan(&second.ID, &second.RegistrationID, &second.PayerID, &second.DebtorID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.DB.Exec(t.Context(), `
		UPDATE registration
		SET price_detail = '[{"label": "price.camp", "args": ["Cirque"], "cents": 9000}, {"label": "Tarif social", "cents": -1000}]', price_cents = 8000
		WHERE id = $1`, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r.PriceCents > 8000 {
		t.Fatalf("the camp costs %d", r.PriceCents)
	}
	book(t, w, d, ledger.Charge, 8000-r.PriceCents+1, "ledger.rest", "tariff")
	book(t, w, d, ledger.Reduction, 2001, "ledger.part_out", "tariff")
	book(t, w, second, ledger.Charge, 2000, "ledger.part_in", "tariff")
	papers(t, w, r.ID, ledger.OnConfirmation)
	for _, tt := range []struct {
		due   ledger.Due
		total civil.Cents
		want  []ledger.InvoiceLine
	}{
		{d, 6000, []ledger.InvoiceLine{{Label: "price.camp", Args: []string{"Cirque"}, Cents: 9000}, {Label: "Tarif social", Cents: -1000}}},
		{second, 2000, []ledger.InvoiceLine{{Label: "price.camp", Args: []string{"Cirque"}, Cents: 8000}}},
	} {
		list, err := ledger.InvoicesOfDue(t.Context(), w.DB, tt.due.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d invoices, %v; want one", len(list), err)
		}
		c := list[0].Content
		if diff := cmp.Diff(tt.want, c.Lines); diff != "" || c.Whole != 8000 || c.Total != tt.total {
			t.Errorf("whole %d, part %d, want 8000 and %d (-want +got):\n%s", c.Whole, c.Total, tt.total, diff)
		}
	}
}

func TestCreditNoteNeverAboveItsInvoice(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, w.Camp(t, "Cirque", 5)))
	papers(t, w, r.ID, ledger.OnConfirmation)
	list, err := ledger.InvoicesOfDue(t.Context(), w.DB, due(t, w, r).ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d invoices, %v", len(list), err)
	}
	inv := list[0]
	// Ten at once want a quarter each: four get it.
	quarter := []ledger.InvoiceLine{{Label: "Geste commercial", Cents: inv.TotalCents / 4}}
	var given, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			err := w.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
				_, err := ledger.IssueCreditNote(ctx, tx, inv, quarter, "Geste commercial", w.Now())
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				given++
			case problem.Is(err, problem.KindInvalid):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if given != 4 || refused != 6 {
		t.Errorf("%d credit notes and %d refusals, want 4 and 6", given, refused)
	}
}

// TestNumbersHaveNoGap lets 32 writers issue invoices and credit notes at once, a third of which fail after they drew
// their number: each series is 1, 2, 3… all the same.
func TestNumbersHaveNoGap(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	const writers = 32
	families := []enroltest.Family{w.Family(t, writers/2), w.Family(t, writers/2)}
	c := w.Camp(t, "Cirque", writers)
	var all sync.WaitGroup
	regs := make([]enrol.Registration, writers)
	for i := range regs {
		f := families[i%2]
		regs[i] = w.Validate(t, f, w.Ask(t, f, i/2, c))
	}
	for i, r := range regs {
		d := due(t, w, r)
		all.Go(func() {
			for turn := range 4 {
				err := w.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
					kind, cents, o := ledger.Charge, civil.Cents(100), ledger.OnConfirmation
					if turn%2 == 1 {
						kind, o = ledger.Reduction, ledger.OnReduction
					}
					if _, err := ledger.Add(ctx, tx, d, ledger.Line{Kind: kind, Cents: cents, Label: "Repas", Source: "staff", Actor: "test", At: w.Now()}); err != nil {
						return err
					}
					if err := ledger.Papers(ctx, tx, w.Jobs, r.ID, o, "Repas", w.Now()); err != nil {
						return err
					}
					if (i+turn)%3 == 0 {
						return errGivenUp
					}
					return nil
				})
				if err != nil && err != errGivenUp { //nolint:errorlint // our own, returned as it is
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, table := range []string{"invoice", "credit_note"} {
		var n, last int
		if err := w.DB.QueryRow(t.Context(), `SELECT count(*), max(number) FROM `+table).Scan(&n, &last); err != nil {
			t.Fatal(err)
		}
		if n == 0 || n != last {
			t.Errorf("%s: %d documents, the last is number %d", table, n, last)
		}
		t.Logf("%s: %d documents of %d writers", table, n, writers)
	}
	for name, sql := range ledger.Invariants {
		var broken int
		if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
			t.Errorf("%s: %d rows break it (%v)", name, broken, err)
		}
	}
}

var errGivenUp = fmt.Errorf("given up on purpose")
