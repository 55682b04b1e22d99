package connector

import (
	"context"
	"iter"
	"slices"
	"time"
)

// ModelRegistration is the model of registrations.
const ModelRegistration = "event.registration"

// The states of a registration in Odoo. All series know them, and none
// restricts how one follows another.
const (
	StateDraft  = "draft"  // holds no seat
	StateOpen   = "open"   // confirmed
	StateDone   = "done"   // attended
	StateCancel = "cancel" // holds no seat
)

// Registration is one event.registration.
type Registration struct {
	ID int64
	// Event is event_id, Ticket event_ticket_id, Slot event_slot_id (19).
	Event, Ticket, Slot Ref
	// Partner is partner_id, who booked.
	Partner Ref
	// Name, Email and Phone are name, email and phone of the participant.
	Name, Email, Phone string
	// Mobile is mobile (14 to 16).
	Mobile string
	// Company is company_name (17+), the participant's employer.
	Company string
	// State is state: one of the State constants.
	State string
	// Active is active (15+); false is archived, and takes no seat.
	Active bool
	// Barcode is barcode (17+), unique in Odoo.
	Barcode string
	// SaleStatus is sale_status (17+, event_sale): to_pay, sold or free.
	SaleStatus string
	// SaleOrder is sale_order_id (event_sale).
	SaleOrder Ref
	// Closed is date_closed, when it was marked as attended, in UTC.
	Closed time.Time
	// Created and Written are create_date and write_date, in UTC.
	Created, Written time.Time
	// Creator is create_uid, who made it; Writer is write_uid, who changed it
	// last.
	Creator, Writer Ref
}

var registrationModel = model[Registration]{
	name:     ModelRegistration,
	archived: true,
	fields: []string{
		"event_id", "event_ticket_id", "event_slot_id", "partner_id", "name", "email", "phone", "mobile", "company_name",
		"state", "active", "barcode", "sale_status", "sale_order_id", "date_closed", "create_date", "write_date", "create_uid", "write_uid",
	},
	from: func(r *row, _ Profile) Registration {
		return Registration{
			ID: r.id, Event: r.ref("event_id"), Ticket: r.ref("event_ticket_id"), Slot: r.ref("event_slot_id"),
			Partner: r.ref("partner_id"), Name: r.text("name"), Email: r.text("email"), Phone: r.text("phone"),
			Mobile: r.text("mobile"), Company: r.text("company_name"), State: r.text("state"),
			Active: !r.has("active") || r.flag("active"), Barcode: r.text("barcode"), SaleStatus: r.text("sale_status"),
			SaleOrder: r.ref("sale_order_id"), Closed: r.instant("date_closed"), Created: r.instant("create_date"),
			Written: r.instant("write_date"), Creator: r.ref("create_uid"), Writer: r.ref("write_uid"),
		}
	},
}

// TakesSeat reports whether Odoo counts the registration among the seats
// taken.
func (r Registration) TakesSeat() bool {
	return r.Active && slices.Contains(confirmedStates, r.State)
}

// RegistrationsChanged returns the registrations written at or after since,
// archived ones included, by ascending id; all for the zero time.
func (c *Client) RegistrationsChanged(ctx context.Context, since time.Time) ([]Registration, error) {
	return collect(ctx, c, registrationModel, changedSince(since))
}

// RegistrationPages is RegistrationsChanged page by page.
func (c *Client) RegistrationPages(ctx context.Context, since time.Time) iter.Seq2[[]Registration, error] {
	return pages(ctx, c, registrationModel, changedSince(since))
}

// RegistrationsOf returns the registrations for the given events.
func (c *Client) RegistrationsOf(ctx context.Context, eventIDs []int64) ([]Registration, error) {
	return ofEvents(ctx, c, registrationModel, eventIDs)
}

// Registrations returns the registrations of the given ids; missing ones are
// left out.
func (c *Client) Registrations(ctx context.Context, ids []int64) ([]Registration, error) {
	return byIDs(ctx, c, registrationModel, ids)
}

// RegistrationIDs returns the ids of all registrations, archived ones
// included.
func (c *Client) RegistrationIDs(ctx context.Context) ([]int64, error) {
	return c.IDs(ctx, ModelRegistration, nil)
}

// ofEvents reads the rows whose event_id is among the given ones, by
// ascending id within each thousand of events.
func ofEvents[T any](ctx context.Context, c *Client, m model[T], eventIDs []int64) ([]T, error) {
	var all []T
	for chunk := range slices.Chunk(eventIDs, 1000) {
		items, err := collect(ctx, c, m, []any{[]any{"event_id", "in", chunk}})
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}
