package notice

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/job"
)

// TestPayerHearsOfACancellation: the payer is told once that another guardian asked to cancel, not in whose words; a
// request of its own makes no mail, and one that was decided meanwhile is dropped.
func TestPayerHearsOfACancellation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, father := b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	b.join(t, father, mother, 0)
	r := b.Ask(t, mother, 0, b.Camp(t, "Nature", 10))
	asked := func() (all []job.CancelAsked) {
		t.Helper()
		var raw []byte
		if err := b.World.DB.QueryRow(t.Context(), `SELECT COALESCE(json_agg(args ORDER BY id), '[]') FROM river_job WHERE kind = 'cancel_asked'`).Scan(&raw); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	done, err := b.Enrol.Withdraw(t.Context(), father.Guardian.ID, father.Account, r.ID, "des mots à lui")
	if err != nil || done {
		t.Fatalf("the other parent's cancellation: done %v, %v; want a request", done, err)
	}
	jobs := asked()
	if len(jobs) != 1 {
		t.Fatalf("%d jobs, want one for the payer", len(jobs))
	}
	for range 2 { // a job may run again
		if err := b.cancelAsked(t.Context(), jobs[0]); err != nil {
			t.Fatal(err)
		}
	}
	mails := b.send(t)
	if diff := cmp.Diff([]string{"Annulation demandée : Léaa, stage « Nature »"}, subjects(to(mails, 1))); diff != "" {
		t.Fatalf("mails to the payer (-want +got):\n%s", diff)
	}
	if len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
	for _, secret := range []string{"des mots à lui", "parent2"} {
		if strings.Contains(mails[0].Text, secret) {
			t.Errorf("the mail tells %q", secret)
		}
	}
	late := job.CancelAsked{RegistrationID: jobs[0].RegistrationID, At: jobs[0].At.Add(time.Hour)}
	if err := b.cancelAsked(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if err := b.Enrol.Cancel(t.Context(), mother.Account, r.ID, "décidé"); err != nil {
		t.Fatal(err)
	}
	if again := b.send(t); len(again) != 0 {
		t.Errorf("told after the decision: %v", subjects(again))
	}
	own := b.Ask(t, mother, 0, b.Camp(t, "Cirque", 10))
	if done, err := b.Enrol.Withdraw(t.Context(), mother.Guardian.ID, mother.Account, own.ID, ""); err != nil || !done {
		t.Fatalf("the payer's own cancellation: done %v, %v", done, err)
	}
	if n := len(asked()); n != 1 {
		t.Errorf("%d jobs after the payer's own cancellation, want 1", n)
	}
}
