package notice

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// claimMail keeps the messages that bring families the link with which they take their place.
func (s *Store) claimMail(ctx context.Context, a job.ClaimMail) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, guardian_id
			FROM family_code
			WHERE id = ANY(@ids)
			ORDER BY id`,
			pgx.NamedArgs{"ids": a.CodeIDs})
		if err != nil {
			return fmt.Errorf("reading codes to mail: %w", err)
		}
		guardians := map[uuid.UUID]uuid.UUID{}
		var code, guardian uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&code, &guardian}, func() error {
			guardians[code] = guardian
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading codes to mail: %w", err)
		}
		for _, id := range a.CodeIDs {
			if g, ok := guardians[id]; ok {
				if err := s.put(ctx, tx, templateClaim, id.String(), a.At, nil, toGuardian(g)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// claimLetter brings a family its link as long as it counts: not once somebody signs in for it. The mail is what staff
// asked for, whatever channel the family is reached by otherwise.
func (s *Store) claimLetter(ctx context.Context, tx db.Tx, m message, to person) (person, letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return to, letter{}, fmt.Errorf("message %s is about the code %q", m.ID, m.SubjectID)
	}
	_, until, link, err := s.Families.ClaimMail(ctx, tx, id)
	if problem.Is(err, problem.KindGone) {
		return to, letter{}, errDrop
	}
	if err != nil {
		return to, letter{}, err
	}
	to.Channel = "email"
	loc := locale.For(to.Locale)
	return to, letter{
		key: m.Template, button: withLink(link),
		after: []string{loc.T("notice."+m.Template+".after", loc.Deadline(until))},
	}, nil
}
