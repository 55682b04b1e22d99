package enrol_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

func openTasks(t *testing.T, w *enroltest.World, kind string) int {
	t.Helper()
	return count(t, w, `SELECT count(*) FROM task WHERE kind = $1 AND done_at IS NULL`, kind)
}

func code(err error) string {
	p := problem.As(err)
	switch {
	case p == nil:
		return ""
	case len(p.Fields) > 0:
		return p.Fields[0].Name + " " + p.Fields[0].Code
	}
	return p.Code
}

// TestWriteOff: a rest is given up once, at most what is owed, and the registration is confirmed.
func TestWriteOff(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	f, c := w.Family(t, 1), w.Camp(t, "Nature", 10)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	d, err := ledger.DueOf(ctx, w.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.RecordPayment(ctx, clerk, d.ID, r.PriceCents-50, "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		cents  civil.Cents
		reason string
		want   string
	}{{0, "motif", "amount payment.amount_out_of_range"}, {51, "motif", "amount payment.write_off_too_much"}, {50, " ", "reason registration.reason_needed"}} {
		if got := code(w.Enrol.WriteOff(ctx, clerk, d.ID, bad.cents, bad.reason, uuid.New())); got != bad.want {
			t.Errorf("%d cents, %q: %q, want %q", bad.cents, bad.reason, got, bad.want)
		}
	}
	key := uuid.New()
	for range 2 {
		if err := w.Enrol.WriteOff(ctx, clerk, d.ID, 50, "moins d’un euro", key); err != nil {
			t.Fatal(err)
		}
	}
	b, err := ledger.BalanceOf(ctx, w.DB, d.ID, civil.DateOf(w.Now(), civil.Brussels))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.Confirmed || b.Owed() != 0 || b.WrittenOff != 50 {
		t.Errorf("state %s, owed %d, written off %d", got, b.Owed(), b.WrittenOff)
	}
	invariants(t, w)
}

// TestRegive: late money without a place waits for staff; once the place is free, they give it again, in one go.
func TestRegive(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	c := w.Camp(t, "Cirque", 1)
	f, other := w.Family(t, 1), w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	d, err := ledger.DueOf(ctx, w.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := code(w.Enrol.Regive(ctx, clerk, r.ID)); got != "registration.not_expired" {
		t.Errorf("a place that was never lost: %q", got)
	}
	w.Pass(8 * 24 * time.Hour)
	if n, err := w.Enrol.Expire(ctx); err != nil || n != 1 {
		t.Fatalf("expired %d, %v", n, err)
	}
	rival := w.Ask(t, other, 0, c)
	if err := w.Enrol.RecordPayment(ctx, clerk, d.ID, r.PriceCents, "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
	if n := openTasks(t, w, "late_money"); n != 1 {
		t.Fatalf("%d tasks of late money, want 1", n)
	}
	if got := code(w.Enrol.Regive(ctx, clerk, r.ID)); got != "registration.no_place_again" {
		t.Errorf("a place that another has: %q", got)
	}
	if err := w.Enrol.Cancel(ctx, clerk, rival.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.Regive(ctx, clerk, r.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.Confirmed || openTasks(t, w, "late_money")+openTasks(t, w, "refund_due") != 0 {
		t.Errorf("state %s, %d tasks", got, openTasks(t, w, "late_money"))
	}
	invariants(t, w)
}

// TestLateMoneyGoesBack: when staff give the money back instead, nothing is left to decide.
func TestLateMoneyGoesBack(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	c := w.Camp(t, "Cirque", 1)
	f := w.Family(t, 1)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	d, err := ledger.DueOf(ctx, w.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.Pass(8 * 24 * time.Hour)
	if _, err := w.Enrol.Expire(ctx); err != nil {
		t.Fatal(err)
	}
	w.Ask(t, w.Family(t, 1), 0, c)
	if err := w.Enrol.RecordPayment(ctx, clerk, d.ID, 6000, "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.Refund(ctx, clerk, enrol.RefundForm{Key: uuid.New(), DueID: d.ID, Cents: 6000, Reason: "plus de place"}); err != nil {
		t.Fatal(err)
	}
	if n := openTasks(t, w, "late_money") + openTasks(t, w, "refund_due"); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
}

// TestRetryRefund: a refund that the provider refused leaves again under another key, once.
func TestRetryRefund(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	f, c := w.Family(t, 1), w.Camp(t, "Nature", 10)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	a, err := w.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back)
	if err != nil {
		t.Fatal(err)
	}
	w.Provider.Set(*a.ProviderID, func(p *pay.Payment) { p.Status = pay.StatusPaid })
	if _, err := w.Enrol.CheckPayment(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.End(ctx, clerk, r.ID, enrol.Ending{Reason: "malade", Fee: 1000, GiveBack: true}); err != nil {
		t.Fatal(err)
	}
	all, err := ledger.RefundsOf(ctx, w.DB, r.ID)
	if err != nil || len(all) != 1 || all[0].Cents != r.PriceCents-1000 || all[0].Way != ledger.ByProvider {
		t.Fatalf("%+v, %v", all, err)
	}
	if got := code(w.Enrol.RetryRefund(ctx, clerk, all[0].ID)); got != "refund.not_failed" {
		t.Errorf("a refund that did not fail: %q", got)
	}
	if _, err := w.DB.Exec(ctx, `UPDATE refund SET state = 'failed', failure = 'refund.refused_rejected'`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DB.Exec(ctx, `INSERT INTO task (kind, subject_kind, subject_id, detail) VALUES ('refund_stuck', 'refund', $1, '{}')`, all[0].ID.String()); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.RetryRefund(ctx, clerk, all[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := code(w.Enrol.RetryRefund(ctx, clerk, all[0].ID)); got != "refund.not_failed" {
		t.Errorf("pressed twice: %q", got)
	}
	again, err := ledger.RefundsOf(ctx, w.DB, r.ID)
	if err != nil || len(again) != 2 {
		t.Fatalf("%d refunds, %v", len(again), err)
	}
	var states []string
	for _, o := range again {
		states = append(states, o.State)
	}
	slices.Sort(states)
	if diff := cmp.Diff([]string{"decided", "dropped"}, states); diff != "" || again[0].IdempotencyKey == again[1].IdempotencyKey || openTasks(t, w, "refund_stuck") != 0 {
		t.Errorf("states (-want +got):\n%s%d tasks", diff, openTasks(t, w, "refund_stuck"))
	}
	invariants(t, w)
}

// TestPlanSettlesWhatIsAskedNow: a plan that asks for money later ends the task of what was owed again; taken back, it
// asks at once, and the task is there again.
func TestPlanSettlesWhatIsAskedNow(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	f, c := w.Family(t, 1), w.Camp(t, "Nature", 10)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	d, err := ledger.DueOf(ctx, w.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	today := civil.DateOf(w.Now(), civil.Brussels)
	later := []ledger.Instalment{{DueOn: today.AddDays(10), Cents: r.PriceCents}}
	if err := w.Enrol.PlanDue(ctx, clerk, d.ID, later); err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.Confirmed {
		t.Fatalf("nothing is asked now, and it is %s", got)
	}
	if err := w.Enrol.PlanDue(ctx, clerk, d.ID, nil); err != nil {
		t.Fatal(err)
	}
	if n := openTasks(t, w, "owes_again"); n != 1 {
		t.Errorf("%d tasks once it is all asked now, want 1", n)
	}
	if err := w.Enrol.PlanDue(ctx, clerk, d.ID, later); err != nil {
		t.Fatal(err)
	}
	if n := openTasks(t, w, "owes_again"); n != 0 {
		t.Errorf("%d tasks while nothing is asked, want none", n)
	}
}

// TestEndLeavesNothingToSeeTo: what asked for a look at a registration is closed when it ends.
func TestEndLeavesNothingToSeeTo(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	clerk := agent(t, w)
	f, c := w.Family(t, 1), w.Camp(t, "Nature", 10)
	r := w.Validate(t, f, w.Ask(t, f, 0, c))
	for _, kind := range []string{task.PartPaid, task.OwesAgain, task.CancelAsked, task.SiblingLeft} {
		if err := task.Open(ctx, w.DB, kind, "registration", r.ID.String(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Enrol.Cancel(ctx, clerk, r.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, w, `SELECT count(*) FROM task WHERE subject_id = $1 AND done_at IS NULL`, r.ID.String()); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
}
