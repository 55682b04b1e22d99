package enrol_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// parents makes a child with two parents in a commune that asks for both, and a camp that decides as given.
func parents(t *testing.T, w *enroltest.World, decision string, maximum int) (mother, father enroltest.Family, c camp.Camp) {
	t.Helper()
	mother, father = w.Family(t, 1), w.Family(t, 0)
	err := w.Households.Grant(t.Context(), enroltest.Actor, father.Guardian.ID, mother.Children[0].ID, household.Grant{Basis: household.BasisParentalAuthority})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Households.SaveSettings(t.Context(), enroltest.Actor, "", true); err != nil {
		t.Fatal(err)
	}
	c = w.Camp(t, "Explorateurs", maximum)
	w.Settings(t, c.ID, func(s *camp.Settings) { s.Decision = decision })
	return mother, father, c
}

// TestConsent: a request that its camp would decide by itself waits for the other parent, once, and then goes on.
func TestConsent(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	mother, father, c := parents(t, w, camp.DecisionAutomatic, 2)
	stranger := w.Family(t, 0)
	r := w.Ask(t, mother, 0, c)
	if r.State != enrol.ToValidate {
		t.Fatalf("without the consent: %s, want to_validate", r.State)
	}
	want := []enrol.Agreement{{GuardianID: father.Guardian.ID}}
	got, err := w.Enrol.Consents(ctx, w.DB, r.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("consents (-want +got), %v:\n%s", err, diff)
	}
	if n := count(t, w, `SELECT count(*) FROM river_job WHERE kind = 'consent_asked' AND args ->> 'guardian_id' = $1 AND args ->> 'registration_id' = $2`,
		father.Guardian.ID.String(), r.ID.String()); n != 1 {
		t.Errorf("%d mails ask the father, want 1", n)
	}
	if err := w.Enrol.GiveConsent(ctx, stranger.Guardian.ID, stranger.Account, r.ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a stranger: %v, want not found", err)
	}
	if err := w.Enrol.GiveConsent(ctx, mother.Guardian.ID, mother.Account, r.ID); !problem.Is(err, problem.KindForbidden) {
		t.Errorf("who asked: %v, want forbidden", err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.ToValidate {
		t.Fatalf("after others tried: %s", got)
	}
	// Two clicks at once are one consent.
	var wait sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wait.Go(func() { errs[i] = w.Enrol.GiveConsent(ctx, father.Guardian.ID, father.Account, r.ID) })
	}
	wait.Wait()
	if errs[0] != nil || errs[1] != nil {
		t.Fatalf("consents: %v, %v", errs[0], errs[1])
	}
	if got := w.Read(t, r.ID).State; got != enrol.AwaitingPayment {
		t.Errorf("with the consent: %s, want awaiting_payment", got)
	}
	if n := count(t, w, `SELECT count(*) FROM registration_consent WHERE registration_id = $1 AND how = 'online' AND guardian_id = $2 AND account_id = $3`,
		r.ID, father.Guardian.ID, father.Account); n != 1 {
		t.Errorf("%d consents kept, want 1", n)
	}
	if n := count(t, w, `SELECT count(*) FROM audit WHERE action = 'registration.agreed' AND subject_id = $1`, r.ID.String()); n != 1 {
		t.Errorf("%d lines of audit, want 1", n)
	}
	if got, err = w.Enrol.Consents(ctx, w.DB, r.ID); err != nil || len(got) != 1 || !got[0].Given || !got[0].At.Equal(w.Now()) {
		t.Errorf("consents %v, %v", got, err)
	}
	// What staff take back waits for staff, not for the consent that is here.
	if err := w.Enrol.Restore(ctx, agent(t, w), r.ID, "à revoir"); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.GiveConsent(ctx, father.Guardian.ID, father.Account, r.ID); err != nil || w.Read(t, r.ID).State != enrol.ToValidate {
		t.Errorf("again: %v, %s", err, w.Read(t, r.ID).State)
	}
	invariants(t, w)
}

// TestConsentPassedOver: staff validate without the consent with a reason alone, and it is kept.
func TestConsentPassedOver(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	mother, father, c := parents(t, w, camp.DecisionManual, 2)
	r, desk := w.Ask(t, mother, 0, c), agent(t, w)
	rules := func() (all []string) {
		reasons, err := w.Enrol.Reasons(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range reasons {
			if reason.Bar {
				all = append(all, reason.Rule)
			}
		}
		return all
	}
	if diff := cmp.Diff([]string{"consent"}, rules()); diff != "" {
		t.Errorf("what staff read (-want +got):\n%s", diff)
	}
	if err := w.Enrol.Decide(ctx, desk, r.ID, true, " "); !problem.Is(err, problem.KindInvalid) || w.Read(t, r.ID).State != enrol.ToValidate {
		t.Fatalf("without a reason: %v, %s", err, w.Read(t, r.ID).State)
	}
	if err := w.Enrol.Decide(ctx, desk, r.ID, true, "Jugement reçu."); err != nil {
		t.Fatal(err)
	}
	if n := count(t, w, `SELECT count(*) FROM registration_override WHERE registration_id = $1 AND rule = 'consent' AND reason = 'Jugement reçu.' AND account_id = $2`, r.ID, desk); n != 1 {
		t.Errorf("%d overrides kept, want 1", n)
	}
	if missing, err := w.Enrol.Awaited(ctx, w.DB, r.ID); err != nil || len(missing) != 0 {
		t.Errorf("still awaited: %v, %v", missing, err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.AwaitingPayment {
		t.Errorf("validated: %s, want awaiting_payment", got)
	}
	// A consent does not wake what is over.
	if err := w.Enrol.Cancel(ctx, desk, r.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.GiveConsent(ctx, father.Guardian.ID, father.Account, r.ID); !problem.Is(err, problem.KindConflict) {
		t.Errorf("after the end: %v, want conflict", err)
	}
	invariants(t, w)
}

// TestConsentByHand: where staff decide, the consent alone validates nothing; nor does it an exception, nor what a new
// bar stands against.
func TestConsentByHand(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *enroltest.World, enrol.Registration){
		"manual": func(t *testing.T, w *enroltest.World, r enrol.Registration) {
			w.Settings(t, r.CampID, func(s *camp.Settings) {})
		},
		"exception": func(t *testing.T, w *enroltest.World, r enrol.Registration) {
			count(t, w, `UPDATE registration SET derogation = 'Son frère y va.' WHERE id = $1 RETURNING 1`, r.ID)
		},
		"barred": func(t *testing.T, w *enroltest.World, r enrol.Registration) {
			count(t, w, `UPDATE camp SET tag_levels = '{P6}' WHERE id = $1 RETURNING 1`, r.CampID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enroltest.New(t)
			mother, father, c := parents(t, w, camp.DecisionAutomatic, 2)
			r := w.Ask(t, mother, 0, c)
			change(t, w, r)
			if err := w.Enrol.GiveConsent(t.Context(), father.Guardian.ID, father.Account, r.ID); err != nil {
				t.Fatal(err)
			}
			if got := w.Read(t, r.ID).State; got != enrol.ToValidate {
				t.Errorf("%s, want to_validate", got)
			}
			invariants(t, w)
		})
	}
}

// TestConsentOnTheWaitingList: agreed while waiting, the place that is offered and taken goes on at once; not agreed,
// it waits.
func TestConsentOnTheWaitingList(t *testing.T) {
	t.Parallel()
	for agreed, want := range map[bool]enrol.State{true: enrol.AwaitingPayment, false: enrol.ToValidate} {
		w, ctx := enroltest.New(t), t.Context()
		mother, father, c := parents(t, w, camp.DecisionAutomatic, 1)
		first := w.Family(t, 1)
		taken := w.Ask(t, first, 0, c)
		r := w.Ask(t, mother, 0, c)
		if agreed {
			if err := w.Enrol.GiveConsent(ctx, father.Guardian.ID, father.Account, r.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Enrol.Withdraw(ctx, first.Guardian.ID, first.Account, taken.ID, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.Enrol.Answer(ctx, mother.Guardian.ID, mother.Account, r.ID, true); err != nil {
			t.Fatal(err)
		}
		if got := w.Read(t, r.ID).State; got != want {
			t.Errorf("agreed %t: %s, want %s", agreed, got, want)
		}
		invariants(t, w)
	}
}

// TestConsentOfSeveral: the last of them lets the request go on.
func TestConsentOfSeveral(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	mother, father, c := parents(t, w, camp.DecisionAutomatic, 1)
	third := w.Family(t, 0)
	err := w.Households.Grant(t.Context(), enroltest.Actor, third.Guardian.ID, mother.Children[0].ID, household.Grant{
		Basis: household.BasisParentalAuthority, From: civil.NewDate(2027, 1, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Enrol.Register(t.Context(), mother.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: mother.Children[0].ID, CampID: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	for i, who := range []enroltest.Family{father, third} {
		if err := w.Enrol.GiveConsent(t.Context(), who.Guardian.ID, who.Account, r.ID); err != nil {
			t.Fatal(err)
		}
		if got, want := w.Read(t, r.ID).State, []enrol.State{enrol.ToValidate, enrol.AwaitingPayment}[i]; got != want {
			t.Errorf("after %d: %s, want %s", i+1, got, want)
		}
	}
	invariants(t, w)
}
