package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffRegistrationPage is everything about one registration.
type staffRegistrationPage struct {
	staffPage
	Row           queueRow
	Registration  enrol.Registration
	Info          enrol.Info
	Camp          camp.Camp
	Guardians     []staffGuardian
	Others        []queueRow // the child's other registrations
	StopOut       string
	StopBack      string
	Money         *staffMoney   // the first due
	Dues          []*staffMoney // every one, with what each payer owes
	Total         ledger.Balance
	Refunds       []staffRefund
	Payable       []choice   // dues on which a payment can be noted
	Form          *form.Form // of a payment seen by staff
	Key           uuid.UUID
	Timeline      []staffEvent
	Tasks         []taskRow
	CanDecide     bool
	CanCash       bool
	CanRefund     bool
	CanShare      bool
	CanPayers     bool
	Mirrored      bool
	WaitingBefore int // how many families wait before this one
	Bars          []enrol.Reason
	Overrides     []staffOverride
	Consents      []staffConsent
	Options       []string
}

// staffOverride is a rule that staff let the registration pass.
type staffOverride struct {
	Rule   string
	Reason string
	Name   string // of the account
	At     time.Time
}

// staffConsent is how the family agreed to what staff did in its name.
type staffConsent struct {
	Action   string
	Guardian string
	How      string
	Name     string // of the account
	At       time.Time
}

// staffGuardian is an adult with a link to the child.
type staffGuardian struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	Phone     string
	Email     string
	City      string
	Basis     household.Basis
	Rights    []string
	PickUp    bool
	Payer     bool
}

// Name is the guardian's name.
func (g staffGuardian) Name() string { return g.FirstName + " " + g.LastName }

// staffEvent is one change of a registration.
type staffEvent struct {
	FromState *enrol.State
	ToState   enrol.State
	At        time.Time
	ActorKind string
	ActorID   string
	ActorName string // of an account, else ""
	Reason    string
	Topic     string // "bus_refused", "sessions_cancelled", or "" for a change of state or of stops
}

// BusChanged reports whether the line tells of other stops: it leads from a state to itself.
func (e staffEvent) BusChanged() bool {
	return e.FromState != nil && *e.FromState == e.ToState && e.Topic == ""
}

// BusRefused reports whether the line tells that the stops stay, though others were asked for.
func (e staffEvent) BusRefused() bool { return e.Topic == "bus_refused" }

// SessionsCancelled reports whether the line tells that the commune cancelled sessions of the camp.
func (e staffEvent) SessionsCancelled() bool { return e.Topic == "sessions_cancelled" }

// CancelRefused reports whether the line tells that the registration stays, though a guardian asked to cancel it.
func (e staffEvent) CancelRefused() bool { return e.Topic == "cancel_refused" }

// staffRegistration shows one registration.
func (s *server) staffRegistration(w http.ResponseWriter, r *http.Request) error {
	p, err := s.staffRegistrationOf(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/registration", p)
}

func (s *server) staffRegistrationOf(r *http.Request, id uuid.UUID) (*staffRegistrationPage, error) {
	ctx := r.Context()
	reg, err := s.Enrol.Registration(ctx, id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, "", "/gestion/inscriptions")
	if err != nil {
		return nil, err
	}
	p := &staffRegistrationPage{
		staffPage: base, Registration: reg, Info: reg.State.Info(), Key: uuid.New(), Form: form.New(),
		CanDecide: s.can(r, mayDecide), CanCash: s.can(r, mayCash),
		CanRefund: s.can(r, mayRefund), CanShare: s.can(r, mayShare), CanPayers: s.can(r, mayPayers),
	}
	list, err := s.staffRows(ctx, p.L, `r.child_id = @child`, `r.created_at DESC, r.id`, pgx.NamedArgs{"child": reg.ChildID})
	if err != nil {
		return nil, err
	}
	for _, row := range list {
		if row.ID == id {
			p.Row = row
		} else {
			p.Others = append(p.Others, row)
		}
	}
	p.Title = p.L.T("staff.registration.title", p.Row.Name(), p.Row.CampName)
	p.Back = &page.Link{URL: "/gestion/inscriptions", Text: p.L.T("staff.queue.to_validate")}
	if p.Camp, err = s.Camp.Camp(ctx, reg.CampID); err != nil {
		return nil, err
	}
	if p.Guardians, err = s.staffGuardians(ctx, reg.ChildID, &reg.PayerID); err != nil {
		return nil, err
	}
	if p.StopOut, p.StopBack, err = s.staffStops(ctx, reg); err != nil {
		return nil, err
	}
	if err := s.fillMoney(r, p); err != nil {
		return nil, err
	}
	if p.Timeline, err = s.staffTimeline(ctx, id); err != nil {
		return nil, err
	}
	if err := s.staffDecisions(ctx, p); err != nil {
		return nil, err
	}
	if p.Tasks, err = s.tasksOf(ctx, `t.subject_kind = 'registration' AND t.subject_id = @subject`, pgx.NamedArgs{"subject": id.String()}); err != nil {
		return nil, err
	}
	err = s.DB.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM odoo_link WHERE kind = 'registration' AND local_id = @id),
		  (SELECT count(*)::int FROM registration w WHERE w.camp_id = @camp AND w.state = 'waitlisted' AND w.waiting_since < @since)`,
		pgx.NamedArgs{"id": id, "camp": reg.CampID, "since": reg.WaitingSince}).Scan(&p.Mirrored, &p.WaitingBefore)
	if err != nil {
		return nil, fmt.Errorf("reading the mirror of registration %s: %w", id, err)
	}
	return p, nil
}

func (s *server) staffGuardians(ctx context.Context, childID uuid.UUID, payer *uuid.UUID) ([]staffGuardian, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT g.id, g.first_name, g.last_name, g.phone, COALESCE(a.email, g.email) AS email, g.city, l.basis, l.rights,
		  l.rights @> ARRAY['see', 'pick_up'] AND NOT `+household.BlockedSQL("l.guardian_id", "l.child_id", "@today::date")+` AS pick_up,
		  COALESCE(g.id = @payer, false) AS payer
		FROM guardianship l
		JOIN guardian g ON g.id = l.guardian_id
		LEFT JOIN account a ON a.id = g.account_id
		WHERE l.child_id = @child
		  AND l.valid_from <= @today
		  AND (l.valid_until IS NULL OR l.valid_until >= @today)
		ORDER BY payer DESC, g.last_name, g.first_name, g.id`,
		pgx.NamedArgs{"child": childID, "payer": payer, "today": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the guardians of child %s: %w", childID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[staffGuardian])
	if err != nil {
		return nil, fmt.Errorf("reading the guardians of child %s: %w", childID, err)
	}
	return list, nil
}

// staffStops returns the names of the stops that were asked for, "" for no bus in that direction.
func (s *server) staffStops(ctx context.Context, r enrol.Registration) (out, back string, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT COALESCE((SELECT name FROM bus_stop WHERE id = @out), ''), COALESCE((SELECT name FROM bus_stop WHERE id = @back), '')`,
		pgx.NamedArgs{"out": r.StopOutID, "back": r.StopBackID}).Scan(&out, &back)
	if err != nil {
		return "", "", fmt.Errorf("reading the stops of registration %s: %w", r.ID, err)
	}
	return out, back, nil
}

// staffDecisions reads what stands against the registration, what staff let pass, and how the family agreed.
func (s *server) staffDecisions(ctx context.Context, p *staffRegistrationPage) error {
	args := pgx.NamedArgs{"id": p.Registration.ID}
	if !p.Info.Exit && p.Registration.State != enrol.Completed {
		reasons, err := s.Enrol.Reasons(ctx, p.Registration.ID)
		if err != nil {
			return err
		}
		_, p.Bars, _ = sortReasons(reasons)
	}
	rows, err := s.DB.Query(ctx, `
		SELECT o.rule, o.reason, a.name, o.at
		FROM registration_override o
		JOIN account a ON a.id = o.account_id
		WHERE o.registration_id = @id
		ORDER BY o.at, o.rule`, args)
	if err != nil {
		return fmt.Errorf("reading the overrides of registration %s: %w", p.Registration.ID, err)
	}
	if p.Overrides, err = pgx.CollectRows(rows, pgx.RowToStructByName[staffOverride]); err != nil {
		return fmt.Errorf("reading the overrides of registration %s: %w", p.Registration.ID, err)
	}
	rows, err = s.DB.Query(ctx, `
		SELECT c.action, btrim(g.first_name || ' ' || g.last_name) AS guardian, c.how, a.name, c.at
		FROM registration_consent c
		JOIN guardian g ON g.id = c.guardian_id
		JOIN account a ON a.id = c.account_id
		WHERE c.registration_id = @id
		ORDER BY c.id`, args)
	if err != nil {
		return fmt.Errorf("reading the consents for registration %s: %w", p.Registration.ID, err)
	}
	if p.Consents, err = pgx.CollectRows(rows, pgx.RowToStructByName[staffConsent]); err != nil {
		return fmt.Errorf("reading the consents for registration %s: %w", p.Registration.ID, err)
	}
	p.Options, err = s.texts(ctx, `
		SELECT o.name
		FROM registration_option r
		JOIN camp_option o ON o.id = r.option_id
		WHERE r.registration_id = @id
		ORDER BY o.position, o.name`, args)
	return err
}

func (s *server) staffTimeline(ctx context.Context, id uuid.UUID) ([]staffEvent, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT e.from_state, e.to_state, e.at, e.actor_kind, e.actor_id, COALESCE(a.name, '') AS actor_name, e.reason, e.topic
		FROM registration_event e
		LEFT JOIN account a ON a.id = CASE e.actor_kind WHEN 'account' THEN e.actor_id::uuid END
		WHERE e.registration_id = @id
		ORDER BY e.id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading the history of registration %s: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[staffEvent])
	if err != nil {
		return nil, fmt.Errorf("reading the history of registration %s: %w", id, err)
	}
	return list, nil
}
