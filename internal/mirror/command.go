package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
)

// The kinds of command, and where one stands.
const (
	CommandChange = "change" // of a camp's event
	CommandCreate = "create" // of an event marked as camp

	CommandWaiting   = "waiting"   // not sent yet
	CommandSent      = "sent"      // Odoo took it; the pull has not brought it back yet
	CommandDone      = "done"      // true on both sides
	CommandRefused   = "refused"   // by Odoo, with its reason
	CommandOvertaken = "overtaken" // changed again in Odoo before it came back
)

// Asked is what a command asks; nil is not touched.
type Asked struct {
	Name        *string    `json:"name,omitempty"`
	BeginsAt    *time.Time `json:"begins_at,omitempty"` // with EndsAt
	EndsAt      *time.Time `json:"ends_at,omitempty"`
	Places      *int       `json:"places,omitempty"`      // 0 is unlimited
	Description *string    `json:"description,omitempty"` // plain text, paragraphs separated by empty lines
}

// IsZero reports whether nothing is asked.
func (a Asked) IsZero() bool {
	return a.Name == nil && a.BeginsAt == nil && a.EndsAt == nil && a.Places == nil && a.Description == nil
}

// Command is one thing that staff ask Odoo to change.
type Command struct {
	ID        uuid.UUID
	Kind      string
	CampID    *uuid.UUID
	Asked     Asked
	State     string
	Reason    string // message key of why it was refused
	Message   string // Odoo's own words
	OdooID    *int64
	AccountID uuid.UUID
	CreatedAt time.Time
	SentAt    *time.Time
	EndedAt   *time.Time
}

const commandColumns = `id, kind, camp_id, asked, state, reason, message, odoo_id, account_id, created_at, sent_at, ended_at`

// AddCommand stores a command that waits to be sent; the same id again changes nothing.
func AddCommand(ctx context.Context, q db.Querier, c Command) error {
	_, err := q.Exec(ctx, `
		INSERT INTO odoo_command (id, kind, camp_id, asked, account_id, created_at)
		VALUES (@id, @kind, @camp, @asked, @account, @at)
		ON CONFLICT (id) DO NOTHING`,
		pgx.NamedArgs{"id": c.ID, "kind": c.Kind, "camp": c.CampID, "asked": c.Asked, "account": c.AccountID, "at": c.CreatedAt})
	if err != nil {
		return fmt.Errorf("storing a command to Odoo: %w", err)
	}
	return nil
}

// CommandsOf returns the commands of a camp, newest first, at most ten; nil is those that make new camps.
func CommandsOf(ctx context.Context, q db.Querier, campID *uuid.UUID) ([]Command, error) {
	return commands(ctx, q, `camp_id IS NOT DISTINCT FROM @camp
		  AND (camp_id IS NOT NULL OR kind = 'create')
		ORDER BY created_at DESC, id
		LIMIT 10`, pgx.NamedArgs{"camp": campID})
}

// CommandsIn returns the commands in a state, oldest first.
func CommandsIn(ctx context.Context, q db.Querier, state string) ([]Command, error) {
	return commands(ctx, q, `state = @state
		ORDER BY created_at, id`, pgx.NamedArgs{"state": state})
}

func commands(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Command, error) {
	rows, err := q.Query(ctx, `
		SELECT `+commandColumns+`
		FROM odoo_command
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading commands to Odoo: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Command])
}

// CommandSentNow notes that Odoo took a command.
func CommandSentNow(ctx context.Context, q db.Querier, id uuid.UUID, odooID int64, at time.Time) error {
	return setCommand(ctx, q, `
		UPDATE odoo_command
		SET state = 'sent', odoo_id = @odoo_id, sent_at = @at
		WHERE id = @id
		  AND state = 'waiting'`, pgx.NamedArgs{"id": id, "odoo_id": odooID, "at": at})
}

// EndCommand notes how a command ended; reason and message are empty unless it was refused. campID is the camp that a
// new event became.
func EndCommand(ctx context.Context, q db.Querier, id uuid.UUID, state, reason, message string, campID *uuid.UUID, at time.Time) error {
	return setCommand(ctx, q, `
		UPDATE odoo_command
		SET state = @state, reason = @reason, message = @message, ended_at = @at, camp_id = COALESCE(camp_id, @camp)
		WHERE id = @id`, pgx.NamedArgs{"id": id, "state": state, "reason": reason, "message": message, "camp": campID, "at": at})
}

func setCommand(ctx context.Context, q db.Querier, sql string, args pgx.NamedArgs) error {
	if _, err := q.Exec(ctx, sql, args); err != nil {
		return fmt.Errorf("moving a command to Odoo: %w", err)
	}
	return nil
}

// OdooID returns the record of one of ours; ok is false when Odoo has none that we know of.
func OdooID(ctx context.Context, q db.Querier, kind string, localID uuid.UUID) (id int64, ok bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT odoo_id
		FROM odoo_link
		WHERE kind = @kind
		  AND local_id = @id`,
		pgx.NamedArgs{"kind": kind, "id": localID}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading the record of %s %s: %w", kind, localID, err)
	}
	return id, true, nil
}
