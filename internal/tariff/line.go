package tariff

import (
	"encoding/json"
	"slices"

	"ribambelle/internal/civil"
)

// Line is one line of a price. A reduction is a negative line.
type Line struct {
	Label      string      `json:"label"` // message key
	Args       []string    `json:"args,omitempty"`
	Cents      civil.Cents `json:"cents"`
	Fiscal     bool        `json:"fiscal"`               // care, which counts for the 281.86; a reduction counts like what it reduces
	Private    bool        `json:"private,omitempty"`    // only its payer and who may see accorded tariffs read it as what it is
	Regulation string      `json:"regulation,omitempty"` // the decision on which the amount rests
	Over       int         `json:"over,omitempty"`       // for how many sessions it pays; 0: not by session, or not known
}

// The labels of a place, by what the family reads: with a formula, the audience whose price it is, and how many times.
const (
	labelCamp    = "price.camp"
	labelFormula = "price.formula"
)

// UnmarshalJSON reads a line; one of before the fiscal flag counts for the 281.86 when it is the place itself.
func (l *Line) UnmarshalJSON(b []byte) error {
	type plain Line
	v := struct {
		*plain
		Fiscal *bool `json:"fiscal"`
	}{plain: (*plain)(l)}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	l.Fiscal = l.Label == labelCamp || l.Label == labelFormula
	if v.Fiscal != nil {
		l.Fiscal = *v.Fiscal
	}
	return nil
}

// Total sums the lines of a price.
func Total(lines []Line) (sum civil.Cents) {
	for _, l := range lines {
		sum += l.Cents
	}
	return sum
}

// Discreet returns a price as somebody reads it who may not know why it was reduced: all reductions are one line, for
// every family alike, so that an accorded tariff looks like any other.
func Discreet(lines []Line) []Line {
	kept := slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Cents < 0 })
	if cut := Total(lines) - Total(kept); cut < 0 {
		kept = append(kept, Line{Label: LabelReductions, Cents: cut})
	}
	return kept
}

// LabelReductions names all reductions at once.
const LabelReductions = "price.reductions"

// CancelledWorth returns what cancelling now more sessions is worth of a frozen price when before of them were
// cancelled already: each session has the same share of the lines that pay for sessions, reductions included, and all
// of them together are worth what these lines cost, to the cent. sessions is how many the camp had, for lines of before
// that do not say it. The worth is never negative, nor above the price.
func CancelledWorth(lines []Line, sessions, before, now int) civil.Cents {
	return worth(lines, sessions, before+now) - worth(lines, sessions, before)
}

func worth(lines []Line, sessions, cancelled int) civil.Cents {
	net := map[int]civil.Cents{} // by the number of sessions that it pays for: rounded once, so that worth only grows
	for _, l := range lines {
		over := l.Over
		if over == 0 && (l.Label == labelCamp || l.Label == labelFormula) {
			over = sessions
		}
		if over > 0 {
			net[over] += l.Cents
		}
	}
	var sum civil.Cents
	for over, c := range net {
		sum += share(c, min(max(cancelled, 0), over), over)
	}
	return max(0, min(sum, Total(lines)))
}

// share is part/of of an amount, rounded half up to the cent away from zero.
func share(c civil.Cents, part, of int) civil.Cents {
	if c < 0 {
		return -share(-c, part, of)
	}
	return (2*c*civil.Cents(part) + civil.Cents(of)) / (2 * civil.Cents(of))
}
