package sync_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"ribambelle/connector"
	"ribambelle/connector/eventmodule"
	"ribambelle/connector/eventmodule/eventmoduletest"
	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/sync"
	"ribambelle/sync/synctest"
)

// spoilt is a commune whose syncer reaches Odoo through a proxy that spoils calls; b.odoo itself goes straight.
func spoilt(t testing.TB) (*bundle, *synctest.Proxy) {
	t.Helper()
	b := setup(t)
	p := synctest.Start(t, b.cfg.URL)
	b.sync = b.syncer(b.client(t, b.through(p)))
	return b, p
}

// through is a client's configuration that goes through a proxy and has time for a busy machine: a call that was only
// slow would be a fault that the test did not ask for.
func (b *bundle) through(p *synctest.Proxy) connector.Config {
	cfg := b.cfg
	cfg.URL, cfg.MaxBody, cfg.BreakAfter = p.URL, 1<<20, -1
	return cfg
}

// hasty is through for a server that says nothing: it gives up soon.
func (b *bundle) hasty(p *synctest.Proxy) connector.Config {
	cfg := b.through(p)
	if cfg.Timeout = 2 * time.Second; b.pool == nil {
		cfg.Timeout = 20 * time.Second // a real server needs more for its work
	}
	return cfg
}

// after is what a fault must leave: both sides equal, nothing lost, nothing doubled.
func (b *bundle) after(t *testing.T, event int64, want int) {
	t.Helper()
	b.equal(t)
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range regs {
		if names[g.Name+g.Email] {
			t.Errorf("%s stands twice in Odoo", g.Name)
		}
		names[g.Name+g.Email] = true
	}
	if len(regs) != want {
		t.Errorf("%d registrations in Odoo, want %d", len(regs), want)
	}
	if n := b.int(t, `SELECT count(*) FROM odoo_external`); n != 0 {
		t.Errorf("%d of ours were taken for others'", n)
	}
	if n := b.int(t, `SELECT count(*) FROM task WHERE done_at IS NULL AND (kind LIKE 'odoo%' OR kind LIKE 'camp%' OR kind = 'over_full')`); n != 0 {
		t.Errorf("%d tasks although nothing is to decide", n)
	}
}

func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"event.registration.load", "res.partner.load", "event.registration.search_read", "event.event.search_read"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := synctest.Start(t, b.cfg.URL)
			patient, hasty := b.syncer(b.client(t, b.through(p))), b.syncer(b.client(t, b.hasty(p)))
			event, c := b.open(t, "Panne", map[string]any{"seats_max": 200})
			rows := 0
			for i, fault := range synctest.All() {
				if fault == synctest.ExceptionUnsent && !strings.HasSuffix(method, ".load") {
					continue // an exception while reading is Odoo out of order: the pull ends with it, as with an overload
				}
				// Something new of every kind is on its way when it happens: a first child, its brother, an event changed.
				f := b.Family(t, 2)
				b.Ask(t, f, 0, c)
				b.run(t, false)
				b.Ask(t, f, 1, c)
				b.Ask(t, b.Family(t, 1), 0, c)
				b.write(t, connector.ModelEvent, event, map[string]any{"seats_max": 201 + i})
				rows += 3
				p.Once(method, fault, 2) // a call that only reads is repeated once by itself
				faulty := patient
				if fault == synctest.Silence || fault == synctest.SilenceUnsent {
					faulty = hasty
				}
				_, err := faulty.Run(t.Context(), false)
				harmless := fault == synctest.CutAfter || fault == synctest.ConflictUnsent || fault == synctest.ExceptionUnsent
				if err == nil && !harmless && p.Counts()[fault] > 1 {
					t.Errorf("%s was not noticed", fault)
				}
				p.Spoil(nil)
				// The pull that runs between a lost answer and its repeat.
				if _, err := b.sync.Pull(t.Context(), false); err != nil {
					t.Errorf("%s: %v", fault, err)
				}
				b.after(t, event, rows)
				if p.Counts()[fault] == 0 {
					t.Errorf("%s did not happen", fault)
				}
				if t.Failed() {
					t.Fatalf("after %s", fault)
				}
			}
		})
	}
}

func TestExceptionForOneRowLetsTheOthersThrough(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	event, c := b.open(t, "Module maison", map[string]any{"seats_max": 20})
	for range 5 {
		b.Ask(t, b.Family(t, 1), 0, c)
	}
	n := 0
	p.Spoil(func(method string) synctest.Fault { // the whole batch, both halves, the quarters, one row: until it stands alone
		if method != "event.registration.load" {
			return synctest.None
		}
		n++
		if n <= 3 { // 5 rows, the first 2, the first 1
			return synctest.ExceptionUnsent
		}
		return synctest.None
	})
	r, err := b.sync.Run(t.Context(), false)
	if err != nil || r.Pushed != 4 || r.Refused != 1 {
		t.Fatalf("%+v, %v: want 4 taken and 1 refused", r, err)
	}
	p.Spoil(nil)
	b.write(t, connector.ModelEvent, event, map[string]any{"seats_max": 21}) // something changed there: it is tried again
	b.run(t, false)
	b.after(t, event, 5)
}

func TestConflictIsRetriedWithinThePush(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	event, c := b.open(t, "Concurrence", map[string]any{"seats_max": 20})
	b.Ask(t, b.Family(t, 1), 0, c)
	p.Once("event.registration.load", synctest.ConflictUnsent, 3)
	if r, err := b.sync.Push(t.Context()); err != nil || r.Pushed != 1 {
		t.Fatalf("%+v, %v: want it through after three conflicts", r, err)
	}
	b.after(t, event, 1)
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	if b.pool == nil {
		t.Skip("a real server is not restarted")
	}
	event, c := b.open(t, "Panne de courant", map[string]any{"seats_max": 20})
	b.Ask(t, b.Family(t, 1), 0, c)
	p.Down(true)
	for range 3 {
		if _, err := b.sync.Run(t.Context(), false); connector.KindOf(err) != connector.KindTemporary {
			t.Errorf("%v, want a temporary fault", err)
		}
	}
	again, err := eventmodule.Open(t.Context(), b.pool, eventmodule.Options{DB: b.cfg.DB, Users: []eventmodule.User{{Login: b.cfg.User, Password: b.cfg.Password, Admin: true}}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(again)
	t.Cleanup(web.Close)
	p.Redirect(web.URL)
	p.Down(false)
	b.after(t, event, 1)
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	if os.Getenv("ODOO_URL") != "" {
		t.Skip("the clock of a real server is not changed")
	}
	for _, skew := range []time.Duration{-72 * time.Hour, -3 * time.Minute, 5 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			var mu stdsync.Mutex
			offset := skew
			b := setup(t, func(o *eventmodule.Options) {
				o.Clock = func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return time.Now().Add(offset)
				}
			})
			event, c := b.open(t, "Horloge", map[string]any{"seats_max": 20})
			b.Ask(t, b.Family(t, 1), 0, c)
			b.run(t, false)
			// Somebody sets Odoo's clock back by ten minutes, within the overlap.
			mu.Lock()
			offset -= 10 * time.Minute
			mu.Unlock()
			b.write(t, connector.ModelEvent, event, map[string]any{"name": "Horloge reculée"})
			b.others(t, event, "open", 1)
			b.run(t, false)
			if n := b.int(t, `SELECT external FROM pool WHERE id = $1`, c.PoolID); n != 1 || b.int(t, `SELECT count(*) FROM camp WHERE name = 'Horloge reculée'`) != 1 {
				t.Errorf("%d outside places; what was written by a clock set back is not seen", n)
			}
			b.equal(t)
		})
	}
}

func TestTwoSyncersAtOnce(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	event, c := b.open(t, "Deux", map[string]any{"seats_max": 40})
	for range 10 {
		b.Ask(t, b.Family(t, 1), 0, c)
	}
	second := b.syncer(b.client(t, b.through(p)))
	var wg stdsync.WaitGroup
	for _, s := range []*sync.Syncer{b.sync, second} {
		wg.Go(func() {
			for range 2 {
				if _, err := s.Run(context.WithoutCancel(t.Context()), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.after(t, event, 10)
	// And without the lock: one lost its connection and does not know that another works already.
	if _, err := b.DB.Exec(t.Context(), `UPDATE registration SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*sync.Syncer{b.sync, second} {
		wg.Go(func() {
			if _, err := s.PushBeside(context.WithoutCancel(t.Context())); err != nil && connector.KindOf(err) != connector.KindConflict {
				t.Log(err)
			}
		})
	}
	wg.Wait()
	b.after(t, event, 10)
}

// TestPullBetweenLostAnswerAndRepeat is the case that doubles records elsewhere: the answer to a push is lost, the family
// withdraws, the pull sees a row that nobody here knows.
func TestPullBetweenLostAnswerAndRepeat(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{false, true} {
		t.Run(fmt.Sprint(leaves), func(t *testing.T) {
			t.Parallel()
			b, p := spoilt(t)
			event, c := b.open(t, "Entre-deux", map[string]any{"seats_max": 20})
			f := b.Family(t, 1)
			r := b.Ask(t, f, 0, c)
			p.Once("event.registration.load", synctest.CutBefore, 1)
			if _, err := b.sync.Push(t.Context()); !connector.Ambiguous(err) {
				t.Fatalf("%v, want an answer that is lost", err)
			}
			if leaves {
				if err := b.Enrol.Cancel(t.Context(), f.Account, r.ID, "erreur"); err != nil {
					t.Fatal(err)
				}
				if got := b.Read(t, r.ID).State; got != enrol.Cancelled {
					t.Fatal(got)
				}
			}
			got, err := b.sync.Pull(t.Context(), false)
			if err != nil || got.Reconstructed != 1 || got.Outside != 0 {
				t.Errorf("%+v, %v: want our row recognised", got, err)
			}
			b.after(t, event, 1)
			if leaves {
				if regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event}); err != nil || regs[0].State != connector.StateCancel {
					t.Errorf("%+v, %v: want it cancelled in Odoo too", regs, err)
				}
			}
		})
	}
}

func TestBreakerLeavesOdooAlone(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	_, c := b.open(t, "Repos", nil)
	b.Ask(t, b.Family(t, 1), 0, c)
	cfg := b.through(p)
	cfg.BreakAfter, cfg.BreakFor = 3, time.Hour
	s := b.syncer(b.client(t, cfg))
	p.Down(true)
	p.Calls()
	for range 10 {
		if _, err := s.Run(t.Context(), false); connector.KindOf(err) != connector.KindTemporary {
			t.Errorf("%v, want a temporary fault", err)
		}
	}
	sum := 0
	for _, n := range p.Calls() {
		sum += n
	}
	if sum > 6 {
		t.Errorf("%d calls of a server that does not answer, want a few", sum)
	}
}

func TestOdooMailsOnDemand(t *testing.T) {
	t.Parallel()
	b, p := spoilt(t)
	event, c := b.open(t, "Courriel", map[string]any{"seats_max": 20})
	if err := camp.SetSetting(t.Context(), b.DB, enroltest.Actor, "odoo.mail", "oui"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f := b.Family(t, 1)
		b.confirmed(t, f, b.Ask(t, f, 0, c))
	}
	p.Calls()
	b.run(t, false)
	if calls := p.Calls(); calls["event.registration.write"] != 3 || calls["event.registration.load"] != 1 {
		t.Errorf("%v, want the states opened one at a time, so that Odoo mails", calls)
	}
	b.after(t, event, 3)
	if _, err := b.DB.Exec(t.Context(), `UPDATE registration SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	p.Calls()
	b.run(t, false)
	if calls := p.Calls(); calls["event.registration.write"] != 0 {
		t.Errorf("%v, want no second mail for what is open already", calls)
	}
	b.after(t, event, 3)
}

func TestDeskUserIsEnough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event, c := b.open(t, "Guichet", map[string]any{"seats_max": 20})
	b.Ask(t, b.Family(t, 1), 0, c)
	contacts := eventmoduletest.Contacts
	if b.pool == nil {
		contacts = "deskcontact"
	}
	for partners, user := range []string{eventmoduletest.Desk, contacts} { // without and with the right to create contacts
		cfg := b.cfg
		cfg.User, cfg.Password = user, user
		b.sync = b.syncer(b.client(t, cfg))
		f := b.Family(t, 1)
		b.confirmed(t, f, b.Ask(t, f, 0, c))
		r := b.run(t, false)
		if r.Pushed == 0 || (r.Partners > 0) != (partners > 0) {
			t.Errorf("%s: %+v", user, r)
		}
		b.equal(t)
	}
	regs, err := b.odoo.RegistrationsOf(t.Context(), []int64{event})
	if err != nil || len(regs) != 3 {
		t.Errorf("%d registrations, %v", len(regs), err)
	}
}
