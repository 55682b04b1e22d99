package notice

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
)

func TestSheetLadder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.Family(t, 1)
	b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
	b.only(t, "fiche-medicale")
	got := b.ladder(t, civil.NewDate(2027, 5, 30), civil.NewDate(2027, 7, 12))
	want := []string{"2027-06-05", "2027-06-12", "2027-06-19", "2027-06-26", "2027-07-03"} // 30 days before, every 7, 5 times
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
	if got := b.count(t, `SELECT count(*) FROM river_job WHERE kind = 'message_send'`); got != len(want) {
		t.Errorf("%d jobs for %d reminders", got, len(want))
	}
}

func TestLadderAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Ask(t, b.Family(t, 1), 0, b.Camp(t, "Nature", 10))
	b.only(t, "fiche-medicale")
	if err := b.SaveRule(t.Context(), enroltest.Actor, Rule{Code: "fiche-medicale", FirstDays: 10, EveryDays: 4, AtMost: 2, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	got := b.ladder(t, civil.NewDate(2027, 6, 20), civil.NewDate(2027, 7, 8))
	if diff := cmp.Diff([]string{"2027-06-25", "2027-06-29"}, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
}

func TestLateRegistrant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 10)
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 23), 9)
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, c)
	got, err := b.Due(t.Context(), b.now())
	if err != nil {
		t.Fatal(err)
	}
	want := []Due{{
		Rule: "fiche-medicale", Template: TriggerSheetStale, SlotDay: civil.NewDate(2027, 6, 19), SubjectID: f.Children[0].ID.String(),
		GuardianID: f.Guardian.ID, RegistrationID: r.ID, ChildID: f.Children[0].ID, CampID: c.ID, CampName: "Nature", LastDay: firstDay,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	for i, want := range []int{1, 0} {
		if n := b.enqueueDue(t); n != want {
			t.Errorf("run %d enqueued %d, want %d: only the last slot that went by", i, n, want)
		}
	}
	if due, err := b.Due(t.Context(), b.now()); err != nil || len(due) != 0 {
		t.Errorf("after the run %d are due, err %v", len(due), err)
	}
}

func TestSheetStops(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		stop func(t *testing.T, b *bundle, f enroltest.Family, id uuid.UUID)
	}{
		"camp begins": {func(_ *testing.T, b *bundle, _ enroltest.Family, _ uuid.UUID) { b.until(firstDay, 0) }},
		"camp cancelled": {func(t *testing.T, b *bundle, _ enroltest.Family, _ uuid.UUID) {
			b.sql(t, `UPDATE camp SET cancelled = true`)
		}},
		"confirmed": {func(t *testing.T, b *bundle, f enroltest.Family, _ uuid.UUID) { b.fresh(t, f, 0) }},
		"rights ended": {func(t *testing.T, b *bundle, f enroltest.Family, _ uuid.UUID) {
			last := civil.DateOf(b.now(), civil.Brussels).AddDays(-1)
			if err := b.Households.End(t.Context(), enroltest.Actor, f.Guardian.ID, f.Children[0].ID, last); err != nil {
				t.Fatal(err)
			}
		}},
		"rule off": {func(t *testing.T, b *bundle, _ enroltest.Family, _ uuid.UUID) {
			b.sql(t, `UPDATE reminder_rule SET enabled = false`)
		}},
		"withdrawn": {func(t *testing.T, b *bundle, f enroltest.Family, id uuid.UUID) {
			if _, err := b.Enrol.Withdraw(t.Context(), f.Guardian.ID, f.Account, id, ""); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			f := b.Family(t, 1)
			r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
			b.only(t, "fiche-medicale")
			b.until(civil.NewDate(2027, 6, 5), 9)
			if n := b.enqueueDue(t); n != 1 {
				t.Fatalf("%d reminders, want 1", n)
			}
			tt.stop(t, b, f, r.ID)
			if mails := b.send(t); len(mails) != 0 {
				t.Errorf("a reminder left that nobody wants: %q", mails[0].Subject)
			}
			if n := b.count(t, `SELECT count(*) FROM message WHERE dropped_at IS NOT NULL AND sent_at IS NULL`); n != 1 {
				t.Errorf("%d messages dropped, want 1", n)
			}
			if n := b.enqueueDue(t); n != 0 {
				t.Errorf("%d more were enqueued on the same day", n)
			}
			if name != "camp begins" {
				b.until(civil.NewDate(2027, 6, 12), 9)
			}
			if n := b.enqueueDue(t); n != 0 {
				t.Errorf("%d more were enqueued at the next slot", n)
			}
		})
	}
}

// TestOneMailPerChild: a child in two camps, of a mother and a father with the right, and a grandmother without it.
func TestOneMailPerChild(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, father, grandmother := b.Family(t, 1), b.Family(t, 0), b.Family(t, 0)
	b.join(t, father, f, 0, household.RightSee, household.RightMedical, household.RightMessages)
	b.join(t, grandmother, f, 0, household.RightSee, household.RightMessages)
	late := b.CampOn(t, "Cirque", 10, civil.NewDate(2027, 7, 12), civil.NewDate(2027, 7, 16))
	early := b.Camp(t, "Nature", 10)
	b.Ask(t, f, 0, late)
	b.Ask(t, f, 0, early)
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 19), 9)
	due, err := b.Due(t.Context(), b.now())
	if err != nil {
		t.Fatal(err)
	}
	got := map[uuid.UUID]string{}
	for _, d := range due {
		got[d.GuardianID] += d.CampName
	}
	want := map[uuid.UUID]string{f.Guardian.ID: "Nature", father.Guardian.ID: "Nature"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who is reminded of which camp (-want +got):\n%s", diff)
	}
}

func TestWaitingListIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 1)
	b.Ask(t, b.Family(t, 1), 0, c)
	b.Ask(t, b.Family(t, 1), 0, c) // no place
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 5), 9)
	if n := b.enqueueDue(t); n != 1 {
		t.Errorf("%d reminders, want 1: who waits for a place has nothing to prepare", n)
	}
}

func TestIntervalChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Ask(t, b.Family(t, 1), 0, b.Camp(t, "Nature", 10))
	b.only(t, "fiche-medicale")
	got := b.ladder(t, civil.NewDate(2027, 6, 1), civil.NewDate(2027, 6, 13)) // 5 and 12 June
	err := b.SaveRule(t.Context(), enroltest.Actor, Rule{Code: "fiche-medicale", FirstDays: 30, EveryDays: 5, AtMost: 6, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, b.ladder(t, civil.NewDate(2027, 6, 13), civil.NewDate(2027, 7, 8))...)
	// 10 June, a slot of the new ladder, lies before the mail of the 12th: it is not made up for.
	want := []string{"2027-06-05", "2027-06-12", "2027-06-15", "2027-06-20", "2027-06-25", "2027-06-30"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
}

func TestPaymentLadder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 10)
	slow, quick := b.Family(t, 1), b.Family(t, 1)
	b.Validate(t, slow, b.Ask(t, slow, 0, c)) // 4 May, to pay until 11 May at 20:00
	paid := b.Validate(t, quick, b.Ask(t, quick, 0, c))
	b.only(t, "paiement")
	b.pay(t, quick, paid)
	got := b.ladder(t, civil.NewDate(2027, 5, 4), civil.NewDate(2027, 5, 14))
	if diff := cmp.Diff([]string{"2027-05-08", "2027-05-10"}, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
}

func TestPaymentNotOnTheDayOfAsking(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 10)
	f := b.Family(t, 1)
	b.until(civil.NewDate(2027, 7, 2), 9)
	r := b.Validate(t, f, b.Ask(t, f, 0, c)) // to pay until 4 July, the day before the camp
	if got := civil.DateOf(*r.DueAt, civil.Brussels); got != firstDay.AddDays(-1) {
		t.Fatalf("due on %v", got)
	}
	b.only(t, "paiement")
	got := b.ladder(t, civil.NewDate(2027, 7, 2), civil.NewDate(2027, 7, 6))
	if diff := cmp.Diff([]string{"2027-07-03"}, got); diff != "" {
		t.Errorf("days on which a reminder left (-want +got):\n%s", diff)
	}
}

func TestRemindersSleepAtNight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Ask(t, b.Family(t, 1), 0, b.Camp(t, "Nature", 10))
	b.only(t, "fiche-medicale")
	day := civil.NewDate(2027, 6, 5)
	for _, tt := range []struct{ minutes, want int }{{0, 0}, {7*60 + 59, 0}, {8 * 60, 1}, {21 * 60, 1}} {
		if err := b.remindersDue(t.Context(), day.At(tt.minutes, civil.Brussels)); err != nil {
			t.Fatal(err)
		}
		if got := b.count(t, `SELECT count(*) FROM message`); got != tt.want {
			t.Errorf("%d minutes after midnight: %d messages, want %d", tt.minutes, got, tt.want)
		}
	}
}

// TestExactlyOnce lets eight processes compute the same reminders at once.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 0)
	const families = 12
	for range families {
		f := b.Family(t, 2)
		b.Ask(t, f, 0, c)
		b.Ask(t, f, 1, c)
	}
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 12), 9)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
	)
	for range 8 {
		wg.Go(func() {
			n, err := b.EnqueueDue(context.Background(), b.now())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	messages, jobs := b.count(t, `SELECT count(*) FROM message`), b.count(t, `SELECT count(DISTINCT args ->> 'message_id') FROM river_job WHERE kind = 'message_send'`)
	if total != 2*families || messages != 2*families || jobs != 2*families {
		t.Errorf("counted %d, messages %d, jobs %d; want %d of each", total, messages, jobs, 2*families)
	}
}

// TestHundreds computes the reminders of many families in one statement.
func TestHundreds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	camps := make([]uuid.UUID, 30)
	for i := range camps {
		camps[i] = b.Camp(t, fmt.Sprintf("Stage %d", i), 0).ID
	}
	b.sql(t, `INSERT INTO household (name) SELECT 'F' FROM generate_series(1, 400)`)
	b.sql(t, `INSERT INTO guardian (household_id, first_name, last_name, email) SELECT id, 'A', 'B', 'a@example.org' FROM household`)
	b.sql(t, `INSERT INTO child (first_name, last_name, birth_date, submission_key) SELECT 'C', 'D', '2018-01-01', gen_random_uuid() FROM generate_series(1, 400)`)
	b.sql(t, `
		INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		SELECT g.id, c.id, 'parental_authority', ARRAY['see', 'medical', 'messages'], '2020-01-01'
		FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM guardian) AS g
		JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM child) AS c USING (n)`)
	b.sql(t, `
		INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, price_cents, price_detail, created_at, updated_at)
		SELECT gen_random_uuid(), gs.child_id, ($1::uuid[])[1 + (row_number() OVER (ORDER BY gs.id)) % 30], gs.guardian_id, gs.guardian_id, gs.guardian_id,
		  'confirmed', now(), 0, '[]', now(), now()
		FROM guardianship AS gs`, camps)
	b.until(civil.NewDate(2027, 7, 3), 9)
	if n := b.enqueueDue(t); n != 800 { // a sheet and a coming camp for each
		t.Errorf("%d reminders, want 800", n)
	}
}
