package dunning

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/finance"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

// Store decides the steps and answers complaints.
type Store struct {
	DB   *db.DB
	Now  civil.Clock
	Jobs job.Inserter
}

// New returns a Store on d. What is decided is mailed by jobs.
func New(d *db.DB, now civil.Clock, jobs job.Inserter) *Store {
	return &Store{DB: d, Now: now, Jobs: jobs}
}

func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

// Case is one due of which something is owed and was to be paid before today.
type Case struct {
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Payer          string
	Child          string
	Camp           string
	Mail           bool        // the payer is written to by e-mail
	Owed           civil.Cents // now, with the fees of earlier steps
	Fees           civil.Cents // of those the fees asked before, without interest
	Interest       civil.Cents // and the interest asked before
	OwedOn         civil.Date
	LastStep       Step // "" before the first
	LastAt         *time.Time
	LastPayBy      civil.Date
	RemindedAt     *time.Time
	Complaints     int // that nobody answered

	Next    Step       // what may follow, "" after the last
	ReadyOn civil.Date // the first day on which it may
}

// Debt is what is owed without what earlier steps added.
func (c Case) Debt() civil.Cents { return c.Owed - c.Fees - c.Interest }

// Ready reports whether the next step may be taken on a day: its time has come, and no complaint is open.
func (c Case) Ready(day civil.Date) bool {
	return c.Next != "" && c.Complaints == 0 && !day.Before(c.ReadyOn)
}

// plan fills in what may follow by the rules. What the step before left to pay in is always waited for.
func (c *Case) plan(r Rules) {
	from := c.OwedOn
	if c.LastStep != "" {
		from = c.LastPayBy.AddDays(1)
	}
	if c.Next = c.LastStep.After(); c.Next != "" {
		c.ReadyOn = from.AddDays(r.Wait[c.Next])
	}
}

// settled are the states of a registration that is decided: before, another clock runs (the place is given up).
const settled = `('confirmed', 'completed', 'refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`

var caseSQL = `
	SELECT x.due_id, x.registration_id, x.payer_id, trim(g.last_name || ' ' || g.first_name) AS payer,
	  trim(ch.last_name || ' ' || ch.first_name) AS child, c.name AS camp,
	  g.channel = 'email' AND COALESCE(NULLIF(g.email, ''), a.email, '') <> '' AS mail,
	  x.owed - x.later AS owed, fee.fees, fee.interest, x.owed_on, COALESCE(last.step, '') AS last_step, last.at AS last_at, last.pay_by AS last_pay_by,
	  (SELECT s.at FROM dunning_step s WHERE s.due_id = x.due_id AND s.since = x.owed_on AND s.step = 'reminder') AS reminded_at,
	  (SELECT count(*)::int FROM complaint p WHERE p.due_id = x.due_id AND NOT EXISTS (SELECT 1 FROM complaint_answer w WHERE w.complaint_id = p.id)) AS complaints
	FROM (` + finance.StandingSQL + `) x
	JOIN guardian g ON g.id = x.payer_id
	LEFT JOIN account a ON a.id = g.account_id
	JOIN child ch ON ch.id = x.child_id
	JOIN camp c ON c.id = x.camp_id
	LEFT JOIN LATERAL (
	  SELECT s.step, s.at, s.pay_by
	  FROM dunning_step s
	  WHERE s.due_id = x.due_id
	    AND s.since = x.owed_on
	  ORDER BY s.at DESC
	  LIMIT 1
	) last ON true
	CROSS JOIN LATERAL (
	  SELECT COALESCE(sum(s.fee_cents), 0)::bigint AS fees, COALESCE(sum(s.interest_cents), 0)::bigint AS interest
	  FROM dunning_step s
	  WHERE s.due_id = x.due_id
	    AND s.since = x.owed_on
	) fee
	WHERE x.owed - x.later > 0
	  AND x.owed_on < @today
	  AND x.state IN ` + settled

// Cases lists what is late, the oldest debt first, with what may follow. Invalid when the settings are no rules.
func (s *Store) Cases(ctx context.Context, limit, offset int) ([]Case, error) {
	return s.cases(ctx, s.DB, caseSQL+`
	ORDER BY x.owed_on, payer, x.due_id
	LIMIT @limit
	OFFSET @offset`, pgx.NamedArgs{"limit": limit, "offset": offset})
}

// Case returns one due; NotFound when nothing of it is late.
func (s *Store) Case(ctx context.Context, q db.Querier, dueID uuid.UUID) (Case, error) {
	list, err := s.cases(ctx, q, caseSQL+`
	  AND x.due_id = @due`, pgx.NamedArgs{"due": dueID})
	if err == nil && len(list) == 0 {
		return Case{}, problem.NotFound("dunning.nothing_late")
	}
	if err != nil {
		return Case{}, err
	}
	return list[0], nil
}

func (s *Store) cases(ctx context.Context, q db.Querier, sql string, args pgx.NamedArgs) ([]Case, error) {
	settings, err := camp.AllSettings(ctx, q)
	if err != nil {
		return nil, err
	}
	rules, err := RulesOf(settings)
	if err != nil {
		return nil, err
	}
	args["today"] = s.today()
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, fmt.Errorf("reading what is late: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[Case])
	if err != nil {
		return nil, fmt.Errorf("reading what is late: %w", err)
	}
	for i := range list {
		list[i].plan(rules)
	}
	return list, nil
}

// Record is one step that was taken.
type Record struct {
	ID             uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Step           Step
	OwedCents      civil.Cents
	FeeCents       civil.Cents
	InterestCents  civil.Cents
	PayBy          civil.Date
	Way            string
	Content        Content
	Actor          string
	At             time.Time
}

const recordColumns = `id, due_id, registration_id, payer_id, step, owed_cents, fee_cents, interest_cents, pay_by, way, content, actor, at`

// Read returns a step by id; the caller has checked who asks. NotFound without it.
func (s *Store) Read(ctx context.Context, id uuid.UUID) (Record, error) {
	list, err := s.records(ctx, `id = @id`, pgx.NamedArgs{"id": id})
	if err == nil && len(list) == 0 {
		return Record{}, problem.NotFound("dunning.not_found")
	}
	if err != nil {
		return Record{}, err
	}
	return list[0], nil
}

// OfDue returns the steps of a due, oldest first.
func (s *Store) OfDue(ctx context.Context, dueID uuid.UUID) ([]Record, error) {
	return s.records(ctx, `due_id = @id`, pgx.NamedArgs{"id": dueID})
}

// OfPayer returns the steps towards a payer, oldest first.
func (s *Store) OfPayer(ctx context.Context, payerID uuid.UUID) ([]Record, error) {
	return s.records(ctx, `payer_id = @id`, pgx.NamedArgs{"id": payerID})
}

// Letters returns the steps of a day that go by post, to print.
func (s *Store) Letters(ctx context.Context, day civil.Date) ([]Record, error) {
	return s.records(ctx, `way = 'letter' AND at >= @from AND at < @until`,
		pgx.NamedArgs{"from": day.Time(civil.Brussels), "until": day.AddDays(1).Time(civil.Brussels)})
}

func (s *Store) records(ctx context.Context, where string, args pgx.NamedArgs) ([]Record, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+recordColumns+`
		FROM dunning_step
		WHERE `+where+`
		ORDER BY at, id`, args)
	if err != nil {
		return nil, fmt.Errorf("reading reminders: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Record])
	if err != nil {
		return nil, fmt.Errorf("reading reminders: %w", err)
	}
	return list, nil
}
