package sync

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseLevels(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"P3": "P3", "m2": "M2", "P1-P3": "P1 P2 P3", "de M3 à P2": "M3 P1 P2", "P 4": "P4",
		"3e primaire": "P3", "1ère maternelle": "M1", "Maternelle": "M1 M2 M3", "5e et 6e primaire": "P5 P6", "3ème primaire": "P3", "Sport": "", "P7": "",
	} {
		if got := strings.Join(parseLevels(tag), " "); got != want {
			t.Errorf("parseLevels(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestParseAges(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]string{
		"6-8 ans": "6 8", "de 6 à 8 ans": "6 8", "dès 6 ans": "6 -", "12+": "12 -", "moins de 6 ans": "- 5", "8 ans": "8 8",
		"2,5 - 4 ans": "2 4", "Tous": "- -", "6-8 ans|9-12 ans": "6 12", "moins de 6 ans|6-8 ans": "- 8", "6-8 ans|dès 10 ans": "6 -",
		"jusqu’à 12 ans": "- 12",
	} {
		var w widest
		for tag := range strings.SplitSeq(tags, "|") {
			w.add(parseAges(tag))
		}
		low, high := w.bounds()
		if got := show(low) + " " + show(high); got != want {
			t.Errorf("ages of %q = %q, want %q", tags, got, want)
		}
	}
}

func show(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func TestSameCategory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Thème", "theme", "Thèmes", " THÈME "} {
		if !sameCategory(name, "Thème") {
			t.Errorf("%q is not taken for Thème", name)
		}
	}
	if sameCategory("Niveau", "Thème") || sameCategory("", "") {
		t.Error("unlike names are taken for one")
	}
}
