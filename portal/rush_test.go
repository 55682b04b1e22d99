package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/internal/seal"
)

// rushed is a journey through a portal that does one heavy thing at once.
func rushed(t *testing.T) *journey {
	t.Helper()
	j := newJourney(t)
	j.config.Box, j.config.Slots = seal.NewTest(), 1
	s, err := newServer(j.config)
	if err != nil {
		t.Fatal(err)
	}
	s.gate.called = 50 * time.Millisecond // the slot of these tests is held for longer than anybody waits
	j.server.Config.Handler = s.outside(s.router())
	return j
}

func (w *browser) cookie(name string) string {
	u, _ := url.Parse(w.b.server.URL)
	for _, c := range w.c.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// TestCalmAsksNothing goes through a whole registration with the gate on and nobody else there.
func TestCalmAsksNothing(t *testing.T) {
	t.Parallel()
	j := rushed(t)
	j.register()
	j.keep(j.another("Cirque"), j.child.ID)
	j.sendBasket()
	if n := j.count(`SELECT count(*) FROM waiting_turn`); n != 0 || j.parent.cookie(turnCookie) != "" {
		t.Errorf("%d turns and the cookie %q on a calm day", n, j.parent.cookie(turnCookie))
	}
}

// TestRushKeepsWhatWasSent lets one family hold the only slot while another one sends its form.
func TestRushKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	j := rushed(t)
	ctx := context.Background()
	second, account := j.person("marc@example.test", "Marc")
	other := &journey{bundle: j.bundle, family: j.bundle.family(account), parent: second, account: account, camp: j.camp, line: j.line}
	check := second.see("/stages/" + j.camp.String() + "/inscription?enfant=" + other.child.ID.String() + "&aller=non&retour=non")
	form := asShown(check.doc.Find("form[method=post][action$=inscription]"), "remark", "tapé au clavier")

	j.keep(j.camp, j.child.ID)
	tx, err := j.db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, `SELECT 1 FROM child WHERE id = $1 FOR UPDATE`, j.child.ID); err != nil {
		t.Fatal(err)
	}
	held := make(chan int)
	go func() { held <- j.parent.send("/mon-espace/demandes/envoyer", "mode", "each").StatusCode }()
	j.waitUntilBusy(t)

	at := second.send("/stages/"+j.camp.String()+"/inscription", form...).to(t, "/file?vers=%2Fmon-espace%2Fdemandes")
	wait := second.see(at)
	wait.has(t, "main", "Position 1")
	wait.has(t, "main", "Vos demandes sont enregistrées")
	if wait.Header.Get("Refresh") == "" || len(wait.body) > 10_000 {
		t.Errorf("the page of the queue has %d bytes and looks again after %q", len(wait.body), wait.Header.Get("Refresh"))
	}
	if n := j.count(`SELECT count(*) FROM basket_line WHERE guardian_id = $1 AND remark = 'tapé au clavier'`, other.guardian.ID); n != 1 {
		t.Fatalf("%d lines were kept, want 1", n)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if code := <-held; code != http.StatusSeeOther {
		t.Fatalf("the family with the slot is answered %d", code)
	}
	// The turn is called: back to the basket, and one tap.
	next := second.get(at).to(t, "/mon-espace/demandes")
	second.see(next).has(t, ".notice.ok", "C’est votre tour")
	other.sendBasket()
	pairs := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		pairs.Add(form[i], form[i+1])
	}
	if n := j.count(`SELECT count(*) FROM registration WHERE submission_key = $1`, uuid.MustParse(pairs.Get("key"))); n != 1 {
		t.Errorf("%d registrations carry the form's key, want 1", n)
	}
	if n := j.count(`SELECT count(*) FROM waiting_turn WHERE done_at IS NOT NULL`); n != 1 {
		t.Errorf("%d turns are done, want 1", n)
	}
	// Sent again with the same turn, it is the same registration.
	second.send("/mon-espace/demandes/envoyer", "mode", "each", "ligne", pairs.Get("key")).to(t, "/mon-espace/demandes/envoyees?")
}

// waitUntilBusy returns once a request waits for the child's row, and so holds the slot.
func (j *journey) waitUntilBusy(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); {
		if j.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0 {
			return
		}
	}
	t.Fatal("nobody waits for the row")
}

// TestRushIsInOrder looks at the order, the grace, the signature and the memory of the queue.
func TestRushIsInOrder(t *testing.T) {
	t.Parallel()
	j := rushed(t)
	before := func(n int, seen time.Time) {
		for i := range n {
			j.exec(`INSERT INTO waiting_turn (id, arrived_at, seen_at) VALUES ($1, $2, $3)`, uuid.New(), testNow.Add(time.Duration(i-100)*time.Second), seen)
		}
	}
	before(5, testNow)
	before(7, testNow.Add(-turnAlive-time.Second)) // locked phones do not hold up the others
	w := j.browser()
	a := w.see("/file?vers=/mon-espace/demandes")
	a.has(t, ".amount", "Position 6")
	a.has(t, "main", "Nous mesurons la durée")
	stamp := w.cookie(turnCookie)

	// A later arrival stands behind, an own phone that was locked does not lose its position.
	*j.now = testNow.Add(time.Second)
	late := j.browser()
	late.see("/file?vers=/").has(t, ".amount", "Position 7")
	*j.now = testNow.Add(3 * time.Minute)
	j.exec(`UPDATE waiting_turn SET seen_at = $1 WHERE arrived_at < $2`, *j.now, testNow)
	w.see("/file?vers=/").has(t, ".amount", "Position 13")
	// The database forgets the rows in a crash: the cookie brings the turn back where it was.
	j.exec(`DELETE FROM waiting_turn WHERE arrived_at >= $1`, testNow)
	late.see("/file?vers=/").has(t, ".amount", "Position 13")
	w.see("/file?vers=/").has(t, ".amount", "Position 13")
	late.see("/file?vers=/").has(t, ".amount", "Position 14")
	// With measured calls there is an estimate.
	for i := range 20 {
		j.exec(`INSERT INTO waiting_turn (id, arrived_at, seen_at, served_at, done_at) VALUES ($1, $2, $3, $4, $4)`, uuid.New(), testNow, *j.now, j.now.Add(-time.Duration(i+5)*time.Second))
	}
	w.see("/file?vers=/").has(t, "main", "Votre tour vient dans moins d’une minute")
	// Once nobody is ahead, it goes on.
	j.exec(`DELETE FROM waiting_turn WHERE arrived_at < $1`, testNow)
	w.get("/file?vers=/mon-espace/demandes").to(t, "/mon-espace/demandes")

	// Nobody writes a turn of one's own, nor sends people elsewhere.
	forged := j.browser()
	forged.c.Jar.SetCookies(mustURL(t, j.server.URL), []*http.Cookie{{Name: turnCookie, Value: uuid.NewString() + ".1" + strings.TrimPrefix(stamp, stamp[:strings.LastIndex(stamp, ".")]), Path: "/"}})
	forged.get("/file?vers=//evil.example/").to(t, "/mon-espace/demandes")
	if n := j.count(`SELECT count(*) FROM waiting_turn WHERE arrived_at < '2000-01-01'`); n != 0 {
		t.Error("a forged turn was taken")
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestQueueAsksOneThing counts the statements of one look at the queue.
func TestQueueAsksOneThing(t *testing.T) {
	t.Parallel()
	j := rushed(t)
	for range 4 {
		j.exec(`INSERT INTO waiting_turn (id, arrived_at, seen_at) VALUES (gen_random_uuid(), $1, $2)`, testNow.Add(-time.Minute), testNow)
	}
	w := j.browser()
	w.see("/file") // joins, and learns the commune's name
	n := new(int)
	counted := j.config
	d := *counted.DB
	counted.DB = &d
	config := d.Config().Copy()
	config.ConnConfig.Tracer = countTracer{n}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	d.Pool = pool
	h, err := New(counted)
	if err != nil {
		t.Fatal(err)
	}
	j.server.Config.Handler = h
	w.see("/file")
	*n = 0
	w.see("/file")
	if *n != 1 {
		t.Errorf("a look at the queue makes %d statements, want 1", *n)
	}
}

type countTracer struct{ n *int }

func (c countTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	*c.n++
	return ctx
}

func (countTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestRushLive looks at the opening as the office does.
func TestRushLive(t *testing.T) {
	t.Parallel()
	j := rushed(t)
	agent, _ := j.person("anne@example.test", "Anne", "agent")
	j.exec(`UPDATE camp SET opens_at = $1`, testNow.Add(-time.Hour))
	j.register()
	j.keep(j.another("Cirque"), j.child.ID)
	j.exec(`INSERT INTO waiting_turn (id, arrived_at, seen_at) VALUES (gen_random_uuid(), $1, $2)`, testNow.Add(-2*time.Minute), testNow)
	live := agent.see("/gestion/ouverture")
	live.has(t, ".kpi", "1dans la file d’attente")
	live.has(t, ".kpi", "la première depuis 2 minutes")
	live.has(t, "table", "9 / 10")
	if live.Header.Get("Refresh") == "" {
		t.Error("the live page does not follow by itself")
	}
	if got := j.parent.get("/gestion/ouverture").StatusCode; got != http.StatusNotFound {
		t.Errorf("a parent is answered %d", got)
	}
}
