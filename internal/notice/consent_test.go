package notice

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/job"
)

// TestConsentIsAsked: the other parent is asked once, in its language, and is told nothing of who asked; once the
// consent is given, a mail that still waits is dropped.
func TestConsentIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, father := b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	b.join(t, father, f, 0)
	b.sql(t, `UPDATE account SET locale = 'nl' WHERE id = $1`, father.Account)
	if err := b.Households.SaveSettings(t.Context(), enroltest.Actor, "", true); err != nil {
		t.Fatal(err)
	}
	r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
	var ask job.ConsentAsked
	err := b.World.DB.QueryRow(t.Context(), `SELECT args ->> 'registration_id', args ->> 'guardian_id' FROM river_job WHERE kind = 'consent_asked'`).
		Scan(&ask.RegistrationID, &ask.GuardianID)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a job may run again
		if err := b.consentAsked(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
	}
	mails := b.send(t)
	if diff := cmp.Diff([]string{"Uw akkoord is nodig: Léaa, kamp ‘Nature’"}, subjects(to(mails, 2))); diff != "" {
		t.Fatalf("mails to the father (-want +got):\n%s", diff)
	}
	if len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
	text := mails[0].Text
	if !strings.Contains(text, pathRegistration(r.ID)) {
		t.Errorf("the mail leads nowhere:\n%s", text)
	}
	for _, secret := range []string{"Rue Haute", "475", "parent1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the mail tells %q", secret)
		}
	}
	again := b.Ask(t, f, 0, b.CampOn(t, "Cirque", 10, civil.NewDate(2027, 7, 12), civil.NewDate(2027, 7, 16)))
	ask.RegistrationID = again.ID.String()
	if err := b.consentAsked(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if err := b.Enrol.GiveConsent(t.Context(), father.Guardian.ID, father.Account, again.ID); err != nil {
		t.Fatal(err)
	}
	if late := b.send(t); len(late) != 0 {
		t.Errorf("asked again after the consent: %v", subjects(late))
	}
}
