package dunning_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/dunning"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// desk is a commune with one confirmed registration that owes 200 euros since today.
type desk struct {
	*enroltest.World
	dunning *dunning.Store
	due     ledger.Due
	actor   audit.Actor
}

func newDesk(t *testing.T, settings ...string) *desk {
	t.Helper()
	d := &desk{World: enroltest.New(t), actor: audit.Command("test")}
	d.dunning = dunning.New(d.DB, d.Now, d.Jobs)
	for i := 0; i < len(settings); i += 2 {
		if err := camp.SetSetting(t.Context(), d.DB, d.actor, settings[i], settings[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	f := d.Family(t, 1)
	r := d.Validate(t, f, d.Ask(t, f, 0, d.Camp(t, "Cirque", 5)))
	var err error
	if d.due, err = ledger.DueOf(t.Context(), d.DB, r.ID); err != nil {
		t.Fatal(err)
	}
	d.book(t, ledger.Payment, r.PriceCents, "bank")
	if _, err := d.DB.Exec(t.Context(), `UPDATE registration SET state = 'confirmed', due_at = NULL WHERE id = $1`, r.ID); err != nil {
		t.Fatal(err)
	}
	d.book(t, ledger.Charge, 200_00, "tariff")
	return d
}

func (d *desk) book(t *testing.T, kind ledger.Kind, cents civil.Cents, source string) {
	t.Helper()
	err := d.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
		_, err := ledger.Add(ctx, tx, d.due, ledger.Line{Kind: kind, Cents: cents, Label: "ledger.rest", Source: source, Actor: "test", At: d.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desk) decide(t *testing.T, s dunning.Step) int {
	t.Helper()
	n, err := d.dunning.Decide(t.Context(), d.actor, []dunning.Choice{{DueID: d.due.ID, Step: s}, {DueID: d.due.ID, Step: s}}) // twice: a double click
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (d *desk) last(t *testing.T) dunning.Record {
	t.Helper()
	list, err := d.dunning.OfDue(t.Context(), d.due.ID)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d steps, %v", len(list), err)
	}
	return list[len(list)-1]
}

const day = 24 * time.Hour

// TestLadder goes all the way: a free reminder with fourteen days, a notice with a capped fee and interest, recovery.
func TestLadder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "dunning.notice_fee", "100", "dunning.recovery_fee", "50", "dunning.interest", "20", "dunning.interest_most", "10")
	if n := d.decide(t, dunning.Reminder); n != 0 {
		t.Fatal("a reminder before anything is late")
	}
	d.Pass(13 * day) // seven days to pay, five to wait, and the day after
	if n := d.decide(t, dunning.Notice); n != 0 {
		t.Fatal("a notice before any reminder")
	}
	if n := d.decide(t, dunning.Reminder); n != 1 {
		t.Fatalf("%d reminders, want one", n)
	}
	r := d.last(t)
	today := civil.DateOf(d.Now(), civil.Brussels)
	if r.FeeCents != 0 || r.InterestCents != 0 || r.OwedCents != 200_00 || r.Way != dunning.ByMail || r.PayBy.Sub(today) != 15 {
		t.Fatalf("the reminder: %d + %d on %d, by %s until %v (today %v)", r.FeeCents, r.InterestCents, r.OwedCents, r.Way, r.PayBy, today)
	}
	d.Pass(15 * day)
	if n := d.decide(t, dunning.Notice); n != 0 {
		t.Fatal("a notice on the last day to pay")
	}
	d.Pass(8 * day)
	if n := d.decide(t, dunning.Notice); n != 1 {
		t.Fatal("no notice when its time has come")
	}
	// 30 euros and 10 % of the 50 above 150; 200 euros at 10 % for 23 days.
	if r = d.last(t); r.FeeCents != 35_00 || r.InterestCents != 1_26 || r.Content.Total != 236_26 {
		t.Errorf("the notice asks a fee of %d, interest of %d, %d in all", r.FeeCents, r.InterestCents, r.Content.Total)
	}
	b, err := ledger.BalanceOf(t.Context(), d.DB, d.due.ID, civil.DateOf(d.Now(), civil.Brussels))
	if err != nil || b.Owed() != 236_26 {
		t.Errorf("the ledger says %d is owed, %v", b.Owed(), err)
	}
	d.Pass(40 * day)
	if n := d.decide(t, dunning.Recovery); n != 1 {
		t.Fatal("no recovery when its time has come")
	}
	if r = d.last(t); r.FeeCents != 0 || r.OwedCents != 236_26 {
		t.Errorf("recovery asks %d more on %d: the caps are reached", r.FeeCents, r.OwedCents)
	}
	c, err := d.dunning.Case(t.Context(), d.DB, d.due.ID)
	if err != nil || c.Next != "" {
		t.Errorf("after recovery comes %q, %v", c.Next, err)
	}
	if _, err := d.DB.Exec(t.Context(), `UPDATE dunning_step SET fee_cents = 0`); err == nil {
		t.Error("a step was changed")
	}
	d.book(t, ledger.Payment, r.OwedCents+r.InterestCents, "bank")
	if _, err := d.dunning.Case(t.Context(), d.DB, d.due.ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("paid, it is still late: %v", err)
	}
}

func TestComplaintSuspends(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Pass(20 * day)
	key := uuid.New()
	for range 2 {
		if err := d.dunning.Complain(t.Context(), d.actor, d.due.ID, "Déjà payé au guichet.", key); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.decide(t, dunning.Reminder); n != 0 {
		t.Fatal("a reminder in spite of a complaint")
	}
	if _, err := d.dunning.Preview(t.Context(), dunning.Choice{DueID: d.due.ID, Step: dunning.Reminder}); !problem.Is(err, problem.KindConflict) {
		t.Errorf("the preview says %v", err)
	}
	list, err := d.dunning.Complaints(t.Context(), d.due.ID)
	if err != nil || len(list) != 1 || !list[0].Open() {
		t.Fatalf("%d complaints, %v", len(list), err)
	}
	if err := d.dunning.Answer(t.Context(), d.actor, list[0].ID, "", ""); !problem.Is(err, problem.KindInvalid) || len(problem.As(err).Fields) != 2 {
		t.Errorf("an empty answer gave %v", err)
	}
	var tasks int
	count := func() int {
		if err := d.DB.QueryRow(t.Context(), `SELECT count(*) FROM task WHERE kind = 'complaint' AND done_at IS NULL`).Scan(&tasks); err != nil {
			t.Fatal(err)
		}
		return tasks
	}
	if count() != 1 {
		t.Errorf("%d tasks, want one", tasks)
	}
	if err := d.dunning.Answer(t.Context(), d.actor, list[0].ID, dunning.Rejected, "Aucun paiement trouvé."); err != nil {
		t.Fatal(err)
	}
	if err := d.dunning.Answer(t.Context(), d.actor, list[0].ID, dunning.Upheld, "Si."); !problem.Is(err, problem.KindConflict) {
		t.Errorf("a second answer gave %v", err)
	}
	if count() != 0 {
		t.Errorf("%d tasks stay", tasks)
	}
	if n := d.decide(t, dunning.Reminder); n != 1 {
		t.Error("answered, no reminder")
	}
}

// TestAutomatic takes only what the commune lets go by itself.
func TestAutomatic(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][2]int{"none": {0, 0}, "reminder": {1, 0}, "notice": {1, 1}} {
		d := newDesk(t, "dunning.automatic", setting)
		for i, wait := range []time.Duration{20 * day, 40 * day} {
			d.Pass(wait)
			if n, err := d.dunning.Automatic(t.Context()); err != nil || n != want[i] {
				t.Errorf("%s, run %d: %d steps, %v; want %d", setting, i, n, err, want[i])
			}
		}
	}
}

// TestOnlyWhatIsOwedNow asks for the instalment that is late, not for the one to come.
func TestOnlyWhatIsOwedNow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	today := civil.DateOf(d.Now(), civil.Brussels)
	_, err := d.DB.Exec(t.Context(), `
		INSERT INTO instalment (due_id, position, due_on, cents)
		VALUES ($1, 0, $2, 5000), ($1, 1, $3, 15000)`, d.due.ID, today, today.AddDays(90))
	if err != nil {
		t.Fatal(err)
	}
	d.Pass(10 * day)
	if n := d.decide(t, dunning.Reminder); n != 1 {
		t.Fatal("no reminder of the first instalment")
	}
	if r := d.last(t); r.OwedCents != 50_00 {
		t.Errorf("the reminder asks %d, want the first instalment", r.OwedCents)
	}
	d.book(t, ledger.Payment, 50_00, "bank")
	d.Pass(60 * day)
	if _, err := d.dunning.Case(t.Context(), d.DB, d.due.ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("the second instalment is late before its day: %v", err)
	}
	d.Pass(30 * day)
	if n := d.decide(t, dunning.Reminder); n != 1 {
		t.Error("the second instalment does not begin with a reminder of its own")
	}
}

// TestFeesNeverAboveTheCaps tries any debt and any settings against the law's table.
func TestFeesNeverAboveTheCaps(t *testing.T) {
	t.Parallel()
	settings := map[string]string{}
	for key, v := range camp.SettingKeys {
		settings[key] = v
	}
	for owed, want := range map[civil.Cents]civil.Cents{0: 0, 1: 20_00, 150_00: 20_00, 150_10: 30_01, 500_00: 65_00, 500_20: 65_01, 100_000_00: 2000_00} {
		r, err := dunning.RulesOf(settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Caps.Cap(owed); got != want {
			t.Errorf("the cap on %d is %d, want %d", owed, got, want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		settings["dunning.notice_fee"] = civil.Cents(rapid.Int64Range(0, 500_000).Draw(r, "notice")).Euros()
		settings["dunning.recovery_fee"] = civil.Cents(rapid.Int64Range(0, 500_000).Draw(r, "recovery")).Euros()
		rules, err := dunning.RulesOf(settings)
		if err != nil {
			r.Fatal(err)
		}
		owed := civil.Cents(rapid.Int64Range(1, 2_000_000).Draw(r, "owed"))
		var before civil.Cents
		for _, s := range dunning.Steps {
			fee := rules.FeeFor(s, owed, before)
			if fee < 0 || s == dunning.Reminder && fee != 0 {
				r.Fatalf("%s costs %d", s, fee)
			}
			before += fee
		}
		if before > rules.Caps.Cap(owed) {
			r.Fatalf("%d of fees on %d", before, owed)
		}
	})
	settings["dunning.days"] = "13"
	settings["dunning.cap_150"] = "vingt"
	if _, err := dunning.RulesOf(settings); !problem.Is(err, problem.KindInvalid) || len(problem.As(err).Fields) != 2 {
		t.Errorf("thirteen days and no number gave %v", err)
	}
}
