package tariff

import (
	"strconv"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
)

// Unit is for what an amount is asked: once, or for each session or day of the camp.
type Unit string

// The units; "tariff.unit.<unit>" is the key of a name.
const (
	PerCamp    Unit = "camp"
	PerSession Unit = "session"
	PerDay     Unit = "day"
)

// Units lists the units in the order in which screens show them.
var Units = []Unit{PerCamp, PerSession, PerDay}

// Facts is everything that a price is computed from. It is frozen with the price, so that a change of bus or options
// computes from the same. Whoever loads it decides nothing.
type Facts struct {
	Camp       string      `json:"camp"`
	Ticket     string      `json:"ticket,omitempty"`
	Rates      []Rate      `json:"rates"` // of the audiences that the family belongs to, at least one
	Unit       Unit        `json:"unit"`
	Sessions   int         `json:"sessions"`
	Days       int         `json:"days"`
	Regulation string      `json:"regulation,omitempty"`
	Items      []Item      `json:"items,omitempty"`
	Siblings   *Cut        `json:"siblings,omitempty"`
	Counted    []uuid.UUID `json:"counted,omitempty"` // the other children because of whom
	Accorded   *Accord     `json:"accorded,omitempty"`
	Cumulate   bool        `json:"cumulate"` // siblings beside an accorded tariff; else the better of the two
	Voucher    *Cut        `json:"voucher,omitempty"`
}

// Rate is what the place costs to an audience, for one unit.
type Rate struct {
	Audience string      `json:"audience"`
	Name     string      `json:"name,omitempty"` // as the family reads it; "" when every audience pays the same
	Cents    civil.Cents `json:"cents"`
}

// Item is a direction of the bus, or an option.
type Item struct {
	ID     uuid.UUID   `json:"id"`
	Label  string      `json:"label"`
	Name   string      `json:"name"`
	Cents  civil.Cents `json:"cents"` // for one unit
	Unit   Unit        `json:"unit"`
	Fiscal bool        `json:"fiscal,omitempty"`
}

// Cut is a reduction: a percentage or an amount.
type Cut struct {
	ID         uuid.UUID   `json:"id,omitzero"` // of the voucher
	Label      string      `json:"label"`
	Args       []string    `json:"args,omitempty"`
	Percent    int         `json:"percent,omitempty"`
	Cents      civil.Cents `json:"cents,omitempty"`
	Regulation string      `json:"regulation,omitempty"`
}

// Accord is a tariff that staff accorded: a percentage off the place, or what one unit of it costs.
type Accord struct {
	ID         uuid.UUID    `json:"id"`
	Percent    int          `json:"percent,omitempty"`
	Cents      *civil.Cents `json:"cents,omitempty"`
	Regulation string       `json:"regulation,omitempty"`
}

// Price returns what a registration costs, in detail and in this order: the place at the best of the family's rates;
// the accorded tariff; the reduction for siblings, on what the place then still costs; the bus and options; the
// voucher, on everything. A line of nothing is left out; no reduction takes more than what it reduces.
func Price(f Facts) []Line {
	place := f.place()
	lines := []Line{place}
	accorded, siblings := f.accorded(place), f.siblings(place, 0)
	switch {
	case f.Cumulate:
		siblings = f.siblings(place, accorded.Cents)
	case -accorded.Cents > -siblings.Cents:
		siblings = Line{}
	default:
		accorded = Line{}
	}
	lines = append(lines, accorded, siblings)
	for _, i := range f.Items {
		lines = append(lines, f.item(i))
	}
	lines = append(lines, f.voucher(lines)...)
	kept := lines[:0]
	for _, l := range lines {
		if l.Cents != 0 {
			kept = append(kept, l)
		}
	}
	return kept
}

// times is how often an amount is asked.
func (f Facts) times(u Unit) int {
	switch u {
	case PerSession:
		return f.Sessions
	case PerDay:
		return f.Days
	case PerCamp:
	}
	return 1
}

// rate is the best of the family's rates, the first of equal ones.
func (f Facts) rate() Rate {
	var best Rate
	for i, r := range f.Rates {
		if i == 0 || r.Cents < best.Cents {
			best = r
		}
	}
	return best
}

func (f Facts) place() Line {
	r := f.rate()
	l := Line{
		Label: labelCamp, Args: []string{f.Camp}, Cents: r.Cents * civil.Cents(f.times(f.Unit)),
		Fiscal: true, Regulation: f.Regulation, Over: f.Sessions,
	}
	if f.Ticket != "" {
		l.Label, l.Args = labelFormula, append(l.Args, f.Ticket)
	}
	if r.Name != "" {
		l.Label, l.Args = l.Label+"_for", append(l.Args, r.Name)
	}
	if f.Unit != PerCamp {
		l.Label, l.Args = l.Label+"_times", append(l.Args, strconv.Itoa(f.times(f.Unit)))
	}
	return l
}

// accorded is what the accorded tariff takes off the place.
func (f Facts) accorded(place Line) Line {
	a := f.Accorded
	if a == nil {
		return Line{}
	}
	cut := percent(place.Cents, a.Percent)
	if a.Cents != nil {
		cut = place.Cents - *a.Cents*civil.Cents(f.times(f.Unit))
	}
	return Line{Label: LabelAccorded, Cents: -max(0, min(cut, place.Cents)), Fiscal: true, Private: true, Regulation: a.Regulation, Over: f.Sessions}
}

// LabelAccorded is what the family concerned reads of an accorded tariff.
const LabelAccorded = "price.accorded"

// siblings is what the rank of the child takes off the place, already less by reduced (negative cents).
func (f Facts) siblings(place Line, reduced civil.Cents) Line {
	if f.Siblings == nil {
		return Line{}
	}
	left := place.Cents + reduced
	return f.Siblings.line(f.Siblings.of(left), true, f.Sessions)
}

func (f Facts) item(i Item) Line {
	l := Line{
		Label: i.Label, Args: []string{i.Name}, Cents: i.Cents * civil.Cents(f.times(i.Unit)), Fiscal: i.Fiscal, Regulation: f.Regulation,
	}
	if i.Unit != PerCamp {
		l.Label, l.Args = l.Label+"_times", append(l.Args, strconv.Itoa(f.times(i.Unit)))
	}
	if i.Unit != PerCamp || i.Label != LabelOption {
		l.Over = f.Sessions // a bus goes by session however it is priced; material is had once
	}
	return l
}

// The labels of items.
const (
	LabelBusOut  = "price.bus_out"
	LabelBusBack = "price.bus_back"
	LabelOption  = "price.option"
)

// voucher is what a voucher takes off the lines: care first, which makes one line, then the rest. A percentage is taken
// of each.
func (f Facts) voucher(lines []Line) []Line {
	v := f.Voucher
	if v == nil {
		return nil
	}
	var care, rest civil.Cents
	over := 0
	for _, l := range lines {
		if l.Fiscal {
			care += l.Cents
		} else {
			rest += l.Cents
			over = max(over, l.Over)
		}
	}
	ofCare := v.of(care)
	ofRest := v.of(rest)
	if v.Percent == 0 {
		ofRest = min(v.Cents-ofCare, rest)
	}
	return []Line{v.line(ofCare, true, f.Sessions), v.line(ofRest, false, over)}
}

// of is what the reduction takes of an amount.
func (c *Cut) of(amount civil.Cents) civil.Cents {
	if c.Percent > 0 {
		return percent(amount, c.Percent)
	}
	return min(c.Cents, amount)
}

func (c *Cut) line(cents civil.Cents, fiscal bool, over int) Line {
	return Line{Label: c.Label, Args: c.Args, Cents: -cents, Fiscal: fiscal, Regulation: c.Regulation, Over: over}
}

// percent is a percentage of an amount that is not negative, rounded half up to the cent.
func percent(c civil.Cents, p int) civil.Cents {
	return (c*civil.Cents(p) + 50) / 100
}
