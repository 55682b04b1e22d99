package portal

import (
	"fmt"
	"strconv"

	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/portal/form"
)

// sheetTexts and sheetAnswers are the inputs of a medical sheet that hold one value, with where they go. The names are
// those of medical's problems.
func sheetTexts(v *medical.Sheet) map[string]*string {
	return map[string]*string{
		"diet": &v.Diet, "important": &v.Important, "operation": &v.Operation, "disability": &v.Disability, "avoid": &v.Avoid,
		"comforter": &v.Comforter, "swim_level": &v.SwimLevel, "doctor.name": &v.Doctor.Name, "doctor.phone": &v.Doctor.Phone,
		"doctor.address": &v.Doctor.Address, "health_fund": &v.HealthFund, "remarks": &v.Remarks,
	}
}

func sheetAnswers(v *medical.Sheet) map[string]*medical.Answer {
	return map[string]*medical.Answer{
		"has_allergies": &v.HasAllergies, "has_diseases": &v.HasDiseases, "takes_medication": &v.TakesMedication, "has_diet": &v.HasDiet,
		"tetanus": &v.Tetanus, "had_operation": &v.HadOperation, "has_disability": &v.HasDisability, "must_avoid": &v.MustAvoid,
		"glasses": &v.Glasses, "hearing_aid": &v.HearingAid, "naps": &v.Naps, "swims": &v.Swims, "cycles": &v.Cycles,
		"allow_care": &v.AllowCare, "allow_first_aid": &v.AllowFirstAid, "allow_sun_cream": &v.AllowSunCream, "allow_alone": &v.AllowAlone,
		"allow_photo": &v.AllowPhoto, "allow_public": &v.AllowPublic,
	}
}

// sheetLists are the lists of a sheet in the order of the page.
var sheetLists = []string{"allergies", "diseases", "medications", "emergency", "pick_up"}

// readSheet makes a sheet of a form. Lines of a list that are empty are left out, as the room leaves them out, so that
// its problems name the lines that fillSheet shows.
func readSheet(f *form.Form) medical.Sheet {
	var v medical.Sheet
	v.Version, _ = f.Int("version")
	for name, to := range sheetTexts(&v) {
		*to = f.Text(name)
	}
	v.Doctor.Phone = e164(v.Doctor.Phone)
	for name, to := range sheetAnswers(&v) {
		*to = medical.Answer(f.Text(name))
	}
	v.TetanusLast = f.Date("tetanus_last")
	for i := range medical.MaxLines + 1 {
		at := func(list, name string) string { return f.Text(fmt.Sprintf("%s.%d.%s", list, i, name)) }
		a := medical.Allergy{To: at("allergies", "to"), Consequence: at("allergies", "consequence"), Treatment: at("allergies", "treatment"), Severe: medical.Answer(at("allergies", "severe"))}
		if a != (medical.Allergy{}) {
			v.Allergies = append(v.Allergies, a)
		}
		d := medical.Disease{Name: at("diseases", "name"), Gravity: at("diseases", "gravity"), Treatment: at("diseases", "treatment")}
		if d != (medical.Disease{}) {
			v.Diseases = append(v.Diseases, d)
		}
		m := medical.Medication{Name: at("medications", "name"), Quantity: at("medications", "quantity"), When: at("medications", "when"), Alone: medical.Answer(at("medications", "alone"))}
		if m != (medical.Medication{}) {
			v.Medications = append(v.Medications, m)
		}
		for list, to := range map[string]*[]medical.Person{"emergency": &v.Emergency, "pick_up": &v.PickUp} {
			p := medical.Person{Name: at(list, "name"), Relation: at(list, "relation"), Phone: e164(at(list, "phone"))}
			if p != (medical.Person{}) {
				*to = append(*to, p)
			}
		}
	}
	return v
}

// fillSheet puts a sheet in a form, whatever else the form holds.
func fillSheet(f *form.Form, v medical.Sheet) {
	f.Set("version", strconv.Itoa(v.Version))
	for name, from := range sheetTexts(&v) {
		f.Set(name, *from)
	}
	f.Set("doctor.phone", shownPhone(v.Doctor.Phone))
	for name, from := range sheetAnswers(&v) {
		f.Set(name, string(*from))
	}
	if !v.TetanusLast.IsZero() {
		f.SetDate("tetanus_last", v.TetanusLast)
	}
	set := func(list string, i int, name, value string) { f.Set(fmt.Sprintf("%s.%d.%s", list, i, name), value) }
	for i := range medical.MaxLines + 1 { // the lines have moved up over the empty ones
		for list, names := range map[string][]string{
			"allergies": {"to", "consequence", "treatment", "severe"}, "diseases": {"name", "gravity", "treatment"},
			"medications": {"name", "quantity", "when", "alone"}, "emergency": {"name", "relation", "phone"}, "pick_up": {"name", "relation", "phone"},
		} {
			for _, name := range names {
				set(list, i, name, "")
			}
		}
	}
	for i, a := range v.Allergies {
		set("allergies", i, "to", a.To)
		set("allergies", i, "consequence", a.Consequence)
		set("allergies", i, "treatment", a.Treatment)
		set("allergies", i, "severe", string(a.Severe))
	}
	for i, d := range v.Diseases {
		set("diseases", i, "name", d.Name)
		set("diseases", i, "gravity", d.Gravity)
		set("diseases", i, "treatment", d.Treatment)
	}
	for i, m := range v.Medications {
		set("medications", i, "name", m.Name)
		set("medications", i, "quantity", m.Quantity)
		set("medications", i, "when", m.When)
		set("medications", i, "alone", string(m.Alone))
	}
	for list, persons := range map[string][]medical.Person{"emergency": v.Emergency, "pick_up": v.PickUp} {
		for i, p := range persons {
			set(list, i, "name", p.Name)
			set(list, i, "relation", p.Relation)
			set(list, i, "phone", shownPhone(p.Phone))
		}
	}
}

// sheetLines returns, for each list, the indexes of the lines to show: those that are filled and a spare one, or more
// when the family asked for more.
func sheetLines(v medical.Sheet, more string) map[string][]int {
	filled := map[string]int{
		"allergies": len(v.Allergies), "diseases": len(v.Diseases), "medications": len(v.Medications), "emergency": len(v.Emergency), "pick_up": len(v.PickUp),
	}
	lines := map[string][]int{}
	for _, list := range sheetLists {
		n := filled[list] + 1
		if more == list {
			n += 2
		}
		for i := range min(n, medical.MaxLines) {
			lines[list] = append(lines[list], i)
		}
	}
	return lines
}

func shownPhone(n string) string {
	if n == "" {
		return ""
	}
	return locale.Phone(n)
}
