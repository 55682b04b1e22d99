package notice

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
)

// TestAttestationOnce runs the job of one attestation several times at once: one mail, without the document and without
// a number or an amount. A correction is another mail, and the first one does not leave after it.
func TestAttestationOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Attestations = ledger.NewAttestations(b.World.DB, b.now, b.Box, b.Households, b.World.Jobs)
	f := b.Family(t, 1)
	r := b.Validate(t, f, b.Ask(t, f, 0, b.Camp(t, "Nature", 10)))
	b.pay(t, f, r)
	b.send(t)
	b.sql(t, `UPDATE camp_session SET day = '2027-02-01'::date + (row_number)::int FROM (SELECT id AS i, row_number() OVER (ORDER BY day) FROM camp_session) AS x WHERE id = i`)
	b.sql(t, `INSERT INTO setting (key, value) VALUES ('attestation.unmarked', 'oui') ON CONFLICT DO NOTHING`)
	b.until(civil.NewDate(2028, 2, 1), 10)
	issue := func() ledger.Attestation {
		t.Helper()
		var year int
		if err := b.World.DB.QueryRow(t.Context(), `SELECT extract(year FROM max(at))::int FROM ledger_line WHERE kind = 'payment'`).Scan(&year); err != nil {
			t.Fatal(err)
		}
		done, err := b.Attestations.IssueAttestations(t.Context(), audit.Command("test"), year, ledger.IssueOptions{WithoutNumber: true})
		if err != nil || len(done.IDs) != 1 {
			t.Fatalf("issued %+v (%v)", done, err)
		}
		a, err := b.Attestations.Attestation(t.Context(), done.IDs[0])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tell := func(id uuid.UUID) {
		t.Helper()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := b.attestationIssued(context.Background(), id.String()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	first := issue()
	tell(first.ID)
	mails := b.send(t)
	mails = append(mails, b.send(t)...)
	if len(mails) != 1 || len(mails[0].Attachments) != 0 {
		t.Fatalf("%d mails: %q", len(mails), subjects(mails))
	}
	if text := mails[0].Text; !strings.Contains(text, "/mon-espace/attestations") || strings.Contains(text, "€") || !strings.Contains(text, first.Content.Reference) {
		t.Errorf("the mail reads\n%s", text)
	}
	if n := b.count(t, `SELECT count(*) FROM attestation_file`); n != 1 {
		t.Errorf("%d drawings are kept, want 1", n)
	}

	b.sql(t, `UPDATE child SET first_name = 'Corrigé'`)
	second := issue()
	b.sql(t, `UPDATE child SET first_name = 'Encore'`)
	third := issue()
	tell(second.ID) // its job comes late
	tell(third.ID)
	mails = b.send(t)
	if len(mails) != 1 || !strings.Contains(mails[0].Text, third.Content.Reference) || !strings.Contains(mails[0].Text, second.Content.Reference) {
		t.Errorf("a correction sends %q", subjects(mails))
	}
	keepForReading(t, mails)
}
