package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
)

// The ages from which care does not count any more (article 145/35 CIR 92).
const (
	fiscalAge         = 14
	fiscalAgeHandicap = 21
)

// yearBounds returns the instants at which a civil year begins and ends in Brussels.
func yearBounds(year int) (from, until time.Time) {
	return civil.NewDate(year, 1, 1).At(0, civil.Brussels), civil.NewDate(year+1, 1, 1).At(0, civil.Brussels)
}

// person is a guardian or a child as an attestation names it.
type person struct {
	ID         uuid.UUID
	FirstName  string
	LastName   string
	BirthDate  civil.Date
	Street     string
	Postcode   string
	City       string
	Household  uuid.UUID   // of a guardian
	Households []uuid.UUID // of a child

	number household.NationalNumber
}

// facts is what attestations of a year are computed from.
type facts struct {
	terms    terms
	cares    []care
	debtors  map[uuid.UUID]person
	children map[uuid.UUID]person
}

// readFacts reads the dues on which something was received or given back in the year, and what they rest on. A cover is
// left out unless its organisation's part counts (cover.fiscal). debtor narrows it to one; the zero id is everybody.
func (s *Attestations) readFacts(ctx context.Context, q db.Querier, year int, debtor uuid.UUID) (facts, error) {
	f := facts{}
	var err error
	if f.terms, err = readTerms(ctx, q); err != nil {
		return f, err
	}
	if f.terms.maximum, err = fiscalMaximum(ctx, q, year); err != nil {
		return f, err
	}
	if f.cares, err = readCares(ctx, q, year, debtor); err != nil {
		return f, err
	}
	return f, s.fill(ctx, q, &f)
}

// fill reads what the dues in f rest on: sessions, attendance, options and people.
func (s *Attestations) fill(ctx context.Context, q db.Querier, f *facts) error {
	var registrations, debtors, children []uuid.UUID
	for _, c := range f.cares {
		registrations, debtors, children = append(registrations, c.RegistrationID), append(debtors, c.DebtorID), append(children, c.ChildID)
	}
	marks, err := readMarks(ctx, q, registrations)
	if err != nil {
		return err
	}
	options, err := readOptions(ctx, q, registrations)
	if err != nil {
		return err
	}
	if f.debtors, err = s.readDebtors(ctx, q, debtors); err != nil {
		return err
	}
	if f.children, err = s.readChildren(ctx, q, children); err != nil {
		return err
	}
	handicaps, err := s.Households.Handicaps(ctx, q, children)
	if err != nil {
		return err
	}
	for i := range f.cares {
		c := &f.cares[i]
		c.marks, c.options, c.birth, c.limit = marks[c.RegistrationID], options[c.RegistrationID], f.children[c.ChildID].BirthDate, fiscalAge
		if handicaps[c.ChildID].State == household.HandicapVerified {
			c.limit = fiscalAgeHandicap
		}
		for _, m := range c.marks {
			if m.Day.After(c.lastDay) {
				c.lastDay = m.Day
			}
		}
	}
	return nil
}

const careColumns = `
	d.id AS due_id, d.registration_id, d.debtor_id, g.kind = 'organisation' AS organisation, r.child_id, r.camp_id, c.name AS camp,
	r.state, r.price_detail AS price, a.settled, a.charged_all, mine.charged, mine.fees, mine.before, mine.after`

// careSums adds up the lines of a due, and says whether every due of its registration is settled.
const careSums = `
	CROSS JOIN LATERAL (
	  SELECT
	    coalesce(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents WHEN 'write_off' THEN -l.cents END), 0)::bigint AS charged,
	    coalesce(sum(l.cents) FILTER (WHERE l.kind = 'fee'), 0)::bigint AS fees,
	    coalesce(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents END) FILTER (WHERE l.at < @from), 0)::bigint AS before,
	    coalesce(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents END) FILTER (WHERE l.at < @until), 0)::bigint AS after
	  FROM ledger_line l
	  WHERE l.due_id = d.id
	) mine
	CROSS JOIN LATERAL (
	  SELECT bool_and(each.owed <= 0) AS settled, sum(each.charged)::bigint AS charged_all
	  FROM (
	    SELECT
	      coalesce(sum(CASE WHEN l.kind IN ('charge', 'fee', 'refund') THEN l.cents ELSE -l.cents END), 0) AS owed,
	      coalesce(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents WHEN 'write_off' THEN -l.cents END), 0) AS charged
	    FROM ledger_line l
	    WHERE l.registration_id = d.registration_id
	    GROUP BY l.due_id
	  ) each
	) a`

func readCares(ctx context.Context, q db.Querier, year int, debtor uuid.UUID) ([]care, error) {
	from, until := yearBounds(year)
	rows, err := q.Query(ctx, `
		WITH touched AS (
		  SELECT DISTINCT due_id
		  FROM ledger_line
		  WHERE kind IN ('payment', 'refund')
		    AND at >= @from
		    AND at < @until
		)
		SELECT `+careColumns+`
		FROM touched t
		JOIN due d ON d.id = t.due_id
		JOIN guardian g ON g.id = d.debtor_id
		JOIN registration r ON r.id = d.registration_id
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN cover v ON v.due_id = d.id
		`+careSums+`
		WHERE (d.kind = 'family' OR v.fiscal AND v.lost_at IS NULL)
		  AND (@debtor::uuid = '00000000-0000-0000-0000-000000000000' OR d.debtor_id = @debtor)
		ORDER BY d.registration_id, d.created_at, d.id`,
		pgx.NamedArgs{"from": from, "until": until, "debtor": debtor})
	if err != nil {
		return nil, fmt.Errorf("reading what was paid in %d: %w", year, err)
	}
	cares, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[care])
	if err != nil {
		return nil, fmt.Errorf("reading what was paid in %d: %w", year, err)
	}
	return cares, nil
}

func readMarks(ctx context.Context, q db.Querier, registrations []uuid.UUID) (map[uuid.UUID][]mark, error) {
	rows, err := q.Query(ctx, `
		SELECT r.id, s.day, a.present
		FROM registration r
		JOIN camp_session s ON s.camp_id = r.camp_id
		LEFT JOIN attendance a ON a.registration_id = r.id AND a.session_id = s.id
		WHERE r.id = ANY(@ids)
		  AND s.state <> 'cancelled'
		ORDER BY r.id, s.day, s.starts`,
		pgx.NamedArgs{"ids": registrations})
	if err != nil {
		return nil, fmt.Errorf("reading who came: %w", err)
	}
	all := make(map[uuid.UUID][]mark)
	var id uuid.UUID
	var m mark
	_, err = pgx.ForEachRow(rows, []any{&id, &m.Day, &m.Present}, func() error {
		all[id] = append(all[id], m)
		m.Present = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading who came: %w", err)
	}
	return all, nil
}

func readOptions(ctx context.Context, q db.Querier, registrations []uuid.UUID) (map[uuid.UUID]map[string]bool, error) {
	rows, err := q.Query(ctx, `
		SELECT x.registration_id, o.name, o.fiscal
		FROM registration_option x
		JOIN camp_option o ON o.id = x.option_id
		WHERE x.registration_id = ANY(@ids)`,
		pgx.NamedArgs{"ids": registrations})
	if err != nil {
		return nil, fmt.Errorf("reading which options are care: %w", err)
	}
	all := make(map[uuid.UUID]map[string]bool)
	var id uuid.UUID
	var name string
	var fiscal bool
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &fiscal}, func() error {
		if all[id] == nil {
			all[id] = make(map[string]bool)
		}
		all[id][name] = fiscal
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading which options are care: %w", err)
	}
	return all, nil
}

func (s *Attestations) readDebtors(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]person, error) {
	people, err := readPeople(ctx, q, `
		SELECT id, first_name, last_name, street, postcode, city, household_id AS household
		FROM guardian
		WHERE id = ANY(@ids)`, ids)
	if err != nil {
		return nil, err
	}
	numbers, err := s.Households.GuardianNumbers(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	return numbered(people, numbers), nil
}

func (s *Attestations) readChildren(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]person, error) {
	people, err := readPeople(ctx, q, `
		SELECT c.id, c.first_name, c.last_name, c.birth_date,
		  ARRAY(SELECT h.household_id FROM household_child h WHERE h.child_id = c.id) AS households
		FROM child c
		WHERE c.id = ANY(@ids)`, ids)
	if err != nil {
		return nil, err
	}
	numbers, err := s.Households.ChildNumbers(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	return numbered(people, numbers), nil
}

func readPeople(ctx context.Context, q db.Querier, sql string, ids []uuid.UUID) ([]person, error) {
	rows, err := q.Query(ctx, sql, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading the people of attestations: %w", err)
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[person])
	if err != nil {
		return nil, fmt.Errorf("reading the people of attestations: %w", err)
	}
	return people, nil
}

func numbered(people []person, numbers map[uuid.UUID]household.NationalNumber) map[uuid.UUID]person {
	all := make(map[uuid.UUID]person, len(people))
	for _, p := range people {
		p.number = numbers[p.ID]
		all[p.ID] = p
	}
	return all
}
