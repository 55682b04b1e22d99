package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/pay/transfer"
)

// legalSettings are the texts that the commune prints on its invoices and credit notes, in this order.
var legalSettings = []string{"invoice.appeal", "invoice.late", "invoice.privacy"}

// DocumentContent freezes everything about the parties, the child and the camp that the documents of a due print. The
// child is named as a whole, the payer by its own address alone.
func DocumentContent(ctx context.Context, q db.Querier, d Due, settings map[string]string, at time.Time) (InvoiceContent, error) {
	c := Letterhead(settings)
	c.IssuedOn = civil.DateOf(at, civil.Brussels)
	communication, err := transfer.Parse(d.Communication)
	if err != nil {
		return c, fmt.Errorf("reading the communication of due %s: %w", d.ID, err)
	}
	c.Communication = communication.String()
	var payBy *time.Time
	var days int
	err = q.QueryRow(ctx, `
		SELECT trim(g.first_name || ' ' || g.last_name), g.street, trim(g.postcode || ' ' || g.city), g.bce,
		  COALESCE((SELECT v.reference FROM cover v WHERE v.due_id = @due), ''),
		  ch.first_name || ' ' || ch.last_name, c.name,
		  COALESCE(min(s.day), (c.begins_at AT TIME ZONE 'Europe/Brussels')::date),
		  COALESCE(max(s.day), (c.ends_at AT TIME ZONE 'Europe/Brussels')::date), count(DISTINCT s.day), r.due_at, c.pay_days
		FROM registration r
		JOIN child ch ON ch.id = r.child_id
		JOIN camp c ON c.id = r.camp_id
		JOIN guardian g ON g.id = @payer
		LEFT JOIN camp_session s ON s.camp_id = c.id AND s.state <> 'cancelled'
		WHERE r.id = @registration
		GROUP BY g.id, ch.id, c.id, r.id`,
		pgx.NamedArgs{"due": d.ID, "payer": d.PayerID, "registration": d.RegistrationID},
	).Scan(&c.Payer.Name, &c.Payer.Street, &c.Payer.City, &c.PayerBCE, &c.Reference, &c.Child, &c.Camp, &c.FirstDay, &c.LastDay, &c.Days, &payBy, &days)
	if err != nil {
		return c, fmt.Errorf("reading what the documents of due %s print: %w", d.ID, err)
	}
	switch c.PayBy = c.IssuedOn.AddDays(days); {
	case payBy != nil:
		c.PayBy = civil.DateOf(*payBy, civil.Brussels)
	case c.PayBy.After(c.FirstDay) && c.IssuedOn.Before(c.FirstDay):
		c.PayBy = c.FirstDay
	}
	return c, nil
}

// Letterhead is what the commune prints on each of its documents about money.
func Letterhead(settings map[string]string) InvoiceContent {
	c := InvoiceContent{
		Lang: settings["commune.language"], Called: settings["invoice.name"],
		Commune: InvoiceParty{Name: settings["commune.name"], Street: settings["commune.street"], City: settings["commune.city"]},
		BCE:     settings["commune.bce"], Email: settings["commune.email"], Phone: settings["commune.phone"], IBAN: settings["commune.iban"],
		VATMention: settings["commune.vat"],
	}
	for _, key := range legalSettings {
		if text := settings[key]; text != "" {
			c.Legal = append(c.Legal, text)
		}
	}
	return c
}
