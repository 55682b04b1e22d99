package dunning

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
)

// Content is everything that a step prints, frozen.
type Content = ledger.InvoiceContent

// The ways in which a step reaches its payer.
const (
	ByMail   = "mail"
	ByLetter = "letter"
)

// Choice is a step that somebody decided for a due; Way "" is by mail where the payer has one.
type Choice struct {
	DueID uuid.UUID
	Step  Step
	Way   string
}

// Preview returns what a decision would do today, without doing it. Conflict when the step does not follow, is too
// early or is suspended; NotFound when nothing is late.
func (s *Store) Preview(ctx context.Context, v Choice) (r Record, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		r, _, err = s.draft(ctx, tx, v)
		return err
	})
	return r, err
}

// Decide takes the steps, each in a transaction of its own, and returns how many were taken. One that does not follow
// any more (decided twice, paid, contested, too early) is passed over: nothing is asked that the list did not show.
func (s *Store) Decide(ctx context.Context, actor audit.Actor, choices []Choice) (n int, err error) {
	for _, v := range choices {
		err := s.take(ctx, actor, v)
		if problem.Is(err, problem.KindConflict) || problem.Is(err, problem.KindNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Automatic takes the steps that the commune lets go by themselves, and returns how many.
func (s *Store) Automatic(ctx context.Context) (int, error) {
	settings, err := camp.AllSettings(ctx, s.DB)
	if err != nil {
		return 0, err
	}
	rules, err := RulesOf(settings)
	if err != nil || rules.Automatic == "" {
		return 0, err
	}
	list, err := s.Cases(ctx, 10_000, 0)
	if err != nil {
		return 0, err
	}
	var choices []Choice
	for _, c := range list {
		if c.Ready(s.today()) && (c.Next == Reminder || c.Next == rules.Automatic) {
			choices = append(choices, Choice{DueID: c.DueID, Step: c.Next})
		}
	}
	return s.Decide(ctx, audit.Job(job.DunningDue{}.Kind()), choices)
}

// take books what the step costs, freezes its letter and sends it. The registration is locked as in every transaction
// about its money.
func (s *Store) take(ctx context.Context, actor audit.Actor, v Choice) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			SELECT 1
			FROM registration r
			JOIN due d ON d.registration_id = r.id
			WHERE d.id = @due
			FOR UPDATE OF r`,
			pgx.NamedArgs{"due": v.DueID})
		if err != nil {
			return fmt.Errorf("locking the registration of due %s: %w", v.DueID, err)
		}
		r, since, err := s.draft(ctx, tx, v)
		if err != nil {
			return err
		}
		if err := s.charge(ctx, tx, r, actor); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO dunning_step (due_id, registration_id, payer_id, step, since, owed_cents, fee_cents, interest_cents, pay_by, way, content, actor, at)
			VALUES (@due, @registration, @payer, @step, @since, @owed, @fee, @interest, @pay_by, @way, @content, @actor, @at)
			RETURNING id`,
			pgx.NamedArgs{
				"due": r.DueID, "registration": r.RegistrationID, "payer": r.PayerID, "step": r.Step, "since": since, "owed": r.OwedCents,
				"fee": r.FeeCents, "interest": r.InterestCents, "pay_by": r.PayBy, "way": r.Way, "content": r.Content, "actor": actor.String(), "at": s.Now(),
			}).Scan(&r.ID)
		if err != nil {
			return fmt.Errorf("taking a step on due %s: %w", v.DueID, err)
		}
		err = audit.Record(ctx, tx, actor, "dunning.step", "due", r.DueID.String(),
			map[string]any{"step": r.Step, "owed": r.OwedCents, "fee": r.FeeCents, "interest": r.InterestCents, "way": r.Way})
		if err != nil || r.Way != ByMail {
			return err
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, job.DunningSent{StepID: r.ID.String()}, nil); err != nil {
			return fmt.Errorf("sending step %s: %w", r.ID, err)
		}
		return nil
	})
}

// charge books the fee and the interest of a step.
func (s *Store) charge(ctx context.Context, tx db.Tx, r Record, actor audit.Actor) error {
	d, err := ledger.ReadDue(ctx, tx, r.DueID)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		cents civil.Cents
		label string
	}{{r.FeeCents, "dunning.fee"}, {r.InterestCents, "dunning.interest"}} {
		if l.cents == 0 {
			continue
		}
		_, err := ledger.Add(ctx, tx, d, ledger.Line{
			Kind: ledger.Fee, Cents: l.cents, Label: l.label, Regulation: "Code de droit économique, art. XIX.4",
			Source: ledger.SourceDunning, Actor: actor.String(), At: s.Now(),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
