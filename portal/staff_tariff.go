package portal

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

const tariffPath = "/gestion/tarifs"

// Who sees to the tariffs. What is accorded to a family is confidential: an ordinary agent never learns of it.
var (
	mayTariff = office("finance", "administrator")
	mayPrice  = office("finance", "administrator", "organiser")
	mayAdmit  = office("agent", "finance", "administrator")
	maySocial = office("finance", "administrator", "social")
)

// tariffRoutes are the pages of the tariffs.
func (s *server) tariffRoutes() []route {
	const (
		camp   = "/gestion/stages/" + idPart + "/tarifs"
		family = "/gestion/familles/" + idPart + "/tarifs"
		bons   = tariffPath + "/bons"
	)
	return []route{
		{get, tariffPath, maySee, s.staffTariffs},
		{post, tariffPath + "/publics", mayTariff, s.staffAudiencesSave},
		{post, tariffPath + "/publics/nouveau", mayTariff, s.staffAudienceAdd},
		{post, tariffPath + "/publics/retirer", mayTariff, s.staffAudienceEnd},
		{post, tariffPath + "/fratrie", mayTariff, s.staffSiblingsSave},
		{get, tariffPath + "/essai", maySee, s.staffTariffTry},
		{get, bons, mayTariff, s.staffVouchers},
		{post, bons, mayTariff, s.staffVouchersIssue},
		{post, bons + "/" + idPart + "/arreter", mayTariff, s.staffVoucherEnd},
		{get, camp, mayPrice, s.staffCampTariff},
		{post, camp, mayPrice, s.staffCampTariffSave},
		{post, camp + "/fratrie", mayPrice, s.staffCampSiblingsSave},
		{get, family, mayAdmitOrSocial, s.staffFamilyTariff},
		{post, family + "/statut", mayAdmit, s.staffMemberAdmit},
		{post, family + "/statut/fin", mayAdmit, s.staffMemberExpel},
		{post, family + "/accorder", maySocial, s.staffAccord},
		{post, family + "/accorder/fin", maySocial, s.staffAccordEnd},
	}
}

var mayAdmitOrSocial = office("agent", "finance", "administrator", "social")

func (s *server) tariffs() *tariff.Store { return tariff.New(s.DB, s.Now) }

// staffTariffsPage is the commune's general rules.
type staffTariffsPage struct {
	staffPage
	Audiences []tariff.Audience
	Form      *form.Form // of the audiences
	New       *form.Form // of one more
	Siblings  siblingForm
	CanSet    bool
}

// siblingForm is the form of a rule about siblings, of the commune or of one camp.
type siblingForm struct {
	Form   *form.Form
	Action string
	Whos   []choice
	Modes  []choice
	Scopes []choice
	Steps  []siblingStep
	Inst   []choice // inherit or own, on a camp's page
	Error  string   // about the steps as a whole
}

// siblingStep is a row of the steps.
type siblingStep struct{ Row, Label string }

// siblingRows is how many steps a rule may have on the page: for the second, third, fourth… child.
const siblingRows = 4

func newSiblingForm(l *locale.Locale, f *form.Form, action string) siblingForm {
	v := siblingForm{Form: f, Action: action}
	for _, who := range tariff.Whos {
		v.Whos = append(v.Whos, choice{Value: who, Text: l.T("tariff.who." + who), Hint: l.T("tariff.who_hint." + who)})
	}
	for _, m := range []string{tariff.ModeRank, tariff.ModeEach} {
		v.Modes = append(v.Modes, choice{Value: m, Text: l.T("tariff.mode." + m), Hint: l.T("tariff.mode_hint." + m)})
	}
	for _, sc := range []string{tariff.ScopeSeason, tariff.ScopeCamp} {
		v.Scopes = append(v.Scopes, choice{Value: sc, Text: l.T("tariff.scope." + sc)})
	}
	for i := range siblingRows {
		n := strconv.Itoa(i + 2)
		v.Steps = append(v.Steps, siblingStep{Row: n, Label: l.T("tariff.step", n)})
	}
	if p := f.Problem("steps"); p != nil {
		v.Error = told(l, p.Code, p.Args)
	}
	return v
}

// fillSiblings starts the form with a rule as it stands.
func fillSiblings(f *form.Form, r tariff.Siblings) {
	f.Set("who", r.Who).Set("mode", r.Mode).Set("scope", r.Scope).Set("regulation", r.Regulation)
	if r.Cumulate {
		f.Set("cumulate", "oui")
	}
	if r.ExitRaises {
		f.Set("exit_raises", "oui")
	}
	for _, step := range r.Steps {
		n := strconv.Itoa(step.From)
		if step.Percent > 0 {
			f.Set("percent_"+n, strconv.Itoa(step.Percent))
		}
		if step.Cents > 0 {
			f.Set("amount_"+n, typedEuros(step.Cents))
		}
	}
}

// readSiblings reads the form; an empty row is no step.
func readSiblings(f *form.Form) tariff.Siblings {
	r := tariff.Siblings{
		Who: f.Text("who"), Mode: f.Text("mode"), Scope: f.Text("scope"), Cumulate: f.Checked("cumulate"), ExitRaises: f.Checked("exit_raises"),
		Regulation: f.Text("regulation"),
	}
	for i := range siblingRows {
		n := strconv.Itoa(i + 2)
		percent, amount := optionalNumber(f, "percent_"+n), optionalCents(f, "amount_"+n)
		if percent == nil && amount == nil {
			continue
		}
		step := tariff.Step{From: i + 2}
		if percent != nil {
			step.Percent = *percent
		}
		if amount != nil {
			step.Cents = *amount
		}
		r.Steps = append(r.Steps, step)
	}
	return r
}

// optionalCents reads an amount that may be left out.
func optionalCents(f *form.Form, name string) *civil.Cents {
	if f.Text(name) == "" {
		return nil
	}
	c := f.Cents(name)
	return &c
}

// typedEuros writes an amount as people type it.
func typedEuros(c civil.Cents) string { return strings.ReplaceAll(c.Euros(), ".", ",") }

func unitChoices(l *locale.Locale, units []tariff.Unit) (list []choice) {
	for _, u := range units {
		list = append(list, choice{Value: string(u), Text: l.T("tariff.unit." + string(u))})
	}
	return list
}

func (s *server) tariffsPage(r *http.Request) (*staffTariffsPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("tariff.title"), tariffPath)
	if err != nil {
		return nil, err
	}
	p := &staffTariffsPage{staffPage: base, Form: form.New(), New: form.New(), CanSet: s.can(r, mayTariff)}
	if p.Audiences, err = tariff.Audiences(r.Context(), s.DB); err != nil {
		return nil, err
	}
	for _, a := range p.Audiences {
		p.Form.Set("name_"+a.Code, a.Name).Set("percent_"+a.Code, strconv.Itoa(a.Percent))
	}
	rule, err := tariff.SiblingsOf(r.Context(), s.DB, uuid.Nil)
	if err != nil {
		return nil, err
	}
	f := form.New()
	fillSiblings(f, rule)
	p.Siblings = newSiblingForm(p.L, f, tariffPath+"/fratrie")
	return p, nil
}

// staffTariffs shows the general rules.
func (s *server) staffTariffs(w http.ResponseWriter, r *http.Request) error {
	p, err := s.tariffsPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/tariff/general", p)
}

// staffAudiencesSave stores the names and percentages of the audiences.
func (s *server) staffAudiencesSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.tariffsPage(r)
	if err != nil {
		return err
	}
	list := p.Audiences
	for i := range list {
		list[i].Name, list[i].Percent = f.Text("name_"+list[i].Code), number(f, "percent_"+list[i].Code)
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.tariffs().SaveAudiences(r.Context(), actor, list)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/tariff/general", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, tariffPath)
}

// staffAudienceAdd adds an audience of verified guardians.
func (s *server) staffAudienceAdd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := f.Take(s.tariffs().AddAudience(r.Context(), actor, f.Text("audience"))); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.tariffsPage(r)
		if err != nil {
			return err
		}
		p.New = f
		return s.refuse(w, r, "staff/tariff/general", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, tariffPath)
}

// staffAudienceEnd no longer offers an audience.
func (s *server) staffAudienceEnd(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if err := s.tariffs().EndAudience(r.Context(), actor, f.Text("code")); err != nil {
		return err
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, tariffPath)
}

// staffSiblingsSave stores the commune's rule about siblings.
func (s *server) staffSiblingsSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	rule := readSiblings(f)
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.tariffs().SaveSiblings(r.Context(), actor, nil, rule)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p, err := s.tariffsPage(r)
		if err != nil {
			return err
		}
		p.Siblings = newSiblingForm(p.L, f, tariffPath+"/fratrie")
		return s.refuse(w, r, "staff/tariff/general", f, p)
	}
	s.flash(w, "flash.tariff_saved")
	return seeOther(w, r, tariffPath+"#fratrie")
}

// backToTariffs is the way up from the pages under the general rules.
func (p *staffPage) backToTariffs() {
	p.Back = &page.Link{URL: tariffPath, Text: p.L.T("tariff.title")}
}
