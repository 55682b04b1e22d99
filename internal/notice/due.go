package notice

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
)

// Due is one reminder that is due at an instant and was not enqueued before. It holds ids and the camp's name, never
// the name of a person.
type Due struct {
	Rule           string     `json:"rule"`
	Template       string     `json:"template"` // the rule's trigger
	SlotDay        civil.Date `json:"slot"`     // the step of the ladder, a day in Brussels
	SubjectID      string     `json:"subject"`  // the child of a sheet, else the registration
	GuardianID     uuid.UUID  `json:"guardian"`
	RegistrationID uuid.UUID  `json:"registration"`
	ChildID        uuid.UUID  `json:"child"`
	CampID         uuid.UUID  `json:"camp"`
	CampName       string     `json:"camp_name"`
	LastDay        civil.Date `json:"before"` // the day it counts back from: the first session, or the payment's deadline
}

// campFirst gives each camp that takes place with the day of its first session that does; a camp of which nobody has
// listed the sessions begins when Odoo says so.
const campFirst = `
	SELECT c.id AS camp_id, c.name AS camp_name, c.sheet_days,
	  coalesce(
	    min(cs.day) FILTER (WHERE cs.state <> 'cancelled'),
	    CASE WHEN count(cs.id) = 0 THEN (c.begins_at AT TIME ZONE 'Europe/Brussels')::date END
	  ) AS first_day
	FROM camp AS c
	LEFT JOIN camp_session AS cs ON cs.camp_id = c.id
	WHERE NOT c.cancelled
	  AND NOT c.archived
	GROUP BY c.id`

// owedBy is what is to be paid of a due d by a day, in cents: what is owed less the instalments of later days; NULL
// without a charge.
func owedBy(day string) string {
	return `(
	SELECT sum(CASE WHEN l.kind IN ('charge', 'fee', 'refund') THEN l.cents ELSE -l.cents END)
	FROM ledger_line AS l
	WHERE l.due_id = d.id
) - (
	SELECT coalesce(sum(x.cents), 0)
	FROM instalment AS x
	WHERE x.due_id = d.id
	  AND x.due_on > ` + day + `
)`
}

// today is the day of @at in Brussels.
const today = `(@at::timestamptz AT TIME ZONE 'Europe/Brussels')::date`

// dueSQL computes every reminder that is due at @at, in one statement. A ladder of slots goes from first_days before
// the last day upwards in steps of every_days; the slot of an instant is the latest one reached, so that someone who
// registers late is reminded once of what is still to do and not of every slot that went by. Slots only go up: after
// a change of the intervals nobody is written to for a slot before the last one.
//
// A child is reminded of its sheet once for all its camps, for the earliest that the sheet does not count for; its
// registrations that hold a place are looked at (@holding), since a family on the waiting list has nothing to prepare.
// Everybody who pays a part is reminded of the own part. Someone who was asked to pay, or whose place was confirmed, is
// not reminded on the same day. Of a confirmed registration the next instalment counts, the day before its own day the
// last.
var dueSQL = `
	WITH rule AS (
		SELECT code, trigger, first_days, every_days, at_most
		FROM reminder_rule
		WHERE enabled
	), first AS (
		SELECT camp_id, camp_name, sheet_days, first_day
		FROM (` + campFirst + `) AS f
		WHERE first_day > ` + today + `
		  AND first_day <= ` + today + ` + (SELECT max(first_days) FROM rule)
	), sheet AS (
		SELECT DISTINCT ON (rule.code, r.child_id, h.guardian_id)
		  rule.code, r.child_id::text AS subject_id, h.guardian_id, r.id AS registration_id, r.child_id, r.camp_id, f.camp_name,
		  f.first_day AS last_day, NULL::date AS since
		FROM rule
		JOIN first AS f ON f.first_day - rule.first_days <= ` + today + `
		JOIN registration AS r ON r.camp_id = f.camp_id
		JOIN (` + household.HoldersSQL(today, household.RightMedical, household.RightMessages) + `) AS h ON h.child_id = r.child_id
		WHERE rule.trigger = 'sheet_stale'
		  AND r.state = ANY(@holding)
		  AND NOT ` + medical.FreshSQL("r.child_id", "f.first_day", "f.sheet_days") + `
		ORDER BY rule.code, r.child_id, h.guardian_id, f.first_day, r.created_at, r.id
	), soon AS (
		SELECT rule.code, r.id::text AS subject_id, h.guardian_id, r.id AS registration_id, r.child_id, r.camp_id, f.camp_name,
		  f.first_day AS last_day, NULL::date AS since
		FROM rule
		JOIN first AS f ON f.first_day - rule.first_days <= ` + today + `
		JOIN registration AS r ON r.camp_id = f.camp_id
		JOIN (` + household.HoldersSQL(today, household.RightMessages) + `) AS h ON h.child_id = r.child_id
		WHERE rule.trigger = 'camp_soon'
		  AND r.state = 'confirmed'
	), payment AS (
		SELECT rule.code, r.id::text AS subject_id, d.payer_id AS guardian_id, r.id AS registration_id, r.child_id, r.camp_id, c.name AS camp_name,
		  (r.due_at AT TIME ZONE 'Europe/Brussels')::date AS last_day, (r.state_since AT TIME ZONE 'Europe/Brussels')::date AS since
		FROM rule
		CROSS JOIN registration AS r
		JOIN due AS d ON d.registration_id = r.id
		JOIN camp AS c ON c.id = r.camp_id
		WHERE rule.trigger = 'payment_due'
		  AND r.state = 'awaiting_payment'
		  AND r.due_at > @at
		  AND d.kind = 'family'
		  AND ` + owedBy(today) + ` > 0
	), instalment_due AS (
		SELECT DISTINCT ON (rule.code, d.id)
		  rule.code, r.id::text AS subject_id, d.payer_id AS guardian_id, r.id AS registration_id, r.child_id, r.camp_id, c.name AS camp_name,
		  i.due_on AS last_day, (r.state_since AT TIME ZONE 'Europe/Brussels')::date AS since
		FROM rule
		JOIN instalment AS i ON i.due_on > ` + today + ` AND i.due_on - rule.first_days <= ` + today + `
		JOIN due AS d ON d.id = i.due_id
		JOIN registration AS r ON r.id = d.registration_id
		JOIN camp AS c ON c.id = r.camp_id
		WHERE rule.trigger = 'payment_due'
		  AND r.state = 'confirmed'
		  AND d.kind = 'family'
		  AND ` + owedBy("i.due_on") + ` > 0
		ORDER BY rule.code, d.id, i.due_on
	), step AS (
		SELECT w.*, rule.trigger,
		  w.last_day - rule.first_days + rule.every_days * LEAST(
		    rule.at_most - 1,
		    (rule.first_days - 1) / rule.every_days,
		    (` + today + ` - (w.last_day - rule.first_days)) / rule.every_days
		  ) AS slot_day
		FROM (
			SELECT * FROM sheet
			UNION ALL
			SELECT * FROM soon
			UNION ALL
			SELECT * FROM payment
			UNION ALL
			SELECT * FROM instalment_due
		) AS w
		JOIN rule ON rule.code = w.code
		WHERE w.last_day - rule.first_days <= ` + today + `
	)
	SELECT step.code AS rule, step.trigger AS template, step.slot_day, step.subject_id, step.guardian_id, step.registration_id,
	  step.child_id, step.camp_id, step.camp_name, step.last_day
	FROM step
	WHERE (step.since IS NULL OR step.slot_day > step.since)
	  AND NOT EXISTS (
		SELECT 1
		FROM message AS m
		WHERE m.template = step.trigger
		  AND m.subject_id = step.subject_id
		  AND m.recipient = 'guardian:' || step.guardian_id
		  AND m.slot >= step.slot_day::timestamp AT TIME ZONE 'Europe/Brussels'
	  )`

// holding lists the states of a registration that is still to come and has its place.
func holding() []string {
	var states []string
	for _, i := range enrol.States {
		if i.Place && i.State != enrol.Completed {
			states = append(states, string(i.State))
		}
	}
	return states
}

func dueArgs(at time.Time) pgx.NamedArgs { return pgx.NamedArgs{"at": at, "holding": holding()} }

// Due returns the reminders that are due at an instant and were never enqueued, in order of slot and camp. It writes
// nothing.
func (s *Store) Due(ctx context.Context, at time.Time) ([]Due, error) {
	rows, err := s.DB.Query(ctx, dueSQL+`
	ORDER BY step.slot_day, step.camp_name, step.registration_id, step.trigger, step.guardian_id`, dueArgs(at))
	if err != nil {
		return nil, fmt.Errorf("computing the reminders: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[Due])
	if err != nil {
		return nil, fmt.Errorf("computing the reminders: %w", err)
	}
	return due, nil
}

// EnqueueDue enqueues the reminders that are due at an instant, each once whoever calls it how often, and returns how
// many were enqueued here. Messages and their jobs commit together.
func (s *Store) EnqueueDue(ctx context.Context, at time.Time) (n int, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		args := dueArgs(at)
		args["now"] = s.Now()
		// In one order everywhere, so that two runs at once wait for each other instead of dying in each other's arms.
		rows, err := tx.Query(ctx, `
			INSERT INTO message (template, rule_code, subject_id, recipient, slot, created_at)
			SELECT d.template, d.rule, d.subject_id, 'guardian:' || d.guardian_id, d.slot_day::timestamp AT TIME ZONE 'Europe/Brussels', @now
			FROM (`+dueSQL+`) AS d
			ORDER BY d.template, d.subject_id, d.guardian_id, d.slot_day
			ON CONFLICT DO NOTHING
			RETURNING id`, args)
		if err != nil {
			return fmt.Errorf("enqueueing the reminders: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("enqueueing the reminders: %w", err)
		}
		n = len(ids)
		return s.enqueue(ctx, tx, ids, nil)
	})
	return n, err
}

// remindersDue runs a slot of the schedule. At night it does nothing: what is due then is due in the morning too.
func (s *Store) remindersDue(ctx context.Context, at time.Time) error {
	if !morning(at).Equal(at) {
		return nil
	}
	n, err := s.EnqueueDue(ctx, at)
	if err == nil && n > 0 {
		s.Log.InfoContext(ctx, "reminders enqueued", "count", n)
	}
	return err
}
