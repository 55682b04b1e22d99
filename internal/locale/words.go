package locale

// words is what a language needs to write dates, times and money. Weekdays start on Sunday as time.Weekday does.
type words struct {
	plural                 func(n int) int // index of the plural form, as gettext's Plural-Forms
	weekdays               [7]string
	weekdaysShort          [7]string
	months                 [12]string
	monthsShort            [12]string
	first                  string // ordinal mark of the first day of the month
	dot                    string // mark after the other day numbers
	from, to, on, at       string // du … au …, le …, … à …
	hour, hourSep, hourEnd string // 8 h 05: " h ", 20 h: " h"
	padHour                bool
	group, decimal         string
	euroFormat             string
	now                    string
	minutesAgo, hoursAgo   [2]string
	daysAgo, inDays        [2]string
	today, tomorrow        string
	yesterday              string
}

func pluralFrench(n int) int {
	if n > 1 || n < -1 {
		return 1
	}
	return 0
}

func pluralGermanic(n int) int {
	if n != 1 {
		return 1
	}
	return 0
}

// NBSP is the no-break space (U+00A0) used in amounts and hours. The narrow one (U+202F) is missing from too many
// fonts of phones, printers and spreadsheets.
const NBSP = "\u00a0"

var vocabulary = map[string]words{
	"fr": {
		plural:        pluralFrench,
		weekdays:      [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
		weekdaysShort: [7]string{"dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."},
		months: [12]string{
			"janvier", "février", "mars", "avril", "mai", "juin",
			"juillet", "août", "septembre", "octobre", "novembre", "décembre",
		},
		monthsShort: [12]string{
			"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
		},
		first: "er",
		from:  "du ", to: " au ", on: "le ", at: " à ",
		hour: NBSP + "h", hourSep: NBSP,
		group: NBSP, decimal: ",", euroFormat: "%s" + NBSP + "€",
		now:        "à l’instant",
		minutesAgo: [2]string{"il y a %d minute", "il y a %d minutes"},
		hoursAgo:   [2]string{"il y a %d heure", "il y a %d heures"},
		daysAgo:    [2]string{"il y a %d jour", "il y a %d jours"},
		inDays:     [2]string{"dans %d jour", "dans %d jours"},
		today:      "aujourd’hui", tomorrow: "demain", yesterday: "hier",
	},
	"nl": {
		plural:        pluralGermanic,
		weekdays:      [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"},
		weekdaysShort: [7]string{"zo", "ma", "di", "wo", "do", "vr", "za"},
		months: [12]string{
			"januari", "februari", "maart", "april", "mei", "juni",
			"juli", "augustus", "september", "oktober", "november", "december",
		},
		monthsShort: [12]string{
			"jan.", "feb.", "mrt.", "apr.", "mei", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec.",
		},
		from: "van ", to: " tot ", on: "op ", at: " om ",
		hour: ".", hourEnd: NBSP + "uur",
		group: ".", decimal: ",", euroFormat: "€" + NBSP + "%s",
		now:        "zojuist",
		minutesAgo: [2]string{"%d minuut geleden", "%d minuten geleden"},
		hoursAgo:   [2]string{"%d uur geleden", "%d uur geleden"},
		daysAgo:    [2]string{"%d dag geleden", "%d dagen geleden"},
		inDays:     [2]string{"over %d dag", "over %d dagen"},
		today:      "vandaag", tomorrow: "morgen", yesterday: "gisteren",
	},
	"de": {
		plural:        pluralGermanic,
		weekdays:      [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		weekdaysShort: [7]string{"So.", "Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa."},
		months: [12]string{
			"Januar", "Februar", "März", "April", "Mai", "Juni",
			"Juli", "August", "September", "Oktober", "November", "Dezember",
		},
		monthsShort: [12]string{
			"Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez.",
		},
		first: ".", dot: ".",
		from: "von ", to: " bis ", on: "am ", at: " um ",
		hour: ".", hourEnd: NBSP + "Uhr",
		group: ".", decimal: ",", euroFormat: "%s" + NBSP + "€",
		now:        "gerade eben",
		minutesAgo: [2]string{"vor %d Minute", "vor %d Minuten"},
		hoursAgo:   [2]string{"vor %d Stunde", "vor %d Stunden"},
		daysAgo:    [2]string{"vor %d Tag", "vor %d Tagen"},
		inDays:     [2]string{"in %d Tag", "in %d Tagen"},
		today:      "heute", tomorrow: "morgen", yesterday: "gestern",
	},
	"en": {
		plural:        pluralGermanic,
		weekdays:      [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		weekdaysShort: [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
		months: [12]string{
			"January", "February", "March", "April", "May", "June",
			"July", "August", "September", "October", "November", "December",
		},
		monthsShort: [12]string{
			"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
		},
		from: "from ", to: " to ", on: "on ", at: " at ",
		hour: ":", padHour: true,
		group: ",", decimal: ".", euroFormat: "€%s",
		now:        "just now",
		minutesAgo: [2]string{"%d minute ago", "%d minutes ago"},
		hoursAgo:   [2]string{"%d hour ago", "%d hours ago"},
		daysAgo:    [2]string{"%d day ago", "%d days ago"},
		inDays:     [2]string{"in %d day", "in %d days"},
		today:      "today", tomorrow: "tomorrow", yesterday: "yesterday",
	},
}
