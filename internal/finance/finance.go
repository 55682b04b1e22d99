// Package finance reads what is owed and what moved, over the whole ledger: the lists of the finance officer, for the
// screens and for the documents alike. It writes nothing.
package finance

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// Store reads the ledger for the people who answer for it.
type Store struct {
	q   db.Querier
	now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{q: d, now: now} }

// In returns the Store on a transaction: what it reads is then of one moment.
func (s *Store) In(tx db.Tx) *Store { return &Store{q: tx, now: s.now} }

func (s *Store) today() civil.Date { return civil.DateOf(s.now(), civil.Brussels) }

// StandingSQL gives a row for each due that is owed something, or to which something is owed back: what is owed on the
// whole, what of it only an instalment of a later day asks, and since when the rest is owed. Payments settle the oldest
// instalment first, so that what is owed is the end of the plan; what reminders cost is no instalment. Without a plan it is owed from the day by which the
// family was asked to pay; an organisation has sixty days (domain.md, « CPAS in 60 days »).
// It needs the argument @today.
const StandingSQL = `
	SELECT d.id AS due_id, d.registration_id, d.payer_id, d.kind AS due_kind, d.communication, r.child_id, r.camp_id, r.state, b.owed,
	  LEAST(GREATEST(b.owed, 0), COALESCE(i.later, 0)) AS later,
	  COALESCE(i.since, (r.due_at AT TIME ZONE 'Europe/Brussels')::date,
	    (b.charged_at AT TIME ZONE 'Europe/Brussels')::date + CASE d.kind WHEN 'cover' THEN 60 ELSE c.pay_days END) AS owed_on
	FROM (
	  SELECT due_id, sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END)::bigint AS owed,
	    min(at) FILTER (WHERE kind IN ('charge', 'fee')) AS charged_at,
	    COALESCE(sum(cents) FILTER (WHERE kind = 'fee' AND source = 'dunning'), 0)::bigint AS dunned
	  FROM ledger_line
	  GROUP BY due_id
	  HAVING sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END) <> 0
	) b
	JOIN due d ON d.id = b.due_id
	JOIN registration r ON r.id = d.registration_id
	JOIN camp c ON c.id = r.camp_id
	LEFT JOIN LATERAL (
	  SELECT sum(x.cents) FILTER (WHERE x.due_on > @today) AS later, min(x.due_on) FILTER (WHERE x.after < GREATEST(b.owed - b.dunned, 1)) AS since
	  FROM (
	    SELECT n.due_on, n.cents, COALESCE(sum(n.cents) OVER (ORDER BY n.due_on DESC, n.position DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS after
	    FROM instalment n
	    WHERE n.due_id = d.id
	  ) x
	) i ON true`

// Buckets are the sums that are owed by age: not asked yet, then for up to 30, 60, 90 days and longer.
type Buckets struct {
	Later civil.Cents
	To30  civil.Cents
	To60  civil.Cents
	To90  civil.Cents
	Above civil.Cents
}

// Owed sums the buckets.
func (b Buckets) Owed() civil.Cents { return b.Later + b.To30 + b.To60 + b.To90 + b.Above }

// Now is what is to be paid by today.
func (b Buckets) Now() civil.Cents { return b.Owed() - b.Later }

// bucketSQL sums a set of standings by age; what the due only asks on a later day is not late.
const bucketSQL = `
	  COALESCE(sum(later + CASE WHEN owed_on > @today THEN GREATEST(owed, 0) - later ELSE 0 END), 0)::bigint AS later,
	  COALESCE(sum(GREATEST(owed, 0) - later) FILTER (WHERE @today - owed_on BETWEEN 0 AND 30), 0)::bigint AS to30,
	  COALESCE(sum(GREATEST(owed, 0) - later) FILTER (WHERE @today - owed_on BETWEEN 31 AND 60), 0)::bigint AS to60,
	  COALESCE(sum(GREATEST(owed, 0) - later) FILTER (WHERE @today - owed_on BETWEEN 61 AND 90), 0)::bigint AS to90,
	  COALESCE(sum(GREATEST(owed, 0) - later) FILTER (WHERE @today - owed_on > 90), 0)::bigint AS above,
	  COALESCE(sum(GREATEST(-owed, 0)), 0)::bigint AS back`

// Totals is where the commune stands today.
type Totals struct {
	Buckets
	Back civil.Cents // owed back to families
}

// Totals sums everything that is owed.
func (s *Store) Totals(ctx context.Context) (Totals, error) {
	rows, err := s.q.Query(ctx, `
		SELECT `+bucketSQL+`
		FROM (`+StandingSQL+`) x`,
		pgx.NamedArgs{"today": s.today()})
	if err != nil {
		return Totals{}, fmt.Errorf("summing what is owed: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Totals])
	if err != nil {
		return t, fmt.Errorf("summing what is owed: %w", err)
	}
	return t, nil
}

// By says whose debts are summed into one row.
type By string

// The ways to sum what is owed.
const (
	ByPayer By = "payeur"
	ByCamp  By = "stage"
	ByChild By = "enfant"
)

// groupings are the column and the name of each way to sum; they come from here alone.
var groupings = map[By]struct{ column, name, table string }{
	ByPayer: {"x.payer_id", "trim(g.last_name || ' ' || g.first_name)", "guardian"},
	ByCamp:  {"x.camp_id", "g.name", "camp"},
	ByChild: {"x.child_id", "trim(g.last_name || ' ' || g.first_name)", "child"},
}

// Known reports whether by is one of the ways.
func (by By) Known() bool { _, ok := groupings[by]; return ok }

// OwedRow is what one payer, camp or child is owed or owes.
type OwedRow struct {
	ID   uuid.UUID
	Name string
	Dues int
	Buckets
	Back  civil.Cents
	Since civil.Date // the oldest debt
}

// Range is a part of a list; a Limit of 0 is all of it.
type Range struct{ Limit, Offset int }

func (r Range) args(a pgx.NamedArgs) pgx.NamedArgs {
	a["offset"], a["limit"] = r.Offset, nil
	if r.Limit > 0 {
		a["limit"] = r.Limit
	}
	return a
}

// Owed lists what is owed by payer, camp or child, the largest sum first.
func (s *Store) Owed(ctx context.Context, by By, r Range) ([]OwedRow, error) {
	g, ok := groupings[by]
	if !ok {
		return nil, fmt.Errorf("what is owed cannot be summed by %q", by)
	}
	rows, err := s.q.Query(ctx, `
		WITH sums AS (
		  SELECT `+g.column+` AS id, count(*)::int AS dues, `+bucketSQL+`,
		    min(owed_on) FILTER (WHERE owed > later) AS since, sum(GREATEST(owed, 0)) AS total
		  FROM (`+StandingSQL+`) x
		  GROUP BY `+g.column+`
		)
		SELECT x.id, `+g.name+` AS name, x.dues, x.later, x.to30, x.to60, x.to90, x.above, x.back, x.since
		FROM sums x
		JOIN `+g.table+` g ON g.id = x.id
		ORDER BY x.total DESC, name, x.id
		LIMIT @limit
		OFFSET @offset`,
		r.args(pgx.NamedArgs{"today": s.today()}))
	if err != nil {
		return nil, fmt.Errorf("listing what is owed by %s: %w", by, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[OwedRow])
	if err != nil {
		return nil, fmt.Errorf("listing what is owed by %s: %w", by, err)
	}
	return list, nil
}
