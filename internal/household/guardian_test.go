package household_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

func TestSaveGuardian(t *testing.T) {
	t.Parallel()

	t.Run("ChangesGrowTheVersion", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		account := b.account(t, "anne@example.be")
		_, err := s.ByAccount(t.Context(), account)
		wantProblem(t, err, problem.KindNotFound, "household.guardian_not_found")

		first, err := s.SaveGuardian(t.Context(), account, guardianForm())
		if err != nil {
			t.Fatal(err)
		}
		want := household.Guardian{
			ID: first.ID, HouseholdID: first.HouseholdID, AccountID: &account, Kind: "person", FirstName: "Anne", LastName: "Peeters",
			Email: "anne@example.be", Phone: "+32475123456", Street: "Rue de l’Église 3", Postcode: "7180", City: "Seneffe",
			Channel: "email", Version: 1,
		}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("guardian (-want +got):\n%s", diff)
		}

		same, err := s.SaveGuardian(t.Context(), account, guardianForm())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, same); diff != "" {
			t.Errorf("saved without a change (-want +got):\n%s", diff)
		}

		f := guardianForm()
		f.City, f.Postcode = "  Manage ", "7170"
		changed, err := s.SaveGuardian(t.Context(), account, f)
		if err != nil {
			t.Fatal(err)
		}
		want.City, want.Postcode, want.Version = "Manage", "7170", 2
		if diff := cmp.Diff(want, changed); diff != "" {
			t.Errorf("changed (-want +got):\n%s", diff)
		}
		got, err := s.ByAccount(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(changed, got); diff != "" {
			t.Errorf("read again (-want +got):\n%s", diff)
		}
		var pushes int
		if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'push_soon'`).Scan(&pushes); err != nil {
			t.Fatal(err)
		}
		if pushes != 1 {
			t.Errorf("got %d pushes to Odoo, want 1 for the one change", pushes)
		}
		entries, err := audit.List(t.Context(), b.db, "guardian", first.ID.String(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 2 || !cmp.Equal(entries[0].Detail["inputs"], []any{"postcode", "city"}) {
			t.Errorf("got audit %+v, want the names of the two inputs that changed", entries)
		}
	})

	t.Run("DoubleClick", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		account := b.account(t, "anne@example.be")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.SaveGuardian(t.Context(), account, guardianForm()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var households, guardians int
		if err := b.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM household), (SELECT count(*) FROM guardian)`).Scan(&households, &guardians); err != nil {
			t.Fatal(err)
		}
		if households != 1 || guardians != 1 {
			t.Errorf("got %d households and %d guardians, want one of each", households, guardians)
		}
	})

	t.Run("EveryFault", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		account := b.account(t, "anne@example.be")
		_, err := s.SaveGuardian(t.Context(), account, household.GuardianForm{
			FirstName: " ", LastName: strings.Repeat("x", household.MaxName+1), Email: "anne", Phone: "0475123456", Street: "a\x00b",
			Postcode: "718", Channel: "pigeon",
		})
		wantFields(t, err, "first_name=household.required", "last_name=household.too_long", "email=household.email_invalid",
			"phone=household.phone_invalid", "street=household.unreadable", "postcode=household.postcode_invalid",
			"city=household.required", "channel=household.channel_unknown")
		_, err = s.SaveGuardian(t.Context(), uuid.New(), guardianForm())
		wantProblem(t, err, problem.KindNotFound, "household.account_not_found")
	})
}

func TestValidPostcode(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"1000": true, "7180": true, "9992": true, "F-59300": true, "L-1234": true, "NL-1234 AB": true, "GB-SW1A 1AA": true,
		"": false, "0999": false, "9993": false, "718": false, "71800": false, "59300": false, "B-7180": false, "F-": false,
		"7180 ": false, "７１８０": false, "F-59300'; --": false,
	} {
		if got := household.ValidPostcode(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"anne@example.be": true, "anne.peeters+stage@mail.example.be": true,
		"anne": false, "anne@commune": false, "Anne <anne@example.be>": false, "anne@exämple.be": false,
		"anne@example.be\r\nBcc: x@example.be": false, strings.Repeat("a", 250) + "@example.be": false,
	} {
		if got := household.ValidEmail(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func TestPreset(t *testing.T) {
	t.Parallel()
	for _, b := range household.Bases {
		rights := household.Preset(b)
		if len(rights) == 0 || rights[0] != household.RightSee {
			t.Errorf("%s gives %v, want at least to see", b, rights)
		}
	}
	if got := household.Preset("made up"); got != nil {
		t.Errorf("an unknown basis gives %v", got)
	}
	want := []household.Right{household.RightSee, household.RightPay, household.RightPickUp, household.RightMessages}
	if diff := cmp.Diff(want, household.Preset(household.BasisStepParent)); diff != "" {
		t.Errorf("step-parent (-want +got):\n%s", diff)
	}
	// A caller that changes its copy changes no one else's.
	household.Preset(household.BasisParentalAuthority)[0] = "stolen"
	if diff := cmp.Diff(household.Rights, household.Preset(household.BasisParentalAuthority), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("parental authority (-want +got):\n%s", diff)
	}
}
