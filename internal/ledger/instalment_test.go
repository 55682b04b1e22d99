package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
)

// TestLeft: what was paid covers the first parts, and what is not to be paid by a day comes to what a balance leaves for
// later, whatever was paid.
func TestLeft(t *testing.T) {
	t.Parallel()
	day := civil.NewDate(2027, 5, 1)
	plan := []Instalment{{DueOn: day, Cents: 1800}, {DueOn: day.AddDays(30), Cents: 2000}, {DueOn: day.AddDays(60), Cents: 2200}}
	want := []Instalment{{DueOn: day.AddDays(30), Cents: 500}, {DueOn: day.AddDays(60), Cents: 2200}}
	if diff := cmp.Diff(want, Left(plan, 2700, day)); diff != "" {
		t.Errorf("after 33,00 € of 60,00 € (-want +got):\n%s", diff)
	}
	if got := Left(plan, 6000, day.AddDays(60)); got != nil {
		t.Errorf("on the last day %v is left for later", got)
	}
	rapid.Check(t, func(r *rapid.T) {
		var plan []Instalment
		var later civil.Cents
		on := day
		today := day.AddDays(rapid.IntRange(-5, 60).Draw(r, "today"))
		for range rapid.IntRange(1, 6).Draw(r, "parts") {
			v := Instalment{DueOn: on, Cents: civil.Cents(rapid.IntRange(1, 9000).Draw(r, "cents"))}
			if plan, on = append(plan, v), on.AddDays(rapid.IntRange(1, 20).Draw(r, "days")); v.DueOn.After(today) {
				later += v.Cents
			}
		}
		b := Balance{Charged: civil.Cents(rapid.IntRange(0, 50_000).Draw(r, "charged")), Paid: civil.Cents(rapid.IntRange(0, 50_000).Draw(r, "paid")), Later: later}
		var sum civil.Cents
		for _, v := range Left(plan, b.Owed(), today) {
			if !v.DueOn.After(today) || v.Cents <= 0 {
				r.Fatalf("%v is left on %v", v, today)
			}
			sum += v.Cents
		}
		if want := b.Owed() - b.OwedNow(); sum != want {
			r.Fatalf("%d cents are left for later, want %d", sum, want)
		}
	})
}
