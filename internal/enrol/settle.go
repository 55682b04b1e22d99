package enrol

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// settle looks at what a registration owes after money came in on one of its dues: covered, it is confirmed and invoiced;
// an expired one gets its place back if there still is one; everything else that is paid becomes a task.
func (s *Store) settle(ctx context.Context, tx db.Tx, r *Registration, d ledger.Due, actor audit.Actor) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	b := a.of[d.ID]
	if r.State == Expired && b.Kept() > 0 {
		return s.late(ctx, tx, r, actor)
	}
	if a.covered() {
		for _, kind := range []string{task.PartPaid, task.OwesAgain} {
			if err := task.Close(ctx, tx, kind, "registration", r.ID.String(), actor.String()); err != nil {
				return err
			}
		}
	}
	if b.Owed() < 0 {
		if err := s.owesBack(ctx, tx, r); err != nil {
			return err
		}
	}
	return s.advance(ctx, tx, r, a, actor)
}

// advance leads a registration on whose payment was awaited, once it is covered.
func (s *Store) advance(ctx context.Context, tx db.Tx, r *Registration, a accounts, actor audit.Actor) error {
	if r.State != AwaitingPayment || !a.covered() {
		return nil
	}
	first, err := paysFirst(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if first { // paid, and not decided yet
		return s.move(ctx, tx, r, ToValidate, nil, actor, "")
	}
	return s.confirm(ctx, tx, r, actor)
}

// owesAgain keeps a task while a registration that was covered is so no more: a bank took money back, a promise was
// withdrawn, an instalment passed. Its state stays.
func (s *Store) owesAgain(ctx context.Context, tx db.Tx, r *Registration, why string) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil || a.covered() || r.State == AwaitingPayment {
		return err
	}
	return task.Open(ctx, tx, task.OwesAgain, "registration", r.ID.String(), map[string]any{"registration": r.ID, "cents": a.total().OwedNow(), "why": why})
}

// paysFirst reports whether nobody has decided on a registration yet: its camp asks for the money before.
func paysFirst(ctx context.Context, q db.Querier, id uuid.UUID) (bool, error) {
	var decided bool
	err := q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM registration_event WHERE registration_id = @id AND to_state = 'validated')`,
		pgx.NamedArgs{"id": id}).Scan(&decided)
	if err != nil {
		return false, fmt.Errorf("reading the history of registration %s: %w", id, err)
	}
	return !decided, nil
}

// confirm makes a covered registration certain, and invoices each family that pays for it.
func (s *Store) confirm(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	if err := place.Confirm(ctx, tx, r.ID); err != nil {
		return err
	}
	if err := s.move(ctx, tx, r, Confirmed, nil, actor, ""); err != nil {
		return err
	}
	return s.invoice(ctx, tx, r)
}

// invoice issues what is not invoiced yet of a registration, one invoice for each family that pays for it.
func (s *Store) invoice(ctx context.Context, tx db.Tx, r *Registration) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	prefix, err := camp.Setting(ctx, tx, "invoice.prefix")
	if err != nil {
		return err
	}
	for _, d := range a.dues {
		if d.Kind != ledger.DueFamily || a.of[d.ID].Price <= 0 {
			continue
		}
		content, err := s.invoiceContent(ctx, tx, r, d, a.of[d.ID].Price)
		if err != nil {
			return err
		}
		inv, issued, err := ledger.Issue(ctx, tx, d, prefix, content, s.Now())
		if err != nil {
			return err
		}
		if !issued {
			continue
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, job.InvoiceIssued{InvoiceID: inv.ID.String()}, nil); err != nil {
			return fmt.Errorf("announcing invoice %s: %w", inv.ID, err)
		}
	}
	return nil
}

// late handles money for a place that was given up: the place again if it is still free, else a task for staff.
func (s *Store) late(ctx context.Context, tx db.Tx, r *Registration, actor audit.Actor) error {
	a, err := s.accounts(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if missing := r.PriceCents - a.promised(r.PriceCents) - a.total().Kept(); missing > 0 { // no place for a part of the price
		return task.Open(ctx, tx, task.LateMoney, "registration", r.ID.String(), map[string]any{"registration": r.ID, "owed": missing})
	}
	f, err := s.facts(ctx, tx, r.ChildID, r.CampID, r.ID, r.TicketID)
	if err != nil && !problem.Is(err, problem.KindInvalid) {
		return err
	}
	ok := err == nil && !f.Once && s.Now().Before(f.Camp.BeginsAt) && r.mayStillCome(f)
	if ok {
		if ok, err = s.grant(ctx, tx, r, f); err != nil {
			return err
		}
	}
	if !ok {
		return task.Open(ctx, tx, task.LateMoney, "registration", r.ID.String(), map[string]any{"registration": r.ID})
	}
	if _, err := s.charge(ctx, tx, r, actor); err != nil {
		return err
	}
	return s.confirm(ctx, tx, r, actor)
}

// invoiceContent freezes everything that the invoice of a due prints: the price in detail, less what others pay of it.
func (s *Store) invoiceContent(ctx context.Context, tx db.Tx, r *Registration, d ledger.Due, part civil.Cents) (ledger.InvoiceContent, error) {
	var c ledger.InvoiceContent
	settings, err := camp.AllSettings(ctx, tx)
	if err != nil {
		return c, err
	}
	c.IssuedOn = civil.DateOf(s.Now(), civil.Brussels)
	c.PaidOn = c.IssuedOn
	c.Commune = ledger.InvoiceParty{Name: settings["commune.name"], Street: settings["commune.street"], City: settings["commune.city"]}
	c.BCE, c.Email, c.Phone, c.IBAN = settings["commune.bce"], settings["commune.email"], settings["commune.phone"], settings["commune.iban"]
	c.VATMention = settings["commune.vat"]
	communication, err := transfer.Parse(d.Communication)
	if err != nil {
		return c, fmt.Errorf("reading the communication of due %s: %w", d.ID, err)
	}
	c.Communication = communication.String()
	err = tx.QueryRow(ctx, `
		SELECT g.first_name || ' ' || g.last_name, g.street, trim(g.postcode || ' ' || g.city),
		  ch.first_name || ' ' || ch.last_name, c.name,
		  COALESCE(min(s.day), c.begins_at::date), COALESCE(max(s.day), c.ends_at::date), count(DISTINCT s.day)
		FROM guardian g
		CROSS JOIN child ch
		CROSS JOIN camp c
		LEFT JOIN camp_session s ON s.camp_id = c.id AND s.state <> 'cancelled'
		WHERE g.id = @payer
		  AND ch.id = @child
		  AND c.id = @camp
		GROUP BY g.id, ch.id, c.id`,
		pgx.NamedArgs{"payer": d.PayerID, "child": r.ChildID, "camp": r.CampID},
	).Scan(&c.Payer.Name, &c.Payer.Street, &c.Payer.City, &c.Child, &c.Camp, &c.FirstDay, &c.LastDay, &c.Days)
	if err != nil {
		return c, fmt.Errorf("reading what the invoice of registration %s prints: %w", r.ID, err)
	}
	for _, l := range r.PriceDetail {
		c.Lines = append(c.Lines, ledger.InvoiceLine{Label: l.Label, Args: l.Args, Cents: l.Cents})
	}
	if others := r.PriceCents - part; others != 0 {
		c.Lines = append(c.Lines, ledger.InvoiceLine{Label: "invoice.part_of_others", Cents: -others})
	}
	c.Total = part
	return c, nil
}

// Sources are the ways in which staff see money arrive: on the account, in notes and coins, by the counter's terminal.
var Sources = []string{"bank", "cash", "terminal"}

// RecordPayment books money that staff saw: on the account, or at the counter. The submission key books it once.
func (s *Store) RecordPayment(ctx context.Context, accountID, dueID uuid.UUID, cents civil.Cents, source string, key uuid.UUID) error {
	var f problem.Fields
	if cents <= 0 || cents > maxPayment {
		f.Add("amount", "payment.amount_out_of_range")
	}
	if !slices.Contains(Sources, source) {
		f.Add("source", "payment.source_unknown")
	}
	if err := f.Err(); err != nil {
		return err
	}
	actor := audit.Account(accountID)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		d, err := ledger.ReadDue(ctx, tx, dueID)
		if err != nil {
			return err
		}
		r, err := lock(ctx, tx, d.RegistrationID)
		if err != nil {
			return err
		}
		added, err := ledger.Add(ctx, tx, d, ledger.Line{
			Kind: ledger.Payment, Cents: cents, Label: "ledger.payment", Source: source, Actor: actor.String(), Key: &key, At: s.Now(),
		})
		if err != nil || !added {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "payment.recorded", "registration", r.ID.String(), map[string]any{"due": dueID, "cents": cents, "source": source}); err != nil {
			return err
		}
		return s.settle(ctx, tx, &r, d, actor)
	})
}

// maxPayment is a bound against a slip of the keyboard: 10 000,00 €.
const maxPayment = 1_000_000
