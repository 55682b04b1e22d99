package sync_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/enrol"
	"ribambelle/sync/synctest"
)

var benchSync = flag.Bool("bench.sync", false, "compare pull and push with the bare calls (make bench-sync)")

const (
	benchRuns  = 9
	benchPull  = 5000
	benchPush  = 500
	benchBound = 1.5
)

// TestBench compares what synchronising costs with what Odoo alone takes for the same pages and rows, on one server in
// one run, and counts the calls of a pass with nothing new.
func TestBench(t *testing.T) {
	if !*benchSync {
		t.Skip("this is make bench-sync")
	}
	b := setup(t)
	version, err := b.odoo.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := "an Odoo " + version.Text + " at " + b.cfg.URL
	if b.pool != nil {
		server = "the event module"
	}
	proxy := synctest.Start(t, b.cfg.URL)
	cfg := b.cfg
	cfg.User, cfg.Password = contactsUser(b), contactsUser(b)
	b.sync = b.syncer(b.client(t, cfg))
	bare := b.client(t, cfg)
	t.Logf("On %s, medians of %d.", server, benchRuns)

	b.benchNothing(t, proxy, cfg)
	b.benchPull(t, bare)
	b.benchPush(t, bare)
}

// ratio measures both in turn and judges the medians.
func ratio(t *testing.T, what string, ours, bare func() time.Duration) {
	t.Helper()
	var a, z []time.Duration
	for range benchRuns {
		z = append(z, bare())
		a = append(a, ours())
	}
	slices.Sort(a)
	slices.Sort(z)
	m, n := a[benchRuns/2], z[benchRuns/2]
	r := float64(m) / float64(n)
	t.Logf("%s: %v against %v bare, %.2f times (bound %.1f)", what, m.Round(time.Millisecond), n.Round(time.Millisecond), r, benchBound)
	if r > benchBound {
		t.Errorf("%s takes %.2f times the bare calls, more than %.1f", what, r, benchBound)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func (b *bundle) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := b.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bundle) benchPull(t *testing.T, bare *connector.Client) {
	t.Helper()
	event := b.event(t, "Grand pull", map[string]any{"seats_limited": false})
	b.run(t, false)
	for i := range benchPull / 500 {
		var rows [][]string
		for k := range 500 {
			n := strconv.Itoa(500*i + k)
			rows = append(rows, []string{strings.ReplaceAll(b.mark, " ", "_") + ".x" + n, "Participant " + n, "p" + n + "@example.org", "+3247" + n, strconv.FormatInt(event, 10), "open"})
		}
		if ids, messages, err := b.odoo.Load(t.Context(), connector.ModelRegistration, []string{"id", "name", "email", "phone", "event_id/.id", "state"}, rows); err != nil || ids == nil {
			t.Fatal(messages, err)
		}
	}
	rows := 0
	ratio(t, fmt.Sprintf("pull of %d registrations", benchPull),
		func() time.Duration {
			b.exec(t, `DELETE FROM odoo_external`, `DELETE FROM odoo_cursor WHERE model = 'event.registration'`, `UPDATE pool SET external = 0`)
			return timed(func() {
				r, err := b.sync.Pull(t.Context(), false)
				if err != nil || r.Outside < benchPull {
					t.Fatalf("%+v, %v", r, err)
				}
			})
		},
		func() time.Duration {
			return timed(func() {
				rows = 0
				for page, err := range bare.RegistrationPages(t.Context(), time.Time{}) {
					if err != nil {
						t.Fatal(err)
					}
					rows += len(page)
				}
			})
		})
	if rows < benchPull {
		t.Errorf("the bare pages hold %d rows", rows)
	}
}

// benchNothing counts the calls of a pass in which nothing is new. What was written in the last quarter of an hour is
// read again, in pages of 500 rows; here that are 50.
func (b *bundle) benchNothing(t *testing.T, proxy *synctest.Proxy, cfg connector.Config) {
	t.Helper()
	b.others(t, b.event(t, "Rien de neuf", nil), "draft", 50)
	cfg.URL = proxy.URL
	s := b.syncer(b.client(t, cfg))
	for range 2 { // the first signs in and asks for fields
		proxy.Calls()
		if _, err := s.Run(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	perModel, sum := map[string]int{}, 0
	for method, n := range proxy.Calls() {
		model := method[:max(strings.LastIndexByte(method, '.'), 0)]
		perModel[model] += n
		sum += n
		if perModel[model] > 1 {
			t.Errorf("%d calls of %s although nothing is new", perModel[model], model)
		}
	}
	t.Logf("a pass with nothing new: %d calls, one of each of %d models", sum, len(perModel))
}

func (b *bundle) benchPush(t *testing.T, bare *connector.Client) {
	t.Helper()
	registrations := benchPush
	p := &proof{bundle: b}
	*proofRegistrations = registrations
	p.prepare(t)
	for len(p.families)*16 < registrations {
		p.families = append(p.families, p.newFamily(t, len(p.families)))
	}
	for p.registered < registrations {
		n := p.registered
		f, turn := p.families[n%len(p.families)], n/len(p.families)
		if _, err := p.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[turn%2].ID, CampID: p.camps[turn/2%len(p.camps)].ID}); err != nil {
			t.Fatal(err)
		}
		p.registered++
	}
	b.run(t, false)
	rows := b.pushedRows(t)
	n := 0
	unlink := func() {
		regs, err := b.odoo.RegistrationsOf(t.Context(), p.events)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int64, len(regs))
		for i, g := range regs {
			ids[i] = g.ID
		}
		if err := b.odoo.Unlink(t.Context(), connector.ModelRegistration, ids); err != nil {
			t.Fatal(err)
		}
	}
	unlink()
	ratio(t, fmt.Sprintf("push of %d registrations", registrations),
		func() time.Duration {
			b.exec(t, `DELETE FROM odoo_link WHERE kind = 'registration'`, `UPDATE registration SET mirrored_version = 0`)
			d := timed(func() {
				r, err := b.sync.Push(t.Context())
				if err != nil || r.Pushed != registrations {
					t.Fatalf("%+v, %v", r, err)
				}
			})
			unlink()
			return d
		},
		func() time.Duration {
			n++
			for i := range rows {
				rows[i][0] = fmt.Sprintf("%s_%d.reg_%d", strings.ReplaceAll(b.mark, " ", "_"), n, i)
			}
			d := timed(func() {
				ids, messages, err := bare.Load(t.Context(), connector.ModelRegistration, []string{"id", "event_id/.id", "event_ticket_id/.id", "partner_id/.id", "name", "email", "phone", "state"}, rows)
				if err != nil || len(ids) != registrations {
					t.Fatal(messages, err)
				}
			})
			unlink()
			return d
		})
}

// pushedRows reads back what was pushed, as rows to load.
func (b *bundle) pushedRows(t *testing.T) (rows [][]string) {
	t.Helper()
	list, err := b.DB.Query(t.Context(), `
		SELECT e.odoo_id::text, p.odoo_id::text, c.first_name || ' ' || c.last_name, g.email, g.phone
		FROM registration r
		JOIN child c ON c.id = r.child_id
		JOIN guardian g ON g.id = r.registrant_id
		JOIN odoo_link e ON e.kind = 'camp' AND e.local_id = r.camp_id
		JOIN odoo_link p ON p.kind = 'guardian' AND p.local_id = g.id
		ORDER BY r.created_at, r.id`)
	if err != nil {
		t.Fatal(err)
	}
	for list.Next() {
		row := []string{"", "", "", "", "", "", "", "draft"}
		if err := list.Scan(&row[1], &row[3], &row[4], &row[5], &row[6]); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
