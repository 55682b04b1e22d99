package seed

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
)

// batch gathers rows, table by table, before they are copied.
type batch struct {
	f    *Filler
	run  string
	hash string
	now  time.Time
	all  []*family

	accounts, households, guardians, children, householdChildren, levels, guardianships [][]any
	registrations, events, places, dues, lines, invoices                                [][]any
	held, confirmed                                                                     map[uuid.UUID]int
}

// The journeys of the seeded registrations, and how many of a hundred take each.
var journeys = []struct {
	percent int
	states  []enrol.State
}{
	{62, []enrol.State{enrol.Submitted, enrol.ToValidate, enrol.Validated, enrol.AwaitingPayment, enrol.Confirmed}},
	{14, []enrol.State{enrol.Submitted, enrol.ToValidate}},
	{12, []enrol.State{enrol.Submitted, enrol.ToValidate, enrol.Validated, enrol.AwaitingPayment}},
	{6, []enrol.State{enrol.Submitted, enrol.Waitlisted}},
	{4, []enrol.State{enrol.Submitted, enrol.ToValidate, enrol.Withdrawn}},
	{2, []enrol.State{enrol.Submitted, enrol.ToValidate, enrol.Refused}},
}

func (b *batch) journey() []enrol.State {
	n := b.f.Rand.IntN(100)
	for _, j := range journeys {
		if n < j.percent {
			return j.states
		}
		n -= j.percent
	}
	return journeys[0].states
}

// register makes n registrations: each child in camps of its cycle, one a week.
func (b *batch) register(ctx context.Context, camps []*seeded, n int) error {
	communications, err := b.f.communications(ctx, n)
	if err != nil {
		return err
	}
	settings, err := camp.AllSettings(ctx, b.f.DB)
	if err != nil {
		return err
	}
	b.held, b.confirmed = map[uuid.UUID]int{}, map[uuid.UUID]int{}
	invoice, err := b.firstInvoice(ctx)
	if err != nil {
		return err
	}
	made := 0
	for pass := 0; made < n && pass < 2*weeks; pass++ {
		for _, f := range b.all {
			for i := range f.children {
				if made == n {
					break
				}
				c := &f.children[i]
				where := pick(camps, c, b.f.Rand.IntN(len(camps)))
				if where == nil {
					continue
				}
				c.weeks |= 1 << where.week
				if b.one(c, where, communications[made].Digits(), settings, invoice) {
					invoice++
				}
				made++
			}
		}
	}
	if made < n {
		return fmt.Errorf("only %d of %d registrations find a camp: ask for more camps", made, n)
	}
	return nil
}

// pick finds a camp of the child's cycle in a free week, with a place, looking around from a random start.
func pick(camps []*seeded, c *child, start int) *seeded {
	for i := range camps {
		s := camps[(start+i)%len(camps)]
		if s.cycle == c.cycle && c.weeks&(1<<s.week) == 0 && s.used < s.max {
			return s
		}
	}
	return nil
}

// firstInvoice is the number that the first invoice of this run gets.
func (b *batch) firstInvoice(ctx context.Context) (int, error) {
	var last int
	err := b.f.DB.QueryRow(ctx, `
		SELECT COALESCE(max(last), 0)
		FROM document_number
		WHERE series = 'invoice'
		  AND year = @year`,
		pgx.NamedArgs{"year": civil.DateOf(b.now, civil.Brussels).Year}).Scan(&last)
	return last + 1, err
}

// one makes a registration with everything that its journey left behind; it reports whether an invoice was issued.
func (b *batch) one(c *child, s *seeded, communication string, settings map[string]string, invoice int) bool {
	id, states := uuid.New(), b.journey()
	at := b.now.Add(-time.Duration(b.f.Rand.IntN(20*24)) * time.Hour)
	last := states[len(states)-1]
	var due, waiting *time.Time
	since := at
	for i, state := range states {
		var from *enrol.State
		if i > 0 {
			from = &states[i-1]
		}
		since = at.Add(time.Duration(i) * time.Minute)
		b.events = append(b.events, []any{id, from, state, since, "command", "seed", ""})
	}
	switch last {
	case enrol.AwaitingPayment:
		d := b.now.Add(5 * 24 * time.Hour)
		due = &d
	case enrol.Waitlisted:
		waiting = &since
	}
	price := []enrol.PriceLine{{Label: "price.camp", Args: []string{s.camp.Name}, Cents: 6000}}
	b.registrations = append(b.registrations, []any{
		id, uuid.New(), c.id, s.camp.ID, c.fam.guardian, c.fam.guardian, c.fam.guardian, last, since, due, waiting, 6000, asJSON(price), at, since,
	})
	if last.Info().Place {
		s.used++
		state := "held"
		if last == enrol.Confirmed {
			state = "confirmed"
			b.confirmed[s.camp.PoolID]++
		} else {
			b.held[s.camp.PoolID]++
		}
		b.places = append(b.places, []any{s.camp.PoolID, id, state})
	}
	if last != enrol.Confirmed && last != enrol.AwaitingPayment {
		return false
	}
	dueID := uuid.New()
	b.dues = append(b.dues, []any{dueID, id, c.fam.guardian, c.fam.guardian, communication, at})
	b.lines = append(b.lines, []any{dueID, id, c.fam.guardian, c.fam.guardian, "charge", 6000, "price.camp", "tariff", "command:seed", at})
	if last != enrol.Confirmed {
		return false
	}
	b.lines = append(b.lines, []any{dueID, id, c.fam.guardian, c.fam.guardian, "payment", 6000, "ledger.payment", "bank", "command:seed", since})
	b.invoice(dueID, id, c, s, communication, settings, invoice, price)
	return true
}

func (b *batch) invoice(dueID, registration uuid.UUID, c *child, s *seeded, communication string, settings map[string]string, number int, price []enrol.PriceLine) {
	on := civil.DateOf(b.now, civil.Brussels)
	content := ledger.InvoiceContent{
		Number: fmt.Sprintf("%s-%d-%05d", settings["invoice.prefix"], on.Year, number), IssuedOn: on, PaidOn: on,
		Commune: ledger.InvoiceParty{Name: settings["commune.name"], Street: settings["commune.street"], City: settings["commune.city"]},
		Payer:   ledger.InvoiceParty{Name: c.fam.name, Street: c.fam.street, City: "4599 Valmont"},
		Child:   c.name, Camp: s.camp.Name, FirstDay: s.days[0], LastDay: s.days[len(s.days)-1], Days: len(s.days), Total: 6000,
		Communication: "+++" + communication[:3] + "/" + communication[3:7] + "/" + communication[7:] + "+++", VATMention: settings["commune.vat"],
		Lines: []ledger.InvoiceLine{{Label: price[0].Label, Args: price[0].Args, Cents: price[0].Cents}},
	}
	b.invoices = append(b.invoices, []any{on.Year, number, dueID, registration, c.fam.guardian, b.now, 6000, asJSON(content)})
}

// copy writes everything in one transaction, counters included.
func (b *batch) copy(ctx context.Context) error {
	tables := []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"account", []string{"id", "email", "name", "password_hash", "confirmed_at"}, b.accounts},
		{"household", []string{"id", "name"}, b.households},
		{"guardian", []string{"id", "household_id", "account_id", "first_name", "last_name", "email", "phone", "street", "postcode", "city"}, b.guardians},
		{"child", []string{"id", "first_name", "last_name", "birth_date", "interests", "submission_key"}, b.children},
		{"household_child", []string{"household_id", "child_id"}, b.householdChildren},
		{"child_level", []string{"child_id", "school_year", "level"}, b.levels},
		{"guardianship", []string{"guardian_id", "child_id", "basis", "rights", "valid_from"}, b.guardianships},
		{"registration", []string{
			"id", "submission_key", "child_id", "camp_id", "registrant_id", "payer_id", "debtor_id", "state", "state_since", "due_at",
			"waiting_since", "price_cents", "price_detail", "created_at", "updated_at",
		}, b.registrations},
		{"registration_event", []string{"registration_id", "from_state", "to_state", "at", "actor_kind", "actor_id", "reason"}, b.events},
		{"place", []string{"pool_id", "registration_id", "state"}, b.places},
		{"due", []string{"id", "registration_id", "payer_id", "debtor_id", "communication", "created_at"}, b.dues},
		{"ledger_line", []string{"due_id", "registration_id", "payer_id", "debtor_id", "kind", "cents", "label", "source", "actor", "at"}, b.lines},
		{"invoice", []string{"year", "number", "due_id", "registration_id", "payer_id", "issued_at", "total_cents", "content"}, b.invoices},
	}
	return b.f.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		for _, t := range tables {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		for pool, n := range b.held {
			if err := b.count(ctx, tx, pool, n, b.confirmed[pool]); err != nil {
				return err
			}
			delete(b.confirmed, pool)
		}
		for pool, n := range b.confirmed {
			if err := b.count(ctx, tx, pool, 0, n); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO document_number AS d (series, year, last)
			VALUES ('invoice', @year, @n)
			ON CONFLICT (series, year)
			DO UPDATE SET last = d.last + @n`,
			pgx.NamedArgs{"year": civil.DateOf(b.now, civil.Brussels).Year, "n": len(b.invoices)})
		return err
	})
}

func (b *batch) count(ctx context.Context, tx db.Tx, pool uuid.UUID, held, confirmed int) error {
	_, err := tx.Exec(ctx, `
		UPDATE pool
		SET held = held + @held, confirmed = confirmed + @confirmed
		WHERE id = @pool`,
		pgx.NamedArgs{"pool": pool, "held": held, "confirmed": confirmed})
	return err
}
