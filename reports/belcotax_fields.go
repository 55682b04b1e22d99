package reports

// kind is how the value of an element of Belcotax is written.
type kind int

const (
	words  kind = iota // text
	number             // digits
	date               // DD-MM-YYYY
)

// element is one element of Belcotax: its name, how long it may be, how it is written, whether it must be there.
type element struct {
	name   string
	most   int
	kind   kind
	needed bool
}

// The elements of a file for Belcotax-on-web that 281.86 uses, in the order of the XSD of 2024, which is that of 2025.
// The XSD holds names and order only; lengths are those of its comments. Amounts are cents.
var (
	sendingElements = []element{
		{"v0002_inkomstenjaar", 4, number, true},
		{"v0010_bestandtype", 8, words, true},
		{"v0011_aanmaakdatum", 10, date, true},
		{"v0014_naam", 41, words, true},
		{"v0015_adres", 32, words, true},
		{"v0016_postcode", 4, number, true},
		{"v0017_gemeente", 27, words, true},
		{"v0018_telefoonnummer", 12, number, true},
		{"v0021_contactpersoon", 34, words, true},
		{"v0022_taalcode", 1, number, true},
		{"v0023_emailadres", 44, words, true},
		{"v0024_nationaalnr", 10, number, true},
		{"v0025_typeenvoi", 1, number, true},
		{"v0026_referte", 6, words, false},
		{"v0028_landwoonplaats", 5, number, false},
	}
	declarationElements = []element{
		{"a1002_inkomstenjaar", 4, number, true},
		{"a1005_registratienummer", 10, number, true},
		{"a1011_naamnl1", 41, words, true},
		{"a1013_adresnl", 32, words, true},
		{"a1014_postcodebelgisch", 4, number, true},
		{"a1015_gemeente", 27, words, true},
		{"a1016_landwoonplaats", 5, number, false},
		{"a1020_taalcode", 1, number, true},
		{"a1027_naamfr1", 41, words, false},
		{"a1029_adresfr", 32, words, false},
		{"a1030_gemeentefr", 27, words, false},
		{"a1031_taalfr", 1, number, false},
	}
	ficheElements = []element{
		{"f2002_inkomstenjaar", 4, number, true},
		{"f2005_registratienummer", 10, number, true},
		{"f2008_typefiche", 5, number, true},
		{"f2009_volgnummer", 12, number, true},
		{"f2010_referentie", 20, words, true},
		{"f2011_nationaalnr", 11, number, false},
		{"f2013_naam", 41, words, true},
		{"f2015_adres", 150, words, true},
		{"f2016_postcodebelgisch", 4, number, false},
		{"f2017_gemeente", 50, words, true},
		{"f2018_landwoonplaats", 5, number, true},
		{"f2027_taalcode", 1, number, false},
		{"f2028_typetraitement", 1, number, true},
		{"f2029_enkelopgave325", 1, number, false},
		{"f2112_buitenlandspostnummer", 12, words, false},
		{"f2114_voornamen", 30, words, true},
		{"f86_2031_certificationautorisation", 1, number, true},
		{"f86_2055_begindate1", 10, date, true},
		{"f86_2056_enddate1", 10, date, true},
		{"f86_2059_totaalcontrole", 13, number, true},
		{"f86_2060_amount1", 11, number, true},
		{"f86_2061_amount2", 11, number, false},
		{"f86_2062_amount3", 11, number, false},
		{"f86_2063_amount4", 11, number, false},
		{"f86_2064_totalamount", 11, number, true},
		{"f86_2093_begindate2", 10, date, false},
		{"f86_2100_certifierpostnr", 15, words, false},
		{"f86_2101_childcountry", 12, number, false},
		{"f86_2102_childaddress", 41, words, false},
		{"f86_2106_childname", 41, words, true},
		{"f86_2107_childfirstname", 32, words, true},
		{"f86_2109_certifiercbenumber", 27, number, false},
		{"f86_2110_numberofday1", 12, number, true},
		{"f86_2111_dailytariff1", 12, number, false},
		{"f86_2113_numberofday2", 11, number, false},
		{"f86_2115_dailytariff2", 11, number, false},
		{"f86_2116_numberofday3", 11, number, false},
		{"f86_2117_dailytariff3", 11, number, false},
		{"f86_2119_numberofday4", 11, number, false},
		{"f86_2120_dailytariff4", 11, number, false},
		{"f86_2139_childpostnr", 15, words, false},
		{"f86_2140_childmunicipality", 50, words, false},
		{"f86_2144_enddate2", 10, date, false},
		{"f86_2153_nnchild", 11, number, false},
		{"f86_2154_certifiermunicipality", 50, words, false},
		{"f86_2155_certifiername", 54, words, false},
		{"f86_2156_certifieradres", 54, words, false},
		{"f86_2157_begindate3", 10, date, false},
		{"f86_2158_enddate3", 10, date, false},
		{"f86_2161_begindate4", 10, date, false},
		{"f86_2162_enddate4", 10, date, false},
		{"f86_2163_childbirthdate", 10, date, true},
		{"f86_2164_beginvaliditycertification", 10, date, false},
		{"f86_2171_endvaliditycertification", 10, date, false},
	}
	declarationTotals = []element{
		{"r8002_inkomstenjaar", 4, number, true},
		{"r8005_registratienummer", 10, number, true},
		{"r8010_aantalrecords", 12, number, true},
		{"r8011_controletotaal", 20, number, true},
		{"r8012_controletotaal", 20, number, true},
		{"r8013_totaalvoorheffingen", 20, number, true},
	}
	sendingTotals = []element{
		{"r9002_inkomstenjaar", 4, number, true},
		{"r9010_aantallogbestanden", 12, number, true},
		{"r9011_totaalaantalrecords", 12, number, true},
		{"r9012_controletotaal", 20, number, true},
		{"r9013_controletotaal", 20, number, true},
		{"r9014_controletotaal", 20, number, true},
	}
)

// periodElements are the elements of one line: they are scattered over the fiche.
type periodElements struct{ from, until, days, tariff, amount string }

var periods = []periodElements{
	{"f86_2055_begindate1", "f86_2056_enddate1", "f86_2110_numberofday1", "f86_2111_dailytariff1", "f86_2060_amount1"},
	{"f86_2093_begindate2", "f86_2144_enddate2", "f86_2113_numberofday2", "f86_2115_dailytariff2", "f86_2061_amount2"},
	{"f86_2157_begindate3", "f86_2158_enddate3", "f86_2116_numberofday3", "f86_2117_dailytariff3", "f86_2062_amount3"},
	{"f86_2161_begindate4", "f86_2162_enddate4", "f86_2119_numberofday4", "f86_2120_dailytariff4", "f86_2063_amount4"},
}

// belcotaxCountries are the codes of countries, by the sign before a foreign postcode; Belgium has none.
var belcotaxCountries = map[string]string{"": "150", "F": "111", "NL": "129", "D": "103", "L": "113"}
