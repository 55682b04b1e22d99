package reports

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
)

func nationalNumber(t testing.TB, s string) household.NationalNumber {
	t.Helper()
	n, err := household.ParseNationalNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func attestation() ledger.Attestation {
	valmont := ledger.AttestationBody{Name: "Commune de Valmont", BCE: "0207354920", Street: "Place communale 1", Postcode: "4999", City: "Valmont"}
	return ledger.Attestation{
		Series: ledger.SeriesFiscal, Year: 2025, Number: 12, IssuedAt: time.Date(2026, 2, 10, 9, 30, 0, 123, time.UTC), TotalCents: 24050,
		Content: ledger.AttestationContent{
			Reference: "ATT-2025-00012", IssuedOn: civil.NewDate(2026, 2, 10), Organiser: valmont, Certifier: valmont, Certification: 2,
			Debtor: ledger.AttestationPerson{FirstName: "Anne-Sophie", LastName: "Lambert", Street: "Rue de l’Église 12 bte 3", Postcode: "4999", City: "Valmont"},
			Child:  ledger.AttestationPerson{FirstName: "Léo", LastName: "Lambert", BirthDate: civil.NewDate(2017, 4, 15), Street: "Rue de l’Église 12 bte 3", Postcode: "4999", City: "Valmont"},
			Lines: []ledger.AttestationLine{
				{Camp: "Cirque", From: civil.NewDate(2025, 7, 7), Until: civil.NewDate(2025, 7, 11), Days: 5, Tariff: 2000, Cents: 10000},
				{Camp: "Vélo", From: civil.NewDate(2025, 7, 14), Until: civil.NewDate(2025, 7, 18), Days: 4, Cents: 14050},
			},
			Signatory: "Claire Dubois", Capacity: "Directrice générale", Proxy: true,
		},
	}
}

// text returns what stands on the pages of a PDF of ours, in the order in which it was drawn: our fonts are encoded as
// UTF-16 (Identity-H), so that the shown strings are the words themselves.
func text(t testing.TB, pdf []byte) string {
	t.Helper()
	var all strings.Builder
	for rest := pdf; ; {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			break
		}
		body, next, ok := bytes.Cut(after, []byte("\nendstream"))
		if !ok {
			break
		}
		rest = next
		r, err := zlib.NewReader(bytes.NewReader(body))
		if err != nil {
			continue // not compressed
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Contains(plain, []byte(" Tf ")) {
			continue // a font
		}
		for _, shown := range shownStrings.FindAllSubmatch(plain, -1) {
			raw := unescape.Replace(string(shown[1]))
			units := make([]uint16, 0, len(raw)/2)
			for i := 0; i+1 < len(raw); i += 2 {
				units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
			}
			all.WriteString(strings.ReplaceAll(string(utf16.Decode(units)), "\u00a0", " ") + "\n")
		}
	}
	return all.String()
}

var (
	shownStrings = regexp.MustCompile(`(?s)\(((?:[^\\)]|\\.)*)\) ?Tj`)
	unescape     = strings.NewReplacer(`\\`, `\`, `\(`, `(`, `\)`, `)`, `\r`, "\r")
)

func TestAttestationPDF(t *testing.T) {
	t.Parallel()
	anne, leo := nationalNumber(t, "85073003328"), nationalNumber(t, "17041512731")
	first, err := AttestationPDF(attestation(), anne, leo)
	if err != nil {
		t.Fatal(err)
	}
	show(t, "attestation.pdf", first)
	for range 3 {
		if again, err := AttestationPDF(attestation(), anne, leo); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("drawn again it has other bytes (%v)", err)
		}
	}
	if got := bytes.Count(first, []byte("/Type /Page\n")); got != 1 {
		t.Errorf("%d pages, want 1", got)
	}
	if name := AttestationFileName(attestation()); name != "attestation-ATT-2025-00012.pdf" {
		t.Errorf("file name %q", name)
	}
	read := text(t, first)
	for _, want := range []string{
		"ATTESTATION N° 281.86 (ANNÉE DES DÉPENSES 2025)", "63(18/8)", "Commune de Valmont", "0207.354.920", "ATT-2025-00012",
		"Lambert", "Anne-Sophie", "85.07.30-033.28", "17.04.15-127.31", "15/04/2017", "07/07/2025", "11/07/2025", "18/07/2025",
		"20,00 €", "100,00 €", "140,50 €", "240,50 €", "Claire Dubois", "Directrice générale", "Par procuration", "Valmont, le 10/02/2026",
	} {
		if !strings.Contains(read, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestAttestationThatWithdraws(t *testing.T) {
	t.Parallel()
	a := attestation()
	a.Treatment, a.TotalCents, a.Content.Lines, a.Content.Replaces = ledger.TreatmentCancel, 0, nil, "ATT-2025-00003"
	pdf, err := AttestationPDF(a, household.NationalNumber{}, household.NationalNumber{})
	if err != nil {
		t.Fatal(err)
	}
	show(t, "attestation-retiree.pdf", pdf)
	read := text(t, pdf)
	if !strings.Contains(read, "Elle retire l’attestation ATT-2025-00003") || strings.Contains(read, "Montant total") {
		t.Errorf("the withdrawal reads\n%s", read)
	}
}

func TestMutuellePDF(t *testing.T) {
	t.Parallel()
	a := attestation()
	a.Series, a.Content.Reference = ledger.SeriesMutuelle, "MUT-2025-00004"
	a.Content.Mutuelle = &ledger.MutuelleContent{
		Camp: "Cirque", Activity: "Stage de vacances, sans nuitée", ONE: "12/345", Phone: "+3243001122", Email: "stages@valmont.example",
		From: civil.NewDate(2025, 7, 7), Until: civil.NewDate(2025, 7, 11), Days: 5, PerDay: 4810, PaidOn: civil.NewDate(2025, 5, 2),
	}
	pdf, err := AttestationPDF(a, household.NationalNumber{}, nationalNumber(t, "17041512731"))
	if err != nil {
		t.Fatal(err)
	}
	show(t, "mutuelle.pdf", pdf)
	read := text(t, pdf)
	for _, want := range []string{"MUT-2025-00004", "Cirque", "17.04.15-127.31", "240,50 €", "48,10 €", "02/05/2025", "Anne-Sophie Lambert", "Vignette", "cachet"} {
		if !strings.Contains(read, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestAttestationTakesAnyText keeps everything on one page, whatever people are called.
func TestAttestationTakesAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := attestation()
		s := func(what string) string {
			return rapid.OneOf(rapid.StringN(0, 40, 80), rapid.SampledFrom([]string{"👩\u200d👧", "\xff\xfe", strings.Repeat("m", 80), "()\\"})).Draw(t, what)
		}
		c := &a.Content
		c.Debtor.FirstName, c.Debtor.LastName, c.Child.FirstName, c.Debtor.Street, c.Organiser.Name = s("first"), s("last"), s("child"), s("street"), s("organiser")
		c.Certifier.Name, c.Signatory, c.Capacity, c.Reference = s("certifier"), s("signatory"), s("capacity"), s("reference")
		pdf, err := AttestationPDF(a, household.NationalNumber{}, household.NationalNumber{})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(pdf, []byte("/Type /Page\n")) != 1 {
			t.Fatal("not one page")
		}
	})
}
