package reports

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	queue "ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// paid makes a confirmed registration in a camp of two days in April 2026 with what was paid, and its first sessions
// marked as attended.
func (b *bundle) paid(name, guardian, childName string, cents, marks int) {
	b.t.Helper()
	pool := b.id(`INSERT INTO pool (kind) VALUES ('camp') RETURNING id`, nil)
	camp := b.id(`
		INSERT INTO camp (name, begins_at, ends_at, pool_id)
		VALUES (@name, '2026-04-07T07:00:00Z', '2026-04-08T14:00:00Z', @pool)
		RETURNING id`, pgx.NamedArgs{"name": name, "pool": pool})
	g := b.guardian(guardian, "Lambert", "")
	if cents%2 == 0 {
		b.exec(`UPDATE guardian SET street = 'Rue 1', postcode = '4999', city = 'Valmont' WHERE id = @g`, pgx.NamedArgs{"g": g})
	}
	c := b.child(childName, "Lambert", civil.NewDate(2017, 1, 2))
	r := b.id(`
		INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, price_cents, price_detail, created_at, updated_at)
		VALUES (gen_random_uuid(), @child, @camp, @g, @g, @g, 'confirmed', @now, 5000, '[{"label": "price.camp", "cents": 5000}]', @now, @now)
		RETURNING id`, pgx.NamedArgs{"child": c, "camp": camp, "g": g, "now": now})
	due := b.id(`
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, created_at)
		VALUES (@r, @g, @g, lpad((random() * 1e9)::bigint::text, 12, '0'), @now)
		RETURNING id`, pgx.NamedArgs{"r": r, "g": g, "now": now})
	for kind, amount := range map[string]int{"charge": 5000, "payment": cents} {
		b.exec(`
			INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
			VALUES (@due, @r, @g, @g, @kind, @cents, '', 'bank', 'test', '2026-03-01T12:00:00Z')`,
			pgx.NamedArgs{"due": due, "r": r, "g": g, "kind": kind, "cents": amount})
	}
	for i := range 2 {
		session := b.id(`INSERT INTO camp_session (camp_id, day, starts, ends) VALUES (@camp, @day, '09:00', '16:00') RETURNING id`,
			pgx.NamedArgs{"camp": camp, "day": civil.NewDate(2026, 4, 7+i)})
		if i < marks {
			b.exec(`INSERT INTO attendance (registration_id, session_id, present, marked_by, marked_at) VALUES (@r, @s, true, @by, @now)`,
				pgx.NamedArgs{"r": r, "s": session, "by": b.account("Tom"), "now": now})
		}
	}
}

func TestFiscalControl(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.paid("Cirque", "Anne", "Léo", 5000, 2)
	b.paid("Vélo", "Bea", "Zoé", 5000, 1)
	b.paid("Nature", "Chloé", "Max", 1001, 2)
	clock := func() time.Time { return now }
	jobs, err := queue.NewInserter(b.db)
	if err != nil {
		t.Fatal(err)
	}
	store := ledger.NewAttestations(b.db, clock, seal.NewTest(), household.New(b.db, clock, seal.NewTest(), jobs), jobs)
	finance := audit.Account(b.account("Fabien Dumont", "finance"))
	file, err := b.store.Fiscal(t.Context(), store, 2026, finance)
	if err != nil {
		t.Fatal(err)
	}
	if file.Name != "controle-281-86-2026.xlsx" {
		t.Errorf("file name %q", file.Name)
	}
	show(t, "controle.xlsx", file.Body)
	f := open(t, file.Body)
	rows, err := f.GetRows("Contrôle")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"Débiteur fiscal", "Enfant", "Stage", "Dernier jour", "Reçu", "Ce qui manque", "À faire", "Attestation"},
		{"Anne Lambert", "Léo Lambert", "Cirque", "08/04/2026", "50.00 €", "Numéro national du débiteur fiscal inconnu", "Demander au parent de l’écrire dans son espace, page « Attestations »."},
		{"Anne Lambert", "Léo Lambert", "Cirque", "08/04/2026", "50.00 €", "Numéro national de l’enfant inconnu", "Demander au parent de l’écrire sur la page de l’enfant."},
		{"Bea Lambert", "Zoé Lambert", "Vélo", "08/04/2026", "50.00 €", "Présences à encoder\n1 séance sans présence encodée", "Demander aux animateurs d’encoder les présences."},
		{"Chloé Lambert", "Max Lambert", "Nature", "08/04/2026", "10.01 €", "Tout n’est pas payé", "Encaisser ou relancer : l’attestation suit dès que tout est payé, par tous les payeurs."},
	}
	got := [][]string{rows[0]} // the order of what is open is nobody's promise
	for _, who := range []string{"Anne", "Bea", "Chloé"} {
		for _, r := range rows[1:] {
			if len(r) > 0 && len(r[0]) >= len(who) && r[0][:len(who)] == who {
				for len(r) > 0 && r[len(r)-1] == "" {
					r = r[:len(r)-1]
				}
				got = append(got, r)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(rows) != len(want) {
		t.Errorf("%d rows (-want +got):\n%s", len(rows), diff)
	}
	if raw, _ := f.GetCellValue("Contrôle", "E2", excelize.Options{RawCellValue: true}); raw != "50" {
		t.Errorf("the amount is stored as %q, want a number", raw)
	}

	var lines int
	err = b.db.QueryRow(t.Context(), `
		SELECT count(*)
		FROM audit
		WHERE action = 'report.produced' AND subject_kind = 'year' AND subject_id = '2026' AND detail->>'rows' = '4'`).Scan(&lines)
	if err != nil || lines != 1 {
		t.Errorf("%d lines in the audit (%v)", lines, err)
	}
	for _, role := range []string{"agent", "organiser", "leader"} {
		if _, err := b.store.Fiscal(t.Context(), store, 2026, audit.Account(b.account("X", role))); !problem.Is(err, problem.KindForbidden) {
			t.Errorf("the %s gets %v", role, err)
		}
	}
	if _, err := b.store.Fiscal(t.Context(), store, 2019, finance); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("2019 gives %v", err)
	}
}
