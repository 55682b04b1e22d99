package coda

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

func sample(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/sample.cod")
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

func TestSample(t *testing.T) {
	t.Parallel()
	day := civil.NewDate(2025, 7, 7)
	entry := func(cents civil.Cents, communication, free, name, iban, ref, kind string) statement.Entry {
		return statement.Entry{
			Date: day, ValueDate: day, Cents: cents, Communication: communication, FreeText: free, CounterpartyName: name,
			CounterpartyIBAN: iban, BankRef: ref, Kind: kind,
		}
	}
	want := []statement.Statement{{
		Account: "BE15091000000130", Currency: "EUR", Number: "42", Date: day, Opening: 1000000, Closing: 1017300,
		Entries: []statement.Entry{
			entry(6000, "202600000192", "", "DUPONT ANNE", "BE80001000000177", "TSTREF00010000", "00150000"),
			entry(9000, "", "PLAINE JUILLET ZOE 202600012320", "MARTIN PAUL", "BE68539007547034", "TSTREF00020000", "00150000"),
			entry(4800, "202600009791", "", "LAMBERT EVE", "BE54097000000097", "TSTREF00030000", "00150000"),
			entry(-2500, "", "REMBOURSEMENT PLAINE", "DUPONT ANNE", "BE80001000000177", "TSTREF00040000", "00101000"),
		},
	}}
	if diff := cmp.Diff(want, parse(t, sample(t))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, parse(t, strings.ReplaceAll(sample(t), "\r\n", "\n"))); diff != "" {
		t.Errorf("with bare line feeds (-want +got):\n%s", diff)
	}
}

// codes lists the warnings of all statements.
func codes(all []statement.Statement) (list []string) {
	for _, s := range all {
		for _, w := range s.Warnings {
			list = append(list, strings.TrimPrefix(w.Code, "bank.warning."))
		}
	}
	return list
}

// replaced changes the n-th line of a text (from 0) at an offset.
func replaced(text string, n, at int, with string) string {
	lines := strings.Split(text, "\r\n")
	lines[n] = lines[n][:at] + with + lines[n][at+len(with):]
	return strings.Join(lines, "\r\n")
}

// TestWarnings breaks the sample in every place where a bank or an editor may: it is read, and says so.
func TestWarnings(t *testing.T) {
	t.Parallel()
	s := sample(t)
	lines := strings.Split(s, "\r\n")
	for name, v := range map[string]struct {
		text string
		want []string
	}{
		"closing balance":  {replaced(s, 14, 42, "000000010173010"), []string{"balance"}},
		"opening balance":  {replaced(s, 1, 43, "000000000000000"), []string{"balance"}},
		"records counted":  {replaced(s, 15, 16, "000015"), []string{"count"}},
		"debits totalled":  {replaced(s, 15, 22, "000000000025010"), []string{"totals"}},
		"credits totalled": {replaced(s, 15, 37, "000000000198010"), []string{"totals"}},
		"letters":          {replaced(s, 2, 32, "00000000006OOOO"), []string{"amount", "balance", "totals"}},
		"tenths of a cent": {replaced(s, 2, 32, "000000000060005"), []string{"amount"}},
		"a day":            {replaced(s, 2, 47, "310225"), []string{"date"}},
		"version":          {replaced(s, 0, 127, "1"), []string{"version"}},
		"a copy":           {replaced(s, 0, 16, "D"), []string{"duplicate"}},
		"a strange record": {strings.Replace(s, "\r\n8", "\r\n7\r\n8", 1), []string{"record"}},
		"no closing":       {strings.Join(append(append([]string{}, lines[:14]...), ""), "\r\n"), []string{"no_closing"}},
		"a stray line":     {replaced(s, 3, 2, "0009"), []string{"record"}},
	} {
		all := parse(t, v.text)
		if diff := cmp.Diff(v.want, codes(all)); diff != "" || len(all) != 1 || len(all[0].Entries) != 4 {
			t.Errorf("%s: %d statements (-want +got):\n%s", name, len(all), diff)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\r\n\r\n", "<?xml version=\"1.0\"?>", "Bonjour", "0", strings.Repeat("2", 300), "PK\x03\x04", "21000"} {
		if all, err := Parse([]byte(text)); !errors.Is(err, statement.ErrFormat) {
			t.Errorf("%.20q: %v, %v, want ErrFormat", text, all, err)
		}
	}
	for name, text := range map[string]string{
		"bytes":      strings.Repeat("4\n", statement.MaxBytes),
		"statements": strings.Repeat("1\n", statement.MaxStatements+2),
		"movements":  "1\n" + strings.Repeat("21\n", statement.MaxEntries+1),
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, statement.ErrLarge) {
			t.Errorf("too many %s: %v, want ErrLarge", name, err)
		}
	}
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(sample(t), "BE15091000000130", "BE10091012345604")
	all := parse(t, sample(t)+other)
	if len(all) != 2 || all[1].Account != "BE10091012345604" || len(all[0].Entries) != 4 || len(all[1].Entries) != 4 || len(codes(all)) != 0 {
		t.Errorf("two accounts in one file: %+v", all)
	}
}

// TestLatin1 reads names as banks write them, and as an editor may have saved them.
func TestLatin1(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"Latin-1":      strings.ReplaceAll(sample(t), "MARTIN PAUL ", "MARTIN\xc9 \xe7A "),
		"UTF-8":        strings.ReplaceAll(sample(t), "MARTIN PAUL ", "MARTINÉ çA "),
		"Windows-1252": strings.ReplaceAll(strings.ReplaceAll(sample(t), "MARTIN PAUL ", "MARTIN\xc9 \xe7A "), "PLAINE JUILLET", "PLAINE \x80UILLE"),
	} {
		e := parse(t, text)[0].Entries[1]
		if e.CounterpartyName != "MARTINÉ çA" || e.CounterpartyIBAN != "BE68539007547034" {
			t.Errorf("%s: %+v", name, e)
		}
		if name == "Windows-1252" && !strings.HasPrefix(e.FreeText, "PLAINE €UILLE") {
			t.Errorf("the euro is read as %q", e.FreeText)
		}
	}
}

// line makes a record of pieces at their offsets.
func line(pieces map[int]string) string {
	b := []byte(strings.Repeat(" ", width))
	for at, s := range pieces {
		copy(b[at:], s)
	}
	return string(b) + "\r\n"
}

// movement is a record 21.
func moved(seq, detail string, cents int, comm string) string {
	return line(map[int]string{0: "21", 2: seq, 6: detail, 10: "REF" + seq + detail, 31: "0", 32: fmt.Sprintf("%015d", cents*10), 47: "070725", 53: "10150000", 61: comm, 115: "070725"})
}

func file(closing int, records ...string) string {
	return line(map[int]string{0: "0", 5: "070725", 127: "2"}) +
		line(map[int]string{0: "12", 5: "BE15091000000130", 39: "EUR", 42: "0", 43: "000000000000000", 58: "070725", 125: "007"}) +
		strings.Join(records, "") +
		line(map[int]string{0: "8", 41: "0", 42: fmt.Sprintf("%015d", closing*10), 57: "070725"})
}

// TestGlobalised lets the details of a movement stand for it exactly when they add up: no cent counts twice.
func TestGlobalised(t *testing.T) {
	t.Parallel()
	text := file(15000, moved("0001", "0000", 15000, "0BATCH"), moved("0001", "0001", 6000, "1101202600000192"), moved("0001", "0002", 9000, "1101202600012320"))
	all := parse(t, text)
	if got := all[0].Entries; len(got) != 2 || got[0].Communication != "202600000192" || got[0].Cents != 6000 || got[1].Communication != "202600012320" || len(codes(all)) != 0 {
		t.Errorf("details that add up: %+v %v", got, codes(all))
	}
	all = parse(t, file(15000, moved("0001", "0000", 15000, "0BATCH"), moved("0001", "0001", 6000, "1101202600000192")))
	if got := all[0].Entries; len(got) != 1 || got[0].Cents != 15000 || got[0].Communication != "" {
		t.Errorf("details that do not: %+v", got)
	}
	if diff := cmp.Diff([]string{"details"}, codes(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPieces puts a communication together that runs over three records, and adds what the bank tells.
func TestPieces(t *testing.T) {
	t.Parallel()
	first := "0" + strings.Repeat("a", 53)
	text := file(100, moved("0001", "0000", 100, first),
		line(map[int]string{0: "22", 2: "0001", 10: strings.Repeat("b", 53)}),
		line(map[int]string{0: "23", 2: "0001", 10: "BE80001000000177", 44: "EUR", 47: "DUPONT", 82: "fin"}),
		line(map[int]string{0: "31", 2: "0001", 39: "0", 40: "avis de la banque"}),
		line(map[int]string{0: "31", 2: "0001", 39: "1", 40: "CODE"}),
		line(map[int]string{0: "32", 2: "0001", 10: "CODE AUSSI"}),
		line(map[int]string{0: "4", 32: "message"}))
	e := parse(t, text)[0].Entries[0]
	if want := strings.Repeat("a", 53) + strings.Repeat("b", 53) + "fin avis de la banque"; e.FreeText != want || e.CounterpartyName != "DUPONT" {
		t.Errorf("read %+v, want %q", e, want)
	}
	wrong := parse(t, file(100, moved("0001", "0000", 100, "1101202600000193")))[0].Entries[0]
	if wrong.Communication != "" || !strings.Contains(wrong.FreeText, "202600000193") {
		t.Errorf("a communication with wrong check digits is read as %+v", wrong)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample(f)))
	f.Add([]byte(file(100, moved("0001", "0000", 100, "1101202600000192"), moved("0001", "0001", 100, "0x"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := Parse(raw)
		if err != nil {
			return
		}
		statement.Sane(t, all)
	})
}
