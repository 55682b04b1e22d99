package ledger

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// TestIssueMutuelle makes it once the camp is over, attended and paid, once however often it is asked for, again when
// something has changed, and never for somebody who did not pay.
func TestIssueMutuelle(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne := b.parent("Anne", numberAnne)
	leo := b.child(anne, "Léo", civil.NewDate(2017, 4, 15), numberLeo)
	registration, due := b.registration(b.camp, leo, anne, campPrice(8000), priceLine{Label: "price.option", Args: []string{"Repas"}, Cents: 2000})
	try := func() (Attestation, error) { return b.store.IssueMutuelle(t.Context(), tester, anne, registration) }
	refused := func(why string) {
		t.Helper()
		if _, err := try(); !problem.Is(err, problem.KindConflict) || problem.As(err).Code != "attestation.why."+why {
			t.Errorf("want %s, got %v", why, err)
		}
		if list, err := b.store.Participations(t.Context(), anne); err != nil || len(list) != 1 || list[0].Why != why {
			t.Errorf("want %s on the page, got %+v (%v)", why, list, err)
		}
	}
	b.line(due, Payment, 4000, civil.NewDate(2025, 5, 2))
	refused(WhyUnpaid)
	b.line(due, Payment, 6000, civil.NewDate(2025, 6, 3))
	refused(WhyUnmarked)
	b.came(registration, "AAAAA")
	refused(WhyAbsent)
	b.came(registration, "PPPPA")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := try(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	a, err := try()
	if err != nil {
		t.Fatal(err)
	}
	want := MutuelleContent{
		Camp: "Cirque", Activity: "Stage de vacances, sans nuitée", From: civil.NewDate(2025, 7, 7), Until: civil.NewDate(2025, 7, 10), Days: 4, PerDay: 2500,
		PaidOn: civil.NewDate(2025, 6, 3),
	}
	if diff := cmp.Diff(want, *a.Content.Mutuelle); diff != "" || a.Number != 1 || a.Year != 2025 || a.TotalCents != 10000 || a.Content.Reference != "MUT-2025-00001" {
		t.Errorf("number %d of %d, %d cents (-want +got):\n%s", a.Number, a.Year, a.TotalCents, diff)
	}
	b.came(registration, "PPPPP")
	next, err := try()
	if err != nil || next.Number != 2 || next.Content.Replaces != "MUT-2025-00001" || next.Content.Mutuelle.Days != 5 {
		t.Errorf("changed, it is %+v (%v)", next, err)
	}
	if _, err := b.store.IssueMutuelle(t.Context(), tester, b.parent("Marc", ""), registration); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("somebody else gets %v", err)
	}
	// The 281.86 of the year has numbers of its own.
	if done := b.issue(2025); done.New != 1 || b.all(2025)[0].Number != 1 || done.Total != 8000 {
		t.Errorf("the 281.86 is %+v", done)
	}
}
