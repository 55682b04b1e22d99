package household_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// TestRightMatrix: every kind of guardian × every right, on a day when the guardianship holds and on the days around.
func TestRightMatrix(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother := b.guardian(t, s, "anne@example.be")
	child := addChild(t, s, mother.ID, leaForm())
	from, until := b.today(), b.today().AddDays(30)

	type holder struct {
		name   string
		id     uuid.UUID
		rights []household.Right
		dated  bool
	}
	holders := []holder{{"Mother", mother.ID, household.Rights, false}, {"Stranger", b.guardian(t, s, "stranger@example.be").ID, nil, false}}
	for _, basis := range household.Bases {
		g := b.guardian(t, s, string(basis)+"@example.be")
		if err := s.Grant(t.Context(), command, g.ID, child.ID, household.Grant{Basis: basis, From: from, Until: until}); err != nil {
			t.Fatal(err)
		}
		holders = append(holders, holder{string(basis), g.ID, household.Preset(basis), true})
	}
	// Blind rights: whatever is granted without to see gives nothing, and hides the child.
	blind := b.guardian(t, s, "blind@example.be")
	if err := s.Grant(t.Context(), command, blind.ID, child.ID, household.Grant{Basis: household.BasisOther, Rights: household.Rights[1:]}); err != nil {
		t.Fatal(err)
	}
	holders = append(holders, holder{"Blind", blind.ID, nil, false})

	for _, h := range holders {
		for _, right := range household.Rights {
			for _, on := range []civil.Date{from.AddDays(-1), from, until, until.AddDays(1)} {
				holds := !on.Before(from) && (!h.dated || !on.After(until))
				err := s.Right(t.Context(), b.db, h.id, child.ID, right, on)
				switch {
				case !holds || len(h.rights) == 0:
					wantProblem(t, err, problem.KindNotFound, "household.child_not_found")
				case !contains(h.rights, right):
					wantProblem(t, err, problem.KindForbidden, "household.right_missing")
				case err != nil:
					t.Errorf("%s, %s on %s: got %v, want nil", h.name, right, on, err)
				}
				ids, err := s.ChildIDs(t.Context(), b.db, h.id, right, on)
				if err != nil {
					t.Fatal(err)
				}
				if want := holds && contains(h.rights, right); (len(ids) == 1) != want {
					t.Errorf("%s, %s on %s: got children %v, want the child: %v", h.name, right, on, ids, want)
				}
			}
		}
		children, err := s.Children(t.Context(), h.id)
		if err != nil {
			t.Fatal(err)
		}
		if seen := len(children) == 1; seen != (len(h.rights) > 0) {
			t.Errorf("%s sees %d children", h.name, len(children))
		} else if seen {
			if diff := cmp.Diff(h.rights, children[0].Rights); diff != "" {
				t.Errorf("%s's rights (-want +got):\n%s", h.name, diff)
			}
		}
	}

	got, err := s.Holders(t.Context(), b.db, child.ID, household.RightMessages, from)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, h := range holders {
		if contains(h.rights, household.RightMessages) {
			want++
			if !containsID(got, h.id) {
				t.Errorf("%s gets no messages", h.name)
			}
		}
	}
	if len(got) != want {
		t.Errorf("got %d holders, want %d", len(got), want)
	}

	// A child that does not exist answers as one that must not be known.
	wantProblem(t, s.Right(t.Context(), b.db, mother.ID, uuid.New(), household.RightSee, from), problem.KindNotFound, "household.child_not_found")
}

func contains(rights []household.Right, r household.Right) bool {
	for _, v := range rights {
		if v == r {
			return true
		}
	}
	return false
}

func containsID(ids []uuid.UUID, id uuid.UUID) bool {
	for _, v := range ids {
		if v == id {
			return true
		}
	}
	return false
}

func TestGrantReplaces(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother, father := b.guardian(t, s, "anne@example.be"), b.guardian(t, s, "bert@example.be")
	child := addChild(t, s, mother.ID, leaForm())
	day := b.today()
	grant := func(g household.Grant) {
		t.Helper()
		if err := s.Grant(t.Context(), command, father.ID, child.ID, g); err != nil {
			t.Fatal(err)
		}
	}
	grant(household.Grant{Basis: household.BasisParentalAuthority, From: day.AddDays(-100)})
	grant(household.Grant{Basis: household.BasisStepParent, From: day.AddDays(50)})
	// The court decides: from today on, only to see; what was to begin later is dropped.
	grant(household.Grant{Basis: household.BasisCourtOrder, Rights: []household.Right{household.RightSee}, Proof: "TJ 2026/123"})

	all, err := s.Guardianships(t.Context(), b.db, child.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []household.Guardianship
	for _, v := range all {
		if v.GuardianID == father.ID {
			v.ID = uuid.Nil
			got = append(got, v)
		}
	}
	want := []household.Guardianship{
		{GuardianID: father.ID, ChildID: child.ID, Basis: household.BasisParentalAuthority, Rights: household.Rights, ValidFrom: day.AddDays(-100), ValidUntil: day.AddDays(-1)},
		{GuardianID: father.ID, ChildID: child.ID, Basis: household.BasisCourtOrder, Rights: []household.Right{household.RightSee}, Proof: "TJ 2026/123", ValidFrom: day},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guardianships (-want +got):\n%s", diff)
	}
	if !got[0].Holds(day.AddDays(-1)) || got[0].Holds(day) || !got[1].Holds(day) || got[1].Holds(day.AddDays(-1)) {
		t.Error("the days of the two guardianships do not meet")
	}
	wantProblem(t, s.Right(t.Context(), b.db, father.ID, child.ID, household.RightMedical, day), problem.KindForbidden, "household.right_missing")
	wantProblem(t, s.Right(t.Context(), b.db, father.ID, child.ID, household.RightPay, day.AddDays(60)), problem.KindForbidden, "household.right_missing")
	if err := s.Right(t.Context(), b.db, father.ID, child.ID, household.RightMedical, day.AddDays(-1)); err != nil {
		t.Errorf("the past was rewritten: %v", err)
	}
	entries, err := audit.List(t.Context(), b.db, "child", child.ID.String(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if before, _ := entries[0].Detail["before"].([]any); len(before) != 2 {
		t.Errorf("the audit keeps %d guardianships as they were, want 2", len(before))
	}

	if err := s.End(t.Context(), command, father.ID, child.ID, day); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.Right(t.Context(), b.db, father.ID, child.ID, household.RightSee, day.AddDays(1)), problem.KindNotFound, "household.child_not_found")
	wantProblem(t, s.End(t.Context(), command, father.ID, child.ID, day), problem.KindNotFound, "household.guardianship_not_found")
	if err := s.Right(t.Context(), b.db, mother.ID, child.ID, household.RightMedical, day.AddDays(60)); err != nil {
		t.Errorf("the mother lost a right with the father: %v", err)
	}
}

func TestGrantFaults(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	g := b.guardian(t, s, "anne@example.be")
	child := addChild(t, s, g.ID, leaForm())
	err := s.Grant(t.Context(), command, g.ID, child.ID, household.Grant{
		Basis: "made up", Rights: []household.Right{"fly"}, From: b.today(), Until: b.today().AddDays(-1),
	})
	wantFields(t, err, "basis=household.basis_unknown", "rights=household.right_unknown", "until=household.until_before_from")
	ok := household.Grant{Basis: household.BasisOther}
	wantProblem(t, s.Grant(t.Context(), command, uuid.New(), child.ID, ok), problem.KindNotFound, "household.child_not_found")
	wantProblem(t, s.Grant(t.Context(), command, g.ID, uuid.New(), ok), problem.KindNotFound, "household.child_not_found")
}

// TestTwoFamilies: a child of separated parents is in both households; who only acts for it is in none.
func TestTwoFamilies(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	mother, father, step := b.guardian(t, s, "anne@example.be"), b.guardian(t, s, "bert@example.be"), b.guardian(t, s, "carl@example.be")
	child := addChild(t, s, mother.ID, leaForm())
	for id, basis := range map[uuid.UUID]household.Basis{father.ID: household.BasisParentalAuthority, step.ID: household.BasisStepParent} {
		if err := s.Grant(t.Context(), command, id, child.ID, household.Grant{Basis: basis}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		household uuid.UUID
		want      int
	}{{mother.HouseholdID, 1}, {father.HouseholdID, 1}, {step.HouseholdID, 0}} {
		var got int
		err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM household_child WHERE household_id = $1 AND child_id = $2`, c.household, child.ID).Scan(&got)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("household %s has the child %d times, want %d", c.household, got, c.want)
		}
	}
}
