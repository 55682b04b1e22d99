package medical

import "ribambelle/internal/problem"

// Missing returns the names of the inputs without which the sheet cannot be relied on in an emergency, in the order of
// the page: what the leaders must know, whether a doctor may act, and someone to call beside the guardians. "emergency"
// stands for such a person or the child's doctor. An empty list is a complete sheet.
func (v Sheet) Missing() []string {
	var missing []string
	for _, q := range []struct {
		name string
		said bool
	}{
		{"has_allergies", v.HasAllergies != Unsaid},
		{"has_diseases", v.HasDiseases != Unsaid},
		{"takes_medication", v.TakesMedication != Unsaid},
		{"has_diet", v.HasDiet != Unsaid},
		{"emergency", len(compact(v.Emergency)) > 0 || v.Doctor.Phone != ""},
		{"allow_care", v.AllowCare != Unsaid},
	} {
		if !q.said {
			missing = append(missing, q.name)
		}
	}
	return missing
}

// incomplete returns Invalid with every missing answer under the name of its input, or nil.
func (v Sheet) incomplete() error {
	var f problem.Fields
	for _, name := range v.Missing() {
		f.Add(name, "medical.missing."+name)
	}
	return f.Err()
}
