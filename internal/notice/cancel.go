package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/locale"
)

// cancelAsked keeps the message that tells a payer that another guardian asked to cancel.
func (s *Store) cancelAsked(ctx context.Context, a job.CancelAsked) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var payer uuid.UUID
		err := tx.QueryRow(ctx, `
			SELECT payer_id
			FROM registration
			WHERE id = @id`,
			pgx.NamedArgs{"id": a.RegistrationID}).Scan(&payer)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading registration %s: %w", a.RegistrationID, err)
		}
		return s.put(ctx, tx, templateCancelAsked, a.RegistrationID, a.At, nil, toGuardian(payer))
	})
}

// cancelLetter tells the payer as long as nothing was decided. It says neither who asked nor in what words.
func (s *Store) cancelLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about registration %q", m.ID, m.SubjectID)
	}
	p, err := readPlace(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.mayHear(ctx, tx, to.GuardianID, p.ChildID, household.RightSee); err != nil {
		return letter{}, err
	}
	if p.State.Info().Exit {
		return letter{}, errDrop
	}
	return letter{key: m.Template, args: p.args(loc), facts: p.facts(loc), button: pathRegistration(id)}, nil
}

// cancelRefused keeps the messages of a refused request to cancel: to who asked last, and to who pays.
func (s *Store) cancelRefused(ctx context.Context, tx db.Tx, eventID int64, e event) error {
	rows, err := tx.Query(ctx, `
		SELECT 'guardian:' || (detail ->> 'guardian')
		FROM audit
		WHERE subject_kind = 'registration'
		  AND subject_id = @id
		  AND action = 'registration.cancel_asked'
		ORDER BY id DESC
		LIMIT 1`,
		pgx.NamedArgs{"id": e.RegistrationID.String()})
	if err != nil {
		return fmt.Errorf("reading who asked to cancel: %w", err)
	}
	recipients, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading who asked to cancel: %w", err)
	}
	if payer := toGuardian(e.PayerID); !slices.Contains(recipients, payer) {
		recipients = append(recipients, payer)
	}
	return s.put(ctx, tx, templateStays, fmt.Sprint(eventID), e.At, nil, recipients...)
}
