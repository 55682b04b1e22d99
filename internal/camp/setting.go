package camp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Settings is what the portal's staff decide about a camp, beside what Odoo says.
type Settings struct {
	Levels     []string
	Themes     []string
	AgeMin     *int
	AgeMax     *int
	Published  bool
	OpensAt    *time.Time
	ClosesAt   *time.Time
	Decision   string
	PayDays    int
	PriceCents civil.Cents
	SheetDays  int
	Bring      string
	Contact    string
	Terms      *Terms // nil leaves them as they are
}

// maxPrice is a bound against a slip of the keyboard: 5 000,00 €.
const maxPrice = 500_000

func (v Settings) validate() error {
	var f problem.Fields
	for _, l := range v.Levels {
		if civil.LevelIndex(l) < 0 {
			f.Add("levels", "camp.level_unknown", l)
		}
	}
	if v.AgeMin != nil && (*v.AgeMin < 0 || *v.AgeMin > 25) {
		f.Add("age_min", "camp.age_out_of_range")
	}
	if v.AgeMax != nil && (*v.AgeMax < 0 || *v.AgeMax > 25) {
		f.Add("age_max", "camp.age_out_of_range")
	}
	if v.AgeMin != nil && v.AgeMax != nil && *v.AgeMin > *v.AgeMax {
		f.Add("age_max", "camp.ages_crossed")
	}
	if v.OpensAt != nil && v.ClosesAt != nil && !v.OpensAt.Before(*v.ClosesAt) {
		f.Add("closes_at", "camp.window_crossed")
	}
	if !slices.Contains(Decisions, v.Decision) {
		f.Add("decision", "camp.decision_unknown")
	}
	if v.PayDays < 1 || v.PayDays > 90 {
		f.Add("pay_days", "camp.pay_days_out_of_range")
	}
	if v.PriceCents < 0 || v.PriceCents > maxPrice {
		f.Add("price", "camp.price_out_of_range")
	}
	if v.SheetDays < 1 || v.SheetDays > 730 {
		f.Add("sheet_days", "camp.sheet_days_out_of_range")
	}
	if len(v.Bring) > 4000 {
		f.Add("bring", "form.too_long")
	}
	if len(v.Contact) > 500 {
		f.Add("contact", "form.too_long")
	}
	if v.Terms != nil {
		v.Terms.validate(&f)
	}
	return f.Err()
}

// SaveSettings stores the settings of a camp; Invalid with every faulty field, NotFound without the camp.
func (s *Store) SaveSettings(ctx context.Context, actor audit.Actor, id uuid.UUID, v Settings) error {
	if err := v.validate(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE camp
			SET set_levels = @levels, set_themes = @themes, set_age_min = @age_min, set_age_max = @age_max, published = @published,
			  opens_at = @opens_at, closes_at = @closes_at, decision = @decision, pay_days = @pay_days, price_cents = @price,
			  sheet_days = @sheet_days, bring = @bring, contact = @contact, updated_at = now()
			WHERE id = @id`,
			pgx.NamedArgs{
				"id": id, "levels": nonNil(v.Levels), "themes": nonNil(v.Themes), "age_min": v.AgeMin, "age_max": v.AgeMax,
				"published": v.Published, "opens_at": v.OpensAt, "closes_at": v.ClosesAt, "decision": v.Decision,
				"pay_days": v.PayDays, "price": v.PriceCents, "sheet_days": v.SheetDays, "bring": v.Bring, "contact": v.Contact,
			})
		if err != nil {
			return fmt.Errorf("saving the settings of camp %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("camp.not_found")
		}
		if v.Terms != nil {
			if err := saveTerms(ctx, tx, id, *v.Terms); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, "camp.settings", "camp", id.String(), map[string]any{"settings": v})
	})
}

// SettingKeys are the settings of the commune and what they are when nobody set them.
var SettingKeys = map[string]string{
	"commune.name":      "Commune",
	"commune.street":    "",
	"commune.city":      "",
	"commune.email":     "",
	"commune.phone":     "",
	"commune.bce":       "",
	"commune.iban":      "",
	"commune.bic":       "",
	"commune.postcodes": "", // of its residents, separated by spaces
	"commune.vat":       "Exonéré de la TVA, article 44, § 2, 2° du Code de la TVA",
	"commune.dpo":       "",
	"odoo.levels":       "Niveau",
	"odoo.themes":       "Thème",
	"odoo.ages":         "Âge",
	"odoo.mail":         "", // "oui" lets Odoo mail its own confirmation too
	"mail.reply_to":     "",
	"invoice.prefix":    "F",
	"cash.no_desk":      "", // "oui" takes notes and coins at the counter without an open desk
	"sepa.version":      "", // "03" writes transfers as pain.001.001.03, else as .09
	"payment.prefer":    "", // the provider that is asked first, by name: mollie, bancontactpro
	"payment.epc_plus":  "", // "oui" writes the communication in the transfer's QR code with its +++, else bare
	"credit.prefix":     "NC",
	"commune.language":  "fr",        // of its documents: the language of the administration (laws of 18 July 1966)
	"invoice.name":      "facture",   // or "invitation": what the documents are called
	"invoice.when":      "confirmed", // or "charged": before the payment
	"invoice.appeal":    "",          // how to contest, printed as it stands
	"invoice.late":      "",          // what follows a late payment
	"invoice.privacy":   "",          // what becomes of the data
	// The attestations: who is authorised to certify care (281.86, cadre I) and who signs.
	"attestation.prefix":           "ATT",
	"attestation.certification":    "2", // code f86_2031 of Belcotax: 0 not applicable, 1 ONE, 2 public authority, 3 abroad, 4 school
	"attestation.certifier_name":   "",  // empty: the commune itself, with its address and number
	"attestation.certifier_bce":    "",
	"attestation.certifier_street": "",
	"attestation.certifier_city":   "",
	"attestation.certified_from":   "", // only when it does not hold for the whole year
	"attestation.certified_until":  "",
	"attestation.signatory":        "",
	"attestation.capacity":         "",
	"attestation.proxy":            "", // "oui": signs by proxy
	"attestation.contact":          "", // the person whom Belcotax-on-web may ask
	"attestation.activity":         "Stage de vacances, sans nuitée",
	"attestation.one":              "", // number that the ONE gave the organiser
	"attestation.bus":              "", // "oui" counts the bus as care
	"attestation.unmarked":         "", // "oui" counts a day without a mark as attended
	"dunning.reminder_days":        "5",
	"dunning.notice_days":          "7",
	"dunning.recovery_days":        "15",
	"dunning.days":                 "14",
	"dunning.notice_fee":           "0,00",
	"dunning.recovery_fee":         "0,00",
	"dunning.interest":             "0",
	"dunning.interest_most":        "10,50", // of the half-year, Moniteur belge
	"dunning.cap_150":              "20,00", // the caps of the Code de droit économique, article XIX.4
	"dunning.cap_500":              "30,00",
	"dunning.cap_500_percent":      "10",
	"dunning.cap_above":            "65,00",
	"dunning.cap_above_percent":    "5",
	"dunning.cap_most":             "2000,00",
	"dunning.automatic":            "none", // "reminder" or "notice": up to which step nobody decides
	"dunning.text_reminder":        "",
	"dunning.text_notice":          "",
	"dunning.text_recovery":        "",
	"account.debtors":              "40000",
	"account.revenue":              "70500",
	"account.fees":                 "74300",
	"account.losses":               "63400",
	"account.bank":                 "55006",
	"account.cash":                 "57000",
	"account.online":               "58000",
	"account.transfer":             "49900",
}

// Setting returns a setting of the commune, or its default.
func Setting(ctx context.Context, q db.Querier, key string) (string, error) {
	fallback, ok := SettingKeys[key]
	if !ok {
		return "", fmt.Errorf("setting %q is not declared", key)
	}
	var v string
	err := q.QueryRow(ctx, `
		SELECT value
		FROM setting
		WHERE key = @key`,
		pgx.NamedArgs{"key": key}).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		return fallback, nil
	}
	if err != nil {
		return "", fmt.Errorf("reading setting %s: %w", key, err)
	}
	return v, nil
}

// AllSettings returns every declared setting with its value or default.
func AllSettings(ctx context.Context, q db.Querier) (map[string]string, error) {
	all := make(map[string]string, len(SettingKeys))
	for k, v := range SettingKeys {
		all[k] = v
	}
	rows, err := q.Query(ctx, `
		SELECT key, value
		FROM setting`)
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	var k, v string
	_, err = pgx.ForEachRow(rows, []any{&k, &v}, func() error {
		all[k] = v
		return nil
	})
	return all, err
}

// SetSetting stores a setting of the commune; an unknown key or a value over 500 bytes is refused.
func SetSetting(ctx context.Context, q db.Querier, actor audit.Actor, key, value string) error {
	if _, ok := SettingKeys[key]; !ok {
		return problem.Invalid("setting.unknown", key)
	}
	value = strings.TrimSpace(value)
	if len(value) > 500 {
		return problem.Invalid("form.too_long")
	}
	_, err := q.Exec(ctx, `
		INSERT INTO setting (key, value)
		VALUES (@key, @value)
		ON CONFLICT (key)
		DO UPDATE SET value = EXCLUDED.value, updated_at = now()`,
		pgx.NamedArgs{"key": key, "value": value})
	if err != nil {
		return fmt.Errorf("storing setting %s: %w", key, err)
	}
	return audit.Record(ctx, q, actor, "setting.changed", "setting", key, map[string]any{"value": value})
}

// SettingNames returns the declared keys in order.
func SettingNames() []string {
	names := make([]string, 0, len(SettingKeys))
	for k := range SettingKeys {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}
