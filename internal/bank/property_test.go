package bank_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/problem"
)

// TestAnyMatchingKeepsTheInvariants brings random files, some of them again, and matches what waits to anything, while
// registrations expire and are cancelled: the promises of enrolment hold, and what the ledger got from the bank is what
// the bank says of the matched entries.
func TestAnyMatchingKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := context.Background()
	camps := []uuid.UUID{
		w.Camp(t, "Un", 2).ID, w.CampOn(t, "Deux", 2, civil.NewDate(2027, 7, 12), civil.NewDate(2027, 7, 16)).ID,
		w.CampOn(t, "Trois", 0, civil.NewDate(2027, 8, 2), civil.NewDate(2027, 8, 6)).ID,
	}
	families := []enroltest.Family{w.Family(t, 2), w.Family(t, 1)}
	number := 0
	rapid.Check(t, func(r *rapid.T) {
		var made []owing
		for i, f := range families {
			for child := range f.Children {
				camp := camps[rapid.IntRange(0, len(camps)-1).Draw(r, "camp")]
				if w.count(t, `SELECT count(*) FROM registration WHERE child_id = $1 AND due_at IS NOT NULL`, families[i].Children[child].ID) == 0 &&
					w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1 AND state NOT IN ('cancelled', 'expired')`, camp) < 2 &&
					w.count(t, `SELECT count(*) FROM registration WHERE camp_id = $1 AND child_id = $2 AND state NOT IN ('cancelled', 'expired')`, camp, f.Children[child].ID) == 0 {
					made = append(made, w.owes(t, f, child, camp))
				}
			}
		}
		var dues []owing
		rows, err := w.DB.Query(ctx, `SELECT registration_id, id, communication FROM due ORDER BY created_at DESC, id LIMIT 6`)
		if err != nil {
			r.Fatal(err)
		}
		for rows.Next() {
			var o owing
			if err := rows.Scan(&o.id, &o.due, &o.communication); err != nil {
				r.Fatal(err)
			}
			dues = append(dues, o)
		}
		rows.Close()
		if len(dues) == 0 {
			r.Skip("nothing owed")
		}
		number++
		one := rapid.Custom(func(r *rapid.T) moved {
			m := moved{
				cents: rapid.SampledFrom([]int{6000, 3000, 12000, 1, -6000}).Draw(r, "cents"),
				name:  rapid.SampledFrom([]string{"LAMBERT SOPHIE", "Mollie", ""}).Draw(r, "name"),
			}
			switch o := rapid.SampledFrom(dues).Draw(r, "due"); rapid.IntRange(0, 2).Draw(r, "how") {
			case 0:
				m.structured = o.communication
			case 1:
				m.free = "com " + o.communication
			}
			return m
		})
		file := coda(number, rapid.SliceOfN(one, 1, 5).Draw(r, "file")...)
		for range rapid.IntRange(1, 2).Draw(r, "times") {
			if _, err := w.bank.Import(ctx, actor, "releve.cod", []byte(file)); err != nil {
				r.Fatal(err)
			}
			w.holds(r)
		}
		queue, err := w.bank.Queue(ctx, 3)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range queue {
			if rapid.Bool().Draw(r, "aside") {
				err = w.bank.SetAside(ctx, actor, e.ID)
			} else {
				err = w.bank.Match(ctx, actor, e.ID, rapid.SampledFrom(dues).Draw(r, "match").due)
			}
			if err != nil && problem.As(err) == nil {
				r.Fatal(err)
			}
			w.holds(r)
		}
		if rapid.Bool().Draw(r, "expire") {
			w.Pass(9 * 24 * 3600e9)
			if _, err := w.Enrol.Expire(ctx); err != nil {
				r.Fatal(err)
			}
			w.Rewind()
		}
		for _, o := range made {
			if rapid.Bool().Draw(r, "cancel") {
				if err := w.Enrol.Cancel(ctx, families[0].Account, o.id, "fin"); err != nil && problem.As(err) == nil {
					r.Fatal(err)
				}
			}
		}
		w.holds(r)
		booked := w.count(t, `SELECT COALESCE(sum(cents), 0)::bigint FROM ledger_line WHERE source = 'bank'`)
		said := w.count(t, `SELECT COALESCE(sum(cents), 0)::bigint FROM bank_entry WHERE state = 'matched'`)
		if booked != said {
			r.Fatalf("the ledger has %d cents from the bank, the matched entries are %d", booked, said)
		}
		apart := w.count(t, `SELECT count(*) FROM ledger_line l FULL JOIN bank_entry e ON e.id = l.submission_key
			WHERE (l.source = 'bank' OR e.state = 'matched') AND (e.state IS DISTINCT FROM 'matched' OR l.cents IS DISTINCT FROM e.cents OR l.due_id IS DISTINCT FROM e.due_id)`)
		if apart != 0 {
			r.Fatalf("%d lines and entries do not agree", apart)
		}
	})
}
