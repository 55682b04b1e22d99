package locale

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"ribambelle/internal/civil"
)

// Euros writes an amount for people: « 1 234,50 € » with no-break spaces.
func (l *Locale) Euros(c civil.Cents) string {
	digits, sign := c.Euros(), ""
	if c < 0 {
		digits, sign = digits[1:], "-"
	}
	whole, cents, _ := strings.Cut(digits, ".")
	return sign + fmt.Sprintf(l.words.euroFormat, l.grouped(whole)+l.words.decimal+cents)
}

// Number writes a whole number: « 12 345 ».
func (l *Locale) Number(n int) string {
	s := strconv.Itoa(n)
	if n < 0 {
		return "-" + l.grouped(s[1:])
	}
	return l.grouped(s)
}

func (l *Locale) grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + l.words.group + digits[i:]
	}
	return digits
}

// Weekday returns « lundi ».
func (l *Locale) Weekday(d time.Weekday) string { return l.words.weekdays[d] }

// Month returns « juillet ».
func (l *Locale) Month(m time.Month) string { return l.words.months[m-1] }

// Day writes « lundi 6 juillet 2026 », « mercredi 1er juillet 2026 »; "" for no date.
func (l *Locale) Day(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return l.DayOfYear(d) + " " + strconv.Itoa(d.Year)
}

// DayOfYear writes a day without its year: « lundi 6 juillet ».
func (l *Locale) DayOfYear(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return l.dayOfMonth(d) + " " + l.words.months[d.Month-1]
}

func (l *Locale) dayOfMonth(d civil.Date) string {
	return l.words.weekdays[d.Weekday()] + l.comma() + " " + l.number(d)
}

func (l *Locale) number(d civil.Date) string {
	if d.Day == 1 && l.words.first != "" {
		return "1" + l.words.first
	}
	return strconv.Itoa(d.Day) + l.words.dot
}

// comma follows the weekday in German only: « Montag, 6. Juli 2026 ».
func (l *Locale) comma() string {
	if l.lang == "de" {
		return ","
	}
	return ""
}

// DayShort writes « lun. 6 juil. » for tables.
func (l *Locale) DayShort(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return l.words.weekdaysShort[d.Weekday()] + " " + l.number(d) + " " + l.words.monthsShort[d.Month-1]
}

// DayNumeric writes « 06/07/2026 », for documents and dense tables; "" for no date.
func (l *Locale) DayNumeric(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	sep := "/"
	if l.lang == "de" {
		sep = "."
	}
	return fmt.Sprintf("%02d%s%02d%s%04d", d.Day, sep, int(d.Month), sep, d.Year)
}

// DayRange writes « du lundi 6 au vendredi 10 juillet 2026 », with months and years repeated only where they differ;
// a single day is « le lundi 6 juillet 2026 ».
func (l *Locale) DayRange(first, last civil.Date) string {
	if last.Year != first.Year && !last.IsZero() {
		return l.words.from + l.Day(first) + l.words.to + l.Day(last)
	}
	return l.dayRange(first, last, l.Day)
}

// DayRangeShort is DayRange without the year: « du lundi 6 au vendredi 10 juillet ».
func (l *Locale) DayRangeShort(first, last civil.Date) string {
	return l.dayRange(first, last, l.DayOfYear)
}

func (l *Locale) dayRange(first, last civil.Date, end func(civil.Date) string) string {
	switch {
	case first.IsZero():
		return ""
	case last.IsZero() || last == first:
		return l.words.on + end(first)
	case l.lang == "en" || last.Month != first.Month || last.Year != first.Year:
		return l.words.from + l.DayOfYear(first) + l.words.to + end(last)
	}
	return l.words.from + l.dayOfMonth(first) + l.words.to + end(last)
}

// Minutes writes a time of day given in minutes after midnight: « 8 h 05 », « 20 h ».
func (l *Locale) Minutes(m int) string {
	w := l.words
	if w.padHour {
		return fmt.Sprintf("%02d%s%02d%s", m/60, w.hour, m%60, w.hourEnd)
	}
	if m%60 == 0 {
		if w.hourEnd != "" {
			return strconv.Itoa(m/60) + w.hourEnd
		}
		return strconv.Itoa(m/60) + w.hour
	}
	return fmt.Sprintf("%d%s%s%02d%s", m/60, w.hour, w.hourSep, m%60, w.hourEnd)
}

// Time writes the time of day of an instant in Brussels: « 8 h 05 ».
func (l *Locale) Time(t time.Time) string {
	t = t.In(civil.Brussels)
	return l.Minutes(t.Hour()*60 + t.Minute())
}

// DateTime writes an instant in Brussels: « lundi 6 juillet 2026 à 8 h 05 »; "" for the zero time.
func (l *Locale) DateTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return l.Day(civil.DateOf(t, civil.Brussels)) + l.words.at + l.Time(t)
}

// Deadline writes an instant in Brussels without its year, as in « à payer avant le jeudi 12 mai à 20 h »: the
// message holds the words before. "" for the zero time.
func (l *Locale) Deadline(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return l.DayOfYear(civil.DateOf(t, civil.Brussels)) + l.words.at + l.Time(t)
}

// Ago writes how long before now an instant lies: « à l’instant », « il y a 2 minutes », « il y a 3 heures »,
// « hier à 8 h 05 », then « le lundi 6 juillet 2026 à 8 h 05 ». An instant after now is written in full.
func (l *Locale) Ago(t, now time.Time) string {
	past := now.Sub(t)
	day, today := civil.DateOf(t, civil.Brussels), civil.DateOf(now, civil.Brussels)
	switch {
	case past < 0:
	case past < time.Minute:
		return l.words.now
	case past < time.Hour:
		return l.count(l.words.minutesAgo, int(past.Minutes()))
	case day == today:
		return l.count(l.words.hoursAgo, int(past.Hours()))
	case today.Sub(day) == 1:
		return l.words.yesterday + l.words.at + l.Time(t)
	}
	return l.words.on + l.DateTime(t)
}

// RelativeDay writes a day as seen from today: « aujourd’hui », « demain », « hier », « dans 3 jours »,
// « il y a 3 jours »; beyond two weeks « le lundi 6 juillet 2026 ».
func (l *Locale) RelativeDay(d, today civil.Date) string {
	switch n := d.Sub(today); {
	case d.IsZero():
		return ""
	case n == 0:
		return l.words.today
	case n == 1:
		return l.words.tomorrow
	case n == -1:
		return l.words.yesterday
	case n > 1 && n <= 14:
		return l.count(l.words.inDays, n)
	case n < -1 && n >= -14:
		return l.count(l.words.daysAgo, -n)
	}
	return l.words.on + l.Day(d)
}

func (l *Locale) count(forms [2]string, n int) string {
	return fmt.Sprintf(forms[l.words.plural(n)], n)
}

// ErrPhone is returned by ParsePhone for what is no telephone number.
var ErrPhone = errors.New("not a telephone number")

// region is where a number without country code is from.
const region = "BE"

// ParsePhone reads a number as people type it, Belgian unless it starts with "+" or "00", and returns it in
// E.164: "+32475123456". It returns ErrPhone for anything that is no possible number of its country.
func ParsePhone(raw string) (string, error) {
	if len(raw) > 40 {
		return "", ErrPhone
	}
	n, err := phonenumbers.Parse(raw, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", ErrPhone
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// Phone writes an E.164 number for people: « 0475 12 34 56 » for a Belgian one, « +33 6 12 34 56 78 » for others.
// What is no number is returned as it is.
func Phone(e164 string) string {
	n, err := phonenumbers.Parse(e164, region)
	if err != nil {
		return e164
	}
	if phonenumbers.GetRegionCodeForNumber(n) == region {
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// Phone writes a number as the function Phone does, for templates that hold a Locale.
func (l *Locale) Phone(e164 string) string { return Phone(e164) }
