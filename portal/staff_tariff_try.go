package portal

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
)

// staffTariffTryPage tries a price for a family that does not exist. Nothing is stored: the answers stand in the address.
type staffTariffTryPage struct {
	staffPage
	Form      *form.Form
	Camps     []choice
	Tickets   []choice
	Audiences []choice
	Ranks     []choice
	Options   []choice
	CanSocial bool
	Tried     bool
	Lines     []enrol.PriceLine
	Total     civil.Cents
}

// staffTariffTry shows the form and, once a camp is chosen, the price.
func (s *server) staffTariffTry(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("tariff.try"), tariffPath)
	if err != nil {
		return err
	}
	p := &staffTariffTryPage{staffPage: base, Form: form.Query(r), CanSocial: s.can(r, maySocial)}
	p.backToTariffs()
	if p.Camps, err = s.campChoices(r.Context(), uuid.Nil); err != nil {
		return err
	}
	p.Camps[0].Text = p.L.T("tariff.try_choose")
	audiences, err := tariff.Audiences(r.Context(), s.DB)
	if err != nil {
		return err
	}
	for _, a := range audiences {
		if a.Rule == tariff.RuleVerified {
			p.Audiences = append(p.Audiences, choice{Value: a.Code, Text: a.Name})
		}
	}
	for n := 1; n <= 6; n++ {
		p.Ranks = append(p.Ranks, choice{Value: strconv.Itoa(n), Text: p.L.T("tariff.try_rank", n)})
	}
	if id, ok := p.Form.UUID("stage"); ok {
		if err := s.tryTariff(r, p, id); err != nil {
			return err
		}
	}
	if !p.Form.OK() {
		return s.refuse(w, r, "staff/tariff/try", p.Form, p)
	}
	return s.render(w, r, http.StatusOK, "staff/tariff/try", p)
}

func (s *server) tryTariff(r *http.Request, p *staffTariffTryPage, campID uuid.UUID) error {
	ctx, f := r.Context(), p.Form
	c, err := s.Camp.Camp(ctx, campID)
	if err != nil {
		return err
	}
	tickets, err := camp.TicketsOf(ctx, s.DB, campID)
	if err != nil {
		return err
	}
	ticket := f.OptionalUUID("formule")
	known := false
	for _, t := range tickets {
		if !t.Withdrawn {
			p.Tickets = append(p.Tickets, choice{Value: t.ID.String(), Text: t.Name})
			known = known || ticket != nil && *ticket == t.ID
		}
	}
	if !known {
		ticket = nil
		if len(p.Tickets) > 0 { // of another camp, or none yet: the first
			id := uuid.MustParse(p.Tickets[0].Value)
			ticket = &id
		}
	}
	options, err := camp.OptionsOf(ctx, s.DB, campID)
	if err != nil {
		return err
	}
	who := enrol.Imagined{Resident: f.Checked("habitant"), Audiences: f.All("statut")}
	if n, ok := f.Int("enfants"); ok {
		who.Children = min(max(n, 1), 20)
	}
	for _, o := range options {
		if !o.OfferedAt(s.Now()) {
			continue
		}
		p.Options = append(p.Options, choice{Value: o.ID.String(), Text: optionText(p.L, o)})
		if slices.Contains(f.All("option"), o.ID.String()) {
			who.OptionIDs = append(who.OptionIDs, o.ID)
		}
	}
	if p.CanSocial && f.Text("accorde") != "" {
		if percent := number(f, "accorde"); percent < 0 || percent > 100 {
			f.Add("accorde", "tariff.percent_out_of_range")
		} else {
			who.Accord = &tariff.Accord{Percent: percent}
		}
	}
	if !f.OK() {
		return nil
	}
	lines, err := s.Enrol.TryPrice(ctx, c.ID, ticket, who)
	if err := f.Take(err); err != nil && !problem.Is(err, problem.KindInvalid) {
		return err
	}
	p.Tried, p.Lines, p.Total = true, lines, tariff.Total(lines)
	return nil
}
