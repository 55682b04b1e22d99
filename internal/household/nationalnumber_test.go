package household_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

func TestParseNationalNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw   string
		birth string // empty when the number proves none
		bis   bool
	}{
		{"85073003328", "1985-07-30", false},
		{"17073003384", "2017-07-30", false},
		{"17.04.15-127.31", "2017-04-15", false},
		{"18 03 31 002 78", "2018-03-31", false},
		{"18033100179", "2018-03-31", false},
		{"15031200104", "2015-03-12", false},
		{"15031200203", "2015-03-12", false},
		{"15521210153", "", true},
		{"98472899765", "", true},
		{"01490700185", "", true},
		{"99090999997", "1999-09-09", false},
		{"00000000128", "", false},
	} {
		n, err := household.ParseNationalNumber(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		birth, ok := n.BirthDate()
		if ok != (c.birth != "") || birth.String() != c.birth || n.BIS() != c.bis {
			t.Errorf("%s: got birth %q, BIS %v, want %q, %v", c.raw, birth, n.BIS(), c.birth, c.bis)
		}
	}
	for name, raw := range map[string]string{
		"empty":        "",
		"letters":      "8507300332a",
		"short":        "8507300332",
		"long":         "850730033280",
		"check digits": "85073003329",
		"no such day":  number(2015, 4, 31, 1),
		"month 13":     number(2015, 13, 1, 1),
		"month 33":     number(2015, 33, 1, 1),
		"month 53":     number(2015, 53, 1, 1),
		"sequence 0":   number(2015, 4, 30, 0),
		"29 February":  number(2015, 2, 29, 1),
		"other digits": "８5073003328",
	} {
		if n, err := household.ParseNationalNumber(raw); err == nil {
			t.Errorf("%s: %s was taken", name, n.Digits())
		} else if len(raw) > 5 && strings.Contains(err.Error(), raw[:6]) {
			t.Errorf("%s: the error tells the number: %v", name, err)
		}
	}
}

// number writes eleven digits with the check digits of the century, whatever the date.
func number(year, month, day, seq int) string {
	first := year%100*10_000_000 + month*100_000 + day*1000 + seq
	check := 97 - first%97
	if year >= 2000 {
		check = 97 - (2_000_000_000+first)%97
	}
	return fmt.Sprintf("%09d%02d", first, check)
}

func TestNationalNumberProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		birth := civil.NewDate(1930, 1, 1).AddDays(rapid.IntRange(0, 45000).Draw(t, "days"))
		raw := number(birth.Year, int(birth.Month), birth.Day, rapid.IntRange(1, 998).Draw(t, "sequence"))
		n, err := household.ParseNationalNumber(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got, ok := n.BirthDate(); !ok || got != birth {
			t.Fatalf("%s: got birth %s, want %s", raw, got, birth)
		}
		bis, err := household.ParseNationalNumber(number(birth.Year, int(birth.Month)+rapid.SampledFrom([]int{20, 40}).Draw(t, "raise"), birth.Day, 7))
		if err != nil {
			t.Fatalf("a BIS number: %v", err)
		}
		if _, ok := bis.BirthDate(); ok || !bis.BIS() {
			t.Fatal("a BIS number proves a birth date")
		}
		// One wrong digit is always noticed: that is what 97 is for.
		at := rapid.IntRange(0, 10).Draw(t, "at")
		wrong := []byte(raw)
		wrong[at] = '0' + (wrong[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if again, err := household.ParseNationalNumber(string(wrong)); err == nil {
			if b, ok := again.BirthDate(); ok && b.Year/100 == birth.Year/100 {
				t.Fatalf("%s was taken for %s within the century", wrong, raw)
			}
		}
	})
}

func TestNationalNumberHides(t *testing.T) {
	t.Parallel()
	n, err := household.ParseNationalNumber("85073003328")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "number", n)
	for _, text := range []string{fmt.Sprint(n), fmt.Sprintf("%v %+v %#v %d %s %x %q", n, n, n, n, n, n, n), fmt.Sprintf("%+v", struct{ N household.NationalNumber }{n}), log.String()} {
		for _, secret := range []string{"850730", "730033", "033"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q tells the number", text)
			}
		}
	}
	if n.Digits() != "85073003328" || n.Masked() != "••.••.••-•••.28" {
		t.Errorf("got %s and %s", n.Digits(), n.Masked())
	}
	if (household.NationalNumber{}).Masked() != "" || !(household.NationalNumber{}).IsZero() {
		t.Error("no number has a mask")
	}
}

func FuzzParseNationalNumber(f *testing.F) {
	for _, s := range []string{"85073003328", "17.04.15-127.31", "00000000128", "", "\xff", "15521210153"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		n, err := household.ParseNationalNumber(raw)
		if err != nil {
			return
		}
		again, err := household.ParseNationalNumber(n.Digits())
		if err != nil || again != n {
			t.Errorf("%q reads as %s, which reads as %s, %v", raw, n.Digits(), again.Digits(), err)
		}
		if birth, ok := n.BirthDate(); ok && birth.After(civil.NewDate(2100, time.January, 1)) {
			t.Errorf("%q was born on %s", raw, birth)
		}
	})
}
