package sync

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
)

// fold makes two spellings of a word equal: without case, accents and outer space.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(strings.TrimSpace(s))) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// sameCategory reports whether a tag category is the one that the commune named, in singular or plural.
func sameCategory(name, wanted string) bool {
	a, b := strings.TrimRight(fold(name), "sx"), strings.TrimRight(fold(wanted), "sx")
	return a != "" && a == b
}

var (
	levelCode = regexp.MustCompile(`\b([mps]) ?([1-6])\b`)
	levelWord = regexp.MustCompile(`maternelle|primaire|secondaire`)
	ordinal   = regexp.MustCompile(`\b([1-6]) ?(?:re|ere|er|e|eme|ieme)s?\b`)
	number    = regexp.MustCompile(`\d+(?:[.,]5)?`)
)

// parseLevels reads the school levels that a tag names: "P3", "M1-M3", "de P1 à P4", "3e primaire", "Maternelle".
// Two levels of one tag are the ends of a span. A tag that names none gives none.
func parseLevels(tag string) []string {
	text := fold(tag)
	var found []int
	for _, m := range levelCode.FindAllStringSubmatch(text, -1) {
		found = append(found, civil.LevelIndex(strings.ToUpper(m[1])+m[2]))
	}
	if word := levelWord.FindString(text); word != "" {
		cycle := strings.ToUpper(word[:1])
		years := ordinal.FindAllStringSubmatch(text, -1)
		for _, m := range years {
			found = append(found, civil.LevelIndex(cycle+m[1]))
		}
		if len(years) == 0 && len(found) == 0 {
			for i, l := range civil.Levels {
				if l[:1] == cycle {
					found = append(found, i)
				}
			}
		}
	}
	found = slices.DeleteFunc(found, func(i int) bool { return i < 0 })
	if len(found) == 0 {
		return nil
	}
	return slices.Clone(civil.Levels[slices.Min(found) : slices.Max(found)+1])
}

// parseAges reads the ages that a tag names: "6-8 ans", "de 6 à 8 ans", "dès 6 ans", "6 ans et plus", "12+",
// "moins de 6 ans", "8 ans". A nil bound is open; a tag that names no age gives none.
func parseAges(tag string) (lowest, highest *int) {
	text := fold(tag)
	var ages []int
	for _, n := range number.FindAllString(text, -1) {
		whole, _, _ := strings.Cut(strings.ReplaceAll(n, ",", "."), ".")
		if v, err := strconv.Atoi(whole); err == nil && v <= 25 {
			ages = append(ages, v)
		}
	}
	switch {
	case len(ages) == 0:
		return nil, nil
	case len(ages) > 1:
		a, b := slices.Min(ages), slices.Max(ages)
		return &a, &b
	case strings.Contains(text, "moins de"):
		b := ages[0] - 1
		return nil, &b
	case strings.Contains(text, "jusqu"), strings.Contains(text, "maximum"):
		return nil, &ages[0]
	case strings.Contains(text, "des "), strings.Contains(text, "plus"), strings.Contains(text, "+"), strings.Contains(text, "partir"):
		return &ages[0], nil
	}
	return &ages[0], &ages[0]
}

// widest joins the ages of several tags: the lowest of the lows and the highest of the highs; an open end stays open.
type widest struct {
	seen, openLow, openHigh bool
	low, high               int
}

func (w *widest) add(low, high *int) {
	if low == nil && high == nil {
		return
	}
	if low == nil {
		w.openLow = true
	} else if !w.seen || *low < w.low || w.low < 0 {
		w.low = *low
	}
	if high == nil {
		w.openHigh = true
	} else if !w.seen || *high > w.high {
		w.high = *high
	}
	if !w.seen && low == nil {
		w.low = -1
	}
	w.seen = true
}

func (w *widest) bounds() (low, high *int) {
	if !w.seen {
		return nil, nil
	}
	if !w.openLow && w.low >= 0 {
		low = &w.low
	}
	if !w.openHigh {
		high = &w.high
	}
	return low, high
}
