package enrol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/internal/transport"
)

// wish is what a family takes beside the place itself.
type wish struct {
	stopOut  *uuid.UUID
	stopBack *uuid.UUID
	options  []camp.Option
}

// priced is what a request would cost, with the facts that it is computed from.
type priced struct {
	facts tariff.Facts
	lines []PriceLine
}

func (p priced) total() civil.Cents { return tariff.Total(p.lines) }

// price computes what a new request of a guardian costs: the camp or its ticket, the bus by direction, the options, and
// what lowers it. locked says that the request is being submitted: the uses of a voucher are counted under a lock.
func (s *Store) price(ctx context.Context, q db.Querier, guardianID uuid.UUID, r Request, f Facts, v wish, locked bool) (priced, error) {
	t, err := placeFacts(ctx, q, guardianID, f, s.today())
	if err != nil {
		return priced{}, err
	}
	if t.Items, err = items(ctx, q, v); err != nil {
		return priced{}, err
	}
	if t.Accorded, err = tariff.AccordOf(ctx, q, guardianID, r.ChildID, s.today()); err != nil {
		return priced{}, err
	}
	rule, err := tariff.SiblingsOf(ctx, q, f.Camp.ID)
	if err != nil {
		return priced{}, err
	}
	t.Cumulate = rule.Cumulate
	if rule.Active() {
		if t.Counted, err = siblings(ctx, q, rule, guardianID, r.ChildID, f, r.with); err != nil {
			return priced{}, err
		}
		t.Siblings = rule.Cut(1 + len(t.Counted))
	}
	if code := tariff.Code(r.Voucher); r.Voucher != "" {
		want := tariff.Wanted{Code: code, CampID: f.Camp.ID, On: s.today(), Before: r.with.sharing(code), Lock: locked}
		if t.Voucher, err = tariff.VoucherFor(ctx, q, want); err != nil {
			return priced{}, err
		}
	}
	return priced{t, tariff.Price(t)}, nil
}

// placeFacts says what the place costs to a family.
func placeFacts(ctx context.Context, q db.Querier, guardianID uuid.UUID, f Facts, on civil.Date) (tariff.Facts, error) {
	t := placeOf(f)
	all, err := tariff.Rates(ctx, q, placeFor(f), f.Resident, guardianID, on)
	t.Rates = tariff.Mine(all)
	return t, err
}

// placeOf is what a price knows of a camp and its ticket, without what they cost.
func placeOf(f Facts) tariff.Facts {
	t := tariff.Facts{Camp: f.Camp.Name, Unit: f.Camp.PriceUnit, Regulation: f.Camp.Regulation, Sessions: len(f.Sessions), Cumulate: true}
	if f.Ticket != nil {
		t.Ticket = f.Ticket.Name
	}
	days := map[civil.Date]bool{}
	for _, s := range f.Sessions {
		days[s.Day] = true
	}
	t.Days = len(days)
	return t
}

func placeFor(f Facts) tariff.Place {
	if f.Ticket == nil {
		return tariff.Place{CampID: f.Camp.ID, Cents: f.Camp.PriceCents}
	}
	return tariff.Place{CampID: f.Camp.ID, TicketID: &f.Ticket.ID, Cents: f.Ticket.Price(f.Camp), Own: f.Ticket.HasPrice()}
}

// items are the bus and the options of a wish with their prices of today.
func items(ctx context.Context, q db.Querier, v wish) ([]tariff.Item, error) {
	var list []tariff.Item
	for _, way := range []struct {
		stop  *uuid.UUID
		label string
	}{{v.stopOut, tariff.LabelBusOut}, {v.stopBack, tariff.LabelBusBack}} {
		if way.stop == nil {
			continue
		}
		item := tariff.Item{ID: *way.stop, Label: way.label}
		err := q.QueryRow(ctx, `
			SELECT s.name, l.cents, l.unit
			FROM bus_stop s
			JOIN bus_line l ON l.id = s.line_id
			WHERE s.id = @stop`,
			pgx.NamedArgs{"stop": way.stop}).Scan(&item.Name, &item.Cents, &item.Unit)
		if err != nil {
			return nil, fmt.Errorf("reading the price of stop %s: %w", way.stop, err)
		}
		list = append(list, item)
	}
	for _, o := range v.options {
		list = append(list, tariff.Item{ID: o.ID, Label: tariff.LabelOption, Name: o.Name, Cents: o.Cents, Unit: o.Unit, Fiscal: o.Fiscal})
	}
	return list, nil
}

// reprice computes what a registration costs with another bus or other options: from what its price was frozen with,
// and at today's prices for what is new.
func (s *Store) reprice(ctx context.Context, q db.Querier, r *Registration, f Facts, v wish) (priced, error) {
	t, err := frozenFacts(ctx, q, r)
	if err != nil {
		return priced{}, err
	}
	if t == nil { // of before: it was priced without audience, siblings or voucher
		was := placeOf(f)
		was.Rates = []tariff.Rate{{Cents: placeFor(f).Cents}}
		t = &was
	}
	now, err := items(ctx, q, v)
	if err != nil {
		return priced{}, err
	}
	for i := range now {
		was := slices.IndexFunc(t.Items, func(x tariff.Item) bool { return x.ID == now[i].ID && x.Label == now[i].Label })
		if was >= 0 {
			now[i] = t.Items[was]
		}
	}
	t.Items = now
	return priced{*t, tariff.Price(*t)}, nil
}

// frozenFacts are what a registration's price was computed from; nil for one of before.
func frozenFacts(ctx context.Context, q db.Querier, r *Registration) (t *tariff.Facts, err error) {
	err = q.QueryRow(ctx, `
		SELECT price_facts
		FROM registration
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID}).Scan(&t)
	if err != nil {
		return nil, fmt.Errorf("reading the price of registration %s: %w", r.ID, err)
	}
	return t, nil
}

// freeze stores the price of a registration with what it was computed from.
func (s *Store) freeze(ctx context.Context, tx db.Tx, r *Registration, p priced) error {
	frozen, err := detail(p.lines)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE registration
		SET price_cents = @price, price_detail = @detail, price_facts = @facts
		WHERE id = @id`,
		pgx.NamedArgs{"id": r.ID, "price": p.total(), "detail": frozen, "facts": p.facts})
	if err != nil {
		return fmt.Errorf("freezing the price of registration %s: %w", r.ID, err)
	}
	r.PriceCents, r.PriceDetail = p.total(), p.lines
	return nil
}

// wants is what a registration needs to go through: its pools, and the legs that put the child on the bus.
type wants struct {
	pools []uuid.UUID // of the camp, the ticket and the options
	trips []uuid.UUID // pools of the trips
	legs  []transport.Leg
}

func wanted(ctx context.Context, q db.Querier, c camp.Camp, t *camp.Ticket, v wish) (wants, error) {
	w := wants{pools: []uuid.UUID{c.PoolID}}
	if t != nil {
		w.pools = append(w.pools, t.PoolID)
	}
	for _, o := range v.options {
		w.pools = append(w.pools, o.PoolID)
	}
	legs, err := transport.LegsOf(ctx, q, c.ID, v.stopOut, v.stopBack)
	if err != nil {
		return w, err
	}
	w.legs = legs
	for _, l := range legs {
		w.trips = append(w.trips, l.PoolID)
	}
	return w, nil
}

// chosen returns the options of a camp with the given ids; one that is not offered at the moment is Invalid.
func chosen(ctx context.Context, q db.Querier, campID uuid.UUID, ids []uuid.UUID, at time.Time) ([]camp.Option, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := camp.OptionsOf(ctx, q, campID)
	if err != nil {
		return nil, err
	}
	var taken []camp.Option
	for _, o := range all {
		if slices.Contains(ids, o.ID) && o.OfferedAt(at) {
			taken = append(taken, o)
		}
	}
	if len(taken) != len(ids) {
		var f problem.Fields
		f.Add("options", "registration.option_unknown")
		return nil, f.Err()
	}
	return taken, nil
}

// wishOf returns what a stored registration takes, options that were withdrawn since included.
func wishOf(ctx context.Context, q db.Querier, r *Registration) (wish, error) {
	v := wish{stopOut: r.StopOutID, stopBack: r.StopBackID}
	rows, err := q.Query(ctx, `
		SELECT option_id
		FROM registration_option
		WHERE registration_id = @id`,
		pgx.NamedArgs{"id": r.ID})
	if err != nil {
		return v, fmt.Errorf("reading the options of registration %s: %w", r.ID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return v, err
	}
	all, err := camp.OptionsOf(ctx, q, r.CampID)
	if err != nil {
		return v, err
	}
	v.options = slices.DeleteFunc(all, func(o camp.Option) bool { return !slices.Contains(ids, o.ID) })
	return v, nil
}

// The hours between which a family's deadline may end, and the shortest time that it gets.
const (
	dayBegins   = 8 * 60
	dayEnds     = 20 * 60
	shortNotice = 2 * time.Hour
)

// payBy returns until when a family may pay: 20:00 after the camp's number of days, but before the camp begins; when
// that is too short, the next morning at 8:00.
func payBy(now time.Time, f Facts) time.Time {
	return deadline(now, f.Camp.PayDays, f.FirstDay())
}

// answerBy returns until when a family may take an offered place: two days, on the same terms.
func answerBy(now time.Time, f Facts) time.Time { return deadline(now, 2, f.FirstDay()) }

func deadline(now time.Time, days int, first civil.Date) time.Time {
	today := civil.DateOf(now, civil.Brussels)
	day := today.AddDays(days)
	if !day.Before(first) {
		day = first.AddDays(-1)
	}
	if day.Before(today) {
		day = today
	}
	if at := day.At(dayEnds, civil.Brussels); at.Sub(now) >= shortNotice {
		return at
	}
	return today.AddDays(1).At(dayBegins, civil.Brussels)
}
