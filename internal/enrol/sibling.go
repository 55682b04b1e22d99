package enrol

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/task"
)

// company is the other lines of a request's basket that go through with it, in the basket's order.
type company struct {
	before, after []companion
}

type companion struct {
	key, child, camp uuid.UUID
	voucher          string
}

// sharing returns the lines before that use the same voucher.
func (c company) sharing(code string) (keys []uuid.UUID) {
	for _, l := range c.before {
		if l.voucher != "" && l.voucher == code {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// accompany tells each line of a basket of the others that go through when it does: what nothing bars now, or, for a
// line that opens later, what only waits for its opening too. Where no rule looks at siblings and no line has a
// voucher, nobody needs to know.
func (s *Store) accompany(ctx context.Context, guardianID uuid.UUID, lines []Request) error {
	if len(lines) < 2 {
		return nil
	}
	looks, err := tariff.AnySiblings(ctx, s.DB)
	if err != nil {
		return err
	}
	if !looks && !slices.ContainsFunc(lines, func(l Request) bool { return l.Voucher != "" }) {
		return nil
	}
	const (
		stopped = iota
		later
		ready
	)
	stand := make([]int, len(lines))
	for i, l := range lines {
		f, err := s.check(ctx, s.DB, guardianID, l)
		if err != nil && problem.As(err) == nil {
			return err
		}
		if err != nil {
			continue
		}
		reasons := Eligible(f)
		asked := l.Derogation != "" && Derogable(reasons)
		switch {
		case !Barred(reasons) || asked:
			stand[i] = ready
		case !Barred(withoutWindow(reasons)):
			stand[i] = later
		}
	}
	for i := range lines {
		for j, l := range lines {
			if i == j || stand[j] == stopped || stand[j] == later && stand[i] != later {
				continue
			}
			one := companion{l.Key, l.ChildID, l.CampID, tariff.Code(l.Voucher)}
			if j < i {
				lines[i].with.before = append(lines[i].with.before, one)
			} else {
				lines[i].with.after = append(lines[i].with.after, one)
			}
		}
	}
	return nil
}

// siblings returns the other children of the family who count for a new request: those who come before it, or by
// tariff.ModeEach all of them.
func siblings(ctx context.Context, q db.Querier, rule tariff.Siblings, guardianID, childID uuid.UUID, f Facts, with company) ([]uuid.UUID, error) {
	family, err := familyOf(ctx, q, rule, guardianID, civil.DateOf(f.At, civil.Brussels))
	if err != nil {
		return nil, err
	}
	counted := slices.Clone(with.before)
	if rule.Mode == tariff.ModeEach {
		counted = append(counted, with.after...)
	}
	var children, camps, after []uuid.UUID
	for _, l := range counted {
		if rule.Who == tariff.WhoPayer || slices.Contains(family, l.child) {
			children, camps = append(children, l.child), append(camps, l.camp)
		}
	}
	for _, l := range with.after {
		after = append(after, l.key) // sent before this one, it still comes after it
	}
	where, args := scope(rule, f)
	args["child"], args["children"], args["camps"], args["after"] = childID, nonNil(children), nonNil(camps), nonNil(after)
	args["guardian"], args["family"] = guardianID, nonNil(family)
	rows, err := q.Query(ctx, `
		SELECT DISTINCT x.child_id
		FROM (
		  SELECT r.child_id
		  FROM registration r
		  JOIN camp c ON c.id = r.camp_id
		  WHERE `+counts(rule)+`
		    AND r.state NOT IN `+exits+`
		    AND r.submission_key <> ALL(@after::uuid[])
		    AND `+where+`
		  UNION ALL
		  SELECT b.child_id
		  FROM unnest(@children::uuid[], @camps::uuid[]) AS b (child_id, camp_id)
		  JOIN camp c ON c.id = b.camp_id
		  WHERE `+where+`
		) x
		WHERE x.child_id <> @child
		ORDER BY x.child_id`, args)
	if err != nil {
		return nil, fmt.Errorf("counting the siblings of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// exits are the states of a registration that has ended without its camp.
const exits = `('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`

// counts is the condition on a registration r to count in a family.
func counts(rule tariff.Siblings) string {
	if rule.Who == tariff.WhoPayer {
		return `r.payer_id = @guardian`
	}
	return `r.child_id = ANY(@family::uuid[])`
}

// scope is the condition on a camp c to count with that of the facts. A camp outside every season counts alone.
func scope(rule tariff.Siblings, f Facts) (where string, args pgx.NamedArgs) {
	if rule.Scope == tariff.ScopeSeason && f.Season.ID != uuid.Nil {
		return `(c.begins_at AT TIME ZONE 'Europe/Brussels')::date BETWEEN @first_day AND @last_day`,
			pgx.NamedArgs{"first_day": f.Season.FirstDay, "last_day": f.Season.LastDay}
	}
	return `c.id = @scope`, pgx.NamedArgs{"scope": f.Camp.ID}
}

// familyOf returns the children who may count with one another for a guardian: those of its household, or those for
// whom it may see and be a guardian, so that a reduction tells nobody of a child that it may not know.
func familyOf(ctx context.Context, q db.Querier, rule tariff.Siblings, guardianID uuid.UUID, on civil.Date) ([]uuid.UUID, error) {
	sql := household.HoldersSQL("@on::date")
	if rule.Who == tariff.WhoHousehold {
		sql = `
		SELECT g.id AS guardian_id, hc.child_id
		FROM guardian g
		JOIN household_child hc ON hc.household_id = g.household_id`
	}
	rows, err := q.Query(ctx, `
		SELECT x.child_id
		FROM (`+sql+`) x
		WHERE x.guardian_id = @guardian
		ORDER BY x.child_id`,
		pgx.NamedArgs{"guardian": guardianID, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading the children of guardian %s: %w", guardianID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// lockFamily makes the requests for one child follow each other and, where siblings count, those of one family: two
// requests at the same instant have two ranks.
func (s *Store) lockFamily(ctx context.Context, tx db.Tx, guardianID uuid.UUID, r Request) error {
	rule, err := tariff.SiblingsOf(ctx, tx, r.CampID)
	if err != nil {
		return err
	}
	if !rule.Active() {
		return lockChild(ctx, tx, r.ChildID)
	}
	family, err := familyOf(ctx, tx, rule, guardianID, s.today())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		SELECT 1
		FROM child
		WHERE id = ANY(@ids)
		ORDER BY id
		FOR NO KEY UPDATE`,
		pgx.NamedArgs{"ids": append(family, r.ChildID)})
	if err != nil {
		return fmt.Errorf("locking the family of child %s: %w", r.ChildID, err)
	}
	return nil
}

// follow keeps the tariffs right when a registration moves to another state: an exit gives its voucher back, and the
// reduction of the others where the regulation says so; one that goes on after all takes its voucher again.
func (s *Store) follow(ctx context.Context, tx db.Tx, r *Registration, next State, actor audit.Actor) error {
	was, will := r.State.Info().Exit, next.Info().Exit
	switch {
	case was && !will:
		return tariff.Retake(ctx, tx, r.ID)
	case was || !will:
		return nil
	}
	if err := tariff.Return(ctx, tx, r.ID, s.Now()); err != nil {
		return err
	}
	rule, err := tariff.SiblingsOf(ctx, tx, r.CampID)
	if err != nil || !rule.Active() || !rule.ExitRaises {
		return err
	}
	return s.raiseSiblings(ctx, tx, r, rule, actor)
}

// raiseSiblings computes again the reductions that other registrations of a family had because of one that ends. A
// price that is not decided yet changes at once; one that is charged is for staff. Either way they have a task: the
// family must be told.
func (s *Store) raiseSiblings(ctx context.Context, tx db.Tx, gone *Registration, rule tariff.Siblings, actor audit.Actor) error {
	family, err := familyOf(ctx, tx, rule, gone.PayerID, s.today())
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		SELECT `+columns+`
		FROM registration r
		WHERE `+counts(rule)+`
		  AND id <> @gone
		  AND child_id <> @child
		  AND state NOT IN `+exits+`
		  AND state <> 'completed'
		  AND price_facts -> 'siblings' IS NOT NULL
		ORDER BY id
		FOR UPDATE`,
		pgx.NamedArgs{"guardian": gone.PayerID, "family": nonNil(family), "gone": gone.ID, "child": gone.ChildID})
	if err != nil {
		return fmt.Errorf("reading the siblings of registration %s: %w", gone.ID, err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowToStructByName[Registration])
	if err != nil {
		return fmt.Errorf("reading the siblings of registration %s: %w", gone.ID, err)
	}
	for i := range others {
		if err := s.raise(ctx, tx, &others[i], gone.ID, actor); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) raise(ctx context.Context, tx db.Tx, r *Registration, goneID uuid.UUID, actor audit.Actor) error {
	rule, err := tariff.SiblingsOf(ctx, tx, r.CampID)
	if err != nil || !rule.ExitRaises {
		return err
	}
	t, err := frozenFacts(ctx, tx, r)
	if err != nil || t == nil {
		return err
	}
	f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
	if err != nil {
		return err
	}
	if t.Counted, err = s.remaining(ctx, tx, rule, r, goneID, t.Counted, f); err != nil {
		return err
	}
	t.Siblings = rule.Cut(1 + len(t.Counted))
	now := priced{*t, tariff.Price(*t)}
	more := now.total() - r.PriceCents
	if more <= 0 {
		return nil
	}
	if r.undecided() {
		if err := s.freeze(ctx, tx, r, now); err != nil {
			return err
		}
	}
	detail := map[string]any{"registration": r.ID, "cents": more, "charged": !r.undecided()}
	if err := audit.Record(ctx, tx, actor, "registration.sibling_left", "registration", r.ID.String(), detail); err != nil {
		return err
	}
	return task.Open(ctx, tx, task.SiblingLeft, "registration", r.ID.String(), detail)
}

// remaining keeps of the children who counted for a registration those who still do without the one that ends.
func (s *Store) remaining(ctx context.Context, q db.Querier, rule tariff.Siblings, r *Registration, goneID uuid.UUID, counted []uuid.UUID, f Facts) ([]uuid.UUID, error) {
	family, err := familyOf(ctx, q, rule, r.PayerID, s.today())
	if err != nil {
		return nil, err
	}
	where, args := scope(rule, f)
	args["guardian"], args["family"], args["counted"], args["gone"] = r.PayerID, nonNil(family), nonNil(counted), goneID
	rows, err := q.Query(ctx, `
		SELECT DISTINCT r.child_id
		FROM registration r
		JOIN camp c ON c.id = r.camp_id
		WHERE `+counts(rule)+`
		  AND r.state NOT IN `+exits+`
		  AND r.id <> @gone
		  AND r.child_id = ANY(@counted::uuid[])
		  AND `+where+`
		ORDER BY r.child_id`, args)
	if err != nil {
		return nil, fmt.Errorf("counting the siblings of registration %s: %w", r.ID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}
