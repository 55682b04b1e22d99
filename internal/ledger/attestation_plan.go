package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// What people lack on a 281.86; "attestation.why.<code>" is the key of the sentence.
const (
	WhyDebtorNumber = "debtor_number"
	WhyChildNumber  = "child_number"
	WhyAddress      = "address"
)

// Planned is one attestation that issuing would make.
type Planned struct {
	DebtorID  uuid.UUID
	ChildID   uuid.UUID
	Debtor    string
	Child     string
	Treatment int
	Before    *Attestation // the one it replaces
	Lines     []AttestationLine
	Total     civil.Cents
	Missing   []string // what people lack: Why… codes
}

// Held reports whether the attestation waits: without an address it is never made, without a national number only when
// that is asked for. A correction of what was issued never waits for a number.
func (p Planned) Held(withoutNumber bool) bool {
	if slices.Contains(p.Missing, WhyAddress) {
		return p.Treatment != TreatmentCancel
	}
	return len(p.Missing) > 0 && p.Treatment == TreatmentNormal && !withoutNumber
}

// Open is a due on which something was received in the year, and that gives no line.
type Open struct {
	RegistrationID uuid.UUID
	DebtorID       uuid.UUID
	ChildID        uuid.UUID
	Debtor         string
	Child          string
	Camp           string
	LastDay        civil.Date
	Received       civil.Cents // in the year
	Why            string
	Unmarked       int // sessions without a mark
}

// Preview is what issuing would do in a year, and what is missing.
type Preview struct {
	Year       int
	Planned    []Planned // to be made, held ones included
	Unchanged  int       // issued before and still right
	Incomplete []Planned // issued, still right, and without a national number: Belcotax-on-web asks for it
	Waiting    int       // dues of camps that have not ended: nothing is missing, it is too early
	Open       []Open
	Maximum    civil.Cents // of the year; 0 while unknown
}

// Ready returns how many attestations would be made, and for how much.
func (p Preview) Ready(withoutNumber bool) (n int, total civil.Cents) {
	for _, v := range p.Planned {
		if !v.Held(withoutNumber) {
			n, total = n+1, total+v.Total
		}
	}
	return n, total
}

// Preview computes the attestations of a year and writes nothing. Invalid for a year out of range.
func (s *Attestations) Preview(ctx context.Context, year int) (Preview, error) {
	if err := s.CheckYear(year); err != nil {
		return Preview{}, err
	}
	var p plan
	// One snapshot: a payment that comes in between two readings belongs to both or to none.
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.DB.Pool, opts, func(tx pgx.Tx) (err error) {
		p, err = s.plan(ctx, tx, year, uuid.Nil)
		return err
	})
	return p.Preview, err
}

// plan is a preview with what it was computed from.
type plan struct {
	Preview
	facts facts
}

func (s *Attestations) plan(ctx context.Context, q db.Querier, year int, debtor uuid.UUID) (plan, error) {
	f, err := s.readFacts(ctx, q, year, debtor)
	if err != nil {
		return plan{}, err
	}
	issued, err := s.current(ctx, q, year, debtor)
	if err != nil {
		return plan{}, err
	}
	// People of attestations whose dues have gone: they are withdrawn with the names that they carry.
	p := plan{Preview: Preview{Year: year, Maximum: f.terms.maximum}, facts: f}
	wanted, held := p.wanted(s.today())
	for i := range issued {
		if err := s.planOne(&p, &issued[i], wanted, held); err != nil {
			return plan{}, err
		}
	}
	p.planNew(wanted)
	slices.SortStableFunc(p.Planned, func(a, b Planned) int {
		return cmp.Or(cmp.Compare(a.Debtor, b.Debtor), cmp.Compare(a.Child, b.Child))
	})
	return p, nil
}

// wantedKey is what one debtor pays for one registration.
type wantedKey struct{ debtor, registration uuid.UUID }

type wantedLine struct {
	child uuid.UUID
	line  AttestationLine
}

// wanted computes the lines, adding up what one debtor pays for one registration. What nobody can say yet, because
// attendance is not marked, is held: an attestation that says it stands until somebody knows better.
func (p *plan) wanted(today civil.Date) (lines map[wantedKey]wantedLine, held map[wantedKey]bool) {
	lines, held = map[wantedKey]wantedLine{}, map[wantedKey]bool{}
	for _, c := range p.facts.cares {
		l, why := c.line(p.facts.terms, today)
		key := wantedKey{c.DebtorID, c.RegistrationID}
		switch {
		case why == WhyNotOver:
			p.Waiting++
		case why == WhyUnmarked:
			held[key] = true
			fallthrough
		case why != "" && why != WhyLeft:
			_, unmarked := c.days(p.facts.terms.unmarked)
			p.Open = append(p.Open, Open{
				RegistrationID: c.RegistrationID, DebtorID: c.DebtorID, ChildID: c.ChildID, Camp: c.Camp, LastDay: c.lastDay,
				Debtor: fullName(p.facts.debtors[c.DebtorID]), Child: fullName(p.facts.children[c.ChildID]),
				Received: c.After - c.Before, Why: why, Unmarked: unmarked,
			})
		case why == "" && l.Cents > 0:
			w, ok := lines[key]
			if ok {
				l.Cents += w.line.Cents
			}
			lines[key] = wantedLine{c.ChildID, l}
		}
	}
	return lines, held
}

// planOne decides what becomes of an attestation that was issued: nothing, another one in its place, or its withdrawal.
// The lines that it keeps are taken from wanted.
func (s *Attestations) planOne(p *plan, a *Attestation, wanted map[wantedKey]wantedLine, held map[wantedKey]bool) error {
	var lines []AttestationLine
	child := a.ChildID
	changed := false
	for _, before := range a.Content.Lines {
		key := wantedKey{a.DebtorID, before.RegistrationID}
		w, ok := wanted[key]
		switch {
		case ok:
			delete(wanted, key)
			child = w.child
			lines = append(lines, w.line)
			changed = changed || !w.line.same(before)
		case held[key]:
			lines = append(lines, before)
		default:
			changed = true
		}
	}
	if len(lines) > 0 {
		other, err := s.otherPeople(*a, p.facts.debtors[a.DebtorID], p.facts.children[child])
		if err != nil {
			return err
		}
		changed = changed || other
	}
	v := Planned{DebtorID: a.DebtorID, ChildID: child, Treatment: TreatmentChange, Before: a, Lines: lines}
	v.Debtor, v.Child = a.Content.Debtor.Name(), a.Content.Child.Name()
	if !changed {
		p.Unchanged++
		p.incomplete(v)
		return nil
	}
	if len(lines) == 0 {
		v.Treatment = TreatmentCancel
	}
	p.add(v)
	return nil
}

// incomplete notes an attestation that stands and on which a national number is missing.
func (p *plan) incomplete(v Planned) {
	if len(v.Before.Content.Debtor.Number) == 0 {
		v.Missing = append(v.Missing, WhyDebtorNumber)
	}
	if len(v.Before.Content.Child.Number) == 0 {
		v.Missing = append(v.Missing, WhyChildNumber)
	}
	if v.Missing != nil {
		v.Total = v.Before.TotalCents
		p.Incomplete = append(p.Incomplete, v)
	}
}

// otherPeople reports whether the people are not as the attestation names them. An address that changed since does not
// make it wrong, and a number that was forgotten neither.
func (s *Attestations) otherPeople(a Attestation, debtor, child person) (bool, error) {
	debtorNumber, childNumber, err := s.Numbers(a)
	if err != nil {
		return false, err
	}
	d, c := a.Content.Debtor, a.Content.Child
	differs := func(p AttestationPerson, now person) bool {
		return now.ID != uuid.Nil && (p.FirstName != now.FirstName || p.LastName != now.LastName || p.BirthDate != now.BirthDate)
	}
	return differs(d, debtor) || differs(c, child) ||
		!debtor.number.IsZero() && debtor.number.Digits() != debtorNumber.Digits() ||
		!child.number.IsZero() && child.number.Digits() != childNumber.Digits(), nil
}

// planNew puts the lines that stand on no attestation yet on new ones, by debtor and child, in order of time.
func (p *plan) planNew(wanted map[wantedKey]wantedLine) {
	type pair struct{ debtor, child uuid.UUID }
	byPair := map[pair][]AttestationLine{}
	for key, w := range wanted {
		k := pair{key.debtor, w.child}
		byPair[k] = append(byPair[k], w.line)
	}
	for k, lines := range byPair {
		slices.SortFunc(lines, func(a, b AttestationLine) int {
			return cmp.Or(a.From.Compare(b.From), slices.Compare(a.RegistrationID[:], b.RegistrationID[:]))
		})
		for chunk := range slices.Chunk(lines, MostLines) {
			p.add(Planned{DebtorID: k.debtor, ChildID: k.child, Lines: slices.Clone(chunk)})
		}
	}
}

func (p *plan) add(v Planned) {
	debtor, child := p.facts.debtors[v.DebtorID], p.facts.children[v.ChildID]
	if v.Debtor == "" {
		v.Debtor, v.Child = fullName(debtor), fullName(child)
	}
	for _, l := range v.Lines {
		v.Total += l.Cents
	}
	if v.Treatment != TreatmentCancel {
		if debtor.number.IsZero() {
			v.Missing = append(v.Missing, WhyDebtorNumber)
		}
		if child.number.IsZero() {
			v.Missing = append(v.Missing, WhyChildNumber)
		}
		if debtor.ID != uuid.Nil && (debtor.Street == "" || debtor.Postcode == "" || debtor.City == "") {
			v.Missing = append(v.Missing, WhyAddress)
		}
	}
	p.Planned = append(p.Planned, v)
}

func fullName(p person) string {
	return AttestationPerson{FirstName: p.FirstName, LastName: p.LastName}.Name()
}

// current returns the 281.86 of a year that stand: not replaced, not withdrawn.
func (s *Attestations) current(ctx context.Context, q db.Querier, year int, debtor uuid.UUID) ([]Attestation, error) {
	rows, err := q.Query(ctx, `
		SELECT `+attestationColumns+`
		FROM attestation a
		WHERE a.series = 'attestation'
		  AND a.year = @year
		  AND a.treatment <> 3
		  AND NOT EXISTS (SELECT 1 FROM attestation n WHERE n.replaces = a.id)
		  AND (@debtor::uuid = '00000000-0000-0000-0000-000000000000' OR a.debtor_id = @debtor)
		ORDER BY a.number`,
		pgx.NamedArgs{"year": year, "debtor": debtor})
	if err != nil {
		return nil, fmt.Errorf("reading the attestations of %d: %w", year, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Attestation])
	if err != nil {
		return nil, fmt.Errorf("reading the attestations of %d: %w", year, err)
	}
	return all, nil
}
