package connector

import (
	"context"
	"time"

	"ribambelle/internal/civil"
)

// ModelTicket is the model of an event's tickets.
const ModelTicket = "event.event.ticket"

// Ticket is one event.event.ticket: a price and a quota within an event.
type Ticket struct {
	ID int64
	// Name and Description are name and description, plain text.
	Name, Description string
	// Event is event_id.
	Event Ref
	// Priced says that the server sells tickets (event_sale); without it
	// Price means nothing.
	Priced bool
	// Price is price in euro cents, without what the pricelist and taxes add.
	Price civil.Cents
	// PriceIncl is price_incl, with taxes (17+, event_sale).
	PriceIncl civil.Cents
	// SeatsMax is seats_max; 0 is unlimited.
	SeatsMax int64
	// SeatsLimited is seats_limited, which Odoo computes from SeatsMax.
	SeatsLimited bool
	// SeatsTaken is seats_taken (17+), or seats_reserved plus seats_used.
	SeatsTaken int64
	// SeatsAvailable is seats_available; means nothing when unlimited.
	SeatsAvailable int64
	// SaleStart and SaleEnd bound the sale, zero when open. Odoo 14 knows days
	// only: they are taken from midnight to midnight in Brussels.
	SaleStart, SaleEnd time.Time
	// Sequence is sequence (17+), the order on screen.
	Sequence int64
	// Created and Written are create_date and write_date, in UTC.
	Created, Written time.Time
}

var ticketModel = model[Ticket]{
	name: ModelTicket,
	fields: []string{
		"name", "description", "event_id", "price", "price_incl", "seats_max", "seats_limited", "seats_taken", "seats_reserved",
		"seats_used", "seats_available", "start_sale_date", "end_sale_date", "start_sale_datetime", "end_sale_datetime",
		"sequence", "create_date", "write_date",
	},
	from: func(r *row, p Profile) Ticket {
		t := Ticket{
			ID: r.id, Name: r.text("name"), Description: r.text("description"), Event: r.ref("event_id"),
			Priced: r.has("price"), Price: r.cents("price"), PriceIncl: r.cents("price_incl"),
			SeatsMax: r.integer("seats_max"), SeatsLimited: r.flag("seats_limited"), SeatsTaken: seatsTaken(r),
			SeatsAvailable: r.integer("seats_available"), Sequence: r.integer("sequence"),
			Created: r.instant("create_date"), Written: r.instant("write_date"),
		}
		if p.SaleByDay {
			t.SaleStart, t.SaleEnd = saleDays(r.day(p.SaleStart), r.day(p.SaleEnd))
		} else {
			t.SaleStart, t.SaleEnd = r.instant(p.SaleStart), r.instant(p.SaleEnd)
		}
		return t
	},
}

// saleDays turns inclusive days into instants.
func saleDays(first, last civil.Date) (from, to time.Time) {
	if !first.IsZero() {
		from = first.Time(civil.Brussels).UTC()
	}
	if !last.IsZero() {
		to = last.AddDays(1).Time(civil.Brussels).UTC()
	}
	return from, to
}

// TicketsChanged returns the tickets written at or after since, by ascending
// id; all for the zero time. Tickets have no archive.
func (c *Client) TicketsChanged(ctx context.Context, since time.Time) ([]Ticket, error) {
	return collect(ctx, c, ticketModel, changedSince(since))
}

// TicketsOf returns the tickets of the given events.
func (c *Client) TicketsOf(ctx context.Context, eventIDs []int64) ([]Ticket, error) {
	return ofEvents(ctx, c, ticketModel, eventIDs)
}

// Tickets returns the tickets of the given ids; missing ones are left out.
func (c *Client) Tickets(ctx context.Context, ids []int64) ([]Ticket, error) {
	return byIDs(ctx, c, ticketModel, ids)
}

// TicketIDs returns the ids of all tickets.
func (c *Client) TicketIDs(ctx context.Context) ([]int64, error) {
	return c.IDs(ctx, ModelTicket, nil)
}
