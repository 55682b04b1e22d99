package ledger

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The ways in which money changes hands at the counter.
const (
	SourceCash     = "cash"     // notes and coins: the drawer
	SourceTerminal = "terminal" // a card on the counter's terminal
)

// counted does what a line asks for that goes over the counter: it numbers its receipt and links it to the open day of
// the desk. Any other line asks for nothing.
func counted(ctx context.Context, tx db.Tx, id uuid.UUID, l Line) error {
	if l.Source != SourceCash && l.Source != SourceTerminal || l.Kind != Payment && l.Kind != Refund {
		return nil
	}
	day, err := deskDay(ctx, tx, l.Actor)
	if err != nil {
		return err
	}
	if day != nil {
		_, err = tx.Exec(ctx, `
			INSERT INTO cash_entry (line_id, day_id)
			VALUES (@line, @day)`,
			pgx.NamedArgs{"line": id, "day": day})
		if err != nil {
			return fmt.Errorf("putting a line in the day of the desk: %w", err)
		}
	}
	if day == nil && l.Source == SourceCash {
		free, err := camp.Setting(ctx, tx, "cash.no_desk")
		if err != nil {
			return err
		}
		if free != "oui" {
			var f problem.Fields
			f.Add("source", "cash.no_desk")
			return f.Err()
		}
	}
	year := civil.DateOf(l.At, civil.Brussels).Year
	number, err := NextNumber(ctx, tx, "receipt", year)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO receipt (line_id, year, number)
		VALUES (@line, @year, @number)`,
		pgx.NamedArgs{"line": id, "year": year, "number": number})
	if err != nil {
		return fmt.Errorf("numbering a receipt: %w", err)
	}
	return nil
}

// deskDay returns the open day on which an actor's money goes, kept open until the transaction ends: the one that the
// actor opened, else the only one. nil when no desk is open; Invalid when several are and none is the actor's.
func deskDay(ctx context.Context, tx db.Tx, actor string) (*uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, opened_by = @account AS own
		FROM cash_day
		WHERE closed_at IS NULL
		ORDER BY own DESC, opened_at DESC
		LIMIT 2
		FOR SHARE`,
		pgx.NamedArgs{"account": accountOf(actor)})
	if err != nil {
		return nil, fmt.Errorf("reading the open desks: %w", err)
	}
	type open struct {
		ID  uuid.UUID
		Own bool
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[open])
	if err != nil {
		return nil, fmt.Errorf("reading the open desks: %w", err)
	}
	switch {
	case len(list) == 0:
		return nil, nil
	case list[0].Own || len(list) == 1:
		return &list[0].ID, nil
	}
	var f problem.Fields
	f.Add("source", "cash.which_desk")
	return nil, f.Err()
}

// accountOf is the account of an actor, uuid.Nil for a job or another.
func accountOf(actor string) uuid.UUID {
	text, _ := strings.CutPrefix(actor, "account:")
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}
