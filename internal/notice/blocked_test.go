package notice

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/mail/maildrop"
)

// TestBlockedGuardianHearsNothing lets everything happen that a mail tells of, around a child one of whose fathers the
// judge has since kept away: he gets no mail that a stranger does not get, not of what he asked for and paid himself,
// nor of what already waited to be sent; and nobody's mail names him. The same without the block sends him every kind:
// otherwise this would prove nothing.
func TestBlockedGuardianHearsNothing(t *testing.T) {
	t.Parallel()
	free, blocked := hear(t, false), hear(t, true)
	if diff := cmp.Diff([]string{
		"camp_soon", "cancel_asked", "consent_asked", "credit_note", "invoice", "payment_due", "registration_awaiting_payment", "registration_bus_changed",
		"registration_cancelled", "registration_confirmed", "registration_declined", "registration_expired", "registration_offered",
		"registration_refused", "registration_to_validate", "registration_waitlisted", "registration_withdrawn", "sheet_stale",
	}, free.kinds); diff != "" {
		t.Errorf("kinds of mails to a father whom nobody blocks (-want +got):\n%s", diff)
	}
	if len(blocked.kinds) > 0 {
		t.Errorf("a blocked father is sent %v", blocked.kinds)
	}
	if diff := cmp.Diff(blocked.strangers, blocked.fathers); diff != "" {
		t.Errorf("his mails are not a stranger's (-stranger +blocked):\n%s", diff)
	}
	if len(blocked.strangers) != 1 {
		t.Errorf("a stranger who forgot the password gets %d mails, want 1", len(blocked.strangers))
	}
	for _, m := range slices.Concat(free.mothers, blocked.mothers) {
		for _, name := range []string{"Dujardin", "Marc"} {
			if strings.Contains(m, name) {
				t.Errorf("a mail to the mother names the father:\n%s", m)
			}
		}
	}
	if len(blocked.mothers) < 10 {
		t.Errorf("the mother got %d mails: too little happened", len(blocked.mothers))
	}
}

// heard is what three people were sent, and of which kinds the father's mails about the child were.
type heard struct {
	mothers, fathers, strangers []string
	kinds                       []string
}

// hear plays a summer around one child and returns the mails; block keeps the father away after his first requests.
func hear(t *testing.T, block bool) heard {
	t.Helper()
	b := setup(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mother, father, _ := b.Family(t, 1), b.Family(t, 0), b.Family(t, 0) // parent1, parent2, and a stranger
	rival := b.Family(t, 1)
	b.sql(t, `UPDATE guardian SET first_name = 'Marc', last_name = 'Dujardin' WHERE id = $1`, father.Guardian.ID)
	b.join(t, father, mother, 0)
	his := enroltest.Family{Account: father.Account, Guardian: father.Guardian, Children: mother.Children}
	week := 0
	newCamp := func(maximum int) camp.Camp {
		t.Helper()
		week++
		return b.CampOn(t, fmt.Sprint("Semaine ", week), maximum, civil.NewDate(2027, 7, 5+7*(week-1)), civil.NewDate(2027, 7, 9+7*(week-1)))
	}
	served := newCamp(10)
	line := b.Bus(t, served, 10)
	b.sql(t, `UPDATE bus_line SET cents = 0`)

	// What he asked for before the judge decided; the mails of it still wait.
	unpaid := b.Ask(t, his, 0, served)
	paid, refused, full := b.Ask(t, his, 0, newCamp(10)), b.Ask(t, his, 0, newCamp(10)), newCamp(1)
	b.Validate(t, his, paid)
	b.Validate(t, his, unpaid)
	taken := b.Ask(t, rival, 0, full)
	waits := b.Ask(t, his, 0, full)
	cancelled := b.Ask(t, his, 0, newCamp(10))
	b.happen(t)
	if block {
		_, err := b.Households.Block(ctx, enroltest.Actor, father.Guardian.ID, mother.Children[0].ID,
			household.BlockForm{Decision: "TJ 2027/4", Until: civil.NewDate(2028, 5, 3)})
		must(err)
	}
	must(b.Households.SaveSettings(ctx, enroltest.Actor, "", true)) // both parents agree from here on
	mails := b.send(t)
	then := func() { t.Helper(); b.happen(t); mails = append(mails, b.send(t)...) }

	b.pay(t, his, paid) // confirmed, with an invoice
	bus, err := b.Enrol.ChangeBus(ctx, mother.Guardian.ID, mother.Account, unpaid.ID, &line.Stops[0].ID, nil)
	must(err)
	hers := b.Ask(t, mother, 0, newCamp(10)) // he would be asked to agree
	then()
	must(b.Enrol.Decide(ctx, rival.Account, hers.ID, true, "l’autre parent ne répond pas"))
	must(b.Enrol.Decide(ctx, rival.Account, refused.ID, false, "complet"))
	must(b.Enrol.Cancel(ctx, rival.Account, taken.ID, "retiré")) // his wait becomes an offer
	gone, err := b.Enrol.Withdraw(ctx, mother.Guardian.ID, mother.Account, cancelled.ID, "")
	must(err)
	then()
	must(b.Enrol.Answer(ctx, mother.Guardian.ID, mother.Account, waits.ID, false))
	must(b.Enrol.Cancel(ctx, rival.Account, cancelled.ID, "décidé"))
	b.pay(t, mother, hers)
	back, err := b.Enrol.Withdraw(ctx, mother.Guardian.ID, mother.Account, b.Ask(t, mother, 0, newCamp(10)).ID, "")
	must(err)
	if !bus || gone || !back {
		t.Fatalf("the bus changed %v, what he pays was cancelled %v, her own request was taken back %v", bus, gone, back)
	}
	then()
	for day := civil.DateOf(b.now(), civil.Brussels); day.Before(civil.NewDate(2027, 7, 12)); day = day.AddDays(2) { // every reminder
		b.until(day, 10)
		b.enqueueDue(t)
		_, err := b.Enrol.Expire(ctx)
		must(err)
		then()
	}
	must(b.Enrol.Cancel(ctx, rival.Account, paid.ID, "annulé")) // a credit note for the invoice
	for _, n := range []int{2, 3} {
		must(b.Accounts.RequestReset(ctx, fmt.Sprintf("parent%d@example.org", n)))
	}
	then()
	v := heard{mothers: words(to(mails, 1)), fathers: words(to(mails, 2)), strangers: words(to(mails, 3))}
	rows, err := b.World.DB.Query(ctx, `
		SELECT DISTINCT template
		FROM message
		WHERE recipient = $1
		  AND sent_at IS NOT NULL
		ORDER BY template`, toGuardian(father.Guardian.ID))
	must(err)
	v.kinds, err = pgx.CollectRows(rows, pgx.RowTo[string])
	must(err)
	return v
}

// happen runs the jobs that wait, but those that send.
func (b *bundle) happen(t *testing.T) {
	t.Helper()
	b.tell(t)
	rows, err := b.World.DB.Query(t.Context(), `
		UPDATE river_job
		SET state = 'completed', finalized_at = now()
		WHERE kind IN ('consent_asked', 'cancel_asked', 'account_mail', 'credit_note_issued')
		  AND state = 'available'
		RETURNING kind, args`)
	if err != nil {
		t.Fatal(err)
	}
	type one struct {
		Kind string
		Args json.RawMessage
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[one])
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		var consent job.ConsentAsked
		var cancel job.CancelAsked
		var mail job.AccountMail
		var note job.CreditNoteIssued
		switch j.Kind {
		case consent.Kind():
			if err = json.Unmarshal(j.Args, &consent); err == nil {
				err = b.consentAsked(t.Context(), consent)
			}
		case cancel.Kind():
			if err = json.Unmarshal(j.Args, &cancel); err == nil {
				err = b.cancelAsked(t.Context(), cancel)
			}
		case note.Kind():
			if err = json.Unmarshal(j.Args, &note); err == nil {
				err = b.creditIssued(t.Context(), uuid.MustParse(note.CreditNoteID))
			}
		case mail.Kind():
			if err = json.Unmarshal(j.Args, &mail); err == nil {
				err = b.accountMail(t.Context(), mail.CodeID)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// whose matches what a mail holds of its recipient alone: the link with its code, and the address.
var whose = regexp.MustCompile(`code=[^\s"]+|parent\d@`)

// words returns the mails as they are read, without whose they are.
func words(mails []maildrop.Mail) []string {
	var all []string
	for _, m := range mails {
		all = append(all, whose.ReplaceAllString(m.Subject+"\n"+m.Text, "…"))
	}
	return all
}
