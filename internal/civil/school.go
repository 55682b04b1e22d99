package civil

import (
	"slices"
	"time"
)

// Levels are the school levels of the Belgian communities in order: nursery, primary, secondary.
var Levels = []string{"M1", "M2", "M3", "P1", "P2", "P3", "P4", "P5", "P6", "S1", "S2", "S3", "S4", "S5", "S6"}

// LevelIndex returns the rank of level in Levels, or -1.
func LevelIndex(level string) int { return slices.Index(Levels, level) }

// rentrees are the first school days of the French Community by the year in which the school year starts
// (decree of 31 March 2022 on school rhythms; calendar published by the Community).
var rentrees = map[int]Date{
	2022: NewDate(2022, 8, 29), 2023: NewDate(2023, 8, 28), 2024: NewDate(2024, 8, 26),
	2025: NewDate(2025, 8, 25), 2026: NewDate(2026, 8, 24),
}

// Rentree returns the first day of the school year that starts in year. Beyond the published calendar it is
// the last Monday that is no later than 30 August, which reproduces every published year.
func Rentree(year int) Date {
	if d, ok := rentrees[year]; ok {
		return d
	}
	return NewDate(year, 8, 30).Monday()
}

// SchoolYear returns the year in which the school year of day starts. The summer holidays belong to the year that
// ends: a camp in July asks for the level of the past school year.
func SchoolYear(day Date) int {
	if day.Before(Rentree(day.Year)) {
		return day.Year - 1
	}
	return day.Year
}

// UsualLevel returns the level of most children born in birthYear during the school year that starts in schoolYear
// (M1 in the year of the third birthday), or "" before nursery and after secondary school.
func UsualLevel(birthYear, schoolYear int) string {
	i := schoolYear - birthYear - 3
	if i < 0 || i >= len(Levels) {
		return ""
	}
	return Levels[i]
}

// AdvanceLevel returns the level that follows level after the given number of school years, or "" outside Levels.
func AdvanceLevel(level string, years int) string {
	i := LevelIndex(level)
	if i < 0 || i+years < 0 || i+years >= len(Levels) {
		return ""
	}
	return Levels[i+years]
}

// Easter returns Easter Sunday of a year of the Gregorian calendar (Meeus, Jones and Butcher).
func Easter(year int) Date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return Date{Year: year, Month: time.Month(n / 31), Day: n%31 + 1}
}

// PublicHoliday reports whether day is one of the ten Belgian public holidays (law of 4 January 1974,
// royal decree of 18 April 1974).
func PublicHoliday(day Date) bool {
	switch [2]int{int(day.Month), day.Day} {
	case [2]int{1, 1}, [2]int{5, 1}, [2]int{7, 21}, [2]int{8, 15}, [2]int{11, 1}, [2]int{11, 11}, [2]int{12, 25}:
		return true
	}
	switch day.Sub(Easter(day.Year)) {
	case 1, 39, 50:
		return true
	}
	return false
}

// WorkingDay reports whether day is a Monday to Friday that is no public holiday.
func WorkingDay(day Date) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !PublicHoliday(day)
}
