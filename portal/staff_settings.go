package portal

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/db"
	"ribambelle/internal/dunning"
	"ribambelle/internal/notice"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// staffSettingsPage is what the commune says of itself, and its reminders.
type staffSettingsPage struct {
	staffPage
	Groups   []settingGroup
	Form     *form.Form
	Rules    []ruleRow
	Rule     string     // the rule whose form was refused
	RuleForm *form.Form // as it was typed
}

// settingGroup is a part of the form.
type settingGroup struct {
	Title string
	Keys  []settingField
}

type settingField struct {
	Name, Label, Hint string
	Kind              string // of input
	Max               int    // characters
	Choices           []choice
}

// settingKeys is a part of the form by its keys.
type settingKeys struct {
	title string // message key
	keys  []string
}

// settingGroups say in which order the settings are asked for; each stands in one group at most.
var settingGroups = []settingKeys{
	{"staff.settings.group_commune", []string{"commune.name", "commune.street", "commune.city", "commune.email", "commune.phone", "commune.postcodes", "commune.dpo"}},
	{"staff.settings.group_money", []string{"commune.bce", "commune.iban", "commune.bic", "commune.vat", "invoice.prefix", "payment.epc_plus", "payment.prefer", "cash.no_desk", "sepa.version"}},
	{"staff.settings.group_papers", []string{"invoice.name", "invoice.when", "commune.language", "credit.prefix", "invoice.appeal", "invoice.late", "invoice.privacy"}},
	{"staff.settings.group_attestation", []string{
		"attestation.prefix", "attestation.signatory", "attestation.capacity", "attestation.proxy", "attestation.certification", "attestation.certifier_name",
		"attestation.certifier_bce", "attestation.certifier_street", "attestation.certifier_city", "attestation.certified_from", "attestation.certified_until",
		"attestation.contact", "attestation.bus", "attestation.unmarked", "attestation.activity", "attestation.one",
	}},
	{"staff.settings.group_dunning", []string{
		"dunning.reminder_days", "dunning.notice_days", "dunning.recovery_days", "dunning.days", "dunning.notice_fee", "dunning.recovery_fee",
		"dunning.interest", "dunning.interest_most", "dunning.cap_150", "dunning.cap_500", "dunning.cap_500_percent", "dunning.cap_above",
		"dunning.cap_above_percent", "dunning.cap_most", "dunning.automatic", "dunning.text_reminder", "dunning.text_notice", "dunning.text_recovery",
	}},
	{"staff.settings.group_accounts", []string{"account.debtors", "account.revenue", "account.fees", "account.losses", "account.bank", "account.cash", "account.online", "account.transfer"}},
	{"staff.settings.group_odoo", []string{"odoo.levels", "odoo.themes", "odoo.ages", "odoo.mail"}},
	{"staff.settings.group_mail", []string{"mail.reply_to"}},
}

// groupsOfSettings is settingGroups with a last group for what another room declared and nobody placed yet: no setting
// is out of reach.
func groupsOfSettings() []settingKeys {
	rest := camp.SettingNames()
	for _, g := range settingGroups {
		rest = slices.DeleteFunc(rest, func(key string) bool { return slices.Contains(g.keys, key) })
	}
	if len(rest) == 0 {
		return settingGroups
	}
	return append(slices.Clone(settingGroups), settingKeys{"staff.settings.group_other", rest})
}

// ruleRow is a reminder rule as it stands.
type ruleRow struct {
	Code      string
	Trigger   string
	FirstDays int
	EveryDays int
	AtMost    int
	Enabled   bool
	UpdatedAt time.Time
	Sent      int // messages of the last thirty days
}

// Form starts the rule's inputs.
func (r ruleRow) Form() *form.Form {
	f := form.New().Set("first_days", fmt.Sprint(r.FirstDays)).Set("every_days", fmt.Sprint(r.EveryDays)).Set("at_most", fmt.Sprint(r.AtMost))
	if r.Enabled {
		f.Set("enabled", "oui")
	}
	return f
}

// staffSettings shows the settings and the reminders.
func (s *server) staffSettings(w http.ResponseWriter, r *http.Request) error {
	p, err := s.settingsPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/settings", p)
}

func (s *server) settingsPage(r *http.Request) (*staffSettingsPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.settings.title"), "/gestion/reglages")
	if err != nil {
		return nil, err
	}
	p := &staffSettingsPage{staffPage: base, Form: form.New()}
	values, err := camp.AllSettings(r.Context(), s.DB)
	if err != nil {
		return nil, err
	}
	for _, g := range groupsOfSettings() {
		group := settingGroup{Title: p.L.T(g.title)}
		for _, key := range g.keys {
			group.Keys = append(group.Keys, s.settingField(p.L, key))
			fillSetting(p.Form, key, values[key])
		}
		p.Groups = append(p.Groups, group)
	}
	p.Rules, err = s.rules(r.Context())
	return p, err
}

func (s *server) rules(ctx context.Context) ([]ruleRow, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT r.code, r.trigger, r.first_days, r.every_days, r.at_most, r.enabled, r.updated_at,
		  (SELECT count(*)::int FROM message m WHERE m.rule_code = r.code AND m.sent_at > @since) AS sent
		FROM reminder_rule r
		ORDER BY r.trigger DESC, r.code`,
		pgx.NamedArgs{"since": s.Now().AddDate(0, 0, -30)})
	if err != nil {
		return nil, fmt.Errorf("reading the reminder rules: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[ruleRow])
	if err != nil {
		return nil, fmt.Errorf("reading the reminder rules: %w", err)
	}
	return list, nil
}

// staffSettingsSave stores the settings that changed, all or none.
func (s *server) staffSettingsSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	before, err := camp.AllSettings(r.Context(), s.DB)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	if f.Text("commune.name") == "" {
		f.Add("commune.name", "form.required")
	}
	after := maps.Clone(before)
	for key := range after {
		if _, sent := f.Values()[key]; sent {
			after[key] = f.Text(key)
		}
	}
	if _, err := dunning.RulesOf(after); err != nil {
		if err := f.Take(err); err != nil {
			return err
		}
	}
	err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		for _, key := range camp.SettingNames() {
			value, sent := settingTyped(f, key)
			if !sent || value == before[key] { // what a page did not ask stays
				continue
			}
			if checkSetting(f, key, value); !f.OK() {
				continue
			}
			if err := camp.SetSetting(ctx, tx, actor, key, value); err != nil {
				return err
			}
		}
		if !f.OK() {
			return errSettings
		}
		return nil
	})
	if err != nil && f.OK() {
		return err
	}
	if !f.OK() {
		p, err := s.settingsPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/settings", f, p)
	}
	s.forgetCommune()
	s.flash(w, "flash.settings_saved")
	return seeOther(w, r, "/gestion/reglages")
}

var (
	errSettings = problem.Invalid("form.invalid") // ends the transaction; the form says the rest
	errNoChild  = problem.NotFound("portal.error.not_found")
)

// forgetCommune lets the next page read the commune's name again.
func (s *server) forgetCommune() {
	s.nameMu.Lock()
	defer s.nameMu.Unlock()
	s.name = ""
}

// staffRuleSave changes when and how often a reminder goes out.
func (s *server) staffRuleSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	code := mux.Vars(r)["code"]
	rule := notice.Rule{
		Code: code, FirstDays: number(f, "first_days"), EveryDays: number(f, "every_days"), AtMost: number(f, "at_most"), Enabled: f.Checked("enabled"),
	}
	// What is no number became 0, which the rule refuses too: all faults are told at once.
	actor, _ := s.actorOf(r)
	rules := notice.Store{DB: s.DB, Now: s.Now} // a rule needs neither mail nor queue
	if err := f.Take(rules.SaveRule(r.Context(), actor, rule)); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.settingsPage(r)
		if err != nil {
			return err
		}
		p.Rule, p.RuleForm = code, f
		return s.refuse(w, r, "staff/settings", f, p)
	}
	s.flash(w, "flash.rule_saved")
	return seeOther(w, r, "/gestion/reglages#rappels")
}
