package enrol

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
)

// Request is a family's wish: one child, one camp, a ticket where the camp has several, a stop for each direction.
type Request struct {
	Key        uuid.UUID // of the form: the same key again is the same registration
	ChildID    uuid.UUID
	CampID     uuid.UUID
	TicketID   *uuid.UUID
	StopOutID  *uuid.UUID
	StopBackID *uuid.UUID
	OptionIDs  []uuid.UUID
	WithoutBus bool   // take the place even if the bus is full
	Derogation string // asks for an exception to the bars that allow one: staff decide, the place is held
	Remark     string
	Voucher    string // a code, as it was typed

	with company   // the other lines of its basket
	by   uuid.UUID // the account of the office that asks for the family; zero when the family asks itself
}

// maxRemark bounds a family's remark, and what it writes for an exception, in bytes.
const maxRemark = 1000

// Quote is what a request would come to now.
type Quote struct {
	Lines   []PriceLine
	Total   civil.Cents
	Reasons []Reason
	Free    *int // places left in the tightest of camp and ticket; nil is unlimited
	BusFree *int // seats left in the tightest trip; nil without bus
	Waiting int  // families on the waiting list
}

// Quote prices and checks a request without taking anything. NotFound when the guardian may not know the child or the
// camp is not shown; a child whom the guardian may not register is Forbidden.
func (s *Store) Quote(ctx context.Context, guardianID uuid.UUID, r Request) (Quote, error) {
	var quote Quote
	f, err := s.check(ctx, s.DB, guardianID, r)
	if err != nil {
		return quote, err
	}
	quote.Reasons = Eligible(f)
	v, err := s.wish(ctx, s.DB, r)
	if err != nil {
		return quote, err
	}
	p, err := s.price(ctx, s.DB, guardianID, r, f, v, false)
	if err != nil {
		return quote, err
	}
	quote.Lines, quote.Total = p.lines, p.total()
	w, err := wanted(ctx, s.DB, f.Camp, f.Ticket, v)
	if err != nil {
		return quote, err
	}
	if quote.Free, err = tightest(ctx, s.DB, w.pools); err != nil {
		return quote, err
	}
	if quote.BusFree, err = tightest(ctx, s.DB, w.trips); err != nil {
		return quote, err
	}
	err = s.DB.QueryRow(ctx, `
		SELECT count(*)
		FROM registration
		WHERE camp_id = @camp
		  AND state = 'waitlisted'`,
		pgx.NamedArgs{"camp": r.CampID}).Scan(&quote.Waiting)
	if err != nil {
		return quote, fmt.Errorf("counting the waiting list of camp %s: %w", r.CampID, err)
	}
	return quote, nil
}

// wish turns a request into what it takes; options are checked against what is offered now.
func (s *Store) wish(ctx context.Context, q db.Querier, r Request) (wish, error) {
	options, err := chosen(ctx, q, r.CampID, r.OptionIDs, s.Now())
	return wish{stopOut: r.StopOutID, stopBack: r.StopBackID, options: options}, err
}

func tightest(ctx context.Context, q db.Querier, pools []uuid.UUID) (*int, error) {
	if len(pools) == 0 {
		return nil, nil
	}
	all, err := place.Read(ctx, q, pools...)
	if err != nil {
		return nil, err
	}
	var least *int
	for _, p := range all {
		if free, limited := p.Free(); limited && (least == nil || free < *least) {
			least = &free
		}
	}
	return least, nil
}

// check verifies the right and loads the facts of a request.
func (s *Store) check(ctx context.Context, q db.Querier, guardianID uuid.UUID, r Request) (Facts, error) {
	today := s.today()
	if err := s.Households.Right(ctx, q, guardianID, r.ChildID, household.RightRegister, today); err != nil {
		return Facts{}, err
	}
	return s.facts(ctx, q, r.ChildID, r.CampID, uuid.Nil, r.TicketID)
}

// Register takes a request: with places held and decided as the camp says, or on the waiting list when it is full.
// Nothing is taken when a bar stands against it: then Invalid with every bar. A key that was used before gives the
// registration that it made.
//
// A voucher that does not count is Invalid on the input "voucher"; after too many of them, Conflict with the minutes to
// wait.
func (s *Store) Register(ctx context.Context, guardianID uuid.UUID, r Request) (Registration, error) {
	var made Registration
	err := s.tryVoucher(ctx, guardianID, r.Voucher, func() error {
		return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
			made, err = s.register(ctx, tx, guardianID, r)
			return err
		})
	})
	if db.Constraint(err) == "registration_submission_key_key" { // the same form, sent twice at once
		return s.again(ctx, s.DB, guardianID, r.Key)
	}
	if db.Constraint(err) == "registration_once" {
		return made, bars([]Reason{{Rule: "once", Bar: true, Code: "eligible.once"}})
	}
	return made, err
}

func (s *Store) register(ctx context.Context, tx db.Tx, guardianID uuid.UUID, r Request) (Registration, error) {
	reg, f, again, err := s.submit(ctx, tx, guardianID, r)
	if err != nil || again {
		return reg, err
	}
	granted, err := s.grant(ctx, tx, &reg, f)
	if err != nil {
		return reg, err
	}
	if !granted {
		return reg, s.move(ctx, tx, &reg, Waitlisted, nil, audit.Job("enrol"), "")
	}
	return reg, s.accept(ctx, tx, &reg, f, audit.Job("enrol"))
}

// submit stores a request that nothing bars, without places yet. again says that the key was used before: then the
// registration is the one it made.
func (s *Store) submit(ctx context.Context, tx db.Tx, guardianID uuid.UUID, r Request) (reg Registration, f Facts, again bool, err error) {
	var problems problem.Fields
	for name, text := range map[string]string{"remark": r.Remark, "derogation": r.Derogation} {
		if len(text) > maxRemark {
			problems.Add(name, "form.too_long")
		}
	}
	if err := problems.Err(); err != nil {
		return reg, f, false, err
	}
	today := s.today()
	if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightRegister, today); err != nil {
		return reg, f, false, err
	}
	if err := s.lockFamily(ctx, tx, guardianID, r); err != nil {
		return reg, f, false, err
	}
	if reg, err = s.again(ctx, tx, guardianID, r.Key); err == nil || !problem.Is(err, problem.KindNotFound) {
		return reg, f, err == nil, err
	}
	if f, err = s.check(ctx, tx, guardianID, r); err != nil {
		return reg, f, false, err
	}
	reasons := Eligible(f)
	r.Derogation = strings.TrimSpace(r.Derogation)
	if !Barred(reasons) {
		r.Derogation = ""
	} else if r.Derogation == "" || !Derogable(reasons) {
		return reg, f, false, bars(reasons)
	}
	reg, err = s.insert(ctx, tx, guardianID, r, f)
	return reg, f, false, err
}

// again returns the registration that a submission key made before, if it is the guardian's.
func (s *Store) again(ctx context.Context, q db.Querier, guardianID, key uuid.UUID) (Registration, error) {
	r, err := one(ctx, q, `submission_key = @key`, pgx.NamedArgs{"key": key})
	if err == nil && r.RegistrantID != guardianID {
		return Registration{}, problem.Conflict("registration.key_taken")
	}
	return r, err
}

func (s *Store) insert(ctx context.Context, tx db.Tx, guardianID uuid.UUID, r Request, f Facts) (Registration, error) {
	v, err := s.wish(ctx, tx, r)
	if err != nil {
		return Registration{}, err
	}
	p, err := s.price(ctx, tx, guardianID, r, f, v, true)
	if err != nil {
		return Registration{}, err
	}
	frozen, err := detail(p.lines)
	if err != nil {
		return Registration{}, err
	}
	var ticketID *uuid.UUID
	if f.Ticket != nil {
		ticketID = &f.Ticket.ID
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `
		INSERT INTO registration (submission_key, child_id, camp_id, ticket_id, registrant_id, payer_id, debtor_id, state, state_since,
		  price_cents, price_detail, price_facts, stop_out_id, stop_back_id, without_bus, remark, derogation, created_at, updated_at)
		VALUES (@key, @child, @camp, @ticket, @guardian, @guardian, @guardian, 'submitted', @now,
		  @price, @detail, @facts, @stop_out, @stop_back, @without_bus, @remark, @derogation, @now, @now)
		RETURNING id`,
		pgx.NamedArgs{
			"key": r.Key, "child": r.ChildID, "camp": r.CampID, "ticket": ticketID, "guardian": guardianID, "now": s.Now(),
			"price": p.total(), "detail": frozen, "facts": p.facts,
			"stop_out": r.StopOutID, "stop_back": r.StopBackID, "without_bus": r.WithoutBus, "remark": r.Remark, "derogation": r.Derogation,
		}).Scan(&id)
	if err != nil {
		return Registration{}, fmt.Errorf("storing a registration: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO registration_option (registration_id, option_id)
		SELECT @id, o
		FROM unnest(@options::uuid[]) AS o`,
		pgx.NamedArgs{"id": id, "options": r.OptionIDs})
	if err != nil {
		return Registration{}, fmt.Errorf("storing the options of registration %s: %w", id, err)
	}
	if p.facts.Voucher != nil {
		if err := tariff.Use(ctx, tx, p.facts.Voucher.ID, id, s.Now()); err != nil {
			return Registration{}, err
		}
	}
	reg, err := one(ctx, tx, `id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return reg, err
	}
	var account *uuid.UUID
	if err := tx.QueryRow(ctx, `SELECT account_id FROM guardian WHERE id = @id`, pgx.NamedArgs{"id": guardianID}).Scan(&account); err != nil {
		return reg, fmt.Errorf("reading guardian %s: %w", guardianID, err)
	}
	actor := audit.Actor{Kind: "account", ID: guardianID.String()}
	if account != nil {
		actor = audit.Account(*account)
	} else if member, ok := audit.AccountFrom(ctx); ok {
		actor = member // an organisation's
	}
	if r.by != uuid.Nil {
		actor = audit.Account(r.by)
	}
	if err := s.note(ctx, tx, &reg, nil, actor, ""); err != nil {
		return reg, err
	}
	return reg, s.askConsent(ctx, tx, &reg)
}

// grant holds every place that a registration needs and puts the child on its bus. Holds that have run out are
// released first. It reports false, with nothing taken, when a place is missing.
func (s *Store) grant(ctx context.Context, tx db.Tx, r *Registration, f Facts) (bool, error) {
	if err := s.expireCamp(ctx, tx, f.Camp.ID); err != nil {
		return false, err
	}
	return s.hold(ctx, tx, r, f)
}

// hold is grant without looking for holds that have run out.
func (s *Store) hold(ctx context.Context, tx db.Tx, r *Registration, f Facts) (bool, error) {
	v, err := wishOf(ctx, tx, r)
	if err != nil {
		return false, err
	}
	w, err := wanted(ctx, tx, f.Camp, f.Ticket, v)
	if problem.Is(err, problem.KindInvalid) {
		return false, nil // a stop that no longer serves the camp
	}
	if err != nil {
		return false, err
	}
	full, err := place.Grant(ctx, tx, r.ID, slices.Concat(w.pools, w.trips))
	if err != nil {
		return false, err
	}
	busOnly := !slices.ContainsFunc(full, func(id uuid.UUID) bool { return slices.Contains(w.pools, id) })
	if len(full) > 0 && busOnly && r.WithoutBus {
		if full, err = place.Grant(ctx, tx, r.ID, w.pools); err != nil {
			return false, err
		}
		if len(full) == 0 {
			return true, s.dropBus(ctx, tx, r, f, v)
		}
	}
	if len(full) > 0 {
		return false, nil
	}
	return true, transport.Board(ctx, tx, r.ID, w.legs)
}

// dropBus takes the bus off a registration whose family goes without it, price included.
func (s *Store) dropBus(ctx context.Context, tx db.Tx, r *Registration, f Facts, v wish) error {
	p, err := s.reprice(ctx, tx, r, f, wish{options: v.options})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE registration
		SET stop_out_id = NULL, stop_back_id = NULL, version = version + 1
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID})
	if err != nil {
		return fmt.Errorf("taking the bus off registration %s: %w", r.ID, err)
	}
	r.StopOutID, r.StopBackID = nil, nil
	return s.freeze(ctx, tx, r, p)
}

// accept leads a registration whose places are held to where the camp's way of deciding puts it. A family that asks
// for an exception always waits for staff, and one whose other parent must agree waits for that.
func (s *Store) accept(ctx context.Context, tx db.Tx, r *Registration, f Facts, actor audit.Actor) error {
	switch {
	case f.Camp.Decision == camp.DecisionManual, r.Derogation != "":
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	case f.Camp.Decision == camp.DecisionPayFirst:
		return s.askPayment(ctx, tx, r, f, actor)
	}
	missing, err := s.awaited(ctx, tx, r)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	}
	if err := s.move(ctx, tx, r, Validated, nil, actor, ""); err != nil {
		return err
	}
	return s.askPayment(ctx, tx, r, f, actor)
}
