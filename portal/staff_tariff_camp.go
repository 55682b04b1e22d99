package portal

import (
	"net/http"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffCampTariffPage is the prices of one camp, and what it rules otherwise than the commune.
type staffCampTariffPage struct {
	staffPage
	Camp      camp.Camp
	Form      *form.Form
	Units     []choice
	Audiences []tariff.Audience
	Places    []pricedPlace
	Listed    []enrol.Listed // what families read now
	Siblings  siblingForm
}

// pricedPlace is the camp itself (the zero id) or one of its tickets, with the names of its inputs.
type pricedPlace struct {
	ID     uuid.UUID
	Name   string
	Own    string // input of the ticket's own price; "" for the camp, whose price is among its settings
	Odoo   *civil.Cents
	Inputs []pricedInput
}

type pricedInput struct{ Name, Audience string }

func (s *server) campTariffPage(r *http.Request, id uuid.UUID) (*staffCampTariffPage, error) {
	ctx := r.Context()
	c, err := s.Camp.Camp(ctx, id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, "", "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p := &staffCampTariffPage{staffPage: base, Camp: c, Form: form.New(), Units: unitChoices(base.L, tariff.Units)}
	p.Title = p.L.T("tariff.camp_title", c.Name)
	p.Back = &page.Link{URL: "/gestion/stages/" + id.String(), Text: c.Name}
	if p.Audiences, err = tariff.Audiences(ctx, s.DB); err != nil {
		return nil, err
	}
	if err := s.pricedPlaces(r, p); err != nil {
		return nil, err
	}
	if p.Listed, err = s.Enrol.ListPrices(ctx, id); err != nil {
		return nil, err
	}
	rule, err := tariff.SiblingsOf(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	own, err := tariff.OwnSiblings(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	f := form.New().Set("inst", "commune")
	if own {
		f.Set("inst", "stage")
	}
	fillSiblings(f, rule)
	p.siblings(f)
	return p, nil
}

func (p *staffCampTariffPage) siblings(f *form.Form) {
	p.Siblings = newSiblingForm(p.L, f, "/gestion/stages/"+p.Camp.ID.String()+"/tarifs/fratrie")
	p.Siblings.Inst = []choice{{Value: "commune", Text: p.L.T("tariff.inherit")}, {Value: "stage", Text: p.L.T("tariff.own")}}
}

// pricedPlaces lists what may have a price, and starts the form with what is set.
func (s *server) pricedPlaces(r *http.Request, p *staffCampTariffPage) error {
	tickets, err := camp.TicketsOf(r.Context(), s.DB, p.Camp.ID)
	if err != nil {
		return err
	}
	set, err := tariff.SettingOf(r.Context(), s.DB, p.Camp.ID)
	if err != nil {
		return err
	}
	p.Form.Set("unit", string(p.Camp.PriceUnit))
	add := func(place pricedPlace) {
		for _, a := range p.Audiences {
			name := tariff.Field(place.ID, a.Code)
			place.Inputs = append(place.Inputs, pricedInput{Name: name, Audience: a.Name})
			if c, ok := set[place.ID][a.Code]; ok {
				p.Form.Set(name, typedEuros(c))
			}
		}
		p.Places = append(p.Places, place)
	}
	add(pricedPlace{Name: p.L.T("tariff.place_camp", p.L.Euros(p.Camp.PriceCents))})
	for _, t := range tickets {
		if t.Withdrawn {
			continue
		}
		one := pricedPlace{ID: t.ID, Name: t.Name, Own: "ticket_" + t.ID.String(), Odoo: t.OdooCents}
		if t.SetCents != nil {
			p.Form.Set(one.Own, typedEuros(*t.SetCents))
		}
		add(one)
	}
	return nil
}

// staffCampTariff shows the prices of a camp.
func (s *server) staffCampTariff(w http.ResponseWriter, r *http.Request) error {
	p, err := s.campTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/tariff/camp", p)
}

// staffCampTariffSave stores the prices of a camp; an empty input sets none.
func (s *server) staffCampTariffSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.campTariffPage(r, pathID(r))
	if err != nil {
		return err
	}
	set, tickets := tariff.Setting{}, map[uuid.UUID]*civil.Cents{}
	for _, place := range p.Places {
		if place.Own != "" {
			tickets[place.ID] = optionalCents(f, place.Own)
		}
		for i, in := range place.Inputs {
			c := optionalCents(f, in.Name)
			if c == nil {
				continue
			}
			if set[place.ID] == nil {
				set[place.ID] = map[string]civil.Cents{}
			}
			set[place.ID][p.Audiences[i].Code] = *c
		}
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.tariffs().SaveSetting(r.Context(), actor, p.Camp.ID, tariff.Unit(f.Text("unit")), tickets, set)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/tariff/camp", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, "/gestion/stages/"+p.Camp.ID.String()+"/tarifs")
}

// staffCampSiblingsSave gives a camp a rule about siblings of its own, or the commune's again.
func (s *server) staffCampSiblingsSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	if _, err := s.Camp.Camp(r.Context(), id); err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if f.Text("inst") == "stage" {
		rule := readSiblings(f)
		if f.OK() {
			err = f.Take(s.tariffs().SaveSiblings(r.Context(), actor, &id, rule))
		}
	} else {
		err = s.tariffs().DropSiblings(r.Context(), actor, id)
	}
	if err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.campTariffPage(r, id)
		if err != nil {
			return err
		}
		p.siblings(f)
		return s.refuse(w, r, "staff/tariff/camp", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"/tarifs#fratrie")
}
