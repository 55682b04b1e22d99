package notice

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/transfer"
)

// shared asks for a place that two parents pay, the second one a third of it.
func (b *bundle) shared(t *testing.T, c camp.Camp) (mother, father enroltest.Family, r enrol.Registration) {
	t.Helper()
	mother, father = b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	b.join(t, father, mother, 0, household.RightSee, household.RightPay)
	r = b.Ask(t, mother, 0, c)
	err := b.Enrol.AddShare(t.Context(), mother.Account, r.ID, enrol.PartForm{PayerID: father.Guardian.ID, Cents: 2000})
	if err != nil {
		t.Fatal(err)
	}
	return mother, father, r
}

// due returns what a family owes for a registration, and its communication as it is written.
func (b *bundle) due(t *testing.T, r enrol.Registration, f enroltest.Family) (ledger.Due, string) {
	t.Helper()
	d, err := ledger.DueFor(t.Context(), b.World.DB, r.ID, f.Guardian.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d, transfer.Communication(d.Communication).String()
}

// TestEachPayerIsAsked: two payers, two amounts, two communications, and neither reads the other's.
func TestEachPayerIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, father, r := b.shared(t, b.Camp(t, "Nature", 10))
	b.tell(t)
	b.send(t)
	b.Validate(t, mother, r)
	b.tell(t)
	mails := b.send(t)
	_, hers := b.due(t, r, mother)
	_, his := b.due(t, r, father)
	for i, tt := range []struct{ amount, own, other string }{{"40,00", hers, his}, {"20,00", his, hers}} {
		got := to(mails, i+1)
		if len(got) != 1 {
			t.Fatalf("parent %d has %d mails of %q", i+1, len(got), subjects(mails))
		}
		text := got[0].Text
		if !strings.Contains(text, tt.amount) || !strings.Contains(text, tt.own) || strings.Contains(text, tt.other) || strings.Contains(text, "60,00") {
			t.Errorf("parent %d reads\n%s", i+1, text)
		}
	}
}

// TestLaterPayerIsAsked: who is given a part after the family was asked gets an own mail, once.
func TestLaterPayerIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, father := b.Family(t, 1), b.Family(t, 0)
	b.join(t, father, mother, 0, household.RightSee, household.RightPay)
	r := b.Validate(t, mother, b.Ask(t, mother, 0, b.Camp(t, "Nature", 10)))
	b.tell(t)
	b.send(t)
	if err := b.Enrol.AddShare(t.Context(), mother.Account, r.ID, enrol.PartForm{PayerID: father.Guardian.ID, Share: 2500}); err != nil {
		t.Fatal(err)
	}
	b.tell(t)
	b.sql(t, `UPDATE river_job SET state = 'available', finalized_at = NULL WHERE kind = 'payment_asked'`)
	b.tell(t)
	mails := b.send(t)
	_, his := b.due(t, r, father)
	if len(mails) != 1 || len(to(mails, 2)) != 1 || !strings.HasPrefix(mails[0].Subject, "Votre part à payer") ||
		!strings.Contains(mails[0].Text, "15,00") || !strings.Contains(mails[0].Text, his) {
		t.Errorf("mails: %q\n%s", subjects(mails), mails[0].Text)
	}
}

// TestReminderPerPayer: each payer is reminded of the own part while it is not paid, the other is left alone.
func TestReminderPerPayer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, father, r := b.shared(t, b.Camp(t, "Nature", 10))
	b.Validate(t, mother, r) // 4 May, to pay until 11 May
	b.tell(t)
	b.send(t)
	b.only(t, "paiement")
	b.until(civil.NewDate(2027, 5, 8), 9)
	for i, want := range []int{2, 0} {
		if n := b.enqueueDue(t); n != want {
			t.Errorf("run %d enqueued %d, want %d", i, n, want)
		}
	}
	mails := b.send(t)
	if len(to(mails, 1)) != 1 || len(to(mails, 2)) != 1 || !strings.Contains(to(mails, 1)[0].Text, "40,00") || !strings.Contains(to(mails, 2)[0].Text, "20,00") {
		t.Fatalf("mails: %q", subjects(mails))
	}
	d, _ := b.due(t, r, father)
	if err := b.Enrol.RecordPayment(t.Context(), mother.Account, d.ID, 2000, "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
	b.until(civil.NewDate(2027, 5, 10), 9)
	if n := b.enqueueDue(t); n != 1 {
		t.Errorf("%d reminders once the father paid, want the mother's", n)
	}
	if mails := b.send(t); len(mails) != 1 || len(to(mails, 1)) != 1 {
		t.Errorf("mails: %q", subjects(mails))
	}
}

// TestInstalmentLadder: a place that is certain by its deposit is reminded of the rest before its day, with what is then
// to be paid; nobody who paid is.
func TestInstalmentLadder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 10)
	b.sql(t, `UPDATE camp SET deposit_percent = 30, rest_days = 30`) // 18,00 € now, 42,00 € by 5 June
	slow, quick := b.Family(t, 1), b.Family(t, 1)
	for i, f := range []enroltest.Family{slow, quick} {
		r := b.Validate(t, f, b.Ask(t, f, 0, c))
		b.tell(t)
		if i == 0 {
			if mails := b.send(t); !strings.Contains(mails[len(mails)-1].Text, "18,00") || !strings.Contains(mails[len(mails)-1].Text, "42,00\u00a0€, au plus tard le samedi 5 juin 2027") {
				t.Errorf("the family is asked by\n%s", mails[len(mails)-1].Text)
			}
		}
		d, _ := b.due(t, r, f)
		cents := []civil.Cents{1800, 6000}[i]
		if err := b.Enrol.RecordPayment(t.Context(), f.Account, d.ID, cents, "bank", uuid.New()); err != nil {
			t.Fatal(err)
		}
		if got := b.Read(t, r.ID).State; got != enrol.Confirmed {
			t.Fatalf("the registration is %s", got)
		}
	}
	b.tell(t)
	b.send(t)
	b.only(t, "paiement")
	got := b.ladder(t, civil.NewDate(2027, 5, 4), civil.NewDate(2027, 6, 10))
	if diff := cmp.Diff([]string{"2027-06-02", "2027-06-04"}, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
	b.Rewind()
	b.until(civil.NewDate(2027, 6, 2), 9)
	mails := b.send(t)
	if len(mails) != 2 || !strings.HasPrefix(mails[0].Subject, "Échéance du samedi 5 juin 2027") || !strings.Contains(mails[0].Text, "42,00") {
		t.Errorf("mails: %q\n%s", subjects(mails), mails[0].Text)
	}
}

// TestRefundMails: a cancelled camp lets its payer choose; the transfer is announced with a hidden account, and each of it
// once. Who does not pay reads nothing of it.
func TestRefundMails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, grandmother := b.Family(t, 1), b.Family(t, 0)
	b.join(t, grandmother, f, 0, household.RightSee, household.RightMessages)
	c := b.Camp(t, "Nature", 10)
	r := b.Validate(t, f, b.Ask(t, f, 0, c))
	b.pay(t, f, r)
	b.tell(t)
	b.send(t)
	if _, err := b.Enrol.CancelCamp(t.Context(), f.Account, c.ID, uuid.New(), "Pas assez d’animateurs"); err != nil {
		t.Fatal(err)
	}
	b.tell(t)
	mails := b.send(t)
	var id uuid.UUID
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM refund`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range mails {
		if strings.Contains(m.Subject, "à vous de choisir") {
			found++
			if len(to(mails, 1)) != 2 || !strings.Contains(m.Text, "60,00") || !strings.Contains(m.Text, "/mon-espace/remboursements/"+id.String()) || !strings.Contains(m.Text, "Pas assez d’animateurs") {
				t.Errorf("the choice reads\n%s", m.Text)
			}
		}
	}
	if found != 1 || len(to(mails, 2)) != 1 || strings.Contains(to(mails, 2)[0].Text, "60,00") {
		t.Errorf("%d choices in %q", found, subjects(mails))
	}
	if err := b.Enrol.TakeMoney(t.Context(), f.Guardian.ID, f.Account, id, "BE68 5390 0754 7034"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a job that runs twice writes once
		b.sql(t, `UPDATE river_job SET state = 'available', finalized_at = NULL WHERE kind = 'refund_changed'`)
		b.tell(t)
	}
	mails = b.send(t)
	if len(mails) != 1 || !strings.HasPrefix(mails[0].Subject, "Remboursement décidé") || !strings.Contains(mails[0].Text, "BE68 •••• 7034") || strings.Contains(mails[0].Text, "0754") {
		t.Errorf("mails: %q", subjects(mails))
	}
}

// TestSessionsCancelledMail: every family hears which days fall away and why, whatever it pays; the price is the payer's,
// and nobody reads of another bus.
func TestSessionsCancelledMail(t *testing.T) {
	t.Parallel()
	for name, cents := range map[string]int{"paid": 6000, "free": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			f, grandmother := b.Family(t, 1), b.Family(t, 0)
			b.join(t, grandmother, f, 0, household.RightSee, household.RightMessages)
			c := b.Camp(t, "Nature", 10)
			b.sql(t, `UPDATE camp SET price_cents = $1`, cents)
			r := b.Validate(t, f, b.Ask(t, f, 0, c))
			if cents > 0 {
				b.pay(t, f, r)
			}
			b.tell(t)
			b.send(t)
			var session uuid.UUID
			if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM camp_session WHERE camp_id = $1 AND day = '2027-07-07'`, c.ID).Scan(&session); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Enrol.CancelSessions(t.Context(), f.Account, c.ID, uuid.New(), []uuid.UUID{session}, "Alerte aux orages"); err != nil {
				t.Fatal(err)
			}
			b.tell(t)
			mails := b.send(t)
			for parent := 1; parent <= 2; parent++ {
				n := 0
				for _, m := range to(mails, parent) {
					if strings.HasPrefix(m.Subject, "Bus") {
						t.Errorf("parent %d reads %q", parent, m.Subject)
					}
					if !strings.HasPrefix(m.Subject, "Jours annulés") {
						continue
					}
					n++
					if !strings.Contains(m.Text, "mercredi 7 juillet 2027") || !strings.Contains(m.Text, "Alerte aux orages") || strings.Contains(m.Text, "Le prix diminue") != (parent == 1) {
						t.Errorf("parent %d reads\n%s", parent, m.Text)
					}
				}
				if n != 1 {
					t.Errorf("parent %d has %d mails of the cancelled day: %q", parent, n, subjects(mails))
				}
			}
		})
	}
}
