package portal

import (
	"net/mail"
	"slices"
	"unicode/utf8"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay/transfer"
	"ribambelle/portal/form"
	"ribambelle/reports"
)

// yesNo are the values of a setting that is on or off.
var yesNo = []string{"", "oui"}

// settingChoices are the settings that take one of a few values, the default first. A value is told by the key
// "setting.<name>.<value>", with "default" for none; a language by its own name.
var settingChoices = map[string][]string{
	"commune.language":          locale.Languages,
	"invoice.name":              {ledger.CalledInvoice, ledger.CalledInvitation},
	"invoice.when":              {"confirmed", "charged"},
	"dunning.automatic":         {"none", "reminder", "notice"},
	"attestation.certification": {"2", "1", "3", "4", "0"}, // f86_2031 of Belcotax
	"attestation.proxy":         yesNo,
	"attestation.bus":           yesNo,
	"attestation.unmarked":      yesNo,
	"odoo.mail":                 yesNo,
	"cash.no_desk":              yesNo,
	"payment.epc_plus":          yesNo,
	"payment.prefer":            {"", "mollie", "bancontactpro"},
	"sepa.version":              {"", "03"},
}

// What is more than a line of text.
var (
	longSettings = []string{"invoice.appeal", "invoice.late", "invoice.privacy", "dunning.text_reminder", "dunning.text_notice", "dunning.text_recovery"} // printed as they stand
	dateSettings = []string{"attestation.certified_from", "attestation.certified_until"}
)

// How long a setting may be, in characters.
const (
	settingLength     = 500
	longSettingLength = 2000
)

func (s *server) settingField(l *locale.Locale, key string) settingField {
	f := settingField{Name: key, Label: l.T("setting." + key), Kind: "text", Max: settingLength}
	if hint := "setting." + key + ".hint"; l.Has(hint) {
		f.Hint = l.T(hint)
	}
	switch {
	case slices.Contains(longSettings, key):
		f.Kind, f.Max = "textarea", longSettingLength
	case slices.Contains(dateSettings, key):
		f.Kind = "date"
	}
	for _, value := range settingChoices[key] {
		f.Kind = "select"
		f.Choices = append(f.Choices, choice{Value: value, Text: settingChoice(l, key, value)})
	}
	return f
}

// settingChoice tells a value of a setting.
func settingChoice(l *locale.Locale, key, value string) string {
	switch {
	case key == "commune.language":
		return locale.For(value).T("doc.own_name")
	case key == "invoice.name":
		return reports.InvoiceTitle(l, ledger.InvoiceContent{Called: value})
	case value == "oui":
		return l.T("staff.settings.yes")
	case value == "" && slices.Equal(settingChoices[key], yesNo):
		return l.T("staff.settings.no")
	case value == "":
		value = "default"
	}
	return l.T("setting." + key + "." + value)
}

// fillSetting puts the stored value of a setting into the form.
func fillSetting(f *form.Form, key, value string) {
	if slices.Contains(dateSettings, key) {
		day, _ := civil.ParseDate(value) // what is no date shows none
		f.SetDate(key, day)
		return
	}
	f.Set(key, value)
}

// settingTyped reads a setting as it is stored, and whether the form had it at all.
func settingTyped(f *form.Form, key string) (value string, sent bool) {
	if slices.Contains(dateSettings, key) {
		_, sent = f.Values()[key+"_day"]
		return f.Date(key).String(), sent
	}
	_, sent = f.Values()[key]
	return f.Text(key), sent
}

// checkSetting notes in the form what is wrong with a setting that changes. An account or an enterprise number with a
// slip would stand on every invoice.
func checkSetting(f *form.Form, key, value string) {
	most := settingLength
	if slices.Contains(longSettings, key) {
		most = longSettingLength
	}
	if utf8.RuneCountInString(value) > most {
		f.Add(key, "form.too_long")
	}
	if choices := settingChoices[key]; choices != nil && !slices.Contains(choices, value) {
		f.Add(key, "staff.settings.choice_unknown")
	}
	if value == "" {
		return
	}
	var err error
	code := ""
	switch key {
	case "commune.iban":
		_, err = transfer.ParseIBAN(value)
		code = "refund.iban_wrong"
	case "commune.bce", "attestation.certifier_bce":
		_, err = household.ParseBCE(value)
		code = "household.bce_wrong"
	case "commune.email", "mail.reply_to":
		_, err = mail.ParseAddress(value)
		code = "household.email_invalid"
	}
	if err != nil {
		f.Add(key, code)
	}
}
