package portal

import (
	"fmt"
	"strings"

	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
)

// sheetRow is one question of a medical sheet with its answer in words, "" for none.
type sheetRow struct {
	Section string // key of the heading, on its first row
	Label   string
	Value   string
	Phone   string // E.164, when the answer is somebody to call
}

// sheetRows puts a whole sheet in words, in the order of its page. Lists have one row a line.
func sheetRows(l *locale.Locale, v medical.Sheet) []sheetRow {
	var rows []sheetRow
	section := ""
	add := func(label, value, phone string) {
		rows = append(rows, sheetRow{Section: section, Label: label, Value: value, Phone: phone})
		section = ""
	}
	text := func(key, value string) { add(l.T("portal.sheet."+key), value, "") }
	answer := func(key string, a medical.Answer, detail string) {
		add(l.T("portal.sheet."+key), strings.TrimSuffix(said(l, a)+" : "+detail, " : "), "")
	}
	line := func(list string, i int, phone string, parts ...string) {
		add(fmt.Sprintf("%s %d", l.T("portal.sheet."+list), i+1), sentence(parts...), phone)
	}

	section = "portal.sheet.care"
	text("important", v.Important)
	answer("has_allergies", v.HasAllergies, "")
	for i, a := range v.Allergies {
		severe := ""
		if a.Severe == medical.Yes {
			severe = l.T("leader.severe")
		}
		line("allergies", i, "", severe, a.To, a.Consequence, a.Treatment)
	}
	answer("has_diseases", v.HasDiseases, "")
	for i, d := range v.Diseases {
		line("diseases", i, "", d.Name, d.Gravity, d.Treatment)
	}
	answer("takes_medication", v.TakesMedication, "")
	for i, m := range v.Medications {
		alone := ""
		if m.Alone != medical.Unsaid {
			alone = l.T("portal.sheet.medication_alone") + " " + said(l, m.Alone)
		}
		line("medications", i, "", m.Name, m.Quantity, m.When, alone)
	}
	answer("has_diet", v.HasDiet, v.Diet)

	section = "portal.sheet.health"
	tetanus := ""
	if !v.TetanusLast.IsZero() {
		tetanus = l.DayOfYear(v.TetanusLast)
	}
	answer("tetanus", v.Tetanus, tetanus)
	answer("had_operation", v.HadOperation, v.Operation)
	answer("has_disability", v.HasDisability, v.Disability)
	answer("must_avoid", v.MustAvoid, v.Avoid)
	add(l.T("portal.sheet.doctor_name"), sentence(v.Doctor.Name, v.Doctor.Address), v.Doctor.Phone)
	text("health_fund", v.HealthFund)

	section = "portal.sheet.people"
	for i, p := range v.Emergency {
		line("emergency", i, p.Phone, p.Name, p.Relation)
	}
	for i, p := range v.PickUp {
		line("pick_up", i, p.Phone, p.Name, p.Relation)
	}

	section = "portal.sheet.daily"
	answer("glasses", v.Glasses, "")
	answer("hearing_aid", v.HearingAid, "")
	answer("naps", v.Naps, "")
	text("comforter", v.Comforter)
	answer("swims", v.Swims, v.SwimLevel)
	answer("cycles", v.Cycles, "")

	section = "portal.sheet.allow"
	answer("allow_care", v.AllowCare, "")
	answer("allow_first_aid", v.AllowFirstAid, "")
	answer("allow_sun_cream", v.AllowSunCream, "")
	answer("allow_alone", v.AllowAlone, "")
	answer("allow_photo", v.AllowPhoto, "")
	answer("allow_public", v.AllowPublic, "")
	text("remarks", v.Remarks)
	return rows
}

// said is an answer in words; no answer is never taken for a no.
func said(l *locale.Locale, a medical.Answer) string {
	switch a {
	case medical.Yes, medical.No:
		return l.T("medical.answer." + string(a))
	}
	return l.T("medical.answer.unsaid")
}

// sentence joins what is not empty.
func sentence(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, " — ")
}
