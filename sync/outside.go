package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
	"ribambelle/internal/task"
)

func (s *Syncer) pull(ctx context.Context, full bool, r *Result) error {
	created, err := s.pullCamps(ctx, full, r)
	if err != nil {
		return err
	}
	since, err := s.since(ctx, connector.ModelRegistration, full)
	if err != nil {
		return err
	}
	registrations, err := s.Odoo.RegistrationsChanged(ctx, since)
	if err != nil {
		return err
	}
	last := newest(registrations, func(g connector.Registration) time.Time { return g.Written })
	if len(created) > 0 && !since.IsZero() {
		more, err := s.Odoo.RegistrationsOf(ctx, created)
		if err != nil {
			return err
		}
		registrations = append(registrations, more...)
	}
	if err := s.takeRegistrations(ctx, registrations, r); err != nil {
		return err
	}
	return mirror.Pulled(ctx, s.DB, connector.ModelRegistration, last, s.Now())
}

// takeRegistrations sorts registrations read in Odoo into ours, which are compared, and others', which take places.
func (s *Syncer) takeRegistrations(ctx context.Context, all []connector.Registration, r *Result) error {
	if len(all) == 0 {
		return nil
	}
	camps, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return err
	}
	touched := map[uuid.UUID]bool{}
	for page := range slices.Chunk(all, 500) {
		ids := make([]int64, len(page))
		for i, g := range page {
			ids[i] = g.ID
		}
		ours, err := mirror.Links(ctx, s.DB, connector.ModelRegistration, ids)
		if err != nil {
			return err
		}
		if err := s.recover(ctx, page, camps, ours, r); err != nil {
			return err
		}
		if err := s.compare(ctx, page, ours, r); err != nil {
			return err
		}
		if err := s.keepOutside(ctx, page, camps, ours, touched, r); err != nil {
			return err
		}
	}
	return s.countOutside(ctx, slices.Collect(maps.Keys(touched)))
}

// recover finds, among the rows of camps that nothing here knows, those that carry our external id: the answer to
// their push was lost. They are linked, and the push that follows repeats itself harmlessly.
func (s *Syncer) recover(ctx context.Context, page []connector.Registration, camps map[int64]uuid.UUID, ours map[int64]uuid.UUID, r *Result) error {
	var unknown []int64
	for _, g := range page {
		if _, camp := camps[g.Event.ID]; camp && ours[g.ID] == uuid.Nil {
			unknown = append(unknown, g.ID)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	known, err := mirror.KnownExternals(ctx, s.DB, unknown)
	if err != nil {
		return err
	}
	unknown = slices.DeleteFunc(unknown, func(id int64) bool { return slices.Contains(known, id) })
	if len(unknown) == 0 {
		return nil
	}
	module, err := mirror.Module(ctx, s.DB)
	if err != nil {
		return err
	}
	metadata, err := s.Odoo.Metadata(ctx, connector.ModelRegistration, unknown)
	if err != nil {
		return err
	}
	for _, m := range metadata {
		for _, x := range m.XMLIDs {
			id, err := uuid.Parse(strings.TrimPrefix(x, module+".reg_"))
			if err != nil || !strings.HasPrefix(x, module+".reg_") {
				continue
			}
			if err := mirror.Link(ctx, s.DB, connector.ModelRegistration, mirror.Registration, []int64{m.ID}, []uuid.UUID{id}); err != nil {
				return err
			}
			ours[m.ID] = id
			r.Reconstructed++
		}
	}
	return nil
}

// compare looks whether someone changed our registrations in Odoo. The portal owns them, so its state is not touched:
// staff decide.
func (s *Syncer) compare(ctx context.Context, page []connector.Registration, ours map[int64]uuid.UUID, r *Result) error {
	if len(ours) == 0 {
		return nil
	}
	rows, err := s.DB.Query(ctx, `
		SELECT r.id, r.state, l.odoo_id AS event
		FROM registration r
		JOIN odoo_link l ON l.kind = 'camp' AND l.local_id = r.camp_id
		WHERE r.id = ANY(@ids)
		  AND r.version = r.mirrored_version`,
		pgx.NamedArgs{"ids": slices.Collect(maps.Values(ours))})
	if err != nil {
		return fmt.Errorf("reading registrations to compare: %w", err)
	}
	type here struct {
		ID    uuid.UUID
		State enrol.State
		Event int64
	}
	mirrored, err := pgx.CollectRows(rows, pgx.RowToStructByName[here])
	if err != nil {
		return fmt.Errorf("reading registrations to compare: %w", err)
	}
	byID := make(map[uuid.UUID]here, len(mirrored))
	for _, h := range mirrored {
		byID[h.ID] = h
	}
	for _, g := range page {
		h, ok := byID[ours[g.ID]]
		if !ok {
			continue
		}
		if g.State == odooState(h.State) && g.Active && g.Event.ID == h.Event {
			continue
		}
		r.Changed++
		err := task.Open(ctx, s.DB, task.OdooChanged, "registration", h.ID.String(), map[string]any{
			"registration": h.ID, "state": string(h.State), "odoo_state": g.State, "odoo_archived": !g.Active, "odoo_event_differs": g.Event.ID != h.Event,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// odooState is what a registration that stands in Odoo shows there.
func odooState(s enrol.State) string {
	if o := s.Info().Odoo; o != "" {
		return o
	}
	return connector.StateCancel
}

// keepOutside stores what others registered for camps; touched gathers the camps whose count may have changed.
func (s *Syncer) keepOutside(ctx context.Context, page []connector.Registration, camps, ours map[int64]uuid.UUID, touched map[uuid.UUID]bool, r *Result) error {
	var ticketIDs []int64
	for _, g := range page {
		if !g.Ticket.IsZero() {
			ticketIDs = append(ticketIDs, g.Ticket.ID)
		}
	}
	tickets, err := mirror.Links(ctx, s.DB, connector.ModelTicket, ticketIDs)
	if err != nil {
		return err
	}
	var outside []mirror.External
	var elsewhere []int64
	for _, g := range page {
		if _, our := ours[g.ID]; our {
			elsewhere = append(elsewhere, g.ID)
			continue
		}
		campID, ok := camps[g.Event.ID]
		if !ok {
			elsewhere = append(elsewhere, g.ID)
			continue
		}
		e := mirror.External{OdooID: g.ID, CampID: campID, Name: g.Name, State: g.State}
		if !g.Active {
			e.State = "archived"
		}
		if id, ok := tickets[g.Ticket.ID]; ok {
			e.TicketID = &id
		}
		outside = append(outside, e)
	}
	r.Outside += len(outside)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		changed, err := mirror.KeepExternals(ctx, tx, outside, s.Now())
		if err != nil {
			return err
		}
		gone, err := mirror.DropExternals(ctx, tx, elsewhere)
		for _, id := range append(changed, gone...) {
			touched[id] = true
		}
		return err
	})
}

// countOutside tells enrolment how many places others have taken in some camps.
func (s *Syncer) countOutside(ctx context.Context, camps []uuid.UUID) error {
	for _, id := range camps {
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			places, tickets, err := mirror.Taken(ctx, tx, id)
			if err != nil {
				return err
			}
			return s.Enrol.SetExternal(ctx, tx, id, places, tickets)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep compares the ids of both sides: what was deleted in Odoo leaves no other trace.
func (s *Syncer) sweep(ctx context.Context, r *Result) error {
	if err := s.sweepEvents(ctx, r); err != nil {
		return err
	}
	return s.sweepRegistrations(ctx, r)
}

func (s *Syncer) sweepEvents(ctx context.Context, r *Result) error {
	present, err := s.Odoo.EventIDs(ctx)
	if err != nil {
		return err
	}
	links, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return err
	}
	for odooID, campID := range links {
		if _, found := slices.BinarySearch(present, odooID); found {
			continue
		}
		r.Gone++
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			if err := s.Camps.Gone(ctx, tx, campID); err != nil {
				return err
			}
			return mirror.SetDigest(ctx, tx, connector.ModelEvent, odooID, nil)
		})
		if err != nil {
			return err
		}
	}
	return mirror.Swept(ctx, s.DB, connector.ModelEvent, s.Now())
}

func (s *Syncer) sweepRegistrations(ctx context.Context, r *Result) error {
	present, err := s.Odoo.RegistrationIDs(ctx)
	if err != nil {
		return err
	}
	gone := func(id int64) bool {
		_, found := slices.BinarySearch(present, id)
		return !found
	}
	outside, err := mirror.ExternalIDs(ctx, s.DB)
	if err != nil {
		return err
	}
	ours, err := mirror.AllLinks(ctx, s.DB, connector.ModelRegistration)
	if err != nil {
		return err
	}
	var camps []uuid.UUID
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var err error
		camps, err = mirror.DropExternals(ctx, tx, slices.DeleteFunc(outside, func(id int64) bool { return !gone(id) }))
		if err != nil {
			return err
		}
		for odooID, id := range ours {
			if !gone(odooID) {
				continue
			}
			r.Deleted++
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
	if err := errors.Join(err, s.countOutside(ctx, camps)); err != nil {
		return err
	}
	return mirror.Swept(ctx, s.DB, connector.ModelRegistration, s.Now())
}
