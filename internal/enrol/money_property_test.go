package enrol_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
)

// TestAnySequenceKeepsTheMoney runs random commands on what registrations owe: several payers, organisations, fees,
// refunds by every way, money that a bank takes back, camps that the commune gives up. The books are checked after each.
func TestAnySequenceKeepsTheMoney(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	m := &moneyMachine{machine: machine{World: w, t: t}}
	for i, decision := range camp.Decisions {
		c := w.CampOn(t, fmt.Sprint("Stage ", i), 6, civil.NewDate(2027, 7, 5+7*i), civil.NewDate(2027, 7, 9+7*i))
		w.Settings(t, c.ID, func(s *camp.Settings) { s.Decision = decision; s.PriceCents = civil.Cents(6000 + 1001*i) })
		m.camps = append(m.camps, c)
	}
	if _, err := w.DB.Exec(t.Context(), `UPDATE camp SET deposit_percent = 30 WHERE id = $1`, m.camps[1].ID); err != nil {
		t.Fatal(err)
	}
	m.line = w.Bus(t, m.camps[0], 6)
	for range 3 {
		m.families = append(m.families, w.Family(t, 2))
	}
	m.other = w.Family(t, 0)
	for _, f := range m.families {
		for _, c := range f.Children {
			rights := []household.Right{household.RightSee, household.RightPay}
			if err := w.Households.Grant(t.Context(), enroltest.Actor, m.other.Guardian.ID, c.ID, household.Grant{Basis: household.BasisParentalAuthority, Rights: rights}); err != nil {
				t.Fatal(err)
			}
		}
	}
	org, err := w.Households.AddOrganisation(t.Context(), enroltest.Actor, household.GuardianForm{
		LastName: "CPAS", Phone: "+3281000000", Street: "Rue Haute 1", Postcode: "4599", City: "Valmont",
	})
	if err != nil {
		t.Fatal(err)
	}
	m.organisation = org.ID
	rapid.Check(t, func(r *rapid.T) {
		m.restart(r)
		r.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"register":  m.register,
			"decide":    m.decide,
			"pay":       m.pay,
			"pay all":   m.payAll,
			"cash":      m.cash,
			"cancel":    m.cancel,
			"end":       m.end,
			"restore":   m.restore,
			"share":     m.share,
			"cover":     m.cover,
			"end part":  m.endPart,
			"refund":    m.refund,
			"second":    m.second,
			"pay out":   m.payOut,
			"drop":      m.drop,
			"choose":    m.choose,
			"provider":  m.provider,
			"took back": m.tookBack,
			"sessions":  m.sessions,
			"give up":   m.giveUp,
			"clock":     m.tick,
		})
	})
}

type moneyMachine struct {
	machine
	other        enroltest.Family // may pay for every child
	organisation uuid.UUID
}

// restart ends what the sequence before left and lets its camps take place again.
func (m *moneyMachine) restart(r *rapid.T) {
	m.reset(r)
	if _, err := m.DB.Exec(context.Background(), `UPDATE camp_session SET state = 'planned', reason = ''`); err != nil {
		r.Fatal(err)
	}
}

func (m *moneyMachine) payAll(r *rapid.T) {
	ctx := context.Background()
	f := rapid.SampledFrom(m.families).Draw(r, "family")
	var ids []uuid.UUID
	for _, one := range m.made {
		if m.families[one.family].Account == f.Account {
			ids = append(ids, one.id)
		}
	}
	if len(ids) == 0 {
		r.Skip("nothing to pay")
	}
	payer := f.Guardian.ID
	if rapid.Bool().Draw(r, "the other") {
		payer = m.other.Guardian.ID
	}
	a, err := m.Enrol.StartPayment(ctx, payer, ids, rapid.SampledFrom([]string{"bancontact", "creditcard"}).Draw(r, "method"), back)
	ok(r, err)
	if err != nil || a.ProviderID == nil {
		return
	}
	if rapid.Bool().Draw(r, "short") {
		m.Provider.Set(*a.ProviderID, func(p *pay.Payment) { p.Status, p.Amount = pay.StatusPaid, max(1, p.Amount*2/3) })
	} else {
		m.Provider.Pay(*a.ProviderID)
	}
	_, err = m.Enrol.CheckPayment(ctx, a.ID)
	ok(r, err)
}

func (m *moneyMachine) end(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.End(context.Background(), m.families[one.family].Account, one.id, enrol.Ending{
		Reason: "motif", Fee: civil.Cents(rapid.SampledFrom([]int{0, 500, 6000, 9000}).Draw(r, "fee")), GiveBack: rapid.Bool().Draw(r, "give back"),
	}))
}

func (m *moneyMachine) part(r *rapid.T, payer uuid.UUID) enrol.PartForm {
	f := enrol.PartForm{PayerID: payer}
	if rapid.Bool().Draw(r, "share") {
		f.Share = rapid.IntRange(1, 10000).Draw(r, "hundredths")
	} else {
		f.Cents = civil.Cents(rapid.IntRange(1, 8000).Draw(r, "cents"))
	}
	return f
}

func (m *moneyMachine) share(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.AddShare(context.Background(), m.families[one.family].Account, one.id, m.part(r, m.other.Guardian.ID)))
}

func (m *moneyMachine) cover(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.AddCover(context.Background(), m.families[one.family].Account, one.id, enrol.CoverForm{PartForm: m.part(r, m.organisation), Reference: "R1"}))
}

func (m *moneyMachine) endPart(r *rapid.T) {
	one := m.any(r)
	dues, err := ledger.DuesOf(context.Background(), m.DB, one.id)
	if err != nil || len(dues) < 2 {
		r.Skip("one payer")
	}
	ok(r, m.Enrol.EndPart(context.Background(), m.families[one.family].Account, dues[len(dues)-1].ID, "fini"))
}

func (m *moneyMachine) refund(r *rapid.T) {
	one, ctx := m.any(r), context.Background()
	all, err := m.Enrol.Returnable(ctx, one.id)
	if err != nil || len(all) == 0 {
		r.Skip("nothing owed back")
	}
	f := enrol.RefundForm{Key: uuid.New(), DueID: all[0].Due.ID, Cents: all[0].Cents + civil.Cents(rapid.IntRange(-100, 1).Draw(r, "more")), Reason: "motif"}
	if rapid.Bool().Draw(r, "other way") {
		f.Other = &enrol.OtherWay{Way: ledger.ByTransfer, IBAN: "BE68539007547034", Beneficiary: "X", Why: "compte clos", Proof: "attestation"}
	}
	ok(r, m.Enrol.Refund(ctx, m.families[one.family].Account, f))
	ok(r, m.Enrol.Refund(ctx, m.families[one.family].Account, f)) // pressed twice
}

// order draws one of the refunds in a state.
func (m *moneyMachine) order(r *rapid.T, where string) (id, payer uuid.UUID) {
	rows, err := m.DB.Query(context.Background(), `SELECT id FROM refund WHERE `+where+` ORDER BY created_at, cents, id`)
	if err != nil {
		r.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		r.Fatal(err)
	}
	if len(ids) == 0 {
		r.Skip("no such refund")
	}
	id = ids[rapid.IntRange(0, len(ids)-1).Draw(r, "refund")]
	o, err := ledger.ReadRefund(context.Background(), m.DB, id)
	if err != nil {
		r.Fatal(err)
	}
	return id, o.PayerID
}

func (m *moneyMachine) second(r *rapid.T) {
	id, _ := m.order(r, `state = 'to_confirm'`)
	ok(r, m.Enrol.ConfirmRefund(context.Background(), m.other.Account, id, rapid.Bool().Draw(r, "agree")))
}

func (m *moneyMachine) payOut(r *rapid.T) {
	id, _ := m.order(r, `way = 'cash'`)
	ok(r, m.Enrol.PayOut(context.Background(), m.other.Account, id))
}

func (m *moneyMachine) drop(r *rapid.T) {
	id, _ := m.order(r, `state <> 'dropped'`)
	ok(r, m.Enrol.DropRefund(context.Background(), m.other.Account, id))
}

func (m *moneyMachine) choose(r *rapid.T) {
	id, payer := m.order(r, `state = 'to_choose'`)
	if rapid.Bool().Draw(r, "money") {
		ok(r, m.Enrol.TakeMoney(context.Background(), payer, m.other.Account, id, "BE68539007547034"))
		return
	}
	ok(r, m.Enrol.TakeCamp(context.Background(), payer, m.other.Account, id, m.any(r).id))
}

// provider lets the provider take what was decided, and speak of what it has.
func (m *moneyMachine) provider(r *rapid.T) {
	ctx := context.Background()
	id, _ := m.order(r, `way = 'provider' AND state IN ('decided', 'sent', 'done')`)
	m.Provider.LoseAnswers(rapid.Bool().Draw(r, "lost"))
	err := m.Enrol.SendRefund(ctx, id)
	m.Provider.LoseAnswers(false)
	if err != nil && !pay.Temporary(err) {
		r.Fatal(err)
	}
	ok(r, m.Enrol.SendRefund(ctx, id))
	o, err := ledger.ReadRefund(ctx, m.DB, id)
	if err != nil || o.ProviderID == nil {
		return
	}
	m.Provider.SetRefund(*o.ProviderID, rapid.SampledFrom([]pay.RefundStatus{pay.RefundProcessing, pay.RefundRefunded, pay.RefundRefunded, pay.RefundFailed}).Draw(r, "status"))
	ok(r, m.Enrol.CheckRefunds(ctx, *o.PaymentID))
}

// tookBack lets the payer's bank take a payment back, or the provider refund a part on its own pages.
func (m *moneyMachine) tookBack(r *rapid.T) {
	var id uuid.UUID
	var provider string
	err := m.DB.QueryRow(context.Background(), `
		SELECT id, provider_id
		FROM payment
		WHERE status = 'paid'
		ORDER BY created_at, cents, id
		LIMIT 1 OFFSET $1`, rapid.IntRange(0, 5).Draw(r, "payment")).Scan(&id, &provider)
	if err != nil {
		r.Skip("nothing paid")
	}
	m.Provider.Set(provider, func(p *pay.Payment) {
		left := p.Amount - p.Refunded - p.ChargedBack
		switch rapid.IntRange(0, 2).Draw(r, "who") {
		case 0:
			p.ChargedBack += left
		case 1:
			p.ChargedBack = 0 // and gives it again
		default:
			p.Refunded += left / 3
		}
	})
	_, err = m.Enrol.CheckPayment(context.Background(), id)
	ok(r, err)
}

func (m *moneyMachine) sessions(r *rapid.T) {
	c := rapid.SampledFrom(m.camps).Draw(r, "camp")
	all, err := camp.SessionsOf(context.Background(), m.DB, c.ID)
	if err != nil {
		r.Fatal(err)
	}
	one := all[rapid.IntRange(0, len(all)-1).Draw(r, "session")]
	_, err = m.Enrol.CancelSessions(context.Background(), m.other.Account, c.ID, uuid.New(), []uuid.UUID{one.ID}, "orage")
	ok(r, err)
}

func (m *moneyMachine) giveUp(r *rapid.T) {
	c := rapid.SampledFrom(m.camps).Draw(r, "camp")
	_, err := m.Enrol.CancelCamp(context.Background(), m.other.Account, c.ID, uuid.New(), "pas assez d’animateurs")
	ok(r, err)
}

func (m *moneyMachine) tick(r *rapid.T) {
	m.clock(r)
	_, err := m.Enrol.Instalments(context.Background())
	ok(r, err)
	_, err = m.Enrol.SweepRefunds(context.Background())
	ok(r, err)
}
