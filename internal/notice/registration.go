package notice

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
)

// event is one line of a registration's history.
type event struct {
	RegistrationID uuid.UUID
	RegistrantID   uuid.UUID
	PayerID        uuid.UUID
	ChildID        uuid.UUID
	FromState      enrol.State // "" for the first line
	ToState        enrol.State
	At             time.Time
	ActorKind      string
	ActorID        string
	Reason         string
	Topic          string // "bus_refused", "sessions_cancelled", or "" for a change of state or of stops
	Outdated       bool   // a newer line follows that says more: for a change of bus any, else one that changes the state
}

// busChanged reports whether the line tells of other stops: it leads from a state to itself.
func (e event) busChanged() bool { return e.FromState == e.ToState && e.Topic == "" }

// busRefused reports whether the line tells that the stops stay, though others were asked for.
func (e event) busRefused() bool { return e.Topic == "bus_refused" }

// sessionsCancelled reports whether the line tells that the commune cancelled sessions of the camp.
func (e event) sessionsCancelled() bool { return e.Topic == "sessions_cancelled" }

// cancelRefused reports whether the line tells that the registration stays, though a guardian asked to cancel it.
func (e event) cancelRefused() bool { return e.Topic == "cancel_refused" }

func readEvent(ctx context.Context, q db.Querier, id int64) (event, error) {
	rows, err := q.Query(ctx, `
		SELECT e.registration_id, r.registrant_id, r.payer_id, r.child_id, coalesce(e.from_state, '') AS from_state, e.to_state, e.at,
		  e.actor_kind, e.actor_id, e.reason, e.topic,
		  e.topic = '' AND EXISTS (
			SELECT 1
			FROM registration_event AS newer
			WHERE newer.registration_id = e.registration_id
			  AND newer.id > e.id
			  AND newer.topic = ''
			  AND (newer.from_state IS DISTINCT FROM newer.to_state OR e.from_state = e.to_state)
		  ) AS outdated
		FROM registration_event AS e
		JOIN registration AS r ON r.id = e.registration_id
		WHERE e.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return event{}, fmt.Errorf("reading line %d of the history: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[event])
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errGone
	}
	return e, err
}

// place is what mails say of a registration: the child by first name, the camp, its days and hours, the bus.
type place struct {
	ID           uuid.UUID
	State        enrol.State
	DueAt        *time.Time
	RegistrantID uuid.UUID
	PayerID      uuid.UUID
	ChildID      uuid.UUID
	Child        string
	CampID       uuid.UUID
	Camp         string
	Location     string
	Bring        string
	Contact      string
	StopOut      string
	OutAt        *int // minutes after midnight
	StopBack     string
	BackAt       *int

	First, Last civil.Date
	sessions    []camp.Session // that take place
	cancelled   []camp.Session
}

func readPlace(ctx context.Context, q db.Querier, id uuid.UUID) (place, error) {
	rows, err := q.Query(ctx, `
		SELECT r.id, r.state, r.due_at, r.registrant_id, r.payer_id, r.child_id, ch.first_name AS child,
		  r.camp_id, c.name AS camp, c.location, c.bring, c.contact,
		  coalesce(o.name, '') AS stop_out, (EXTRACT(EPOCH FROM o.out_at) / 60)::int AS out_at,
		  coalesce(b.name, '') AS stop_back, (EXTRACT(EPOCH FROM b.back_at) / 60)::int AS back_at,
		  (c.begins_at AT TIME ZONE 'Europe/Brussels')::date AS first, (c.ends_at AT TIME ZONE 'Europe/Brussels')::date AS last
		FROM registration AS r
		JOIN child AS ch ON ch.id = r.child_id
		JOIN camp AS c ON c.id = r.camp_id
		LEFT JOIN bus_stop AS o ON o.id = r.stop_out_id
		LEFT JOIN bus_stop AS b ON b.id = r.stop_back_id
		WHERE r.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return place{}, fmt.Errorf("reading registration %s: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[place])
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errGone
	}
	if err != nil {
		return p, fmt.Errorf("reading registration %s: %w", id, err)
	}
	sessions, err := camp.SessionsOf(ctx, q, p.CampID)
	if err != nil {
		return p, err
	}
	for _, s := range sessions {
		if s.State == "cancelled" {
			p.cancelled = append(p.cancelled, s)
			continue
		}
		p.sessions = append(p.sessions, s)
	}
	if n := len(p.sessions); n > 0 {
		p.First, p.Last = p.sessions[0].Day, p.sessions[n-1].Day
	}
	return p, nil
}

// args are the same for every mail about a registration: 1 the child's first name, 2 the camp, 3 its days, 4 the
// deadline of the family.
func (p place) args(loc *locale.Locale) []any {
	var deadline string
	if p.DueAt != nil {
		deadline = loc.Deadline(*p.DueAt)
	}
	return []any{p.Child, p.Camp, loc.DayRange(p.First, p.Last), deadline}
}

// facts say who and what a mail is about.
func (p place) facts(loc *locale.Locale) []mail.Fact {
	return []mail.Fact{
		{Label: loc.T("notice.fact.child"), Value: p.Child},
		{Label: loc.T("notice.fact.camp"), Value: p.Camp},
		{Label: loc.T("notice.fact.days"), Value: loc.DayRange(p.First, p.Last)},
	}
}

// practical are the facts of a registration that counts: where, when, by which bus.
func (p place) practical(loc *locale.Locale) []mail.Fact {
	var facts []mail.Fact
	add := func(label, value string) {
		if value != "" {
			facts = append(facts, mail.Fact{Label: label, Value: value})
		}
	}
	add(loc.T("notice.fact.where"), p.Location)
	if hours, same := p.hours(loc); same {
		add(loc.T("notice.fact.hours"), hours)
	} else {
		for _, s := range p.sessions {
			add(loc.DayOfYear(s.Day), loc.T("notice.hours", loc.Minutes(s.Starts), loc.Minutes(s.Ends)))
		}
	}
	return append(facts, p.stops(loc)...)
}

// stops are the facts about the bus, none without.
func (p place) stops(loc *locale.Locale) []mail.Fact {
	var facts []mail.Fact
	if p.OutAt != nil {
		facts = append(facts, mail.Fact{Label: loc.T("notice.fact.bus_out"), Value: loc.T("notice.stop", p.StopOut, loc.Minutes(*p.OutAt))})
	}
	if p.BackAt != nil {
		facts = append(facts, mail.Fact{Label: loc.T("notice.fact.bus_back"), Value: loc.T("notice.stop", p.StopBack, loc.Minutes(*p.BackAt))})
	}
	return facts
}

// hours writes the hours of every day if they are the same, "" if there are none to write.
func (p place) hours(loc *locale.Locale) (hours string, same bool) {
	for _, s := range p.sessions {
		h := loc.T("notice.hours", loc.Minutes(s.Starts), loc.Minutes(s.Ends))
		if hours != "" && h != hours {
			return "", false
		}
		hours = h
	}
	return hours, true
}

// registrationLetter tells of a registration's change, unless it has changed again since. Who neither registered nor
// pays, and who may no longer see the child, learns nothing that is another's.
func (s *Store) registrationLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := strconv.ParseInt(m.SubjectID, 10, 64)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about line %q of the history", m.ID, m.SubjectID)
	}
	e, err := readEvent(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	if e.Outdated {
		return letter{}, errDrop
	}
	p, err := readPlace(ctx, tx, e.RegistrationID)
	if err != nil {
		return letter{}, err
	}
	payer, err := paysFor(ctx, tx, p, to.GuardianID)
	if err != nil {
		return letter{}, err
	}
	own := payer || to.GuardianID == p.RegistrantID
	right := household.RightMessages
	if own || e.busRefused() || e.cancelRefused() { // who asked is told too
		right = household.RightSee
	}
	if err := s.mayHear(ctx, tx, to.GuardianID, p.ChildID, right); err != nil {
		return letter{}, err
	}
	l := letter{key: m.Template, args: p.args(loc), facts: p.facts(loc), button: pathRegistration(p.ID)}
	exit := e.ToState.Info().Exit
	switch {
	case e.busRefused():
		l.facts = append(l.facts, p.stops(loc)...)
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.reason"), Value: e.Reason})
		return l, nil
	case e.sessionsCancelled():
		return s.sessionsLetter(l, p, e, payer, loc), nil
	case e.cancelRefused():
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.reason"), Value: e.Reason})
		return l, nil
	case e.busChanged():
		l.args[3] = loc.Day(p.First) // from which day
		l.facts = append(l.facts, p.practical(loc)...)
		if p.OutAt == nil && p.BackAt == nil {
			l.after = []string{loc.T("notice.registration_bus_changed.none")}
		}
		return l, nil
	case e.ToState == enrol.AwaitingPayment && payer:
		bill, err := s.billNow(ctx, tx, p, to.GuardianID, loc)
		if errors.Is(err, errNoPart) {
			l.key += ".told"
			return l, nil
		}
		if err != nil {
			return l, err
		}
		l.button = pathPay(p.ID)
		l.facts = append(l.facts, bill...)
		l.after = []string{loc.T("notice.registration_awaiting_payment.after")}
	case e.ToState == enrol.AwaitingPayment:
		l.key += ".told"
	case e.ToState == enrol.ToValidate && e.FromState.Info().Place && e.FromState != enrol.Offered, e.ToState == enrol.ToValidate && e.FromState == enrol.Expired:
		l.key += ".again"
	case e.ToState == enrol.Confirmed:
		l.facts = append(l.facts, p.practical(loc)...)
	case exit && !own:
		l.key = "registration_over.told"
	case e.ToState == enrol.Expired && e.FromState == enrol.Offered:
		l.key += ".offer"
	}
	if exit && own {
		if e.Reason != "" && e.mayQuote(to) {
			l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.reason"), Value: e.Reason})
		}
		if payer {
			l.after, err = s.afterExit(ctx, tx, p, to.GuardianID, loc)
		}
	}
	return l, err
}

// mayQuote reports whether the reason of a change may be shown to someone: what staff write is meant for the family,
// what one guardian writes is not for the other.
func (e event) mayQuote(to person) bool {
	if e.ActorKind == "account" && e.ToState == enrol.Withdrawn {
		return to.AccountID != nil && e.ActorID == to.AccountID.String()
	}
	return e.ActorKind == "account"
}

// mayHear returns errDrop unless a guardian has a right on the child today. An organisation that pays needs none to
// hear of what it pays (RightSee).
func (s *Store) mayHear(ctx context.Context, tx db.Tx, guardianID, childID uuid.UUID, right household.Right) error {
	var may bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT 1
			FROM (`+household.HoldersSQL("@on::date", right)+`) AS h
			WHERE h.guardian_id = @guardian
			  AND h.child_id = @child
		) OR EXISTS (
			SELECT 1
			FROM guardian
			WHERE id = @guardian
			  AND kind = 'organisation'
			  AND @pays
			  AND NOT `+household.BlockedSQL("@guardian", "@child", "@on::date")+`
		)`,
		pgx.NamedArgs{"pays": right == household.RightSee, "guardian": guardianID, "child": childID, "on": civil.DateOf(s.Now(), civil.Brussels)}).Scan(&may)
	if err != nil {
		return fmt.Errorf("reading the rights of guardian %s: %w", guardianID, err)
	}
	if !may {
		return errDrop
	}
	return nil
}

// notBlocked returns errDrop when a guardian may not know of the child of a registration today.
func (s *Store) notBlocked(ctx context.Context, tx db.Tx, guardianID, registrationID uuid.UUID) error {
	var blocked bool
	err := tx.QueryRow(ctx, `
		SELECT `+household.BlockedSQL("@guardian::uuid", "r.child_id", "@on::date")+`
		FROM registration AS r
		WHERE r.id = @registration`,
		pgx.NamedArgs{"guardian": guardianID, "registration": registrationID, "on": civil.DateOf(s.Now(), civil.Brussels)}).Scan(&blocked)
	if err != nil {
		return fmt.Errorf("reading what hides registration %s: %w", registrationID, err)
	}
	if blocked {
		return errDrop
	}
	return nil
}
