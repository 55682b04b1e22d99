package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
)

// attended is a week of July 2025 of which the child missed the days marked A.
func attended(marks string) []mark {
	yes, no := true, false
	var all []mark
	for i, m := range marks {
		one := mark{Day: civil.NewDate(2025, 7, 7).AddDays(i)}
		switch m {
		case 'P':
			one.Present = &yes
		case 'A':
			one.Present = &no
		}
		all = append(all, one)
	}
	return all
}

func fullCare() care {
	return care{
		State: "confirmed", Price: []priceLine{campPrice(10000)}, Settled: true, Charged: 10000, ChargedAll: 10000, After: 10000,
		lastDay: civil.NewDate(2025, 7, 11), marks: attended("PPPPP"), birth: civil.NewDate(2017, 4, 15), limit: fiscalAge,
	}
}

func TestCareLine(t *testing.T) {
	t.Parallel()
	today := civil.NewDate(2026, 2, 10)
	yes, no := true, false
	monday, friday := civil.NewDate(2025, 7, 7), civil.NewDate(2025, 7, 11)
	whole := AttestationLine{From: monday, Until: friday, Days: 5, Cents: 10000}
	with := func(change func(*AttestationLine)) AttestationLine {
		l := whole
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		change func(*care, *terms)
		want   AttestationLine
		why    string
	}{
		"all paid and attended": {func(*care, *terms) {}, whole, ""},
		"a meal is no care": {func(c *care, _ *terms) {
			c.Price = []priceLine{campPrice(8000), {Label: "price.option", Args: []string{"Repas"}, Cents: 2000}}
			c.options = map[string]bool{"Repas": false}
		}, with(func(l *AttestationLine) { l.Cents = 8000 }), ""},
		"an option that is care counts": {func(c *care, _ *terms) {
			c.Price = []priceLine{campPrice(8000), {Label: "price.option", Args: []string{"Garderie"}, Cents: 2000}}
			c.options = map[string]bool{"Garderie": true}
		}, whole, ""},
		"the price says what is care": {func(c *care, _ *terms) {
			c.Price = []priceLine{campPrice(8000), {Label: "price.option", Args: []string{"Garderie"}, Cents: 1500, Fiscal: &yes}, {Label: "x", Cents: 500, Fiscal: &no}}
		}, with(func(l *AttestationLine) { l.Cents = 9500 }), ""},
		"the bus only by a setting": {func(c *care, _ *terms) {
			c.Price = []priceLine{campPrice(8000), {Label: "price.bus_out", Cents: 2000, Fiscal: &yes}}
		}, with(func(l *AttestationLine) { l.Cents = 8000 }), ""},
		"the bus by a setting": {func(c *care, t *terms) {
			c.Price = []priceLine{campPrice(8000), {Label: "price.bus_out", Cents: 2000}}
			t.bus = true
		}, whole, ""},
		"a reduction lowers care": {func(c *care, _ *terms) {
			c.Price = []priceLine{campPrice(12000), {Label: "Réduction", Cents: -4000}, {Label: "price.option", Args: []string{"Repas"}, Cents: 2000}}
		}, with(func(l *AttestationLine) { l.Cents = 8000 }), ""},
		"a fee that was paid counts for nothing": {func(c *care, _ *terms) { c.Fees, c.After = 1000, 11000 }, whole, ""},
		"a deposit of the year":                  {func(c *care, _ *terms) { c.After = 3000 }, with(func(l *AttestationLine) { l.Cents = 3000 }), ""},
		"the rest of the year after":             {func(c *care, _ *terms) { c.Before = 3000 }, with(func(l *AttestationLine) { l.Cents = 7000 }), ""},
		"paid twice and not given back yet":      {func(c *care, _ *terms) { c.After = 20000 }, whole, ""},
		"the double given back a year later":     {func(c *care, _ *terms) { c.Before = 20000 }, AttestationLine{}, ""},
		"given back after the year":              {func(c *care, _ *terms) { c.Before, c.After, c.Charged, c.ChargedAll = 10000, 6000, 10000, 10000 }, AttestationLine{}, WhyRefund},
		"days that the child missed": {
			func(c *care, _ *terms) { c.marks = attended("APPA-")[:4] },
			with(func(l *AttestationLine) { l.From, l.Until, l.Days = monday.AddDays(1), monday.AddDays(2), 2 }), "",
		},
		"two sessions on one day": {func(c *care, _ *terms) { c.marks = append(c.marks, c.marks[0]) }, whole, ""},
		"the birthday on Wednesday": {
			func(c *care, _ *terms) { c.birth = civil.NewDate(2011, 7, 9) },
			with(func(l *AttestationLine) { l.Until, l.Days, l.Cents = monday.AddDays(1), 2, 4000 }), "",
		},
		"the birthday on Wednesday with a severe handicap": {func(c *care, _ *terms) { c.birth, c.limit = civil.NewDate(2011, 7, 9), 21 }, whole, ""},
		"21 on Friday with a severe handicap": {
			func(c *care, _ *terms) { c.birth, c.limit = civil.NewDate(2004, 7, 11), 21 },
			with(func(l *AttestationLine) { l.Until, l.Days, l.Cents = monday.AddDays(3), 4, 8000 }), "",
		},
		"the birthday on Monday":                 {func(c *care, _ *terms) { c.birth = civil.NewDate(2011, 7, 7) }, AttestationLine{}, WhyTooOld},
		"the day before it":                      {func(c *care, _ *terms) { c.birth = civil.NewDate(2011, 7, 12) }, whole, ""},
		"a tariff below the maximum stays blank": {func(_ *care, t *terms) { t.maximum = 2000 }, whole, ""},
		"a tariff above the maximum is printed":  {func(_ *care, t *terms) { t.maximum = 1999 }, with(func(l *AttestationLine) { l.Tariff = 2000 }), ""},
		"an unknown maximum":                     {func(_ *care, t *terms) { t.maximum = 0 }, with(func(l *AttestationLine) { l.Tariff = 2000 }), ""},
		"a session nobody marked":                {func(c *care, _ *terms) { c.marks = attended("PPPP-") }, AttestationLine{}, WhyUnmarked},
		"which the commune counts":               {func(c *care, t *terms) { c.marks = attended("PPPP-"); t.unmarked = true }, whole, ""},
		"nobody came":                            {func(c *care, _ *terms) { c.marks = attended("AAAAA") }, AttestationLine{}, WhyAbsent},
		"another payer still owes":               {func(c *care, _ *terms) { c.Settled = false }, AttestationLine{}, WhyUnpaid},
		"an organisation":                        {func(c *care, _ *terms) { c.Organisation = true }, AttestationLine{}, WhyOrganisation},
		"only a meal":                            {func(c *care, _ *terms) { c.Price = []priceLine{{Label: "price.option", Cents: 10000}} }, AttestationLine{}, WhyNoCare},
		"cancelled with a fee":                   {func(c *care, _ *terms) { c.State = "cancelled" }, AttestationLine{}, WhyLeft},
		"the last day is today":                  {func(c *care, _ *terms) { c.lastDay = today }, AttestationLine{}, WhyNotOver},
		"every session was cancelled":            {func(c *care, _ *terms) { c.marks, c.lastDay = nil, civil.Date{} }, AttestationLine{}, WhyNotOver},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, with := fullCare(), terms{maximum: 100_000}
			c.change(&one, &with)
			got, why := one.line(with, today)
			if why != c.why {
				t.Fatalf("why %q, want %q", why, c.why)
			}
			if why != "" || got.Cents == 0 {
				got = AttestationLine{Cents: got.Cents}
				if why != "" {
					got.Cents = 0
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCareOfYearsAddsUp splits the payments of a due over years in any way: the years together certify exactly the care
// that was paid, and no year more than it received.
func TestCareOfYearsAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := fullCare()
		meal := civil.Cents(rapid.Int64Range(0, 9000).Draw(t, "meal"))
		c.Price = []priceLine{campPrice(10000), {Label: "price.option", Args: []string{"Repas"}, Cents: meal}}
		c.Charged = 10000 + meal
		c.ChargedAll = c.Charged
		c.Fees = civil.Cents(rapid.Int64Range(0, 3000).Draw(t, "fees"))
		if rapid.Bool().Draw(t, "birthday") {
			c.birth = civil.NewDate(2011, 7, 7+rapid.IntRange(1, 4).Draw(t, "day"))
		}
		owed := c.Charged + c.Fees
		var sum civil.Cents
		c.Before = 0
		for c.Before < owed {
			c.After = c.Before + civil.Cents(rapid.Int64Range(1, int64(owed-c.Before)).Draw(t, "payment"))
			l, why := c.line(terms{}, civil.NewDate(2026, 1, 1))
			if why != "" {
				t.Fatalf("no line: %s", why)
			}
			if l.Cents < 0 || l.Cents > c.After-c.Before+1 {
				t.Fatalf("%d certified of %d received", l.Cents, c.After-c.Before)
			}
			sum += l.Cents
			c.Before = c.After
		}
		young, _ := c.days(false)
		kept := 0
		for _, d := range young {
			if civil.AgeOn(c.birth, d) < c.limit {
				kept++
			}
		}
		if want := civil.Cents(10000 * kept / 5); sum != want {
			t.Fatalf("the years certify %d, want %d", sum, want)
		}
	})
}
