package finance

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

// Statement is the account of one payer in a year: what was owed before, every line, what is owed at its end.
type Statement struct {
	Opening civil.Cents
	Entries []Entry
}

// Closing is what is owed after the last line; negative when it is owed back.
func (s Statement) Closing() civil.Cents {
	sum := s.Opening
	for _, e := range s.Entries {
		sum += e.Signed()
	}
	return sum
}

// blocked hides the lines about a child that a decision hides from its payer, on @today.
var blocked = `NOT ` + household.BlockedSQL("l.payer_id", "r.child_id", "@today::date")

// Statement returns the account of a payer in a year. For the payer itself (own), what concerns a child that a decision
// hides from it is left out.
func (s *Store) Statement(ctx context.Context, payerID uuid.UUID, year int, own bool) (Statement, error) {
	var v Statement
	args := Year(year).args()
	args["payer"], args["today"], args["own"] = payerID, s.today(), own
	err := s.q.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee', 'refund') THEN l.cents ELSE -l.cents END), 0)::bigint
		FROM ledger_line l
		JOIN registration r ON r.id = l.registration_id
		WHERE l.payer_id = @payer
		  AND l.at < @from
		  AND (NOT @own OR `+blocked+`)`, args).Scan(&v.Opening)
	if err != nil {
		return v, fmt.Errorf("summing what payer %s owed before %d: %w", payerID, year, err)
	}
	rows, err := s.q.Query(ctx, `
		SELECT l.id, l.at, l.kind, l.cents, l.label, l.source, l.regulation, l.registration_id, l.payer_id,
		  trim(g.last_name || ' ' || g.first_name) AS payer, trim(ch.first_name || ' ' || ch.last_name) AS child, c.name AS camp,
		  c.budget_article AS article, d.communication, COALESCE(i.content->>'Number', n.content->>'Number', '') AS document
		FROM ledger_line l
		JOIN due d ON d.id = l.due_id
		JOIN registration r ON r.id = l.registration_id
		JOIN child ch ON ch.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		JOIN guardian g ON g.id = l.payer_id
		LEFT JOIN document_line x ON x.line_id = l.id
		LEFT JOIN invoice i ON i.id = x.invoice_id
		LEFT JOIN credit_note n ON n.id = x.credit_note_id
		WHERE l.payer_id = @payer
		  AND l.at >= @from
		  AND l.at < @until
		  AND (NOT @own OR `+blocked+`)
		ORDER BY l.at, l.id`, args)
	if err != nil {
		return v, fmt.Errorf("reading the account of payer %s: %w", payerID, err)
	}
	if v.Entries, err = pgx.CollectRows(rows, pgx.RowToStructByName[Entry]); err != nil {
		return v, fmt.Errorf("reading the account of payer %s: %w", payerID, err)
	}
	return v, nil
}

// Quarter is what one payer paid for one child in a quarter, less what went back.
type Quarter struct {
	ChildID uuid.UUID
	Child   string
	PayerID uuid.UUID
	Payer   string
	Quarter int // 1 to 4
	Cents   civil.Cents
}

const quarterSQL = `
	SELECT r.child_id, trim(ch.first_name || ' ' || ch.last_name) AS child, l.payer_id, trim(g.first_name || ' ' || g.last_name) AS payer,
	  EXTRACT(QUARTER FROM l.at AT TIME ZONE 'Europe/Brussels')::int AS quarter,
	  sum(CASE l.kind WHEN 'payment' THEN l.cents ELSE -l.cents END)::bigint AS cents
	FROM ledger_line l
	JOIN registration r ON r.id = l.registration_id
	JOIN child ch ON ch.id = r.child_id
	JOIN guardian g ON g.id = l.payer_id
	WHERE l.kind IN ('payment', 'refund')
	  AND l.at >= @from
	  AND l.at < @until
	  AND `

const quarterOrder = `
	GROUP BY r.child_id, ch.id, l.payer_id, g.id, quarter
	ORDER BY child, r.child_id, payer, l.payer_id, quarter`

// QuartersOfPayer returns what a payer paid in a year, by child and quarter, as the payer may see it.
func (s *Store) QuartersOfPayer(ctx context.Context, payerID uuid.UUID, year int) ([]Quarter, error) {
	return s.quarters(ctx, year, `l.payer_id = @id AND `+blocked, payerID)
}

// QuartersOfChild returns what each family paid for a child in a year, by payer and quarter. Organisations are left out:
// a cover is not told to families. Who may see whose part is the caller's to decide, with Shared.
func (s *Store) QuartersOfChild(ctx context.Context, childID uuid.UUID, year int) ([]Quarter, error) {
	return s.quarters(ctx, year, `r.child_id = @id AND g.kind = 'person'`, childID)
}

func (s *Store) quarters(ctx context.Context, year int, where string, id uuid.UUID) ([]Quarter, error) {
	args := Year(year).args()
	args["id"], args["today"] = id, s.today()
	rows, err := s.q.Query(ctx, quarterSQL+where+quarterOrder, args)
	if err != nil {
		return nil, fmt.Errorf("summing the quarters of %d: %w", year, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Quarter])
	if err != nil {
		return nil, fmt.Errorf("summing the quarters of %d: %w", year, err)
	}
	return list, nil
}

// Shared reports whether each of the payers agreed to share with the other guardians of a child: only then may one
// document say who paid what.
func (s *Store) Shared(ctx context.Context, childID uuid.UUID, payers []uuid.UUID) (bool, error) {
	var shared bool
	err := s.q.QueryRow(ctx, `
		SELECT NOT EXISTS (
		  SELECT 1
		  FROM unnest(@payers::uuid[]) AS p (id)
		  WHERE NOT EXISTS (
		    SELECT 1
		    FROM guardianship gs
		    WHERE gs.guardian_id = p.id
		      AND gs.child_id = @child
		      AND gs.shares_contact
		      AND gs.valid_from <= @today
		      AND (gs.valid_until IS NULL OR gs.valid_until >= @today)
		      AND NOT `+household.BlockedSQL("gs.guardian_id", "gs.child_id", "@today::date")+`
		  )
		)`,
		pgx.NamedArgs{"payers": payers, "child": childID, "today": s.today()}).Scan(&shared)
	if err != nil {
		return false, fmt.Errorf("reading who shares for child %s: %w", childID, err)
	}
	return shared, nil
}
