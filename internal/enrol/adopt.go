package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/place"
)

// Adopt makes a registration of what someone registered in Odoo itself, for a child that a person of the office has
// recognised, in the caller's transaction. taken says that it takes a place there: then that place becomes the child's.
// The office then decides on it as on any request; rules that stand against it are the office's to judge.
func (s *Store) Adopt(ctx context.Context, tx db.Tx, accountID, guardianID uuid.UUID, r Request, taken bool) (Registration, error) {
	if err := s.Households.Right(ctx, tx, guardianID, r.ChildID, household.RightRegister, s.today()); err != nil {
		return Registration{}, err
	}
	if err := lockChild(ctx, tx, r.ChildID); err != nil {
		return Registration{}, err
	}
	f, err := s.check(ctx, tx, guardianID, r)
	if err != nil {
		return Registration{}, err
	}
	reg, err := s.insert(ctx, tx, guardianID, r, f)
	if err != nil {
		return reg, err
	}
	if taken {
		pools := []uuid.UUID{f.Camp.PoolID}
		if f.Ticket != nil {
			pools = append(pools, f.Ticket.PoolID)
		}
		locked, err := place.Lock(ctx, tx, pools...)
		if err != nil {
			return reg, err
		}
		for _, p := range locked {
			if _, err := place.SetExternal(ctx, tx, p.ID, max(p.External-1, 0)); err != nil {
				return reg, err
			}
		}
	}
	held, err := s.hold(ctx, tx, &reg, f)
	if err != nil {
		return reg, err
	}
	next := ToValidate
	if !held {
		next = Waitlisted
	}
	return reg, s.move(ctx, tx, &reg, next, nil, audit.Account(accountID), "")
}
