package portal

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// fill makes n registrations with all that hangs on them, straight in the tables: 5 children for 12 registrations and
// 60 camps for 3,000, as in the seeded town. What one season of 600 camps cannot hold lies in the years before, so that
// a hundred times the seeded town is ten times as large and ten years old. Names are made of syllables: 400 first names
// and 19,683 family names, spread as evenly as no town's are, which is the worst for a search among them.
func (b *bundle) fill(n int) {
	b.t.Helper()
	camps := max(n/50, 10)
	args := pgx.NamedArgs{"n": n, "families": n / 4, "children": n * 5 / 12, "camps": camps, "season": min(camps, 600)}
	tx, err := b.db.Begin(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	for _, sql := range scaleRowsSQL {
		var with []any
		if strings.Contains(sql, "@") {
			with = append(with, args)
		}
		if _, err := tx.Exec(context.Background(), sql, with...); err != nil {
			b.t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := tx.Commit(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	b.exec(`VACUUM ANALYZE`)
}

// firstName and lastName make the names of number i.
const (
	firstName = `(ARRAY['Lé','Jo','Ma','No','Ca','El','Ti','Sa','Lu','An','Mi','Ro','Em','Ju','Ar','Zo','Gi','Na','Ol','Vi'])[1 + i % 20] ||
	  (ARRAY['a','na','line','ris','mille','ra','than','rine','cas','tole','lan','se','ma','lie','thur','é','sèle','dia','ivia','ctor'])[1 + i / 20 % 20]`
	lastName = `initcap((ARRAY['du','le','van','ma','de','pe','la','ro','de','gi','ha','bo','cla','lam','se','ver','wil','st','fon','gré','no','mi','ti','co','da','bre','so'])[1 + h % 27] ||
	  (ARRAY['po','ter','ba','ri','mo','che','ju','ne','sa','lo','vi','qua','be','gri','to','mer','ha','cou','li','pa','gue','ra','fe','nou','zi','do','bu'])[1 + h / 27 % 27] ||
	  (ARRAY['nt','is','ux','ert','in','ens','ot','ard','oy','ez','man','al','et','en','on','ier','as','eau','ois','elle','ion','ick','ers','ault','ain','ix','ou'])[1 + h / 729 % 27])`
)

var names = strings.NewReplacer("FIRST", firstName, "LAST", lastName)

// scaleRowsSQL are the statements of fill. The triggers that keep the words of names, and the foreign keys, sleep: their
// work is done in one statement, and the ids are right by construction.
var scaleRowsSQL = []string{
	`SET LOCAL session_replication_role = replica`,
	`INSERT INTO household (id, name) SELECT md5('h' || h)::uuid, 'Famille ' || h FROM generate_series(0, @families::int - 1) h`,
	`INSERT INTO account (id, email, name, password_hash) SELECT md5('a' || h)::uuid, 'a' || h || '@example.org', 'A', 'x' FROM generate_series(0, @families::int - 1) h WHERE h % 10 > 0`,
	names.Replace(`INSERT INTO guardian (id, household_id, account_id, first_name, last_name, phone, email)
	 SELECT md5('g' || h)::uuid, md5('h' || h)::uuid, CASE WHEN h % 10 > 0 THEN md5('a' || h)::uuid END, FIRST, LAST, '+32475' || lpad(h::text, 6, '0'), 'p' || h || '@example.org'
	 FROM generate_series(0, @families::int - 1) h, LATERAL (SELECT h * 7 % 400 AS i) x`),
	names.Replace(`INSERT INTO child (id, first_name, last_name, birth_date, submission_key)
	 SELECT md5('c' || c)::uuid, FIRST, LAST, date '2013-01-01' + c % 3300, gen_random_uuid()
	 FROM generate_series(0, @children::int - 1) c, LATERAL (SELECT c % @families::int AS h, c * 13 % 400 AS i) x`),
	`INSERT INTO name_word (word) SELECT DISTINCT unnest(string_to_array(name_key, ' ')) FROM (SELECT name_key FROM child UNION ALL SELECT name_key FROM guardian) n ON CONFLICT DO NOTHING`,
	`INSERT INTO household_child (household_id, child_id) SELECT md5('h' || c % @families::int)::uuid, md5('c' || c)::uuid FROM generate_series(0, @children::int - 1) c`,
	`INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
	 SELECT md5('g' || c % @families::int)::uuid, md5('c' || c)::uuid, 'parental_authority',
	   ARRAY['see', 'register', 'pay', 'cancel', 'refund', 'medical', 'documents', 'pick_up', 'messages'], date '2020-01-01'
	 FROM generate_series(0, @children::int - 1) c`,
	`INSERT INTO pool (id, kind, max) SELECT md5('o' || k)::uuid, 'camp', 100000 FROM generate_series(0, @camps::int - 1) k`,
	`INSERT INTO camp (id, name, begins_at, ends_at, zone, pool_id, published, price_cents, set_levels, set_themes)
	 SELECT md5('k' || k)::uuid, 'Stage ' || k, begins, begins + interval '4 days 7 hours', 'Europe/Brussels', md5('o' || k)::uuid, true, 6000, '{P1,P2,P3}', '{Nature}'
	 FROM generate_series(0, @camps::int - 1) k,
	   LATERAL (SELECT timestamptz '2027-07-05 09:00+02' + k % 8 * interval '1 week' - k / @season::int * interval '364 days' AS begins) x`,
	`INSERT INTO camp_session (camp_id, day, starts, ends) SELECT c.id, c.begins_at::date + d, time '09:00', time '16:00' FROM camp c, generate_series(0, 4) d`,
	// A child goes to camps that follow each other, in this year or another. The states are those of the seeded town.
	`INSERT INTO registration (id, submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, due_at, waiting_since,
	   price_cents, price_detail, mirrored_version, created_at, updated_at)
	 SELECT md5('r' || i)::uuid, gen_random_uuid(), md5('c' || c)::uuid, md5('k' || k)::uuid, g, g, g, state, at, CASE state WHEN 'awaiting_payment' THEN at + interval '14 days' END,
	   CASE state WHEN 'waitlisted' THEN at END, 6000, '[]', 1, at, at
	 FROM generate_series(0, @n::int - 1) i,
	   LATERAL (SELECT i % @children::int AS c, (i % @children::int + i / @children::int) % @camps::int AS k) x,
	   LATERAL (SELECT md5('g' || c % @families::int)::uuid AS g,
	     timestamptz '2027-04-26 09:00+02' - k / @season::int * interval '364 days' + i % 10000 * interval '1 minute' AS at,
	     CASE WHEN k >= @season::int THEN (CASE WHEN i % 10 = 0 THEN 'withdrawn' ELSE 'completed' END)
	       WHEN i % 50 < 31 THEN 'confirmed' WHEN i % 50 < 38 THEN 'to_validate' WHEN i % 50 < 44 THEN 'awaiting_payment'
	       WHEN i % 50 < 47 THEN 'waitlisted' WHEN i % 50 < 49 THEN 'withdrawn' ELSE 'refused' END AS state) y`,
	`INSERT INTO registration_event (registration_id, to_state, at, actor_kind, actor_id) SELECT id, state, state_since, 'command', 'test' FROM registration`,
	`INSERT INTO place (pool_id, registration_id, state) SELECT c.pool_id, r.id, CASE WHEN r.state IN ('confirmed', 'completed') THEN 'confirmed' ELSE 'held' END
	 FROM registration r JOIN camp c ON c.id = r.camp_id WHERE r.state IN ('to_validate', 'awaiting_payment', 'confirmed', 'completed')`,
	`UPDATE pool SET held = x.held, confirmed = x.confirmed
	 FROM (SELECT pool_id, count(*) FILTER (WHERE state = 'held') AS held, count(*) FILTER (WHERE state = 'confirmed') AS confirmed FROM place GROUP BY pool_id) x WHERE x.pool_id = pool.id`,
	`INSERT INTO due (id, registration_id, payer_id, debtor_id, communication, created_at)
	 SELECT id, id, payer_id, payer_id, lpad((row_number() OVER ())::text, 10, '0') || lpad(COALESCE(NULLIF((row_number() OVER ()) % 97, 0), 97)::text, 2, '0'), created_at
	 FROM registration WHERE state IN ('awaiting_payment', 'confirmed', 'completed')`,
	`INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
	 SELECT d.id, d.registration_id, d.payer_id, d.payer_id, k, 6000, 'price.camp', 'tariff', 'test', d.created_at
	 FROM due d JOIN registration r ON r.id = d.registration_id, unnest(CASE WHEN r.state <> 'awaiting_payment' THEN '{charge,payment}'::text[] ELSE '{charge}' END) k`,
	`INSERT INTO audit (actor_kind, actor_id, action, subject_kind, subject_id) SELECT 'command', 'test', 'registration.seeded', 'registration', id::text FROM registration`,
	`INSERT INTO task (kind, subject_kind, subject_id, detail, created_at, done_at)
	 SELECT 'cancel_asked', 'registration', id::text, '{"reason": "Malade."}', state_since, CASE WHEN state <> 'confirmed' THEN state_since END FROM registration WHERE state IN ('confirmed', 'completed') AND hashtext(id::text) % 20 = 0`,
	`INSERT INTO duplicate (kind, a_id, b_id, score, reasons, state, found_at)
	 SELECT 'child', least(a, b), greatest(a, b), 60 + c % 40, '{name}', CASE WHEN c % 5 = 0 THEN 'open' ELSE 'distinct' END, timestamptz '2027-04-01'
	 FROM generate_series(0, @children::int - 2, 100) c, LATERAL (SELECT md5('c' || c)::uuid AS a, md5('c' || (c + 1))::uuid AS b) x`,
	`INSERT INTO child_level (child_id, school_year, level) SELECT id, 2026, 'P2' FROM child`,
	`INSERT INTO basket_line (id, guardian_id, child_id, camp_id, created_at)
	 SELECT gen_random_uuid(), md5('g' || c % @families::int)::uuid, md5('c' || c)::uuid, md5('k' || c * 7 % @season::int)::uuid, timestamptz '2027-04-01'
	 FROM generate_series(0, @children::int - 1, 10) c`,
	`INSERT INTO medical_sheet (id, child_id, version, sealed, account_id) SELECT md5('c' || c)::uuid, md5('c' || c)::uuid, 1, '', md5('a1')::uuid FROM generate_series(0, @children::int - 1) c`,
	`INSERT INTO medical_confirmation (child_id, sheet_id, account_id, at)
	 SELECT md5('c' || c)::uuid, md5('c' || c)::uuid, md5('a1')::uuid, timestamptz '2027-04-01' - c % 700 * interval '1 day' FROM generate_series(0, @children::int - 1) c WHERE c % 10 > 0`,
}
