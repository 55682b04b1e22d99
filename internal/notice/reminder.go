package notice

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/internal/medical"
)

// about reads the subject of a reminder, whose rule must still be in force.
func (s *Store) about(ctx context.Context, tx db.Tx, m message) (uuid.UUID, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return id, fmt.Errorf("message %s is about %q", m.ID, m.SubjectID)
	}
	var enabled bool
	err = tx.QueryRow(ctx, `
		SELECT coalesce((SELECT enabled FROM reminder_rule WHERE code = @code), false)`,
		pgx.NamedArgs{"code": m.RuleCode}).Scan(&enabled)
	if err != nil {
		return id, fmt.Errorf("reading the rule of message %s: %w", m.ID, err)
	}
	if !enabled {
		return id, errDrop
	}
	return id, nil
}

// sheetLetter asks to confirm a child's medical sheet, or to fill in the first one, if it still does not count for a coming camp of the child. It
// says nothing of what stands in the sheet.
func (s *Store) sheetLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	childID, err := s.about(ctx, tx, m)
	if err != nil {
		return letter{}, err
	}
	for _, right := range []household.Right{household.RightMedical, household.RightMessages} {
		if err := s.mayHear(ctx, tx, to.GuardianID, childID, right); err != nil {
			return letter{}, err
		}
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `
		SELECT r.id
		FROM registration AS r
		JOIN (`+campFirst+`) AS f ON f.camp_id = r.camp_id
		WHERE r.child_id = @child
		  AND r.state = ANY(@holding)
		  AND f.first_day > `+today+`
		  AND NOT `+medical.FreshSQL("r.child_id", "f.first_day", "f.sheet_days")+`
		ORDER BY f.first_day, r.created_at, r.id
		LIMIT 1`,
		pgx.NamedArgs{"child": childID, "holding": holding(), "at": s.Now()}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return letter{}, errDrop
	}
	if err != nil {
		return letter{}, fmt.Errorf("reading the camps of child %s: %w", childID, err)
	}
	p, err := readPlace(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	sheets, err := medical.Statuses(ctx, tx, []uuid.UUID{childID})
	if err != nil {
		return letter{}, err
	}
	l := letter{
		key: m.Template, args: append(p.args(loc), loc.Day(p.First)), facts: p.facts(loc), button: pathSheet(childID),
		after: []string{loc.T("notice.sheet_stale.after")},
	}
	if sheets[childID].Version == 0 {
		l.key += ".new"
	}
	return l, nil
}

// soonLetter says what a family needs for a camp that is about to begin.
func (s *Store) soonLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := s.about(ctx, tx, m)
	if err != nil {
		return letter{}, err
	}
	p, err := readPlace(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.mayHear(ctx, tx, to.GuardianID, p.ChildID, household.RightMessages); err != nil {
		return letter{}, err
	}
	now := civil.DateOf(s.Now(), civil.Brussels)
	if p.State != enrol.Confirmed || !now.Before(p.First) {
		return letter{}, errDrop
	}
	l := letter{
		key: m.Template, args: append(p.args(loc), loc.RelativeDay(p.First, now)), facts: append(p.facts(loc), p.practical(loc)...),
		button: pathRegistration(p.ID),
	}
	if things := inLine(p.Bring); things != "" {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.bring"), Value: things})
	}
	if p.Contact != "" {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.contact"), Value: inLine(p.Contact)})
	}
	return l, nil
}

// inLine writes a list of lines as one: « gourde ; chapeau ; bottes ».
func inLine(list string) string {
	var items []string
	for line := range strings.Lines(list) {
		if line = strings.Trim(line, " \t\r\n-*•·;,."); line != "" {
			items = append(items, line)
		}
	}
	return strings.Join(items, locale.NBSP+"; ")
}

// paymentLetter reminds of a payment that has not come and is still waited for.
func (s *Store) paymentLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := s.about(ctx, tx, m)
	if err != nil {
		return letter{}, err
	}
	p, err := readPlace(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.mayHear(ctx, tx, to.GuardianID, p.ChildID, household.RightSee); err != nil {
		return letter{}, err
	}
	l := letter{key: m.Template, args: p.args(loc), facts: p.facts(loc), button: pathPay(p.ID), after: []string{loc.T("notice.payment_due.after")}}
	var bill []mail.Fact
	switch p.State {
	case enrol.AwaitingPayment:
		bill, err = s.billNow(ctx, tx, p, to.GuardianID, loc)
	case enrol.Confirmed:
		var on civil.Date
		if on, err = s.instalmentOn(ctx, tx, p.ID, to.GuardianID, s.Now()); err != nil {
			return letter{}, err
		}
		l.key += ".later"
		l.args[3] = loc.Day(on)
		bill, err = s.bill(ctx, tx, p, to.GuardianID, on, loc.Day(on), loc)
	default:
		err = errDrop
	}
	l.facts = append(l.facts, bill...)
	return l, err
}
