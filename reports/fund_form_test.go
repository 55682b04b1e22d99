package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/api"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// fundForm makes a form such as a fund gives: two fields to fill and a box.
func fundForm(t testing.TB) []byte {
	t.Helper()
	const layout = `{"paper": "A4P", "origin": "LowerLeft", "fonts": {"label": {"name": "Helvetica", "size": 12}, "input": {"name": "Helvetica", "size": 12}},
		"pages": {"1": {"content": {
			"textfield": [
				{"id": "Nom enfant", "tab": 1, "pos": [100, 700], "width": 300, "label": {"value": "Nom", "width": 60, "pos": "left"}},
				{"id": "nb_jours", "tab": 2, "pos": [100, 660], "width": 100, "label": {"value": "Jours", "width": 60, "pos": "left"}}],
			"checkbox": [{"id": "oui", "tab": 3, "pos": [100, 600], "width": 12, "label": {"value": "Interne", "width": 80, "pos": "left"}}]}}}}`
	var out bytes.Buffer
	conf := *fundConfig()
	if err := api.Create(nil, strings.NewReader(layout), &out, &conf); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// filledIn reads back what stands in the fields of a form.
func filledIn(t testing.TB, pdf []byte) map[string]string {
	t.Helper()
	conf := *fundConfig()
	fields, err := api.FormFields(bytes.NewReader(pdf), &conf)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range fields {
		if f.V != "" {
			all[f.Name] = f.V
		}
	}
	return all
}

func TestFillFund(t *testing.T) {
	t.Parallel()
	blank := fundForm(t)
	show(t, "formulaire-mutuelle.pdf", blank)
	names, err := FundFields(blank)
	if diff := cmp.Diff([]string{"Nom enfant", "nb_jours"}, names); diff != "" || err != nil {
		t.Fatalf("fields (%v) (-want +got):\n%s", err, diff)
	}
	a := attestation()
	a.Series, a.Content.Child.FirstName, a.Content.Child.LastName = ledger.SeriesMutuelle, "Zoé", "D’Łęcki"
	a.Content.Mutuelle = &ledger.MutuelleContent{Camp: "Cirque", From: civil.NewDate(2025, 7, 7), Until: civil.NewDate(2025, 7, 11), Days: 5}
	filled, err := FillFund(blank, map[string]string{"Nom enfant": "child", "nb_jours": "days"}, a, nationalNumber(t, "17041512731"))
	if err != nil {
		t.Fatal(err)
	}
	show(t, "fonds.pdf", filled)
	if diff := cmp.Diff(map[string]string{"Nom enfant": "Zoé D'Lecki", "nb_jours": "5"}, filledIn(t, filled)); diff != "" {
		t.Errorf("in the form (-want +got):\n%s", diff)
	}
	for _, name := range FundValues {
		if _, ok := fundValues(a, nationalNumber(t, "17041512731"))[name]; !ok {
			t.Errorf("%s is offered and never filled", name)
		}
	}
}

func TestFundFieldsRefuses(t *testing.T) {
	t.Parallel()
	noForm, err := InvoicePDF(invoice())
	if err != nil {
		t.Fatal(err)
	}
	blank := fundForm(t)
	for name, c := range map[string]struct {
		pdf  []byte
		code string
	}{
		"nothing":    {nil, "fund.no_pdf"},
		"a picture":  {[]byte("\x89PNG"), "fund.no_pdf"},
		"too large":  {append([]byte("%PDF-1.7"), make([]byte, MaxFundForm)...), "fund.large"},
		"no fields":  {noForm, "fund.no_form"},
		"cut short":  {blank[:len(blank)/2], "fund.no_form"},
		"words only": {[]byte("%PDF-1.7 hello"), "fund.no_form"},
	} {
		if _, err := FundFields(c.pdf); problem.As(err) == nil || problem.As(err).Code != c.code {
			t.Errorf("%s gives %v, want %s", name, err, c.code)
		}
	}
}

// FuzzFundFields: whatever staff bring, it is refused or read, and never more.
func FuzzFundFields(f *testing.F) {
	f.Add([]byte("%PDF-1.7"))
	f.Add([]byte("%PDF-1.7\ntrailer<</Root 1 0 R>>"))
	f.Fuzz(func(t *testing.T, pdf []byte) {
		names, err := FundFields(pdf)
		if err == nil && (len(names) == 0 || len(names) > maxFundFields) {
			t.Errorf("%d fields", len(names))
		}
	})
}
