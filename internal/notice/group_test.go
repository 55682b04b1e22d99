package notice

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
)

// TestInvoiceOfAnOrganisation brings the invoice of a month to the address of the organisation, with no child's name in
// the mail; without an address it becomes a task.
func TestInvoiceOfAnOrganisation(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"compta@cpas.example", ""} {
		b := setup(t)
		f := b.Family(t, 1)
		var cpas uuid.UUID
		err := b.World.DB.QueryRow(t.Context(), `
			INSERT INTO guardian (household_id, kind, first_name, last_name, bce, email)
			SELECT household_id, 'organisation', '', 'CPAS de Valmont', '0123456749', $2
			FROM guardian
			WHERE id = $1
			RETURNING id`, f.Guardian.ID, address).Scan(&cpas)
		if err != nil {
			t.Fatal(err)
		}
		r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
		err = b.Enrol.AddCover(t.Context(), f.Account, r.ID, enrol.CoverForm{PartForm: enrol.PartForm{PayerID: cpas, Share: 10000}, Reference: "R1"})
		if err != nil {
			t.Fatal(err)
		}
		b.Validate(t, f, r)
		inv, err := ledger.NewOrganisations(b.World.DB, b.now, b.World.Jobs).InvoiceNow(t.Context(), audit.Command("test"), cpas)
		if err != nil || inv == nil {
			t.Fatalf("no invoice: %v", err)
		}
		for range 2 {
			if err := b.invoiceIssued(t.Context(), inv.ID); err != nil {
				t.Fatal(err)
			}
		}
		mails := b.send(t)
		if address == "" {
			if len(mails) != 0 || b.tasks(t, "by_phone") != 1 {
				t.Errorf("without an address: %q, %d tasks", subjects(mails), b.tasks(t, "by_phone"))
			}
			continue
		}
		if len(mails) != 1 || len(mails[0].Attachments) != 1 {
			t.Fatalf("%d mails: %q", len(mails), subjects(mails))
		}
		m := mails[0]
		if m.Subject != "Facture "+inv.Content.Number+" : prises en charge de mai 2027" || !strings.HasPrefix(string(m.Attachments[0].Data), "%PDF") {
			t.Errorf("the mail %q", m.Subject)
		}
		if strings.Contains(m.Text, "Lambert") || strings.Contains(m.Text, "Nature") || !strings.Contains(m.Text, inv.Content.Number) {
			t.Errorf("it says:\n%s", m.Text)
		}
	}
}
