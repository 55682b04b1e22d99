package medical

import (
	"fmt"
	"io"
	"log/slog"
)

// Alert is the headline of a sheet, for the list of a leader and for registers: what must be seen at a glance, the
// severe first. It prints and logs as a placeholder.
type Alert struct {
	Known       bool     // a sheet exists; without one nothing is known, which is no "nothing to report"
	Severe      bool     // at least one allergy is severe, or something important is said
	Important   string   // what must be known at once
	Allergies   []string // what the child is allergic to, severe ones first
	Diseases    []string
	Medications []string
	Diet        string
	Avoid       string   // activities that the child may not do
	Unsaid      []string // which of allergies, diseases, medication and diet were left without answer, as input names
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
	for _, severe := range []bool{true, false} {
		for _, each := range v.Allergies {
			if (each.Severe == Yes) == severe {
				a.Allergies = append(a.Allergies, each.To)
				a.Severe = a.Severe || severe
			}
		}
	}
	for _, each := range v.Diseases {
		a.Diseases = append(a.Diseases, each.Name)
	}
	for _, each := range v.Medications {
		a.Medications = append(a.Medications, each.Name)
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
