package finance

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
)

// Period is a run of days, both included.
type Period struct{ From, To civil.Date }

// Year is the calendar year.
func Year(year int) Period {
	return Period{From: civil.NewDate(year, time.January, 1), To: civil.NewDate(year, time.December, 31)}
}

func (p Period) args() pgx.NamedArgs {
	return pgx.NamedArgs{"from": p.From.Time(civil.Brussels), "until": p.To.AddDays(1).Time(civil.Brussels)}
}

// Entry is one line of the ledger in the day book.
type Entry struct {
	ID             uuid.UUID
	At             time.Time
	Kind           ledger.Kind
	Cents          civil.Cents // positive; Signed says which way it counts
	Label          string
	Source         string
	Regulation     string
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Payer          string
	Child          string
	Camp           string
	Article        string // of the budget
	Communication  string // 12 digits
	Document       string // number of the invoice or credit note that it stands on, "" for none
}

// Signed is what the line adds to what is owed.
func (e Entry) Signed() civil.Cents { return e.Cents * sign(e.Kind) }

func sign(k ledger.Kind) civil.Cents {
	switch k {
	case ledger.Charge, ledger.Fee, ledger.Refund:
		return 1
	}
	return -1
}

// Words says what a line is about, in the language of t (a Locale's T): the label as it is, or with the camp's name where
// the label wants what only the frozen price of the registration knows.
func Words(t func(key string, args ...any) string, e Entry) string {
	words := t(e.Label)
	head, _, wants := strings.Cut(words, "%")
	switch {
	case !wants || words == e.Label:
		return words
	case strings.HasPrefix(e.Label, "price.camp"), strings.HasPrefix(e.Label, "price.formula"):
		return t("price.camp", e.Camp)
	}
	if i := strings.LastIndexByte(head, ':'); i > 0 { // « Bus, aller : arrêt %s »
		head = head[:i]
	}
	return strings.TrimRightFunc(head, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(":«„“‘(", r) })
}

// Day returns the civil day of the line.
func (e Entry) Day() civil.Date { return civil.DateOf(e.At, civil.Brussels) }

// DayBook lists every line of a period in the order of its booking, with the document that it stands on.
func (s *Store) DayBook(ctx context.Context, p Period, r Range) ([]Entry, error) {
	rows, err := s.q.Query(ctx, `
		WITH line AS (
		  SELECT l.id, l.at, l.kind, l.cents, l.label, l.source, l.regulation, l.registration_id, l.payer_id, l.due_id
		  FROM ledger_line l
		  WHERE l.at >= @from
		    AND l.at < @until
		  ORDER BY l.at, l.id
		  LIMIT @limit
		  OFFSET @offset
		)
		SELECT l.id, l.at, l.kind, l.cents, l.label, l.source, l.regulation, l.registration_id, l.payer_id,
		  trim(g.last_name || ' ' || g.first_name) AS payer, trim(ch.last_name || ' ' || ch.first_name) AS child, c.name AS camp,
		  c.budget_article AS article, d.communication, COALESCE(i.content->>'Number', n.content->>'Number', '') AS document
		FROM line l
		JOIN due d ON d.id = l.due_id
		JOIN registration r ON r.id = l.registration_id
		JOIN child ch ON ch.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		JOIN guardian g ON g.id = l.payer_id
		LEFT JOIN document_line x ON x.line_id = l.id
		LEFT JOIN invoice i ON i.id = x.invoice_id
		LEFT JOIN credit_note n ON n.id = x.credit_note_id
		ORDER BY l.at, l.id`, r.args(p.args()))
	if err != nil {
		return nil, fmt.Errorf("reading the day book: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading the day book: %w", err)
	}
	return list, nil
}

// DayTotals sums a day book by kind, positive amounts.
type DayTotals struct {
	Lines      int
	Charged    civil.Cents
	Fees       civil.Cents
	Reduced    civil.Cents
	WrittenOff civil.Cents
	Paid       civil.Cents
	Refunded   civil.Cents
}

// Change is what the period adds to what is owed.
func (t DayTotals) Change() civil.Cents {
	return t.Charged + t.Fees + t.Refunded - t.Reduced - t.WrittenOff - t.Paid
}

const totalsSQL = `count(*)::int AS lines,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'charge'), 0)::bigint AS charged,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'fee'), 0)::bigint AS fees,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'reduction'), 0)::bigint AS reduced,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'write_off'), 0)::bigint AS written_off,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'payment'), 0)::bigint AS paid,
	  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'refund'), 0)::bigint AS refunded`

// DayBookTotals sums the lines of a period.
func (s *Store) DayBookTotals(ctx context.Context, p Period) (DayTotals, error) {
	rows, err := s.q.Query(ctx, `
		SELECT `+totalsSQL+`
		FROM ledger_line l
		WHERE l.at >= @from
		  AND l.at < @until`, p.args())
	if err != nil {
		return DayTotals{}, fmt.Errorf("summing the day book: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[DayTotals])
	if err != nil {
		return t, fmt.Errorf("summing the day book: %w", err)
	}
	return t, nil
}

// Taken is what one way of paying brought in one month, and what went back by it.
type Taken struct {
	Month    civil.Date // its first day
	Source   string
	Payments int
	Paid     civil.Cents
	Refunds  int
	Refunded civil.Cents
}

// Net is what stayed.
func (t Taken) Net() civil.Cents { return t.Paid - t.Refunded }

// ByProvider sums the money of a period by month and by the way it came or went.
func (s *Store) ByProvider(ctx context.Context, p Period) ([]Taken, error) {
	rows, err := s.q.Query(ctx, `
		SELECT date_trunc('month', l.at AT TIME ZONE 'Europe/Brussels')::date AS month, l.source,
		  (count(*) FILTER (WHERE l.kind = 'payment'))::int AS payments,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'payment'), 0)::bigint AS paid,
		  (count(*) FILTER (WHERE l.kind = 'refund'))::int AS refunds,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'refund'), 0)::bigint AS refunded
		FROM ledger_line l
		WHERE l.at >= @from
		  AND l.at < @until
		  AND l.kind IN ('payment', 'refund')
		GROUP BY month, l.source
		ORDER BY month, l.source`, p.args())
	if err != nil {
		return nil, fmt.Errorf("summing the payments: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Taken])
	if err != nil {
		return nil, fmt.Errorf("summing the payments: %w", err)
	}
	return list, nil
}

// Budget is what the camps of one budget article were charged and brought in a year.
type Budget struct {
	Article string // "" for camps without one
	Year    int
	Camps   int
	DayTotals
}

// ByBudget sums the lines of a period by budget article and year.
func (s *Store) ByBudget(ctx context.Context, p Period) ([]Budget, error) {
	rows, err := s.q.Query(ctx, `
		SELECT c.budget_article AS article, EXTRACT(YEAR FROM l.at AT TIME ZONE 'Europe/Brussels')::int AS year,
		  count(DISTINCT c.id)::int AS camps, `+totalsSQL+`
		FROM ledger_line l
		JOIN registration r ON r.id = l.registration_id
		JOIN camp c ON c.id = r.camp_id
		WHERE l.at >= @from
		  AND l.at < @until
		GROUP BY c.budget_article, year
		ORDER BY year, c.budget_article`, p.args())
	if err != nil {
		return nil, fmt.Errorf("summing by budget article: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Budget])
	if err != nil {
		return nil, fmt.Errorf("summing by budget article: %w", err)
	}
	return list, nil
}
