package portal

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"
	"github.com/microcosm-cc/bluemonday"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/internal/transport"
	"ribambelle/portal/page"
)

// campPage is one camp with everything a family wants to know before it asks for a place.
type campPage struct {
	page.Base
	Camp        camp.Camp
	Offer       *offerCard // nil when the camp is over, cancelled or has no session left
	Description template.HTML
	Picture     string
	When        string
	Who         string
	Sessions    []camp.Session
	SameHours   bool // every day has the same hours
	Tickets     []ticketLine
	Prices      []enrol.Listed // by ticket and audience, where not everybody pays the same
	Lines       []transport.Line
	RegisterURL string // "" when registrations are not open now
	PrepareURL  string // where a request is prepared for the opening; "" when there is none to come
	State       string // why not, in words
	Phone       string // in Contact, for a tap to call; "" when there is none
}

// ticketLine is one kind of place with its price and what is left of it.
type ticketLine struct {
	camp.Ticket
	Cents civil.Cents // the lowest that asks for no proof
	More  bool        // others pay more
	Left  places
}

// description is what staff may format in Odoo's editor: no picture, no style, no script, no heading above ours.
var description = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "b", "strong", "i", "em", "u", "ul", "ol", "li", "h3", "h4", "blockquote", "hr")
	p.AllowStandardURLs()
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	return p
}()

// campShow shows one camp; an address with another name, or none, leads to the right one.
func (s *server) campShow(w http.ResponseWriter, r *http.Request) error {
	id := pathID(r)
	c, err := s.Camp.Camp(r.Context(), id)
	if err != nil {
		return err
	}
	if !c.Published {
		return problem.NotFound("camp.not_found")
	}
	if want := campURL(c.ID, c.Name); r.URL.Path != want {
		http.Redirect(w, r, (&url.URL{Path: want, RawQuery: r.URL.RawQuery}).String(), http.StatusMovedPermanently)
		return nil
	}
	l := s.locale(r)
	p := &campPage{Base: s.base(r, c.Name), Camp: c, Picture: picture(c.Themes, c.Name)}
	p.Section = "camps"
	p.Back = &page.Link{URL: "/", Text: l.T("portal.camp.back")}
	p.Description = template.HTML(description.Sanitize(c.Description)) //nolint:gosec // sanitised in the line itself
	p.Who = who(l, c.Levels, c.AgeMin, c.AgeMax)
	if p.Sessions, err = camp.SessionsOf(r.Context(), s.DB, id); err != nil {
		return err
	}
	p.SameHours = true
	for _, day := range p.Sessions {
		p.SameHours = p.SameHours && day.Starts == p.Sessions[0].Starts && day.Ends == p.Sessions[0].Ends && day.State == "planned"
	}
	if p.Lines, err = transport.LinesOf(r.Context(), s.DB, id); err != nil {
		return err
	}
	if p.Tickets, err = s.tickets(r.Context(), l, c); err != nil {
		return err
	}
	if p.Prices, err = s.Enrol.ListPrices(r.Context(), id); err != nil {
		return err
	}
	offers, err := s.offers(r.Context(), filter{Age: -1, ID: &id, Size: 1})
	if err != nil {
		return err
	}
	children, err := s.fits(r)
	if err != nil {
		return err
	}
	if err := s.openFor(r, offers, children); err != nil {
		return err
	}
	if len(offers) == 1 {
		card := s.card(l, offers[0])
		p.Offer, p.When = &card, card.When
	}
	now := s.Now()
	switch {
	case c.Cancelled:
		p.State = l.T("camp.cancelled")
	case p.Offer == nil || c.Archived:
		p.State = l.T("camp.over")
	case p.Offer.Open != "":
		p.State = p.Offer.Open
		if p.Offer.Later(now) {
			p.PrepareURL = "/stages/" + id.String() + "/demande"
		}
	default:
		p.RegisterURL = "/stages/" + id.String() + "/inscription"
	}
	return s.render(w, r, http.StatusOK, "camp_show", p)
}

// tickets returns the kinds of place of a camp that are on sale.
func (s *server) tickets(ctx context.Context, l *locale.Locale, c camp.Camp) ([]ticketLine, error) {
	all, err := camp.TicketsOf(ctx, s.DB, c.ID)
	if err != nil {
		return nil, err
	}
	free, err := s.freeOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	prices, err := s.Enrol.ListPrices(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var lines []ticketLine
	for _, t := range all {
		if t.OnSaleAt(s.Now()) {
			one := ticketLine{Ticket: t, Left: left(l, free[t.ID])}
			one.Cents, one.More = from(prices, t.ID)
			lines = append(lines, one)
		}
	}
	return lines, nil
}

// from is the lowest price of a ticket that asks for no proof, for all sessions, and whether others pay more.
func from(prices []enrol.Listed, ticketID uuid.UUID) (least civil.Cents, more bool) {
	first := true
	for _, p := range prices {
		if p.TicketID == nil || *p.TicketID != ticketID || p.Proof && p.Audience != "" {
			continue
		}
		more = more || !first && p.Cents != least
		if first || p.Cents < least {
			least, first = p.Cents, false
		}
	}
	return least, more
}

// ticketText names a ticket with its price.
func ticketText(l *locale.Locale, name string, cents civil.Cents, more bool) string {
	if more {
		return name + " — " + l.T("camp.price_from", cents)
	}
	return name + " — " + l.Euros(cents)
}

// ByAudience reports whether not everybody pays the same for the camp.
func (p *campPage) ByAudience() bool {
	return slices.ContainsFunc(p.Prices, func(l enrol.Listed) bool { return l.Audience != "" })
}

// freeOf returns the places left of each ticket of a camp, the camp's own places counted; nil is unlimited.
func (s *server) freeOf(ctx context.Context, campID uuid.UUID) (map[uuid.UUID]*int, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT t.id,
		  LEAST(
		    CASE WHEN tp.closed THEN 0 WHEN tp.max IS NOT NULL THEN GREATEST(0, tp.max - tp.held - tp.confirmed - tp.external) END,
		    CASE WHEN cp.closed THEN 0 WHEN cp.max IS NOT NULL THEN GREATEST(0, cp.max - cp.held - cp.confirmed - cp.external) END) AS free
		FROM ticket t
		JOIN pool tp ON tp.id = t.pool_id
		JOIN camp c ON c.id = t.camp_id
		JOIN pool cp ON cp.id = c.pool_id
		WHERE t.camp_id = @camp`,
		pgx.NamedArgs{"camp": campID})
	if err != nil {
		return nil, fmt.Errorf("reading the places of camp %s: %w", campID, err)
	}
	free := map[uuid.UUID]*int{}
	var id uuid.UUID
	var n *int
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		free[id] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the places of camp %s: %w", campID, err)
	}
	return free, nil
}

// pathID returns the identifier in the address; the route's pattern lets nothing else through.
func pathID(r *http.Request) uuid.UUID {
	id, _ := uuid.Parse(mux.Vars(r)["id"])
	return id
}
