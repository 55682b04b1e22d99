package enrol_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
)

// TestAnySequenceKeepsTheInvariants runs random commands of families, staff, the provider and the clock on one small
// commune, and checks from outside after each of them.
func TestAnySequenceKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	w := enroltest.New(t)
	m := &machine{World: w, t: t}
	for i, decision := range camp.Decisions {
		c := w.CampOn(t, fmt.Sprint("Stage ", i), 2, civil.NewDate(2027, 7, 5+7*i), civil.NewDate(2027, 7, 9+7*i))
		w.Settings(t, c.ID, func(s *camp.Settings) { s.Decision = decision; s.PriceCents = civil.Cents(6000 * (i % 3)) })
		m.camps = append(m.camps, c)
	}
	m.line = w.Bus(t, m.camps[0], 2)
	for range 4 {
		m.families = append(m.families, w.Family(t, 2))
	}
	m.voucher = m.tariffs(t)
	rapid.Check(t, func(r *rapid.T) {
		m.reset(r)
		r.Repeat(map[string]func(*rapid.T){
			"":         m.check,
			"register": m.register,
			"basket":   m.basket,
			"decide":   m.decide,
			"pay":      m.pay,
			"cash":     m.cash,
			"withdraw": m.withdraw,
			"cancel":   m.cancel,
			"restore":  m.restore,
			"answer":   m.answer,
			"bus":      m.bus,
			"move":     m.move,
			"external": m.external,
			"clock":    m.clock,
		})
	})
}

// TestMain makes the sequences few in the suite; `go test -rapid.checks=500 -run AnySequence` looks harder.
func TestMain(m *testing.M) {
	flag.Parse()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("12"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

type machine struct {
	*enroltest.World
	t        *testing.T
	camps    []camp.Camp
	line     transport.Line
	voucher  string
	families []enroltest.Family
	made     []made
}

type made struct {
	family int
	id     uuid.UUID
}

// reset ends what the sequence before left, so that each begins with free camps.
func (m *machine) reset(r *rapid.T) {
	ctx := context.Background()
	for _, one := range m.made {
		if err := m.Enrol.Cancel(ctx, m.families[one.family].Account, one.id, "fin"); err != nil && !problem.Is(err, problem.KindConflict) {
			r.Fatal(err)
		}
	}
	m.made = nil
	m.Rewind()
	for _, c := range m.camps {
		m.setExternal(r, c, 0)
	}
}

// tariffs lets siblings pay less, with a regulation that takes it back when one leaves, and returns the code of a
// voucher.
func (m *machine) tariffs(t *testing.T) string {
	t.Helper()
	store, ctx := tariff.New(m.DB, m.Now), context.Background()
	err := store.SaveSiblings(ctx, enroltest.Actor, nil, tariff.Siblings{
		Who: tariff.WhoPayer, Mode: tariff.ModeRank, Scope: tariff.ScopeCamp, Steps: []tariff.Step{{From: 2, Percent: 33}}, Cumulate: true, ExitRaises: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	off, uses := civil.Cents(777), 3
	made, err := store.Issue(ctx, enroltest.Actor, uuid.New(), tariff.Voucher{
		Name: "Rentrée", Cents: &off, MaxUses: &uses, ValidFrom: civil.NewDate(2027, 1, 1), ValidUntil: civil.NewDate(2028, 1, 1),
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return made[0].Code
}

// ok fails unless err is nil or says, in one of our kinds, why not.
func ok(r *rapid.T, err error) {
	if err != nil && problem.As(err) == nil {
		r.Fatal(err)
	}
}

func (m *machine) check(r *rapid.T) {
	for name, sql := range enrol.Invariants {
		var broken int
		if err := m.DB.QueryRow(context.Background(), `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
			r.Fatalf("%s: %d rows break it (%v)", name, broken, err)
		}
	}
}

func (m *machine) request(r *rapid.T) (int, enrol.Request) {
	f := rapid.IntRange(0, len(m.families)-1).Draw(r, "family")
	req := enrol.Request{
		Key: uuid.New(), ChildID: m.families[f].Children[rapid.IntRange(0, 1).Draw(r, "child")].ID,
		CampID: rapid.SampledFrom(m.camps).Draw(r, "camp").ID, WithoutBus: rapid.Bool().Draw(r, "without bus"),
	}
	if rapid.Bool().Draw(r, "voucher") {
		req.Voucher = m.voucher
	}
	if req.CampID == m.camps[0].ID && rapid.Bool().Draw(r, "bus") {
		req.StopOutID, req.StopBackID = &m.line.Stops[0].ID, &m.line.Stops[1].ID
	}
	return f, req
}

func (m *machine) register(r *rapid.T) {
	f, req := m.request(r)
	reg, err := m.Enrol.Register(context.Background(), m.families[f].Guardian.ID, req)
	ok(r, err)
	if err == nil {
		m.made = append(m.made, made{f, reg.ID})
	}
}

func (m *machine) basket(r *rapid.T) {
	f, req := m.request(r)
	g := m.families[f].Guardian.ID
	for i := range 2 {
		line := req
		line.Key, line.ChildID = uuid.New(), m.families[f].Children[i].ID
		ok(r, m.Enrol.PutLine(context.Background(), g, line))
	}
	mode := rapid.SampledFrom([]enrol.SendMode{enrol.EachAlone, enrol.AllOrNone, enrol.Together}).Draw(r, "mode")
	outcomes, err := m.Enrol.Send(context.Background(), g, mode)
	ok(r, err)
	sent := 0
	for _, o := range outcomes {
		ok(r, o.Err)
		if o.Err == nil {
			sent++
			m.made = append(m.made, made{f, o.Registration.ID})
		} else {
			ok(r, m.Enrol.DropLine(context.Background(), g, o.Request.Key))
		}
	}
	if mode == enrol.AllOrNone && sent > 0 && sent < len(outcomes) {
		r.Fatalf("all or none sent %d of %d", sent, len(outcomes))
	}
}

// any draws one of the registrations, or skips.
func (m *machine) any(r *rapid.T) made {
	if len(m.made) == 0 {
		r.Skip("nothing registered yet")
	}
	return rapid.SampledFrom(m.made).Draw(r, "registration")
}

func (m *machine) decide(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.Decide(context.Background(), m.families[one.family].Account, one.id, rapid.Bool().Draw(r, "accept"), "motif"))
}

func (m *machine) pay(r *rapid.T) {
	one, ctx := m.any(r), context.Background()
	a, err := m.Enrol.StartPayment(ctx, m.families[one.family].Guardian.ID, []uuid.UUID{one.id}, "bancontact", back)
	ok(r, err)
	if err != nil {
		return
	}
	switch rapid.IntRange(0, 4).Draw(r, "outcome") {
	case 0:
		m.Provider.Set(*a.ProviderID, func(p *pay.Payment) { p.Status = pay.StatusFailed })
	case 1:
		m.Provider.Set(*a.ProviderID, func(p *pay.Payment) { p.Status, p.Amount = pay.StatusPaid, p.Amount/2 })
	default:
		m.Provider.Pay(*a.ProviderID)
	}
	_, err = m.Enrol.CheckPayment(ctx, a.ID)
	ok(r, err)
}

func (m *machine) cash(r *rapid.T) {
	one, ctx := m.any(r), context.Background()
	var due uuid.UUID
	if err := m.DB.QueryRow(ctx, `SELECT id FROM due WHERE registration_id = $1`, one.id).Scan(&due); err != nil {
		r.Skip("nothing due")
	}
	ok(r, m.Enrol.RecordPayment(ctx, m.families[one.family].Account, due, civil.Cents(rapid.SampledFrom([]int{1000, 6000, 9000}).Draw(r, "cents")), "cash", uuid.New()))
}

func (m *machine) withdraw(r *rapid.T) {
	one := m.any(r)
	_, err := m.Enrol.Withdraw(context.Background(), m.families[one.family].Guardian.ID, m.families[one.family].Account, one.id, "")
	ok(r, err)
}

func (m *machine) cancel(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.Cancel(context.Background(), m.families[one.family].Account, one.id, "motif"))
}

func (m *machine) restore(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.Restore(context.Background(), m.families[one.family].Account, one.id, "erreur"))
}

func (m *machine) answer(r *rapid.T) {
	one := m.any(r)
	ok(r, m.Enrol.Answer(context.Background(), m.families[one.family].Guardian.ID, m.families[one.family].Account, one.id, rapid.Bool().Draw(r, "take")))
}

func (m *machine) bus(r *rapid.T) {
	one := m.any(r)
	var out *uuid.UUID
	if rapid.Bool().Draw(r, "bus") {
		out = &m.line.Stops[1].ID
	}
	_, err := m.Enrol.ChangeBus(context.Background(), m.families[one.family].Guardian.ID, m.families[one.family].Account, one.id, out, nil)
	ok(r, err)
}

func (m *machine) move(r *rapid.T) {
	one := m.any(r)
	to := enrol.Request{Key: uuid.New(), CampID: rapid.SampledFrom(m.camps).Draw(r, "camp").ID}
	reg, err := m.Enrol.MoveTo(context.Background(), m.families[one.family].Guardian.ID, m.families[one.family].Account, one.id, to)
	ok(r, err)
	if err == nil {
		m.made = append(m.made, made{one.family, reg.ID})
	}
}

func (m *machine) external(r *rapid.T) {
	m.setExternal(r, rapid.SampledFrom(m.camps).Draw(r, "camp"), rapid.IntRange(0, 2).Draw(r, "external"))
}

func (m *machine) setExternal(r *rapid.T, c camp.Camp, n int) {
	err := m.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error { return m.Enrol.SetExternal(ctx, tx, c.ID, n, nil) })
	if err != nil {
		r.Fatal(err)
	}
}

func (m *machine) clock(r *rapid.T) {
	m.Pass(time.Duration(rapid.IntRange(1, 120).Draw(r, "hours")) * time.Hour)
	_, err := m.Enrol.SweepPayments(context.Background())
	ok(r, err)
	_, err = m.Enrol.Expire(context.Background())
	ok(r, err)
}
