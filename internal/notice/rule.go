package notice

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The triggers of reminder rules; each is also the template of its mails.
const (
	TriggerSheetStale = "sheet_stale" // the medical sheet does not count for a coming camp
	TriggerCampSoon   = "camp_soon"   // a confirmed registration, the camp is near
	TriggerPaymentDue = "payment_due" // the place is not paid, the deadline is near
)

// Rule says when families are reminded of one thing: first FirstDays before the day that counts (the first session,
// or the deadline of a payment), then every EveryDays, AtMost times in all and never on that day or after it.
type Rule struct {
	Code      string // "fiche-medicale"; it never changes
	Trigger   string // it never changes either
	FirstDays int
	EveryDays int
	AtMost    int
	Enabled   bool
}

// Bounds of a rule, as the table has them.
const (
	maxRuleDays  = 365
	maxRuleTimes = 50
)

func (r Rule) validate() error {
	var f problem.Fields
	if r.FirstDays < 1 || r.FirstDays > maxRuleDays {
		f.Add("first_days", "notice.rule.days_out_of_range")
	}
	if r.EveryDays < 1 || r.EveryDays > maxRuleDays {
		f.Add("every_days", "notice.rule.days_out_of_range")
	}
	if r.AtMost < 1 || r.AtMost > maxRuleTimes {
		f.Add("at_most", "notice.rule.times_out_of_range")
	}
	return f.Err()
}

const ruleColumns = `code, trigger, first_days, every_days, at_most, enabled`

// Rules returns every rule, by its code; "notice.rule.name.<trigger>" is the message key of what it reminds of.
func (s *Store) Rules(ctx context.Context) ([]Rule, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+ruleColumns+`
		FROM reminder_rule
		ORDER BY code`)
	if err != nil {
		return nil, fmt.Errorf("reading the reminder rules: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Rule])
}

// SaveRule changes the intervals of a rule, or switches it on or off. Code says which; Trigger is not looked at.
// It returns Invalid with every faulty field, and NotFound for a code that does not exist. Mails that were enqueued
// by the former intervals are not repeated: a family is next reminded at the first slot after its last one.
func (s *Store) SaveRule(ctx context.Context, actor audit.Actor, r Rule) error {
	if err := r.validate(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+ruleColumns+`
			FROM reminder_rule
			WHERE code = @code
			FOR UPDATE`,
			pgx.NamedArgs{"code": r.Code})
		if err != nil {
			return fmt.Errorf("reading the reminder rule %s: %w", r.Code, err)
		}
		before, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Rule])
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("notice.rule.not_found")
		}
		if err != nil {
			return fmt.Errorf("reading the reminder rule %s: %w", r.Code, err)
		}
		r.Trigger = before.Trigger
		if r == before {
			return nil
		}
		_, err = tx.Exec(ctx, `
			UPDATE reminder_rule
			SET first_days = @first, every_days = @every, at_most = @most, enabled = @enabled, updated_at = @now
			WHERE code = @code`,
			pgx.NamedArgs{
				"code": r.Code, "first": r.FirstDays, "every": r.EveryDays, "most": r.AtMost, "enabled": r.Enabled, "now": s.Now(),
			})
		if err != nil {
			return fmt.Errorf("changing the reminder rule %s: %w", r.Code, err)
		}
		return audit.Record(ctx, tx, actor, "reminder_rule.changed", "reminder_rule", r.Code, map[string]any{"before": before, "after": r})
	})
}
