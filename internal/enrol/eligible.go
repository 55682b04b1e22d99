package enrol

import (
	"slices"
	"time"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
)

// Reason is one thing that stands between a child and a camp.
type Reason struct {
	Rule     string     // age, level, window, ticket, overlap, once or sheet
	Bar      bool       // true: no submission; false: to do before Deadline
	Code     string     // message key
	Args     []any      // the values compared
	Deadline civil.Date // of a to-do
}

// Facts is everything that Eligible weighs. Whoever loads them decides nothing.
type Facts struct {
	At       time.Time
	Camp     camp.Camp
	Sessions []camp.Session // not cancelled, in order
	Ticket   *camp.Ticket   // the one asked for, if any
	Birth    civil.Date
	Level    string // in the school year of the camp; "" is none
	Busy     []Busy // sessions of the child's other open or settled registrations
	Once     bool   // the child is registered for this camp already
	Fresh    bool   // the medical sheet is confirmed for this camp
}

// Busy is a session at which the child is expected elsewhere.
type Busy struct {
	CampName string
	Day      civil.Date
	Starts   int // minutes after midnight
	Ends     int
}

// Eligible returns every reason, bars first, that keeps a child from a camp or that remains to be done. The catalogue,
// the form, the submission, the promotion and the payment all ask it.
func Eligible(f Facts) []Reason {
	rules := []func(Facts) []Reason{once, window, ticket, age, level, overlap, sheet}
	var reasons []Reason
	for _, rule := range rules {
		reasons = append(reasons, rule(f)...)
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		switch {
		case a.Bar == b.Bar:
			return 0
		case a.Bar:
			return -1
		}
		return 1
	})
	return reasons
}

// Barred reports whether any of the reasons is a bar.
func Barred(reasons []Reason) bool {
	return slices.ContainsFunc(reasons, func(r Reason) bool { return r.Bar })
}

func bar(rule, code string, args ...any) []Reason {
	return []Reason{{Rule: rule, Bar: true, Code: code, Args: args}}
}

// FirstDay is the day of the first session, or of the camp's beginning when it has none.
func (f Facts) FirstDay() civil.Date {
	if len(f.Sessions) > 0 {
		return f.Sessions[0].Day
	}
	return civil.DateOf(f.Camp.BeginsAt, f.Camp.TimeZone())
}

func once(f Facts) []Reason {
	if f.Once {
		return bar("once", "eligible.once")
	}
	return nil
}

func window(f Facts) []Reason {
	c := f.Camp
	switch {
	case c.Cancelled:
		return bar("window", "eligible.camp_cancelled")
	case c.Archived || !c.Published:
		return bar("window", "eligible.not_offered")
	case c.OpensAt != nil && f.At.Before(*c.OpensAt):
		return bar("window", "eligible.opens_later", *c.OpensAt)
	case !f.At.Before(c.Closes()):
		return bar("window", "eligible.closed")
	}
	return nil
}

func ticket(f Facts) []Reason {
	t := f.Ticket
	switch {
	case t == nil || t.OnSaleAt(f.At):
		return nil
	case !t.Withdrawn && t.SaleFrom != nil && f.At.Before(*t.SaleFrom):
		return bar("ticket", "eligible.formula_later", t.Name, *t.SaleFrom)
	}
	return bar("ticket", "eligible.formula_over", t.Name)
}

func age(f Facts) []Reason {
	years := civil.AgeOn(f.Birth, f.FirstDay())
	switch {
	case f.Camp.AgeMin != nil && years < *f.Camp.AgeMin:
		return bar("age", "eligible.too_young", *f.Camp.AgeMin, years)
	case f.Camp.AgeMax != nil && years > *f.Camp.AgeMax:
		return bar("age", "eligible.too_old", *f.Camp.AgeMax, years)
	}
	return nil
}

func level(f Facts) []Reason {
	if len(f.Camp.Levels) == 0 || slices.Contains(f.Camp.Levels, f.Level) {
		return nil
	}
	first, last := LevelSpan(f.Camp.Levels)
	if f.Level == "" {
		return bar("level", "eligible.no_level", first, last)
	}
	return bar("level", "eligible.other_level", first, last, f.Level)
}

// LevelSpan returns the lowest and the highest of some school levels.
func LevelSpan(levels []string) (first, last string) {
	for _, l := range levels {
		i := civil.LevelIndex(l)
		if i < 0 {
			continue
		}
		if first == "" || i < civil.LevelIndex(first) {
			first = l
		}
		if last == "" || i > civil.LevelIndex(last) {
			last = l
		}
	}
	return first, last
}

func overlap(f Facts) []Reason {
	var reasons []Reason
	var named []string
	for _, b := range f.Busy {
		if slices.Contains(named, b.CampName) {
			continue
		}
		for _, s := range f.Sessions {
			if s.Day == b.Day && s.Starts < b.Ends && b.Starts < s.Ends {
				named = append(named, b.CampName)
				reasons = append(reasons, bar("overlap", "eligible.overlap", b.CampName, b.Day)...)
				break
			}
		}
	}
	return reasons
}

// sheetLead is how many days before the camp the medical sheet is wanted.
const sheetLead = 7

func sheet(f Facts) []Reason {
	if f.Fresh {
		return nil
	}
	deadline, today := f.FirstDay().AddDays(-sheetLead), civil.DateOf(f.At, civil.Brussels)
	if !deadline.After(today) {
		deadline = f.FirstDay().AddDays(-1)
	}
	return []Reason{{Rule: "sheet", Code: "eligible.sheet", Deadline: deadline}}
}
