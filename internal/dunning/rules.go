// Package dunning asks again for what is owed: a reminder, a formal notice, the transfer to recovery. Each step is
// decided by a person and dated for ever; a complaint suspends them until it is answered.
package dunning

import (
	"strconv"
	"strings"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Step is one way to ask again, in the order in which they follow.
type Step string

// The steps. The first reminder is free and leaves fourteen days before anything may be added (Code de droit
// économique, article XIX.2, § 1 and § 2, law of 4 May 2023); a commune sends its formal notice before the constraint of
// its finance officer (Code de la démocratie locale, article L1124-40).
const (
	Reminder Step = "reminder"
	Notice   Step = "notice"
	Recovery Step = "recovery"
)

// Steps are the steps in order.
var Steps = []Step{Reminder, Notice, Recovery}

// After is the step that follows s, "" after the last; the one after "" is the first.
func (s Step) After() Step {
	switch s {
	case "":
		return Reminder
	case Reminder:
		return Notice
	case Notice:
		return Recovery
	}
	return ""
}

// leastDays is how long a first reminder must leave to pay (article XIX.2, § 2).
const leastDays = 14

// Rules is what the commune decided about reminders (settings dunning.*), within what the law allows.
type Rules struct {
	Wait      map[Step]int // days from when it is owed, then from when the step before was to be paid
	Days      int          // to pay after a step
	Fee       map[Step]civil.Cents
	Interest  int // a year, in hundredths of a percent
	Most      int // the highest rate that the law allows, in hundredths of a percent
	Caps      Caps
	Automatic Step // up to which step nobody has to decide; "" for none
	Words     map[Step]string
}

// Caps are the highest fees that a late consumer may be asked for all steps together (Code de droit économique, article
// XIX.4, 2°): 20 euros up to 150 euros owed; 30 euros and 10 % of what is above 150 up to 500; 65 euros and 5 % of what
// is above 500, at most 2 000 euros. The amounts are settings, because the King may index them.
type Caps struct {
	To150, To500, Above, Most  civil.Cents
	To500Percent, AbovePercent int
}

// Cap returns the highest fee for a debt.
func (c Caps) Cap(owed civil.Cents) civil.Cents {
	const low, high = 150_00, 500_00
	switch {
	case owed <= 0:
		return 0
	case owed <= low:
		return c.To150
	case owed <= high:
		return c.To500 + (owed-low)*civil.Cents(c.To500Percent)/100
	}
	return min(c.Most, c.Above+(owed-high)*civil.Cents(c.AbovePercent)/100)
}

// FeeFor returns the fee of a step on a debt on which so much was asked before: never for a first reminder, never
// above the caps.
func (r Rules) FeeFor(s Step, owed, before civil.Cents) civil.Cents {
	if s == Reminder {
		return 0
	}
	return max(0, min(r.Fee[s], r.Caps.Cap(owed)-before))
}

// InterestFor returns the interest on a debt for days since its first reminder, less what was asked before, rounded
// down. The rate is at most the reference rate and eight points (article XIX.4, 1°, by article 5 of the law of 2 August
// 2002), which is published every half-year: the setting dunning.interest_most.
func (r Rules) InterestFor(s Step, owed civil.Cents, days int, before civil.Cents) civil.Cents {
	rate := min(r.Interest, r.Most)
	if s == Reminder || rate <= 0 || days <= 0 {
		return 0
	}
	return max(0, owed*civil.Cents(rate)*civil.Cents(days)/(365*10_000)-before)
}

// RulesOf reads the rules from the commune's settings; Invalid with every setting that is no number or is out of what
// the law allows.
func RulesOf(settings map[string]string) (Rules, error) {
	var f problem.Fields
	days := func(key string, least int) int {
		n, err := strconv.Atoi(strings.TrimSpace(settings[key]))
		if err != nil || n < least || n > 730 {
			f.Add(key, "dunning.days_bad", least)
		}
		return n
	}
	hundredths := func(key string) int { // of euros or of a percent
		v := strings.Replace(strings.TrimSpace(settings[key]), ",", ".", 1)
		whole, part, _ := strings.Cut(v, ".")
		for len(part) < 2 {
			part += "0"
		}
		c, err := civil.ParseEuros(whole + "." + part)
		if err != nil || c < 0 {
			f.Add(key, "form.amount")
			return 0
		}
		return int(c)
	}
	euros := func(key string) civil.Cents { return civil.Cents(hundredths(key)) }
	r := Rules{
		Wait:     map[Step]int{Reminder: days("dunning.reminder_days", 0), Notice: days("dunning.notice_days", 0), Recovery: days("dunning.recovery_days", 0)},
		Days:     days("dunning.days", leastDays),
		Fee:      map[Step]civil.Cents{Notice: euros("dunning.notice_fee"), Recovery: euros("dunning.recovery_fee")},
		Interest: hundredths("dunning.interest"), Most: hundredths("dunning.interest_most"),
		Caps: Caps{
			To150: euros("dunning.cap_150"), To500: euros("dunning.cap_500"), Above: euros("dunning.cap_above"), Most: euros("dunning.cap_most"),
			To500Percent: hundredths("dunning.cap_500_percent") / 100, AbovePercent: hundredths("dunning.cap_above_percent") / 100,
		},
		Words: map[Step]string{},
	}
	switch v := Step(settings["dunning.automatic"]); v {
	case Reminder, Notice:
		r.Automatic = v
	}
	for _, s := range Steps {
		r.Words[s] = settings["dunning.text_"+string(s)]
	}
	return r, f.Err()
}
