package portal

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// myRegistration is a registration as one guardian may see it.
type myRegistration struct {
	ID           uuid.UUID
	ChildID      uuid.UUID
	ChildName    string // first name
	CampID       uuid.UUID
	CampName     string
	CampLocation string
	CampBring    string
	CampContact  string
	Themes       []string
	FirstDay     civil.Date // zero when no session is left
	LastDay      civil.Date
	Days         int
	Formula      string
	State        enrol.State
	DueAt        *time.Time
	CreatedAt    time.Time
	PriceCents   civil.Cents
	PriceDetail  []enrol.PriceLine
	StopOut      string
	StopOutAt    *int // minutes after midnight
	StopBack     string
	StopBackAt   *int
	Remark       string
	Payer        bool        // the guardian is the first payer, and sees the price; who pays a part sees that
	Rank         int         // on the waiting list, from 1
	DueID        *uuid.UUID  // what the guardian pays of it; nil for who pays nothing, or before it is charged
	OwedCents    civil.Cents // of the own due
	LaterCents   civil.Cents // of it on later days
	OwnCents     civil.Cents // the own part of the price
	KeptCents    civil.Cents // what came in on the own due and has not gone back
	FeeCents     civil.Cents // what the commune charges above the price: for an end, for a reminder
	Covered      bool        // an organisation takes a part; told to the first payer alone, like Shared
	Shared       bool        // somebody else takes a part
	InvoiceID    *uuid.UUID
	CancelAsked  bool // staff have a request to cancel
	Reason       string

	Steps []step // the timeline, filled by timelines
}

// NowCents is what the guardian has to pay of it by today; 0 while nothing is decided.
func (r myRegistration) NowCents() civil.Cents {
	switch r.State {
	case enrol.Submitted, enrol.ToValidate, enrol.Waitlisted, enrol.Offered:
		return 0
	}
	return max(0, r.OwedCents-max(0, min(r.LaterCents, r.OwedCents)))
}

// BackCents is what the guardian has paid above what is owed, and gets back.
func (r myRegistration) BackCents() civil.Cents { return max(0, -r.OwedCents) }

// Pays reports whether the guardian pays for it, all of it or a part.
func (r myRegistration) Pays() bool { return r.Payer || r.DueID != nil }

// step is one line of a registration's history.
type step struct {
	RegistrationID uuid.UUID
	From           *enrol.State
	State          enrol.State
	At             time.Time
	Actor          string // you, family, service or program
	Reason         string
	Topic          string // "bus_refused", "sessions_cancelled", or "" for a change of state or of stops
}

// myRegistrations returns the registrations of the children whom a guardian may see, or one of them; those that the
// family must act on come first, then by the camp's first day.
func (s *server) myRegistrations(ctx context.Context, g parent, only *uuid.UUID) ([]myRegistration, error) {
	children, err := s.Household.ChildIDs(ctx, s.DB, g.guardian.ID, household.RightSee, s.today())
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, r.child_id, k.first_name AS child_name, c.id AS camp_id, c.name AS camp_name, c.location AS camp_location, c.bring AS camp_bring,
		  c.contact AS camp_contact, c.themes, w.first_day, w.last_day, w.days, COALESCE(t.name, '') AS formula,
		  r.state, r.due_at, r.created_at, r.price_cents, r.price_detail,
		  COALESCE(o.name, '') AS stop_out, (EXTRACT(EPOCH FROM o.out_at) / 60)::int AS stop_out_at,
		  COALESCE(b.name, '') AS stop_back, (EXTRACT(EPOCH FROM b.back_at) / 60)::int AS stop_back_at,
		  CASE WHEN r.registrant_id = @guardian THEN r.remark ELSE '' END AS remark, r.payer_id = @guardian AS payer,
		  CASE WHEN r.state = 'waitlisted' THEN (
		    SELECT count(*)::int
		    FROM registration q
		    WHERE q.camp_id = r.camp_id
		      AND q.state = 'waitlisted'
		      AND (q.waiting_since, q.id) <= (r.waiting_since, r.id)) ELSE 0 END AS rank,
		  d.id AS due_id, m.owed_cents, m.own_cents, m.kept_cents, m.fee_cents,
		  COALESCE((SELECT sum(i.cents) FROM instalment i WHERE i.due_id = d.id AND i.due_on > @today), 0)::bigint AS later_cents,
		  r.payer_id = @guardian AND EXISTS (
		    SELECT 1
		    FROM due x
		    WHERE x.registration_id = r.id
		      AND x.kind = 'cover'
		      AND x.ended_at IS NULL) AS covered,
		  r.payer_id = @guardian AND EXISTS (
		    SELECT 1
		    FROM due x
		    WHERE x.registration_id = r.id
		      AND x.kind = 'family'
		      AND x.payer_id <> @guardian
		      AND x.ended_at IS NULL) AS shared,
		  (SELECT i.id FROM invoice_split x JOIN invoice i ON i.id = x.invoice_id WHERE x.registration_id = r.id AND i.payer_id = @guardian LIMIT 1) AS invoice_id,
		  EXISTS (
		    SELECT 1
		    FROM task x
		    WHERE x.kind = 'cancel_asked'
		      AND x.subject_kind = 'registration'
		      AND x.subject_id = r.id::text
		      AND x.done_at IS NULL) AS cancel_asked,
		  COALESCE((SELECT e.reason FROM registration_event e WHERE e.registration_id = r.id ORDER BY e.id DESC LIMIT 1), '') AS reason
		FROM registration r
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN ticket t ON t.id = r.ticket_id AND (SELECT count(*) FROM ticket a WHERE a.camp_id = c.id) > 1
		LEFT JOIN bus_stop o ON o.id = r.stop_out_id
		LEFT JOIN bus_stop b ON b.id = r.stop_back_id
		LEFT JOIN due d ON d.registration_id = r.id AND d.payer_id = @guardian AND d.kind = 'family'
		CROSS JOIN LATERAL (
		  SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee', 'refund') THEN l.cents ELSE -l.cents END), 0)::bigint AS owed_cents,
		    COALESCE(sum(CASE l.kind WHEN 'charge' THEN l.cents WHEN 'reduction' THEN -l.cents END), 0)::bigint AS own_cents,
		    COALESCE(sum(CASE l.kind WHEN 'payment' THEN l.cents WHEN 'refund' THEN -l.cents END), 0)::bigint AS kept_cents,
		    COALESCE(sum(CASE WHEN l.kind = 'fee' THEN l.cents WHEN l.label = 'ledger.fee_back' THEN -l.cents END), 0)::bigint AS fee_cents
		  FROM ledger_line l
		  WHERE l.due_id = d.id) m
		CROSS JOIN LATERAL (
		  SELECT min(day) AS first_day, max(day) AS last_day, count(DISTINCT day)::int AS days
		  FROM camp_session
		  WHERE camp_id = c.id
		    AND state <> 'cancelled') w
		WHERE r.child_id = ANY(@children)
		  AND (@only::uuid IS NULL OR r.id = @only)
		ORDER BY (r.state IN ('awaiting_payment', 'offered')) DESC, w.first_day, k.first_name, r.created_at, c.name, r.id`,
		pgx.NamedArgs{"guardian": g.guardian.ID, "children": children, "only": only, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the registrations of guardian %s: %w", g.guardian.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[myRegistration])
	if err != nil {
		return nil, fmt.Errorf("reading the registrations of guardian %s: %w", g.guardian.ID, err)
	}
	return list, s.timelines(ctx, g, list)
}

// myRegistration returns one registration that a guardian may see, or NotFound.
func (s *server) myRegistration(ctx context.Context, g parent, id uuid.UUID) (myRegistration, error) {
	list, err := s.myRegistrations(ctx, g, &id)
	if err != nil {
		return myRegistration{}, err
	}
	if len(list) != 1 {
		return myRegistration{}, problem.NotFound("registration.not_found")
	}
	return list[0], nil
}

// timelines adds the history to the registrations, oldest first. Who acted is told by kind: a family does not read the
// names of agents, nor the other parent's.
func (s *server) timelines(ctx context.Context, g parent, list []myRegistration) error {
	at := make(map[uuid.UUID]int, len(list))
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		at[r.ID], ids[i] = i, r.ID
	}
	rows, err := s.DB.Query(ctx, `
		SELECT e.registration_id, e.from_state AS "from", e.to_state AS state, e.at,
		  -- What one parent writes is not for the other.
		  CASE WHEN e.to_state = 'withdrawn' AND e.actor_kind = 'account' AND e.actor_id <> @account AND cardinality(a.roles) = 0 THEN '' ELSE e.reason END AS reason,
		  CASE
		    WHEN e.actor_kind <> 'account' THEN 'program'
		    WHEN e.actor_id = @account THEN 'you'
		    WHEN a.id IS NULL OR cardinality(a.roles) = 0 THEN 'family'
		    ELSE 'service'
		  END AS actor,
		  e.topic
		FROM registration_event e
		LEFT JOIN account a ON a.id = CASE e.actor_kind WHEN 'account' THEN e.actor_id::uuid END
		WHERE e.registration_id = ANY(@ids)
		ORDER BY e.registration_id, e.id`,
		pgx.NamedArgs{"ids": ids, "account": g.account.ID.String()})
	if err != nil {
		return fmt.Errorf("reading the history of registrations: %w", err)
	}
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByName[step])
	if err != nil {
		return fmt.Errorf("reading the history of registrations: %w", err)
	}
	for _, e := range steps {
		r := &list[at[e.RegistrationID]]
		r.Steps = append(r.Steps, e)
	}
	return nil
}

// ReadablePrice is the price as the guardian who asks may read it: its payer in detail, another one as a sum.
func (r myRegistration) ReadablePrice() []enrol.PriceLine {
	if r.Payer {
		return r.PriceDetail
	}
	return nil
}
