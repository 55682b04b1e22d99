package household_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// TestOrganisationByBCE: one number is one organisation, however often and however it is typed; every fault is told.
func TestOrganisationByBCE(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	actor := audit.Command("test")
	f := household.GuardianForm{LastName: "CPAS de Braine", Phone: "+3267551020", Street: "Rue Haute 1", Postcode: "7090", City: "Braine-le-Comte"}
	var wait sync.WaitGroup
	ids := make([]uuid.UUID, 8)
	for i := range ids {
		wait.Go(func() {
			var err error
			if ids[i], err = s.OrganisationByBCE(t.Context(), actor, []string{"0207.365.610", "BE 0207365610"}[i%2], f); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := slices.Compact(ids); len(got) != 1 || got[0] == uuid.Nil {
		t.Errorf("organisations %v, want one", got)
	}
	var n int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM guardian WHERE kind = 'organisation' AND bce = '0207365610'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d are stored, %v", n, err)
	}
	_, err := s.OrganisationByBCE(t.Context(), actor, "0207.365.611", f)
	if p := problem.As(err); p == nil || len(p.Fields) != 1 || p.Fields[0].Name != "bce" {
		t.Errorf("a wrong number: %v", err)
	}
	err = household.CheckOrganisation(household.GuardianForm{LastName: "X"})
	p := problem.As(err)
	if p == nil || slices.ContainsFunc(p.Fields, func(v problem.Field) bool { return v.Name == "first_name" || v.Name == "last_name" }) || len(p.Fields) != 4 {
		t.Errorf("a form with only a name: %v", err)
	}
}
