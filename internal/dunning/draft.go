package dunning

import (
	"context"
	"strings"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// draft computes a step as of now, and writes its letter.
func (s *Store) draft(ctx context.Context, tx db.Tx, v Choice) (Record, civil.Date, error) {
	var since civil.Date
	c, err := s.Case(ctx, tx, v.DueID)
	if err != nil {
		return Record{}, since, err
	}
	switch {
	case c.Complaints > 0:
		return Record{}, since, problem.Conflict("dunning.suspended")
	case c.Next != v.Step || !c.Ready(s.today()):
		return Record{}, since, problem.Conflict("dunning.not_now")
	}
	settings, err := camp.AllSettings(ctx, tx)
	if err != nil {
		return Record{}, since, err
	}
	rules, err := RulesOf(settings)
	if err != nil {
		return Record{}, since, err
	}
	d, err := ledger.ReadDue(ctx, tx, v.DueID)
	if err != nil {
		return Record{}, since, err
	}
	r := Record{
		DueID: d.ID, RegistrationID: d.RegistrationID, PayerID: d.PayerID, Step: v.Step, OwedCents: c.Owed, Way: v.Way, At: s.Now(),
		FeeCents: rules.FeeFor(v.Step, c.Debt(), c.Fees),
	}
	if c.RemindedAt != nil {
		days := s.today().Sub(civil.DateOf(*c.RemindedAt, civil.Brussels))
		r.InterestCents = rules.InterestFor(v.Step, c.Debt(), days, c.Interest)
	}
	if r.Way != ByMail && r.Way != ByLetter {
		r.Way = ByLetter
		if c.Mail {
			r.Way = ByMail
		}
	}
	r.PayBy = s.today().AddDays(1 + rules.Days) // it runs from the day after the sending (article XIX.2, § 2)
	if r.Way == ByLetter {
		r.PayBy = thirdWorkingDay(s.today()).AddDays(rules.Days) // and by post from the third working day after it
	}
	r.Content, err = s.content(ctx, tx, d, r, rules, settings, c)
	return r, c.OwedOn, err
}

// thirdWorkingDay is the third day after d that is no Saturday and no Sunday.
func thirdWorkingDay(d civil.Date) civil.Date {
	for n := 0; n < 3; {
		d = d.AddDays(1)
		if w := d.Weekday(); w != 0 && w != 6 {
			n++
		}
	}
	return d
}

// content freezes the letter: what is owed, since when, what this step adds, until when, how to pay and how to contest.
func (s *Store) content(ctx context.Context, tx db.Tx, d ledger.Due, r Record, rules Rules, settings map[string]string, c Case) (Content, error) {
	v, err := ledger.DocumentContent(ctx, tx, d, settings, s.Now())
	if err != nil {
		return v, err
	}
	loc := locale.For(v.Lang)
	v.Called, v.PayBy = string(r.Step), r.PayBy
	v.Lines = []ledger.InvoiceLine{{Label: "dunning.debt", Args: []string{loc.DayNumeric(c.OwedOn)}, Cents: c.Debt()}}
	for _, l := range []struct {
		label string
		cents civil.Cents
	}{{"dunning.fees_before", c.Fees}, {"dunning.interest_before", c.Interest}, {"dunning.fee", r.FeeCents}, {"dunning.interest", r.InterestCents}} {
		if l.cents != 0 {
			v.Lines = append(v.Lines, ledger.InvoiceLine{Label: l.label, Cents: l.cents})
		}
	}
	v.Total = r.OwedCents + r.FeeCents + r.InterestCents
	words := rules.Words[r.Step]
	if words == "" {
		words = loc.T("dunning.words." + string(r.Step))
	}
	v.Words = strings.Split(words, "\n\n")
	v.Legal = append([]string{loc.T("dunning.legal")}, v.Legal...)
	return v, nil
}
