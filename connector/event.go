package connector

import (
	"context"
	"iter"
	"slices"
	"time"
)

// ModelEvent is the model of events.
const ModelEvent = "event.event"

// Event is one event.event. Fields that the server's series or modules lack
// keep their zero value.
type Event struct {
	ID int64
	// Name is name, in the language of the session.
	Name string
	// Subtitle is subtitle (website_event).
	Subtitle string
	// Description is description, HTML shown on the website.
	Description string
	// Note is note, HTML for the organisers.
	Note string
	// TicketInstructions is ticket_instructions, HTML printed on tickets.
	TicketInstructions string
	// Begin and End are date_begin and date_end, in UTC.
	Begin, End time.Time
	// Zone is date_tz, the IANA zone in which the event takes place. Odoo 18
	// and later do not check it.
	Zone string
	// Active is active; false is archived.
	Active bool
	// Stage is stage_id.
	Stage Ref
	// KanbanState is kanban_state: normal, done, blocked; in 19 also cancel.
	KanbanState string
	// Type is event_type_id, the template it was made from.
	Type Ref
	// TagIDs is tag_ids.
	TagIDs []int64
	// TicketIDs is event_ticket_ids.
	TicketIDs []int64
	// Organizer is organizer_id, Place is address_id, Responsible is user_id,
	// Company is company_id.
	Organizer, Place, Responsible, Company Ref
	// PlaceLine is address_inline: the place's address on one line (16+).
	PlaceLine string
	// SeatsLimited is seats_limited. When false, SeatsAvailable is 0 and means
	// nothing.
	SeatsLimited bool
	// SeatsMax is seats_max.
	SeatsMax int64
	// SeatsTaken is seats_taken (17+), or seats_reserved plus seats_used:
	// registrations in a confirmed state. Drafts take no seat.
	SeatsTaken int64
	// SeatsAvailable is seats_available; negative when Odoo was overbooked.
	SeatsAvailable int64
	// AutoConfirm is auto_confirm (14 to 16): Odoo opens a registration that is
	// created as a draft, if a seat is left. Later series never do.
	AutoConfirm bool
	// Published is is_published (website_event); true without a website.
	Published bool
	// URL is website_url, relative to the website (website_event).
	URL string
	// Slots is is_multi_slots (19): registrations are for slots, not for the
	// whole event.
	Slots bool
	// CancelledByKanban says that the series marks cancelled events by the
	// kanban state and this one is; see Cancelled.
	CancelledByKanban bool
	// Created and Written are create_date and write_date, in UTC.
	Created, Written time.Time
	// Writer is write_uid, who changed it last.
	Writer Ref
}

var eventModel = model[Event]{
	name:     ModelEvent,
	archived: true,
	fields: []string{
		"name", "subtitle", "description", "note", "ticket_instructions", "date_begin", "date_end", "date_tz", "active",
		"stage_id", "kanban_state", "event_type_id", "tag_ids", "event_ticket_ids", "organizer_id", "address_id", "user_id",
		"company_id", "address_inline", "seats_limited", "seats_max", "seats_taken", "seats_reserved", "seats_used",
		"seats_available", "auto_confirm", "is_published", "website_url", "is_multi_slots", "create_date", "write_date", "write_uid",
	},
	from: func(r *row, p Profile) Event {
		e := Event{
			ID: r.id, Name: r.text("name"), Subtitle: r.text("subtitle"), Description: r.text("description"), Note: r.text("note"),
			TicketInstructions: r.text("ticket_instructions"), Begin: r.instant("date_begin"), End: r.instant("date_end"),
			Zone: r.text("date_tz"), Active: !r.has("active") || r.flag("active"), Stage: r.ref("stage_id"),
			KanbanState: r.text("kanban_state"), Type: r.ref("event_type_id"), TagIDs: r.ids("tag_ids"),
			TicketIDs: r.ids("event_ticket_ids"), Organizer: r.ref("organizer_id"), Place: r.ref("address_id"),
			Responsible: r.ref("user_id"), Company: r.ref("company_id"), PlaceLine: r.text("address_inline"),
			SeatsLimited: r.flag("seats_limited"), SeatsMax: r.integer("seats_max"), SeatsAvailable: r.integer("seats_available"),
			AutoConfirm: r.flag("auto_confirm"), Published: !r.has("is_published") || r.flag("is_published"), URL: r.text("website_url"), Slots: r.flag("is_multi_slots"),
			Created: r.instant("create_date"), Written: r.instant("write_date"), Writer: r.ref("write_uid"),
		}
		e.SeatsTaken = seatsTaken(r)
		e.CancelledByKanban = p.CancelledKanban != "" && e.KanbanState == p.CancelledKanban
		return e
	},
}

// seatsTaken reads seats_taken, or what it is made of where it does not exist.
func seatsTaken(r *row) int64 {
	if r.has("seats_taken") {
		return r.integer("seats_taken")
	}
	return r.integer("seats_reserved") + r.integer("seats_used")
}

// Cancelled reports whether the event was cancelled: by its kanban state in
// 19, by its stage before. An archived event is another matter.
func (e Event) Cancelled(stages []Stage) bool {
	return e.CancelledByKanban || slices.ContainsFunc(stages, func(s Stage) bool { return s.Cancelled && s.ID == e.Stage.ID })
}

// Location is the event's time zone, and false when Zone is unknown here.
func (e Event) Location() (*time.Location, bool) {
	if e.Zone == "" || e.Zone == "Local" {
		return time.UTC, false
	}
	loc, err := time.LoadLocation(e.Zone)
	if err != nil {
		return time.UTC, false
	}
	return loc, true
}

// EventsChanged returns the events written at or after since, archived ones
// included, by ascending id; all for the zero time. A registration or a ticket
// changes no event's write_date in 16 and later.
func (c *Client) EventsChanged(ctx context.Context, since time.Time) ([]Event, error) {
	return collect(ctx, c, eventModel, changedSince(since))
}

// EventPages is EventsChanged page by page.
func (c *Client) EventPages(ctx context.Context, since time.Time) iter.Seq2[[]Event, error] {
	return pages(ctx, c, eventModel, changedSince(since))
}

// Events returns the events of the given ids; missing ones are left out.
func (c *Client) Events(ctx context.Context, ids []int64) ([]Event, error) {
	return byIDs(ctx, c, eventModel, ids)
}

// EventIDs returns the ids of all events, archived ones included: what is not
// among them was deleted, or is hidden from the user.
func (c *Client) EventIDs(ctx context.Context) ([]int64, error) {
	return c.IDs(ctx, ModelEvent, nil)
}
