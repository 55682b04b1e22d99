package household

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// NationalNumber is a number of the Belgian national register, or a BIS number of someone outside it. It was checked
// when it was read. Printing or logging it shows the mask: only Digits gives it away.
type NationalNumber struct {
	digits  string
	century int // 1900 or 2000, known from the check digits
}

// ParseNationalNumber reads eleven digits with any blanks, points, hyphens and slashes between them. The last two are
// 97 − (first nine mod 97), with a 2 in front of the nine for births from 2000 on; the month of a BIS number is raised
// by 20 or 40; month and day are 00 when unknown (law of 8 August 1983; royal decree of 3 April 1984). The error is
// Invalid and never carries the number.
func ParseNationalNumber(raw string) (NationalNumber, error) {
	invalid := problem.Invalid("household.national_number_invalid")
	digits := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ".", "", "-", "", "/", "").Replace(raw)
	if len(digits) != 11 || strings.Trim(digits, "0123456789") != "" {
		return NationalNumber{}, invalid
	}
	first, _ := strconv.Atoi(digits[:9])
	check, _ := strconv.Atoi(digits[9:])
	n := NationalNumber{digits: digits}
	switch check {
	case 97 - first%97:
		n.century = 1900
	case 97 - (2_000_000_000+first)%97:
		n.century = 2000
	default:
		return NationalNumber{}, invalid
	}
	year, month, day := n.parts()
	if month > 12 || day > 31 || digits[6:9] == "000" {
		return NationalNumber{}, invalid
	}
	if month > 0 && day > 0 && civil.NewDate(year, time.Month(month), day).Day != day {
		return NationalNumber{}, invalid // 31 April
	}
	return n, nil
}

// parts returns the year, the month without the BIS raise, and the day; month and day may be 0. A month such as 13 or
// 53 stays above 12.
func (n NationalNumber) parts() (year, month, day int) {
	year, _ = strconv.Atoi(n.digits[:2])
	month, _ = strconv.Atoi(n.digits[2:4])
	day, _ = strconv.Atoi(n.digits[4:6])
	switch {
	case month >= 40:
		month -= 40
	case month >= 20:
		month -= 20
	}
	return n.century + year, month, day
}

// IsZero reports whether n is no number.
func (n NationalNumber) IsZero() bool { return n.digits == "" }

// BIS reports whether n belongs to someone outside the register.
func (n NationalNumber) BIS() bool { return !n.IsZero() && n.digits[2] >= '2' }

// BirthDate returns the birth date in a register number. A BIS number proves no birth date, and a date may be unknown:
// then ok is false.
func (n NationalNumber) BirthDate() (birth civil.Date, ok bool) {
	if n.IsZero() || n.BIS() {
		return civil.Date{}, false
	}
	year, month, day := n.parts()
	if month == 0 || day == 0 {
		return civil.Date{}, false
	}
	return civil.NewDate(year, time.Month(month), day), true
}

// Digits returns the eleven digits in clear, for the documents that the law asks them on.
func (n NationalNumber) Digits() string { return n.digits }

// Masked shows the shape and the check digits only: enough for a guardian to recognise the number.
func (n NationalNumber) Masked() string {
	if n.IsZero() {
		return ""
	}
	return "••.••.••-•••." + n.digits[9:]
}

// String returns the mask, so that no print shows the number.
func (n NationalNumber) String() string { return n.Masked() }

// Format writes the mask whatever the verb: %#v and %d would show the fields.
func (n NationalNumber) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Masked()) }

// LogValue keeps even the mask out of logs.
func (n NationalNumber) LogValue() slog.Value { return slog.StringValue("[national number]") }
