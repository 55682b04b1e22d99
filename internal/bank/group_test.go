package bank_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
)

// promised is an organisation with an invoice over three registrations of 60,00 € each that it pays whole.
type promised struct {
	parts         []owing
	communication string
}

func (w *world) promised(t *testing.T) (p promised) {
	t.Helper()
	ctx := context.Background()
	f := w.Family(t, 3)
	var payer uuid.UUID
	err := w.DB.QueryRow(ctx, `
		INSERT INTO guardian (household_id, kind, first_name, last_name, bce)
		SELECT household_id, 'organisation', '', 'CPAS de Valmont', '0123456749'
		FROM guardian
		WHERE id = $1
		RETURNING id`, f.Guardian.ID).Scan(&payer)
	if err != nil {
		t.Fatal(err)
	}
	c := w.Camp(t, "Stage", 0)
	for i := range f.Children {
		r := w.Ask(t, f, i, c)
		err := w.Enrol.AddCover(ctx, f.Account, r.ID, enrol.CoverForm{PartForm: enrol.PartForm{PayerID: payer, Share: 10000}, Reference: "R1"})
		if err != nil {
			t.Fatal(err)
		}
		w.Validate(t, f, r)
		d, err := ledger.DueFor(ctx, w.DB, r.ID, payer)
		if err != nil {
			t.Fatal(err)
		}
		p.parts = append(p.parts, owing{id: r.ID, due: d.ID, communication: d.Communication})
		w.Pass(time.Minute)
	}
	inv, err := ledger.NewOrganisations(w.DB, w.Now, w.Jobs).InvoiceNow(ctx, actor, payer)
	if err != nil || inv == nil {
		t.Fatalf("no invoice: %v", err)
	}
	if err := w.DB.QueryRow(ctx, `SELECT communication FROM invoice_group WHERE invoice_id = $1`, inv.ID).Scan(&p.communication); err != nil {
		t.Fatal(err)
	}
	return p
}

// left is what is owed of each part.
func (w *world) left(t *testing.T, p promised) (all []civil.Cents) {
	t.Helper()
	for _, o := range p.parts {
		all = append(all, w.owed(t, o))
	}
	return all
}

// TestOrganisationPays brings the money of an invoice over several dues to each of them, the oldest first, and takes all
// of it back at once.
func TestOrganisationPays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what  string
		cents int
		want  []civil.Cents
		note  string
	}{
		{"all of it", 18000, []civil.Cents{0, 0, 0}, ""},
		{"a part", 9000, []civil.Cents{0, 3000, 6000}, "bank.note.part"},
		{"less than the oldest", 500, []civil.Cents{5500, 6000, 6000}, "bank.note.part"},
		{"too much", 18500, []civil.Cents{0, 0, -500}, "bank.note.over"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			ctx := context.Background()
			p := w.promised(t)
			w.bring(t, coda(1, moved{cents: tt.cents, structured: p.communication, name: "CPAS", iban: payerIBAN}))
			if diff := cmp.Diff(tt.want, w.left(t, p)); diff != "" {
				t.Errorf("owed after it (-want +got):\n%s", diff)
			}
			var entry uuid.UUID
			var reason string
			if err := w.DB.QueryRow(ctx, `SELECT id, reason FROM bank_entry WHERE state = 'matched'`).Scan(&entry, &reason); err != nil || reason != tt.note {
				t.Fatalf("the entry says %q, want %q (%v)", reason, tt.note, err)
			}
			booked := w.count(t, `SELECT sum(cents)::bigint FROM ledger_line WHERE source = 'bank'`)
			if booked != tt.cents {
				t.Errorf("%d cents are booked, want %d", booked, tt.cents)
			}
			if tt.cents == 18000 {
				source, err := ledger.SourcesOf(ctx, w.DB, p.parts[2].due)
				if err != nil || len(source) != 1 || source[0].IBAN != payerIBAN {
					t.Errorf("the money of the last part came from %+v (%v)", source, err)
				}
			}
			if err := w.bank.Undo(ctx, actor, entry); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]civil.Cents{6000, 6000, 6000}, w.left(t, p)); diff != "" {
				t.Errorf("owed after the undoing (-want +got):\n%s", diff)
			}
			w.holds(t)
			// By hand, onto the same invoice again.
			if err := w.bank.MatchCommunication(ctx, actor, entry, p.communication); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.left(t, p)); diff != "" {
				t.Errorf("owed after it was matched by hand (-want +got):\n%s", diff)
			}
			if err := w.bank.MatchCommunication(ctx, actor, entry, p.communication); fault(err) != "bank.not_waiting" {
				t.Errorf("matched twice: %v", err)
			}
			w.holds(t)
		})
	}
}
