package enrol

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
)

// Reason is one thing that stands between a child and a camp.
type Reason struct {
	Rule       string     // once, window, audience, ticket, age, level, overlap, gap, season, requires, excludes or sheet
	Bar        bool       // true: no submission; false: to do before Deadline
	Derogation bool       // a bar against which the family may ask for an exception
	Code       string     // message key
	Args       []any      // the values compared
	Deadline   civil.Date // of a to-do
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

	Policy     camp.Policy
	Resident   bool        // of the commune, by either address
	Season     camp.Season // the one that holds the first session, if any
	InSeason   int         // other camps of the child in that season
	Going      []uuid.UUID // camps for which the child is confirmed, or was
	Elsewhere  []uuid.UUID // camps for which the child is registered in any open way
	Overridden []string    // rules that staff let this registration pass
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
	rules := []func(Facts) []Reason{once, window, audience, ticket, age, level, overlap, gap, season, others, sheet}
	var reasons []Reason
	for _, rule := range rules {
		reasons = append(reasons, rule(f)...)
	}
	reasons = slices.DeleteFunc(reasons, func(r Reason) bool { return slices.Contains(f.Overridden, r.Rule) })
	for i, r := range reasons {
		reasons[i].Derogation = r.Bar && f.Policy.Derogations && slices.Contains(derogable, r.Rule)
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

// derogable are the rules that staff may let a child pass; the others protect a place or follow from the camp itself.
var derogable = []string{"age", "level", "gap", "season", "requires"}

// Derogable reports whether a family may ask for an exception to every bar among the reasons.
func Derogable(reasons []Reason) bool {
	return !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Bar && !r.Derogation })
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
	case len(f.Policy.Openings) == 0 && c.OpensAt != nil && f.At.Before(*c.OpensAt):
		return bar("window", "eligible.opens_later", *c.OpensAt)
	case !f.At.Before(c.Closes()):
		return bar("window", "eligible.closed")
	}
	return nil
}

// audience compares the moment with the openings by audience: the earliest one that is the family's counts.
func audience(f Facts) []Reason {
	if len(f.Policy.Openings) == 0 {
		return nil
	}
	opens, ever := camp.OpensFor(f.Policy.Openings, nil, f.Resident)
	switch {
	case !ever:
		return bar("audience", "eligible.residents_only")
	case f.At.Before(*opens) && !f.Resident:
		return bar("audience", "eligible.opens_later_others", *opens)
	case f.At.Before(*opens):
		return bar("audience", "eligible.opens_later", *opens)
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

// gap asks for time between two sessions of one day, the way from one camp to the other included.
func gap(f Facts) []Reason {
	if f.Policy.MinGap == 0 {
		return nil
	}
	for _, b := range f.Busy {
		for _, s := range f.Sessions {
			apart := max(s.Starts-b.Ends, b.Starts-s.Ends)
			if s.Day == b.Day && apart >= 0 && apart < f.Policy.MinGap {
				return bar("gap", "eligible.gap", f.Policy.MinGap, b.CampName, b.Day)
			}
		}
	}
	return nil
}

func season(f Facts) []Reason {
	if f.Season.MostPerChild == nil || f.InSeason < *f.Season.MostPerChild {
		return nil
	}
	return bar("season", "eligible.season", *f.Season.MostPerChild, f.Season.Name)
}

// others weighs the camps that this one asks for or excludes.
func others(f Facts) []Reason {
	var reasons []Reason
	for _, o := range f.Policy.Requires {
		if !slices.Contains(f.Going, o.CampID) {
			reasons = append(reasons, bar("requires", "eligible.requires", o.Name)...)
		}
	}
	for _, o := range f.Policy.Excludes {
		if slices.Contains(f.Elsewhere, o.CampID) {
			reasons = append(reasons, bar("excludes", "eligible.excludes", o.Name)...)
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
