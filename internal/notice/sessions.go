package notice

import (
	"context"
	"fmt"
	"strings"

	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
)

// sessionsCancelled keeps the messages that tell of cancelled sessions: to who registered, who pays, and every guardian
// who receives messages about the child.
func (s *Store) sessionsCancelled(ctx context.Context, tx db.Tx, eventID int64, e event) error {
	near, err := s.near(ctx, tx, e)
	if err != nil {
		return err
	}
	others, err := s.listeners(ctx, tx, e.ChildID, near...)
	if err != nil {
		return err
	}
	recipients := others
	for _, id := range near {
		recipients = append(recipients, toGuardian(id))
	}
	return s.put(ctx, tx, templateSessions, fmt.Sprint(eventID), e.At, nil, recipients...)
}

// sessionsLetter says which days fall away and why. Only who pays reads that the price follows.
func (s *Store) sessionsLetter(l letter, p place, e event, payer bool, loc *locale.Locale) letter {
	var days []string
	for _, v := range p.cancelled {
		if day := loc.Day(v.Day); len(days) == 0 || days[len(days)-1] != day {
			days = append(days, day)
		}
	}
	if len(days) > 0 {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.cancelled"), Value: strings.Join(days, locale.NBSP+"; ")})
	}
	if e.Reason != "" {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.reason"), Value: e.Reason})
	}
	if payer && p.State != enrol.Waitlisted && p.State != enrol.Offered {
		l.after = []string{loc.T("notice.registration_sessions_cancelled.after")}
	}
	return l
}
