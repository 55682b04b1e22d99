package portal

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffCampSettingsPage is the form of what the portal decides about a camp, beside what Odoo says.
type staffCampSettingsPage struct {
	staffPage
	Camp       camp.Camp
	Form       *form.Form
	Levels     []choice
	Decisions  []choice
	OdooLevels string // what the tags in Odoo say instead; "" when they say nothing
	OdooThemes string
	OdooAges   string
	CanPrice   bool
}

// staffCampSettings shows the form.
func (s *server) staffCampSettings(w http.ResponseWriter, r *http.Request) error {
	p, err := s.campSettingsPage(r, pathID(r))
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/camp_settings", p)
}

func (s *server) campSettingsPage(r *http.Request, id uuid.UUID) (*staffCampSettingsPage, error) {
	c, err := s.Camp.Camp(r.Context(), id)
	if err != nil {
		return nil, err
	}
	base, _, err := s.staff(r, "", "/gestion/stages")
	if err != nil {
		return nil, err
	}
	p := &staffCampSettingsPage{staffPage: base, Camp: c, Form: form.New(), Levels: levelChoices(base.L, false), CanPrice: s.can(r, mayPrice)}
	p.Title = p.L.T("staff.settings.camp", c.Name)
	p.Back = &page.Link{URL: "/gestion/stages/" + id.String(), Text: c.Name}
	for _, d := range camp.Decisions {
		p.Decisions = append(p.Decisions, choice{Value: d, Text: p.L.T("staff.settings.decision_" + d)})
	}
	return p, s.fillCampSettings(r.Context(), p)
}

// fillCampSettings starts the form with what is set, and says where Odoo's tags decide instead.
func (s *server) fillCampSettings(ctx context.Context, p *staffCampSettingsPage) error {
	var levels, themes, tagLevels, tagThemes []string
	var ageMin, ageMax, tagMin, tagMax *int
	err := s.DB.QueryRow(ctx, `
		SELECT set_levels, set_themes, set_age_min, set_age_max, tag_levels, tag_themes, tag_age_min, tag_age_max
		FROM camp
		WHERE id = @id`,
		pgx.NamedArgs{"id": p.Camp.ID}).Scan(&levels, &themes, &ageMin, &ageMax, &tagLevels, &tagThemes, &tagMin, &tagMax)
	if err != nil {
		return fmt.Errorf("reading the settings of camp %s: %w", p.Camp.ID, err)
	}
	p.OdooLevels, p.OdooThemes = strings.Join(tagLevels, ", "), strings.Join(tagThemes, ", ")
	if tagMin != nil || tagMax != nil {
		p.OdooAges = who(p.L, nil, tagMin, tagMax)
	}
	c, f := p.Camp, p.Form
	f.Set("levels", levels...).Set("themes", strings.Join(themes, ", ")).Set("age_min", optionalInt(ageMin)).Set("age_max", optionalInt(ageMax))
	f.Set("decision", c.Decision).Set("pay_days", strconv.Itoa(c.PayDays)).Set("sheet_days", strconv.Itoa(c.SheetDays))
	f.Set("price", strings.ReplaceAll(c.PriceCents.Euros(), ".", ",")).Set("bring", c.Bring).Set("contact", c.Contact)
	if c.Published {
		f.Set("published", "oui")
	}
	terms, err := camp.TermsOf(ctx, s.DB, c.ID)
	if err != nil {
		return err
	}
	f.Set("deposit", strconv.Itoa(terms.DepositPercent)).Set("rest_days", strconv.Itoa(terms.RestDays))
	f.Set("budget_article", terms.BudgetArticle).Set("regulation", terms.Regulation)
	setInstant(f, "opens_at", c.OpensAt)
	setInstant(f, "closes_at", c.ClosesAt)
	return nil
}

func optionalInt(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// setInstant starts the inputs of a day and an hour.
func setInstant(f *form.Form, name string, at *time.Time) {
	if at == nil {
		return
	}
	local := at.In(civil.Brussels)
	f.SetDate(name, civil.DateOf(*at, civil.Brussels)).Set(name+"_hour", local.Format("15:04"))
}

var clockPattern = regexp.MustCompile(`^([01]?[0-9]|2[0-3])\s*[:hH]\s*([0-5][0-9])?$`)

// readInstant reads a day and an hour in Brussels; no day is nil, no hour is midnight. It notes what is no hour.
func readInstant(f *form.Form, name string) *time.Time {
	day := f.Date(name)
	hour := f.Text(name + "_hour")
	m := clockPattern.FindStringSubmatch(hour)
	switch {
	case hour != "" && m == nil:
		f.Add(name+"_hour", "staff.settings.no_hour")
		return nil
	case day.IsZero():
		return nil
	}
	minutes := 0
	if m != nil {
		h, _ := strconv.Atoi(m[1])
		minute, _ := strconv.Atoi(m[2]) // "" is the full hour
		minutes = h*60 + minute
	}
	at := day.At(minutes, civil.Brussels)
	return &at
}

// optionalNumber reads a whole number that may be left out.
func optionalNumber(f *form.Form, name string) *int {
	if f.Text(name) == "" {
		return nil
	}
	n, ok := f.Int(name)
	if !ok {
		f.Add(name, "staff.settings.no_number")
		return nil
	}
	return &n
}

func number(f *form.Form, name string) int {
	n, ok := f.Int(name)
	if !ok {
		f.Add(name, "staff.settings.no_number")
	}
	return n
}

// staffCampSettingsSave stores the form.
func (s *server) staffCampSettingsSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	v := camp.Settings{
		Levels: f.All("levels"), AgeMin: optionalNumber(f, "age_min"), AgeMax: optionalNumber(f, "age_max"),
		Published: f.Checked("published"), OpensAt: readInstant(f, "opens_at"), ClosesAt: readInstant(f, "closes_at"),
		Decision: f.Text("decision"), PayDays: number(f, "pay_days"), PriceCents: f.Cents("price"), SheetDays: number(f, "sheet_days"),
		Bring: f.Text("bring"), Contact: f.Text("contact"),
		Terms: &camp.Terms{
			DepositPercent: number(f, "deposit"), RestDays: number(f, "rest_days"),
			BudgetArticle: f.Text("budget_article"), Regulation: f.Text("regulation"),
		},
	}
	for theme := range strings.SplitSeq(f.Text("themes"), ",") {
		if theme = strings.TrimSpace(theme); theme != "" {
			v.Themes = append(v.Themes, theme)
		}
	}
	id := pathID(r)
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Camp.SaveSettings(r.Context(), actor, id, v)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.campSettingsPage(r, id)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/camp_settings", f, p)
	}
	s.flash(w, "flash.camp_saved")
	return seeOther(w, r, "/gestion/stages/"+id.String())
}
