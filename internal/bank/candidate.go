package bank

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/transfer"
)

// Candidate is a due that an entry may pay.
type Candidate struct {
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	Communication  string
	State          string
	Owed           civil.Cents
	Payer          string
	Child          string
	Camp           string
	Confidence     int      // percent, below 100: a person decides
	Why            []string // message keys
}

// Waiter is an entry in the queue with the dues that it may pay, the likeliest first.
type Waiter struct {
	Entry
	Candidates []Candidate
	Others     []Other // what else it may be: a refund, a payment that was taken back, money of the cash desk
	Payout     bool    // a provider seems to have sent it
}

const (
	// lateFor is how long an expired registration is still thought of.
	lateFor = 120 * 24 * time.Hour
	// leastConfidence is what a candidate needs to be shown, and mostCandidates how many are.
	leastConfidence = 40
	mostCandidates  = 3
)

// The points of what an entry and a due have in common. Amounts repeat, names do too: only together they say much.
const (
	pointsWritten = 60
	pointsAmount  = 40
	pointsIBAN    = 35
	pointsPayer   = 30
	pointsName    = 15
	pointsChild   = 15
	mostPoints    = 95
)

// openDue is a due that is not paid, with what a payer's bank may say of it.
type openDue struct {
	Candidate
	payer, child person
	ibans        []string
}

// person is a name in folded words.
type person struct{ first, last []string }

func newPerson(first, last string) person {
	return person{first: strings.Fields(fold(first)), last: strings.Fields(fold(last))}
}

// in reports whether all words of the last name, and of the first name, stand among words.
func (p person) in(words map[string]bool) (last, both bool) {
	all := func(list []string) bool {
		return len(list) > 0 && !slices.ContainsFunc(list, func(w string) bool { return !words[w] })
	}
	last = all(p.last)
	return last, last && all(p.first)
}

// Queue returns the entries that wait, oldest first, at most limit, each with its candidates.
func (s *Store) Queue(ctx context.Context, limit int) ([]Waiter, error) {
	list, err := entries(ctx, s.DB, `e.state IN ('new', 'queued') ORDER BY e.day, e.statement_id, e.position LIMIT @limit`, pgx.NamedArgs{"limit": limit})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	dues, err := s.openDues(ctx)
	if err != nil {
		return nil, err
	}
	others, err := s.others(ctx, list)
	if err != nil {
		return nil, err
	}
	queue := make([]Waiter, len(list))
	for i, e := range list {
		queue[i] = Waiter{Entry: e, Candidates: rank(e, dues), Others: others[e.ID], Payout: e.Cents > 0 && payout(e.CounterpartyName)}
	}
	return queue, nil
}

// openDues reads what is owed, or would be if the place were given again. A commune has some thousands.
func (s *Store) openDues(ctx context.Context) ([]openDue, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT o.id, o.owed, d.registration_id, d.communication, r.state, c.name, g.first_name, g.last_name, k.first_name, k.last_name,
		  ARRAY(SELECT DISTINCT e.counterparty_iban FROM bank_entry e JOIN due x ON x.id = e.due_id
		    WHERE x.payer_id = d.payer_id AND e.counterparty_iban <> '')
		FROM (`+owedSQL+`
		  WHERE r.state IN ('to_validate', 'validated', 'awaiting_payment', 'confirmed', 'completed')
		     OR r.state = 'expired' AND r.state_since > @since) o
		JOIN due d ON d.id = o.id
		JOIN registration r ON r.id = d.registration_id
		JOIN camp c ON c.id = r.camp_id
		JOIN guardian g ON g.id = d.payer_id
		JOIN child k ON k.id = r.child_id
		WHERE o.owed > 0`,
		pgx.NamedArgs{"since": s.Now().Add(-lateFor)})
	if err != nil {
		return nil, fmt.Errorf("reading what is owed: %w", err)
	}
	var list []openDue
	var d openDue
	var first, last, childFirst, childLast string
	_, err = pgx.ForEachRow(rows, []any{
		&d.DueID, &d.Owed, &d.RegistrationID, &d.Communication, &d.State, &d.Camp, &first, &last, &childFirst, &childLast, &d.ibans,
	}, func() error {
		one := d
		one.ibans = slices.Clone(d.ibans)
		one.Payer, one.Child = first+" "+last, childFirst+" "+childLast
		one.payer, one.child = newPerson(first, last), newPerson(childFirst, childLast)
		list = append(list, one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is owed: %w", err)
	}
	return list, nil
}

// rank returns the dues that an entry may pay, the likeliest first. An amount alone is worth showing while it says
// something: when few owe exactly that.
func rank(e Entry, dues []openDue) []Candidate {
	if e.Cents <= 0 || e.Currency != "EUR" {
		return nil
	}
	name, text := wordSet(e.CounterpartyName), wordSet(e.CounterpartyName+" "+e.FreeText)
	written, _ := transfer.Find(e.FreeText)
	var list []Candidate
	alone := 0
	for _, d := range dues {
		c := d.Candidate
		add := func(points int, why string) {
			c.Confidence += points
			c.Why = append(c.Why, why)
		}
		if written != "" && written.Digits() == d.Communication {
			add(pointsWritten, "bank.why.written")
		}
		if e.Cents == d.Owed {
			add(pointsAmount, "bank.why.amount")
		}
		if e.CounterpartyIBAN != "" && slices.Contains(d.ibans, e.CounterpartyIBAN) {
			add(pointsIBAN, "bank.why.iban")
		}
		last, both := d.payer.in(name)
		switch {
		case both:
			add(pointsPayer, "bank.why.payer")
		case last:
			add(pointsName, "bank.why.name")
		}
		if _, child := d.child.in(text); child {
			add(pointsChild, "bank.why.child")
		}
		c.Confidence = min(c.Confidence, mostPoints)
		if c.Confidence < leastConfidence {
			continue
		}
		if len(c.Why) == 1 && e.Cents == d.Owed {
			alone++
		}
		list = append(list, c)
	}
	if alone > mostCandidates {
		list = slices.DeleteFunc(list, func(c Candidate) bool { return len(c.Why) == 1 && c.Why[0] == "bank.why.amount" })
	}
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Communication, b.Communication))
	})
	return list[:min(len(list), mostCandidates)]
}

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(fold(text)) {
		set[w] = true
	}
	return set
}

// fold writes a text without accents, case and marks, with single blanks, as banks shorten names.
func fold(s string) string {
	s = strings.NewReplacer("œ", "oe", "Œ", "oe", "æ", "ae", "Æ", "ae", "ß", "ss", "ø", "o", "Ø", "o", "ł", "l", "Ł", "l").Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(s), " ")
}
