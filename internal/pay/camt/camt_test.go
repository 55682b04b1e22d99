package camt

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/statement"
)

func sample(t testing.TB, version string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/sample-" + version + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func parse(t *testing.T, text string) []statement.Statement {
	t.Helper()
	all, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func codes(all []statement.Statement) (list []string) {
	for _, s := range all {
		for _, w := range s.Warnings {
			list = append(list, strings.TrimPrefix(w.Code, "bank.warning."))
		}
	}
	return list
}

var (
	day   = civil.NewDate(2025, 7, 7)
	first = statement.Entry{
		Date: day, ValueDate: day, Cents: 6000, Communication: "202600000192", CounterpartyName: "DUPONT ANNE",
		CounterpartyIBAN: "BE80001000000177", BankRef: "TSTREF00010000", Kind: "PMNT/RCDT/ESCT",
	}
)

func TestVersion02(t *testing.T) {
	t.Parallel()
	want := []statement.Statement{{
		Account: "BE15091000000130", Currency: "EUR", Number: "42", Date: day, Opening: 1000000, Closing: 1006000, Entries: []statement.Entry{first},
	}}
	if diff := cmp.Diff(want, parse(t, sample(t, "02"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestVersion08 reads names and statuses where the later version puts them, a batch payer by payer, a reversal, and
// leaves out what is only announced.
func TestVersion08(t *testing.T) {
	t.Parallel()
	batch := func(cents civil.Cents, communication, free, name, iban, ref string) statement.Entry {
		return statement.Entry{
			Date: day, ValueDate: day, Cents: cents, Communication: communication, FreeText: free, CounterpartyName: name,
			CounterpartyIBAN: iban, BankRef: ref, Kind: "PMNT/RCDT/ESCT",
		}
	}
	want := []statement.Statement{{
		Account: "BE15091000000130", Currency: "EUR", Number: "42", Date: day, Opening: 1000000, Closing: 1017300,
		Entries: []statement.Entry{
			first,
			batch(9000, "", "PLAINE JUILLET ZOÉ 202600012320", "MARTIN PAUL", "BE68539007547034", "TSTREF00020001"),
			batch(4800, "202600009791", "", "LAMBERT EVE", "BE54097000000097", "TSTREF00020002"),
			{
				Date: day, Cents: -2500, FreeText: "REMBOURSEMENT PLAINE", CounterpartyName: "DUPONT ANNE",
				CounterpartyIBAN: "BE80001000000177", BankRef: "TSTREF00040000", Kind: "0101000 RVSL",
			},
		},
		Warnings: []statement.Warning{{Code: "bank.warning.not_booked", Args: []string{"PDNG"}}},
	}}
	if diff := cmp.Diff(want, parse(t, sample(t, "08"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWarnings breaks the samples: they are read, and say so.
func TestWarnings(t *testing.T) {
	t.Parallel()
	two, eight := sample(t, "02"), sample(t, "08")
	for name, v := range map[string]struct {
		text    string
		want    []string
		entries int
	}{
		"closing balance":   {strings.Replace(two, "10060.00", "10061.00", 1), []string{"balance"}, 1},
		"no closing":        {strings.Replace(two, "CLBD", "ITBD", 1), []string{"no_closing"}, 1},
		"no opening":        {strings.Replace(two, "OPBD", "ITBD", 1), []string{"no_opening"}, 1},
		"letters":           {strings.Replace(two, ">60.00<", ">soixante<", 1), []string{"amount", "balance"}, 1},
		"negative":          {strings.Replace(two, ">60.00<", ">-60.00<", 1), []string{"amount", "balance"}, 1},
		"a third decimal":   {strings.Replace(two, ">60.00<", ">60.004<", 1), []string{"amount"}, 1},
		"zeros after cents": {strings.Replace(two, ">60.00<", ">60.00000<", 1), nil, 1},
		"a huge amount":     {strings.Replace(two, ">60.00<", ">99999999999999.00<", 1), []string{"amount", "balance"}, 1},
		"a day":             {strings.Replace(two, "<ValDt><Dt>2025-07-07", "<ValDt><Dt>2025-02-31", 1), []string{"date"}, 1},
		"dollars":           {strings.Replace(two, `<Amt Ccy="EUR">60.00`, `<Amt Ccy="USD">60.00`, 1), []string{"currency"}, 1},
		"a batch":           {strings.Replace(eight, ">48<", ">47<", 1), []string{"details", "not_booked"}, 3},
	} {
		all := parse(t, v.text)
		if diff := cmp.Diff(v.want, codes(all)); diff != "" || len(all) != 1 || len(all[0].Entries) != v.entries {
			t.Errorf("%s: %d entries, want %d (-want +got):\n%s", name, len(all[0].Entries), v.entries, diff)
		}
	}
}

func TestLatin1(t *testing.T) {
	t.Parallel()
	text := strings.Replace(strings.Replace(sample(t, "02"), "UTF-8", "ISO-8859-1", 1), "DUPONT ANNE", "DUPR\xc9 ANNE-GA\xcbLLE", 1)
	if got := parse(t, text)[0].Entries[0].CounterpartyName; got != "DUPRÉ ANNE-GAËLLE" {
		t.Errorf("read %q", got)
	}
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	text := sample(t, "02")
	from, to := strings.Index(text, "<Stmt>"), strings.Index(text, "</Stmt>")+len("</Stmt>")
	one := text[from:to]
	all := parse(t, text[:from]+one+strings.ReplaceAll(one, "BE15091000000130", "BE10091012345604")+text[to:])
	if len(all) != 2 || all[1].Account != "BE10091012345604" {
		t.Errorf("two accounts in one document: %+v", all)
	}
}

func TestPrefixed(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer(`xmlns="`, `xmlns:a="`, "</", "</a:", "<?", "<?", "<", "<a:").Replace(sample(t, "02"))
	text = strings.ReplaceAll(text, "<a:?", "<?")
	if all := parse(t, text); len(all) != 1 || len(all[0].Entries) != 1 || all[0].Entries[0].Cents != 6000 {
		t.Errorf("with a prefix: %+v", all)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	text := sample(t, "02")
	for name, bad := range map[string]string{
		"nothing":         "",
		"words":           "Bonjour",
		"a page":          "<html><body>Bonjour</body></html>",
		"an advice":       strings.ReplaceAll(text, "camt.053", "camt.054"),
		"no namespace":    strings.Replace(text, "xmlns=", "x=", 1),
		"cut":             text[:len(text)/2],
		"crossed":         strings.Replace(text, "</Ntry>", "</Ntri>", 1),
		"a document type": strings.Replace(text, "<Document", "<!DOCTYPE x [<!ENTITY a 'b'>]><Document", 1),
		"an entity":       strings.Replace(text, "DUPONT", "&a;", 1),
		"characters":      strings.Replace(text, "UTF-8", "UTF-7", 1),
	} {
		if all, err := Parse([]byte(bad)); !errors.Is(err, statement.ErrFormat) {
			t.Errorf("%s: %v, %v, want ErrFormat", name, all, err)
		}
	}
	head := `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><Stmt>`
	for name, bad := range map[string]string{
		"bytes":      strings.Repeat(" ", statement.MaxBytes+1),
		"depth":      head + strings.Repeat("<a>", maxDepth+1),
		"entries":    head + strings.Repeat("<Ntry/>", 2*statement.MaxEntries+1),
		"statements": strings.Repeat(head+"</Stmt></Document>", statement.MaxStatements+1),
		"texts":      head + "<Ntry><NtryDtls><TxDtls><RmtInf>" + strings.Repeat("<Ustrd/>", maxMany+1),
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, statement.ErrLarge) {
			t.Errorf("too much %s: %v, want ErrLarge", name, err)
		}
	}
	many := head + fmt.Sprintf(`<Ntry><Amt Ccy="EUR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><NtryDtls>%s</NtryDtls></Ntry></Stmt></Document>`,
		strings.Repeat("<TxDtls/>", statement.MaxEntries+1))
	if all := parse(t, many); len(all[0].Entries) != 1 {
		t.Errorf("a batch beyond the bounds gives %d entries, want it whole", len(all[0].Entries))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample(f, "02")))
	f.Add([]byte(sample(f, "08")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := Parse(raw)
		if err != nil {
			return
		}
		statement.Sane(t, all)
	})
}
