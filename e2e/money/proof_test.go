package money

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/molliesim"
)

var (
	kills    = flag.Int("kills", 3, "how often the process is killed")
	commands = flag.Int("commands", 400, "how many commands are done at least")
	seed     = flag.Uint64("seed", 0, "of the commands; 0 draws one")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

func say(format string, args ...any) { fmt.Printf("proof: "+format+"\n", args...) }

// proof is the commune with its provider, in the process that is not killed.
type proof struct {
	*commune
	t     *testing.T
	books *molliesim.Server
	began time.Time

	done  map[string]int
	total int
}

func TestProof(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	say("seed %d", *seed)
	p := newProof(t)
	rnd := rand.New(rand.NewPCG(*seed, 99))
	for i := range *kills + 1 {
		p.run(uint64(i), *commands/(*kills+1), rnd)
	}
	p.settle()
	p.compare()
}

func newProof(t *testing.T) *proof {
	t.Helper()
	ctx := t.Context()
	d := dbtest.New(t)
	w, err := enroltest.On(d)
	if err != nil {
		t.Fatal(err)
	}
	raise(t, w)
	p := &proof{t: t, began: time.Now(), done: map[string]int{}}
	outside := httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(outside.Close)
	provider := httptest.NewUnstartedServer(nil)
	base := "http://" + provider.Listener.Addr().String()
	p.books, err = molliesim.Open(ctx, dbtest.Empty(t).Pool, molliesim.Options{
		APIKey: apiKey, BaseURL: base, Clock: clock(p.began), Minute: 40 * time.Millisecond, Lifetime: 8 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	provider.Config.Handler = p.books
	provider.Start()
	t.Cleanup(provider.Close)
	if p.commune, err = join(ctx, d, base, outside.URL, clock(p.began)); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.books.Run(running) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return p
}

// answer stands for payers on the provider's page, and takes its signals as the portal does.
func (p *proof) answer(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	if path, ok := strings.CutPrefix(r.URL.Path, "/act/"); ok {
		id, action, _ := strings.Cut(path, "/")
		_, _ = p.books.Act(ctx, id, molliesim.Action(action), "bancontact")
		return
	}
	id, err := p.enrol.PaymentByProvider(ctx, "mollie", r.FormValue("id"))
	if err == nil {
		_, _ = p.enrol.CheckPayment(ctx, id) // what fails is asked again at the end
	}
	w.WriteHeader(http.StatusOK)
}

// run starts the process, makes trouble at the provider, and kills the process once it has done n commands.
func (p *proof) run(serial uint64, n int, rnd *rand.Rand) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], "-test.run=^TestWorker$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), envDB+"="+dbtest.URL(p.db), envSim+"="+p.sim, envOut+"="+p.outside,
		envBegan+"="+p.began.Format(time.RFC3339Nano), fmt.Sprintf("%s=%d", envSeed, *seed+serial))
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	here := 0
	for lines.Scan() {
		if broken, ok := strings.CutPrefix(lines.Text(), "BROKEN "); ok {
			p.t.Errorf("the process: %s", broken)
			break
		}
		name, ok := strings.CutPrefix(lines.Text(), "DONE ")
		if !ok {
			continue
		}
		p.done[name]++
		p.total++
		if rnd.IntN(4) == 0 {
			p.trouble(rnd)
		}
		if here++; here >= n {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// trouble lets something go wrong at the provider.
func (p *proof) trouble(rnd *rand.Rand) {
	kinds := slices.DeleteFunc(slices.Clone(molliesim.Troubles), func(k molliesim.TroubleKind) bool { return k == molliesim.TroubleRefundQueued })
	t := molliesim.Trouble{Kind: kinds[rnd.IntN(len(kinds))], Delay: time.Duration(rnd.IntN(600)) * time.Millisecond}
	if t.Kind == molliesim.TroubleOtherAmount {
		t.Cents = civil.Cents(100 + rnd.IntN(9000))
	}
	if err := p.books.Script(p.t.Context(), t); err != nil {
		p.t.Error(err)
	}
}

// settle lets everything that is under way end: what was decided is sent, the provider does what it has, every payment
// and refund is asked after.
func (p *proof) settle() {
	p.t.Helper()
	ctx := p.t.Context()
	if err := p.books.ClearScript(ctx); err != nil {
		p.t.Fatal(err)
	}
	for round := range 60 {
		for _, id := range p.ids(`SELECT id FROM refund WHERE state = 'decided' AND way = 'provider'`) {
			_ = p.enrol.SendRefund(ctx, id)
		}
		for _, id := range p.ids(`SELECT id FROM payment`) {
			if _, err := p.enrol.CheckPayment(ctx, id); err != nil && round == 59 {
				p.t.Errorf("payment %s: %v", id, err)
			}
		}
		if len(p.ids(`SELECT id FROM refund WHERE way = 'provider' AND state IN ('decided', 'sent')`)) == 0 && round > 3 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	p.t.Error("refunds are still under way")
}

func (p *proof) ids(sql string) []uuid.UUID {
	p.t.Helper()
	rows, err := p.db.Query(p.t.Context(), sql)
	if err != nil {
		p.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		p.t.Fatal(err)
	}
	return ids
}

// compare holds the ledger against the provider's books, payment by payment, and against every invariant.
func (p *proof) compare() {
	p.t.Helper()
	ctx := p.t.Context()
	entries, err := p.books.Books(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	var paid, refunded, taken civil.Cents
	var nPaid, nBack, differ int
	for _, e := range entries {
		if e.Status != "paid" {
			e.Cents = 0
		} else {
			nPaid++
		}
		if e.Refunded+e.ChargedBack > 0 {
			nBack++
		}
		paid, refunded, taken = paid+e.Cents, refunded+e.Refunded, taken+e.ChargedBack
		var in, out civil.Cents
		err := p.db.QueryRow(ctx, `
			SELECT COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'payment'), 0)::bigint,
			  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'refund' AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id OR x.refund_id = l.refund_id AND x.label = 'ledger.refund_returned')), 0)::bigint
			FROM payment p
			JOIN ledger_line l ON l.payment_id = p.id
			WHERE p.provider_id = $1`, e.ID).Scan(&in, &out)
		if err != nil {
			p.t.Fatal(err)
		}
		if in != e.Cents || out != e.Refunded+e.ChargedBack {
			differ++
			p.t.Errorf("payment %s (%s): the ledger has %d in and %d out, the provider %d, and %d + %d back", e.ID, e.Status, in, out, e.Cents, e.Refunded, e.ChargedBack)
		}
	}
	say("%d commands in %d processes, %d of them killed in the middle", p.total, *kills+1, *kills+1)
	for _, name := range slices.Sorted(maps.Keys(p.done)) {
		say("  %-18s %5d", name, p.done[name])
	}
	say("%d payments at the provider, %d paid: %s €; %d with money back: %s € refunded, %s € taken back by banks; %d differ from the ledger",
		len(entries), nPaid, paid.Euros(), nBack, refunded.Euros(), taken.Euros(), differ)
	checked := 0
	for _, all := range []map[string]string{enrol.Invariants, ledger.Invariants} {
		for name, sql := range all {
			checked++
			var broken int
			if err := p.db.QueryRow(ctx, `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
				p.t.Errorf("%s: %d rows break it (%v)", name, broken, err)
			}
		}
	}
	var lines, invoices, notes, refunds int
	err = p.db.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM ledger_line), (SELECT count(*) FROM invoice), (SELECT count(*) FROM credit_note),
		  (SELECT count(*) FROM refund)`).Scan(&lines, &invoices, &notes, &refunds)
	if err != nil {
		p.t.Fatal(err)
	}
	say("%d lines, %d invoices and %d credit notes without a gap, %d refunds; %d invariants hold", lines, invoices, notes, refunds, checked)
	if nPaid == 0 || nBack == 0 || invoices == 0 {
		p.t.Error("too little happened to prove anything")
	}
}
