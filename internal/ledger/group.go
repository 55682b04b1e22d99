package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/pay/transfer"
)

// groupDays is how long an organisation has to pay the invoice of a month.
const groupDays = 30

// Organisations invoices what organisations promised to pay: one invoice for all that a month brought, not one for each
// registration.
type Organisations struct {
	DB   *db.DB
	Now  civil.Clock
	Jobs job.Inserter
}

// NewOrganisations returns the store of the invoices of organisations on d.
func NewOrganisations(d *db.DB, now civil.Clock, jobs job.Inserter) *Organisations {
	return &Organisations{DB: d, Now: now, Jobs: jobs}
}

// open is what a cover is charged and is on no invoice: of lines before @until, and no more than what is charged now, so
// that what was taken back since is never invoiced. A place counts once it was confirmed.
const openCovers = `
		SELECT d.id, d.registration_id, d.created_at,
		  (LEAST(l.then, l.now) - COALESCE(s.cents, 0) + COALESCE(n.cents, 0))::bigint AS open
		FROM due d
		JOIN LATERAL (
		  SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents ELSE -l.cents END), 0) AS now,
		    COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents ELSE -l.cents END) FILTER (WHERE l.at < @until), 0) AS then
		  FROM ledger_line l
		  WHERE l.due_id = d.id
		    AND ` + documented + `) l ON true
		LEFT JOIN LATERAL (SELECT sum(x.cents) AS cents FROM invoice_split x WHERE x.due_id = d.id) s ON true
		LEFT JOIN LATERAL (SELECT sum(c.total_cents) AS cents FROM credit_note c WHERE c.due_id = d.id) n ON true
		WHERE d.kind = 'cover'
		  AND EXISTS (
		    SELECT 1
		    FROM registration_event e
		    WHERE e.registration_id = d.registration_id
		      AND e.to_state = 'confirmed'
		      AND e.at < @until)`

// InvoiceMonths invoices to every organisation what was promised and confirmed before the month of today, each in its
// own transaction, and returns how many invoices it made. Run late, it makes up for it; run again, it makes none.
func (s *Organisations) InvoiceMonths(ctx context.Context, actor audit.Actor) (int, error) {
	today := civil.DateOf(s.Now(), civil.Brussels)
	first := civil.NewDate(today.Year, today.Month, 1)
	until := first.Time(civil.Brussels)
	rows, err := s.DB.Query(ctx, `
		SELECT DISTINCT d.payer_id
		FROM (`+openCovers+`) o
		JOIN due d ON d.id = o.id
		WHERE o.open > 0
		ORDER BY d.payer_id`,
		pgx.NamedArgs{"until": until})
	if err != nil {
		return 0, fmt.Errorf("reading the organisations to invoice: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("reading the organisations to invoice: %w", err)
	}
	last := first.AddDays(-1)
	made := 0
	for _, id := range ids {
		inv, err := s.invoice(ctx, actor, id, civil.NewDate(last.Year, last.Month, 1), until)
		if err != nil {
			return made, err
		}
		if inv != nil {
			made++
		}
	}
	return made, nil
}

// InvoiceNow invoices to one organisation what was promised and confirmed until now, before the month is over. It
// returns nil when there is nothing to invoice: a second click, or another instance, finds nothing left.
func (s *Organisations) InvoiceNow(ctx context.Context, actor audit.Actor, id uuid.UUID) (*Invoice, error) {
	now := s.Now()
	today := civil.DateOf(now, civil.Brussels)
	return s.invoice(ctx, actor, id, civil.NewDate(today.Year, today.Month, 1), now.Add(time.Microsecond))
}

// group is one invoice over several dues, being made.
type group struct {
	tx     db.Tx
	at     time.Time
	until  time.Time
	locked []uuid.UUID // registrations
	parts  []groupPart
}

type groupPart struct {
	Due            Due
	RegistrationID uuid.UUID
	Open           civil.Cents
}

func (s *Organisations) invoice(ctx context.Context, actor audit.Actor, payerID uuid.UUID, month civil.Date, until time.Time) (made *Invoice, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		made = nil
		g := &group{tx: tx, at: s.Now(), until: until}
		if err := g.lock(ctx, payerID); err != nil {
			return err
		}
		if err := g.read(ctx, payerID); err != nil || len(g.parts) == 0 {
			return err
		}
		inv, err := g.issue(ctx, month)
		if err != nil {
			return err
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, job.InvoiceIssued{InvoiceID: inv.ID.String()}, nil); err != nil {
			return fmt.Errorf("announcing invoice %s: %w", inv.ID, err)
		}
		made = &inv
		return audit.Record(ctx, tx, actor, "organisation.invoiced", "guardian", payerID.String(),
			map[string]any{"invoice": inv.ID, "month": month.String(), "parts": len(g.parts), "cents": inv.TotalCents})
	})
	return made, err
}

// lock holds the registrations of what may be invoiced, in the order of their ids: what they charge, and what a credit
// note takes back, stands still until the invoice is made.
func (g *group) lock(ctx context.Context, payerID uuid.UUID) error {
	rows, err := g.tx.Query(ctx, `
		SELECT r.id
		FROM registration r
		WHERE r.id IN (
		  SELECT o.registration_id
		  FROM (`+openCovers+` AND d.payer_id = @payer) o
		  WHERE o.open > 0)
		ORDER BY r.id
		FOR UPDATE`,
		pgx.NamedArgs{"payer": payerID, "until": g.until})
	if err == nil {
		g.locked, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	}
	if err != nil {
		return fmt.Errorf("locking what organisation %s pays: %w", payerID, err)
	}
	return nil
}

// read reads, now that nothing of it moves, what each due is to be invoiced. A statement of its own: it sees what was
// committed while we waited. What became due since, in a registration that is not locked, waits for the next invoice.
func (g *group) read(ctx context.Context, payerID uuid.UUID) error {
	rows, err := g.tx.Query(ctx, `
		SELECT o.id, o.open
		FROM (`+openCovers+` AND d.payer_id = @payer) o
		WHERE o.open > 0
		  AND o.registration_id = ANY(@locked)
		ORDER BY o.created_at, o.id`,
		pgx.NamedArgs{"payer": payerID, "until": g.until, "locked": g.locked})
	if err != nil {
		return fmt.Errorf("reading what to invoice to organisation %s: %w", payerID, err)
	}
	type part struct {
		ID   uuid.UUID
		Open civil.Cents
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[part])
	if err != nil {
		return fmt.Errorf("reading what to invoice to organisation %s: %w", payerID, err)
	}
	for _, p := range list {
		d, err := ReadDue(ctx, g.tx, p.ID)
		if err != nil {
			return err
		}
		g.parts = append(g.parts, groupPart{Due: d, RegistrationID: d.RegistrationID, Open: p.Open})
	}
	return nil
}

// issue numbers and keeps the invoice with its parts.
func (g *group) issue(ctx context.Context, month civil.Date) (Invoice, error) {
	settings, err := camp.AllSettings(ctx, g.tx)
	if err != nil {
		return Invoice{}, err
	}
	communication, err := nextCommunication(ctx, g.tx)
	if err != nil {
		return Invoice{}, err
	}
	content, err := g.content(ctx, settings)
	if err != nil {
		return Invoice{}, err
	}
	content.Month, content.Communication = month, communication.String()
	inv, err := issue(ctx, g.tx, g.parts[0].Due, settings["invoice.prefix"], content, g.at)
	if err != nil {
		return inv, err
	}
	_, err = g.tx.Exec(ctx, `
		INSERT INTO invoice_group (invoice_id, month, communication)
		VALUES (@invoice, @month, @communication)`,
		pgx.NamedArgs{"invoice": inv.ID, "month": month, "communication": communication.Digits()})
	if err != nil {
		return inv, fmt.Errorf("keeping the group of invoice %s: %w", inv.ID, err)
	}
	ids := make([]uuid.UUID, len(g.parts))
	registrations := make([]uuid.UUID, len(g.parts))
	cents := make([]civil.Cents, len(g.parts))
	for i, p := range g.parts {
		ids[i], registrations[i], cents[i] = p.Due.ID, p.RegistrationID, p.Open
	}
	args := pgx.NamedArgs{"invoice": inv.ID, "dues": ids, "registrations": registrations, "cents": cents, "until": g.until}
	_, err = g.tx.Exec(ctx, `
		INSERT INTO invoice_part (invoice_id, position, due_id, registration_id, cents)
		SELECT @invoice, x.position, x.due, x.registration, x.cents
		FROM unnest(@dues::uuid[], @registrations::uuid[], @cents::bigint[]) WITH ORDINALITY AS x (due, registration, cents, position)`, args)
	if err != nil {
		return inv, fmt.Errorf("keeping the parts of invoice %s: %w", inv.ID, err)
	}
	_, err = g.tx.Exec(ctx, `
		INSERT INTO document_line (line_id, invoice_id)
		SELECT l.id, @invoice
		FROM ledger_line l
		WHERE l.due_id = ANY(@dues)
		  AND l.at < @until
		  AND `+documented+`
		ON CONFLICT DO NOTHING`, args)
	if err != nil {
		return inv, fmt.Errorf("noting the lines of invoice %s: %w", inv.ID, err)
	}
	return inv, nil
}

// content freezes what is printed: who pays as on any invoice, and a line for each child and camp with what the
// organisation calls it.
func (g *group) content(ctx context.Context, settings map[string]string) (all InvoiceContent, err error) {
	var owed civil.Cents
	today := civil.DateOf(g.at, civil.Brussels)
	for i, p := range g.parts {
		c, err := DocumentContent(ctx, g.tx, p.Due, settings, g.at)
		if err != nil {
			return all, err
		}
		if i == 0 {
			all = c
			all.Child, all.Camp, all.Reference, all.FirstDay, all.LastDay, all.Days = "", "", "", civil.Date{}, civil.Date{}, 0
			all.PayBy = today.AddDays(groupDays)
		}
		line := InvoiceLine{Label: "reports.invoice.cover", Args: []string{c.Child, c.Camp, dayNumbers(c.FirstDay), dayNumbers(c.LastDay)}, Cents: p.Open}
		if c.Reference != "" {
			line.Label, line.Args = "reports.invoice.cover_reference", append(line.Args, c.Reference)
		}
		all.Lines = append(all.Lines, line)
		all.Total += p.Open
		b, err := BalanceOf(ctx, g.tx, p.Due.ID, today)
		if err != nil {
			return all, err
		}
		owed += max(0, min(b.Owed(), p.Open))
	}
	if owed == 0 {
		all.PaidOn, all.PayBy = all.IssuedOn, civil.Date{}
		return all, nil
	}
	all.Paid = all.Total - owed
	return all, nil
}

// dayNumbers writes a day as every language of the documents does in figures: 06/07/2026.
func dayNumbers(d civil.Date) string { return fmt.Sprintf("%02d/%02d/%d", d.Day, int(d.Month), d.Year) }

// nextCommunication draws the next structured communication.
func nextCommunication(ctx context.Context, tx db.Tx) (c transfer.Communication, err error) {
	var n int64
	if err := tx.QueryRow(ctx, `SELECT nextval('communication_number')`).Scan(&n); err != nil {
		return c, fmt.Errorf("drawing a communication: %w", err)
	}
	if c, err = transfer.New(n); err != nil {
		return c, fmt.Errorf("drawing a communication: %w", err)
	}
	return c, nil
}
