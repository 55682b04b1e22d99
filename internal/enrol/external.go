package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/place"
)

// SetExternal notes how many places of a camp, and of each of its tickets, others have taken in Odoo; a ticket that
// is not named has none. Places that come free are offered to the waiting list; an over-full pool becomes a task.
func (s *Store) SetExternal(ctx context.Context, tx db.Tx, campID uuid.UUID, places int, tickets map[uuid.UUID]int) error {
	c, err := camp.Read(ctx, tx, campID)
	if err != nil {
		return err
	}
	pools := map[uuid.UUID]int{c.PoolID: places}
	offered, err := camp.TicketsOf(ctx, tx, campID)
	if err != nil {
		return err
	}
	for _, t := range offered {
		pools[t.PoolID] = tickets[t.ID]
	}
	ids := make([]uuid.UUID, 0, len(pools))
	for id := range pools {
		ids = append(ids, id)
	}
	before, err := place.Lock(ctx, tx, ids...)
	if err != nil {
		return err
	}
	for _, p := range before {
		if p.External == pools[p.ID] {
			continue
		}
		after, err := place.SetExternal(ctx, tx, p.ID, pools[p.ID])
		if err != nil {
			return err
		}
		if err := camp.OverFull(ctx, tx, campID, after); err != nil {
			return err
		}
	}
	return s.promote(ctx, tx, campID)
}

// Promote offers what is free in a camp to its waiting list: after its size grew, for instance.
func (s *Store) Promote(ctx context.Context, tx db.Tx, campID uuid.UUID) error {
	return s.promote(ctx, tx, campID)
}
