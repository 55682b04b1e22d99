package household_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

func TestAddChild(t *testing.T) {
	t.Parallel()

	t.Run("AsTheGuardianSeesIt", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		g := b.guardian(t, s, "anne@example.be")
		f := leaForm()
		f.NationalNumber, f.Level, f.Interests = "15.03.12-001.04", "P4", []string{"cirque", " Nature ", "CIRQUE", ""}
		c := addChild(t, s, g.ID, f)
		want := household.Child{
			ID: c.ID, FirstName: "Léa", LastName: "Peeters", BirthDate: civil.NewDate(2015, 3, 12), NationalNumber: "••.••.••-•••.04",
			Interests: []string{"cirque", "Nature"}, SchoolYear: 2025, Level: "P4", LevelSource: household.LevelDeclared,
			Basis: household.BasisParentalAuthority, Rights: household.Rights,
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("child (-want +got):\n%s", diff)
		}
		all, err := s.Children(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]household.Child{want}, all); diff != "" {
			t.Errorf("children (-want +got):\n%s", diff)
		}
		if found := dbtest.Find(t, b.db, "15031200104"); len(found) > 0 {
			t.Errorf("the national number stands readable in %v", found)
		}
		if len(dbtest.Find(t, b.db, "cirque")) == 0 {
			t.Error("the search does not even find an interest")
		}
	})

	t.Run("EveryFault", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		g := b.guardian(t, s, "anne@example.be")
		_, err := s.AddChild(t.Context(), g.ID, household.ChildForm{
			Key: uuid.New(), FirstName: "\x07", BirthDate: b.today().AddDays(1), NationalNumber: "15031200105", Level: "P7",
			Interests: []string{strings.Repeat("x", household.MaxInterestText+1)}, Basis: household.BasisStepParent,
		})
		wantFields(t, err, "first_name=household.unreadable", "last_name=household.required", "birth_date=household.birth_date_future",
			"national_number=household.national_number_invalid", "level=household.level_unknown", "interests=household.too_long",
			"basis=household.basis_alone")

		f := leaForm()
		f.BirthDate, f.NationalNumber = civil.NewDate(2015, 3, 13), "15031200104"
		_, err = s.AddChild(t.Context(), g.ID, f)
		wantFields(t, err, "national_number=household.national_number_other_date")
		f = leaForm()
		f.BirthDate = civil.NewDate(2004, 5, 11) // 22 today
		_, err = s.AddChild(t.Context(), g.ID, f)
		wantFields(t, err, "birth_date=household.birth_date_adult")
		f.BirthDate = civil.NewDate(2004, 5, 12) // 22 tomorrow
		if _, err = s.AddChild(t.Context(), g.ID, f); err != nil {
			t.Error(err)
		}

		f = leaForm()
		f.Key = uuid.Nil
		_, err = s.AddChild(t.Context(), g.ID, f)
		wantProblem(t, err, problem.KindInvalid, "household.key_missing")
		_, err = s.AddChild(t.Context(), uuid.New(), leaForm())
		wantProblem(t, err, problem.KindNotFound, "household.guardian_not_found")
	})

	t.Run("SameKey", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		g, stranger := b.guardian(t, s, "anne@example.be"), b.guardian(t, s, "bert@example.be")
		f := leaForm()
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids := make(map[uuid.UUID]bool)
		for range 6 {
			wg.Go(func() {
				c, err := s.AddChild(t.Context(), g.ID, f)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[c.ID] = true
			})
		}
		wg.Wait()
		if len(ids) != 1 {
			t.Errorf("got %d children, want 1", len(ids))
		}
		_, err := s.AddChild(t.Context(), stranger.ID, f)
		wantProblem(t, err, problem.KindNotFound, "household.child_not_found")
	})
}

func TestUpdateChild(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	g := b.guardian(t, s, "anne@example.be")
	f := leaForm()
	f.NationalNumber = "15031200104"
	c := addChild(t, s, g.ID, f)
	if c.Level != "P5" || c.LevelSource != household.LevelUsual {
		t.Errorf("got level %s (%s), want P5 by age", c.Level, c.LevelSource)
	}

	f = household.ChildForm{FirstName: "Léa", LastName: "Peeters-Dubois", BirthDate: c.BirthDate, Level: "P4", Interests: []string{"vélo"}}
	if err := s.UpdateChild(t.Context(), g.ID, c.ID, f); err != nil {
		t.Fatal(err)
	}
	got, err := s.Child(t.Context(), g.ID, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := c
	want.LastName, want.Level, want.LevelSource, want.Interests = "Peeters-Dubois", "P4", household.LevelDeclared, []string{"vélo"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed, with the number kept (-want +got):\n%s", diff)
	}

	f.ForgetNationalNumber = true
	if err := s.UpdateChild(t.Context(), g.ID, c.ID, f); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Child(t.Context(), g.ID, c.ID); err != nil || got.NationalNumber != "" {
		t.Errorf("got number %q and %v, want none", got.NationalNumber, err)
	}

	// What staff have verified stays, and nothing else of the form is saved beside it.
	if err := s.VerifyLevel(t.Context(), command, c.ID, seen("P5")); err != nil {
		t.Fatal(err)
	}
	f.FirstName = "Lea"
	wantFields(t, s.UpdateChild(t.Context(), g.ID, c.ID, f), "level=household.level_verified")
	if got, err = s.Child(t.Context(), g.ID, c.ID); err != nil || got.FirstName != "Léa" || got.Level != "P5" || got.LevelSource != household.LevelVerified {
		t.Errorf("got %+v and %v, want Léa, P5 verified", got, err)
	}
	wantFields(t, s.VerifyLevel(t.Context(), command, c.ID, seen("P7")), "level=household.level_unknown")
	wantFields(t, s.VerifyLevel(t.Context(), command, c.ID, household.LevelProof{SchoolYear: 2020, Level: "P5", SeenOn: civil.NewDate(2026, 5, 12)}),
		"school_year=household.school_year_far", "document=household.required", "seen_on=household.seen_later")
	wantProblem(t, s.VerifyLevel(t.Context(), command, uuid.New(), seen("P5")), problem.KindNotFound, "household.child_not_found")

	// The rights come before the form: its faults tell nothing to a stranger.
	stranger := b.guardian(t, s, "bert@example.be")
	wantProblem(t, s.UpdateChild(t.Context(), stranger.ID, c.ID, household.ChildForm{}), problem.KindNotFound, "household.child_not_found")
	if err := s.Grant(t.Context(), command, stranger.ID, c.ID, household.Grant{Basis: household.BasisStepParent}); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.UpdateChild(t.Context(), stranger.ID, c.ID, f), problem.KindForbidden, "household.right_missing")
}

func TestLevelIn(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	g := b.guardian(t, s, "anne@example.be")
	f := leaForm()
	f.Level = "P4"
	lea := addChild(t, s, g.ID, f)
	f = leaForm()
	f.FirstName, f.BirthDate = "Tom", civil.NewDate(2022, 8, 30)
	tom := addChild(t, s, g.ID, f)
	for _, c := range []struct {
		child uuid.UUID
		year  int
		want  string
	}{
		{lea.ID, 2025, "P4"},
		{lea.ID, 2026, "P5"},
		{lea.ID, 2028, "S1"},
		{lea.ID, 2024, "P3"},
		{tom.ID, 2024, ""},
		{tom.ID, 2025, "M1"},
		{tom.ID, 2026, "M2"},
		{uuid.New(), 2026, ""},
	} {
		got, err := household.LevelIn(t.Context(), b.db, c.child, c.year)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("child %s in %d: got %q, want %q", c.child, c.year, got, c.want)
		}
	}
	levels, err := household.LevelsIn(t.Context(), b.db, []uuid.UUID{lea.ID, tom.ID}, 2026)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[uuid.UUID]string{lea.ID: "P5", tom.ID: "M2"}, levels); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

// seen is a level of the school year 2025-2026 on a document of the day before the tests.
func seen(level string) household.LevelProof {
	return household.LevelProof{SchoolYear: 2025, Level: level, Document: "bulletin", SeenOn: civil.NewDate(2026, 5, 10)}
}
