package sync

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/microcosm-cc/bluemonday"

	"ribambelle/connector"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/mirror"
	"ribambelle/internal/transport"
)

// reference is what an event points to: read whole at each pull, one call a model, since it is small.
type reference struct {
	mark    connector.Mark
	stages  []connector.Stage
	tags    map[int64]connector.Tag
	levels  string // names of the tag categories
	themes  string
	ages    string
	digest  []byte
	changed bool // since the last pull: every event may mean something else now
}

func (s *Syncer) readReference(ctx context.Context) (ref reference, err error) {
	settings, err := camp.AllSettings(ctx, s.DB)
	if err != nil {
		return ref, err
	}
	ref.levels, ref.themes, ref.ages = settings["odoo.levels"], settings["odoo.themes"], settings["odoo.ages"]
	tags, err := s.Odoo.TagsChanged(ctx, time.Time{})
	if err != nil {
		return ref, err
	}
	categories, err := s.Odoo.TagCategoriesChanged(ctx, time.Time{})
	if err != nil {
		return ref, err
	}
	types, err := s.Odoo.EventTypes(ctx)
	if err != nil {
		return ref, err
	}
	if ref.stages, err = s.Odoo.Stages(ctx); err != nil {
		return ref, err
	}
	ref.mark = s.Odoo.MarkAmong(tags, types)
	ref.tags = make(map[int64]connector.Tag, len(tags))
	for _, t := range tags {
		ref.tags[t.ID] = t
	}
	ref.digest = digest([]any{settings["odoo.levels"], settings["odoo.themes"], settings["odoo.ages"], s.Odoo.CampMark(), named(tags), named(categories), named(types), named(ref.stages)})
	same, err := mirror.Same(ctx, s.DB, modelReference, ref.digest)
	ref.changed = !same
	return ref, err
}

// modelReference stands for all that events point to, in the list of what was read.
const modelReference = "event.tag"

// named is what matters of the records that events point to: without who wrote them and when.
func named[T connector.Tag | connector.TagCategory | connector.EventType | connector.Stage](records []T) []string {
	var all []string
	for _, r := range records {
		switch r := any(r).(type) {
		case connector.Tag:
			all = append(all, fmt.Sprint(r.ID, r.Name, r.Category.ID, r.Category.Name))
		case connector.TagCategory:
			all = append(all, fmt.Sprint(r.ID, r.Name))
		case connector.EventType:
			all = append(all, fmt.Sprint(r.ID, r.Name))
		case connector.Stage:
			all = append(all, fmt.Sprint(r.ID, r.Cancelled))
		}
	}
	return all
}

func newest[T any](rows []T, written func(T) time.Time) (last time.Time) {
	for _, r := range rows {
		if w := written(r); w.After(last) {
			last = w
		}
	}
	return last
}

// pullCamps applies the events and tickets that changed. It returns the events that became camps in this pull: their
// registrations may be older than the window.
func (s *Syncer) pullCamps(ctx context.Context, full bool, r *Result) (created []int64, err error) {
	ref, err := s.readReference(ctx)
	if err != nil {
		return nil, err
	}
	since, err := s.since(ctx, connector.ModelEvent, full || ref.changed)
	if err != nil {
		return nil, err
	}
	ticketsSince, err := s.since(ctx, connector.ModelTicket, full || ref.changed)
	if err != nil {
		return nil, err
	}
	events, err := s.Odoo.EventsChanged(ctx, since)
	if err != nil {
		return nil, err
	}
	tickets, err := s.Odoo.TicketsChanged(ctx, ticketsSince)
	if err != nil {
		return nil, err
	}
	r.Events += len(events)
	if created, err = s.applyEvents(ctx, ref, events, tickets, ticketsSince.IsZero(), r); err != nil {
		return created, err
	}
	if err := s.settleCommands(ctx, events); err != nil {
		return created, err
	}
	if err := mirror.Note(ctx, s.DB, modelReference, ref.digest, s.Now()); err != nil {
		return created, err
	}
	if err := mirror.Pulled(ctx, s.DB, connector.ModelEvent, newest(events, func(e connector.Event) time.Time { return e.Written }), s.Now()); err != nil {
		return created, err
	}
	return created, mirror.Pulled(ctx, s.DB, connector.ModelTicket, newest(tickets, func(t connector.Ticket) time.Time { return t.Written }), s.Now())
}

// applyEvents brings the camps of some events in step, and those whose tickets changed. all says that the tickets are
// every ticket there is.
func (s *Syncer) applyEvents(ctx context.Context, ref reference, events []connector.Event, tickets []connector.Ticket, all bool, r *Result) (created []int64, err error) {
	links, err := mirror.AllLinks(ctx, s.DB, connector.ModelEvent)
	if err != nil {
		return nil, err
	}
	if events, err = s.withTicketEvents(ctx, events, tickets, links); err != nil {
		return nil, err
	}
	events, err = s.unapplied(ctx, ref, events, tickets, links)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	if !all {
		if tickets, err = s.Odoo.TicketsOf(ctx, idsOf(events)); err != nil {
			return nil, err
		}
	}
	byEvent := map[int64][]connector.Ticket{}
	for _, t := range tickets {
		byEvent[t.Event.ID] = append(byEvent[t.Event.ID], t)
	}
	for _, e := range events {
		made, err := s.applyEvent(ctx, ref, e, byEvent[e.ID], links, r)
		if err != nil {
			return created, fmt.Errorf("event %d: %w", e.ID, err)
		}
		if made {
			created = append(created, e.ID)
		}
	}
	return created, nil
}

// withTicketEvents adds the camps whose tickets changed although the event did not.
func (s *Syncer) withTicketEvents(ctx context.Context, events []connector.Event, tickets []connector.Ticket, links map[int64]uuid.UUID) ([]connector.Event, error) {
	have := idsOf(events)
	var missing []int64
	for _, t := range tickets {
		if _, camp := links[t.Event.ID]; camp && !slices.Contains(have, t.Event.ID) && !slices.Contains(missing, t.Event.ID) {
			missing = append(missing, t.Event.ID)
		}
	}
	if len(missing) == 0 {
		return events, nil
	}
	digests, err := mirror.Digests(ctx, s.DB, connector.ModelTicket, idsOfTickets(tickets))
	if err != nil {
		return nil, err
	}
	unchanged := func(id int64) bool {
		return !slices.ContainsFunc(tickets, func(t connector.Ticket) bool {
			return t.Event.ID == id && !slices.Equal(digests[t.ID], ticketDigest(t))
		})
	}
	missing = slices.DeleteFunc(missing, unchanged)
	if len(missing) == 0 {
		return events, nil
	}
	more, err := s.Odoo.Events(ctx, missing)
	return append(events, more...), err
}

// unapplied drops the events that are none of ours and the camps that stand here as they stand in Odoo already.
func (s *Syncer) unapplied(ctx context.Context, ref reference, events []connector.Event, tickets []connector.Ticket, links map[int64]uuid.UUID) ([]connector.Event, error) {
	known, err := mirror.Digests(ctx, s.DB, connector.ModelEvent, idsOf(events))
	if err != nil {
		return nil, err
	}
	knownTickets, err := mirror.Digests(ctx, s.DB, connector.ModelTicket, idsOfTickets(tickets))
	if err != nil {
		return nil, err
	}
	touched := map[int64]bool{}
	for _, t := range tickets {
		if !slices.Equal(knownTickets[t.ID], ticketDigest(t)) {
			touched[t.Event.ID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(events), func(e connector.Event) bool {
		_, linked := links[e.ID]
		if !linked && !ref.mark.Marks(e) {
			return true
		}
		return !touched[e.ID] && slices.Equal(known[e.ID], s.eventDigest(ref, e))
	}), nil
}

// eventDigest covers what Apply is told of an event, but not who wrote it and when.
func (s *Syncer) eventDigest(ref reference, e connector.Event) []byte {
	return digest(struct {
		Pulled  camp.Pulled
		Marked  bool
		Tickets []int64
	}{pulled(ref, e, nil), ref.mark.Marks(e), e.TicketIDs})
}

func ticketDigest(t connector.Ticket) []byte {
	return digest(struct {
		Event  int64
		Pulled camp.PulledTicket
	}{t.Event.ID, pulledTicket(t)})
}

func digest(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // an unequal digest: the record is applied
	}
	sum := sha256.Sum256(b)
	return sum[:16]
}

// applyEvent brings one camp in step with its event, in one transaction.
func (s *Syncer) applyEvent(ctx context.Context, ref reference, e connector.Event, tickets []connector.Ticket, links map[int64]uuid.UUID, r *Result) (created bool, err error) {
	id, linked := links[e.ID]
	if !ref.mark.Marks(e) {
		r.Gone++
		return false, s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
			if err := s.Camps.Gone(ctx, tx, id); err != nil {
				return err
			}
			return mirror.SetDigest(ctx, tx, connector.ModelEvent, e.ID, s.eventDigest(ref, e))
		})
	}
	if e.End.Before(e.Begin) || e.Begin.IsZero() {
		s.Log.WarnContext(ctx, "an event without usable dates is left out", "event", e.ID)
		return false, nil
	}
	var known *uuid.UUID
	if linked {
		known = &id
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		p := pulled(ref, e, tickets)
		if err := s.knownTickets(ctx, tx, known, p.Tickets); err != nil {
			return err
		}
		a, err := s.Camps.Apply(ctx, tx, known, p)
		if err != nil {
			return err
		}
		if err := s.link(ctx, tx, ref, e, tickets, a); err != nil {
			return err
		}
		if err := transport.EnsureTrips(ctx, tx, a.ID); err != nil {
			return err
		}
		if a.SessionsChanged && linked {
			if err := s.Enrol.Rebook(ctx, tx, a.ID); err != nil {
				return err
			}
			if err := transport.PruneTrips(ctx, tx, a.ID); err != nil {
				return err
			}
		}
		if err := mirror.TryAgain(ctx, tx, a.ID); err != nil {
			return err
		}
		return s.Enrol.Promote(ctx, tx, a.ID)
	})
	if err == nil && !linked {
		r.Created++
	} else if err == nil {
		r.Updated++
	}
	return !linked, err
}

// knownTickets tells which of the tickets that an event has now were this camp's before. A ticket that came from
// another event begins anew here, and one that the event no longer has is withdrawn: registrations keep it, and stand
// in Odoo without ticket from their next change on.
func (s *Syncer) knownTickets(ctx context.Context, tx db.Tx, campID *uuid.UUID, tickets []camp.PulledTicket) error {
	ids := make([]int64, len(tickets))
	for i, t := range tickets {
		ids[i] = t.OdooID
	}
	rows, err := tx.Query(ctx, `
		SELECT l.odoo_id, t.id, t.camp_id
		FROM odoo_link l
		JOIN ticket t ON t.id = l.local_id
		WHERE l.kind = 'ticket'
		  AND (l.odoo_id = ANY(@ids) OR t.camp_id = @camp)`,
		pgx.NamedArgs{"ids": ids, "camp": campID})
	if err != nil {
		return fmt.Errorf("reading the tickets known of: %w", err)
	}
	type known struct {
		OdooID int64
		ID     uuid.UUID
		CampID uuid.UUID
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[known])
	if err != nil {
		return fmt.Errorf("reading the tickets known of: %w", err)
	}
	for _, k := range all {
		i := slices.Index(ids, k.OdooID)
		if i >= 0 && campID != nil && k.CampID == *campID {
			tickets[i].ID = &k.ID
			continue
		}
		if err := s.dropTicket(ctx, tx, k.OdooID, k.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) link(ctx context.Context, tx db.Tx, ref reference, e connector.Event, tickets []connector.Ticket, a camp.Applied) error {
	if err := mirror.Link(ctx, tx, connector.ModelEvent, mirror.Camp, []int64{e.ID}, []uuid.UUID{a.ID}); err != nil {
		return err
	}
	if err := mirror.SetDigest(ctx, tx, connector.ModelEvent, e.ID, s.eventDigest(ref, e)); err != nil {
		return err
	}
	for _, t := range tickets {
		if err := mirror.Link(ctx, tx, connector.ModelTicket, mirror.Ticket, []int64{t.ID}, []uuid.UUID{a.Tickets[t.ID]}); err != nil {
			return err
		}
		if err := mirror.SetDigest(ctx, tx, connector.ModelTicket, t.ID, ticketDigest(t)); err != nil {
			return err
		}
	}
	return nil
}

// policy keeps what a description may hold: Odoo lets anyone who edits events write HTML.
var policy = sync.OnceValue(bluemonday.UGCPolicy)

// pulled says what an event means as a camp.
func pulled(ref reference, e connector.Event, tickets []connector.Ticket) camp.Pulled {
	p := camp.Pulled{
		Name: e.Name, Description: policy().Sanitize(e.Description), Location: e.Place.Name, BeginsAt: e.Begin, EndsAt: e.End,
		Zone: civil.Brussels.String(), Archived: !e.Active, Cancelled: e.Cancelled(ref.stages),
	}
	if zone, ok := e.Location(); ok {
		p.Zone = zone.String()
	}
	if e.SeatsLimited && e.SeatsMax > 0 {
		n := int(e.SeatsMax)
		p.Max = &n
	}
	var ages widest
	for _, id := range e.TagIDs {
		t := ref.tags[id]
		switch {
		case sameCategory(t.Category.Name, ref.levels):
			p.Levels = append(p.Levels, parseLevels(t.Name)...)
		case sameCategory(t.Category.Name, ref.themes):
			p.Themes = append(p.Themes, t.Name)
		case sameCategory(t.Category.Name, ref.ages):
			ages.add(parseAges(t.Name))
		}
	}
	p.AgeMin, p.AgeMax = ages.bounds()
	slices.SortFunc(p.Levels, func(a, b string) int { return civil.LevelIndex(a) - civil.LevelIndex(b) })
	p.Levels = slices.Compact(p.Levels)
	slices.Sort(p.Themes)
	slices.SortStableFunc(tickets, func(a, b connector.Ticket) int { return int(a.Sequence - b.Sequence) })
	for _, t := range tickets {
		p.Tickets = append(p.Tickets, pulledTicket(t))
	}
	return p
}

func pulledTicket(t connector.Ticket) camp.PulledTicket {
	p := camp.PulledTicket{OdooID: t.ID, Name: t.Name, Description: t.Description}
	if t.Priced {
		p.Cents = &t.Price
		if t.PriceIncl > 0 {
			p.Cents = &t.PriceIncl
		}
	}
	if t.SeatsMax > 0 {
		n := int(t.SeatsMax)
		p.Max = &n
	}
	if !t.SaleStart.IsZero() {
		p.SaleFrom = &t.SaleStart
	}
	if !t.SaleEnd.IsZero() {
		p.SaleUntil = &t.SaleEnd
	}
	return p
}

func idsOf(events []connector.Event) []int64 {
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

func idsOfTickets(tickets []connector.Ticket) []int64 {
	ids := make([]int64, len(tickets))
	for i, t := range tickets {
		ids[i] = t.ID
	}
	return ids
}
