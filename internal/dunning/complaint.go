package dunning

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// The answers to a complaint.
const (
	Upheld   = "upheld" // what was wrong is corrected in the ledger
	Partly   = "partly"
	Rejected = "rejected"
)

// Outcomes are the answers in order.
var Outcomes = []string{Upheld, Partly, Rejected}

// Complaint is what a payer contests of a due, and the answer to it.
type Complaint struct {
	ID             uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	PayerID        uuid.UUID
	Words          string
	At             time.Time
	Outcome        string // "" while nobody answered
	Answer         string
	AnsweredAt     *time.Time
}

// Open reports whether nobody answered.
func (c Complaint) Open() bool { return c.Outcome == "" }

// maxWords bounds a complaint and its answer, in bytes.
const maxWords = 4000

func checkWords(words string) error {
	var f problem.Fields
	switch {
	case words == "":
		f.Add("words", "form.required")
	case len(words) > maxWords:
		f.Add("words", "form.too_long")
	}
	return f.Err()
}

// Complain notes what a payer contests, said by the family or told to staff; the key notes it once. Until it is
// answered no step is taken on the due. Invalid without words, NotFound without the due.
func (s *Store) Complain(ctx context.Context, actor audit.Actor, dueID uuid.UUID, words string, key uuid.UUID) error {
	words = strings.TrimSpace(words)
	if err := checkWords(words); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		d, err := ledger.ReadDue(ctx, tx, dueID)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO complaint (due_id, registration_id, payer_id, words, actor, submission_key, at)
			VALUES (@due, @registration, @payer, @words, @actor, @key, @at)
			ON CONFLICT (submission_key) DO NOTHING`,
			pgx.NamedArgs{
				"due": d.ID, "registration": d.RegistrationID, "payer": d.PayerID, "words": words, "actor": actor.String(), "key": key, "at": s.Now(),
			})
		if err != nil {
			return fmt.Errorf("noting a complaint about due %s: %w", dueID, err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		if err := task.Open(ctx, tx, task.Complaint, "registration", d.RegistrationID.String(), map[string]any{"registration": d.RegistrationID, "due": d.ID}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "complaint.noted", "due", d.ID.String(), nil)
	})
}

// Answer answers a complaint once and for all, and tells its payer. Invalid without words or with an unknown outcome,
// Conflict when it is answered, NotFound without it.
func (s *Store) Answer(ctx context.Context, actor audit.Actor, id uuid.UUID, outcome, words string) error {
	words = strings.TrimSpace(words)
	var f problem.Fields
	if outcome != Upheld && outcome != Partly && outcome != Rejected {
		f.Add("outcome", "dunning.outcome_needed")
	}
	if p := problem.As(checkWords(words)); p != nil {
		f = append(f, p.Fields...)
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		list, err := complaints(ctx, tx, `c.id = @id`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return problem.NotFound("dunning.complaint_not_found")
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO complaint_answer (complaint_id, outcome, words, actor, at)
			VALUES (@id, @outcome, @words, @actor, @at)
			ON CONFLICT (complaint_id) DO NOTHING`,
			pgx.NamedArgs{"id": id, "outcome": outcome, "words": words, "actor": actor.String(), "at": s.Now()})
		if err != nil {
			return fmt.Errorf("answering complaint %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.Conflict("dunning.answered")
		}
		open, err := complaints(ctx, tx, `c.registration_id = @id AND a.complaint_id IS NULL`, list[0].RegistrationID)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			if err := task.Close(ctx, tx, task.Complaint, "registration", list[0].RegistrationID.String(), actor.String()); err != nil {
				return err
			}
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, job.ComplaintAnswered{ComplaintID: id.String()}, nil); err != nil {
			return fmt.Errorf("telling the answer to complaint %s: %w", id, err)
		}
		return audit.Record(ctx, tx, actor, "complaint.answered", "due", list[0].DueID.String(), map[string]any{"outcome": outcome})
	})
}

// Complaints returns what was contested of a due, newest first.
func (s *Store) Complaints(ctx context.Context, dueID uuid.UUID) ([]Complaint, error) {
	return complaints(ctx, s.DB, `c.due_id = @id`, dueID)
}

// Complaint returns one complaint; NotFound without it.
func (s *Store) Complaint(ctx context.Context, id uuid.UUID) (Complaint, error) {
	list, err := complaints(ctx, s.DB, `c.id = @id`, id)
	if err == nil && len(list) == 0 {
		return Complaint{}, problem.NotFound("dunning.complaint_not_found")
	}
	if err != nil {
		return Complaint{}, err
	}
	return list[0], nil
}

func complaints(ctx context.Context, q db.Querier, where string, id uuid.UUID) ([]Complaint, error) {
	rows, err := q.Query(ctx, `
		SELECT c.id, c.due_id, c.registration_id, c.payer_id, c.words, c.at, COALESCE(a.outcome, '') AS outcome, COALESCE(a.words, '') AS answer, a.at AS answered_at
		FROM complaint c
		LEFT JOIN complaint_answer a ON a.complaint_id = c.id
		WHERE `+where+`
		ORDER BY c.at DESC, c.id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading complaints: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Complaint])
	if err != nil {
		return nil, fmt.Errorf("reading complaints: %w", err)
	}
	return list, nil
}
