package notice

import (
	"strings"
	"testing"

	"ribambelle/internal/problem"
)

// TestCancelRefused: who asked and who pays read the reason, in words that name nobody; the registration stays, and a
// second answer finds none to give.
func TestCancelRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, father := b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	b.join(t, father, mother, 0)
	r := b.Ask(t, mother, 0, b.Camp(t, "Nature", 10))
	before := b.Read(t, r.ID).State
	b.tell(t)
	b.send(t)
	if done, err := b.Enrol.Withdraw(t.Context(), father.Guardian.ID, father.Account, r.ID, "des mots à lui"); err != nil || done {
		t.Fatalf("done %v, %v; want a request", done, err)
	}
	if err := b.Enrol.RefuseCancel(t.Context(), mother.Account, r.ID, " "); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a refusal without a reason: %v", err)
	}
	if err := b.Enrol.RefuseCancel(t.Context(), mother.Account, r.ID, "Le délai est passé."); err != nil {
		t.Fatal(err)
	}
	b.tell(t)
	mails := b.send(t)
	if len(mails) != 2 || len(to(mails, 1)) != 1 || len(to(mails, 2)) != 1 {
		t.Fatalf("mails: %q", subjects(mails))
	}
	for _, m := range mails {
		if !strings.HasPrefix(m.Subject, "Inscription maintenue") || !strings.Contains(m.Text, "Le délai est passé.") || strings.Contains(m.Text, "des mots à lui") {
			t.Errorf("%s\n%s", m.Subject, m.Text)
		}
	}
	if b.Read(t, r.ID).State != before || b.tasks(t, "cancel_asked") != 0 {
		t.Errorf("state %s, %d tasks", b.Read(t, r.ID).State, b.tasks(t, "cancel_asked"))
	}
	err := b.Enrol.RefuseCancel(t.Context(), mother.Account, r.ID, "encore")
	if p := problem.As(err); p == nil || p.Code != "registration.cancel_not_asked" {
		t.Errorf("a second answer: %v", err)
	}
}
