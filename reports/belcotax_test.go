package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
)

var valmont = ledger.AttestationBody{Name: "COMMUNE DE TESTVILLE", BCE: "0207000077", Street: "Place Communale 1", Postcode: "7180", City: "Testville"}

// declaration is what the sample declares: Léo and Zoé, of Anne Dupont.
func declaration(t testing.TB) ledger.Declaration {
	t.Helper()
	anne := nationalNumber(t, "85073003328")
	fiche := func(n int, child, number string, birth civil.Date, lines ...ledger.AttestationLine) ledger.Fiche {
		a := ledger.Attestation{Number: n, Year: 2025, Content: ledger.AttestationContent{
			Reference: fmt.Sprintf("ATT-2025-%05d", n), Organiser: valmont, Certifier: valmont, Certification: 2,
			Debtor: ledger.AttestationPerson{FirstName: "Anne", LastName: "Dupont", Street: "Rue du Test 12", Postcode: "7180", City: "Testville"},
			Child:  ledger.AttestationPerson{FirstName: child, LastName: "Dupont", BirthDate: birth, Street: "Rue du Test 12", Postcode: "7180", City: "Testville"},
			Lines:  lines,
		}}
		return ledger.Fiche{Attestation: a, Number: n, DebtorNumber: anne, ChildNumber: nationalNumber(t, number)}
	}
	week := func(first, days int, tariff, cents civil.Cents) ledger.AttestationLine {
		return ledger.AttestationLine{From: civil.NewDate(2025, 7, first), Until: civil.NewDate(2025, 7, first+4), Days: days, Tariff: tariff, Cents: cents}
	}
	return ledger.Declaration{
		Year:   2025,
		Sender: ledger.Sender{Body: valmont, Phone: "+3264000000", Email: "jeunesse@testville.example", Contact: "Service Jeunesse"},
		Fiches: []ledger.Fiche{
			fiche(1, "Léo", "17041512731", civil.NewDate(2017, 4, 15), week(7, 5, 1200, 6000), week(14, 4, 1200, 4800)),
			fiche(2, "Zoé", "18033100278", civil.NewDate(2018, 3, 31), week(7, 5, 1800, 9000)),
		},
	}
}

// TestBelcotaxIsTheSample writes the sample, element by element. It was validated against the XSD of the FPS Finance.
func TestBelcotaxIsTheSample(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("testdata/belcotax-28186-sample.xml")
	if err != nil {
		t.Fatal(err)
	}
	if faults := CheckBelcotax(sample); len(faults) != 0 {
		t.Errorf("the check finds faults in the sample: %+v", faults)
	}
	got, faults := BelcotaxXML(declaration(t), true, civil.NewDate(2026, 2, 15))
	if len(faults) != 0 {
		t.Fatalf("faults: %+v", faults)
	}
	if diff := cmp.Diff(flat(t, sample), flat(t, got)); diff != "" {
		t.Errorf("elements (-sample +got):\n%s", diff)
	}
}

// flat lists the elements of a file in order, with their values.
func flat(t testing.TB, file []byte) (list []string) {
	t.Helper()
	root, err := readNodes(file)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *node)
	walk = func(n *node) {
		if len(n.kids) == 0 {
			list = append(list, n.name+"="+n.text)
			return
		}
		list = append(list, n.name)
		for _, k := range n.kids {
			walk(k)
		}
		list = append(list, "/"+n.name)
	}
	walk(root)
	return list
}

// TestBelcotaxTotals draws files of any fiches: what is written passes the check, the control totals are those that
// Belcotax documents, and changing any digit of any total is found.
func TestBelcotaxTotals(t *testing.T) {
	t.Parallel()
	sample := declaration(t)
	rapid.Check(t, func(t *rapid.T) {
		d := sample
		d.Fiches = nil
		var numbers, amounts int64
		n := 0
		for range rapid.IntRange(1, 12).Draw(t, "fiches") {
			f := sample.Fiches[0]
			n += rapid.IntRange(1, 3).Draw(t, "gap")
			f.Number = n
			f.Treatment = rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "treatment")
			f.Attestation.Content.Reference = fmt.Sprintf("ATT-2025-%05d", n)
			f.Attestation.Content.Lines = nil
			for i := range rapid.IntRange(1, ledger.MostLines).Draw(t, "lines") {
				l := ledger.AttestationLine{
					From: civil.NewDate(2025, 7, 7).AddDays(7 * i), Until: civil.NewDate(2025, 7, 11).AddDays(7 * i),
					Days: rapid.IntRange(1, 5).Draw(t, "days"), Cents: civil.Cents(rapid.Int64Range(1, 5_000_000).Draw(t, "cents")),
					Tariff: civil.Cents(rapid.Int64Range(0, 10_000).Draw(t, "tariff")),
				}
				amounts += int64(l.Cents)
				f.Attestation.Content.Lines = append(f.Attestation.Content.Lines, l)
			}
			numbers += int64(n)
			d.Fiches = append(d.Fiches, f)
		}
		file, faults := BelcotaxXML(d, false, civil.NewDate(2026, 2, 15))
		if len(faults) != 0 {
			t.Fatalf("faults: %+v", faults)
		}
		count := int64(len(d.Fiches))
		for name, want := range map[string]int64{
			"r8010_aantalrecords": count + 2, "r8011_controletotaal": numbers, "r8012_controletotaal": 2 * amounts, "r8013_totaalvoorheffingen": 0,
			"r9010_aantallogbestanden": 3, "r9011_totaalaantalrecords": count + 4, "r9012_controletotaal": numbers, "r9013_controletotaal": 2 * amounts, "r9014_controletotaal": 0,
		} {
			element := fmt.Sprintf("<%s>%d</%s>", name, want, name)
			if !bytes.Contains(file, []byte(element)) {
				t.Fatalf("%s is not %d", name, want)
			}
			other := bytes.Replace(file, []byte(element), fmt.Appendf(nil, "<%s>%d</%s>", name, want+1, name), 1)
			if faults := CheckBelcotax(other); len(faults) != 1 || faults[0].Element != name {
				t.Fatalf("%s that is one more gives %+v", name, faults)
			}
		}
	})
}

// codes lists faults as "element code", a star behind those that block.
func codes(faults []Fault) (list []string) {
	for _, f := range faults {
		one := f.Element + " " + strings.TrimPrefix(f.Code, "belcotax.fault.")
		if f.Blocking {
			one += "*"
		}
		list = append(list, one)
	}
	slices.Sort(list)
	return list
}

func TestBelcotaxFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(d *ledger.Declaration)
		want   []string
	}{
		"an ampersand": {func(d *ledger.Declaration) { d.Fiches[0].Attestation.Content.Debtor.LastName = "Dupont &amp; Fils" }, []string{"f2013_naam characters"}},
		"a long street is shortened": {func(d *ledger.Declaration) {
			d.Fiches[0].Attestation.Content.Child.Street = strings.Repeat("é", 42)
		}, []string{"f86_2102_childaddress long"}},
		"a long name of the commune": {
			func(d *ledger.Declaration) { d.Sender.Body.Name = strings.Repeat("m", 42) },
			[]string{"a1011_naamnl1 long*", "a1027_naamfr1 long*", "v0014_naam long*"},
		},
		"no contact":                       {func(d *ledger.Declaration) { d.Sender.Contact = "" }, []string{"v0021_contactpersoon missing*"}},
		"no enterprise":                    {func(d *ledger.Declaration) { d.Sender.Body.BCE = "" }, []string{"a1005_registratienummer missing*", "r8005_registratienummer missing*", "v0024_nationaalnr missing*"}},
		"no postcode":                      {func(d *ledger.Declaration) { d.Sender.Body.Postcode = "" }, []string{"a1014_postcodebelgisch missing*", "v0016_postcode missing*"}},
		"a half of the numbers is missing": {func(d *ledger.Declaration) { d.Fiches[0].DebtorNumber = household.NationalNumber{} }, []string{"f2011_nationaalnr debtor_number*"}},
		"a twentieth is missing": {func(d *ledger.Declaration) {
			for len(d.Fiches) < 20 {
				f := d.Fiches[1]
				f.Number = len(d.Fiches) + 1
				d.Fiches = append(d.Fiches, f)
			}
			d.Fiches[0].DebtorNumber = household.NationalNumber{}
		}, []string{"f2011_nationaalnr debtor_number"}},
		"the child's number": {func(d *ledger.Declaration) { d.Fiches[1].ChildNumber = household.NationalNumber{} }, []string{"f86_2153_nnchild child_number"}},
		"abroad":             {func(d *ledger.Declaration) { d.Fiches[0].Attestation.Content.Debtor.Postcode = "F-59300" }, nil},
		"farther abroad":     {func(d *ledger.Declaration) { d.Fiches[0].Attestation.Content.Debtor.Postcode = "CH-1200" }, []string{"f2018_landwoonplaats country*"}},
		"no period": {
			func(d *ledger.Declaration) { d.Fiches[0].Attestation.Content.Lines = nil },
			[]string{"f86_2055_begindate1 missing*", "f86_2056_enddate1 missing*", "f86_2060_amount1 missing*", "f86_2110_numberofday1 missing*"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := declaration(t)
			c.change(&d)
			_, faults := BelcotaxXML(d, false, civil.NewDate(2026, 2, 15))
			if diff := cmp.Diff(c.want, codes(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			for _, f := range faults {
				if strings.Contains(fmt.Sprint(f.Args...), "Dupont") {
					t.Errorf("a fault carries a name: %+v", f)
				}
			}
		})
	}
}

func TestBelcotaxCorrections(t *testing.T) {
	t.Parallel()
	d := declaration(t)
	d.Corrects, d.Reference = true, "R12345"
	d.Fiches[0].Treatment, d.Fiches[1].Treatment, d.Fiches[1].Number = ledger.TreatmentChange, ledger.TreatmentCancel, 7
	file, faults := BelcotaxXML(d, false, civil.NewDate(2026, 4, 1))
	if len(faults) != 0 {
		t.Fatalf("faults: %+v", faults)
	}
	for _, want := range []string{
		"<v0010_bestandtype>BELCOTAX<", "<v0025_typeenvoi>1<", "<v0026_referte>R12345<", "<f2028_typetraitement>1<", "<f2028_typetraitement>3<", "<f2009_volgnummer>7<",
	} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("the file lacks %s", want)
		}
	}
}

// TestCheckBelcotaxFindsDamage takes elements of the sample away, doubles and swaps them: the check tells.
func TestCheckBelcotaxFindsDamage(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("testdata/belcotax-28186-sample.xml")
	if err != nil {
		t.Fatal(err)
	}
	simple := regexp.MustCompile(`(?m)^ *<([a-z0-9_A-Z]+)>[^<]*</([a-z0-9_A-Z]+)>\n`)
	places := simple.FindAllIndex(sample, -1)
	for i, p := range places {
		line := sample[p[0]:p[1]]
		doubled := slices.Concat(sample[:p[1]], line, sample[p[1]:])
		if len(CheckBelcotax(doubled)) == 0 {
			t.Errorf("twice %s is not told", bytes.TrimSpace(line))
		}
		if i+1 < len(places) && places[i+1][0] == p[1] {
			next := sample[p[1]:places[i+1][1]]
			swapped := slices.Concat(sample[:p[0]], next, line, sample[places[i+1][1]:])
			if len(CheckBelcotax(swapped)) == 0 {
				t.Errorf("%s before its time is not told", bytes.TrimSpace(next))
			}
		}
	}
	if len(places) < 100 {
		t.Fatalf("%d elements tried", len(places))
	}
	for _, bad := range []string{"", "<a>", "<a></a>", "<Verzendingen></Verzendingen>", "no xml", strings.Repeat("<x>", 100)} {
		if len(CheckBelcotax([]byte(bad))) == 0 {
			t.Errorf("%q is not told", bad)
		}
	}
}

func FuzzCheckBelcotax(f *testing.F) {
	sample, err := os.ReadFile("testdata/belcotax-28186-sample.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte("<Verzendingen><Verzending/></Verzendingen>"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(CheckBelcotax(file)) == 0 {
			// Whatever passes is well-formed.
			if err := xml.Unmarshal(file, &struct{}{}); err != nil {
				t.Errorf("passed, and %v", err)
			}
		}
	})
}
