package tariff

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
)

func cents(c civil.Cents) *civil.Cents { return &c }

// week is a plain camp of five days at 60,00 €.
func week(change func(*Facts)) Facts {
	f := Facts{
		Camp: "Cirque", Rates: []Rate{{Audience: "other", Cents: 6000}}, Unit: PerCamp, Sessions: 5, Days: 5, Cumulate: true, Regulation: "Règlement du 3 mai",
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestPrice(t *testing.T) {
	t.Parallel()
	place := func(cents civil.Cents) Line {
		return Line{Label: "price.camp", Args: []string{"Cirque"}, Cents: cents, Fiscal: true, Regulation: "Règlement du 3 mai", Over: 5}
	}
	second := Siblings{Who: WhoPayer, Mode: ModeRank, Steps: []Step{{From: 2, Percent: 10}, {From: 3, Cents: 2550}}, Regulation: "art. 4"}
	for name, tt := range map[string]struct {
		facts func(*Facts)
		want  []Line
	}{
		"a place": {want: []Line{place(6000)}},
		"the best of the family's audiences, named": {
			facts: func(f *Facts) {
				f.Rates = []Rate{{"other", "Autres", 9000}, {"resident", "Habitants", 6000}, {"staff", "Personnel", 6000}}
			},
			want: []Line{{Label: "price.camp_for", Args: []string{"Cirque", "Habitants"}, Cents: 6000, Fiscal: true, Regulation: "Règlement du 3 mai", Over: 5}},
		},
		"a formula by the day in a week with a holiday": {
			facts: func(f *Facts) {
				f.Ticket, f.Unit, f.Sessions, f.Days = "Journée", PerDay, 8, 4
				f.Rates[0].Cents = 1234
			},
			want: []Line{{Label: "price.formula_times", Args: []string{"Cirque", "Journée", "4"}, Cents: 4936, Fiscal: true, Regulation: "Règlement du 3 mai", Over: 8}},
		},
		"a place by the session": {
			facts: func(f *Facts) { f.Unit, f.Sessions = PerSession, 8; f.Rates[0].Cents = 500 },
			want:  []Line{{Label: "price.camp_times", Args: []string{"Cirque", "8"}, Cents: 4000, Fiscal: true, Regulation: "Règlement du 3 mai", Over: 8}},
		},
		"the first child pays all": {facts: func(f *Facts) { f.Siblings = second.Cut(1) }, want: []Line{place(6000)}},
		"the second child, in percent, half a cent up": {
			facts: func(f *Facts) { f.Rates[0].Cents = 6005; f.Siblings = second.Cut(2) },
			want: []Line{
				place(6005),
				{Label: "price.sibling_rank", Args: []string{"2"}, Cents: -601, Fiscal: true, Regulation: "art. 4", Over: 5},
			},
		},
		"the fourth child, by the last step, an amount": {
			facts: func(f *Facts) { f.Siblings = second.Cut(4) },
			want: []Line{
				place(6000),
				{Label: "price.sibling_rank", Args: []string{"4"}, Cents: -2550, Fiscal: true, Regulation: "art. 4", Over: 5},
			},
		},
		"an accorded percentage, and siblings on the rest": {
			facts: func(f *Facts) {
				f.Accorded = &Accord{Percent: 50, Regulation: "CPAS"}
				f.Siblings = second.Cut(2)
			},
			want: []Line{
				place(6000),
				{Label: "price.accorded", Cents: -3000, Fiscal: true, Private: true, Regulation: "CPAS", Over: 5},
				{Label: "price.sibling_rank", Args: []string{"2"}, Cents: -300, Fiscal: true, Regulation: "art. 4", Over: 5},
			},
		},
		"the better of two that do not add up": {
			facts: func(f *Facts) {
				f.Cumulate, f.Accorded, f.Siblings = false, &Accord{Percent: 5}, second.Cut(2)
			},
			want: []Line{
				place(6000),
				{Label: "price.sibling_rank", Args: []string{"2"}, Cents: -600, Fiscal: true, Regulation: "art. 4", Over: 5},
			},
		},
		"an accorded price of the place": {
			facts: func(f *Facts) { f.Accorded = &Accord{Cents: cents(1000)} },
			want:  []Line{place(6000), {Label: "price.accorded", Cents: -5000, Fiscal: true, Private: true, Over: 5}},
		},
		"an accorded price above the price changes nothing": {
			facts: func(f *Facts) { f.Accorded = &Accord{Cents: cents(7000)} },
			want:  []Line{place(6000)},
		},
		"options and bus, once and by day": {
			facts: func(f *Facts) {
				f.Items = []Item{
					{Label: LabelBusOut, Name: "Gare", Cents: 200, Unit: PerDay},
					{Label: LabelOption, Name: "Garderie", Cents: 150, Unit: PerDay, Fiscal: true},
					{Label: LabelOption, Name: "T-shirt", Cents: 1200, Unit: PerCamp},
				}
			},
			want: []Line{
				place(6000),
				{Label: "price.bus_out_times", Args: []string{"Gare", "5"}, Cents: 1000, Regulation: "Règlement du 3 mai", Over: 5},
				{Label: "price.option_times", Args: []string{"Garderie", "5"}, Cents: 750, Fiscal: true, Regulation: "Règlement du 3 mai", Over: 5},
				{Label: "price.option", Args: []string{"T-shirt"}, Cents: 1200, Regulation: "Règlement du 3 mai"},
			},
		},
		"a voucher of an amount, on care first": {
			facts: func(f *Facts) {
				f.Items = []Item{{Label: LabelOption, Name: "T-shirt", Cents: 1200, Unit: PerCamp}}
				f.Voucher = &Cut{Label: "price.voucher", Args: []string{"Rentrée"}, Cents: 6500}
			},
			want: []Line{
				place(6000),
				{Label: "price.option", Args: []string{"T-shirt"}, Cents: 1200, Regulation: "Règlement du 3 mai"},
				{Label: "price.voucher", Args: []string{"Rentrée"}, Cents: -6000, Fiscal: true, Over: 5},
				{Label: "price.voucher", Args: []string{"Rentrée"}, Cents: -500},
			},
		},
		"a voucher above the price": {
			facts: func(f *Facts) { f.Voucher = &Cut{Label: "price.voucher", Args: []string{"Rentrée"}, Cents: 9000} },
			want:  []Line{place(6000), {Label: "price.voucher", Args: []string{"Rentrée"}, Cents: -6000, Fiscal: true, Over: 5}},
		},
		"a free camp": {facts: func(f *Facts) { f.Rates[0].Cents = 0; f.Siblings = second.Cut(3) }, want: []Line{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Price(week(tt.facts))); diff != "" {
				t.Errorf("price (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSiblingsCut(t *testing.T) {
	t.Parallel()
	steps := []Step{{From: 2, Percent: 10}, {From: 3, Percent: 25}}
	for name, tt := range map[string]struct {
		rule Siblings
		n    int
		want int // percent
	}{
		"each of two":              {Siblings{Who: WhoParent, Mode: ModeEach, Steps: steps}, 2, 10},
		"nobody counts":            {Siblings{Who: WhoNone, Steps: steps}, 3, 0},
		"the first":                {Siblings{Who: WhoPayer, Mode: ModeRank, Steps: steps}, 1, 0},
		"the fourth as the third":  {Siblings{Who: WhoPayer, Mode: ModeRank, Steps: steps}, 4, 25},
		"the second by household":  {Siblings{Who: WhoHousehold, Mode: ModeRank, Steps: steps}, 2, 10},
		"without steps, no effect": {Siblings{Who: WhoPayer, Mode: ModeRank}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := 0
			if c := tt.rule.Cut(tt.n); c != nil {
				got = c.Percent
			}
			if got != tt.want {
				t.Errorf("%d %%, want %d %%", got, tt.want)
			}
		})
	}
}

// anyFacts draws facts from everything that the forms let through.
func anyFacts(t *rapid.T) Facts {
	money := rapid.Int64Range(0, maxCents)
	unit := rapid.SampledFrom(Units)
	cut := rapid.Custom(func(t *rapid.T) *Cut {
		if rapid.Bool().Draw(t, "percent") {
			return &Cut{Label: "price.voucher", Percent: rapid.IntRange(1, 100).Draw(t, "p")}
		}
		return &Cut{Label: "price.voucher", Cents: civil.Cents(rapid.Int64Range(1, maxCents).Draw(t, "c"))}
	})
	f := Facts{Camp: "C", Unit: unit.Draw(t, "unit"), Days: rapid.IntRange(0, 10).Draw(t, "days"), Cumulate: rapid.Bool().Draw(t, "cumulate")}
	f.Sessions = f.Days * rapid.IntRange(1, 2).Draw(t, "a day")
	for range rapid.IntRange(1, 3).Draw(t, "rates") {
		f.Rates = append(f.Rates, Rate{Cents: civil.Cents(money.Draw(t, "rate"))})
	}
	for range rapid.IntRange(0, 4).Draw(t, "items") {
		f.Items = append(f.Items, Item{
			ID: uuid.New(), Label: rapid.SampledFrom([]string{LabelBusOut, LabelBusBack, LabelOption}).Draw(t, "label"),
			Cents: civil.Cents(money.Draw(t, "item")), Unit: unit.Draw(t, "item unit"), Fiscal: rapid.Bool().Draw(t, "fiscal"),
		})
	}
	if rapid.Bool().Draw(t, "siblings") {
		f.Siblings = cut.Draw(t, "sibling cut")
	}
	if rapid.Bool().Draw(t, "voucher") {
		f.Voucher = cut.Draw(t, "voucher cut")
	}
	switch rapid.IntRange(0, 2).Draw(t, "accorded") {
	case 1:
		f.Accorded = &Accord{Percent: rapid.IntRange(1, 100).Draw(t, "accorded percent")}
	case 2:
		f.Accorded = &Accord{Cents: cents(civil.Cents(money.Draw(t, "accorded cents")))}
	}
	return f
}

// TestPriceProperties: never below zero, neither in all nor in its care part; the same facts give the same price, also
// after they were frozen; the order of rates and items does not change what is to pay; Discreet tells the same total.
func TestPriceProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		lines := Price(f)
		if got := Total(lines); got < 0 {
			t.Fatalf("a price of %d cents: %+v", got, lines)
		}
		var care civil.Cents
		for _, l := range lines {
			if l.Cents == 0 {
				t.Fatalf("a line of nothing: %+v", l)
			}
			if l.Fiscal {
				care += l.Cents
			}
		}
		if care < 0 || care > Total(lines) {
			t.Fatalf("care of %d cents in a price of %d", care, Total(lines))
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var thawed Facts
		if err := json.Unmarshal(b, &thawed); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lines, Price(thawed)); diff != "" {
			t.Fatalf("frozen facts give another price (-before +after):\n%s", diff)
		}
		turned := f
		turned.Rates, turned.Items = slices.Clone(f.Rates), slices.Clone(f.Items)
		slices.Reverse(turned.Rates)
		slices.Reverse(turned.Items)
		if got, want := Total(Price(turned)), Total(lines); got != want {
			t.Fatalf("in another order %d cents, want %d", got, want)
		}
		if got, want := Total(Discreet(lines)), Total(lines); got != want {
			t.Fatalf("discreetly %d cents, want %d", got, want)
		}
	})
}

// TestCancelledWorthProperties: each cancelled session is worth something between nothing and the price, all together
// are worth every line that pays for sessions, and the order of cancelling does not matter.
func TestCancelledWorthProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		lines := Price(f)
		var sum civil.Cents
		for done := 0; done < f.Sessions; {
			now := rapid.IntRange(1, f.Sessions-done).Draw(t, "now")
			w := CancelledWorth(lines, f.Sessions, done, now)
			if w < 0 {
				t.Fatalf("sessions %d to %d are worth %d cents", done, done+now, w)
			}
			sum += w
			done += now
		}
		var bound civil.Cents
		if f.Sessions > 0 {
			for _, l := range lines {
				if l.Over > 0 {
					bound += l.Cents
				}
			}
		}
		if want := max(0, min(bound, Total(lines))); sum != want {
			t.Fatalf("all %d sessions are worth %d cents, want %d of %d", f.Sessions, sum, want, Total(lines))
		}
	})
}

func TestCancelledWorth(t *testing.T) {
	t.Parallel()
	old := []Line{{Label: "price.camp", Cents: 6000, Fiscal: true}, {Label: "price.option", Cents: 1200}}
	for name, tt := range map[string]struct {
		lines                 []Line
		sessions, before, now int
		want                  civil.Cents
	}{
		"one of three, to the cent":      {[]Line{{Cents: 1000, Over: 3}}, 3, 0, 1, 333},
		"the second of three":            {[]Line{{Cents: 1000, Over: 3}}, 3, 1, 1, 334},
		"a price of before, by the camp": {old, 5, 0, 2, 2400},
		"material is had once":           {[]Line{{Label: "price.option", Cents: 1200}}, 5, 0, 5, 0},
		"reduced by half":                {[]Line{{Cents: 6000, Over: 5}, {Cents: -3000, Over: 5}}, 5, 0, 1, 600},
		"no more than all":               {[]Line{{Cents: 6000, Over: 5}}, 5, 4, 4, 1200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := CancelledWorth(tt.lines, tt.sessions, tt.before, tt.now); got != tt.want {
				t.Errorf("%d cents, want %d", got, tt.want)
			}
		})
	}
}

// TestLineOfBefore reads lines that were frozen before they said whether they are care.
func TestLineOfBefore(t *testing.T) {
	t.Parallel()
	var got []Line
	err := json.Unmarshal([]byte(`[{"label": "price.formula", "args": ["Cirque", "Journée"], "cents": 6000}, {"label": "price.option", "cents": 500},
		{"label": "price.option", "cents": 300, "fiscal": true}, {"label": "price.camp", "cents": 100, "fiscal": false}]`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{
		{Label: "price.formula", Args: []string{"Cirque", "Journée"}, Cents: 6000, Fiscal: true},
		{Label: "price.option", Cents: 500},
		{Label: "price.option", Cents: 300, Fiscal: true},
		{Label: "price.camp", Cents: 100},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestDiscreet(t *testing.T) {
	t.Parallel()
	social := Price(week(func(f *Facts) { f.Accorded = &Accord{Percent: 50} }))
	voucher := Price(week(func(f *Facts) { f.Voucher = &Cut{Label: "price.voucher", Percent: 50} }))
	if diff := cmp.Diff(Discreet(social), Discreet(voucher)); diff != "" {
		t.Errorf("an accorded tariff can be told from a voucher (-social +voucher):\n%s", diff)
	}
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"RENTREE-27", "  abcd efgh", "é", "AAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := Code(typed)
		if len(code) > 20 || Code(code) != code {
			t.Errorf("Code(%q) = %q", typed, code)
		}
	})
}
