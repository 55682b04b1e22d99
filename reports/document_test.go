package reports

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/dunning"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
)

// TestDocumentLanguages draws an invitation for a part of the price, in instalments, and its credit note, in the
// administrative language of each commune: no key and no French stays on a page in another language.
func TestDocumentLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, lang := range locale.Languages {
		part := invoice()
		part.Content.Lang, part.Content.Called = lang, ledger.CalledInvitation
		part.Content.Lines = []ledger.InvoiceLine{{Label: "price.camp", Args: []string{"Cirque"}, Cents: 8000}}
		part.Content.Whole, part.Content.Total, part.Content.Paid = 8000, 6000, 1500
		part.Content.Instalments = []ledger.InvoiceInstalment{{On: civil.NewDate(2026, 5, 30), Cents: 1500}, {On: civil.NewDate(2026, 6, 20), Cents: 4500}}
		part.Content.PayerBCE, part.Content.Reference = "0207354920", "Dossier 2026/118"
		part.Content.Legal = []string{
			"Toute contestation est à adresser au collège communal dans les 30 jours.",
			"À défaut de paiement, un premier rappel gratuit vous sera envoyé.",
		}
		body, err := InvoicePDF(part)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(body, []byte("/Lang ("+lang+"-BE)")) || seen[string(body)] {
			t.Errorf("%s: not a document in its own language", lang)
		}
		seen[string(body)] = true
		show(t, "invitation-"+lang+".pdf", body)

		note := ledger.CreditNote{IssuedAt: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC), Content: invoice().Content}
		note.Content.Lang, note.Content.Credits, note.Content.CreditsOf = lang, "F-2026-00012", civil.NewDate(2026, 5, 12)
		note.Content.Number, note.Content.Reason = "NC-2026-00003", "credit.reason.left"
		if body, err = CreditNotePDF(note); err != nil {
			t.Fatal(err)
		}
		show(t, "note-"+lang+".pdf", body)
		loc := locale.For(lang)
		for _, key := range loc.Keys() {
			if strings.HasPrefix(key, "reports.invoice.") && !locale.For("fr").Has(key) {
				t.Errorf("%s has %s and French does not", lang, key)
			}
		}
	}
	french := locale.For("fr")
	for _, key := range french.Keys() {
		if !strings.HasPrefix(key, "reports.invoice.") && !strings.HasPrefix(key, "doc.") || key == "doc.hash" || key == "doc.registration" {
			continue
		}
		for _, lang := range locale.Languages[1:] {
			if !locale.For(lang).Has(key) {
				t.Errorf("%s is not in %s", key, lang)
			}
		}
	}
}

// TestLetters draws a notice and an account: what they say stands before or instead of how to pay.
func TestLetters(t *testing.T) {
	t.Parallel()
	c := invoice().Content
	c.Called, c.Number, c.PayBy = ledger.CalledNotice, "", civil.NewDate(2026, 7, 2)
	c.Words = strings.Split(locale.For("fr").T("dunning.words.notice"), "\n\n")
	c.Lines = []ledger.InvoiceLine{{Label: "dunning.debt", Args: []string{"12/05/2026"}, Cents: 7450}, {Label: "dunning.fee", Cents: 2000}}
	c.Total, c.Legal = 9450, []string{locale.For("fr").T("dunning.legal")}
	record := dunning.Record{Step: dunning.Notice, Content: c, At: now}
	one, err := Letter(record)
	if err != nil || one.Name != "mise-en-demeure-2026-07-03.pdf" {
		t.Fatalf("%s, %v", one.Name, err)
	}
	show(t, one.Name, one.Body)
	all, err := Letters([]dunning.Record{record, record, record})
	if err != nil || bytes.Count(all.Body, []byte("/Type /Page\n")) != 3 {
		t.Errorf("three letters are %d pages, %v", bytes.Count(all.Body, []byte("/Type /Page\n")), err)
	}
	c = invoice().Content
	c.Called, c.Number, c.Reference, c.Child, c.Camp, c.FirstDay = ledger.CalledStatement, "", "2026", "", "", civil.Date{}
	c.Lines = []ledger.InvoiceLine{
		{Label: "statement.opening", Args: []string{"2026"}},
		{Label: "statement.line", Args: []string{"12/05/2026", "Stage « Cirque » (Léa Lambert, Cirque), F-2026-00012"}, Cents: 8000},
		{Label: "statement.line", Args: []string{"20/05/2026", "Paiement (Léa Lambert, Cirque)"}, Cents: -5000},
	}
	c.Total = 3000
	account, err := documentPDF(c, now)
	if err != nil {
		t.Fatal(err)
	}
	show(t, "releve.pdf", account)
}
