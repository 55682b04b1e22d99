package medical

import (
	"fmt"
	"io"
	"log/slog"
)

// Alert is what a leader needs of a sheet in an emergency, for the list of a camp and for registers: what must be seen
// at a glance, the severe first with what to do, whom to call, who may fetch the child. It prints and logs as a placeholder.
type Alert struct {
	Known       bool      // a sheet exists; without one nothing is known, which is no "nothing to report"
	Severe      bool      // at least one allergy is severe, or something important is said
	Important   string    // what must be known at once
	Allergies   []Allergy // with consequence and treatment, severe ones first
	Diseases    []Disease
	Medications []Medication
	Diet        string
	Avoid       string   // activities that the child may not do
	Unsaid      []string // which of allergies, diseases, medication and diet were left without answer, as input names

	AllowCare  Answer // urgent care decided by a doctor when no guardian answers
	AllowAlone Answer // going home alone
	Doctor     Doctor
	Emergency  []Person // whom to call when no guardian answers
	PickUp     []Person // who may fetch the child beside the guardians
}

// Any reports whether there is anything to show beside "nothing to report".
func (a Alert) Any() bool {
	return !a.Known || a.Important != "" || len(a.Allergies) > 0 || len(a.Diseases) > 0 || len(a.Medications) > 0 ||
		a.Diet != "" || a.Avoid != "" || len(a.Unsaid) > 0
}

// Format writes a placeholder whatever the verb.
func (Alert) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a placeholder.
func (Alert) LogValue() slog.Value { return slog.StringValue(redacted) }

// alert draws the headline of a sheet.
func (v Sheet) alert() Alert {
	a := Alert{Known: true, Important: v.Important, Severe: v.Important != "", Diet: v.Diet, Avoid: v.Avoid}
	a.Diseases, a.Medications, a.Doctor, a.Emergency, a.PickUp = v.Diseases, v.Medications, v.Doctor, v.Emergency, v.PickUp
	a.AllowCare, a.AllowAlone = v.AllowCare, v.AllowAlone
	for _, severe := range []bool{true, false} {
		for _, each := range v.Allergies {
			if (each.Severe == Yes) == severe {
				a.Allergies = append(a.Allergies, each)
				a.Severe = a.Severe || severe
			}
		}
	}
	for _, q := range []struct {
		name   string
		answer Answer
	}{
		{"has_allergies", v.HasAllergies},
		{"has_diseases", v.HasDiseases},
		{"takes_medication", v.TakesMedication},
		{"has_diet", v.HasDiet},
	} {
		if q.answer == Unsaid {
			a.Unsaid = append(a.Unsaid, q.name)
		}
	}
	return a
}
