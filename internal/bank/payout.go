package bank

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// ProviderLine is money that went through a provider and that it has not paid out, or not taken off, yet.
type ProviderLine struct {
	LineID           uuid.UUID
	Kind             ledger.Kind // payment or refund
	Cents            civil.Cents
	At               time.Time
	RegistrationID   uuid.UUID
	ProviderID       *string // the payment's id at the provider
	ProviderRefundID *string
	Child            string
	Camp             string
}

// Signed is what the line adds to a payout.
func (l ProviderLine) Signed() civil.Cents {
	if l.Kind == ledger.Refund {
		return -l.Cents
	}
	return l.Cents
}

// ProviderSum is what a provider has not paid out yet.
type ProviderSum struct {
	Provider string
	Lines    int
	Gross    civil.Cents
	Refunds  civil.Cents
	Since    time.Time
}

// Net is what is to come, before costs.
func (p ProviderSum) Net() civil.Cents { return p.Gross - p.Refunds }

const unpaidSQL = `
		FROM provider_line p
		WHERE NOT EXISTS (SELECT 1 FROM payout_line x WHERE x.line_id = p.line_id AND NOT x.undone)`

// Providers returns what each provider has not paid out yet.
func (s *Store) Providers(ctx context.Context) ([]ProviderSum, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT p.provider, count(*)::int AS lines, COALESCE(sum(p.cents) FILTER (WHERE p.kind = 'payment'), 0)::bigint AS gross,
		  COALESCE(sum(p.cents) FILTER (WHERE p.kind = 'refund'), 0)::bigint AS refunds, min(p.at) AS since`+unpaidSQL+`
		GROUP BY p.provider
		ORDER BY p.provider`)
	if err != nil {
		return nil, fmt.Errorf("reading what providers keep: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ProviderSum])
	if err != nil {
		return nil, fmt.Errorf("reading what providers keep: %w", err)
	}
	return list, nil
}

// Unpaid returns what a provider has not paid out yet, oldest first.
func (s *Store) Unpaid(ctx context.Context, q db.Querier, provider string) ([]ProviderLine, error) {
	rows, err := q.Query(ctx, `
		SELECT u.line_id, u.kind, u.cents, u.at, u.registration_id, u.provider_id, u.provider_refund_id, btrim(k.first_name || ' ' || k.last_name) AS child, c.name AS camp
		FROM (SELECT p.line_id, p.kind, p.cents, p.at, p.registration_id, p.provider_id, p.provider_refund_id`+unpaidSQL+`
		    AND p.provider = @provider) u
		JOIN registration r ON r.id = u.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		ORDER BY u.at, u.line_id`,
		pgx.NamedArgs{"provider": provider})
	if err != nil {
		return nil, fmt.Errorf("reading what %s keeps: %w", provider, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ProviderLine])
	if err != nil {
		return nil, fmt.Errorf("reading what %s keeps: %w", provider, err)
	}
	return list, nil
}

// Proposal is the lines that explain a payout, and what then remains as the provider's costs.
type Proposal struct {
	Lines []uuid.UUID
	Costs civil.Cents
}

// What a provider may keep of a payout before a proposal is thought to be wrong: so much for each payment and of the sum.
const (
	mostCostEach    = 60 // cents
	mostCostPercent = 4
)

// Propose finds the oldest lines that explain a payout of some cents on a day: a provider pays out in the order in which
// money came. The sum without costs wins, else the smallest costs that are likely; none is the empty proposal.
func Propose(lines []ProviderLine, cents civil.Cents, day civil.Date) Proposal {
	var best Proposal
	var sum, gross civil.Cents
	payments := 0
	var taken []uuid.UUID
	for _, l := range lines {
		if !day.IsZero() && civil.DateOf(l.At, civil.Brussels).After(day) {
			break
		}
		taken = append(taken, l.LineID)
		sum += l.Signed()
		if l.Kind == ledger.Payment {
			payments++
			gross += l.Cents
		}
		costs := sum - cents
		if costs < 0 || costs > civil.Cents(payments)*mostCostEach+gross*mostCostPercent/100 {
			continue
		}
		if best.Lines == nil || costs < best.Costs {
			best = Proposal{Lines: slices.Clone(taken), Costs: costs}
		}
	}
	return best
}

// payout puts a provider's money where a person confirms what it pays; with nothing that it could pay, aside.
func (s *Store) payout(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry) error {
	var waits bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1`+unpaidSQL+`)`).Scan(&waits)
	if err != nil {
		return fmt.Errorf("looking for what providers keep: %w", err)
	}
	if waits {
		return s.put(ctx, tx, actor, e.ID, StateQueued, "bank.reason.payout_to_match")
	}
	return s.put(ctx, tx, actor, e.ID, StateAside, "bank.reason.payout")
}

// PayoutOrder is what a person says that an entry pays out.
type PayoutOrder struct {
	Provider string
	Lines    []uuid.UUID
	Costs    civil.Cents // as the person saw and confirmed them
	Note     string      // needed when the provider paid more than the lines
}

const maxNote = 500

// MatchPayout notes which lines an entry pays out; what is left is the provider's costs, confirmed by a person. Invalid
// when the costs are not what was confirmed, with what they are; Conflict when the entry no longer waits or a line was
// paid out before.
func (s *Store) MatchPayout(ctx context.Context, actor audit.Actor, entryID uuid.UUID, o PayoutOrder) error {
	o.Note = strings.TrimSpace(o.Note)
	var f problem.Fields
	if len(o.Lines) == 0 {
		f.Add("line", "bank.payout_lines_needed")
	}
	if utf8.RuneCountInString(o.Note) > maxNote {
		f.Add("note", "form.too_long")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.act(ctx, actor, entryID, "bank.matched", func(ctx context.Context, tx db.Tx, e Entry) error {
		if e.State != StateQueued && e.State != StateNew && e.State != StateAside {
			return problem.Conflict("bank.not_waiting")
		}
		if e.Currency != "EUR" {
			return problem.Conflict("bank.not_bookable")
		}
		var gross, refunds civil.Cents
		var n int
		err := tx.QueryRow(ctx, `
			SELECT count(*)::int, COALESCE(sum(p.cents) FILTER (WHERE p.kind = 'payment'), 0)::bigint,
			  COALESCE(sum(p.cents) FILTER (WHERE p.kind = 'refund'), 0)::bigint`+unpaidSQL+`
			  AND p.provider = @provider
			  AND p.line_id = ANY(@lines)`,
			pgx.NamedArgs{"provider": o.Provider, "lines": o.Lines}).Scan(&n, &gross, &refunds)
		if err != nil {
			return fmt.Errorf("summing a payout: %w", err)
		}
		if n != len(o.Lines) {
			return problem.Conflict("bank.payout_paid_before")
		}
		var f problem.Fields
		costs := gross - refunds - e.Cents
		if costs != o.Costs {
			f.Add("costs", "bank.payout_costs_differ", costs)
		}
		if costs < 0 && o.Note == "" {
			f.Add("note", "bank.payout_note_needed", -costs)
		}
		if err := f.Err(); err != nil {
			return err
		}
		return s.keepPayout(ctx, tx, actor, e, o, gross, refunds)
	})
}

func (s *Store) keepPayout(ctx context.Context, tx db.Tx, actor audit.Actor, e Entry, o PayoutOrder, gross, refunds civil.Cents) error {
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		INSERT INTO payout (bank_entry_id, provider, gross_cents, refund_cents, cost_cents, note, actor, at)
		VALUES (@entry, @provider, @gross, @refunds, @costs, @note, @actor, @at)
		RETURNING id`,
		pgx.NamedArgs{
			"entry": e.ID, "provider": o.Provider, "gross": gross, "refunds": refunds, "costs": o.Costs, "note": o.Note,
			"actor": actor.String(), "at": s.Now(),
		}).Scan(&id)
	if err != nil {
		return fmt.Errorf("noting a payout: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO payout_line (payout_id, line_id)
		SELECT @id, line
		FROM unnest(@lines::uuid[]) AS line`,
		pgx.NamedArgs{"id": id, "lines": o.Lines})
	if db.Constraint(err) == "payout_line_once" {
		return problem.Conflict("bank.payout_paid_before")
	}
	if err != nil {
		return fmt.Errorf("noting a payout: %w", err)
	}
	return s.matched(ctx, tx, actor, e.ID, targetPayout, id, "bank.note.payout")
}

// unpay takes a payout back: its lines may be paid out by another.
func (s *Store) unpay(ctx context.Context, tx db.Tx, actor audit.Actor, id uuid.UUID) error {
	batch := &pgx.Batch{}
	args := pgx.NamedArgs{"id": id, "by": actor.String(), "at": s.Now()}
	batch.Queue(`
		UPDATE payout
		SET undone_by = @by, undone_at = @at
		WHERE id = @id`, args)
	batch.Queue(`
		UPDATE payout_line
		SET undone = true
		WHERE payout_id = @id`, args)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("taking back a payout: %w", err)
	}
	return nil
}

// Payout is what a provider paid out, with its costs.
type Payout struct {
	ID          uuid.UUID
	Provider    string
	Gross       civil.Cents
	Refunds     civil.Cents
	Costs       civil.Cents
	Note        string
	Actor       string
	At          time.Time
	EntryID     uuid.UUID
	StatementID uuid.UUID
	Day         civil.Date
	Cents       civil.Cents // on the account
	Lines       int
}

const payoutColumns = `
		  p.id, p.provider, p.gross_cents AS gross, p.refund_cents AS refunds, p.cost_cents AS costs, p.note, p.actor, p.at,
		  e.id AS entry_id, e.statement_id, e.day, e.cents, (SELECT count(*) FROM payout_line l WHERE l.payout_id = p.id)::int AS lines
		FROM payout p
		JOIN bank_entry e ON e.id = p.bank_entry_id
		WHERE p.undone_at IS NULL`

// Payouts returns what providers paid out, newest first, at most limit.
func (s *Store) Payouts(ctx context.Context, limit int) ([]Payout, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT`+payoutColumns+`
		ORDER BY p.at DESC, p.id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the payouts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Payout])
	if err != nil {
		return nil, fmt.Errorf("reading the payouts: %w", err)
	}
	return list, nil
}

// ReadPayout returns one with its lines; NotFound for one that is not or was taken back.
func (s *Store) ReadPayout(ctx context.Context, id uuid.UUID) (Payout, []ProviderLine, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT`+payoutColumns+`
		  AND p.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Payout{}, nil, fmt.Errorf("reading a payout: %w", err)
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Payout])
	if errors.Is(err, pgx.ErrNoRows) {
		return one, nil, problem.NotFound("bank.payout_not_found_one")
	}
	if err != nil {
		return one, nil, fmt.Errorf("reading a payout: %w", err)
	}
	rows, err = s.DB.Query(ctx, `
		SELECT p.line_id, p.kind, p.cents, p.at, p.registration_id, p.provider_id, p.provider_refund_id,
		  btrim(k.first_name || ' ' || k.last_name) AS child, c.name AS camp
		FROM payout_line x
		JOIN provider_line p ON p.line_id = x.line_id
		JOIN registration r ON r.id = p.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		WHERE x.payout_id = @id
		ORDER BY p.at, p.line_id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return one, nil, fmt.Errorf("reading a payout: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ProviderLine])
	if err != nil {
		return one, nil, fmt.Errorf("reading a payout: %w", err)
	}
	return one, list, nil
}

// SentBy reports whether the name of who sent money is that of a provider, as its payments call it. A terminal's money
// comes from the companies behind it.
func SentBy(provider, name string) bool {
	for _, word := range strings.Fields(fold(name)) {
		switch {
		case word == "payconiq" && strings.HasPrefix(provider, "bancontact"), slices.Contains(providers, word) && strings.HasPrefix(provider, word):
			return true
		case provider == "terminal" && slices.Contains([]string{"worldline", "ccv", "adyen"}, word):
			return true
		}
	}
	return false
}
