package enrol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// maxBasket bounds the lines of one basket.
const maxBasket = 40

// PutLine keeps a request in the guardian's basket, from publication on; the request's key names the line, and the
// registration that it becomes. A child's camp stands in a basket once: a second line takes the place of the first.
// Nothing is held, and bars are shown, not refused: they may fall before the opening.
//
// A voucher that does not count is Invalid on the input "voucher"; after too many of them, Conflict with the minutes to
// wait.
func (s *Store) PutLine(ctx context.Context, guardianID uuid.UUID, r Request) error {
	return s.tryVoucher(ctx, guardianID, r.Voucher, func() error { return s.putLine(ctx, guardianID, r) })
}

func (s *Store) putLine(ctx context.Context, guardianID uuid.UUID, r Request) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		f, err := s.check(ctx, tx, guardianID, r)
		if err != nil {
			return err
		}
		if !f.Camp.Published || f.Camp.Archived || f.Camp.Cancelled {
			return problem.NotFound("camp.not_found")
		}
		if _, err := s.wish(ctx, tx, r); err != nil {
			return err
		}
		if r.Voucher != "" {
			want := tariff.Wanted{Code: tariff.Code(r.Voucher), CampID: r.CampID, On: s.today()}
			if _, err := tariff.VoucherFor(ctx, tx, want); err != nil {
				return err
			}
		}
		var lines int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM basket_line WHERE guardian_id = $1`, guardianID).Scan(&lines); err != nil {
			return fmt.Errorf("counting a basket: %w", err)
		}
		if lines >= maxBasket {
			return problem.Conflict("basket.full", maxBasket)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO basket_line (id, guardian_id, child_id, camp_id, ticket_id, stop_out_id, stop_back_id, options, without_bus, derogation, remark, voucher, created_at)
			VALUES (@id, @guardian, @child, @camp, @ticket, @stop_out, @stop_back, @options, @without_bus, @derogation, @remark, @voucher, @now)
			ON CONFLICT (guardian_id, child_id, camp_id)
			DO UPDATE SET id = `+freshKey+`, ticket_id = EXCLUDED.ticket_id, stop_out_id = EXCLUDED.stop_out_id, stop_back_id = EXCLUDED.stop_back_id,
			  options = EXCLUDED.options, without_bus = EXCLUDED.without_bus, derogation = EXCLUDED.derogation, remark = EXCLUDED.remark,
			  voucher = EXCLUDED.voucher`,
			pgx.NamedArgs{
				"id": r.Key, "guardian": guardianID, "child": r.ChildID, "camp": r.CampID, "ticket": r.TicketID,
				"stop_out": r.StopOutID, "stop_back": r.StopBackID, "options": nonNil(r.OptionIDs), "without_bus": r.WithoutBus,
				"derogation": r.Derogation, "remark": r.Remark, "voucher": tariff.Code(r.Voucher), "now": s.Now(),
			})
		if err != nil {
			return fmt.Errorf("keeping a basket line: %w", err)
		}
		return nil
	})
}

// freshKey is the id of a line that is kept again: its own, unless that has become a registration meanwhile.
const freshKey = `CASE WHEN EXISTS (SELECT 1 FROM registration q WHERE q.submission_key = basket_line.id) THEN EXCLUDED.id ELSE basket_line.id END`

func nonNil(ids []uuid.UUID) []uuid.UUID {
	if ids == nil {
		return []uuid.UUID{}
	}
	return ids
}

// DropLine takes a line out of the guardian's basket; one that is not there is no error.
func (s *Store) DropLine(ctx context.Context, guardianID, lineID uuid.UUID) error {
	_, err := s.DB.Exec(ctx, `
		DELETE FROM basket_line
		WHERE id = @id
		  AND guardian_id = @guardian`,
		pgx.NamedArgs{"id": lineID, "guardian": guardianID})
	if err != nil {
		return fmt.Errorf("dropping a basket line: %w", err)
	}
	return nil
}

// Basket returns the lines of a guardian's basket in order of the camps, as the requests that they are: of camps that
// begin together the line that was kept first, and of those kept at one instant the order of the names, so that the
// page never shuffles. A line that was kept while its form went through after all is no line any more.
func (s *Store) Basket(ctx context.Context, guardianID uuid.UUID) ([]Request, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT b.id, b.child_id, b.camp_id, b.ticket_id, b.stop_out_id, b.stop_back_id, b.options, b.without_bus, b.derogation, b.remark, b.voucher
		FROM basket_line b
		JOIN camp c ON c.id = b.camp_id
		JOIN child k ON k.id = b.child_id
		WHERE b.guardian_id = @guardian
		  AND NOT EXISTS (SELECT 1 FROM registration q WHERE q.submission_key = b.id)
		ORDER BY c.begins_at, b.created_at, c.name, k.first_name, b.id`,
		pgx.NamedArgs{"guardian": guardianID})
	if err != nil {
		return nil, fmt.Errorf("reading a basket: %w", err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Request, err error) {
		err = row.Scan(&r.Key, &r.ChildID, &r.CampID, &r.TicketID, &r.StopOutID, &r.StopBackID, &r.OptionIDs, &r.WithoutBus, &r.Derogation, &r.Remark, &r.Voucher)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a basket: %w", err)
	}
	return lines, s.accompany(ctx, guardianID, lines)
}

// Outcome is what became of one basket line.
type Outcome struct {
	Request      Request
	Registration Registration // zero when Err is set
	Err          error        // why the line stays in the basket
}

// SendMode says how the lines of a basket depend on one another.
type SendMode string

// The modes of sending.
const (
	EachAlone SendMode = "each"     // what goes through goes through
	AllOrNone SendMode = "all"      // one line that finds no place or is barred keeps all of them in the basket
	Together  SendMode = "together" // siblings of one camp wait for one another on its waiting list
)

// errKept undoes an all-or-none sending.
var errKept = errors.New("a line of the basket does not go through")

// Send turns the basket into registrations, one outcome a line. A line that is sent leaves the basket in the same
// transaction; sent again (a double click, a second tab) it gives the registration that it became.
func (s *Store) Send(ctx context.Context, guardianID uuid.UUID, mode SendMode) ([]Outcome, error) {
	if err := s.dropSent(ctx, guardianID); err != nil {
		return nil, err
	}
	lines, err := s.Basket(ctx, guardianID)
	if err != nil {
		return nil, err
	}
	switch mode {
	case AllOrNone:
		return s.sendAll(ctx, guardianID, lines)
	case Together:
		return s.sendTogether(ctx, guardianID, lines)
	}
	outcomes := make([]Outcome, len(lines))
	for i, line := range lines {
		outcomes[i].Request = line
		outcomes[i].Registration, outcomes[i].Err = s.sendLine(ctx, guardianID, line)
		if outcomes[i].Err != nil && problem.As(outcomes[i].Err) == nil {
			return outcomes[:i], outcomes[i].Err
		}
	}
	return outcomes, nil
}

// dropSent removes the lines that have become registrations already.
func (s *Store) dropSent(ctx context.Context, guardianID uuid.UUID) error {
	_, err := s.DB.Exec(ctx, `
		DELETE FROM basket_line b
		WHERE b.guardian_id = @guardian
		  AND EXISTS (SELECT 1 FROM registration q WHERE q.submission_key = b.id)`,
		pgx.NamedArgs{"guardian": guardianID})
	if err != nil {
		return fmt.Errorf("dropping what guardian %s has sent: %w", guardianID, err)
	}
	return nil
}

func (s *Store) sendLine(ctx context.Context, guardianID uuid.UUID, line Request) (Registration, error) {
	made, err := s.Register(ctx, guardianID, line)
	if err != nil {
		return made, err
	}
	return made, s.DropLine(ctx, guardianID, line.Key)
}

// sendAll registers every line in one transaction, or none.
func (s *Store) sendAll(ctx context.Context, guardianID uuid.UUID, lines []Request) ([]Outcome, error) {
	var outcomes []Outcome
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		outcomes = nil
		kept := false
		for _, line := range byChild(lines) {
			o := Outcome{Request: line}
			err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
				o.Registration, err = s.register(ctx, tx, guardianID, line)
				return err
			})
			switch {
			case problem.As(err) != nil:
				o.Err, kept = err, true
			case err != nil:
				return err
			case o.Registration.State == Waitlisted:
				o.Err, kept = problem.Conflict("basket.no_place"), true
			}
			outcomes = append(outcomes, o)
			if _, err := tx.Exec(ctx, `DELETE FROM basket_line WHERE id = $1`, line.Key); err != nil {
				return fmt.Errorf("emptying a basket: %w", err)
			}
		}
		if kept {
			return errKept
		}
		return nil
	})
	if errors.Is(err, errKept) {
		for i := range outcomes {
			outcomes[i].Registration = Registration{}
			if outcomes[i].Err == nil {
				outcomes[i].Err = problem.Conflict("basket.held_back")
			}
		}
		return outcomes, nil
	}
	return outcomes, err
}

// byChild orders lines so that every basket locks children in the same order.
func byChild(lines []Request) []Request {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b Request) int { return bytes.Compare(a.ChildID[:], b.ChildID[:]) })
	return lines
}

// sendTogether sends the lines of each camp as a group: all children get a place, or all wait and are offered places
// at once. Each camp is a transaction of its own.
func (s *Store) sendTogether(ctx context.Context, guardianID uuid.UUID, lines []Request) ([]Outcome, error) {
	var outcomes []Outcome
	for len(lines) > 0 {
		campID := lines[0].CampID
		group := slices.DeleteFunc(slices.Clone(lines), func(l Request) bool { return l.CampID != campID })
		lines = slices.DeleteFunc(lines, func(l Request) bool { return l.CampID == campID })
		sent, err := s.sendGroup(ctx, guardianID, byChild(group))
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, sent...)
	}
	return outcomes, nil
}

func (s *Store) sendGroup(ctx context.Context, guardianID uuid.UUID, group []Request) ([]Outcome, error) {
	var outcomes []Outcome
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		outcomes = nil
		var fresh []submitted
		for _, line := range group {
			o := Outcome{Request: line}
			var made submitted
			err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				reg, f, again, err := s.submit(ctx, tx, guardianID, line)
				made, o.Registration = submitted{reg: reg, facts: f, at: len(outcomes)}, reg
				if err == nil && !again {
					fresh = append(fresh, made)
				}
				return err
			})
			if err != nil && problem.As(err) == nil {
				return err
			}
			o.Err = err
			outcomes = append(outcomes, o)
			if err == nil {
				if _, err := tx.Exec(ctx, `DELETE FROM basket_line WHERE id = $1`, line.Key); err != nil {
					return fmt.Errorf("emptying a basket: %w", err)
				}
			}
		}
		return s.place(ctx, tx, fresh, outcomes)
	})
	return outcomes, err
}

// submitted is a stored request that has no place yet.
type submitted struct {
	reg   Registration
	facts Facts
	at    int // its outcome
}

// place gives all of a group's requests their places, or puts all of them on the waiting list as a group.
func (s *Store) place(ctx context.Context, tx db.Tx, group []submitted, outcomes []Outcome) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		for i := range group {
			granted, err := s.grant(ctx, tx, &group[i].reg, group[i].facts)
			if err != nil {
				return err
			}
			if !granted {
				return errNotAll
			}
		}
		return nil
	})
	waits := errors.Is(err, errNotAll)
	if err != nil && !waits {
		return err
	}
	together := uuid.New()
	for i := range group {
		g := &group[i]
		if waits {
			if err := s.waitTogether(ctx, tx, g, together, len(group)); err != nil {
				return err
			}
		} else if err := s.accept(ctx, tx, &g.reg, g.facts, audit.Job("enrol")); err != nil {
			return err
		}
		outcomes[g.at].Registration = g.reg
	}
	return nil
}

func (s *Store) waitTogether(ctx context.Context, tx db.Tx, g *submitted, together uuid.UUID, size int) error {
	if size > 1 {
		_, err := tx.Exec(ctx, `
			UPDATE registration
			SET together_id = @together
			WHERE id = @id`,
			pgx.NamedArgs{"id": g.reg.ID, "together": together})
		if err != nil {
			return fmt.Errorf("grouping registration %s: %w", g.reg.ID, err)
		}
		g.reg.TogetherID = &together
	}
	return s.move(ctx, tx, &g.reg, Waitlisted, nil, audit.Job("enrol"), "")
}
