package pain001

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
)

func sample() File {
	return File{
		MessageID: "RB-V-2027-00001", CreatedAt: time.Date(2027, 5, 4, 7, 0, 0, 0, time.UTC), On: civil.NewDate(2027, 5, 5),
		Name: "Commune de Braine-le-Château", Enterprise: "0207000077", IBAN: "BE15091000000130", BIC: "GKCCBEBB",
		Transfers: []Transfer{
			{EndToEndID: "RB1", Cents: 6000, Name: "Zoé L’Épée & fils", IBAN: "BE68539007547034", Remittance: "Remboursement « stage » 202/6000/00192"},
			{EndToEndID: "RB2", Cents: 5, Name: "Jean Müller", IBAN: "FR1420041010050500013M02606"},
		},
	}
}

// path reads the text of the elements at a path, in order.
func path(t *testing.T, raw []byte, want string) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	var at []string
	for {
		token, err := d.Token()
		if token == nil {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			at = append(at, token.Name.Local)
			if strings.Join(at, "/") == want {
				texts = append(texts, "")
			}
		case xml.EndElement:
			at = at[:len(at)-1]
		case xml.CharData:
			if strings.Join(at, "/") == want {
				texts[len(texts)-1] += strings.TrimSpace(string(token))
			}
		}
	}
}

// children lists the names of the elements directly below the first element of a name, in order.
func children(raw []byte, parent string) (names []string) {
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	depth, inside := 0, -1
	for {
		token, _ := d.Token()
		switch token := token.(type) {
		case nil:
			return names
		case xml.StartElement:
			depth++
			if inside > 0 && depth == inside+1 {
				names = append(names, token.Name.Local)
			}
			if inside < 0 && token.Name.Local == parent {
				inside = depth
			}
		case xml.EndElement:
			if depth == inside {
				return names
			}
			depth--
		}
	}
}

func TestStructure(t *testing.T) {
	t.Parallel()
	const root = "Document/CstmrCdtTrfInitn/"
	for _, v := range []Version{V03, V09} {
		raw, err := Write(sample(), v)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:`+string(v)+`">`) {
			t.Errorf("%s: no namespace in %.200s", v, raw)
		}
		// The standard's sequences: an element out of its place makes a bank refuse the file.
		for parent, want := range map[string][]string{
			"CstmrCdtTrfInitn": {"GrpHdr", "PmtInf"},
			"GrpHdr":           {"MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"},
			"PmtInf":           {"PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "ChrgBr", "CdtTrfTxInf", "CdtTrfTxInf"},
			"CdtTrfTxInf":      {"PmtId", "Amt", "Cdtr", "CdtrAcct", "RmtInf"},
		} {
			if diff := cmp.Diff(want, children(raw, parent)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", v, parent, diff)
			}
		}
		date, bic := root+"PmtInf/ReqdExctnDt", root+"PmtInf/DbtrAgt/FinInstnId/BIC"
		if v == V09 {
			date, bic = date+"/Dt", bic+"FI"
		}
		for at, want := range map[string][]string{
			root + "GrpHdr/MsgId":                           {"RB-V-2027-00001"},
			root + "GrpHdr/CreDtTm":                         {"2027-05-04T09:00:00"},
			root + "GrpHdr/NbOfTxs":                         {"2"},
			root + "GrpHdr/CtrlSum":                         {"60.05"},
			root + "GrpHdr/InitgPty/Nm":                     {"Commune de Braine-le-Chateau"},
			root + "GrpHdr/InitgPty/Id/OrgId/Othr/Id":       {"0207000077"},
			root + "GrpHdr/InitgPty/Id/OrgId/Othr/Issr":     {"KBO-BCE"},
			root + "PmtInf/NbOfTxs":                         {"2"},
			root + "PmtInf/CtrlSum":                         {"60.05"},
			root + "PmtInf/PmtMtd":                          {"TRF"},
			root + "PmtInf/BtchBookg":                       {"false"},
			root + "PmtInf/PmtTpInf/SvcLvl/Cd":              {"SEPA"},
			root + "PmtInf/ChrgBr":                          {"SLEV"},
			root + "PmtInf/Dbtr/Nm":                         {"Commune de Braine-le-Chateau"},
			root + "PmtInf/DbtrAcct/Id/IBAN":                {"BE15091000000130"},
			date:                                            {"2027-05-05"},
			bic:                                             {"GKCCBEBB"},
			root + "PmtInf/CdtTrfTxInf/PmtId/EndToEndId":    {"RB1", "RB2"},
			root + "PmtInf/CdtTrfTxInf/Amt/InstdAmt":        {"60.00", "0.05"},
			root + "PmtInf/CdtTrfTxInf/Cdtr/Nm":             {"Zoe L'Epee + fils", "Jean Muller"},
			root + "PmtInf/CdtTrfTxInf/CdtrAcct/Id/IBAN":    {"BE68539007547034", "FR1420041010050500013M02606"},
			root + "PmtInf/CdtTrfTxInf/RmtInf/Ustrd":        {"Remboursement stage 202/6000/00192"},
			root + "PmtInf/DbtrAgt/FinInstnId/Othr/Id":      nil,
			root + "PmtInf/CdtTrfTxInf/CdtrAgt":             nil,
			root + "PmtInf/CdtTrfTxInf/Amt/InstdAmt/absent": nil,
		} {
			if diff := cmp.Diff(want, path(t, raw, at)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", v, at, diff)
			}
		}
		if n := strings.Count(string(raw), `Ccy="EUR"`); n != 2 {
			t.Errorf("%s: %d amounts in euros, want 2", v, n)
		}
		again, err := Write(sample(), v)
		if err != nil || string(again) != string(raw) {
			t.Errorf("%s: the same file is written otherwise (%v)", v, err)
		}
	}
	alone := sample()
	alone.BIC, alone.Enterprise = "", ""
	raw, err := Write(alone, V09)
	if err != nil {
		t.Fatal(err)
	}
	if got := path(t, raw, root+"PmtInf/DbtrAgt/FinInstnId/Othr/Id"); len(got) != 1 || got[0] != "NOTPROVIDED" || strings.Contains(string(raw), "OrgId") {
		t.Errorf("without BIC and number: %q", raw)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*File){
		"no transfer":            func(f *File) { f.Transfers = nil },
		"no id":                  func(f *File) { f.MessageID = "" },
		"a long id":              func(f *File) { f.MessageID = strings.Repeat("a", 36) },
		"an id with two slashes": func(f *File) { f.MessageID = "a//b" },
		"an id that ends so":     func(f *File) { f.Transfers[0].EndToEndID = "a/" },
		"an accent in an id":     func(f *File) { f.Transfers[0].EndToEndID = "é" },
		"the same reference":     func(f *File) { f.Transfers[1].EndToEndID = "RB1" },
		"nothing to pay":         func(f *File) { f.Transfers[0].Cents = 0 },
		"too much":               func(f *File) { f.Transfers[0].Cents = maxCents + 1 },
		"too much together":      func(f *File) { f.Transfers[0].Cents, f.Transfers[1].Cents = maxCents, 1 },
		"nobody":                 func(f *File) { f.Transfers[0].Name = " 漢字 " },
		"no debtor":              func(f *File) { f.Name = "" },
		"a wrong account":        func(f *File) { f.Transfers[0].IBAN = "BE68539007547035" },
		"an account with spaces": func(f *File) { f.Transfers[0].IBAN = "BE68 5390 0754 7034" },
		"a wrong debtor account": func(f *File) { f.IBAN = "BE00" },
		"a BIC of words":         func(f *File) { f.BIC = "BELFIUS" },
		"an enterprise of words": func(f *File) { f.Enterprise = "0207.000.077" },
		"yesterday":              func(f *File) { f.On = civil.NewDate(2027, 5, 3) },
	} {
		f := sample()
		spoil(&f)
		raw, err := Write(f, V09)
		if err == nil {
			t.Errorf("%s is taken: %s", name, raw)
		}
		if name == "no transfer" && !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %v", name, err)
		}
		for _, secret := range []string{"Zo", "Müller", "BE6853", "FR142"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error names a payer: %v", name, err)
			}
		}
	}
	if _, err := Write(sample(), "pain.001.001.02"); err == nil {
		t.Error("another version is written")
	}
	bad := sample()
	bad.MessageID, bad.IBAN, bad.Transfers[1].Cents = "", "x", 0
	if _, err := Write(bad, V03); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults are told as %v", err)
	}
}

// allowed is the SEPA's character set, without a slash at an end or two of them.
var allowed = regexp.MustCompile(`^[A-Za-z0-9?:().,'+ -]*(/[A-Za-z0-9?:().,'+ -]+)*$`)

// TestAnyFile holds for every file: counts and sums agree with what is in it, texts are within the bounds and the
// characters, and both versions carry the same money.
func TestAnyFile(t *testing.T) {
	t.Parallel()
	accounts := []string{"BE68539007547034", "BE15091000000130", "FR1420041010050500013M02606", "BE54097000000097"}
	rapid.Check(t, func(r *rapid.T) {
		f := sample()
		f.Name = "C" + rapid.String().Draw(r, "debtor")
		f.Transfers = nil
		var sum civil.Cents
		for i := range rapid.IntRange(1, 40).Draw(r, "transfers") {
			c := civil.Cents(rapid.Int64Range(1, 2_000_000).Draw(r, "cents"))
			sum += c
			f.Transfers = append(f.Transfers, Transfer{
				EndToEndID: fmt.Sprint("RB", i), Cents: c, Name: "X" + rapid.String().Draw(r, "name"),
				IBAN: rapid.SampledFrom(accounts).Draw(r, "iban"), Remittance: rapid.String().Draw(r, "words"),
			})
		}
		for _, v := range []Version{V03, V09} {
			raw, err := Write(f, v)
			if err != nil {
				r.Fatal(err)
			}
			var read struct {
				Count []string `xml:"CstmrCdtTrfInitn>GrpHdr>NbOfTxs"`
				Sum   string   `xml:"CstmrCdtTrfInitn>GrpHdr>CtrlSum"`
				Tx    []struct {
					Amount string   `xml:"Amt>InstdAmt"`
					Name   string   `xml:"Cdtr>Nm"`
					Words  []string `xml:"RmtInf>Ustrd"`
				} `xml:"CstmrCdtTrfInitn>PmtInf>CdtTrfTxInf"`
			}
			if err := xml.Unmarshal(raw, &read); err != nil {
				r.Fatalf("what was written is no XML: %v", err)
			}
			var total civil.Cents
			for _, tx := range read.Tx {
				c, err := civil.ParseEuros(tx.Amount)
				if err != nil {
					r.Fatal(err)
				}
				total += c
				for _, text := range append(tx.Words, tx.Name) {
					if !allowed.MatchString(text) || text == "" || len(text) > MaxRemittance {
						r.Fatalf("a bank may not read %q", text)
					}
				}
			}
			if total != sum || read.Sum != sum.Euros() || len(read.Tx) != len(f.Transfers) || read.Count[0] != fmt.Sprint(len(f.Transfers)) {
				r.Fatalf("%d transfers of %s, header %s of %s, want %d of %s", len(read.Tx), total.Euros(), read.Count, read.Sum, len(f.Transfers), sum.Euros())
			}
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"Zoé L’Épée", "//a//", "a / / b", "\xff\x00", "漢字", strings.Repeat("/", 300), "ﬁ"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 || most > 500 {
			return
		}
		got := Text(s, most)
		if !allowed.MatchString(got) || len(got) > most || strings.Contains(got, "  ") || got != strings.TrimSpace(got) || !utf8.ValidString(got) {
			t.Errorf("%q is written %q", s, got)
		}
		if again := Text(got, most); again != got {
			t.Errorf("%q is written %q, and that %q", s, got, again)
		}
	})
}
