package household

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// CreateGuardian makes a guardian whom nobody signs in for yet, in a household of its own: a family at the counter. A
// telephone or an e-mail address is enough, and the channel follows from what there is when none is given. The same
// key again returns the guardian made the first time. It returns Invalid with every faulty input.
func (s *Store) CreateGuardian(ctx context.Context, actor audit.Actor, key uuid.UUID, f GuardianForm) (Guardian, error) {
	if key == uuid.Nil {
		return Guardian{}, problem.Invalid("household.key_missing")
	}
	hasEmail := strings.TrimSpace(f.Email) != ""
	if f.Channel == "" && !hasEmail {
		f.Channel = "phone"
	}
	var p problem.Fields
	if found := problem.As(f.validate()); found != nil {
		for _, fault := range found.Fields {
			if fault.Name == "phone" && fault.Code == "household.required" && hasEmail {
				continue
			}
			p = append(p, fault)
		}
	}
	if f.Channel == "email" && !hasEmail || (f.Channel == "sms" || f.Channel == "phone") && f.Phone == "" {
		p.Add("channel", "household.channel_unreachable")
	}
	if err := p.Err(); err != nil {
		return Guardian{}, err
	}
	var made Guardian
	ref := "counter:" + key.String()
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// Two clicks at once follow each other; the second finds what the first made.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(@ref, 0))`, pgx.NamedArgs{"ref": ref}); err != nil {
			return fmt.Errorf("locking a form of the counter: %w", err)
		}
		id, err := referred(ctx, tx, KindGuardian, ref)
		if err != nil {
			return err
		}
		if id != uuid.Nil {
			made, err = guardian(ctx, tx, `id = @id`, id)
			return err
		}
		if made, err = s.addGuardian(ctx, tx, KindPerson, nil, f); err != nil {
			return err
		}
		if err := refer(ctx, tx, KindGuardian, ref, made.ID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "guardian.added", "guardian", made.ID.String(), map[string]any{"counter": true})
	})
	return made, err
}
