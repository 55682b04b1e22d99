package notice

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// paper enters a family as staff do by a list, and returns its guardian.
func (b *bundle) paper(t *testing.T, ref, email string) uuid.UUID {
	t.Helper()
	rows := []household.FamilyRow{{Ref: ref, FirstName: "Nadia", LastName: "Benali" + ref, Email: email, Street: "Rue A 1", Postcode: "7180", City: "Seneffe", Channel: "post"}}
	results, err := b.Households.ImportFamilies(t.Context(), enroltest.Actor, rows, false)
	if err != nil || results[0].Outcome != household.RowAdded {
		t.Fatalf("%+v (%v)", results, err)
	}
	return results[0].ID
}

// claimJobs runs the jobs that ask for mails with codes, as a worker would.
func (b *bundle) claimJobs(t *testing.T) {
	t.Helper()
	rows, err := b.World.DB.Query(t.Context(), `
		UPDATE river_job
		SET state = 'completed', finalized_at = now()
		WHERE kind = 'claim_mail'
		  AND state = 'available'
		RETURNING args`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range all {
		var args job.ClaimMail
		if err := json.Unmarshal(raw, &args); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a job may run again
			if err := b.claimMail(t.Context(), args); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var claimLink = regexp.MustCompile(`/activation\?lien=[^\s"<]+`)

// TestClaimMail: every family with an address is mailed its link once, whatever its channel; sent again it is the same
// link; nothing that opens it stands in the queue or the database; once the family has come, a mail that waits is
// dropped.
func TestClaimMail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nadia, without := b.paper(t, "1", "nadia@example.be"), b.paper(t, "2", "")
	for _, want := range []int{1, 0} { // pressed twice
		if n, err := b.Households.MailAllClaims(t.Context(), enroltest.Actor); err != nil || n != want {
			t.Fatalf("%d mails (%v), want %d", n, err, want)
		}
	}
	b.claimJobs(t)
	first := b.send(t)
	if len(first) != 1 || first[0].Subject != "Ouvrez l’accès de votre famille aux stages" {
		t.Fatalf("mails: %q", subjects(first))
	}
	link := claimLink.FindString(first[0].Text)
	if link == "" {
		t.Fatalf("the mail carries no link:\n%s", first[0].Text)
	}
	b.Pass(time.Hour)
	if n, err := b.Households.MailClaims(t.Context(), enroltest.Actor, []uuid.UUID{nadia, without}); err != nil || n != 1 {
		t.Fatalf("sending again: %d (%v)", n, err)
	}
	if n, err := b.Households.MailClaims(t.Context(), enroltest.Actor, []uuid.UUID{nadia}); err != nil || n != 0 {
		t.Fatalf("a double click: %d (%v)", n, err)
	}
	b.claimJobs(t)
	again := b.send(t)
	if len(again) != 1 || claimLink.FindString(again[0].Text) != link {
		t.Errorf("%d mails, the link changed to %q", len(again), claimLink.FindString(again[0].Text))
	}
	if n := b.count(t, `SELECT count(*) FROM audit WHERE action = 'code.mailed'`); n != 2 {
		t.Errorf("%d lines in the audit, want 2", n)
	}
	secret := link[len(link)-32:]
	if n := b.count(t, `SELECT (SELECT count(*) FROM river_job WHERE args::text LIKE $1) + (SELECT count(*) FROM message WHERE message::text LIKE $1)`, "%"+secret+"%"); n != 0 {
		t.Error("the link stands in the queue or beside the message")
	}

	b.Pass(time.Hour)
	if _, err := b.Households.MailClaims(t.Context(), enroltest.Actor, []uuid.UUID{nadia}); err != nil {
		t.Fatal(err)
	}
	b.claimJobs(t)
	token := link[len("/activation?lien="):]
	if _, err := b.Accounts.ActivateByLink(t.Context(), b.Households, token, "quatre chevaux bleus", "fr"); err != nil {
		t.Fatal(err)
	}
	if mails := b.send(t); len(mails) != 0 {
		t.Errorf("a family that has come is mailed %q", subjects(mails))
	}
	_, err := b.Accounts.ActivateByLink(t.Context(), b.Households, token, "quatre chevaux bleus", "fr")
	if !problem.Is(err, problem.KindGone) {
		t.Errorf("the link serves twice: %v", err)
	}
}

// TestClaimMailRefused: a mail that no server takes becomes a task, and the code a letter to print.
func TestClaimMailRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nadia := b.paper(t, "1", "nadia@example.be")
	if _, err := b.Households.MailClaims(t.Context(), enroltest.Actor, []uuid.UUID{nadia}); err != nil {
		t.Fatal(err)
	}
	b.claimJobs(t)
	b.drop.Script(maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 550})
	b.send(t)
	if n := b.count(t, `SELECT count(*) FROM task WHERE kind = $1 AND done_at IS NULL AND detail ->> 'guardian' = $2 AND detail ->> 'template' = 'family_claim'`,
		task.MailFailed, nadia.String()); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
}
