package enrol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
)

// facts is a child of P3, eight years old, whom nothing keeps from a week in July 2027.
func facts() enrol.Facts {
	f := enrol.Facts{
		At:    time.Date(2027, 5, 4, 9, 0, 0, 0, civil.Brussels),
		Camp:  camp.Camp{Name: "Nature", Published: true, Levels: []string{"P1", "P2", "P3", "P4"}, Zone: "Europe/Brussels"},
		Birth: civil.NewDate(2018, 7, 5), Level: "P3", Fresh: true, Policy: camp.Policy{Derogations: true},
	}
	f.Camp.BeginsAt = time.Date(2027, 7, 5, 9, 0, 0, 0, civil.Brussels)
	f.Camp.EndsAt = time.Date(2027, 7, 9, 16, 0, 0, 0, civil.Brussels)
	f.Sessions = camp.Sessions(f.Camp.BeginsAt, f.Camp.EndsAt, civil.Brussels)
	return f
}

func years(n int) *int { return &n }

func TestEligible(t *testing.T) {
	t.Parallel()
	other := uuid.New()
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2027, month, day, hour, 0, 0, 0, civil.Brussels)
	}
	for name, tt := range map[string]struct {
		change func(*enrol.Facts)
		want   string // rules, bars with a "!"; derogable ones with "?"
	}{
		"nothing stands against it": {func(*enrol.Facts) {}, ""},
		"birthday on the first day": {func(f *enrol.Facts) { f.Camp.AgeMin = years(9) }, ""},
		"birthday a day late":       {func(f *enrol.Facts) { f.Camp.AgeMin = years(9); f.Birth = civil.NewDate(2018, 7, 6) }, "age!?"},
		"old enough to be too old":  {func(f *enrol.Facts) { f.Camp.AgeMax = years(8) }, "age!?"},
		"born on 29 February, 28th": {func(f *enrol.Facts) {
			f.Birth, f.Camp.AgeMin = civil.NewDate(2016, 2, 29), years(11)
			f.Sessions = []camp.Session{{Day: civil.NewDate(2027, 2, 28), Starts: 540, Ends: 720}}
		}, "age!?"},
		"born on 29 February, 1 March": {func(f *enrol.Facts) {
			f.Birth, f.Camp.AgeMin = civil.NewDate(2016, 2, 29), years(11)
			f.Sessions = []camp.Session{{Day: civil.NewDate(2027, 3, 1), Starts: 540, Ends: 720}}
		}, ""},
		"other level":            {func(f *enrol.Facts) { f.Level = "P5" }, "level!?"},
		"no level":               {func(f *enrol.Facts) { f.Level = "" }, "level!?"},
		"age and level together": {func(f *enrol.Facts) { f.Level = "P5"; f.Camp.AgeMax = years(7) }, "age!? level!?"},
		"not published":          {func(f *enrol.Facts) { f.Camp.Published = false }, "window!"},
		"before the opening":     {func(f *enrol.Facts) { v := at(5, 4, 10); f.Camp.OpensAt = &v }, "window!"},
		"at the opening":         {func(f *enrol.Facts) { v := at(5, 4, 9); f.Camp.OpensAt = &v }, ""},
		"at the closing":         {func(f *enrol.Facts) { v := at(5, 4, 9); f.Camp.ClosesAt = &v }, "window!"},
		"camp begun":             {func(f *enrol.Facts) { f.At = at(7, 5, 9) }, "window!"},
		"residents first, one":   {func(f *enrol.Facts) { f.Policy.Openings = week(at(5, 4, 9)); f.Resident = true }, ""},
		"residents first, other": {func(f *enrol.Facts) { f.Policy.Openings = week(at(5, 4, 9)) }, "audience!"},
		"a week later, other":    {func(f *enrol.Facts) { f.Policy.Openings = week(at(5, 4, 9)); f.At = at(5, 11, 9) }, ""},
		"residents only":         {func(f *enrol.Facts) { f.Policy.Openings = week(at(5, 4, 9))[:1] }, "audience!"},
		"overlapping session":    {func(f *enrol.Facts) { f.Busy = busy(7, 9, 15*60, 17*60) }, "overlap!"},
		"touching sessions":      {func(f *enrol.Facts) { f.Busy = busy(7, 9, 16*60, 18*60) }, ""},
		"touching, with a gap":   {func(f *enrol.Facts) { f.Busy = busy(7, 9, 16*60+20, 18*60); f.Policy.MinGap = 30 }, "gap!?"},
		"far enough for the gap": {func(f *enrol.Facts) { f.Busy = busy(7, 9, 16*60+30, 18*60); f.Policy.MinGap = 30 }, ""},
		"one camp too many":      {func(f *enrol.Facts) { f.Season, f.InSeason = camp.Season{MostPerChild: years(2)}, 2 }, "season!?"},
		"last one of the season": {func(f *enrol.Facts) { f.Season, f.InSeason = camp.Season{MostPerChild: years(2)}, 1 }, ""},
		"asks for another camp":  {func(f *enrol.Facts) { f.Policy.Requires = []camp.Other{{CampID: other}} }, "requires!?"},
		"has the other camp":     {func(f *enrol.Facts) { f.Policy.Requires = []camp.Other{{CampID: other}}; f.Going = []uuid.UUID{other} }, ""},
		"excluded by another": {func(f *enrol.Facts) {
			f.Policy.Excludes = []camp.Other{{CampID: other}}
			f.Elsewhere = []uuid.UUID{other}
		}, "excludes!"},
		"ticket not on sale yet":  {func(f *enrol.Facts) { v := at(6, 1, 9); f.Ticket = &camp.Ticket{SaleFrom: &v} }, "ticket!"},
		"ticket withdrawn":        {func(f *enrol.Facts) { f.Ticket = &camp.Ticket{Withdrawn: true} }, "ticket!"},
		"sheet to confirm":        {func(f *enrol.Facts) { f.Fresh = false }, "sheet"},
		"sheet never hides a bar": {func(f *enrol.Facts) { f.Fresh = false; f.Once = true }, "once! sheet"},
		"staff let it pass":       {func(f *enrol.Facts) { f.Level = "P5"; f.Overridden = []string{"level"} }, ""},
		"no exceptions here":      {func(f *enrol.Facts) { f.Level = "P5"; f.Policy.Derogations = false }, "level!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts()
			tt.change(&f)
			var got []string
			for _, r := range enrol.Eligible(f) {
				word := r.Rule
				if r.Bar {
					word += "!"
				}
				if r.Derogation {
					word += "?"
				}
				got = append(got, word)
				if !r.Bar && r.Deadline.IsZero() {
					t.Errorf("the to-do %s has no deadline", r.Rule)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func week(from time.Time) []camp.Opening {
	return []camp.Opening{{Audience: camp.Residents, At: from}, {Audience: camp.Everyone, At: from.AddDate(0, 0, 7)}}
}

func busy(month time.Month, day, starts, ends int) []enrol.Busy {
	return []enrol.Busy{{CampName: "Autre", Day: civil.NewDate(2027, month, day), Starts: starts, Ends: ends}}
}

func TestSchoolYearOfTheCamp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		day  civil.Date
		want string // level of a child in P3 in 2026–27
	}{
		{civil.NewDate(2026, 8, 23), "P2"},
		{civil.NewDate(2026, 8, 24), "P3"},
		{civil.NewDate(2026, 12, 28), "P3"},
		{civil.NewDate(2027, 1, 2), "P3"},
		{civil.NewDate(2027, 7, 5), "P3"},
		{civil.NewDate(2027, 8, 29), "P3"},
		{civil.NewDate(2027, 8, 30), "P4"},
	} {
		if got := civil.AdvanceLevel("P3", civil.SchoolYear(tt.day)-2026); got != tt.want {
			t.Errorf("on %s the child is in %s, want %s", tt.day, got, tt.want)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	at := func(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 0, 0, 0, civil.Brussels) }
	for name, tt := range map[string]struct {
		begins, ends time.Time
		want         string
	}{
		"a week":                        {at(2027, 7, 5, 9), at(2027, 7, 9, 16), "5 6 7 8 9"},
		"over a week-end":               {at(2027, 7, 8, 9), at(2027, 7, 13, 16), "8 9 12 13"},
		"over the national holiday":     {at(2027, 7, 19, 9), at(2027, 7, 23, 16), "19 20 22 23"},
		"a Saturday only":               {at(2027, 7, 10, 9), at(2027, 7, 10, 12), "10"},
		"ends at midnight":              {at(2027, 7, 5, 9), at(2027, 7, 7, 0), "5 6"},
		"across New Year":               {at(2026, 12, 30, 9), at(2027, 1, 4, 16), "30 31 4"},
		"over Easter Monday":            {at(2027, 3, 25, 9), at(2027, 3, 30, 16), "25 26 30"},
		"a night camp ends in the morn": {at(2027, 7, 5, 14), at(2027, 7, 6, 10), "5 6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range camp.Sessions(tt.begins, tt.ends, civil.Brussels) {
				got = append(got, s.Day.Time(time.UTC).Format("2"))
				if s.Ends <= s.Starts {
					t.Errorf("a session from %d to %d", s.Starts, s.Ends)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("sessions on %q, want %q", strings.Join(got, " "), tt.want)
			}
		})
	}
}
