package ledger

// Invariants are queries that return the rows that break what is promised of the documents, by the name of the promise;
// each returns nothing at any instant between transactions. Tests and the crash proof run them.
var Invariants = map[string]string{ //nolint:gosec // a credit note is no credential
	"credit note numbers have no gap": `
		SELECT year
		FROM credit_note
		GROUP BY year
		HAVING max(number) <> count(*)`,
	"a credit note's number is the last drawn of its year": `
		SELECT d.year
		FROM document_number d
		WHERE d.series = 'credit_note'
		  AND d.last <> (SELECT count(*) FROM credit_note c WHERE c.year = d.year)`,
	"an invoice is never credited beyond its total": `
		SELECT i.id
		FROM invoice i
		JOIN credit_note c ON c.invoice_id = i.id
		GROUP BY i.id
		HAVING sum(c.total_cents) > i.total_cents`,
	"an invoice over several dues is the sum of its parts, each never credited beyond it": `
		SELECT i.id
		FROM invoice i
		JOIN invoice_part p ON p.invoice_id = i.id
		GROUP BY i.id
		HAVING sum(p.cents) <> i.total_cents
		  OR bool_or(p.cents < (SELECT COALESCE(sum(c.total_cents), 0) FROM credit_note c WHERE c.invoice_id = p.invoice_id AND c.due_id = p.due_id))`,
	"no document says more than the ledger charges": `
		SELECT d.id
		FROM due d
		WHERE (SELECT COALESCE(sum(i.cents), 0) FROM invoice_split i WHERE i.due_id = d.id)
		    - (SELECT COALESCE(sum(c.total_cents), 0) FROM credit_note c WHERE c.due_id = d.id)
		    > (SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents ELSE -l.cents END), 0)
		       FROM ledger_line l WHERE l.due_id = d.id AND ` + documented + `)`,
}
