package bank_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/bank"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
)

// online pays a due through the provider.
func (w *world) online(t *testing.T, f interface{ payer() uuid.UUID }, o owing) {
	t.Helper()
	ctx := context.Background()
	a, err := w.Enrol.StartPayment(ctx, f.payer(), []uuid.UUID{o.id}, "bancontact", func(uuid.UUID) string { return "https://portal.example/" })
	if err != nil {
		t.Fatal(err)
	}
	w.Provider.Pay(*a.ProviderID)
	if _, err := w.Enrol.CheckPayment(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
}

// payer is a guardian's id.
type payer uuid.UUID

func (p payer) payer() uuid.UUID { return uuid.UUID(p) }

// TestPayout matches a provider's payout to its payments, with the costs that a person confirms, and takes it back.
func TestPayout(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	c := w.Camp(t, "Stage", 0)
	for range 3 {
		f := w.Family(t, 1)
		w.online(t, payer(f.Guardian.ID), w.owes(t, f, 0, c.ID))
		w.Pass(time.Hour)
	}
	sums, err := w.bank.Providers(ctx)
	if err != nil || len(sums) != 1 || sums[0].Gross != 18000 || sums[0].Provider != "test" {
		t.Fatalf("kept by providers %+v, %v", sums, err)
	}
	got := w.bring(t, coda(1, moved{cents: 11922, free: "settlement 1", name: "MOLLIE PAYMENTS"}))
	if counts(got) != [5]int{1, 0, 0, 1, 0} {
		t.Fatalf("a payout: %v, want it queued", counts(got))
	}
	queue, err := w.bank.Queue(ctx, 10)
	if err != nil || len(queue) != 1 || !queue[0].Payout || queue[0].Reason != "bank.reason.payout_to_match" {
		t.Fatalf("queue %+v, %v", queue, err)
	}
	lines, err := w.bank.Unpaid(ctx, w.DB, "test")
	if err != nil || len(lines) != 3 {
		t.Fatal(lines, err)
	}
	p := bank.Propose(lines, 11922, civil.Date{})
	if len(p.Lines) != 2 || p.Costs != 78 || p.Lines[0] != lines[0].LineID {
		t.Fatalf("proposed %+v", p)
	}
	entry := queue[0].ID
	for name, v := range map[string]struct {
		order bank.PayoutOrder
		want  string
	}{
		"no line":          {bank.PayoutOrder{Provider: "test"}, "line bank.payout_lines_needed"},
		"other costs":      {bank.PayoutOrder{Provider: "test", Lines: p.Lines, Costs: 77}, "costs bank.payout_costs_differ"},
		"more than it has": {bank.PayoutOrder{Provider: "test", Lines: p.Lines[:1], Costs: -5922}, "note bank.payout_note_needed"},
		"another provider": {bank.PayoutOrder{Provider: "mollie", Lines: p.Lines, Costs: 78}, "bank.payout_paid_before"},
	} {
		if err := w.bank.MatchPayout(ctx, actor, entry, v.order); fault(err) != v.want {
			t.Errorf("%s: %v, want %s", name, err, v.want)
		}
	}
	order := bank.PayoutOrder{Provider: "test", Lines: p.Lines, Costs: 78}
	if err := w.bank.MatchPayout(ctx, actor, entry, order); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.MatchPayout(ctx, actor, entry, order); fault(err) != "bank.not_waiting" {
		t.Errorf("matched twice: %v", err)
	}
	// The third payment is still to come; the two others are paid out once.
	w.bring(t, coda(2, moved{cents: 12000, free: "settlement 2", name: "MOLLIE PAYMENTS"}))
	queue, _ = w.bank.Queue(ctx, 10)
	if err := w.bank.MatchPayout(ctx, actor, queue[0].ID, bank.PayoutOrder{Provider: "test", Lines: p.Lines}); fault(err) != "bank.payout_paid_before" {
		t.Errorf("paid out twice: %v", err)
	}
	if lines, err = w.bank.Unpaid(ctx, w.DB, "test"); err != nil || len(lines) != 1 {
		t.Errorf("still kept: %+v, %v", lines, err)
	}
	all, err := w.bank.Payouts(ctx, 10)
	if err != nil || len(all) != 1 || all[0].Gross != 12000 || all[0].Costs != 78 || all[0].Cents != 11922 || all[0].Lines != 2 {
		t.Errorf("payouts %+v, %v", all, err)
	}
	one, paid, err := w.bank.ReadPayout(ctx, all[0].ID)
	if err != nil || len(paid) != 2 || one.ID != all[0].ID {
		t.Errorf("payout %+v of %d lines, %v", one, len(paid), err)
	}
	for _, sql := range []string{`UPDATE payout SET cost_cents = 0`, `DELETE FROM payout_line`, `UPDATE payout_line SET line_id = gen_random_uuid()`} {
		if _, err := w.DB.Exec(ctx, sql); err == nil {
			t.Errorf("%s is let through", sql)
		}
	}
	if err := w.bank.Undo(ctx, actor, entry); err != nil {
		t.Fatal(err)
	}
	if lines, err = w.bank.Unpaid(ctx, w.DB, "test"); err != nil || len(lines) != 3 {
		t.Errorf("after the undoing %d are kept, %v", len(lines), err)
	}
	if all, _ = w.bank.Payouts(ctx, 10); len(all) != 0 {
		t.Errorf("payouts after the undoing: %+v", all)
	}
	if err := w.bank.MatchPayout(ctx, actor, entry, order); err != nil {
		t.Errorf("matched again after the undoing: %v", err)
	}
	w.holds(t)
}

// TestPropose finds the set whenever a payout is the oldest lines less likely costs, whatever came after.
func TestPropose(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 5, 1, 12, 0, 0, 0, civil.Brussels)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(r, "lines")
		paid := rapid.IntRange(1, n).Draw(r, "paid out")
		var lines []bank.ProviderLine
		var net civil.Cents
		for i := range n {
			l := bank.ProviderLine{LineID: uuid.New(), Kind: ledger.Payment, Cents: civil.Cents(rapid.IntRange(2000, 20000).Draw(r, "cents")), At: at.Add(time.Duration(i) * time.Hour)}
			if i > 0 && rapid.IntRange(0, 9).Draw(r, "back") == 0 {
				l.Kind, l.Cents = ledger.Refund, 1000
			}
			lines = append(lines, l)
			if i < paid {
				net += l.Signed()
			}
		}
		costs := civil.Cents(rapid.IntRange(0, 39).Draw(r, "costs"))
		p := bank.Propose(lines, net-costs, civil.Date{})
		var sum civil.Cents
		for i, id := range p.Lines {
			if id != lines[i].LineID {
				r.Fatalf("line %d of the proposal is not among the oldest", i)
			}
			sum += lines[i].Signed()
		}
		// A later refund may bring another prefix just as near: then the costs are smaller, never larger.
		if sum-p.Costs != net-costs || p.Costs > costs || len(p.Lines) == 0 {
			r.Fatalf("proposed %d lines of %v less %v, want %d less %v", len(p.Lines), sum, p.Costs, paid, costs)
		}
	})
	day := civil.NewDate(2027, 5, 1)
	late := []bank.ProviderLine{{LineID: uuid.New(), Kind: ledger.Payment, Cents: 6000, At: at.AddDate(0, 0, 1)}}
	if diff := cmp.Diff(bank.Proposal{}, bank.Propose(late, 6000, day)); diff != "" {
		t.Errorf("a payment of the next day was paid out (-want +got):\n%s", diff)
	}
}

// TestDeposit matches what the cash desk brought, once.
func TestDeposit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	var agent, deposit uuid.UUID
	if err := w.DB.QueryRow(ctx, `INSERT INTO account (email, password_hash, name, roles, created_at) VALUES ('a@example.test', 'x', 'Anne', '{agent}', now()) RETURNING id`).Scan(&agent); err != nil {
		t.Fatal(err)
	}
	err := w.DB.QueryRow(ctx, `
		INSERT INTO cash_deposit (cents, on_day, reference, deposited_by, deposited_at, submission_key)
		VALUES (12345, '2027-05-03', 'SAC 7', $1, now(), gen_random_uuid())
		RETURNING id`, agent).Scan(&deposit)
	if err != nil {
		t.Fatal(err)
	}
	w.bring(t, coda(1, moved{cents: 12345, free: "versement sac 7", name: ""}, moved{cents: 12345, free: "autre", name: "X"}, moved{cents: 777, name: "Y"}))
	queue, err := w.bank.Queue(ctx, 10)
	if err != nil || len(queue) != 3 || len(queue[0].Others) != 1 || !queue[0].Others[0].Same || len(queue[1].Others) != 1 || queue[1].Others[0].Same {
		t.Fatalf("queue %+v, %v", queue, err)
	}
	if err := w.bank.MatchDeposit(ctx, actor, queue[2].ID, deposit); fault(err) != "bank.not_this_deposit" {
		t.Errorf("another amount: %v", err)
	}
	if err := w.bank.MatchDeposit(ctx, actor, queue[0].ID, deposit); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.MatchDeposit(ctx, actor, queue[1].ID, deposit); fault(err) != "bank.deposit_known" {
		t.Errorf("brought twice: %v", err)
	}
	if err := w.bank.Undo(ctx, actor, queue[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.MatchDeposit(ctx, actor, queue[1].ID, deposit); err != nil {
		t.Errorf("after the undoing: %v", err)
	}
}
