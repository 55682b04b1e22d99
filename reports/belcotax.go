package reports

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// contentXML is the media type of a file for Belcotax-on-web.
const contentXML = "application/xml"

// Fault is one thing that is wrong in a file for Belcotax-on-web, or that had to be changed to fit in it. It names the
// element, never its value.
type Fault struct {
	Reference string // of the attestation; "" for the sender
	Element   string
	Code      string // message key
	Args      []any
	Blocking  bool // the file must not be sent
}

// Belcotax makes the file for Belcotax-on-web of a year, keeps it and returns it. With a blocking fault it returns none,
// and every fault. test makes one for the test site. Nothing to send is Conflict. The caller has checked who asks.
func Belcotax(ctx context.Context, store *ledger.Attestations, year int, test bool, actor audit.Actor) (File, []Fault, error) {
	d, err := store.Declaration(ctx, year)
	if err != nil {
		return File{}, nil, err
	}
	if len(d.Fiches) == 0 {
		return File{}, nil, problem.Conflict("belcotax.nothing", year)
	}
	body, faults := BelcotaxXML(d, test, civil.DateOf(store.Now(), civil.Brussels))
	if Blocked(faults) {
		return File{}, faults, nil
	}
	if _, err := store.KeepBelcotax(ctx, actor, d, test, body); err != nil {
		return File{}, nil, err
	}
	return File{Name: BelcotaxName(year), ContentType: contentXML, Body: body}, faults, nil
}

// BelcotaxName is the name of the file of a year.
func BelcotaxName(year int) string { return fmt.Sprintf("belcotax-28186-%d.xml", year) }

// Blocked reports whether one of the faults forbids sending.
func Blocked(faults []Fault) bool {
	for _, f := range faults {
		if f.Blocking {
			return true
		}
	}
	return false
}

// mostUnknown is the part of the fiches that may lack the debtor's number: 1 in 20 (Belcotax-on-web, zone 2.011).
const mostUnknown = 20

// BelcotaxXML writes the file and checks it. Amounts are integer cents, dates DD-MM-YYYY. What people are called is
// shortened where the element is too short, which is told; everything else that does not fit blocks.
func BelcotaxXML(d ledger.Declaration, test bool, today civil.Date) ([]byte, []Fault) {
	b := belcotax{}
	b.out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	b.open("Verzendingen")
	b.open("Verzending")
	b.write("", sendingElements, sender(d, test, today), nil)
	b.open("Aangiften")
	b.open("Aangifte")
	b.write("", declarationElements, declarant(d), nil)
	b.open("Opgaven")
	b.open("Opgave32586")
	for _, f := range d.Fiches {
		b.open("Fiche28186")
		b.fiche(d, f)
		b.close("Fiche28186")
	}
	b.close("Opgave32586")
	b.close("Opgaven")
	b.write("", declarationTotals, b.totals(d), nil)
	b.close("Aangifte")
	b.close("Aangiften")
	b.write("", sendingTotals, b.totals(d), nil)
	b.close("Verzending")
	b.close("Verzendingen")
	if b.unknown*mostUnknown > len(d.Fiches) {
		for i := range b.faults {
			b.faults[i].Blocking = b.faults[i].Blocking || b.faults[i].Code == "belcotax.fault.debtor_number"
		}
	}
	// The last word is that of the check that reads the file as Belcotax-on-web does.
	if !Blocked(b.faults) {
		b.faults = append(b.faults, CheckBelcotax(b.out.Bytes())...)
	}
	return b.out.Bytes(), b.faults
}

type belcotax struct {
	out     bytes.Buffer
	depth   int
	faults  []Fault
	unknown int   // fiches without the debtor's number
	numbers int64 // sum of f2009
	control int64 // sum of f86_2059
}

func (b *belcotax) open(name string) {
	fmt.Fprintf(&b.out, "%s<%s>\n", strings.Repeat("  ", b.depth), name)
	b.depth++
}

func (b *belcotax) close(name string) {
	b.depth--
	fmt.Fprintf(&b.out, "%s</%s>\n", strings.Repeat("  ", b.depth), name)
}

// write writes the elements that have a value, in their order. short names those that may be shortened.
func (b *belcotax) write(reference string, elements []element, values map[string]string, short map[string]bool) {
	fault := func(e element, code string, blocking bool, args ...any) {
		b.faults = append(b.faults, Fault{Reference: reference, Element: e.name, Code: code, Args: args, Blocking: blocking})
	}
	for _, e := range elements {
		v, changed := belcotaxText(values[e.name])
		if changed {
			fault(e, "belcotax.fault.characters", false)
		}
		if n := utf8.RuneCountInString(v); n > e.most {
			fault(e, "belcotax.fault.long", !short[e.name], n, e.most)
			v = strings.TrimSpace(string([]rune(v)[:e.most]))
		}
		switch {
		case v == "" && e.needed:
			fault(e, "belcotax.fault.missing", true)
		case v != "" && !e.fits(v):
			fault(e, "belcotax.fault.shape", true)
		}
		if v == "" {
			continue
		}
		fmt.Fprintf(&b.out, "%s<%s>", strings.Repeat("  ", b.depth), e.name)
		_ = xml.EscapeText(&b.out, []byte(v))
		fmt.Fprintf(&b.out, "</%s>\n", e.name)
	}
}

// belcotaxText drops what Belcotax-on-web refuses: the ampersand, even escaped, angle brackets and control characters.
func belcotaxText(s string) (clean string, changed bool) {
	clean = strings.Map(func(r rune) rune {
		switch {
		case r == '&' || r == '<' || r == '>':
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError || r > 0xFFFD && r < 0x10000:
			return -1
		}
		return r
	}, s)
	clean = strings.Join(strings.Fields(clean), " ")
	return clean, clean != strings.Join(strings.Fields(s), " ")
}

var (
	onlyDigits = regexp.MustCompile(`^[0-9]+$`)
	dayShape   = regexp.MustCompile(`^([0-9]{2})-([0-9]{2})-([0-9]{4})$`)
)

// fits reports whether a value is written as its element wants it.
func (e element) fits(v string) bool {
	switch e.kind {
	case number:
		return onlyDigits.MatchString(v)
	case date:
		m := dayShape.FindStringSubmatch(v)
		if m == nil {
			return false
		}
		_, err := civil.ParseDate(m[3] + "-" + m[2] + "-" + m[1])
		return err == nil
	}
	return true
}

func belcotaxDay(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%02d-%02d-%04d", d.Day, int(d.Month), d.Year)
}

func sender(d ledger.Declaration, test bool, today civil.Date) map[string]string {
	body := d.Sender.Body
	v := map[string]string{
		"v0002_inkomstenjaar": strconv.Itoa(d.Year), "v0010_bestandtype": "BELCOTAX", "v0011_aanmaakdatum": belcotaxDay(today),
		"v0014_naam": body.Name, "v0015_adres": body.Street, "v0016_postcode": body.Postcode, "v0017_gemeente": body.City,
		"v0018_telefoonnummer": nationalPhone(d.Sender.Phone), "v0021_contactpersoon": d.Sender.Contact, "v0022_taalcode": "2",
		"v0023_emailadres": d.Sender.Email, "v0024_nationaalnr": body.BCE, "v0025_typeenvoi": "0", "v0028_landwoonplaats": "150",
	}
	if test {
		v["v0010_bestandtype"] = "BCTEST"
	}
	if d.Corrects {
		v["v0025_typeenvoi"], v["v0026_referte"] = "1", d.Reference
	}
	return v
}

// nationalPhone writes a number with digits alone, as it is dialled in Belgium.
func nationalPhone(s string) string {
	if rest, ok := strings.CutPrefix(strings.ReplaceAll(s, " ", ""), "+32"); ok {
		s = "0" + rest
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// declarant fills the Dutch set of names too: the XSD asks for it from everybody.
func declarant(d ledger.Declaration) map[string]string {
	body := d.Sender.Body
	return map[string]string{
		"a1002_inkomstenjaar": strconv.Itoa(d.Year), "a1005_registratienummer": body.BCE, "a1011_naamnl1": body.Name, "a1013_adresnl": body.Street,
		"a1014_postcodebelgisch": body.Postcode, "a1015_gemeente": body.City, "a1016_landwoonplaats": "150", "a1020_taalcode": "2",
		"a1027_naamfr1": body.Name, "a1029_adresfr": body.Street, "a1030_gemeentefr": body.City, "a1031_taalfr": "2",
	}
}

// shortened are the elements of people that may be cut: nobody can make a street shorter.
var shortened = map[string]bool{
	"f2013_naam": true, "f2015_adres": true, "f2017_gemeente": true, "f2114_voornamen": true, "f86_2102_childaddress": true,
	"f86_2106_childname": true, "f86_2107_childfirstname": true, "f86_2140_childmunicipality": true,
}

func (b *belcotax) fiche(d ledger.Declaration, f ledger.Fiche) {
	c := f.Attestation.Content
	v := map[string]string{
		"f2002_inkomstenjaar": strconv.Itoa(d.Year), "f2005_registratienummer": c.Organiser.BCE, "f2008_typefiche": "28186",
		"f2009_volgnummer": strconv.Itoa(f.Number), "f2010_referentie": c.Reference, "f2011_nationaalnr": f.DebtorNumber.Digits(),
		"f2013_naam": c.Debtor.LastName, "f2015_adres": c.Debtor.Street, "f2017_gemeente": c.Debtor.City, "f2027_taalcode": "2",
		"f2028_typetraitement": strconv.Itoa(f.Treatment), "f2029_enkelopgave325": "0", "f2114_voornamen": c.Debtor.FirstName,
		"f86_2031_certificationautorisation": strconv.Itoa(c.Certification),
		"f86_2106_childname":                 c.Child.LastName, "f86_2107_childfirstname": c.Child.FirstName, "f86_2153_nnchild": f.ChildNumber.Digits(),
		"f86_2163_childbirthdate": belcotaxDay(c.Child.BirthDate),
	}
	if f.DebtorNumber.IsZero() {
		b.unknown++
		b.faults = append(b.faults, Fault{Reference: c.Reference, Element: "f2011_nationaalnr", Code: "belcotax.fault.debtor_number"})
	}
	if f.ChildNumber.IsZero() {
		b.faults = append(b.faults, Fault{Reference: c.Reference, Element: "f86_2153_nnchild", Code: "belcotax.fault.child_number"})
	}
	b.homes(v, c)
	if c.Certification != 0 {
		v["f86_2100_certifierpostnr"], v["f86_2109_certifiercbenumber"] = c.Certifier.Postcode, c.Certifier.BCE
		v["f86_2154_certifiermunicipality"], v["f86_2155_certifiername"], v["f86_2156_certifieradres"] = c.Certifier.City, c.Certifier.Name, c.Certifier.Street
		v["f86_2164_beginvaliditycertification"], v["f86_2171_endvaliditycertification"] = belcotaxDay(c.ValidFrom), belcotaxDay(c.ValidUntil)
	}
	total := int64(0)
	for i, l := range c.Lines {
		if i == len(periods) {
			b.faults = append(b.faults, Fault{Reference: c.Reference, Element: "Fiche28186", Code: "belcotax.fault.periods", Blocking: true})
			break
		}
		p := periods[i]
		v[p.from], v[p.until], v[p.days], v[p.amount] = belcotaxDay(l.From), belcotaxDay(l.Until), strconv.Itoa(l.Days), cents(int64(l.Cents))
		if l.Tariff > 0 {
			v[p.tariff] = cents(int64(l.Tariff))
		}
		total += int64(l.Cents)
	}
	v["f86_2064_totalamount"], v["f86_2059_totaalcontrole"] = cents(total), cents(2*total)
	b.numbers += int64(f.Number)
	b.control += 2 * total
	b.write(c.Reference, ficheElements, v, shortened)
}

// homes fills where the debtor and the child live, in Belgium or one of the countries around it.
func (b *belcotax) homes(v map[string]string, c ledger.AttestationContent) {
	sign, code := splitPostcode(c.Debtor.Postcode)
	country, known := belcotaxCountries[sign]
	if !known {
		b.faults = append(b.faults, Fault{Reference: c.Reference, Element: "f2018_landwoonplaats", Code: "belcotax.fault.country", Blocking: true})
		country = "0"
	}
	v["f2018_landwoonplaats"] = country
	if sign == "" {
		v["f2016_postcodebelgisch"] = code
	} else {
		v["f2112_buitenlandspostnummer"] = code
	}
	if c.Child.Street == "" {
		return
	}
	sign, code = splitPostcode(c.Child.Postcode)
	v["f86_2101_childcountry"] = belcotaxCountries[sign]
	v["f86_2102_childaddress"], v["f86_2139_childpostnr"], v["f86_2140_childmunicipality"] = c.Child.Street, code, c.Child.City
}

// splitPostcode parts the sign of a country from a foreign postcode: "F-59300" is F and 59300, "7180" is Belgian.
func splitPostcode(s string) (sign, code string) {
	if before, after, ok := strings.Cut(s, "-"); ok && household.ValidPostcode(s) {
		return before, after
	}
	return "", s
}

func cents(n int64) string { return strconv.FormatInt(n, 10) }

// totals are the control totals of a file with one declaration.
func (b *belcotax) totals(d ledger.Declaration) map[string]string {
	n := int64(len(d.Fiches))
	year := strconv.Itoa(d.Year)
	return map[string]string{
		"r8002_inkomstenjaar": year, "r8005_registratienummer": d.Sender.Body.BCE, "r8010_aantalrecords": cents(n + 2),
		"r8011_controletotaal": cents(b.numbers), "r8012_controletotaal": cents(b.control), "r8013_totaalvoorheffingen": "0",
		"r9002_inkomstenjaar": year, "r9010_aantallogbestanden": "3", "r9011_totaalaantalrecords": cents(n + 4),
		"r9012_controletotaal": cents(b.numbers), "r9013_controletotaal": cents(b.control), "r9014_controletotaal": "0",
	}
}
