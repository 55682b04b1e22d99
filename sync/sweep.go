package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
	"ribambelle/internal/task"
)

// sweepEvery is how often the ids of both sides are compared: deletions, and tickets taken off an event, leave no
// other trace.
const sweepEvery = time.Hour

// sweepDue reports whether the ids were last compared too long ago.
func (s *Syncer) sweepDue(ctx context.Context) (bool, error) {
	c, err := mirror.ReadCursor(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return false, err
	}
	if c.SweptAt == nil { // read whole for the first time just now
		return false, mirror.Swept(ctx, s.DB, connector.ModelRegistration, s.Now())
	}
	return s.Now().Sub(*c.SweptAt) >= sweepEvery, nil
}

// sweep compares the ids of both sides.
func (s *Syncer) sweep(ctx context.Context, r *Result) error {
	for _, part := range []func(context.Context, *Result) error{s.sweepEvents, s.sweepTickets, s.sweepRegistrations} {
		if err := part(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// errVanished is what a sweep ends with rather than believe that most of what it knows was deleted at once.
var errVanished = errors.New("more than half of what is linked is missing in Odoo: restored, emptied, or hidden from our user; nothing was changed here")

// vanished returns the linked ids that are not present. Beyond half of at least twenty it is more likely that Odoo was
// restored or that our user lost a right: nothing is done until a person says so (Syncer.Believe).
func (s *Syncer) vanished(ctx context.Context, model string, links map[int64]uuid.UUID, present []int64) ([]int64, error) {
	var gone []int64
	for id := range links {
		if _, found := slices.BinarySearch(present, id); !found {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	if len(links) >= 20 && len(gone) > len(links)/2 && !s.Believe {
		err := task.Open(ctx, s.DB, task.OdooVanished, "odoo", model, map[string]any{"model": model, "linked": len(links), "missing": len(gone)})
		return nil, errors.Join(fmt.Errorf("%s: %w", model, errVanished), err)
	}
	return gone, task.Close(ctx, s.DB, task.OdooVanished, "odoo", model, "sweep")
}

// sweepEvents takes camps whose event was deleted out of the offer. Nothing of such a camp is sent any more.
func (s *Syncer) sweepEvents(ctx context.Context, r *Result) error {
	present, err := s.Odoo.EventIDs(ctx)
	if err != nil {
		return err
	}
	links, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return err
	}
	gone, err := s.vanished(ctx, connector.ModelEvent, links, present)
	if err != nil {
		return err
	}
	for _, odooID := range gone {
		r.Gone++
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			if err := s.Camps.Gone(ctx, tx, links[odooID]); err != nil {
				return err
			}
			return mirror.Unlink(ctx, tx, connector.ModelEvent, []int64{odooID})
		})
		if err != nil {
			return err
		}
	}
	return mirror.Swept(ctx, s.DB, connector.ModelEvent, s.Now())
}

// sweepTickets withdraws the tickets that were deleted.
func (s *Syncer) sweepTickets(ctx context.Context, _ *Result) error {
	present, err := s.Odoo.TicketIDs(ctx)
	if err != nil {
		return err
	}
	links, err := mirror.AllLinks(ctx, s.DB, connector.ModelTicket)
	if err != nil {
		return err
	}
	gone, err := s.vanished(ctx, connector.ModelTicket, links, present)
	if err != nil {
		return err
	}
	for _, odooID := range gone {
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error { return s.dropTicket(ctx, tx, odooID, links[odooID]) })
		if err != nil {
			return err
		}
	}
	return mirror.Swept(ctx, s.DB, connector.ModelTicket, s.Now())
}

func (s *Syncer) dropTicket(ctx context.Context, tx db.Tx, odooID int64, id uuid.UUID) error {
	if err := s.Camps.WithdrawTicket(ctx, tx, id); err != nil {
		return err
	}
	return mirror.Unlink(ctx, tx, connector.ModelTicket, []int64{odooID})
}

// sweepRegistrations forgets outside registrations that were deleted, and sends ours again that were.
func (s *Syncer) sweepRegistrations(ctx context.Context, r *Result) error {
	present, err := s.Odoo.RegistrationIDs(ctx)
	if err != nil {
		return err
	}
	outside, err := mirror.ExternalIDs(ctx, s.DB)
	if err != nil {
		return err
	}
	outside = slices.DeleteFunc(outside, func(id int64) bool {
		_, found := slices.BinarySearch(present, id)
		return found
	})
	links, err := mirror.AllLinks(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return err
	}
	gone, err := s.vanished(ctx, connector.ModelRegistration, links, present)
	if err != nil {
		return err
	}
	var camps []uuid.UUID
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		if camps, err = mirror.DropExternals(ctx, tx, outside); err != nil {
			return err
		}
		for _, odooID := range gone {
			id := links[odooID]
			if err := mirror.Unlink(ctx, tx, connector.ModelRegistration, []int64{odooID}); err != nil {
				return err
			}
			if err := enrol.Unmirror(ctx, tx, id); err != nil {
				return err
			}
			if err := task.Open(ctx, tx, task.OdooChanged, "registration", id.String(), map[string]any{"registration": id, "odoo_deleted": true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Deleted += len(gone)
	if err := s.countOutside(ctx, camps); err != nil {
		return err
	}
	return mirror.Swept(ctx, s.DB, connector.ModelRegistration, s.Now())
}
