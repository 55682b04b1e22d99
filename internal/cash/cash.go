// Package cash keeps the days of the cash desks: opened with a counted float, counted again at closing with every
// difference explained, closed for ever, and brought to the bank. The lines of money themselves are the ledger's, which
// links each to the day that is open.
package cash

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Denominations are the notes and coins of the euro in cents, largest first.
var Denominations = []civil.Cents{50000, 20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1}

const (
	// maxDrawer is a bound against a slip of the keyboard: 100 000,00 €.
	maxDrawer = 10_000_000
	maxDesk   = 60
	maxWhy    = 500
)

// Day is one day of one desk.
type Day struct {
	ID               uuid.UUID
	Desk             string
	Day              civil.Date
	Float            civil.Cents // counted at opening
	FloatWhy         string      // why it is not what the day before left
	OpenedBy         string      // name
	OpenedAt         time.Time
	CashIn           civil.Cents
	CashOut          civil.Cents
	TerminalIn       civil.Cents
	TerminalOut      civil.Cents
	Entries          int
	Counted          *civil.Cents        // the rest is nil or empty until it is closed
	Detail           map[civil.Cents]int // pieces by denomination, empty when only the sum was given
	Terminal         *civil.Cents        // the terminal's own total, nil when nobody gave it
	Left             *civil.Cents        // stays in the drawer
	Expected         *civil.Cents        // as it was frozen at closing
	ExpectedTerminal *civil.Cents
	DifferenceWhy    string
	ClosedBy         string // "" while it is open
	ClosedAt         *time.Time
	DepositID        *uuid.UUID
}

// Open reports whether the day is still open.
func (d Day) Open() bool { return d.ClosedAt == nil }

// Drawer is what should be in the drawer: the float with what came in and without what went out.
func (d Day) Drawer() civil.Cents { return d.Float + d.CashIn - d.CashOut }

// TerminalNet is what the terminal's slip should say.
func (d Day) TerminalNet() civil.Cents { return d.TerminalIn - d.TerminalOut }

// Difference is what was counted beyond what should have been there; negative when money is missing.
func (d Day) Difference() civil.Cents {
	if d.Counted == nil || d.Expected == nil {
		return 0
	}
	return *d.Counted - *d.Expected
}

// TerminalDifference is the same of the terminal.
func (d Day) TerminalDifference() civil.Cents {
	if d.Terminal == nil || d.ExpectedTerminal == nil {
		return 0
	}
	return *d.Terminal - *d.ExpectedTerminal
}

// ToDeposit is what a closed day has for the bank: what was counted less what stays in the drawer.
func (d Day) ToDeposit() civil.Cents {
	if d.Counted == nil || d.Left == nil {
		return 0
	}
	return *d.Counted - *d.Left
}

// Store opens, closes and reads the days.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

const dayColumns = `
		  d.id, d.desk, d.day, d.float_cents AS float, d.float_why, o.name AS opened_by, d.opened_at,
		  t.cash_in, t.cash_out, t.terminal_in, t.terminal_out, t.entries,
		  d.counted_cents AS counted, COALESCE(d.counted_detail, '{}') AS detail, d.terminal_cents AS terminal, d.left_cents AS left,
		  d.expected_cents AS expected, d.expected_terminal_cents AS expected_terminal,
		  d.difference_why, COALESCE(c.name, '') AS closed_by, d.closed_at,
		  (SELECT x.deposit_id FROM cash_deposit_day x WHERE x.day_id = d.id) AS deposit_id
		FROM cash_day d
		JOIN account o ON o.id = d.opened_by
		LEFT JOIN account c ON c.id = d.closed_by
		CROSS JOIN LATERAL (
		  SELECT
		    COALESCE(sum(l.cents) FILTER (WHERE l.source = 'cash' AND l.kind = 'payment'), 0)::bigint AS cash_in,
		    COALESCE(sum(l.cents) FILTER (WHERE l.source = 'cash' AND l.kind = 'refund'), 0)::bigint AS cash_out,
		    COALESCE(sum(l.cents) FILTER (WHERE l.source = 'terminal' AND l.kind = 'payment'), 0)::bigint AS terminal_in,
		    COALESCE(sum(l.cents) FILTER (WHERE l.source = 'terminal' AND l.kind = 'refund'), 0)::bigint AS terminal_out,
		    count(*)::int AS entries
		  FROM cash_entry e
		  JOIN ledger_line l ON l.id = e.line_id
		  WHERE e.day_id = d.id) t`

func days(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Day, error) {
	rows, err := q.Query(ctx, `
		SELECT`+dayColumns+`
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading the days of the desk: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Day])
	if err != nil {
		return nil, fmt.Errorf("reading the days of the desk: %w", err)
	}
	return list, nil
}

func oneDay(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) (Day, error) {
	list, err := days(ctx, q, where, args)
	if err != nil {
		return Day{}, err
	}
	if len(list) == 0 {
		return Day{}, problem.NotFound("cash.day_not_found")
	}
	return list[0], nil
}

// Day returns one by its id.
func (s *Store) Day(ctx context.Context, id uuid.UUID) (Day, error) {
	return oneDay(ctx, s.DB, `d.id = @id`, pgx.NamedArgs{"id": id})
}

// OpenDays returns the days that are open, the oldest first.
func (s *Store) OpenDays(ctx context.Context) ([]Day, error) {
	return days(ctx, s.DB, `d.closed_at IS NULL ORDER BY d.opened_at, d.id`, nil)
}

// History returns the closed days, newest first, at most limit.
func (s *Store) History(ctx context.Context, limit int) ([]Day, error) {
	return days(ctx, s.DB, `d.closed_at IS NOT NULL ORDER BY d.opened_at DESC, d.id LIMIT @limit`, pgx.NamedArgs{"limit": limit})
}

// Entry is one line of the ledger that went over the counter.
type Entry struct {
	LineID         uuid.UUID
	Kind           string // payment or refund
	Source         string // cash or terminal
	Cents          civil.Cents
	At             time.Time
	By             string // name
	Year           int
	Number         int // of the receipt
	RegistrationID uuid.UUID
	Child          string
	Camp           string
	Payer          string
	Label          string
	TakenBack      bool // another line takes it back
}

// Signed is what the entry adds to the drawer or the terminal.
func (e Entry) Signed() civil.Cents {
	if e.Kind == "refund" {
		return -e.Cents
	}
	return e.Cents
}

// Entries returns what went through a day, oldest first.
func (s *Store) Entries(ctx context.Context, dayID uuid.UUID) ([]Entry, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.id AS line_id, l.kind, l.source, l.cents, l.at, COALESCE(a.name, '') AS by, COALESCE(r.year, 0) AS year,
		  COALESCE(r.number, 0) AS number, l.registration_id, btrim(k.first_name || ' ' || k.last_name) AS child, c.name AS camp,
		  btrim(g.first_name || ' ' || g.last_name) AS payer, l.label,
		  EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id) AS taken_back
		FROM cash_entry e
		JOIN ledger_line l ON l.id = e.line_id
		LEFT JOIN receipt r ON r.line_id = l.id
		LEFT JOIN account a ON 'account:' || a.id = l.actor
		JOIN registration n ON n.id = l.registration_id
		JOIN child k ON k.id = n.child_id
		JOIN camp c ON c.id = n.camp_id
		JOIN guardian g ON g.id = l.payer_id
		WHERE e.day_id = @day
		ORDER BY l.at, r.year, r.number, l.id`,
		pgx.NamedArgs{"day": dayID})
	if err != nil {
		return nil, fmt.Errorf("reading what went through the desk: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading what went through the desk: %w", err)
	}
	return list, nil
}

// words trims what was typed and notes when it is too long.
func words(f *problem.Fields, name, text string, most int) string {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > most {
		f.Add(name, "form.too_long")
	}
	return text
}

// before returns what the last closed day of a desk left in the drawer; false for a desk without one.
func before(ctx context.Context, q db.Querier, desk string) (left civil.Cents, known bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT left_cents
		FROM cash_day
		WHERE desk = @desk
		  AND closed_at IS NOT NULL
		ORDER BY closed_at DESC
		LIMIT 1`,
		pgx.NamedArgs{"desk": desk}).Scan(&left)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading what the desk had left: %w", err)
	}
	return left, true, nil
}
