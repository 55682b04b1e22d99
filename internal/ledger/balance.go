package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// Balance sums the lines of a due, or of several.
type Balance struct {
	Charged    civil.Cents // charges and fees less reductions and write-offs
	Price      civil.Cents // charges less reductions: what the place itself costs
	Fees       civil.Cents // reminders and cancellations
	WrittenOff civil.Cents
	Paid       civil.Cents
	Refunded   civil.Cents
	Later      civil.Cents // of what is owed, what an instalment asks on a later day
}

// Owed is what is still to pay; negative when too much was paid.
func (b Balance) Owed() civil.Cents { return b.Charged - b.Paid + b.Refunded }

// OwedNow is what is to be paid by today: what is owed less the instalments of later days.
func (b Balance) OwedNow() civil.Cents { return b.Owed() - max(0, min(b.Later, b.Owed())) }

// Kept is the money that came in and has not gone back.
func (b Balance) Kept() civil.Cents { return b.Paid - b.Refunded }

// Plus sums two balances.
func (b Balance) Plus(o Balance) Balance {
	return Balance{
		Charged: b.Charged + o.Charged, Price: b.Price + o.Price, Fees: b.Fees + o.Fees, WrittenOff: b.WrittenOff + o.WrittenOff,
		Paid: b.Paid + o.Paid, Refunded: b.Refunded + o.Refunded, Later: b.Later + o.Later,
	}
}

// BalanceOf sums the lines of a due as of today.
func BalanceOf(ctx context.Context, q db.Querier, dueID uuid.UUID, today civil.Date) (Balance, error) {
	all, err := balances(ctx, q, `id = @id`, dueID, today)
	return all[dueID], err
}

// BalancesOf sums the lines of every due of a registration as of today, by due.
func BalancesOf(ctx context.Context, q db.Querier, registrationID uuid.UUID, today civil.Date) (map[uuid.UUID]Balance, error) {
	return balances(ctx, q, `registration_id = @id`, registrationID, today)
}

func balances(ctx context.Context, q db.Querier, where string, id uuid.UUID, today civil.Date) (map[uuid.UUID]Balance, error) {
	rows, err := q.Query(ctx, `
		SELECT d.id,
		  COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents WHEN l.kind IN ('reduction', 'write_off') THEN -l.cents END), 0)::bigint,
		  COALESCE(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents END), 0)::bigint,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'fee'), 0)::bigint,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'write_off'), 0)::bigint,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'payment'), 0)::bigint,
		  COALESCE(sum(l.cents) FILTER (WHERE l.kind = 'refund'), 0)::bigint,
		  COALESCE((SELECT sum(i.cents) FROM instalment i WHERE i.due_id = d.id AND i.due_on > @today), 0)::bigint
		FROM (SELECT id FROM due WHERE `+where+`) d
		LEFT JOIN ledger_line l ON l.due_id = d.id
		GROUP BY d.id`,
		pgx.NamedArgs{"id": id, "today": today})
	if err != nil {
		return nil, fmt.Errorf("summing what is due: %w", err)
	}
	all := map[uuid.UUID]Balance{}
	var due uuid.UUID
	var b Balance
	_, err = pgx.ForEachRow(rows, []any{&due, &b.Charged, &b.Price, &b.Fees, &b.WrittenOff, &b.Paid, &b.Refunded, &b.Later}, func() error {
		all[due] = b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("summing what is due: %w", err)
	}
	return all, nil
}
