package bank

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// The kinds of what an entry may be, beside the payment of a due.
const (
	OtherRefund    = "refund"     // a refund that left, or came back
	OtherTakenBack = "taken_back" // a payment that the payer's bank took back
	OtherDeposit   = "deposit"    // money that the cash desk brought
)

// Other is something of the entry's amount that is no due.
type Other struct {
	EntryID uuid.UUID
	Kind    string
	ID      uuid.UUID // of the refund, the line of the ledger or the deposit
	Who     string    // payer, or reference of the deposit
	What    string    // child and camp, "" for a deposit
	Day     civil.Date
	Same    bool // the account is the same too
}

// mostOthers bounds what is proposed for one entry.
const mostOthers = 4

// others finds for each entry what of its amount it may be.
func (s *Store) others(ctx context.Context, list []Entry) (map[uuid.UUID][]Other, error) {
	ids := make([]uuid.UUID, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	rows, err := s.DB.Query(ctx, `
		SELECT e.id AS entry_id, 'refund' AS kind, f.id, btrim(g.first_name || ' ' || g.last_name) AS who,
		  btrim(k.first_name || ' ' || k.last_name) || ' · ' || c.name AS what,
		  (f.created_at AT TIME ZONE 'Europe/Brussels')::date AS day, e.counterparty_iban <> '' AND e.counterparty_iban = f.iban AS same
		FROM bank_entry e
		JOIN refund f ON f.way = 'transfer' AND f.cents = abs(e.cents)
		  AND (e.cents < 0 AND f.state IN ('decided', 'sent') OR e.cents > 0 AND f.state IN ('sent', 'done') AND (e.returned <> '' OR e.counterparty_iban = f.iban))
		JOIN guardian g ON g.id = f.payer_id
		JOIN registration r ON r.id = f.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		WHERE e.id = ANY(@ids)
		UNION ALL
		SELECT e.id, 'taken_back', l.id, btrim(g.first_name || ' ' || g.last_name), btrim(k.first_name || ' ' || k.last_name) || ' · ' || c.name,
		  (l.at AT TIME ZONE 'Europe/Brussels')::date,
		  EXISTS (SELECT 1 FROM bank_entry o WHERE COALESCE(o.booking_key, o.id) = l.submission_key AND o.counterparty_iban <> '' AND o.counterparty_iban = e.counterparty_iban)
		FROM bank_entry e
		JOIN ledger_line l ON l.kind = 'payment' AND l.source = 'bank' AND l.label = 'ledger.payment' AND l.cents = -e.cents AND l.at > @since
		JOIN due d ON d.id = l.due_id
		JOIN guardian g ON g.id = l.payer_id
		JOIN registration r ON r.id = l.registration_id
		JOIN child k ON k.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		WHERE e.id = ANY(@ids)
		  AND NOT EXISTS (SELECT 1 FROM ledger_line x WHERE x.reverses = l.id)
		  AND (e.communication = d.communication OR e.counterparty_iban <> '' AND EXISTS (
		    SELECT 1 FROM bank_entry o WHERE COALESCE(o.booking_key, o.id) = l.submission_key AND o.counterparty_iban = e.counterparty_iban))
		UNION ALL
		SELECT e.id, 'deposit', p.id, p.reference, '', p.on_day, p.reference <> '' AND position(upper(p.reference) IN upper(e.free_text || ' ' || e.bank_ref)) > 0
		FROM bank_entry e
		JOIN cash_deposit p ON p.cents = e.cents
		WHERE e.id = ANY(@ids)
		  AND NOT EXISTS (SELECT 1 FROM bank_entry o WHERE o.deposit_id = p.id)
		ORDER BY same DESC, day DESC, id`,
		pgx.NamedArgs{"ids": ids, "since": s.Now().AddDate(-1, 0, 0)})
	if err != nil {
		return nil, fmt.Errorf("reading what bank entries may be: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Other])
	if err != nil {
		return nil, fmt.Errorf("reading what bank entries may be: %w", err)
	}
	all := map[uuid.UUID][]Other{}
	for _, o := range found {
		if len(all[o.EntryID]) < mostOthers {
			all[o.EntryID] = append(all[o.EntryID], o)
		}
	}
	return all, nil
}
