package enrol_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
)

// days are half-day sessions from nine to twelve on some days.
func days(list ...civil.Date) (sessions []camp.Session) {
	for _, d := range list {
		sessions = append(sessions, camp.Session{Day: d, Starts: 9 * 60, Ends: 12 * 60})
	}
	return sessions
}

// TestAgeAtTheEdges: the age that counts is that of the first day on which the camp takes place, be it before a birthday
// that falls within the camp, across New Year, or for who was born on a day that most years lack.
func TestAgeAtTheEdges(t *testing.T) {
	t.Parallel()
	d := civil.NewDate
	for _, tt := range []struct {
		birth, first civil.Date
		age          int
	}{
		{d(2018, 7, 5), d(2027, 7, 5), 9},    // a birthday on the first session
		{d(2018, 7, 6), d(2027, 7, 5), 8},    // on the second
		{d(2018, 7, 4), d(2027, 7, 5), 9},    // on the day before
		{d(2016, 2, 29), d(2027, 2, 28), 10}, // born on 29 February: a year older on 1 March,
		{d(2016, 2, 29), d(2027, 3, 1), 11},
		{d(2016, 2, 29), d(2028, 2, 28), 11},
		{d(2016, 2, 29), d(2028, 2, 29), 12}, // or on the day itself in a leap year
		{d(2016, 2, 28), d(2028, 2, 28), 12},
		{d(2016, 3, 1), d(2028, 2, 29), 11},
		{d(2018, 12, 31), d(2026, 12, 30), 7}, // across New Year the birthdays inside the camp come too late
		{d(2018, 12, 31), d(2026, 12, 31), 8},
		{d(2019, 1, 1), d(2026, 12, 31), 7},
		{d(2019, 1, 1), d(2027, 1, 1), 8},
		{d(2027, 7, 5), d(2027, 7, 5), 0},
	} {
		t.Run(fmt.Sprint(tt.birth, " on ", tt.first), func(t *testing.T) {
			t.Parallel()
			for _, bounds := range []struct {
				low, high int
				want      string
			}{
				{tt.age, tt.age, ""}, {tt.age + 1, 99, "eligible.too_young"}, {0, tt.age - 1, "eligible.too_old"},
			} {
				f := facts()
				f.Birth, f.Sessions, f.Camp.Levels = tt.birth, days(tt.first, tt.first.AddDays(1), tt.first.AddDays(5)), nil
				f.Camp.AgeMin, f.Camp.AgeMax = &bounds.low, &bounds.high
				if got := codes(f); got != bounds.want {
					t.Errorf("asked for %d to %d years: %q, want %q", bounds.low, bounds.high, got, bounds.want)
				}
			}
		})
	}
}

// codes are the codes of all reasons.
func codes(f enrol.Facts) string {
	var all []string
	for _, r := range enrol.Eligible(f) {
		all = append(all, r.Code)
	}
	return strings.Join(all, " ")
}

// TestHalfDays: mornings and afternoons of one day stand beside each other; what touches does not overlap, and the gap
// that a camp asks for counts on both of its sides, on that day alone.
func TestHalfDays(t *testing.T) {
	t.Parallel()
	monday := civil.NewDate(2027, 7, 5)
	newYear := civil.NewDate(2027, 1, 1)
	for name, tt := range map[string]struct {
		day          civil.Date // of the other camp
		starts, ends int
		gap          int
		want         string
	}{
		"the afternoon":                    {monday, 13 * 60, 16 * 60, 0, ""},
		"from noon on":                     {monday, 12 * 60, 16 * 60, 0, ""},
		"a minute before noon":             {monday, 12*60 - 1, 16 * 60, 0, "eligible.overlap"},
		"until nine":                       {monday, 7 * 60, 9 * 60, 0, ""},
		"until a minute past nine":         {monday, 7 * 60, 9*60 + 1, 0, "eligible.overlap"},
		"inside the morning":               {monday, 10 * 60, 11 * 60, 0, "eligible.overlap"},
		"around the morning":               {monday, 8 * 60, 17 * 60, 30, "eligible.overlap"},
		"the same hours":                   {monday, 9 * 60, 12 * 60, 30, "eligible.overlap"},
		"touching, a gap asked":            {monday, 12 * 60, 16 * 60, 30, "eligible.gap"},
		"a minute short after":             {monday, 12*60 + 29, 16 * 60, 30, "eligible.gap"},
		"just the gap after":               {monday, 12*60 + 30, 16 * 60, 30, ""},
		"a minute short before":            {monday, 7 * 60, 8*60 + 31, 30, "eligible.gap"},
		"just the gap before":              {monday, 7 * 60, 8*60 + 30, 30, ""},
		"the next morning":                 {monday.AddDays(1), 9 * 60, 12 * 60, 30, ""},
		"the same day a week later":        {monday.AddDays(7), 9 * 60, 12 * 60, 30, ""},
		"after New Year, the same weekday": {newYear, 9 * 60, 12 * 60, 30, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts()
			f.Sessions = days(monday)
			f.Policy.MinGap = tt.gap
			f.Busy = []enrol.Busy{{CampName: "Autre", Day: tt.day, Starts: tt.starts, Ends: tt.ends}}
			if got := codes(f); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// A camp across New Year meets another on each side of it.
	f := facts()
	f.At = newYear.AddDays(-60).At(9*60, civil.Brussels)
	f.Camp.BeginsAt = newYear.AddDays(-2).At(9*60, civil.Brussels)
	f.Sessions, f.Camp.Levels = days(newYear.AddDays(-2), newYear.AddDays(-1), newYear.AddDays(3)), nil
	f.Busy = []enrol.Busy{
		{CampName: "Décembre", Day: newYear.AddDays(-1), Starts: 11 * 60, Ends: 13 * 60},
		{CampName: "Janvier", Day: newYear.AddDays(3), Starts: 8 * 60, Ends: 10 * 60},
		{CampName: "Férié", Day: newYear, Starts: 9 * 60, Ends: 12 * 60},
	}
	if got := codes(f); got != "eligible.overlap eligible.overlap" {
		t.Errorf("across New Year: %q, want two overlaps", got)
	}
}

// TestLevelOfTheCamp: through the store, the level that counts is that of the school year in which the camp's first
// session lies, be it the last week of the holidays, a camp with the rentrée inside, or one across New Year.
func TestLevelOfTheCamp(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f := w.Family(t, 1) // P3 in 2026–2027
	d := civil.NewDate
	for _, tt := range []struct {
		name        string
		first, last civil.Date
		want        string
	}{
		{"the last week of the holidays", d(2027, 8, 23), d(2027, 8, 27), "P3"},
		{"the rentrée of 30 August inside", d(2027, 8, 26), d(2027, 9, 1), "P3"},
		{"from the rentrée on", d(2027, 8, 30), d(2027, 9, 3), "P4"},
		{"across New Year", d(2027, 12, 29), d(2028, 1, 4), "P4"},
		{"after New Year", d(2028, 1, 3), d(2028, 1, 7), "P4"},
		{"the rentrée of 28 August 2028 inside", d(2028, 8, 25), d(2028, 8, 29), "P4"},
		{"on 29 February", d(2028, 2, 29), d(2028, 3, 3), "P4"},
	} {
		c := w.CampOn(t, tt.name, 10, tt.first, tt.last)
		fits, err := w.Enrol.Fits(t.Context(), f.Children[0].ID, []uuid.UUID{c.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range fits[c.ID] {
			if r.Bar {
				t.Errorf("%s: %s bars a child in %s", tt.name, r.Code, tt.want)
			}
		}
		// Asked for every other level, the child is told its own.
		_, err = w.DB.Exec(t.Context(), `UPDATE camp SET tag_levels = array_remove(levels, $2) WHERE id = $1`, c.ID, tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if fits, err = w.Enrol.Fits(t.Context(), f.Children[0].ID, []uuid.UUID{c.ID}); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range fits[c.ID] {
			if r.Code == "eligible.other_level" {
				got = fmt.Sprint(r.Args[2])
			}
		}
		if got != tt.want {
			t.Errorf("%s: the child is in %q, want %s", tt.name, got, tt.want)
		}
	}
}

// TestFirstDayThatIsHeld: a first session that the commune cancels counts for nothing: not for the age, nor for the day
// until which a family leaves by itself or the fee.
func TestFirstDayThatIsHeld(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	f := w.Family(t, 1)
	c := w.Camp(t, "Nature", 10) // from Monday 5 July on
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	if err := w.Enrol.SaveFeeSteps(t.Context(), enroltest.Actor, []enrol.FeeStep{{DaysBefore: 62, Percent: 50}}); err != nil {
		t.Fatal(err)
	}
	leaving := func() enrol.Leaving {
		t.Helper()
		v, err := w.Enrol.Leaving(t.Context(), f.Guardian.ID, r.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	until := leaving().Until
	w.Pass(24 * 60 * 60 * 1e9) // 61 days before Monday
	if v := leaving(); v.Percent != 50 {
		t.Errorf("61 days before, the fee is %d %%, want 50", v.Percent)
	}
	if _, err := w.DB.Exec(t.Context(), `UPDATE camp_session SET state = 'cancelled', reason = 'travaux' WHERE camp_id = $1 AND day = '2027-07-05'`, c.ID); err != nil {
		t.Fatal(err)
	}
	v := leaving()
	if v.Percent != 0 || !v.Until.Equal(until.AddDate(0, 0, 1)) {
		t.Errorf("with Monday cancelled the fee is %d %% and one leaves until %v, want 0 and %v", v.Percent, v.Until, until.AddDate(0, 0, 1))
	}
}
