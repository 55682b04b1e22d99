package tariff

import (
	"strconv"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Who counts as a sibling; "tariff.who.<who>" is the key of a name.
const (
	WhoNone      = "none"
	WhoPayer     = "payer"     // the registrations that the same guardian pays
	WhoHousehold = "household" // the children of the payer's household
	WhoParent    = "parent"    // the children for whom the payer is a guardian, whoever registers them
)

// Whos lists who may count in the order in which screens show it.
var Whos = []string{WhoNone, WhoPayer, WhoHousehold, WhoParent}

// How a rule counts; "tariff.mode.<mode>" is the key of a name.
const (
	ModeRank = "rank" // the child's rank by submission, oldest first: the first pays all, the second less…
	ModeEach = "each" // how many children there are: each registration sent from then on is reduced
)

// Over what a rule counts; "tariff.scope.<scope>" is the key of a name.
const (
	ScopeSeason = "season"
	ScopeCamp   = "camp"
)

// Siblings is the rule of a commune, or of one camp, about several children of a family.
//
// A child's rank is one more than the number of other children of the family with a registration in the scope that was
// submitted before and has not ended; lines of one basket count in the basket's order. A registration keeps what it
// was given when it was submitted.
type Siblings struct {
	Who        string
	Mode       string
	Scope      string
	Steps      []Step
	Cumulate   bool // beside an accorded tariff; else the better of the two
	ExitRaises bool // a child that leaves takes the reduction of the others with it
	Regulation string
}

// Step is what is taken off from the From-th child on, until the next step: a percentage or an amount.
type Step struct {
	From    int         `json:"from"`
	Percent int         `json:"percent,omitempty"`
	Cents   civil.Cents `json:"cents,omitempty"`
}

// Cut returns the reduction for the n-th child, or by ModeEach for one of n children; nil for none.
func (r Siblings) Cut(n int) *Cut {
	var found *Step
	for i, s := range r.Steps {
		if r.Who != WhoNone && s.From <= n && (found == nil || s.From > found.From) {
			found = &r.Steps[i]
		}
	}
	if found == nil {
		return nil
	}
	label := "price.sibling_rank"
	if r.Mode == ModeEach {
		label = "price.sibling_each"
	}
	return &Cut{Label: label, Args: []string{strconv.Itoa(n)}, Percent: found.Percent, Cents: found.Cents, Regulation: r.Regulation}
}

// Active reports whether the rule reduces anything.
func (r Siblings) Active() bool { return r.Who != WhoNone && len(r.Steps) > 0 }

// maxCents is a bound against a slip of the keyboard: 5 000,00 €.
const maxCents = 500_000

func (r Siblings) validate() error {
	var f problem.Fields
	oneOf(&f, "who", r.Who, Whos...)
	oneOf(&f, "mode", r.Mode, ModeRank, ModeEach)
	oneOf(&f, "scope", r.Scope, ScopeSeason, ScopeCamp)
	for i, s := range r.Steps {
		if s.From < 2 || s.From > 20 || i > 0 && s.From <= r.Steps[i-1].From {
			f.Add("steps", "tariff.step_order")
		}
		amount(&f, "steps", s.Percent, s.Cents)
	}
	if r.Who != WhoNone && len(r.Steps) == 0 {
		f.Add("steps", "tariff.step_needed")
	}
	short(&f, "regulation", r.Regulation, false)
	return f.Err()
}

// oneOf notes a value that is not among the known ones.
func oneOf(f *problem.Fields, name, value string, known ...string) {
	for _, k := range known {
		if k == value {
			return
		}
	}
	f.Add(name, "form.required")
}

// amount notes anything but a percentage or an amount of money, one of the two.
func amount(f *problem.Fields, name string, percent int, cents civil.Cents) {
	switch {
	case (percent == 0) == (cents == 0):
		f.Add(name, "tariff.one_amount")
	case percent < 0 || percent > 100:
		f.Add(name, "tariff.percent_out_of_range")
	case cents < 0 || cents > maxCents:
		f.Add(name, "camp.price_out_of_range")
	}
}

// maxText bounds what staff write, in bytes.
const maxText = 300

func short(f *problem.Fields, name, text string, needed bool) {
	switch {
	case needed && text == "":
		f.Add(name, "form.required")
	case len(text) > maxText:
		f.Add(name, "form.too_long")
	}
}
