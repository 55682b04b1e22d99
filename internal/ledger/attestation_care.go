package ledger

import (
	"math/big"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
)

// Why a due gives no line; "attestation.why.<code>" is the key of the sentence.
const (
	WhyNotOver      = "not_over"     // the camp has not ended
	WhyUnpaid       = "unpaid"       // a due of the registration is not settled
	WhyUnmarked     = "unmarked"     // a session has no mark of attendance: nobody knows whether the child came
	WhyAbsent       = "absent"       // the child did not come at all
	WhyNoCare       = "no_care"      // nothing of the price is care
	WhyTooOld       = "too_old"      // every day was on or after the birthday
	WhyRefund       = "refund"       // more was given back in the year than received: an earlier year's attestation said too much
	WhyOrganisation = "organisation" // the debtor is an organisation
	WhyLeft         = "left"         // the registration has ended without the child coming
)

// priceLine is a line of a frozen price. Fiscal says whether it is care; older prices do not say it.
type priceLine struct {
	Label  string      `json:"label"`
	Args   []string    `json:"args"`
	Cents  civil.Cents `json:"cents"`
	Fiscal *bool       `json:"fiscal"`
}

// mark is one session that took place, and whether the child was there; nil while nobody marked it.
type mark struct {
	Day     civil.Date
	Present *bool
}

// care is what is known of one due when an attestation is computed. Money is in cents.
type care struct {
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	DebtorID       uuid.UUID
	Organisation   bool // the debtor is one
	ChildID        uuid.UUID
	CampID         uuid.UUID
	Camp           string
	State          string
	Price          []priceLine
	Settled        bool        // every due of the registration is
	Charged        civil.Cents // on this due, less reductions and write-offs, without fees
	Fees           civil.Cents // on this due
	ChargedAll     civil.Cents // Charged of every due of the registration
	Before         civil.Cents // payments less refunds on this due until the year begins
	After          civil.Cents // until it has ended

	lastDay civil.Date
	marks   []mark
	options map[string]bool // fiscal, by name
	birth   civil.Date
	limit   int // age from which care does not count: 14, or 21
}

// fiscalShare sums the price and what of it is care: the camp or its formula, options that are care, and the bus when
// the commune counts it. A reduction lowers what it names; one that does not say what it lowers, lowers care, so that
// never too much is certified. Meals, material and fees are no care (fin.belgium.be, frais de garde).
func (c care) fiscalShare(bus bool) (fiscal, total civil.Cents) {
	for _, l := range c.Price {
		total += l.Cents
		counts := true
		switch {
		case strings.HasPrefix(l.Label, "price.bus"):
			counts = bus
		case l.Fiscal != nil:
			counts = *l.Fiscal
		case strings.HasPrefix(l.Label, "price.option"):
			counts = len(l.Args) > 0 && c.options[l.Args[0]]
		}
		if counts {
			fiscal += l.Cents
		}
	}
	return max(0, min(fiscal, total)), total
}

// proportion returns n × num / den rounded half up, of numbers that are not negative; 0 when den is 0.
func proportion(n civil.Cents, num, den *big.Int) civil.Cents {
	if den.Sign() <= 0 || n <= 0 {
		return 0
	}
	v := new(big.Int).Mul(big.NewInt(int64(n)), num)
	v.Add(v.Lsh(v, 1), den)
	return civil.Cents(v.Quo(v, new(big.Int).Lsh(den, 1)).Int64())
}

func product(factors ...civil.Cents) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, big.NewInt(int64(f)))
	}
	return p
}

// line returns what the due gives for an attestation of the year, or why it gives nothing; "" with no line is a due on
// which nothing was received in the end.
//
// Only a camp that is over, attended and wholly paid counts (finance.belgium.be, attestation garde d'enfant). What
// counts is what was received in the year: payments less what was given back, as far as it pays what was charged, so
// that money paid twice is not certified. A payment does not say what it pays: it counts pro rata of the care in the
// price, and fees count for nothing. Days are days on which the child came. From the birthday on nothing counts: the
// period ends before it, and the amount follows the days. Rounding is done on sums since the beginning, so that the
// years together give exactly the care that was paid.
func (c care) line(t terms, today civil.Date) (AttestationLine, string) {
	l := AttestationLine{RegistrationID: c.RegistrationID, Camp: c.Camp}
	switch {
	case c.State != "confirmed" && c.State != "completed":
		return l, WhyLeft
	case c.lastDay.IsZero() || !c.lastDay.Before(today):
		return l, WhyNotOver
	case !c.Settled:
		return l, WhyUnpaid
	case c.Organisation:
		return l, WhyOrganisation
	}
	came, unmarked := c.days(t.unmarked)
	if unmarked > 0 {
		return l, WhyUnmarked
	}
	if len(came) == 0 {
		return l, WhyAbsent
	}
	fiscal, total := c.fiscalShare(t.bus)
	if fiscal == 0 || c.Charged <= 0 {
		return l, WhyNoCare
	}
	young := came[:0:0]
	for _, d := range came {
		if civil.AgeOn(c.birth, d) < c.limit {
			young = append(young, d)
		}
	}
	if len(young) == 0 {
		return l, WhyTooOld
	}
	all, kept := civil.Cents(len(came)), civil.Cents(len(young))
	num := product(fiscal, c.Charged, kept)
	den := product(total, c.Charged+c.Fees, all)
	owed := c.Charged + c.Fees
	l.Cents = proportion(min(c.After, owed), num, den) - proportion(min(c.Before, owed), num, den)
	switch {
	case l.Cents < 0:
		return l, WhyRefund
	case l.Cents == 0:
		return l, ""
	}
	l.From, l.Until, l.Days = young[0], young[len(young)-1], len(young)
	// The tariff is that of the camp, whoever pays it. It may stay blank while it is below the year's maximum.
	if tariff := proportion(c.ChargedAll, product(fiscal), product(total, all)); t.maximum == 0 || tariff > t.maximum {
		l.Tariff = tariff
	}
	return l, ""
}

// days returns the distinct days on which the child came, in order, and how many sessions nobody marked.
func (c care) days(unmarkedCame bool) (came []civil.Date, unmarked int) {
	for _, m := range c.marks {
		if m.Present == nil && !unmarkedCame {
			unmarked++
		}
		if m.Present == nil && unmarkedCame || m.Present != nil && *m.Present {
			came = append(came, m.Day)
		}
	}
	slices.SortFunc(came, civil.Date.Compare)
	return slices.Compact(came), unmarked
}
