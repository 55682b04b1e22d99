package notice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/locale"
)

// consentAsked keeps the message that asks a guardian to agree to a registration.
func (s *Store) consentAsked(ctx context.Context, a job.ConsentAsked) error {
	guardian, err := uuid.Parse(a.GuardianID)
	if err != nil {
		return job.Permanent(fmt.Errorf("reading the id of a guardian: %w", err))
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var created time.Time
		err := tx.QueryRow(ctx, `
			SELECT created_at
			FROM registration
			WHERE id = @id`,
			pgx.NamedArgs{"id": a.RegistrationID}).Scan(&created)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading registration %s: %w", a.RegistrationID, err)
		}
		return s.put(ctx, tx, templateConsent, a.RegistrationID, created, nil, toGuardian(guardian))
	})
}

// consentLetter asks for a consent as long as it may count: not once it is given, nor after a decision. It says nothing
// of who asked.
func (s *Store) consentLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
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
	var over bool
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM registration_consent WHERE registration_id = @id AND guardian_id = @guardian AND action = 'agree')
		  OR EXISTS (SELECT 1 FROM registration_event WHERE registration_id = @id AND to_state = @validated)`,
		pgx.NamedArgs{"id": id, "guardian": to.GuardianID, "validated": enrol.Validated}).Scan(&over)
	if err != nil {
		return letter{}, fmt.Errorf("reading who agreed to registration %s: %w", id, err)
	}
	if info := p.State.Info(); over || info.Exit || info.List != enrol.Pending {
		return letter{}, errDrop
	}
	return letter{key: m.Template, args: p.args(loc), facts: p.facts(loc), button: pathRegistration(id)}, nil
}
