package household_test

import (
	"testing"

	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

func TestLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		recorded map[int]string
		born     int
		year     int
		want     string
	}{
		{"AdvancesFromTheNearest", map[int]string{2023: "P2", 2025: "P3"}, 2016, 2027, "P5"},
		{"AfterSchool", map[int]string{2025: "S6"}, 2008, 2026, ""},
		{"BackFromTheNearest", map[int]string{2025: "P3"}, 2016, 2022, "M3"},
		{"BeforeSchool", nil, 2024, 2026, ""},
		{"FirstYear", nil, 2023, 2026, "M1"},
		{"RepeatedYear", map[int]string{2024: "P2", 2025: "P2"}, 2016, 2026, "P3"},
		{"TieTakesTheEarlier", map[int]string{2024: "P2", 2026: "P3"}, 2016, 2025, "P3"},
		{"Usual", nil, 2015, 2025, "P5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := household.Level(c.recorded, c.born, c.year); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLevelProperties(t *testing.T) {
	t.Parallel()
	year := rapid.IntRange(2015, 2035)
	rapid.Check(t, func(t *rapid.T) {
		born := rapid.IntRange(2000, 2030).Draw(t, "born")
		recorded := rapid.MapOf(year, rapid.SampledFrom(civil.Levels)).Draw(t, "recorded")
		asked := year.Draw(t, "asked")
		got := household.Level(recorded, born, asked)
		if want, ok := recorded[asked]; ok && got != want {
			t.Fatalf("recorded %s for %d, got %s", want, asked, got)
		}
		if len(recorded) == 0 && got != civil.UsualLevel(born, asked) {
			t.Fatalf("without a record got %q", got)
		}
		if got != "" && civil.LevelIndex(got) < 0 {
			t.Fatalf("%q is no level", got)
		}
		// Beyond the last record each year is one level up, until school ends.
		last := 2036
		for y := range recorded {
			if last == 2036 || y > last {
				last = y
			}
		}
		if len(recorded) > 0 && asked > last {
			before := household.Level(recorded, born, asked-1)
			if want := civil.AdvanceLevel(before, 1); got != want {
				t.Fatalf("after %q came %q, want %q", before, got, want)
			}
		}
	})
}
