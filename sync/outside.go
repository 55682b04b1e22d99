package sync

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	if err := s.pullRegistrations(ctx, full, created, r); err != nil {
		return err
	}
	due, err := s.sweepDue(ctx)
	if err != nil || !due {
		return err
	}
	if err := s.sweep(ctx, r); !errors.Is(err, errVanished) {
		return err
	}
	s.Log.WarnContext(ctx, "most of what is linked is missing in Odoo; a task says so, and nothing is deleted here")
	return nil
}

// taking sorts registrations read in Odoo, page by page, into ours, which are compared, and others', which take places.
type taking struct {
	*Syncer
	camps   map[int64]uuid.UUID // by event
	touched map[uuid.UUID]bool  // camps in which others' places may have changed
	user    int64               // who we are in Odoo
	full    bool
	r       *Result
}

// pullRegistrations reads the registrations that changed, and those of events that became camps just now.
func (s *Syncer) pullRegistrations(ctx context.Context, full bool, created []int64, r *Result) error {
	since, err := s.since(ctx, connector.ModelRegistration, full)
	if err != nil {
		return err
	}
	t := taking{Syncer: s, touched: map[uuid.UUID]bool{}, full: full, r: r}
	if t.camps, err = mirror.AllLinks(ctx, s.DB, connector.ModelEvent); err != nil {
		return err
	}
	if t.user, err = s.Odoo.UserID(ctx); err != nil {
		return err
	}
	var last time.Time
	err = ahead(ctx,
		func(ctx context.Context) iter.Seq2[[]connector.Registration, error] {
			return s.Odoo.RegistrationPages(ctx, since)
		},
		func(page []connector.Registration) error {
			if w := newest(page, func(g connector.Registration) time.Time { return g.Written }); w.After(last) {
				last = w
			}
			return t.take(ctx, page)
		})
	if err != nil {
		return err
	}
	if len(created) > 0 && !since.IsZero() {
		more, err := s.Odoo.RegistrationsOf(ctx, created)
		if err != nil {
			return err
		}
		for page := range slices.Chunk(more, 500) {
			if err := t.take(ctx, page); err != nil {
				return err
			}
		}
	}
	if err := s.countOutside(ctx, slices.Collect(maps.Keys(t.touched))); err != nil {
		return err
	}
	return mirror.Pulled(ctx, s.DB, connector.ModelRegistration, last, s.Now())
}

func (t *taking) take(ctx context.Context, page []connector.Registration) error {
	ids := make([]int64, len(page))
	for i, g := range page {
		ids[i] = g.ID
	}
	ours, err := mirror.Links(ctx, t.DB, connector.ModelRegistration, ids)
	if err != nil {
		return err
	}
	if err := t.recover(ctx, page, ours); err != nil {
		return err
	}
	if err := t.compare(ctx, page, ours); err != nil {
		return err
	}
	return t.keepOutside(ctx, page, ours)
}

// recover finds, among the rows of camps that nothing here knows, those that carry our external id: the answer to
// their push was lost. They are linked, and sent again since they may have changed here meanwhile. Only our own user
// makes such rows; a full pull looks at everybody's, in case the user was changed.
func (t *taking) recover(ctx context.Context, page []connector.Registration, ours map[int64]uuid.UUID) error {
	var unknown []int64
	for _, g := range page {
		if _, camp := t.camps[g.Event.ID]; camp && ours[g.ID] == uuid.Nil && (t.full || g.Creator.ID == t.user || g.Creator.IsZero()) {
			unknown = append(unknown, g.ID)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	known, err := mirror.KnownExternals(ctx, t.DB, unknown)
	if err != nil {
		return err
	}
	unknown = slices.DeleteFunc(unknown, func(id int64) bool { return slices.Contains(known, id) })
	found, err := t.ownIDs(ctx, unknown)
	if err != nil || len(found) == 0 {
		return err
	}
	for odooID, id := range found {
		linked := false
		err := t.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			var err error
			if linked, err = free(ctx, tx, id); err != nil || !linked {
				return err
			}
			if err := mirror.Link(ctx, tx, connector.ModelRegistration, mirror.Registration, []int64{odooID}, []uuid.UUID{id}); err != nil {
				return err
			}
			return enrol.Unmirror(ctx, tx, id)
		})
		if err != nil {
			return err
		}
		if linked {
			ours[odooID] = id
			t.r.Reconstructed++
		}
	}
	return nil
}

// free reports whether a registration exists here and has no record in Odoo that we know of.
func free(ctx context.Context, q db.Querier, id uuid.UUID) (yes bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM registration WHERE id = @id)
		   AND NOT EXISTS (SELECT 1 FROM odoo_link WHERE kind = 'registration' AND local_id = @id)`,
		pgx.NamedArgs{"id": id}).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("looking for registration %s: %w", id, err)
	}
	return yes, nil
}

// ownIDs returns which of Odoo's registrations carry an external id of this installation, with the registration that
// it names.
func (s *Syncer) ownIDs(ctx context.Context, odooIDs []int64) (map[int64]uuid.UUID, error) {
	if len(odooIDs) == 0 {
		return nil, nil
	}
	module, err := mirror.Module(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	metadata, err := s.Odoo.Metadata(ctx, connector.ModelRegistration, odooIDs)
	if err != nil {
		return nil, err
	}
	found := map[int64]uuid.UUID{}
	for _, m := range metadata {
		for _, x := range m.XMLIDs {
			if id, ok := strings.CutPrefix(x, module+".reg_"); ok {
				if id, err := uuid.Parse(id); err == nil {
					found[m.ID] = id
				}
			}
		}
	}
	return found, nil
}

// compare looks whether someone changed our registrations in Odoo. The portal owns them, so its state is not touched:
// staff decide. When both sides agree again, the task ends.
func (t *taking) compare(ctx context.Context, page []connector.Registration, ours map[int64]uuid.UUID) error {
	if len(ours) == 0 {
		return nil
	}
	rows, err := t.DB.Query(ctx, `
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
	var equal []string
	for _, g := range page {
		h, ok := byID[ours[g.ID]]
		if !ok {
			continue
		}
		if g.State == odooState(h.State) && g.Active && g.Event.ID == h.Event {
			equal = append(equal, h.ID.String())
			continue
		}
		t.r.Changed++
		err := task.Open(ctx, t.DB, task.OdooChanged, "registration", h.ID.String(), map[string]any{
			"registration": h.ID, "state": string(h.State), "odoo_state": g.State, "odoo_archived": !g.Active, "odoo_event_differs": g.Event.ID != h.Event,
		})
		if err != nil {
			return err
		}
	}
	return task.CloseAll(ctx, t.DB, task.OdooChanged, "registration", equal, "pull")
}

// odooState is what a registration that stands in Odoo shows there.
func odooState(s enrol.State) string {
	if o := s.Info().Odoo; o != "" {
		return o
	}
	return connector.StateCancel
}

// keepOutside stores what others registered for camps.
func (t *taking) keepOutside(ctx context.Context, page []connector.Registration, ours map[int64]uuid.UUID) error {
	var ticketIDs []int64
	for _, g := range page {
		if !g.Ticket.IsZero() {
			ticketIDs = append(ticketIDs, g.Ticket.ID)
		}
	}
	tickets, err := mirror.Links(ctx, t.DB, connector.ModelTicket, ticketIDs)
	if err != nil {
		return err
	}
	var outside []mirror.External
	var elsewhere []int64
	for _, g := range page {
		campID, camp := t.camps[g.Event.ID]
		if _, our := ours[g.ID]; our || !camp {
			elsewhere = append(elsewhere, g.ID)
			continue
		}
		e := mirror.External{OdooID: g.ID, CampID: campID, Name: g.Name, Email: g.Email, Phone: g.Phone, State: g.State}
		if !g.Active {
			e.State = "archived"
		}
		if id, ok := tickets[g.Ticket.ID]; ok {
			e.TicketID = &id
		}
		outside = append(outside, e)
	}
	t.r.Outside += len(outside)
	return t.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		changed, err := mirror.KeepExternals(ctx, tx, outside, t.Now())
		if err != nil {
			return err
		}
		gone, err := mirror.DropExternals(ctx, tx, elsewhere)
		for _, id := range append(changed, gone...) {
			t.touched[id] = true
		}
		return err
	})
}

// countOutside tells enrolment how many places others have taken in some camps, and lets what Odoo refused there for
// want of places be sent again.
func (s *Syncer) countOutside(ctx context.Context, camps []uuid.UUID) error {
	for _, id := range camps {
		err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			places, tickets, err := mirror.Taken(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := mirror.TryAgain(ctx, tx, id); err != nil {
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
