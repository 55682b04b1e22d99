package reports

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
)

// unzipped returns the text of every part of a workbook.
func unzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	return all.Bytes()
}

// show keeps a document where LOOK says, for the eye: LOOK=/tmp go test ./reports.
func show(t *testing.T, name string, body []byte) {
	t.Helper()
	if dir := os.Getenv("LOOK"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func invoice() ledger.Invoice {
	return ledger.Invoice{
		IssuedAt: time.Date(2026, 5, 12, 9, 30, 0, 123, time.UTC), TotalCents: 7450,
		Content: ledger.InvoiceContent{
			Number: "F-2026-00012", IssuedOn: civil.NewDate(2026, 5, 12),
			Commune: ledger.InvoiceParty{Name: "Commune de Valmont", Street: "Place communale 1", City: "4999 Valmont"},
			BCE:     "0207354920", Email: "stages@valmont.example", Phone: "+3243001122", IBAN: "BE15091000000130",
			Payer: ledger.InvoiceParty{Name: "Sophie Lambert", Street: "Rue de l’Église 12 bte 3", City: "4999 Valmont"},
			Child: "Léa Lambert", Camp: "Les explorateurs du canal", FirstDay: civil.NewDate(2026, 7, 6), LastDay: civil.NewDate(2026, 7, 10), Days: 5,
			Lines: []ledger.InvoiceLine{
				{Label: "Stage, tarif résident", Cents: 6000},
				{Label: "Bus, aller et retour", Cents: 2000},
				{Label: "Réduction pour le deuxième enfant de la même famille inscrit la même semaine, règlement du 12 janvier 2026, article 7, § 2", Cents: -550},
			},
			Total: 7450, Communication: "+++202/6000/00192+++", VATMention: "Exonéré de la TVA, article 44, § 2, 2° du Code de la TVA",
		},
	}
}

func TestInvoicePDF(t *testing.T) {
	t.Parallel()
	first, err := InvoicePDF(invoice())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(first, []byte("%PDF-1.")) || !bytes.Contains(first, []byte("/Lang (fr-BE)")) || !bytes.Contains(first, []byte("/FontFile2")) {
		t.Error("no PDF in French with an embedded font")
	}
	if len(first) > 80_000 {
		t.Errorf("the invoice has %d bytes: is the whole font in it?", len(first))
	}
	if !bytes.Contains(first, []byte("D:20260512093000")) {
		t.Error("the creation date is not the date of issue")
	}
	for range 3 {
		if again, err := InvoicePDF(invoice()); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("drawn again it has other bytes (%v)", err)
		}
	}
	other := invoice()
	other.Content.Lines[0].Cents++
	if b, err := InvoicePDF(other); err != nil || bytes.Equal(first, b) {
		t.Errorf("another amount gives the same bytes (%v)", err)
	}
	show(t, "facture.pdf", first)
}

// TestInvoiceLabels writes every label that prices and payments use as the families read it, never as its key.
func TestInvoiceLabels(t *testing.T) {
	t.Parallel()
	loc := locale.For("fr")
	used := map[string][]string{
		"price.camp":     {"Cirque"},
		"price.formula":  {"Cirque", "Demi-journée"},
		"price.bus_out":  {"Place du Marché"},
		"price.bus_back": {"Place du Marché"},
		"price.option":   {"Repas chaud"},

		"price.camp_for":           {"Cirque", "Habitants"},
		"price.camp_times":         {"Cirque", "4"},
		"price.camp_for_times":     {"Cirque", "Habitants", "4"},
		"price.formula_for":        {"Cirque", "Demi-journée", "Habitants"},
		"price.formula_times":      {"Cirque", "Demi-journée", "4"},
		"price.formula_for_times":  {"Cirque", "Demi-journée", "Habitants", "4"},
		"price.bus_out_times":      {"Place du Marché", "4"},
		"price.bus_back_times":     {"Place du Marché", "4"},
		"price.option_times":       {"Repas chaud", "4"},
		"price.sibling_rank":       {"2"},
		"price.sibling_each":       {"3"},
		"price.accorded":           nil,
		"price.voucher":            {"Rentrée"},
		"price.reductions":         nil,
		"price.sessions_cancelled": {"2"},

		"ledger.rest": nil,
	}
	for _, key := range loc.Keys() {
		if _, known := used[key]; !known && strings.HasPrefix(key, "price.") {
			t.Errorf("%s is not tried here", key)
		}
	}
	for key, args := range used {
		got := label(loc, ledger.InvoiceLine{Label: key, Args: args})
		if got == key || strings.Contains(got, "%") || strings.Contains(got, "price.") || strings.Contains(got, "ledger.") {
			t.Errorf("the line %s reads %q", key, got)
		}
		for _, a := range args {
			if !strings.Contains(got, a) {
				t.Errorf("the line %s reads %q, without %q", key, got, a)
			}
		}
	}
	if got, want := label(loc, ledger.InvoiceLine{Label: "Réduction de 50 %, article 7"}), "Réduction de 50 %, article 7"; got != want {
		t.Errorf("words of a regulation read %q, want %q", got, want)
	}
	// What is drawn is what label says: the key and the words give the same bytes.
	keyed, plain := invoice(), invoice()
	keyed.Content.Lines[0] = ledger.InvoiceLine{Label: "price.formula", Args: []string{"Cirque", "Demi-journée"}, Cents: 6000}
	plain.Content.Lines[0] = ledger.InvoiceLine{Label: label(loc, keyed.Content.Lines[0]), Cents: 6000}
	a, err1 := InvoicePDF(keyed)
	b, err2 := InvoicePDF(plain)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("the page does not show the words of the line (%v, %v)", err1, err2)
	}
}

// TestInvoiceOfManyLines draws a paid invoice over several pages: the headings and the total must not be lost.
func TestInvoiceOfManyLines(t *testing.T) {
	t.Parallel()
	paid := invoice()
	paid.Content.PaidOn = civil.NewDate(2026, 5, 12)
	for range 60 {
		paid.Content.Lines = append(paid.Content.Lines, paid.Content.Lines[1])
	}
	b, err := InvoicePDF(paid)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(b, []byte("/Type /Page\n")); got != 3 {
		t.Errorf("%d pages, want 3", got)
	}
	show(t, "facture-longue.pdf", b)
}

// TestInvoiceTakesAnyText draws what families may be called without the PDF writer giving up.
func TestInvoiceTakesAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inv := invoice()
		s := func(what string) string {
			return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"👩\u200d👧", "e\u0301\u0301", "\xff\xfe", "Ş\u200cule 李", strings.Repeat("m", 400), "{nb}", "()\\"})).Draw(t, what)
		}
		inv.Content.Payer.Name, inv.Content.Child, inv.Content.Lines[1].Label, inv.Content.Number = s("payer"), s("child"), s("label"), s("number")
		inv.Content.Commune.Name = s("commune")
		if _, err := InvoicePDF(inv); err != nil {
			t.Fatal(err)
		}
		if name := InvoiceFileName(inv); strings.ContainsAny(name, "/\\\"\n\r") {
			t.Fatalf("file name %q", name)
		}
	})
}

func TestInked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ze\u0301lie":            "Zélie",
		"a\tb\nc":                "a b c",
		"👩 李":                    "? ?",
		"1\u00a0234,50\u00a0€":   "1\u00a0234,50\u00a0€",
		"\xffx\u200b":            "x",
		"Ștefan Çelik Łukasz Ян": "Ștefan Çelik Łukasz Ян",
	} {
		if got := inked(in); got != want {
			t.Errorf("inked(%q) = %q, want %q", in, got, want)
		}
	}
}
