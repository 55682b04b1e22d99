package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/form"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// Bounds of the form of a health fund.
const (
	MaxFundForm   = 2 << 20
	maxFundFields = 200
)

// FundValues are what can be written in a form of a health fund, in the order in which staff choose; "fund.value.<name>"
// is the key of a name.
var FundValues = []string{
	"reference", "organiser", "organiser_address", "organiser_bce", "organiser_one", "organiser_contact",
	"child", "child_first_name", "child_last_name", "child_birth_date", "child_number", "holder", "holder_address",
	"camp", "activity", "from", "until", "days", "paid", "per_day", "paid_on", "place", "date", "signatory", "capacity",
}

// fundConfig is how pdfcpu works here: without a folder of its own in the home of whoever runs it.
var fundConfig = sync.OnceValue(func() *model.Configuration {
	api.DisableConfigDir()
	return model.NewDefaultConfiguration()
})

// FundFields returns the names of the text fields of a form, in their order. Invalid for what is too large, is no PDF,
// has no field to fill or cannot be filled by us.
func FundFields(pdf []byte) (names []string, err error) {
	defer unreadable(&err)
	switch {
	case len(pdf) > MaxFundForm:
		return nil, problem.Invalid("fund.large")
	case !bytes.HasPrefix(pdf, []byte("%PDF-")):
		return nil, problem.Invalid("fund.no_pdf")
	}
	conf := *fundConfig()
	fields, err := api.FormFields(bytes.NewReader(pdf), &conf)
	if err != nil {
		return nil, problem.Invalid("fund.no_form")
	}
	for _, f := range fields {
		if f.Typ == form.FTText && f.Name != "" && !f.Locked && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 || len(names) > maxFundFields {
		return nil, problem.Invalid("fund.no_form")
	}
	// What cannot be filled is told now, not when a parent asks.
	trial := make(map[string]string, len(names))
	for _, n := range names {
		trial[n] = "Élodie 1"
	}
	_, err = fillFields(pdf, trial)
	return names, err
}

// unreadable turns a panic of the reader on a damaged file into Invalid.
func unreadable(err *error) {
	if recover() != nil {
		*err = problem.Invalid("fund.no_form")
	}
}

// FillFund writes an attestation for a health fund into the fund's own form: fields says which value goes into which of
// its fields.
func FillFund(pdf []byte, fields map[string]string, a ledger.Attestation, child household.NationalNumber) (filled []byte, err error) {
	defer unreadable(&err)
	values := fundValues(a, child)
	texts := make(map[string]string, len(fields))
	for field, value := range fields {
		if v := values[value]; v != "" {
			texts[field] = v
		}
	}
	return fillFields(pdf, texts)
}

func fillFields(pdf []byte, texts map[string]string) ([]byte, error) {
	type field struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var list []field
	for name, v := range texts {
		list = append(list, field{Name: name, Value: latin(v)})
	}
	if len(list) == 0 {
		return pdf, nil
	}
	slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal(map[string]any{"forms": []any{map[string]any{"textfield": list}}})
	if err != nil {
		return nil, fmt.Errorf("writing the values of a form: %w", err)
	}
	var out bytes.Buffer
	conf := *fundConfig()
	if err := api.FillForm(bytes.NewReader(pdf), bytes.NewReader(data), &out, &conf); err != nil {
		return nil, problem.Invalid("fund.no_form")
	}
	return out.Bytes(), nil
}

// latin writes a text with the characters that every form's own font has (ISO 8859-1): other letters lose their accents,
// and what is left of other scripts becomes a question mark.
func latin(s string) string {
	s = strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`, "–", "-", "—", "-", "…", "...", "€", "EUR", "\u00a0", " ", "œ", "oe", "Œ", "OE", "ł", "l", "Ł", "L").Replace(s)
	var b strings.Builder
	for _, r := range norm.NFC.String(s) {
		switch {
		case r < 0x20, r >= 0x7F && r < 0xA0:
		case r <= 0xFF:
			b.WriteRune(r)
		default:
			plain := []rune(norm.NFD.String(string(r)))
			if plain[0] <= 0xFF && unicode.IsLetter(plain[0]) {
				b.WriteRune(plain[0])
			} else {
				b.WriteByte('?')
			}
		}
	}
	return b.String()
}

// fundValues is what an attestation gives for each of FundValues.
func fundValues(a ledger.Attestation, child household.NationalNumber) map[string]string {
	l, c, m := locale.For("fr"), a.Content, a.Content.Mutuelle
	if m == nil {
		return nil
	}
	place := func(street, town string) string { return strings.Trim(street+", "+town, ", ") }
	return map[string]string{
		"reference": c.Reference, "organiser": c.Organiser.Name, "organiser_address": place(c.Organiser.Street, c.Organiser.Town()),
		"organiser_bce": formatBCE(c.Organiser.BCE), "organiser_one": m.ONE, "organiser_contact": strings.Trim(l.Phone(m.Phone)+" - "+m.Email, " -"),
		"child": c.Child.Name(), "child_first_name": c.Child.FirstName, "child_last_name": c.Child.LastName,
		"child_birth_date": l.DayNumeric(c.Child.BirthDate), "child_number": formatNumber(child), "holder": c.Debtor.Name(),
		"holder_address": place(c.Debtor.Street, c.Debtor.Town()), "camp": m.Camp, "activity": m.Activity, "from": l.DayNumeric(m.From),
		"until": l.DayNumeric(m.Until), "days": strconv.Itoa(m.Days), "paid": l.Euros(a.TotalCents), "per_day": l.Euros(m.PerDay),
		"paid_on": l.DayNumeric(m.PaidOn), "place": c.Organiser.City, "date": l.DayNumeric(c.IssuedOn), "signatory": c.Signatory, "capacity": c.Capacity,
	}
}
