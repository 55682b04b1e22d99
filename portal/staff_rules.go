package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/place"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffRulesPage is who may come to a camp, when, with which options, and until when a family leaves by itself.
type staffRulesPage struct {
	staffPage
	Camp     camp.Camp
	Form     *form.Form
	Requires []choice // camps of the rule as it stands
	Excludes []choice
	Others   []choice // camps that may be added to a rule
	Decision string
	Options  []optionRow
	Option   *form.Form // of a new option
	Units    []choice
}

// optionRow is an option with its places.
type optionRow struct {
	camp.Option
	Max   *int
	Taken int
}

// Most is the number of places, for an option that has a bound.
func (o optionRow) Most() int { return *o.Max }

// rulesRoutes are the pages of a camp's rules and options.
func (s *server) rulesRoutes() []route {
	const rules = "/gestion/stages/" + idPart + "/regles"
	return []route{
		{get, rules, mayOrganise, s.staffRules},
		{post, rules, mayOrganise, s.staffRulesSave},
		{post, rules + "/options", mayOrganise, s.staffOptionAdd},
		{post, rules + "/options/retirer", mayOrganise, s.staffOptionWithdraw},
	}
}

// staffRules shows the rules and options of a camp.
func (s *server) staffRules(w http.ResponseWriter, r *http.Request) error {
	p, err := s.rulesPage(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/rules", p)
}

func (s *server) rulesPage(r *http.Request, id uuid.UUID) (*staffRulesPage, error) {
	ctx := r.Context()
	c, err := s.Camp.Camp(ctx, id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, "", "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p := &staffRulesPage{staffPage: base, Camp: c, Form: form.New(), Option: form.New(), Units: unitChoices(base.L, tariff.Units)}
	p.Option.Set("unit", string(tariff.PerCamp))
	p.Title = p.L.T("staff.rules.title", c.Name)
	p.Back = &page.Link{URL: "/gestion/stages/" + id.String(), Text: c.Name}
	p.Decision = p.L.T("staff.settings.decision_" + c.Decision)
	all, err := camp.Policies(ctx, s.DB, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	p.fillRules(all[id])
	if p.Others, err = s.campChoices(ctx, id); err != nil {
		return nil, err
	}
	p.Others[0].Text = p.L.T("staff.rules.no_other")
	p.Options, err = s.optionRows(ctx, id)
	return p, err
}

// fillRules starts the form with the policy as it stands.
func (p *staffRulesPage) fillRules(v camp.Policy) {
	f := p.Form
	for _, o := range v.Openings {
		setInstant(f, "opens_"+o.Audience, &o.At)
	}
	f.Set("min_gap", strconv.Itoa(v.MinGap)).Set("leave_days", strconv.Itoa(v.LeaveDays))
	f.Set("leave_hour", fmt.Sprintf("%d:%02d", v.LeaveMinute/60, v.LeaveMinute%60))
	if v.Derogations {
		f.Set("derogations", "oui")
	}
	if v.LeaveWorking {
		f.Set("leave_working", "oui")
	}
	for _, rule := range []struct {
		name  string
		camps []camp.Other
		list  *[]choice
	}{{"requires", v.Requires, &p.Requires}, {"excludes", v.Excludes, &p.Excludes}} {
		var ids []string
		for _, o := range rule.camps {
			ids = append(ids, o.CampID.String())
			*rule.list = append(*rule.list, choice{Value: o.CampID.String(), Text: o.Name})
		}
		f.Set(rule.name, ids...)
	}
}

// campChoices lists the camps that a rule may name, the nearest in time first; the empty choice adds none.
func (s *server) campChoices(ctx context.Context, except uuid.UUID) ([]choice, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id::text, name, (begins_at AT TIME ZONE 'Europe/Brussels')::date
		FROM camp
		WHERE id <> @id
		  AND NOT cancelled
		  AND begins_at > @since
		ORDER BY begins_at, name, id
		LIMIT 500`,
		pgx.NamedArgs{"id": except, "since": s.Now().AddDate(-2, 0, 0)})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of a rule: %w", err)
	}
	list := []choice{{}}
	var one choice
	var day civil.Date
	_, err = pgx.ForEachRow(rows, []any{&one.Value, &one.Text, &day}, func() error {
		list = append(list, choice{Value: one.Value, Text: fmt.Sprintf("%s (%02d/%02d/%d)", one.Text, day.Day, day.Month, day.Year)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of a rule: %w", err)
	}
	return list, nil
}

func (s *server) optionRows(ctx context.Context, id uuid.UUID) ([]optionRow, error) {
	options, err := camp.OptionsOf(ctx, s.DB, id)
	if err != nil || len(options) == 0 {
		return nil, err
	}
	pools := make([]uuid.UUID, len(options))
	for i, o := range options {
		pools[i] = o.PoolID
	}
	figures, err := place.Read(ctx, s.DB, pools...)
	if err != nil {
		return nil, err
	}
	list := make([]optionRow, len(options))
	for i, o := range options {
		list[i].Option = o
		for _, f := range figures {
			if f.ID == o.PoolID {
				list[i].Max, list[i].Taken = f.Max, f.Taken()
			}
		}
	}
	return list, nil
}

// staffRulesSave stores the rules.
func (s *server) staffRulesSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	p, err := s.rulesPage(r, id)
	if err != nil {
		return err
	}
	v := camp.Policy{
		MinGap: number(f, "min_gap"), Derogations: f.Checked("derogations"), LeaveDays: number(f, "leave_days"), LeaveWorking: f.Checked("leave_working"),
		LeaveMinute: readMinute(f, "leave_hour"), Requires: p.readOthers(f, "requires"), Excludes: p.readOthers(f, "excludes"),
	}
	for _, audience := range []string{camp.Residents, camp.Everyone} {
		if at := readInstant(f, "opens_"+audience); at != nil {
			v.Openings = append(v.Openings, camp.Opening{Audience: audience, At: *at})
		}
	}
	if len(v.Openings) == 2 && v.Openings[1].At.Before(v.Openings[0].At) {
		f.Add("opens_"+camp.Everyone, "staff.rules.everyone_first")
	}
	if slices.ContainsFunc(v.Requires, func(o camp.Other) bool { return slices.Contains(v.Excludes, o) }) {
		f.Add("add_excludes", "staff.rules.both")
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Camp.SavePolicy(r.Context(), actor, id, v)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/rules", f, p)
	}
	s.flash(w, "flash.rules_saved")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"/regles")
}

// readOthers returns the camps of a rule: those that stay ticked and the one that is added.
func (p *staffRulesPage) readOthers(f *form.Form, name string) []camp.Other {
	var list []camp.Other
	for _, v := range append(f.All(name), f.Text("add_"+name)) {
		id, err := uuid.Parse(v)
		if err != nil {
			continue
		}
		known := slices.ContainsFunc(slices.Concat(p.Others, p.Requires, p.Excludes), func(c choice) bool { return c.Value == id.String() })
		if !known {
			f.Add("add_"+name, "staff.rules.unknown_camp")
			continue
		}
		if one := (camp.Other{CampID: id}); !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// readMinute reads an hour of the day in minutes after midnight. It notes what is no hour.
func readMinute(f *form.Form, name string) int {
	m := clockPattern.FindStringSubmatch(f.Text(name))
	if m == nil {
		f.Add(name, "staff.settings.no_hour")
		return 0
	}
	h, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2]) // "" is the full hour
	return h*60 + minute
}

// staffOptionAdd offers an option with the camp.
func (s *server) staffOptionAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	p, err := s.rulesPage(r, id)
	if err != nil {
		return err
	}
	o := camp.Option{CampID: id, Name: f.Text("name"), Cents: f.Cents("price"), Unit: tariff.Unit(f.Text("unit")), Fiscal: f.Checked("fiscal"), Until: readInstant(f, "until")}
	maximum := optionalNumber(f, "max")
	if slices.ContainsFunc(p.Options, func(has optionRow) bool { return !has.Withdrawn && has.Name == o.Name }) {
		f.Add("name", "staff.option.twice") // a double click too
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		_, err := s.Camp.AddOption(r.Context(), actor, o, maximum)
		if err := f.Take(err); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Option = f
		return s.refuse(w, r, "staff/rules", f, p)
	}
	s.flash(w, "flash.option_added")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"/regles#options")
}

// staffOptionWithdraw stops offering an option.
func (s *server) staffOptionWithdraw(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	id := pathID(r)
	option, ok := f.UUID("option")
	if !ok {
		return problem.NotFound("camp.option_not_found")
	}
	actor, _ := s.actorOf(r)
	if err := s.Camp.WithdrawOption(r.Context(), actor, id, option); err != nil {
		return err
	}
	s.flash(w, "flash.option_withdrawn")
	return seeOther(w, r, "/gestion/stages/"+id.String()+"/regles#options")
}

// OfferedNow reports whether families may still take the option.
func (p *staffRulesPage) OfferedNow(o optionRow, now time.Time) bool { return o.OfferedAt(now) }
