// Package camp adapts the events of Odoo into youth camps: what Odoo owns, the portal's settings, sessions, leaders
// and attendance. It alone writes their tables.
package camp

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// Camp is one Odoo event adapted.
type Camp struct {
	ID          uuid.UUID
	Name        string
	Description string // sanitised HTML
	Location    string
	BeginsAt    time.Time
	EndsAt      time.Time
	Zone        string // IANA name
	Levels      []string
	Themes      []string
	AgeMin      *int // whole years at the first session, inclusive; nil is no bound
	AgeMax      *int
	Archived    bool
	Cancelled   bool
	Published   bool
	OpensAt     *time.Time // nil: open since publication
	ClosesAt    *time.Time // nil: until the first session begins
	Decision    string     // one of Decisions
	PayDays     int        // days a family has to pay
	PriceCents  civil.Cents
	PriceUnit   tariff.Unit // for what PriceCents and the prices of tickets are asked
	Regulation  string      // the decision on which its prices rest
	SheetDays   int         // how long before the camp a medical sheet may have been confirmed
	Bring       string
	Contact     string
	PoolID      uuid.UUID
}

// The ways of deciding on a request: staff decide; it goes through by itself; or the family pays and staff decide then.
const (
	DecisionManual    = "manual"
	DecisionAutomatic = "automatic"
	DecisionPayFirst  = "pay_first"
)

// Decisions lists the ways in the order in which screens show them.
var Decisions = []string{DecisionManual, DecisionAutomatic, DecisionPayFirst}

// Slug is the readable part of the camp's address: lower case, without accents.
func (c Camp) Slug() string { return Slug(c.Name) }

// Slug turns a name into the readable part of an address; it may be empty.
func Slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range norm.NFD.String(strings.ToLower(name)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		case r == 'œ':
			b.WriteString("oe")
		default:
			dash = true
		}
		if b.Len() > 80 {
			break
		}
	}
	return b.String()
}

// TimeZone returns the camp's time zone; one that this machine does not know is Brussels.
func (c Camp) TimeZone() *time.Location {
	loc, err := time.LoadLocation(c.Zone)
	if err != nil {
		return civil.Brussels
	}
	return loc
}

// OpenAt reports whether families may ask for a place at t.
func (c Camp) OpenAt(t time.Time) bool {
	return c.Published && !c.Archived && !c.Cancelled &&
		(c.OpensAt == nil || !t.Before(*c.OpensAt)) &&
		t.Before(c.Closes())
}

// Closes is the instant from which requests are no longer taken: the setting, or the beginning of the camp.
func (c Camp) Closes() time.Time {
	if c.ClosesAt != nil && c.ClosesAt.Before(c.BeginsAt) {
		return *c.ClosesAt
	}
	return c.BeginsAt
}

// Ticket is a kind of place in a camp, with its own price and capacity.
type Ticket struct {
	ID          uuid.UUID
	CampID      uuid.UUID
	Name        string
	Description string
	OdooCents   *civil.Cents
	SetCents    *civil.Cents
	SaleFrom    *time.Time
	SaleUntil   *time.Time
	Withdrawn   bool
	PoolID      uuid.UUID
}

// Price is what the ticket costs in a camp: set here, else Odoo's, else the camp's own price.
func (t Ticket) Price(c Camp) civil.Cents {
	switch {
	case t.SetCents != nil:
		return *t.SetCents
	case t.OdooCents != nil && *t.OdooCents > 0:
		return *t.OdooCents
	}
	return c.PriceCents
}

// HasPrice reports whether the ticket has a price of its own.
func (t Ticket) HasPrice() bool { return t.SetCents != nil || t.OdooCents != nil && *t.OdooCents > 0 }

// OnSaleAt reports whether the ticket may be asked for at t.
func (t Ticket) OnSaleAt(at time.Time) bool {
	return !t.Withdrawn && (t.SaleFrom == nil || !at.Before(*t.SaleFrom)) && (t.SaleUntil == nil || at.Before(*t.SaleUntil))
}

// Store reads and writes camps.
type Store struct {
	DB  *db.DB
	Now civil.Clock
}

// New returns a Store on d.
func New(d *db.DB, now civil.Clock) *Store { return &Store{DB: d, Now: now} }

const campColumns = `id, name, description, location, begins_at, ends_at, zone, levels, themes, age_min, age_max, archived, cancelled,
		  published, opens_at, closes_at, decision, pay_days, price_cents, price_unit, regulation, sheet_days, bring, contact, pool_id`

// Camp returns a camp by id, published or not; NotFound when there is none.
func (s *Store) Camp(ctx context.Context, id uuid.UUID) (Camp, error) { return Read(ctx, s.DB, id) }

// Read is Store.Camp for a caller with its own transaction.
func Read(ctx context.Context, q db.Querier, id uuid.UUID) (Camp, error) {
	camps, err := ReadAll(ctx, q, []uuid.UUID{id})
	if err != nil {
		return Camp{}, err
	}
	if len(camps) == 0 {
		return Camp{}, problem.NotFound("camp.not_found")
	}
	return camps[0], nil
}

// ReadAll returns the camps with the given ids, in order of their beginning; unknown ids are left out.
func ReadAll(ctx context.Context, q db.Querier, ids []uuid.UUID) ([]Camp, error) {
	rows, err := q.Query(ctx, `
		SELECT `+campColumns+`
		FROM camp
		WHERE id = ANY(@ids)
		ORDER BY begins_at, id`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading camps: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Camp])
}

// TicketsOf returns the tickets of a camp in the order of Odoo, withdrawn ones included.
func TicketsOf(ctx context.Context, q db.Querier, campID uuid.UUID) ([]Ticket, error) {
	rows, err := q.Query(ctx, `
		SELECT id, camp_id, name, description, odoo_cents, set_cents, sale_from, sale_until, withdrawn, pool_id
		FROM ticket
		WHERE camp_id = @camp
		ORDER BY position, name, id`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the tickets of camp %s: %w", campID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Ticket])
}
