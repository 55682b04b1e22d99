package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Transfer is a refund that goes to a bank account.
type Transfer struct {
	ID             uuid.UUID
	DueID          uuid.UUID
	RegistrationID uuid.UUID
	Cents          civil.Cents
	State          string // as of any refund
	IBAN           string
	Beneficiary    string
	Communication  string // of the due, twelve digits
	Payer          string
	Child          string
	Camp           string
	Failure        string
	CreatedAt      time.Time
	SentAt         *time.Time
	DoneAt         *time.Time
	FileID         *uuid.UUID // the last file that it stands in, nil for none that counts
	MessageID      string     // of that file
}

// EndToEnd is the reference that a refund's transfer carries to the statement and back: the same for ever, within the 35
// characters of the SEPA.
func EndToEnd(refundID uuid.UUID) string {
	return "RB" + strings.ReplaceAll(refundID.String(), "-", "")
}

// Name is to whom the money goes: the holder of the account, else the payer.
func (t Transfer) Name() string {
	if t.Beneficiary != "" {
		return t.Beneficiary
	}
	return t.Payer
}

const transferColumns = `
		  f.id, f.due_id, f.registration_id, f.cents, f.state, f.iban, f.beneficiary, d.communication,
		  btrim(g.first_name || ' ' || g.last_name) AS payer, btrim(k.first_name || ' ' || k.last_name) AS child, c.name AS camp,
		  f.failure, f.created_at, f.sent_at, f.done_at, s.id AS file_id, COALESCE(s.message_id, '') AS message_id
		FROM refund f
		JOIN due d ON d.id = f.due_id
		JOIN guardian g ON g.id = f.payer_id
		JOIN registration r ON r.id = f.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		LEFT JOIN LATERAL (
		  SELECT x.id, x.message_id
		  FROM sepa_file_refund y
		  JOIN sepa_file x ON x.id = y.file_id
		  WHERE y.refund_id = f.id
		    AND NOT EXISTS (SELECT 1 FROM sepa_file_void v WHERE v.file_id = x.id)
		  ORDER BY x.at DESC
		  LIMIT 1) s ON true`

// Transfers returns the refunds by transfer that a condition on refund f, and its joins, lets through.
func Transfers(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Transfer, error) {
	rows, err := q.Query(ctx, `
		SELECT`+transferColumns+`
		WHERE f.way = 'transfer'
		  AND `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading the transfers: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Transfer])
	if err != nil {
		return nil, fmt.Errorf("reading the transfers: %w", err)
	}
	return list, nil
}

// ReadTransfer returns a refund by transfer; NotFound for another.
func ReadTransfer(ctx context.Context, q db.Querier, id uuid.UUID) (Transfer, error) {
	return oneTransfer(ctx, q, `f.id = @id`, id)
}

func oneTransfer(ctx context.Context, q db.Querier, where string, id uuid.UUID) (Transfer, error) {
	list, err := Transfers(ctx, q, where, pgx.NamedArgs{"id": id})
	if err != nil {
		return Transfer{}, err
	}
	if len(list) == 0 {
		return Transfer{}, problem.NotFound("refund.not_found")
	}
	return list[0], nil
}
