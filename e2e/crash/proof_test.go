package crash

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/e2e/house"
	"ribambelle/internal/enrol"
)

// proof compares what every side remembers, each asked in its own way.
type proof struct {
	t    *testing.T
	w    *world
	db   *pgxpool.Pool
	seen []string // the counts, to print
}

func (p *proof) say(format string, args ...any) {
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
}

// rows runs a query that gives one text a row.
func (p *proof) rows(sql string, args ...any) []string {
	p.t.Helper()
	rows, err := p.db.Query(p.t.Context(), sql, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return all
}

func (p *proof) count(sql string, args ...any) int {
	p.t.Helper()
	var n int
	if err := p.db.QueryRow(p.t.Context(), sql, args...).Scan(&n); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// calm waits until nothing is left to do: no job due, nothing to send to Odoo, no payment that one side has settled
// and the other has not.
func (p *proof) calm(ctx context.Context) error {
	return house.Within(ctx, calmTime, func(ctx context.Context) error {
		var jobs, unsent int
		err := p.db.QueryRow(ctx, `
			SELECT
			  (SELECT count(*) FROM river_job WHERE state IN ('available', 'running', 'retryable') OR state = 'scheduled' AND scheduled_at <= now()),
			  (SELECT count(*) FROM registration WHERE version > mirrored_version)`).Scan(&jobs, &unsent)
		if err != nil {
			return err
		}
		if jobs+unsent > 0 {
			return fmt.Errorf("%d jobs and %d registrations still wait", jobs, unsent)
		}
		books, err := p.w.house.Books(ctx)
		if err != nil {
			return err
		}
		for _, b := range books {
			var here string
			err := p.db.QueryRow(ctx, `SELECT status FROM payment WHERE provider_id = $1`, b.ID).Scan(&here)
			if err != nil {
				return fmt.Errorf("payment %s (%s) at the provider: %w", b.ID, b.Status, err)
			}
			if here != b.Status {
				return fmt.Errorf("payment %s is %s at the provider and %s here", b.ID, b.Status, here)
			}
		}
		return nil
	})
}

// invariants runs the domain's own queries.
func (p *proof) invariants() {
	p.t.Helper()
	for name, sql := range enrol.Invariants {
		if broken := p.rows(`SELECT x.*::text FROM (` + sql + `) AS x`); len(broken) > 0 {
			p.t.Errorf("BREACH: not %q: %d rows, such as %.3q", name, len(broken), broken)
		}
	}
	p.say("%d invariants hold on %d pools with %d places", len(enrol.Invariants), p.count(`SELECT count(*) FROM pool`), p.count(`SELECT count(*) FROM place`))
}

// registrations compares the families' notes with our rows and with Odoo's.
func (p *proof) registrations() {
	p.t.Helper()
	n := &p.w.notes
	here := map[string]string{} // id → state
	for _, row := range p.rows(`SELECT r.id || ' ' || r.state || ' ' || r.submission_key FROM registration r`) {
		f := strings.Fields(row)
		here[f[0]] = f[1]
		if key, ok := n.registrations[f[0]]; !ok {
			p.t.Errorf("BREACH: registration %s (%s) was acknowledged to nobody", f[0], f[1])
		} else if key != f[2] {
			p.t.Errorf("BREACH: registration %s has the key %s instead of %s", f[0], f[2], key)
		}
	}
	for id := range n.registrations {
		if here[id] == "" {
			p.t.Errorf("BREACH: the acknowledged registration %s is lost", id)
		}
	}
	for id := range n.decided {
		if s := here[id]; s == "submitted" || s == "to_validate" {
			p.t.Errorf("BREACH: registration %s was decided and is %s again", id, s)
		}
	}
	states := map[string]int{}
	for _, s := range here {
		states[s]++
	}
	p.say("%d registrations acknowledged in %d submissions, %d rows here, none lost or doubled: %v", len(n.registrations), n.attempts, len(here), states)
	if twice := p.rows(`SELECT child_id || ' ' || camp_id FROM registration GROUP BY child_id, camp_id HAVING count(*) > 1`); len(twice) > 0 {
		p.t.Errorf("BREACH: a child has two registrations for a camp: %.3q", twice)
	}
	if n := p.count(`SELECT count(*) FROM child WHERE first_name = 'Enfant'`); n != len(p.w.notes.names) {
		p.t.Errorf("BREACH: %d children, %d were acknowledged", n, len(p.w.notes.names))
	}
	p.inOdoo(here)
}

func (p *proof) inOdoo(here map[string]string) {
	p.t.Helper()
	ctx := p.t.Context()
	named, err := p.w.house.Odoo.Rows(ctx, "ir.model.data", []any{[]any{"model", "=", "event.registration"}, []any{"name", "like", "reg_"}}, "name", "res_id")
	if err != nil {
		p.t.Fatal(err)
	}
	of := map[int64]string{} // Odoo's id → ours
	count := map[string]int{}
	for _, r := range named {
		id := strings.TrimPrefix(r["name"].(string), "reg_")
		of[r["res_id"].(int64)] = id
		count[id]++
	}
	events := []any{}
	for _, id := range p.rows(`SELECT odoo_id::text FROM odoo_link WHERE kind = 'camp' AND local_id = ANY($1)`, p.w.camps) {
		var n int64
		fmt.Sscan(id, &n) //nolint:errcheck // a number of ours
		events = append(events, n)
	}
	rows, err := p.w.house.Odoo.Rows(ctx, "event.registration", []any{[]any{"event_id", "in", events}}, "name", "state")
	if err != nil {
		p.t.Fatal(err)
	}
	there, equal := map[string]int{}, 0
	for _, r := range rows {
		id := of[r["id"].(int64)]
		there[id]++
		want := enrol.State(here[id]).Info().Odoo
		if enrol.State(here[id]) == enrol.Waitlisted {
			want = "cancel" // it was offered a place before
		}
		switch {
		case id == "":
			p.t.Errorf("BREACH: Odoo's registration %v (%v) is none of ours", r["id"], r["name"])
		case r["state"] != want:
			p.t.Errorf("BREACH: registration %s is %s here and %v in Odoo, want %s", id, here[id], r["state"], want)
		default:
			equal++
		}
	}
	unsent := 0
	for id, state := range here {
		if there[id] > 1 || count[id] > 1 {
			p.t.Errorf("BREACH: registration %s stands %d times in Odoo, with %d external ids", id, there[id], count[id])
		}
		if there[id] > 0 {
			continue
		}
		// Odoo never hears of a waiting list, nor of what ended before it was sent.
		if i := enrol.State(state).Info(); i.State != enrol.Waitlisted && !i.Exit {
			p.t.Errorf("BREACH: registration %s (%s) is not in Odoo", id, state)
		}
		unsent++
	}
	p.say("%d of them in Odoo, each once and in equal state; %d waiting or ended before they were sent", equal, unsent)
}

// money compares our ledger with the provider's books.
func (p *proof) money() {
	p.t.Helper()
	books, err := p.w.house.Books(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	booked := map[string]int64{}
	lines, err := p.db.Query(p.t.Context(), `
		SELECT p.provider_id, l.cents
		FROM ledger_line l
		JOIN payment p ON p.id = l.payment_id
		WHERE l.kind = 'payment'`)
	if err != nil {
		p.t.Fatal(err)
	}
	var id string
	var cents int64
	if _, err := pgx.ForEachRow(lines, []any{&id, &cents}, func() error {
		if _, twice := booked[id]; twice {
			p.t.Errorf("BREACH: payment %s is booked twice", id)
		}
		booked[id] = cents
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	var sum, paid int64
	for _, b := range books {
		if b.Status == "paid" {
			sum, paid = sum+b.Cents, paid+1
			if booked[b.ID] != b.Cents {
				p.t.Errorf("BREACH: payment %s of %d cents is booked here with %d", b.ID, b.Cents, booked[b.ID])
			}
		} else if booked[b.ID] != 0 {
			p.t.Errorf("BREACH: payment %s is %s and booked here with %d", b.ID, b.Status, booked[b.ID])
		}
		delete(booked, b.ID)
	}
	for id, cents := range booked {
		p.t.Errorf("BREACH: %d cents are booked of a payment %s that the provider does not know", cents, id)
	}
	p.say("%d payments at the provider, %d of them paid: %d cents on both sides; %d invoices without gap",
		len(books), paid, sum, p.count(`SELECT count(*) FROM invoice`))
}

// secrets looks for what must not be readable: in every column of every database of the home, in the logs and in the
// mails.
func (p *proof) secrets() {
	p.t.Helper()
	n := &p.w.notes
	cells := 0
	for _, name := range []string{"ribambelle", "demo_odoo", "demo_mollie", "demo_mail"} {
		needles := slices.Clone(n.secrets)
		if name != "demo_mail" { // a mail that carries a link carries its code
			needles = append(needles, n.tokens...)
		}
		n, hit := p.search(name, needles, control[name])
		if cells += n; !hit {
			p.t.Errorf("the search does not even find %q in %s", control[name], name)
		}
	}
	output, err := p.w.house.Output()
	if err != nil {
		p.t.Fatal(err)
	}
	p.readable("the log", output, append(slices.Clone(n.secrets), n.tokens...))
	p.readable("the log", output, n.names)
	mails, err := p.w.house.Mails(p.t.Context(), "")
	if err != nil {
		p.t.Fatal(err)
	}
	ids := map[string]int{}
	for _, m := range mails {
		ids[m.MessageID]++
		p.readable("a mail", m.Subject+m.Text+m.HTML, n.secrets)
	}
	p.say("%d secrets and %d tokens readable nowhere in %d rows, %d bytes of log and %d mails (%d different: a repeat after a kill keeps its Message-ID)",
		len(n.secrets), len(n.tokens), cells, len(output), len(mails), len(ids))
}

// control is what the search must find in each database: one that finds nothing proves nothing.
var control = map[string]string{"ribambelle": "famille.", "demo_odoo": "Enfant Crash", "demo_mollie": "/paiements/", "demo_mail": asHex("Subject: ")}

// search goes through every row of a database and returns how many there are, and whether the control word is in one.
func (p *proof) search(database string, needles []string, control string) (n int, hit bool) {
	p.t.Helper()
	ctx := p.t.Context()
	address, err := p.w.house.Database(database)
	if err != nil {
		p.t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `
		SELECT format('%I.%I', table_schema, table_name)
		FROM information_schema.tables
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
		  AND table_type = 'BASE TABLE'`)
	if err != nil {
		p.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Fatal(err)
	}
	all := slices.Clone(needles)
	for _, s := range needles {
		all = append(all, asHex(s))
	}
	for _, table := range tables {
		rows, err := conn.Query(ctx, `SELECT r::text FROM `+table+` AS r`)
		if err != nil {
			p.t.Fatal(err)
		}
		var text string
		if _, err := pgx.ForEachRow(rows, []any{&text}, func() error {
			n++
			hit = hit || strings.Contains(text, control)
			p.readable(database+"."+table, text, all)
			return nil
		}); err != nil {
			p.t.Fatal(err)
		}
	}
	return n, hit
}

func (p *proof) readable(where, text string, needles []string) {
	p.t.Helper()
	text = strings.ToLower(text)
	for _, s := range needles {
		if strings.Contains(text, strings.ToLower(s)) {
			p.t.Errorf("BREACH: %q stands readable in %s", s, where)
		}
	}
}
