package connector

import (
	"context"
	"time"
)

// ModelEventType is the model of event templates.
const ModelEventType = "event.type"

// EventType is one event.type, a template for events.
type EventType struct {
	ID int64
	// Name is name, in the language of the session.
	Name string
	// Sequence is sequence.
	Sequence int64
	// SeatsLimited is has_seats_limitation, SeatsMax is seats_max: what new
	// events of this type begin with.
	SeatsLimited bool
	SeatsMax     int64
	// Zone is default_timezone.
	Zone string
	// TagIDs is tag_ids, given to new events of this type.
	TagIDs []int64
	// Written is write_date, in UTC.
	Written time.Time
}

var eventTypeModel = model[EventType]{
	name:   ModelEventType,
	fields: []string{"name", "sequence", "has_seats_limitation", "seats_max", "default_timezone", "tag_ids", "write_date"},
	from: func(r *row, _ Profile) EventType {
		return EventType{
			ID: r.id, Name: r.text("name"), Sequence: r.integer("sequence"), SeatsLimited: r.flag("has_seats_limitation"),
			SeatsMax: r.integer("seats_max"), Zone: r.text("default_timezone"), TagIDs: r.ids("tag_ids"), Written: r.instant("write_date"),
		}
	},
}

// EventTypes returns all event types.
func (c *Client) EventTypes(ctx context.Context) ([]EventType, error) {
	return collect(ctx, c, eventTypeModel, nil)
}
