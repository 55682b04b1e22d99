package locale

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
)

// sample builds a French and a Dutch locale from the given po texts.
func sample(t *testing.T, fr, nl string) (french, dutch *Locale) {
	t.Helper()
	fsys := fstest.MapFS{
		"po/fr/camp.po": {Data: []byte(fr)},
		"po/nl/camp.po": {Data: []byte(nl)},
	}
	french = &Locale{lang: "fr", words: vocabulary["fr"], messages: load(fsys, "fr")}
	dutch = &Locale{lang: "nl", words: vocabulary["nl"], messages: load(fsys, "nl"), fallback: french}
	return french, dutch
}

const samplePO = `
msgid "camp.title"
msgstr "Stages de %s"

msgid "camp.places_left"
msgid_plural "camp.places_left"
msgstr[0] "plus que %d place"
msgstr[1] "plus que %d places à %s"

msgid "camp.share"
msgstr "100 % gratuit"

msgid "camp.swap"
msgstr "%[2]s puis %[1]s"

msgid "camp.price"
msgstr "%s le %s, dont 5 %% de frais"
`

func TestMessages(t *testing.T) {
	t.Parallel()
	fr, nl := sample(t, samplePO, "msgid \"camp.title\"\nmsgstr \"Kampen van %s\"\n\nmsgid \"camp.share\"\nmsgstr \"\"\n")
	july := civil.NewDate(2026, 7, 6)
	tests := []struct{ name, got, want string }{
		{"args", fr.T("camp.title", "Namur"), "Stages de Namur"},
		{"empty message falls back", nl.T("camp.share"), "100 % gratuit"},
		{"fallback keeps the French plural", nl.N("camp.places_left", 0), "plus que 0 place"},
		{"missing key", fr.T("camp.unknown", 3), "camp.unknown"},
		{"missing plural", fr.N("camp.unknown", 3), "camp.unknown"},
		{"order", fr.T("camp.swap", "a", "b"), "b puis a"},
		{"other language", nl.T("camp.title", "Namen"), "Kampen van Namen"},
		{"plural of none", fr.N("camp.places_left", 0, "Namur"), "plus que 0 place"},
		{"plural of one", fr.N("camp.places_left", 1, "Namur"), "plus que 1 place"},
		{"plural of two", fr.N("camp.places_left", 2, "Namur"), "plus que 2 places à Namur"},
		{"surplus args", fr.T("camp.title", "Namur", 7), "Stages de Namur"},
		{"typed args", fr.T("camp.price", civil.Cents(123450), july), "1\u00a0234,50\u00a0€ le lundi 6 juillet 2026, dont 5 % de frais"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if nl.Has("camp.share") || !nl.Has("camp.title") || !fr.Has("camp.share") {
		t.Error("Has must look at its own language and skip empty messages")
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"": "fr", "de_BE.UTF-8": "de", "en": "en", "fr-BE": "fr", "it": "fr", "NL-be": "nl",
	} {
		if got := For(tag).Lang(); got != want {
			t.Errorf("For(%q) is %q, want %q", tag, got, want)
		}
	}
	if got := For("fr").T("form.invalid"); got == "form.invalid" {
		t.Error("the embedded French messages are not loaded")
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	mon, fri := civil.NewDate(2026, 7, 6), civil.NewDate(2026, 7, 10)
	first, acrossMonths := civil.NewDate(2026, 7, 1), civil.NewDate(2026, 6, 29)
	dec, jan := civil.NewDate(2026, 12, 28), civil.NewDate(2027, 1, 1)
	at := time.Date(2026, 7, 6, 6, 5, 0, 0, time.UTC) // 8.05 in Brussels
	fr, nl, de, en := For("fr"), For("nl"), For("de"), For("en")
	tests := []struct{ name, got, want string }{
		{"fr day", fr.Day(mon), "lundi 6 juillet 2026"},
		{"fr first", fr.Day(first), "mercredi 1er juillet 2026"},
		{"fr no date", fr.Day(civil.Date{}), ""},
		{"fr short", fr.DayShort(mon), "lun. 6 juil."},
		{"fr numeric", fr.DayNumeric(mon), "06/07/2026"},
		{"fr range", fr.DayRange(mon, fri), "du lundi 6 au vendredi 10 juillet 2026"},
		{"fr range short", fr.DayRangeShort(mon, fri), "du lundi 6 au vendredi 10 juillet"},
		{"fr range months", fr.DayRange(acrossMonths, fri), "du lundi 29 juin au vendredi 10 juillet 2026"},
		{"fr range years", fr.DayRange(dec, jan), "du lundi 28 décembre 2026 au vendredi 1er janvier 2027"},
		{"fr range one day", fr.DayRange(mon, mon), "le lundi 6 juillet 2026"},
		{"fr range open", fr.DayRangeShort(mon, civil.Date{}), "le lundi 6 juillet"},
		{"fr range none", fr.DayRange(civil.Date{}, civil.Date{}), ""},
		{"fr time", fr.Time(at), "8\u00a0h\u00a005"},
		{"fr hour", fr.Minutes(20 * 60), "20\u00a0h"},
		{"fr midnight", fr.Minutes(0), "0\u00a0h"},
		{"fr datetime", fr.DateTime(at), "lundi 6 juillet 2026 à 8\u00a0h\u00a005"},
		{"fr deadline", fr.Deadline(at), "lundi 6 juillet à 8\u00a0h\u00a005"},
		{"fr no instant", fr.DateTime(time.Time{}) + fr.Deadline(time.Time{}), ""},
		{"nl day", nl.Day(mon), "maandag 6 juli 2026"},
		{"nl range", nl.DayRange(mon, fri), "van maandag 6 tot vrijdag 10 juli 2026"},
		{"nl time", nl.Time(at), "8.05\u00a0uur"},
		{"nl hour", nl.Minutes(20 * 60), "20\u00a0uur"},
		{"de day", de.Day(mon), "Montag, 6. Juli 2026"},
		{"de numeric", de.DayNumeric(mon), "06.07.2026"},
		{"de first", de.Day(first), "Mittwoch, 1. Juli 2026"},
		{"de time", de.Time(at), "8.05\u00a0Uhr"},
		{"en range", en.DayRange(mon, fri), "from Monday 6 July to Friday 10 July 2026"},
		{"en time", en.Time(at), "08:05"},
		{"en hour", en.Minutes(20 * 60), "20:00"},
		{"weekday", fr.Weekday(time.Sunday) + " " + fr.Month(time.August), "dimanche août"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	fr := For("fr")
	now := time.Date(2026, 7, 6, 10, 0, 0, 0, time.UTC) // noon in Brussels
	for want, past := range map[string]time.Duration{
		"à l’instant":                                 59 * time.Second,
		"il y a 1 minute":                             time.Minute,
		"il y a 2 minutes":                            2*time.Minute + 59*time.Second,
		"il y a 1 heure":                              time.Hour,
		"il y a 3 heures":                             3 * time.Hour,
		"hier à 23\u00a0h\u00a055":                    12*time.Hour + 5*time.Minute,
		"le samedi 4 juillet 2026 à 12\u00a0h":        48 * time.Hour,
		"le lundi 6 juillet 2026 à 12\u00a0h\u00a001": -time.Minute,
	} {
		if got := fr.Ago(now.Add(-past), now); got != want {
			t.Errorf("%v ago is %q, want %q", past, got, want)
		}
	}
	today := civil.NewDate(2026, 7, 6)
	for want, days := range map[string]int{
		"aujourd’hui": 0, "demain": 1, "hier": -1, "dans 3 jours": 3, "il y a 3 jours": -3, "dans 14 jours": 14,
		"le mardi 21 juillet 2026": 15,
	} {
		if got := fr.RelativeDay(today.AddDays(days), today); got != want {
			t.Errorf("%+d days is %q, want %q", days, got, want)
		}
	}
	if got := fr.RelativeDay(civil.Date{}, today); got != "" {
		t.Errorf("no date is %q, want nothing", got)
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lang  string
		cents civil.Cents
		want  string
	}{
		{"fr", 0, "0,00_€"},
		{"fr", 5, "0,05_€"},
		{"fr", 123450, "1_234,50_€"},
		{"fr", -1250, "-12,50_€"},
		{"fr", 100000, "1_000,00_€"},
		{"fr", 99999, "999,99_€"},
		{"fr", 123456789012, "1_234_567_890,12_€"},
		{"nl", 123450, "€_1.234,50"},
		{"de", 123450, "1.234,50_€"},
		{"en", 123450, "€1,234.50"},
	} {
		want := strings.ReplaceAll(tt.want, "_", NBSP)
		if got := For(tt.lang).Euros(tt.cents); got != want {
			t.Errorf("%s: %d cents is %q, want %q", tt.lang, tt.cents, got, want)
		}
	}
	if got, want := For("fr").Number(-12345), "-12"+NBSP+"345"; got != want {
		t.Errorf("Number is %q, want %q", got, want)
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"0475 12 34 56": "+32475123456", "0475/12.34.56": "+32475123456", "+32 (0)475 12 34 56": "+32475123456",
		"0032475123456": "+32475123456", "081 24 60 11": "+3281246011", "02 555 12 12": "+3225551212",
		"+33 6 12 34 56 78": "+33612345678",
		"123":               "", "": "", "abc": "", "+": "", "0475 12 34": "", strings.Repeat("0475", 50): "",
	} {
		got, err := ParsePhone(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParsePhone(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
	for e164, want := range map[string]string{
		"+32475123456": "0475 12 34 56", "+3281246011": "081 24 60 11", "+3225551212": "02 555 12 12",
		"+33612345678": "+33 6 12 34 56 78", "à l'accueil": "à l'accueil", "": "",
	} {
		if got := For("fr").Phone(e164); got != want {
			t.Errorf("Phone(%q) = %q, want %q", e164, got, want)
		}
	}
}

func FuzzParsePhone(f *testing.F) {
	f.Add("0475 12 34 56")
	f.Add("+32475123456;ext=7")
	f.Fuzz(func(t *testing.T, raw string) {
		e164, err := ParsePhone(raw)
		if err != nil {
			return
		}
		again, err := ParsePhone(Phone(e164))
		if err != nil || again != e164 {
			t.Errorf("%q is %q, written %q, which reads back as %q, %v", raw, e164, Phone(e164), again, err)
		}
	})
}
