package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
)

// Occasion is why the papers of a registration are looked at.
type Occasion string

// The occasions. OnCharge invoices only where the commune asks to pay by a document (the setting invoice.when), or to
// complete what was invoiced before; OnReduction never invoices.
const (
	OnCharge       Occasion = "charge"
	OnConfirmation Occasion = "confirmation"
	OnReduction    Occasion = "reduction"
)

// SourceDunning marks the fees and interest of reminders: their own letter says them, no invoice does.
const SourceDunning = "dunning"

// Papers brings the documents of every due of a registration in line with its lines, in the caller's transaction, which
// has the registration locked: what is charged and on no invoice is invoiced if the occasion allows it, what was
// invoiced and is no longer charged is taken back by credit notes. Called again it does nothing. reason is printed on
// the credit notes: a message key or words. The documents are drawn and mailed by jobs. What an organisation promised is
// not invoiced here but by month (Organisations); what is credited of it is.
func Papers(ctx context.Context, tx db.Tx, jobs job.Inserter, registrationID uuid.UUID, o Occasion, reason string, at time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT `+dueColumns+`
		FROM due
		WHERE registration_id = @registration
		ORDER BY created_at, id`,
		pgx.NamedArgs{"registration": registrationID})
	if err != nil {
		return fmt.Errorf("reading the dues of registration %s: %w", registrationID, err)
	}
	dues, err := pgx.CollectRows(rows, pgx.RowToStructByName[Due])
	if err != nil {
		return fmt.Errorf("reading the dues of registration %s: %w", registrationID, err)
	}
	if len(dues) == 0 {
		return nil
	}
	settings, err := camp.AllSettings(ctx, tx)
	if err != nil {
		return err
	}
	for _, d := range dues {
		p := paper{tx: tx, jobs: jobs, due: d, settings: settings, at: at, reason: reason}
		if err := p.balance(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// paper is one due whose documents are made.
type paper struct {
	tx       db.Tx
	jobs     job.Inserter
	due      Due
	settings map[string]string
	at       time.Time
	reason   string

	detail  []InvoiceLine // the frozen price of the whole registration
	pending []pendingLine // booked, and on no document
}

type pendingLine struct {
	ID    uuid.UUID
	Kind  Kind
	Cents civil.Cents
	Label string
}

// signed is what the line adds to what is charged.
func (l pendingLine) signed() civil.Cents {
	if l.Kind == Reduction || l.Kind == WriteOff {
		return -l.Cents
	}
	return l.Cents
}

// balance compares what is charged with what the documents say, and makes the one that is missing.
func (p *paper) balance(ctx context.Context, o Occasion) error {
	invoices, err := InvoicesOfDue(ctx, p.tx, p.due.ID)
	if err != nil {
		return err
	}
	notes, err := CreditNotesOfDue(ctx, p.tx, p.due.ID)
	if err != nil {
		return err
	}
	charged, err := p.read(ctx)
	if err != nil {
		return err
	}
	open := charged
	for _, i := range invoices {
		open -= i.TotalCents
	}
	for _, n := range notes {
		open += n.TotalCents
	}
	switch {
	case open > 0 && p.due.Kind == DueCover: // with all that the month brings its organisation
		return nil
	case open > 0 && (o == OnConfirmation || o == OnCharge && (open < charged || p.settings["invoice.when"] == "charged")):
		return p.invoice(ctx, open, open == charged)
	case open < 0:
		return p.credit(ctx, -open, invoices)
	}
	return nil
}

// documented are the lines that stand on an invoice or a credit note: not payments, not what reminders cost, and not
// write-offs, after which the debtor still owes; a fee that is taken back is booked as one, and counts.
const documented = `(l.kind IN ('charge', 'fee', 'reduction') OR l.kind = 'write_off' AND l.label = 'ledger.fee_back')
		  AND l.source <> '` + SourceDunning + `'`

// read returns what the due is charged.
func (p *paper) read(ctx context.Context) (charged civil.Cents, err error) {
	args := pgx.NamedArgs{"due": p.due.ID, "registration": p.due.RegistrationID}
	err = p.tx.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE WHEN l.kind IN ('charge', 'fee') THEN l.cents ELSE -l.cents END), 0)::bigint,
		  (SELECT r.price_detail FROM registration r WHERE r.id = @registration)
		FROM ledger_line l
		WHERE l.due_id = @due
		  AND `+documented+``, args).Scan(&charged, &p.detail)
	if err != nil {
		return 0, fmt.Errorf("summing what due %s is charged: %w", p.due.ID, err)
	}
	rows, err := p.tx.Query(ctx, `
		SELECT l.id, l.kind, l.cents, l.label
		FROM ledger_line l
		WHERE l.due_id = @due
		  AND `+documented+`
		  AND NOT EXISTS (SELECT 1 FROM document_line x WHERE x.line_id = l.id)
		ORDER BY l.at, l.id`, args)
	if err != nil {
		return 0, fmt.Errorf("reading the lines of due %s: %w", p.due.ID, err)
	}
	if p.pending, err = pgx.CollectRows(rows, pgx.RowToStructByName[pendingLine]); err != nil {
		return 0, fmt.Errorf("reading the lines of due %s: %w", p.due.ID, err)
	}
	return charged, nil
}

// invoice issues an invoice over open. The one that holds all that is charged shows the price as it was frozen, with
// the payer's part of it; a later one shows the lines that were added.
func (p *paper) invoice(ctx context.Context, open civil.Cents, all bool) error {
	content, err := DocumentContent(ctx, p.tx, p.due, p.settings, p.at)
	if err != nil {
		return err
	}
	content.Total = open
	if content.Lines = p.explain(open, 1, "ledger.rest"); all {
		content.Lines, content.Whole = priced(p.detail, content.Lines, open, p.due.First(), content.Camp)
	}
	if err := p.settled(ctx, &content); err != nil {
		return err
	}
	inv, err := issue(ctx, p.tx, p.due, p.settings["invoice.prefix"], content, p.at)
	if err != nil {
		return err
	}
	if err := p.standsOn(ctx, "invoice_id", inv.ID); err != nil {
		return err
	}
	if _, err := p.jobs.InsertTx(ctx, p.tx, job.InvoiceIssued{InvoiceID: inv.ID.String()}, nil); err != nil {
		return fmt.Errorf("announcing invoice %s: %w", inv.ID, err)
	}
	return nil
}

// priced returns the lines of a price of which open is asked here, and what they amount to when that is another sum. The
// price was made for the first payer: another one reads what the place costs, not by which tariff or reduction.
func priced(detail, booked []InvoiceLine, open civil.Cents, first bool, camp string) (lines []InvoiceLine, whole civil.Cents) {
	var sum civil.Cents
	for _, l := range detail {
		sum += l.Cents
	}
	switch {
	case len(detail) == 0 || sum < open: // fees beside the price
		return booked, 0
	case sum == open:
		return detail, 0
	case first:
		return detail, sum
	}
	return []InvoiceLine{{Label: "price.camp", Args: []string{camp}, Cents: sum}}, sum
}

// settled says on an invoice what is paid already, and until when the rest is to be paid.
func (p *paper) settled(ctx context.Context, c *InvoiceContent) error {
	var owed civil.Cents
	err := p.tx.QueryRow(ctx, `
		SELECT COALESCE(sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END), 0)::bigint
		FROM ledger_line
		WHERE due_id = @due`,
		pgx.NamedArgs{"due": p.due.ID}).Scan(&owed)
	if err != nil {
		return fmt.Errorf("summing what is owed on due %s: %w", p.due.ID, err)
	}
	if owed <= 0 {
		c.PaidOn, c.PayBy = c.IssuedOn, civil.Date{}
		return nil
	}
	c.Paid = max(0, c.Total-owed)
	rows, err := p.tx.Query(ctx, `
		SELECT due_on AS on, cents
		FROM instalment
		WHERE due_id = @due
		ORDER BY position`,
		pgx.NamedArgs{"due": p.due.ID})
	if err != nil {
		return fmt.Errorf("reading the instalments of due %s: %w", p.due.ID, err)
	}
	if c.Instalments, err = pgx.CollectRows(rows, pgx.RowToStructByName[InvoiceInstalment]); err != nil {
		return fmt.Errorf("reading the instalments of due %s: %w", p.due.ID, err)
	}
	if len(c.Instalments) == 1 {
		c.PayBy, c.Instalments = c.Instalments[0].On, nil
	}
	return nil
}

// credit takes back what is no longer charged, of the newest invoice first.
func (p *paper) credit(ctx context.Context, back civil.Cents, invoices []Invoice) error {
	for _, inv := range invoices {
		left, err := leftOf(ctx, p.tx, inv.ID, p.due.ID)
		if err != nil {
			return err
		}
		part := min(left, back)
		if part <= 0 {
			continue
		}
		if inv.Content, err = p.about(ctx, inv.Content); err != nil {
			return err
		}
		note, err := IssueCreditNote(ctx, p.tx, inv, p.explain(part, -1, p.reason), p.reason, p.at)
		if err != nil {
			return err
		}
		if err := p.standsOn(ctx, "credit_note_id", note.ID); err != nil {
			return err
		}
		p.pending = nil
		if _, err := p.jobs.InsertTx(ctx, p.tx, job.CreditNoteIssued{CreditNoteID: note.ID.String()}, nil); err != nil {
			return fmt.Errorf("announcing credit note %s: %w", note.ID, err)
		}
		if back -= part; back == 0 {
			return nil
		}
	}
	return nil // what is left was never invoiced
}

// about names on the credit note of an invoice over several dues the child and the camp that it takes back.
func (p *paper) about(ctx context.Context, c InvoiceContent) (InvoiceContent, error) {
	if !c.Group() {
		return c, nil
	}
	own, err := DocumentContent(ctx, p.tx, p.due, p.settings, p.at)
	if err != nil {
		return c, err
	}
	c.Child, c.Camp, c.FirstDay, c.LastDay, c.Days, c.Reference = own.Child, own.Camp, own.FirstDay, own.LastDay, own.Days, own.Reference
	return c, nil
}

// explain returns the lines that stand on no document yet, times sign, when they amount to sum; else one line.
func (p *paper) explain(sum, sign civil.Cents, otherwise string) []InvoiceLine {
	var lines []InvoiceLine
	var total civil.Cents
	for _, l := range p.pending {
		line := InvoiceLine{Label: l.Label, Cents: sign * l.signed()}
		for _, d := range p.detail { // the ledger does not keep what fills a label
			if d.Label == l.Label && d.Cents == l.signed() {
				line.Args = d.Args
			}
		}
		lines = append(lines, line)
		total += line.Cents
	}
	if total != sum {
		return []InvoiceLine{{Label: otherwise, Cents: sum}}
	}
	return lines
}

// standsOn notes the document of the lines that had none. The column is one of two constants.
func (p *paper) standsOn(ctx context.Context, column string, id uuid.UUID) error {
	ids := make([]uuid.UUID, len(p.pending))
	for i, l := range p.pending {
		ids[i] = l.ID
	}
	_, err := p.tx.Exec(ctx, `
		INSERT INTO document_line (line_id, `+column+`)
		SELECT line, @document
		FROM unnest(@lines::uuid[]) AS line
		ON CONFLICT DO NOTHING`,
		pgx.NamedArgs{"document": id, "lines": ids})
	if err != nil {
		return fmt.Errorf("noting the lines of document %s: %w", id, err)
	}
	return nil
}
