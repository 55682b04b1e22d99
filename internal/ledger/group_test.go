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

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
)

// organisation makes one that pays, with an enterprise number.
func organisation(t testing.TB, w *enroltest.World, f enroltest.Family, name, bce string) (id uuid.UUID) {
	t.Helper()
	err := w.DB.QueryRow(context.Background(), `
		INSERT INTO guardian (household_id, kind, first_name, last_name, bce, email)
		SELECT household_id, 'organisation', '', $2, $3, $4
		FROM guardian
		WHERE id = $1
		RETURNING id`, f.Guardian.ID, name, bce, bce+"@example.test").Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// covered is a registration of a new family that an organisation pays in part: confirmed when that is all of it.
func covered(t testing.TB, w *enroltest.World, payer uuid.UUID, campName string, part enrol.PartForm) (enroltest.Family, enrol.Registration, ledger.Due) {
	t.Helper()
	f := w.Family(t, 1)
	r := w.Ask(t, f, 0, w.Camp(t, campName, 5))
	part.PayerID = payer
	err := w.Enrol.AddCover(context.Background(), f.Account, r.ID, enrol.CoverForm{PartForm: part, Reference: "Réf. " + campName})
	if err != nil {
		t.Fatal(err)
	}
	r = w.Validate(t, f, r)
	d, err := ledger.DueFor(context.Background(), w.DB, r.ID, payer)
	if err != nil {
		t.Fatal(err)
	}
	return f, r, d
}

// all is the whole price.
var all = enrol.PartForm{Share: 10000}

func organisations(w *enroltest.World) *ledger.Organisations {
	return ledger.NewOrganisations(w.DB, w.Now, w.Jobs)
}

// nextMonth moves the clock to the morning of the first day of the next month.
func nextMonth(w *enroltest.World) civil.Date {
	day := civil.DateOf(w.Now(), civil.Brussels)
	first := civil.NewDate(day.Year, day.Month+1, 1)
	w.Pass(first.At(6*60+30, civil.Brussels).Sub(w.Now()))
	return civil.NewDate(day.Year, day.Month, 1)
}

func months(t testing.TB, w *enroltest.World, want int) {
	t.Helper()
	got, err := organisations(w).InvoiceMonths(context.Background(), audit.Job("test"))
	if err != nil || got != want {
		t.Fatalf("made %d invoices, want %d (%v)", got, want, err)
	}
}

func holds(t testing.TB, w *enroltest.World) {
	t.Helper()
	for _, all := range []map[string]string{ledger.Invariants, enrol.Invariants} {
		for name, sql := range all {
			var broken int
			if err := w.DB.QueryRow(context.Background(), `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
				t.Errorf("%s: %d rows break it (%v)", name, broken, err)
			}
		}
	}
}

// TestInvoiceOfAMonth makes one invoice for each organisation of all that the month brought, once, and credits what was
// taken back since on the part that it was.
func TestInvoiceOfAMonth(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f := w.Family(t, 0)
	cpas, club := organisation(t, w, f, "CPAS de Valmont", "0123456749"), organisation(t, w, f, "Le Club", "0207354920")
	family, one, first := covered(t, w, cpas, "Cirque", all)
	w.Pass(time.Hour)
	_, two, second := covered(t, w, cpas, "Voile", all)
	_, _, third := covered(t, w, club, "Danse", all)
	_, waits, fourth := covered(t, w, cpas, "Poney", enrol.PartForm{Cents: 1000}) // the family has not paid its part
	if one.State != enrol.Confirmed || waits.State != enrol.AwaitingPayment {
		t.Fatalf("the states are %s and %s", one.State, waits.State)
	}
	for _, d := range []ledger.Due{first, second, third, fourth} {
		if diff := cmp.Diff([]string(nil), documents(t, w, d.ID), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a cover is invoiced before the month is over: %s", diff)
		}
	}
	months(t, w, 0)
	month := nextMonth(w)
	months(t, w, 2)
	months(t, w, 0)
	list, err := ledger.InvoicesOfDue(t.Context(), w.DB, first.ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d invoices, %v", len(list), err)
	}
	inv := list[0]
	c := inv.Content
	line := func(r enrol.Registration, camp string) ledger.InvoiceLine {
		var child, from, to string
		err := w.DB.QueryRow(t.Context(), `
			SELECT ch.first_name || ' ' || ch.last_name, to_char(min(s.day), 'DD/MM/YYYY'), to_char(max(s.day), 'DD/MM/YYYY')
			FROM registration r
			JOIN child ch ON ch.id = r.child_id
			JOIN camp_session s ON s.camp_id = r.camp_id
			WHERE r.id = $1
			GROUP BY ch.id`, r.ID).Scan(&child, &from, &to)
		if err != nil {
			t.Fatal(err)
		}
		return ledger.InvoiceLine{Label: "reports.invoice.cover_reference", Args: []string{child, camp, from, to, "Réf. " + camp}, Cents: r.PriceCents}
	}
	if diff := cmp.Diff([]ledger.InvoiceLine{line(one, "Cirque"), line(two, "Voile")}, c.Lines); diff != "" {
		t.Errorf("the lines (-want +got):\n%s", diff)
	}
	if c.Total != one.PriceCents+two.PriceCents || inv.TotalCents != one.PriceCents || c.Child != "" || c.PayerBCE != "0123456749" || c.Month != month || c.PayBy.IsZero() || !c.Group() {
		t.Errorf("the invoice holds %+v", c)
	}
	if also, err := ledger.InvoicesOfDue(t.Context(), w.DB, second.ID); err != nil || len(also) != 1 || also[0].ID != inv.ID || also[0].TotalCents != two.PriceCents {
		t.Errorf("the second due stands on %v (%v)", also, err)
	}
	if c.Communication == "" || c.Communication == first.Communication {
		t.Errorf("the invoice has the communication %q", c.Communication)
	}

	// The organisation takes one promise back: a part is credited, the other one stays.
	if err := w.Enrol.EndPart(t.Context(), family.Account, first.ID, "Décision retirée"); err != nil {
		t.Fatal(err)
	}
	notes, err := ledger.CreditNotesOfDue(t.Context(), w.DB, first.ID)
	if err != nil || len(notes) != 1 {
		t.Fatalf("%d credit notes, %v", len(notes), err)
	}
	if n := notes[0]; n.TotalCents != one.PriceCents || n.InvoiceID != inv.ID || n.Content.Credits != c.Number || n.Content.Camp != "Cirque" || n.Content.Child == "" || n.Content.Month != month {
		t.Errorf("the credit note holds %+v", n)
	}
	if more, err := ledger.CreditNotesOfDue(t.Context(), w.DB, second.ID); err != nil || len(more) > 0 {
		t.Errorf("the other part is credited by %v (%v)", more, err)
	}
	holds(t, w)

	// The family pays its part of the fourth: the next month brings the organisation's.
	err = w.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
		_, _, err := w.Enrol.SettleBank(ctx, tx, audit.Command("test"), due(t, w, waits).ID, uuid.New(), waits.PriceCents-1000, civil.DateOf(w.Now(), civil.Brussels))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	months(t, w, 0) // confirmed this month
	nextMonth(w)
	months(t, w, 1)
	var got []string
	rows, err := w.DB.Query(t.Context(), `SELECT content->>'Number' || ' ' || total_cents FROM invoice WHERE payer_id = $1 ORDER BY number`, cpas)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if len(got) != 2 || got[0] != fmt.Sprintf("%s %d", c.Number, c.Total) || got[1][len(got[1])-5:] != " 1000" {
		t.Errorf("the organisation has %q", got)
	}
	holds(t, w)
}

// TestInvoiceNowOnce clicks ten times at once, while a promise is taken back: one invoice at most asks for each part, and
// what is taken back is credited or never invoiced.
func TestInvoiceNowOnce(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	cpas := organisation(t, w, w.Family(t, 0), "CPAS de Valmont", "0123456749")
	f, _, first := covered(t, w, cpas, "Cirque", all)
	_, two, second := covered(t, w, cpas, "Voile", all)
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			if _, err := organisations(w).InvoiceNow(context.Background(), audit.Command("test"), cpas); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Go(func() {
		if err := w.Enrol.EndPart(context.Background(), f.Account, first.ID, "Décision retirée"); err != nil {
			t.Error(err)
		}
	})
	wait.Wait()
	var invoices int
	var left civil.Cents
	err := w.DB.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM invoice_part WHERE due_id = $2),
		  COALESCE((SELECT sum(cents) FROM invoice_split WHERE due_id = $1), 0) - COALESCE((SELECT sum(total_cents) FROM credit_note WHERE due_id = $1), 0)`,
		first.ID, second.ID).Scan(&invoices, &left)
	if err != nil || invoices != 1 || left != 0 {
		t.Errorf("the second part stands on %d invoices, and %d of the first is still asked (%v)", invoices, left, err)
	}
	if list, err := ledger.InvoicesOfDue(t.Context(), w.DB, second.ID); err != nil || len(list) != 1 || list[0].TotalCents != two.PriceCents {
		t.Errorf("the second part is invoiced by %v (%v)", list, err)
	}
	holds(t, w)
}
