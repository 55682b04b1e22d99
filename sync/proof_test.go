package sync_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/mirror"
	"ribambelle/sync/synctest"
)

// The proof in full is `make proof-sync`; without flags it is a short smoke.
var (
	proofTime          = flag.Duration("proof.time", 3*time.Second, "how long faults are injected")
	proofRegistrations = flag.Int("proof.registrations", 60, "registrations to push")
	proofChanges       = flag.Int("proof.changes", 20, "changes on each side while faults are injected")
	proofKills         = flag.Int("proof.kills", 2, "how often the syncer is killed")
)

// syncerEnv makes this test program a syncer, so that it can be killed like one.
const syncerEnv = "RIBAMBELLE_PROOF_SYNCER"

// syncerTask is what the killed process is told.
type syncerTask struct {
	Database string
	Odoo     connector.Config
}

func TestMain(m *testing.M) {
	if task := os.Getenv(syncerEnv); task != "" {
		if err := beSyncer(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beSyncer synchronises without end, as the jobs would; errors are what the proof is about, so they only cost a pause.
func beSyncer(told string) error {
	var task syncerTask
	if err := json.Unmarshal([]byte(told), &task); err != nil {
		return err
	}
	ctx := context.Background()
	d, err := db.Open(ctx, task.Database)
	if err != nil {
		return err
	}
	odoo, err := connector.New(task.Odoo)
	if err != nil {
		return err
	}
	w, err := enroltest.On(d)
	if err != nil {
		return err
	}
	s := (&bundle{World: w}).syncer(odoo)
	for i := 1; ; i++ {
		if _, err := s.Run(ctx, i%12 == 0); err != nil {
			time.Sleep(20*time.Millisecond + rand.N(100*time.Millisecond))
		}
	}
}

// proof is a commune under fire.
type proof struct {
	*bundle
	proxy    *synctest.Proxy
	cfg      connector.Config // of the syncer, through the proxy, as a small user
	camps    []camp.Camp
	events   []int64
	families []enroltest.Family
	r        *rand.Rand

	registered, here, inOdoo, refused, kills int
}

// TestProof: registrations are pushed and both sides change while every fault is injected at random and the syncer is
// killed again and again. At the end both sides are equal, nothing is lost and nothing doubled.
func TestProof(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := &proof{bundle: b, proxy: synctest.Start(t, b.cfg.URL), r: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))}
	p.cfg = b.hasty(p.proxy)
	p.cfg.User, p.cfg.Password = contactsUser(b), contactsUser(b)
	p.cfg.Timeout, p.cfg.MaxBody, p.cfg.BreakAfter, p.cfg.BreakFor = max(1500*time.Millisecond, p.cfg.Timeout/4), 24<<20, 5, 300*time.Millisecond
	p.prepare(t)

	stop := time.Now().Add(*proofTime)
	p.proxy.Spoil(p.spoil())
	var killAt []time.Time
	for i := range *proofKills {
		killAt = append(killAt, time.Now().Add(*proofTime*time.Duration(i+1)/time.Duration(*proofKills+1)))
	}
	syncer := p.start(t)
	for i := 0; ; i++ {
		if len(killAt) > 0 && time.Now().After(killAt[0]) {
			killAt = killAt[1:]
			kill(syncer)
			p.kills++
			syncer = p.start(t)
		}
		done := p.registered == *proofRegistrations && p.here == *proofChanges && p.inOdoo == *proofChanges
		if time.Now().After(stop) && done {
			break
		}
		p.step(t, time.Until(stop))
	}
	kill(syncer)
	p.proxy.Spoil(nil)

	cfg := p.cfg
	cfg.BreakAfter, cfg.Timeout = -1, time.Minute
	b.sync = b.syncer(b.client(t, cfg))
	fixed := p.settle(t)
	c := p.equal(t)
	p.count(t)
	var spoilt []string
	total := 0
	for f, n := range p.proxy.Counts() {
		if f != synctest.None {
			total += n
			spoilt = append(spoilt, fmt.Sprintf("%d %s", n, f))
		}
	}
	slices.Sort(spoilt)
	t.Logf("%d registrations made, %d changes here, %d in Odoo, the syncer killed %d times, %d calls spoilt of %d: %s",
		p.registered, p.here, p.inOdoo, p.kills, total, total+p.proxy.Counts()[synctest.None], strings.Join(spoilt, ", "))
	t.Logf("%d differences that people had made in Odoo, fixed by one click each", fixed)
	t.Logf("equal at the end: %d camps, %d registrations, %d of others, %d guardians; %d differences", c.Camps, c.Registrations, c.Outside, c.Guardians, len(c.Drift))
}

func contactsUser(b *bundle) string {
	if b.pool == nil {
		return "deskcontact"
	}
	return "contacts"
}

// prepare makes camps, a week each, and the families.
func (p *proof) prepare(t *testing.T) {
	t.Helper()
	for i := range 8 {
		day := civil.NewDate(2027, 7, 5).AddDays(7 * i)
		p.events = append(p.events, p.event(t, fmt.Sprintf("Semaine %d", i+1), map[string]any{
			"date_begin": day.String() + " 07:00:00", "date_end": day.AddDays(4).String() + " 14:00:00", "seats_max": 2 * *proofRegistrations,
		}))
	}
	p.run(t, false)
	for i := range p.events {
		c, err := p.Camps.Camp(t.Context(), p.camp(t, fmt.Sprintf("Semaine %d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		p.Settings(t, c.ID, func(*camp.Settings) {})
		p.camps = append(p.camps, c)
	}
	for i := range (*proofRegistrations + 11) / 12 {
		p.families = append(p.families, p.newFamily(t, i))
	}
}

// newFamily makes a guardian with two children whose names nobody else has.
func (p *proof) newFamily(t *testing.T, n int) (f enroltest.Family) {
	t.Helper()
	name := unlike(n)
	err := p.DB.QueryRow(t.Context(), `INSERT INTO account (email, name, password_hash, confirmed_at) VALUES ($1, $2, 'x', now()) RETURNING id`,
		strings.ToLower(name)+"@example.org", name).Scan(&f.Account)
	if err != nil {
		t.Fatal(err)
	}
	f.Guardian, err = p.Households.SaveGuardian(t.Context(), f.Account, household.GuardianForm{
		FirstName: "Anne", LastName: name, Phone: fmt.Sprintf("+3247%07d", n), Street: "Rue Haute 1", Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, first := range []string{"Zoé", "Yanis"} {
		c, err := p.Households.AddChild(t.Context(), f.Guardian.ID, household.ChildForm{
			Key: uuid.New(), FirstName: first, LastName: name, BirthDate: civil.NewDate(2018, time.Month(1+n%12), 1+n%28).AddDays(i), Level: "P3",
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Children = append(f.Children, c)
	}
	return f
}

// unlike is a name of letters that stands for a number.
func unlike(n int) string {
	name := []byte("Q")
	for range 5 {
		name = append(name, "aeioubcdfg"[n%10])
		n /= 10
	}
	return string(name)
}

// spoil lets one call in four go wrong, silence more rarely since it costs time.
func (p *proof) spoil() func(string) synctest.Fault {
	all := synctest.All()
	return func(string) synctest.Fault {
		if rand.IntN(4) > 0 {
			return synctest.None
		}
		f := all[rand.IntN(len(all))]
		if (f == synctest.Silence || f == synctest.SilenceUnsent) && rand.IntN(3) > 0 {
			return synctest.CutBefore
		}
		return f
	}
}

func (p *proof) start(t *testing.T) *exec.Cmd {
	t.Helper()
	told, err := json.Marshal(syncerTask{Database: dbtest.URL(p.DB), Odoo: p.cfg})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), syncerEnv+"="+string(told))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// kill ends the syncer without a chance to say anything.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// step does the next thing so that all is done shortly before the time is over.
func (p *proof) step(t *testing.T, left time.Duration) {
	t.Helper()
	share := 1.0
	if left > 0 {
		share = 1.1 * (1 - float64(left)/float64(*proofTime))
	}
	switch {
	case p.registered < *proofRegistrations && float64(p.registered) < share*float64(*proofRegistrations):
		p.register(t)
	case p.registered > 4 && p.here < *proofChanges && float64(p.here) < share*float64(*proofChanges):
		p.changeHere(t)
		p.here++
	case p.registered > 4 && p.inOdoo < *proofChanges && float64(p.inOdoo) < share*float64(*proofChanges):
		p.changeOdoo(t)
		p.inOdoo++
	default:
		time.Sleep(time.Millisecond) // ahead of the clock
	}
}

func (p *proof) register(t *testing.T) {
	t.Helper()
	n := p.registered
	f := p.families[n%len(p.families)]
	turn := n / len(p.families)
	c := p.camps[turn/2%len(p.camps)]
	p.registered++
	if _, err := p.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[turn%2].ID, CampID: c.ID}); err != nil {
		p.refused++ // it was cancelled or renamed meanwhile, as the rules allow
		t.Logf("registration %d: %v", n, err)
	}
}

// changeHere does what families and staff do.
func (p *proof) changeHere(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	var id uuid.UUID
	var state enrol.State
	if err := p.DB.QueryRow(ctx, `SELECT id, state FROM registration WHERE state IN ('to_validate', 'awaiting_payment', 'confirmed') ORDER BY random() LIMIT 1`).Scan(&id, &state); err != nil {
		t.Fatal(err)
	}
	f := p.families[p.r.IntN(len(p.families))]
	var err error
	switch k := p.r.IntN(10); {
	case k < 4 && state == enrol.ToValidate:
		err = p.Enrol.Decide(ctx, f.Account, id, true, "")
	case k < 6 && state == enrol.AwaitingPayment:
		err = p.Enrol.RecordPayment(ctx, f.Account, p.due(t, id), 6000, "cash", uuid.New())
	case k < 7:
		err = p.Enrol.Cancel(ctx, f.Account, id, "essai")
	case k < 9:
		_, err = p.Households.SaveGuardian(ctx, f.Account, household.GuardianForm{
			FirstName: "Anne", LastName: f.Guardian.LastName, Phone: fmt.Sprintf("+3248%07d", p.r.IntN(1e7)), Street: "Rue Basse 2", Postcode: "7180", City: "Seneffe",
		})
	default:
		c := f.Children[0]
		err = p.Households.UpdateChild(ctx, f.Guardian.ID, c.ID, household.ChildForm{FirstName: "Zoé " + unlike(p.r.IntN(1e5)), LastName: c.LastName, BirthDate: c.BirthDate, Level: "P3"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// changeOdoo does what the commune's people do in Odoo, with our rows too.
func (p *proof) changeOdoo(t *testing.T) {
	t.Helper()
	event := p.events[p.r.IntN(len(p.events))]
	pick := func(query string) (id int64) {
		_ = p.DB.QueryRow(t.Context(), query).Scan(&id)
		return id
	}
	var err error
	switch k := p.r.IntN(12); k {
	case 0, 1, 2:
		p.others(t, event, []string{"open", "draft"}[p.r.IntN(2)], 1)
	case 3:
		err = p.odoo.Write(t.Context(), connector.ModelEvent, []int64{event}, map[string]any{"seats_max": 2**proofRegistrations + p.r.IntN(50)})
	case 4:
		err = p.odoo.Write(t.Context(), connector.ModelEvent, []int64{event}, map[string]any{"name": "Semaine " + unlike(p.r.IntN(1e5))})
	case 5, 6, 7:
		if id := pick(`SELECT odoo_id FROM odoo_external ORDER BY random() LIMIT 1`); id != 0 {
			switch k {
			case 5:
				err = p.odoo.Write(t.Context(), connector.ModelRegistration, []int64{id}, map[string]any{"state": "cancel"})
			case 6:
				err = p.odoo.Write(t.Context(), connector.ModelRegistration, []int64{id}, map[string]any{"event_id": event})
			default:
				err = p.odoo.Unlink(t.Context(), connector.ModelRegistration, []int64{id})
			}
		}
	default:
		if id := pick(`SELECT odoo_id FROM odoo_link WHERE kind = 'registration' ORDER BY random() LIMIT 1`); id != 0 {
			switch k {
			case 8:
				err = p.odoo.Unlink(t.Context(), connector.ModelRegistration, []int64{id})
			case 9:
				err = p.odoo.Write(t.Context(), connector.ModelRegistration, []int64{id}, map[string]any{"state": "cancel"})
			case 10:
				err = p.odoo.Write(t.Context(), connector.ModelRegistration, []int64{id}, map[string]any{"name": "Nom changé", "email": "autre@example.org"})
			default:
				err = p.odoo.Write(t.Context(), connector.ModelRegistration, []int64{id}, map[string]any{"active": false})
			}
		}
	}
	if err != nil && connector.KindOf(err) != connector.KindMissing && connector.KindOf(err) != connector.KindConflict {
		t.Fatal(err)
	}
}

// settle compares, and lets Odoo follow in whatever people changed there, as staff do by a click.
func (p *proof) settle(t *testing.T) (fixed int) {
	t.Helper()
	for range 5 {
		r := p.run(t, true)
		if r.Drift == 0 {
			return fixed
		}
		open, err := mirror.OpenDrift(t.Context(), p.DB, 10000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range open {
			side := mirror.FixOdoo
			if !d.CanFollow(side) {
				side = mirror.FixHere
			}
			if err := p.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
				return mirror.AskFix(ctx, tx, d.ID, side, p.families[0].Account)
			}); err != nil {
				t.Fatalf("%+v: %v", d, err)
			}
			fixed++
		}
		if _, err := p.sync.Fix(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return fixed
}

// count looks at Odoo without the help of the comparison: every registration that Odoo shall have stands there once,
// under its own external id.
func (p *proof) count(t *testing.T) {
	t.Helper()
	rows, err := p.odoo.RegistrationsOf(t.Context(), p.events)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(rows))
	for i, g := range rows {
		ids[i] = g.ID
	}
	metadata, err := p.odoo.Metadata(t.Context(), connector.ModelRegistration, ids)
	if err != nil {
		t.Fatal(err)
	}
	standing := map[string]int{}
	others := 0
	for _, m := range metadata {
		i := slices.IndexFunc(m.XMLIDs, func(x string) bool { return strings.Contains(x, ".reg_") })
		if i < 0 {
			others++
			continue
		}
		_, id, _ := strings.Cut(m.XMLIDs[i], ".reg_")
		standing[id]++
	}
	live := p.int(t, `SELECT count(*) FROM registration WHERE state IN ('to_validate', 'validated', 'awaiting_payment', 'confirmed', 'offered')`)
	found := 0
	for id, n := range standing {
		if n != 1 {
			t.Errorf("registration %s stands %d times in Odoo", id, n)
		}
		found += p.int(t, `SELECT count(*) FROM registration WHERE id = $1 AND state IN ('to_validate', 'validated', 'awaiting_payment', 'confirmed', 'offered')`, id)
	}
	names := map[string]bool{}
	for _, g := range rows {
		if key := fmt.Sprint(g.Name, g.Event.ID, g.Email); g.State != connector.StateCancel && !strings.HasPrefix(g.Name, "Autre ") {
			if names[key] {
				t.Errorf("%s stands twice in event %d", g.Name, g.Event.ID)
			}
			names[key] = true
		}
	}
	if found != live || len(names) != live {
		t.Errorf("%d of %d living registrations stand in Odoo, under %d names", found, live, len(names))
	}
	if made := p.int(t, `SELECT count(*) FROM registration`); made != p.registered-p.refused {
		t.Errorf("%d registrations here, %d were made", made, p.registered-p.refused)
	}
	if known := p.int(t, `SELECT count(*) FROM odoo_external`); known != others {
		t.Errorf("%d registrations of others in Odoo, %d known here", others, known)
	}
	t.Logf("counted in Odoo: %d rows of ours, %d of them living, %d of others", len(standing), found, others)
}
