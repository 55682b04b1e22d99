package enrol_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// commune is a world with tariffs: a season of July, two camps in it, one in August.
type commune struct {
	*enroltest.World
	tariffs      *tariff.Store
	july, second camp.Camp
	august       camp.Camp
}

func newCommune(t *testing.T) *commune {
	t.Helper()
	w := enroltest.New(t)
	c := &commune{World: w, tariffs: tariff.New(w.DB, w.Now)}
	c.july = w.Camp(t, "Cirque", 0)
	c.second = w.CampOn(t, "Nature", 0, civil.NewDate(2027, 7, 12), civil.NewDate(2027, 7, 16))
	c.august = w.CampOn(t, "Vélo", 0, civil.NewDate(2027, 8, 2), civil.NewDate(2027, 8, 6))
	err := w.Camps.SaveSeason(t.Context(), enroltest.Actor, camp.Season{Name: "Juillet", FirstDay: civil.NewDate(2027, 7, 1), LastDay: civil.NewDate(2027, 7, 31)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *commune) siblings(t *testing.T, change func(*tariff.Siblings)) {
	t.Helper()
	r := tariff.Siblings{
		Who: tariff.WhoPayer, Mode: tariff.ModeRank, Scope: tariff.ScopeSeason, Cumulate: true, Regulation: "art. 4",
		Steps: []tariff.Step{{From: 2, Percent: 10}, {From: 3, Percent: 20}},
	}
	if change != nil {
		change(&r)
	}
	if err := c.tariffs.SaveSiblings(t.Context(), enroltest.Actor, nil, r); err != nil {
		t.Fatal(err)
	}
}

func (c *commune) ask(t *testing.T, guardian, child uuid.UUID, where camp.Camp) enrol.Registration {
	t.Helper()
	r, err := c.Enrol.Register(t.Context(), guardian, enrol.Request{Key: uuid.New(), ChildID: child, CampID: where.ID})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// other gives the children of a family a second parent in another home.
func (c *commune) other(t *testing.T, f enroltest.Family) uuid.UUID {
	t.Helper()
	g := c.Family(t, 0).Guardian.ID
	for _, child := range f.Children {
		_, err := c.DB.Exec(t.Context(), `
			INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
			VALUES ($1, $2, 'parental_authority', '{see,register,pay,cancel}', '2020-01-01')`, g, child.ID)
		if err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// prices are the totals of some registrations, in order.
func prices(regs ...enrol.Registration) (cents []civil.Cents) {
	for _, r := range regs {
		cents = append(cents, r.PriceCents)
	}
	return cents
}

// TestSiblings registers children one after the other and compares what each pays of 60,00 €.
func TestSiblings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rule func(*tariff.Siblings)
		asks func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration
		want []civil.Cents
	}{
		"by rank in a season": {
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				g := f.Guardian.ID
				return []enrol.Registration{
					c.ask(t, g, f.Children[0].ID, c.july), c.ask(t, g, f.Children[1].ID, c.july), c.ask(t, g, f.Children[2].ID, c.second),
					c.ask(t, g, f.Children[0].ID, c.august), // outside the season, nobody came before
				}
			},
			want: []civil.Cents{6000, 5400, 4800, 6000},
		},
		"by rank in a camp": {
			rule: func(r *tariff.Siblings) { r.Scope = tariff.ScopeCamp },
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				g := f.Guardian.ID
				return []enrol.Registration{c.ask(t, g, f.Children[0].ID, c.july), c.ask(t, g, f.Children[1].ID, c.second), c.ask(t, g, f.Children[1].ID, c.july)}
			},
			want: []civil.Cents{6000, 6000, 5400},
		},
		"for each child from the second on": {
			rule: func(r *tariff.Siblings) { r.Mode = tariff.ModeEach },
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				g := f.Guardian.ID
				return []enrol.Registration{c.ask(t, g, f.Children[0].ID, c.july), c.ask(t, g, f.Children[1].ID, c.july), c.ask(t, g, f.Children[0].ID, c.second)}
			},
			want: []civil.Cents{6000, 5400, 5400},
		},
		"another payer does not count by payer": {
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				return []enrol.Registration{c.ask(t, f.Guardian.ID, f.Children[0].ID, c.july), c.ask(t, c.other(t, f), f.Children[1].ID, c.july)}
			},
			want: []civil.Cents{6000, 6000},
		},
		"another payer counts by parent": {
			rule: func(r *tariff.Siblings) { r.Who = tariff.WhoParent },
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				return []enrol.Registration{c.ask(t, c.other(t, f), f.Children[0].ID, c.july), c.ask(t, f.Guardian.ID, f.Children[1].ID, c.july)}
			},
			want: []civil.Cents{6000, 5400},
		},
		"a child of the household counts, whoever pays": {
			rule: func(r *tariff.Siblings) { r.Who = tariff.WhoHousehold },
			asks: func(c *commune, t *testing.T, f enroltest.Family) []enrol.Registration {
				return []enrol.Registration{c.ask(t, c.other(t, f), f.Children[0].ID, c.july), c.ask(t, f.Guardian.ID, f.Children[1].ID, c.july)}
			},
			want: []civil.Cents{6000, 5400},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommune(t)
			c.siblings(t, tt.rule)
			if diff := cmp.Diff(tt.want, prices(tt.asks(c, t, c.Family(t, 3))...)); diff != "" {
				t.Errorf("prices (-want +got):\n%s", diff)
			}
			invariants(t, c.World)
		})
	}
}

// TestBasketSiblings: the lines of one basket see each other in the basket's order, whatever the way of sending, and
// what is shown before is what is frozen. A line that does not go through counts for nobody.
func TestBasketSiblings(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{tariff.ModeRank, tariff.ModeEach} {
		for _, mode := range []enrol.SendMode{enrol.EachAlone, enrol.AllOrNone, enrol.Together} {
			t.Run(rule+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				c, ctx := newCommune(t), t.Context()
				c.siblings(t, func(r *tariff.Siblings) { r.Mode = rule })
				f := c.Family(t, 3)
				// Put in against the order of the children's ids, by which a basket locks them.
				for i := range f.Children {
					r := enrol.Request{Key: uuid.New(), ChildID: f.Children[len(f.Children)-1-i].ID, CampID: c.july.ID}
					if err := c.Enrol.PutLine(ctx, f.Guardian.ID, r); err != nil {
						t.Fatal(err)
					}
					c.Pass(1)
				}
				lines, err := c.Enrol.Basket(ctx, f.Guardian.ID)
				if err != nil {
					t.Fatal(err)
				}
				shown := map[uuid.UUID]civil.Cents{}
				var inOrder []civil.Cents
				for _, l := range lines {
					q, err := c.Enrol.Quote(ctx, f.Guardian.ID, l)
					if err != nil {
						t.Fatal(err)
					}
					shown[l.Key] = q.Total
					inOrder = append(inOrder, q.Total)
				}
				want := []civil.Cents{6000, 5400, 4800}
				if rule == tariff.ModeEach {
					want = []civil.Cents{4800, 4800, 4800}
				}
				if diff := cmp.Diff(want, inOrder); diff != "" {
					t.Errorf("shown (-want +got):\n%s", diff)
				}
				sent, err := c.Enrol.Send(ctx, f.Guardian.ID, mode)
				if err != nil {
					t.Fatal(err)
				}
				frozen := map[uuid.UUID]civil.Cents{}
				for _, o := range sent {
					if o.Err != nil {
						t.Fatal(o.Err)
					}
					frozen[o.Request.Key] = o.Registration.PriceCents
				}
				if diff := cmp.Diff(shown, frozen); diff != "" {
					t.Errorf("the frozen prices are not those shown (-shown +frozen):\n%s", diff)
				}
				invariants(t, c.World)
			})
		}
	}
	t.Run("a barred line does not count", func(t *testing.T) {
		t.Parallel()
		c, ctx := newCommune(t), t.Context()
		c.siblings(t, nil)
		f := c.Family(t, 2)
		if _, err := c.DB.Exec(ctx, `UPDATE child SET birth_date = '2026-01-01' WHERE id = $1`, f.Children[0].ID); err != nil {
			t.Fatal(err)
		}
		c.Settings(t, c.july.ID, func(s *camp.Settings) { age := 6; s.AgeMin = &age })
		for _, child := range f.Children {
			if err := c.Enrol.PutLine(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: child.ID, CampID: c.july.ID}); err != nil {
				t.Fatal(err)
			}
			c.Pass(1)
		}
		sent, err := c.Enrol.Send(ctx, f.Guardian.ID, enrol.EachAlone)
		if err != nil {
			t.Fatal(err)
		}
		if len(sent) != 2 || sent[0].Err == nil || sent[1].Err != nil || sent[1].Registration.PriceCents != 6000 {
			t.Errorf("sent %+v, want the second alone at its full price", sent)
		}
	})
}

// TestSiblingsAtOnce: two requests of one family at the same instant have two ranks.
func TestSiblingsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCommune(t)
	c.siblings(t, nil)
	f := c.Family(t, 3)
	var all sync.WaitGroup
	made := make([]enrol.Registration, len(f.Children))
	for i, child := range f.Children {
		all.Go(func() {
			r, err := c.Enrol.Register(context.Background(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: child.ID, CampID: c.july.ID})
			if err != nil {
				t.Error(err)
			}
			made[i] = r
		})
	}
	all.Wait()
	sum := civil.Cents(0)
	for _, p := range prices(made...) {
		sum += p
	}
	if sum != 6000+5400+4800 {
		t.Errorf("prices %v: two had the same rank", prices(made...))
	}
}

// TestSiblingLeaves: an exit leaves the others' price alone, unless the regulation says so; then what is not charged
// rises, what is charged is for staff.
func TestSiblingLeaves(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raises  bool
		decided bool
		want    civil.Cents
		tasks   int
	}{
		"by default nothing rises":         {want: 5400},
		"an undecided price rises":         {raises: true, want: 6000, tasks: 1},
		"a charged price is left to staff": {raises: true, decided: true, want: 5400, tasks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ctx := newCommune(t), t.Context()
			c.siblings(t, func(r *tariff.Siblings) { r.ExitRaises = tt.raises; r.Steps = []tariff.Step{{From: 2, Cents: 600}} })
			f := c.Family(t, 2)
			first, second := c.ask(t, f.Guardian.ID, f.Children[0].ID, c.july), c.ask(t, f.Guardian.ID, f.Children[1].ID, c.july)
			if tt.decided {
				// As Decide leaves it: the amounts do not matter here.
				for _, state := range []string{"validated", "awaiting_payment"} {
					if _, err := c.DB.Exec(ctx, `UPDATE registration SET state = $2 WHERE id = $1`, second.ID, state); err != nil {
						t.Fatal(err)
					}
				}
			}
			if done, err := c.Enrol.Withdraw(ctx, f.Guardian.ID, f.Account, first.ID, ""); err != nil || !done {
				t.Fatal(done, err)
			}
			if got := c.Read(t, second.ID).PriceCents; got != tt.want {
				t.Errorf("the other pays %d cents, want %d", got, tt.want)
			}
			if got := count(t, c.World, `SELECT count(*) FROM task WHERE kind = 'sibling_left' AND subject_id = $1 AND done_at IS NULL`, second.ID.String()); got != tt.tasks {
				t.Errorf("%d tasks, want %d", got, tt.tasks)
			}
		})
	}
}

// TestAudiences: a resident, at either home, a verified member of the staff, and anybody else; by camp and in general.
func TestAudiences(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	if err := camp.SetSetting(ctx, c.DB, enroltest.Actor, "commune.postcodes", "7180"); err != nil {
		t.Fatal(err)
	}
	err := c.tariffs.SaveAudiences(ctx, enroltest.Actor, []tariff.Audience{{Code: "resident", Name: "Habitants", Percent: 100}, {Code: "staff", Name: "Personnel", Percent: 75}, {Code: "other", Name: "Autres", Percent: 150}})
	if err != nil {
		t.Fatal(err)
	}
	set := tariff.Setting{uuid.Nil: {"staff": 1000}}
	if err := c.tariffs.SaveSetting(ctx, enroltest.Actor, c.second.ID, tariff.PerCamp, nil, set); err != nil {
		t.Fatal(err)
	}
	resident, away := c.Family(t, 1), c.Family(t, 1)
	if _, err := c.DB.Exec(ctx, `UPDATE guardian SET postcode = '1000' WHERE id = $1`, away.Guardian.ID); err != nil {
		t.Fatal(err)
	}
	got := prices(c.ask(t, resident.Guardian.ID, resident.Children[0].ID, c.july), c.ask(t, away.Guardian.ID, away.Children[0].ID, c.july))
	member := tariff.Member{GuardianID: away.Guardian.ID, Audience: "staff", Proof: "contrat vu", ValidFrom: civil.NewDate(2027, 1, 1), ValidUntil: civil.NewDate(2027, 5, 4)}
	if err := c.tariffs.Admit(ctx, enroltest.Actor, member); err != nil {
		t.Fatal(err)
	}
	second := c.ask(t, away.Guardian.ID, away.Children[0].ID, c.second)
	august := c.ask(t, away.Guardian.ID, away.Children[0].ID, c.august)
	got = append(got, prices(second, august)...)
	if diff := cmp.Diff([]civil.Cents{6000, 9000, 1000, 4500}, got); diff != "" {
		t.Errorf("resident, other, staff at the camp's price, staff in general (-want +got):\n%s", diff)
	}
	if want, got := "Personnel", august.PriceDetail[0].Args[1]; august.PriceDetail[0].Label != "price.camp_for" || got != want {
		t.Errorf("the line reads %+v, want the audience named", august.PriceDetail[0])
	}
	c.Pass(36 * 3600 * 1e9) // the proof has run out
	q, err := c.Enrol.Quote(ctx, away.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: away.Children[0].ID, CampID: c.july.ID})
	if err != nil || q.Total != 9000 {
		t.Errorf("after the proof's last day %d cents, %v; want 9000", q.Total, err)
	}
}

// TestAccorded: what is accorded to a family counts for its payers alone, and only while it runs.
func TestAccorded(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	f := c.Family(t, 2)
	other := c.other(t, f)
	half := 50
	a := tariff.Accorded{
		HouseholdID: f.Guardian.HouseholdID, ChildID: &f.Children[0].ID, Percent: &half, Reference: "CPAS 12", Key: uuid.New(),
		ValidFrom: civil.NewDate(2027, 5, 1), ValidUntil: civil.NewDate(2027, 5, 31),
	}
	for range 2 { // a form sent twice
		if err := c.tariffs.Accord(ctx, enroltest.Actor, a); err != nil {
			t.Fatal(err)
		}
	}
	mine, sister := c.ask(t, f.Guardian.ID, f.Children[0].ID, c.july), c.ask(t, f.Guardian.ID, f.Children[1].ID, c.july)
	theirs := c.ask(t, other, f.Children[0].ID, c.second)
	c.Pass(30 * 24 * 3600 * 1e9)
	late := c.ask(t, f.Guardian.ID, f.Children[0].ID, c.august)
	if diff := cmp.Diff([]civil.Cents{3000, 6000, 6000, 6000}, prices(mine, sister, theirs, late)); diff != "" {
		t.Errorf("the child, its sister, by the other home, too late (-want +got):\n%s", diff)
	}
	if l := mine.PriceDetail[1]; !l.Private || l.Label != tariff.LabelAccorded {
		t.Errorf("the line %+v is not private", l)
	}
	if got := count(t, c.World, `SELECT count(*) FROM accorded_tariff`); got != 1 {
		t.Errorf("%d grants, want 1", got)
	}
	if got := count(t, c.World, `SELECT count(*) FROM audit WHERE action LIKE 'tariff.acc%' AND subject_kind <> 'accorded_tariff'`); got != 0 {
		t.Error("the family's history tells of what was accorded")
	}
}

// TestUnits: a camp by the day, a bus by the day and an option by the session, in a week with a cancelled day.
func TestUnits(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	if err := c.tariffs.SaveSetting(ctx, enroltest.Actor, c.july.ID, tariff.PerDay, nil, nil); err != nil {
		t.Fatal(err)
	}
	c.Settings(t, c.july.ID, func(s *camp.Settings) { s.PriceCents = 1250 })
	line := c.Bus(t, c.july, 10)
	o, err := c.Camps.AddOption(ctx, enroltest.Actor, camp.Option{CampID: c.july.ID, Name: "Garderie", Cents: 100, Unit: tariff.PerSession, Fiscal: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`UPDATE bus_line SET unit = 'day', cents = 150`, `UPDATE camp_session SET state = 'cancelled' WHERE camp_id = $1 AND day = '2027-07-09'`} {
		args := []any{c.july.ID}
		if sql[7] == 'b' {
			args = nil
		}
		if _, err := c.DB.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	f := c.Family(t, 1)
	r, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{
		Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.july.ID, StopOutID: &line.Stops[0].ID, OptionIDs: []uuid.UUID{o.ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []enrol.PriceLine{
		{Label: "price.camp_times", Args: []string{"Cirque", "4"}, Cents: 5000, Fiscal: true, Over: 4},
		{Label: "price.bus_out_times", Args: []string{"Place de la Station", "4"}, Cents: 600, Over: 4},
		{Label: "price.option_times", Args: []string{"Garderie", "4"}, Cents: 400, Fiscal: true, Over: 4},
	}
	if diff := cmp.Diff(want, r.PriceDetail); diff != "" {
		t.Errorf("price (-want +got):\n%s", diff)
	}
	if got := r.SessionWorth(4, 0, 1); got != 1500 {
		t.Errorf("a cancelled day is worth %d cents, want 1500", got)
	}
}

func (c *commune) voucher(t *testing.T, change func(*tariff.Voucher)) tariff.Voucher {
	t.Helper()
	one, off := 1, civil.Cents(1500)
	v := tariff.Voucher{Name: "Rentrée", Cents: &off, MaxUses: &one, ValidFrom: civil.NewDate(2027, 5, 1), ValidUntil: civil.NewDate(2027, 5, 31)}
	if change != nil {
		change(&v)
	}
	made, err := c.tariffs.Issue(t.Context(), enroltest.Actor, uuid.New(), v, 1)
	if err != nil {
		t.Fatal(err)
	}
	return made[0]
}

// TestVoucherOnce: of many families that want the last use at the same instant one has it; an exit gives it back, a
// registration that is taken up again has it again.
func TestVoucherOnce(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	v := c.voucher(t, nil)
	const families = 8
	var all sync.WaitGroup
	made := make([]enrol.Registration, families)
	refused := make([]error, families)
	fams := make([]enroltest.Family, families)
	for i := range fams {
		fams[i] = c.Family(t, 1)
		all.Go(func() {
			made[i], refused[i] = c.Enrol.Register(context.Background(), fams[i].Guardian.ID, enrol.Request{
				Key: uuid.New(), ChildID: fams[i].Children[0].ID, CampID: c.july.ID, Voucher: v.Code,
			})
		})
	}
	all.Wait()
	winner := -1
	for i, err := range refused {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Fatal("two families used the same voucher")
		case !tariff.Refused(err):
			t.Errorf("family %d: %v, want a refused voucher", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody could use the voucher")
	}
	r := made[winner]
	if r.PriceCents != 4500 {
		t.Errorf("with the voucher %d cents, want 4500", r.PriceCents)
	}
	if done, err := c.Enrol.Withdraw(ctx, fams[winner].Guardian.ID, fams[winner].Account, r.ID, ""); err != nil || !done {
		t.Fatal(done, err)
	}
	next := fams[(winner+1)%families]
	again, err := c.Enrol.Register(ctx, next.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: next.Children[0].ID, CampID: c.july.ID, Voucher: v.Code})
	if err != nil || again.PriceCents != 4500 {
		t.Fatalf("after the exit: %d cents, %v", again.PriceCents, err)
	}
	if err := c.Enrol.Restore(ctx, fams[winner].Account, r.ID, "erreur"); err != nil {
		t.Fatal(err)
	}
	if got := count(t, c.World, `SELECT count(*) FROM voucher_use WHERE returned_at IS NULL`); got != 2 {
		t.Errorf("%d uses, want both: the prices were frozen with it", got)
	}
}

// TestVoucherInBasket: the first line of a basket has the last use, on the screen and when it is sent.
func TestVoucherInBasket(t *testing.T) {
	t.Parallel()
	for _, mode := range []enrol.SendMode{enrol.EachAlone, enrol.Together} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			c, ctx := newCommune(t), t.Context()
			v := c.voucher(t, nil)
			f := c.Family(t, 2)
			for i := range f.Children {
				r := enrol.Request{Key: uuid.New(), ChildID: f.Children[1-i].ID, CampID: c.july.ID, Voucher: " " + v.Code[:5] + "-" + v.Code[5:]}
				if err := c.Enrol.PutLine(ctx, f.Guardian.ID, r); err != nil {
					t.Fatal(err)
				}
				c.Pass(1)
			}
			lines, err := c.Enrol.Basket(ctx, f.Guardian.ID)
			if err != nil {
				t.Fatal(err)
			}
			first, err1 := c.Enrol.Quote(ctx, f.Guardian.ID, lines[0])
			_, err2 := c.Enrol.Quote(ctx, f.Guardian.ID, lines[1])
			if err1 != nil || first.Total != 4500 || !tariff.Refused(err2) {
				t.Errorf("shown %d cents (%v) and %v; want 4500 and a refusal", first.Total, err1, err2)
			}
			sent, err := c.Enrol.Send(ctx, f.Guardian.ID, mode)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range sent {
				if o.Request.Key == lines[0].Key && o.Registration.PriceCents != 4500 || o.Request.Key == lines[1].Key && !tariff.Refused(o.Err) {
					t.Errorf("sent %+v", o)
				}
			}
		})
	}
}

func TestVoucherRefusals(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	f := c.Family(t, 1)
	ended := c.voucher(t, func(v *tariff.Voucher) { v.Name = "Fini" })
	if err := c.tariffs.EndVoucher(ctx, enroltest.Actor, ended.ID); err != nil {
		t.Fatal(err)
	}
	for code, typed := range map[string]string{
		"tariff.voucher_unknown": "ABCDEFGH", "tariff.voucher_over": ended.Code,
		"tariff.voucher_early":      c.voucher(t, func(v *tariff.Voucher) { v.ValidFrom = civil.NewDate(2027, 5, 20) }).Code,
		"tariff.voucher_other_camp": c.voucher(t, func(v *tariff.Voucher) { v.CampIDs = []uuid.UUID{c.august.ID} }).Code,
	} {
		err := c.Enrol.TryVoucher(ctx, f.Guardian.ID, enrol.Request{CampID: c.july.ID, Voucher: typed})
		if p := problem.As(err); p == nil || len(p.Fields) != 1 || p.Fields[0].Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	for i := 4; i < 8; i++ {
		_ = c.Enrol.TryVoucher(ctx, f.Guardian.ID, enrol.Request{CampID: c.july.ID, Voucher: fmt.Sprint("FAUX2027", i)})
	}
	good := c.voucher(t, nil)
	_, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.july.ID, Voucher: good.Code})
	if !problem.Is(err, problem.KindConflict) {
		t.Errorf("after eight wrong codes a right one gives %v, want Conflict", err)
	}
	c.Pass(3601 * 1e9)
	if r, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.july.ID, Voucher: good.Code}); err != nil || r.PriceCents != 4500 {
		t.Errorf("an hour later %d cents, %v", r.PriceCents, err)
	}
}

// TestRepricedFromFrozen: a change of bus computes from what was frozen: the camp's new price, a spent voucher and a
// sibling that left do not come into it, the new stop does.
func TestRepricedFromFrozen(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	c.siblings(t, nil)
	line := c.Bus(t, c.july, 10)
	v := c.voucher(t, nil)
	f := c.Family(t, 2)
	first := c.ask(t, f.Guardian.ID, f.Children[0].ID, c.july)
	r, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{
		Key: uuid.New(), ChildID: f.Children[1].ID, CampID: c.july.ID, StopOutID: &line.Stops[0].ID, Voucher: v.Code,
	})
	if err != nil || r.PriceCents != 5400+1000-1500 {
		t.Fatal(r.PriceCents, err)
	}
	if _, err := c.Enrol.Withdraw(ctx, f.Guardian.ID, f.Account, first.ID, ""); err != nil {
		t.Fatal(err)
	}
	c.Settings(t, c.july.ID, func(s *camp.Settings) { s.PriceCents = 9900 })
	if _, err := c.DB.Exec(ctx, `UPDATE bus_line SET cents = 1200`); err != nil {
		t.Fatal(err)
	}
	if done, err := c.Enrol.ChangeBus(ctx, f.Guardian.ID, f.Account, r.ID, &line.Stops[0].ID, &line.Stops[1].ID); err != nil || !done {
		t.Fatal(done, err)
	}
	if got := c.Read(t, r.ID).PriceCents; got != 5400+1000+1200-1500 {
		t.Errorf("%d cents, want the old way as it was frozen and the new one at today's price: 6100", got)
	}
	r = c.Read(t, r.ID)
	for _, state := range []string{"validated", "awaiting_payment"} {
		if _, err := c.DB.Exec(ctx, `UPDATE registration SET state = $2 WHERE id = $1`, r.ID, state); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Enrol.ChangeBus(ctx, f.Guardian.ID, f.Account, r.ID, &line.Stops[0].ID, nil); !problem.Is(err, problem.KindConflict) {
		t.Errorf("a decided price changes: %v", err)
	}
}

// TestReducedPriceIsBooked: each line of a reduced price is a charge or a reduction of the ledger with the regulation on
// which it rests, and what is owed is the price.
func TestReducedPriceIsBooked(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	c.siblings(t, nil)
	if _, err := c.DB.Exec(ctx, `UPDATE camp SET regulation = 'art. 1'`); err != nil {
		t.Fatal(err)
	}
	v := c.voucher(t, func(v *tariff.Voucher) { v.Regulation = "art. 9" })
	f := c.Family(t, 2)
	c.ask(t, f.Guardian.ID, f.Children[0].ID, c.july)
	r, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[1].ID, CampID: c.july.ID, Voucher: v.Code})
	if err != nil {
		t.Fatal(err)
	}
	r = c.Validate(t, f, r)
	rows, err := c.DB.Query(ctx, `SELECT kind || ' ' || cents || ' ' || label || ' ' || regulation FROM ledger_line WHERE registration_id = $1 ORDER BY cents DESC`, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"charge 6000 price.camp art. 1", "reduction 1500 price.voucher art. 9", "reduction 600 price.sibling_rank art. 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	a, err := c.Enrol.StartPayment(ctx, f.Guardian.ID, []uuid.UUID{r.ID}, "bancontact", back)
	if err != nil {
		t.Fatal(err)
	}
	if a.Cents != 3900 {
		t.Errorf("asked to pay %d cents, want 3900", a.Cents)
	}
	c.Provider.Pay(*a.ProviderID)
	if _, err := c.Enrol.CheckPayment(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	if got := c.Read(t, r.ID).State; got != enrol.Confirmed {
		t.Errorf("paid, and %s", got)
	}
	invariants(t, c.World)
}

// TestVoucherMoves: a child that moves to another camp takes its voucher along while it counts there.
func TestVoucherMoves(t *testing.T) {
	t.Parallel()
	c, ctx := newCommune(t), t.Context()
	v := c.voucher(t, func(v *tariff.Voucher) { v.CampIDs = []uuid.UUID{c.july.ID, c.second.ID} })
	f := c.Family(t, 1)
	r, err := c.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.july.ID, Voucher: v.Code})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := c.Enrol.MoveTo(ctx, f.Guardian.ID, f.Account, r.ID, enrol.Request{Key: uuid.New(), CampID: c.second.ID})
	if err != nil || moved.PriceCents != 4500 {
		t.Fatalf("moved at %d cents, %v; want 4500", moved.PriceCents, err)
	}
	again, err := c.Enrol.MoveFor(ctx, f.Account, moved.ID, enrol.Request{Key: uuid.New(), CampID: c.august.ID}, "demandé")
	if err != nil || again.PriceCents != 6000 {
		t.Fatalf("moved to a camp without the voucher at %d cents, %v; want 6000", again.PriceCents, err)
	}
	invariants(t, c.World)
}
