package enrol

import (
	"maps"

	"ribambelle/internal/ledger"
)

// Invariants are queries that return the rows that break what domain.md promises, by the name of the promise; each
// returns nothing at any instant between transactions. Tests and the crash proof run them.
var Invariants = with(ledger.Invariants, map[string]string{
	"no pool is granted beyond its size": `
		SELECT id
		FROM pool
		WHERE max IS NOT NULL
		  AND held + confirmed > max
		  AND external = 0
		  AND NOT EXISTS (SELECT 1 FROM task WHERE task.kind = 'over_full' AND task.subject_id LIKE '%/' || pool.id::text)`,
	"a pool's counters are the sums of its places": `
		SELECT p.id
		FROM pool p
		LEFT JOIN place x ON x.pool_id = p.id
		GROUP BY p.id
		HAVING p.held <> count(*) FILTER (WHERE x.state = 'held')
		    OR p.confirmed <> count(*) FILTER (WHERE x.state = 'confirmed')`,
	"a registration has places exactly while its state says so": `
		SELECT r.id
		FROM registration r
		WHERE (r.state IN ('to_validate', 'validated', 'awaiting_payment', 'offered', 'confirmed', 'completed'))
		   <> EXISTS (SELECT 1 FROM place x WHERE x.registration_id = r.id)`,
	"confirmed registrations have confirmed places, the others held ones": `
		SELECT r.id
		FROM registration r
		JOIN place x ON x.registration_id = r.id
		WHERE (r.state IN ('confirmed', 'completed')) <> (x.state = 'confirmed')`,
	"a child on a bus has a seat in that trip": `
		SELECT l.registration_id
		FROM leg l
		JOIN trip t ON t.id = l.trip_id
		WHERE NOT EXISTS (SELECT 1 FROM place x WHERE x.registration_id = l.registration_id AND x.pool_id = t.pool_id)`,
	"a seat in a trip is a child on that bus": `
		SELECT x.registration_id
		FROM place x
		JOIN trip t ON t.pool_id = x.pool_id
		WHERE NOT EXISTS (SELECT 1 FROM leg l WHERE l.registration_id = x.registration_id AND l.trip_id = t.id)`,
	"the history ends where the registration stands": `
		SELECT r.id
		FROM registration r
		WHERE r.state IS DISTINCT FROM (SELECT e.to_state FROM registration_event e WHERE e.registration_id = r.id ORDER BY e.id DESC LIMIT 1)`,
	// By payments, by promises of organisations, or by instalments of later days; else staff have a task.
	"a confirmed registration with a price is covered": `
		SELECT r.id
		FROM registration r
		WHERE r.state = 'confirmed'
		  AND r.price_cents > (
		    SELECT COALESCE(sum(GREATEST(
		      CASE d.kind WHEN 'cover' THEN price ELSE 0 END,
		      kept + (SELECT COALESCE(sum(i.cents), 0) FROM instalment i WHERE i.due_id = d.id AND i.position > 0))), 0)
		    FROM due d
		    CROSS JOIN LATERAL (
		      SELECT COALESCE(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents END), 0) AS price,
		        COALESCE(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents WHEN 'write_off' THEN CASE l.label WHEN 'ledger.written_off' THEN l.cents END END), 0) AS kept
		      FROM ledger_line l
		      WHERE l.due_id = d.id) m
		    WHERE d.registration_id = r.id)
		  AND NOT EXISTS (SELECT 1 FROM task WHERE kind IN ('owes_again', 'other_amount') AND subject_id = r.id::text AND done_at IS NULL)`,
	"what is charged is the price, whoever pays it": `
		SELECT r.id
		FROM registration r
		WHERE r.state IN ('awaiting_payment', 'confirmed', 'completed')
		  AND r.price_cents <> COALESCE((
		    SELECT sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents END)
		    FROM ledger_line l
		    WHERE l.registration_id = r.id), 0)`,
	"nobody is charged less than nothing": `
		SELECT due_id
		FROM ledger_line
		GROUP BY due_id
		HAVING sum(CASE kind WHEN 'charge' THEN cents WHEN 'reduction' THEN -cents ELSE 0 END) < 0`,
	"a paid attempt is booked once, with what was paid": `
		SELECT p.id
		FROM payment p
		LEFT JOIN ledger_line l ON l.payment_id = p.id AND l.kind = 'payment'
		WHERE p.status = 'paid'
		GROUP BY p.id
		HAVING count(l.id) = 0
		    OR p.paid_cents > 0 AND sum(l.cents) <> p.paid_cents`,
	// But by a bank, which may take back what was refunded.
	"no more goes back than came in": `
		SELECT due_id
		FROM ledger_line
		GROUP BY due_id
		HAVING sum(CASE kind WHEN 'payment' THEN cents WHEN 'refund' THEN -cents ELSE 0 END) < 0
		   AND NOT bool_or(label = 'ledger.chargeback')`,
	"a refund is booked once, when it is done": `
		SELECT f.id
		FROM refund f
		LEFT JOIN ledger_line l ON l.refund_id = f.id AND l.kind = 'refund'
		GROUP BY f.id
		HAVING f.state = 'done' AND (count(l.id) <> 1 OR sum(l.cents) <> f.cents)
		    OR f.state IN ('to_choose', 'to_confirm', 'decided', 'sent', 'failed') AND count(l.id) > 0`,
	"what is on its way back is owed back": `
		SELECT f.due_id
		FROM refund f
		WHERE f.state IN ('to_choose', 'to_confirm', 'decided')
		GROUP BY f.due_id
		HAVING sum(f.cents) > -COALESCE((
		  SELECT sum(CASE WHEN l.kind IN ('charge', 'fee', 'refund') THEN l.cents ELSE -l.cents END)
		  FROM ledger_line l
		  WHERE l.due_id = f.due_id), 0)`,
	"what an exit was charged is taken back": `
		SELECT r.id
		FROM registration r
		JOIN ledger_line l ON l.registration_id = r.id
		WHERE r.state IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')
		GROUP BY r.id
		HAVING COALESCE(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents END), 0) <> 0`,
	"an ended registration has given its voucher back, another has not": `
		SELECT u.registration_id
		FROM voucher_use u
		JOIN registration r ON r.id = u.registration_id
		WHERE (u.returned_at IS NOT NULL) <> (r.state IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled'))`,
	"a price is the sum of its lines": `
		SELECT r.id
		FROM registration r
		WHERE r.price_facts IS NOT NULL
		  AND r.price_cents <> (SELECT COALESCE(sum((l ->> 'cents')::bigint), 0) FROM jsonb_array_elements(r.price_detail) AS l)`,
	"attestation numbers have no gap, and none is drawn for nothing": `
		SELECT d.series, d.year
		FROM document_number d
		LEFT JOIN attestation a ON a.series = d.series AND a.year = d.year
		WHERE d.series IN ('attestation', 'mutuelle')
		GROUP BY d.series, d.year, d.last
		HAVING count(a.id) <> d.last OR max(a.number) <> d.last OR min(a.number) <> 1`,
	"invoice numbers have no gap": `
		SELECT year
		FROM invoice
		GROUP BY year
		HAVING max(number) <> count(*)`,
	"an invoice's number is the last drawn of its year": `
		SELECT d.year
		FROM document_number d
		WHERE d.series = 'invoice'
		  AND d.last <> (SELECT count(*) FROM invoice i WHERE i.year = d.year)`,
})

// with adds the promises of another room.
func with(others, own map[string]string) map[string]string {
	maps.Copy(own, others)
	return own
}
