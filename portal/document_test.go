package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// invoiced confirms the desk's registration with the whole price paid, invoices it, and takes a part of it back.
func (d *desk) invoiced() (ledger.Invoice, ledger.CreditNote) {
	d.t.Helper()
	ctx := context.Background()
	if err := d.config.Enrol.Decide(ctx, d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		d.t.Fatal(err)
	}
	due, err := ledger.DueOf(ctx, d.db, d.asked.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.config.Enrol.RecordPayment(ctx, d.agentAs.ID, due.ID, d.asked.PriceCents, "bank", uuid.New()); err != nil {
		d.t.Fatal(err)
	}
	list, err := ledger.InvoicesOfDue(ctx, d.db, due.ID)
	if err != nil || len(list) != 1 {
		d.t.Fatalf("%d invoices, %v", len(list), err)
	}
	var note ledger.CreditNote
	err = d.db.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		note, err = ledger.IssueCreditNote(ctx, tx, list[0], []ledger.InvoiceLine{{Label: "Journée annulée", Cents: 1250}}, "credit.reason.changed", *d.now)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return list[0], note
}

// TestDocuments reads an invoice and its credit note as the payer, translated, as the office, and as somebody else.
func TestDocuments(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	inv, note := d.invoiced()
	parent := d.again("sophie@example.test")
	list := parent.see("/mon-espace/factures")
	list.has(t, "table", "-12,50")
	if n := list.doc.Find("tbody tr").Length(); n != 2 {
		t.Errorf("%d documents in the list, want 2", n)
	}
	page := parent.see("/mon-espace/factures/" + inv.ID.String())
	page.has(t, "article[lang=fr]", "Stage « Les explorateurs du canal »")
	link, _ := page.doc.Find("article a[href^='" + notePath + "']").Attr("href")
	credit := parent.see(link)
	credit.has(t, "main", "Note de crédit "+note.Content.Number)
	credit.has(t, "article", inv.Content.Number)
	credit.has(t, "article", "Le prix a changé")
	if n := credit.doc.Find("a[href='" + invoicePath + inv.ID.String() + "']").Length(); n != 1 {
		t.Error("the credit note does not lead to its invoice")
	}
	nl, _ := parent.see("/mon-espace/factures/" + inv.ID.String()).doc.Find("a[hreflang=nl]").Attr("href")
	dutch := parent.see("/mon-espace/factures/" + inv.ID.String() + nl)
	dutch.has(t, "article[lang=nl] .notice", "alleen het document in het Frans is geldig")
	dutch.has(t, "article[lang=nl]", "Kamp ‘Les explorateurs du canal’")
	if parent.see("/mon-espace/factures/"+inv.ID.String()+"?langue=xx").doc.Find("article .notice").Length() != 0 {
		t.Error("an unknown language is a translation")
	}
	pdf := parent.see(link + ".pdf")
	if !strings.HasPrefix(pdf.body, "%PDF-") || pdf.body != parent.see(link+".pdf").body {
		t.Error("the credit note is no PDF, or not the same one twice")
	}
	d.agent.see("/gestion/inscriptions/"+inv.RegistrationID.String()).has(t, "a[href='/gestion/notes-de-credit/"+note.ID.String()+".pdf']", note.Content.Number)
	d.agent.see("/gestion/factures/"+inv.ID.String()).has(t, "main", inv.Content.Number)
	d.agent.see("/gestion/notes-de-credit/"+note.ID.String()).has(t, "main", "Empreinte SHA-256")
	d.agent.see("/gestion/notes-de-credit/" + note.ID.String() + ".pdf")

	stranger, a := d.person("autre@example.test", "Autre")
	d.bundle.family(a)
	for _, path := range []string{invoicePath + inv.ID.String(), link, link + ".pdf"} {
		if got := stranger.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("somebody else reads %s: %d", path, got)
		}
	}
}

// TestConfidentialDocuments: who may not see what is accorded to families reads no invoice that says it.
func TestConfidentialDocuments(t *testing.T) {
	t.Parallel()
	s := &server{}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	plain := ledger.InvoiceContent{Lines: []ledger.InvoiceLine{{Label: "price.camp", Cents: 6000}}}
	if err := s.mayRead(r, plain); err != nil {
		t.Errorf("an ordinary invoice: %v", err)
	}
	for name, c := range map[string]ledger.InvoiceContent{
		"accorded":     {Lines: append(plain.Lines, ledger.InvoiceLine{Label: tariff.LabelAccorded, Cents: -3000})},
		"organisation": {PayerBCE: "0207000077", Lines: plain.Lines},
	} {
		if err := s.mayRead(r, c); !problem.Is(err, problem.KindForbidden) {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
}
