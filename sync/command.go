package sync

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"

	"ribambelle/connector"
	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/mirror"
)

// Command sends what staff asked of Odoo, and pulls so that it is true here too. What Odoo refuses ends with its
// reason; any other error leaves the rest waiting for the next try. Sending twice changes nothing: the values are the
// same, and a new event is known by its external id.
func (s *Syncer) Command(ctx context.Context) (r Result, err error) {
	err = mirror.Alone(ctx, s.DB, func(ctx context.Context) error {
		waiting, err := mirror.CommandsIn(ctx, s.DB, mirror.CommandWaiting)
		if err != nil {
			return err
		}
		for _, c := range waiting {
			if err := s.command(ctx, c); err != nil {
				return fmt.Errorf("command %s: %w", c.ID, err)
			}
			r.Commands++
		}
		return s.pull(ctx, false, &r)
	})
	return r, err
}

func (s *Syncer) command(ctx context.Context, c mirror.Command) error {
	op := connector.OpWrite
	if c.Kind == mirror.CommandCreate {
		op = connector.OpCreate
	}
	allowed, err := s.Odoo.CheckAccess(ctx, connector.ModelEvent, op)
	if err != nil {
		return err
	}
	if !allowed {
		return s.endCommand(ctx, c, mirror.CommandRefused, "odoo.reason.rights", "")
	}
	var odooID int64
	if c.Kind == mirror.CommandCreate {
		odooID, err = s.createEvent(ctx, c)
	} else {
		odooID, err = s.changeEvent(ctx, c)
	}
	switch {
	case err == nil:
		return mirror.CommandSentNow(ctx, s.DB, c.ID, odooID, s.Now())
	case rowsFault(err), errors.Is(err, errNoEvent), errors.Is(err, errNoMark), errors.Is(err, errRefused):
		key, text := Reason(err)
		return s.endCommand(ctx, c, mirror.CommandRefused, key, text)
	}
	return err
}

var (
	errNoEvent = errors.New("the camp has no event in Odoo")
	errNoMark  = errors.New("no tag and no event type marks camps in Odoo")
	errRefused = errors.New("refused")
)

func (s *Syncer) endCommand(ctx context.Context, c mirror.Command, state, reason, message string) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := mirror.EndCommand(ctx, tx, c.ID, state, reason, message, nil, s.Now()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Job("sync"), "odoo.command_"+state, "odoo_command", c.ID.String(), map[string]any{"reason": reason})
	})
}

func (s *Syncer) changeEvent(ctx context.Context, c mirror.Command) (int64, error) {
	id, ok, err := mirror.OdooID(ctx, s.DB, mirror.Camp, *c.CampID)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, errNoEvent
	}
	values := map[string]any{}
	if c.Asked.Name != nil {
		values["name"] = *c.Asked.Name
	}
	if c.Asked.BeginsAt != nil {
		values["date_begin"] = *c.Asked.BeginsAt
	}
	if c.Asked.EndsAt != nil {
		values["date_end"] = *c.Asked.EndsAt
	}
	if n := c.Asked.Places; n != nil {
		values["seats_limited"] = *n > 0
		values["seats_max"] = *n
	}
	if c.Asked.Description != nil {
		values["description"] = paragraphs(*c.Asked.Description)
	}
	return id, s.Odoo.Write(ctx, connector.ModelEvent, []int64{id}, values)
}

func (s *Syncer) createEvent(ctx context.Context, c mirror.Command) (int64, error) {
	module, err := mirror.Module(ctx, s.DB)
	if err != nil {
		return 0, err
	}
	mark, err := s.Odoo.FindMark(ctx)
	if err != nil {
		return 0, err
	}
	columns := []string{"id", "name", "date_begin", "date_end", "date_tz", "seats_limited", "seats_max"}
	limited, places := "False", 0
	if n := c.Asked.Places; n != nil && *n > 0 {
		limited, places = "True", *n
	}
	if c.Asked.Name == nil || c.Asked.BeginsAt == nil || c.Asked.EndsAt == nil {
		return 0, fmt.Errorf("a new event without name or dates: %w", errRefused)
	}
	values := []string{
		module + ".event_" + c.ID.String(), line(*c.Asked.Name), instant(*c.Asked.BeginsAt), instant(*c.Asked.EndsAt),
		civil.Brussels.String(), limited, strconv.Itoa(places),
	}
	switch {
	case len(mark.TagIDs) > 0:
		columns, values = append(columns, "tag_ids/.id"), append(values, strconv.FormatInt(mark.TagIDs[0], 10))
	case len(mark.TypeIDs) > 0:
		columns, values = append(columns, "event_type_id/.id"), append(values, strconv.FormatInt(mark.TypeIDs[0], 10))
	default:
		return 0, errNoMark
	}
	if c.Asked.Description != nil {
		columns, values = append(columns, "description"), append(values, paragraphs(*c.Asked.Description))
	}
	ids, messages, err := s.Odoo.Load(ctx, connector.ModelEvent, columns, [][]string{values})
	if err != nil {
		return 0, err
	}
	if ids == nil {
		return 0, &connector.Fault{Kind: connector.KindUser, Code: connector.CodeRefused, Model: connector.ModelEvent, Method: "load", Message: texts(messages)}
	}
	return ids[0], nil
}

func instant(t time.Time) string { return t.UTC().Format(time.DateTime) }

// paragraphs makes HTML of plain text.
func paragraphs(text string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(p), "\n", "<br>") + "</p>")
		}
	}
	return b.String()
}

// settleCommands ends the commands that the events read just now show as carried out, or as overtaken by someone else.
func (s *Syncer) settleCommands(ctx context.Context, events []connector.Event) error {
	sent, err := mirror.CommandsIn(ctx, s.DB, mirror.CommandSent)
	if err != nil || len(sent) == 0 {
		return err
	}
	var missing []int64
	byID := make(map[int64]connector.Event, len(events))
	for _, e := range events {
		byID[e.ID] = e
	}
	for _, c := range sent {
		if _, read := byID[*c.OdooID]; !read {
			missing = append(missing, *c.OdooID)
		}
	}
	more, err := s.Odoo.Events(ctx, missing)
	if err != nil {
		return err
	}
	for _, e := range more {
		byID[e.ID] = e
	}
	for _, c := range sent {
		e, exists := byID[*c.OdooID]
		camps, err := mirror.Links(ctx, s.DB, connector.ModelEvent, []int64{*c.OdooID})
		if err != nil {
			return err
		}
		id, linked := camps[*c.OdooID]
		switch {
		case exists && shows(e, c.Asked) && linked:
			err = mirror.EndCommand(ctx, s.DB, c.ID, mirror.CommandDone, "", "", &id, s.Now())
		case exists && linked:
			err = mirror.EndCommand(ctx, s.DB, c.ID, mirror.CommandOvertaken, "", "", &id, s.Now())
		case !exists:
			err = mirror.EndCommand(ctx, s.DB, c.ID, mirror.CommandOvertaken, "", "", nil, s.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether an event is as a command asked. Odoo tidies descriptions, so that they are not compared.
func shows(e connector.Event, a mirror.Asked) bool {
	places := 0
	if e.SeatsLimited {
		places = int(e.SeatsMax)
	}
	return (a.Name == nil || e.Name == line(*a.Name)) &&
		(a.BeginsAt == nil || e.Begin.Equal(a.BeginsAt.Truncate(time.Second))) &&
		(a.EndsAt == nil || e.End.Equal(a.EndsAt.Truncate(time.Second))) &&
		(a.Places == nil || *a.Places == places)
}

// Reason is why Odoo does not do what it is asked, as a message key, with Odoo's own words for what no key covers. The
// words are in the language of our user there; what happens every day is known by its parts.
func Reason(err error) (key, text string) {
	switch {
	case errors.Is(err, errNoEvent):
		return "odoo.reason.no_event", ""
	case errors.Is(err, errNoMark):
		return "odoo.reason.no_mark", ""
	}
	text = refusalOf(err)
	switch connector.KindOf(err) {
	case connector.KindAccess:
		return "odoo.reason.rights", text
	case connector.KindMissing:
		return "odoo.reason.no_event", text
	}
	return ReasonOf(text), text
}

// ReasonOf is the message key for words of Odoo.
func ReasonOf(text string) string {
	folded := fold(text)
	for _, r := range []struct {
		key   string
		parts []string
	}{
		{"odoo.reason.seats", []string{"not enough seats", "no more available seats", "places disponibles", "assez de places", "plus de places"}},
		{"odoo.reason.dates", []string{"closing date cannot be earlier", "date de fermeture", "date de cloture", "date de fin"}},
		{"odoo.reason.ticket", []string{"event / ticket choice", "ticket"}},
		{"odoo.reason.missing", []string{"no matching record", "aucun enregistrement", "does not exist", "n'existe pas"}},
	} {
		for _, part := range r.parts {
			if strings.Contains(folded, part) {
				return r.key
			}
		}
	}
	return "odoo.reason.other"
}
