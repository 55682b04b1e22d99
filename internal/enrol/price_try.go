package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// Imagined is a family that does not exist, for whom staff try a price.
type Imagined struct {
	Resident  bool
	Audiences []string // to which it was admitted
	Children  int      // the rank of the child, or how many there are, as the rule counts; from 1
	Accord    *tariff.Accord
	OptionIDs []uuid.UUID
}

// TryPrice computes what an imagined family would pay for a camp today, by the very rules that price a request.
func (s *Store) TryPrice(ctx context.Context, campID uuid.UUID, ticketID *uuid.UUID, who Imagined) ([]PriceLine, error) {
	f, err := pricedCamp(ctx, s.DB, campID)
	if err != nil {
		return nil, err
	}
	f.Resident = who.Resident
	if f.Ticket, err = chooseTicket(ctx, s.DB, campID, ticketID); err != nil {
		return nil, err
	}
	t := placeOf(f)
	all, err := tariff.Rates(ctx, s.DB, placeFor(f), who.Resident, uuid.Nil, s.today())
	if err != nil {
		return nil, err
	}
	for i := range all {
		for _, code := range who.Audiences {
			all[i].Mine = all[i].Mine || all[i].Rule == tariff.RuleVerified && all[i].Code == code
		}
	}
	t.Rates = tariff.Mine(all)
	rule, err := tariff.SiblingsOf(ctx, s.DB, campID)
	if err != nil {
		return nil, err
	}
	t.Cumulate, t.Siblings, t.Accorded = rule.Cumulate, rule.Cut(max(1, who.Children)), who.Accord
	options, err := chosen(ctx, s.DB, campID, who.OptionIDs, s.Now())
	if err != nil {
		return nil, err
	}
	if t.Items, err = items(ctx, s.DB, wish{options: options}); err != nil {
		return nil, err
	}
	return tariff.Price(t), nil
}

// Listed is what one ticket of a camp, or the camp itself, costs to an audience, all its sessions together.
type Listed struct {
	TicketID *uuid.UUID
	Ticket   string
	Audience string
	Proof    bool // the audience asks for a proof
	Cents    civil.Cents
}

// ListPrices returns what a camp costs by ticket and audience, as its page shows it; where every audience pays the same,
// one line a ticket without an audience.
func (s *Store) ListPrices(ctx context.Context, campID uuid.UUID) ([]Listed, error) {
	f, err := pricedCamp(ctx, s.DB, campID)
	if err != nil {
		return nil, err
	}
	tickets, err := camp.TicketsOf(ctx, s.DB, campID)
	if err != nil {
		return nil, err
	}
	places := []*camp.Ticket{}
	for i, t := range tickets {
		if !t.Withdrawn {
			places = append(places, &tickets[i])
		}
	}
	if len(places) == 0 {
		places = append(places, nil)
	}
	var list []Listed
	for _, t := range places {
		f.Ticket = t
		all, err := tariff.Rates(ctx, s.DB, placeFor(f), true, uuid.Nil, s.today())
		if err != nil {
			return nil, err
		}
		facts := placeOf(f)
		for i, r := range all {
			one := Listed{Audience: r.Name, Proof: r.Rule == tariff.RuleVerified}
			facts.Rates = []tariff.Rate{{Cents: r.Cents}}
			one.Cents = tariff.Total(tariff.Price(facts))
			if t != nil {
				one.TicketID, one.Ticket = &t.ID, t.Name
			}
			if same(all) {
				one.Audience = ""
				if i > 0 {
					continue
				}
			}
			list = append(list, one)
		}
	}
	return list, nil
}

func same(all []tariff.RateFor) bool {
	for _, r := range all {
		if r.Cents != all[0].Cents {
			return false
		}
	}
	return true
}

// pricedCamp loads of a camp what its prices need.
func pricedCamp(ctx context.Context, q db.Querier, campID uuid.UUID) (Facts, error) {
	all, err := campFacts(ctx, q, []uuid.UUID{campID})
	if err != nil {
		return Facts{}, err
	}
	if len(all) == 0 {
		return Facts{}, problem.NotFound("camp.not_found")
	}
	return Facts{Camp: all[0].camp, Sessions: all[0].sessions, Season: all[0].season}, nil
}
