package medical

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Answer is yes, no, or not said. Not said is never taken for no.
type Answer string

// The answers; "medical.answer.yes", ".no" and ".unsaid" are the keys of their names.
const (
	Unsaid Answer = ""
	Yes    Answer = "yes"
	No     Answer = "no"
)

// Bounds, in characters and lines: enough for any child, small enough for one page.
const (
	MaxShort = 120
	MaxText  = 1000
	MaxLines = 12
)

// Sheet is the medical sheet of a child as its guardians fill it in. The questions are those in use in Walloon
// communes, without what a camp does not need to care for a child (blood group, weight).
//
// A Sheet prints and logs as a placeholder; its lists do too as long as the Sheet is what is printed.
type Sheet struct {
	// Version is the one that was read, 0 for none; Save refuses to write over a newer one.
	Version int `json:"-"`

	HasAllergies Answer    `json:"has_allergies,omitempty"`
	Allergies    []Allergy `json:"allergies,omitempty"`

	HasDiseases Answer    `json:"has_diseases,omitempty"`
	Diseases    []Disease `json:"diseases,omitempty"`

	TakesMedication Answer       `json:"takes_medication,omitempty"`
	Medications     []Medication `json:"medications,omitempty"`

	HasDiet Answer `json:"has_diet,omitempty"`
	Diet    string `json:"diet,omitempty"`

	// Important is what must be known at once: epilepsy, heart, asthma.
	Important string `json:"important,omitempty"`

	Tetanus     Answer     `json:"tetanus,omitempty"`
	TetanusLast civil.Date `json:"tetanus_last,omitzero"`

	HadOperation Answer `json:"had_operation,omitempty"`
	Operation    string `json:"operation,omitempty"`

	HasDisability Answer `json:"has_disability,omitempty"`
	Disability    string `json:"disability,omitempty"`

	MustAvoid Answer `json:"must_avoid,omitempty"` // activities that the child may not do
	Avoid     string `json:"avoid,omitempty"`      // which, and why

	Glasses    Answer `json:"glasses,omitempty"`
	HearingAid Answer `json:"hearing_aid,omitempty"`
	Naps       Answer `json:"naps,omitempty"`
	Comforter  string `json:"comforter,omitempty"`

	Swims     Answer `json:"swims,omitempty"`
	SwimLevel string `json:"swim_level,omitempty"`
	Cycles    Answer `json:"cycles,omitempty"`

	Doctor     Doctor   `json:"doctor,omitzero"`
	HealthFund string   `json:"health_fund,omitempty"` // mutuelle
	Emergency  []Person `json:"emergency,omitempty"`   // whom to call when no guardian answers
	PickUp     []Person `json:"pick_up,omitempty"`     // who may fetch the child

	AllowCare     Answer `json:"allow_care,omitempty"`      // urgent care decided by a doctor when no guardian answers
	AllowFirstAid Answer `json:"allow_first_aid,omitempty"` // arnica gel, disinfectant, plasters
	AllowSunCream Answer `json:"allow_sun_cream,omitempty"`
	AllowAlone    Answer `json:"allow_alone,omitempty"` // going home alone
	AllowPhoto    Answer `json:"allow_photo,omitempty"` // pictures for the families of the camp
	AllowPublic   Answer `json:"allow_public,omitempty"`

	Remarks string `json:"remarks,omitempty"`
}

// Allergy is one allergy or intolerance.
type Allergy struct {
	To          string `json:"to"`
	Consequence string `json:"consequence,omitempty"`
	Treatment   string `json:"treatment,omitempty"`
	Severe      Answer `json:"severe,omitempty"`
}

// Disease is one illness that the leaders must know of.
type Disease struct {
	Name      string `json:"name"`
	Gravity   string `json:"gravity,omitempty"`
	Treatment string `json:"treatment,omitempty"`
}

// Medication is one line of what the child takes; nothing is given without the doctor's prescription.
type Medication struct {
	Name     string `json:"name"`
	Quantity string `json:"quantity,omitempty"`
	When     string `json:"when,omitempty"`
	Alone    Answer `json:"alone,omitempty"` // the child takes it without help
}

// Doctor is the child's own doctor.
type Doctor struct {
	Name    string `json:"name,omitempty"`
	Phone   string `json:"phone,omitempty"` // E.164
	Address string `json:"address,omitempty"`
}

// Person is someone to call or someone who may fetch the child.
type Person struct {
	Name     string `json:"name"`
	Relation string `json:"relation,omitempty"`
	Phone    string `json:"phone,omitempty"` // E.164; required of those to call
}

// redacted is what a sheet or a part of it looks like in a log or an error.
const redacted = "[medical]"

// Format writes a placeholder whatever the verb.
func (Sheet) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format writes a placeholder whatever the verb.
func (Allergy) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format writes a placeholder whatever the verb.
func (Disease) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format writes a placeholder whatever the verb.
func (Medication) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format writes a placeholder whatever the verb.
func (Doctor) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Format writes a placeholder whatever the verb.
func (Person) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a placeholder.
func (Sheet) LogValue() slog.Value { return slog.StringValue(redacted) }

// LogValue logs a placeholder.
func (Allergy) LogValue() slog.Value { return slog.StringValue(redacted) }

// LogValue logs a placeholder.
func (Disease) LogValue() slog.Value { return slog.StringValue(redacted) }

// LogValue logs a placeholder.
func (Medication) LogValue() slog.Value { return slog.StringValue(redacted) }

// LogValue logs a placeholder.
func (Doctor) LogValue() slog.Value { return slog.StringValue(redacted) }

// LogValue logs a placeholder.
func (Person) LogValue() slog.Value { return slog.StringValue(redacted) }

// check collects the problems of a sheet under the names of its inputs; lines of lists are named "allergies.0.to".
type check struct{ problems problem.Fields }

// text trims a text, keeps its line breaks, and bounds it.
func (c *check) text(name string, value *string, bound int, required bool) {
	v := strings.TrimSpace(strings.ReplaceAll(*value, "\r\n", "\n"))
	*value = v
	switch {
	case v == "" && required:
		c.problems.Add(name, "medical.required")
	case utf8.RuneCountInString(v) > bound:
		c.problems.Add(name, "medical.too_long", bound)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }):
		c.problems.Add(name, "medical.unreadable")
	}
}

func (c *check) answer(name string, a Answer) {
	if a != Unsaid && a != Yes && a != No {
		c.problems.Add(name, "medical.answer_unknown")
	}
}

// detail checks an answer with the text that a yes needs; a text behind another answer is a contradiction.
func (c *check) detail(name string, a Answer, textName string, value *string) {
	c.answer(name, a)
	c.text(textName, value, MaxText, a == Yes)
	if a != Yes && *value != "" {
		c.problems.Add(name, "medical.contradiction")
	}
}

// lines checks an answer with the list that a yes needs.
func (c *check) lines(name string, a Answer, listName string, n int) {
	c.answer(name, a)
	switch {
	case a == Yes && n == 0:
		c.problems.Add(listName, "medical.list_empty")
	case a != Yes && n > 0:
		c.problems.Add(name, "medical.contradiction")
	}
	c.bounded(listName, n)
}

func (c *check) bounded(listName string, n int) {
	if n > MaxLines {
		c.problems.Add(listName, "medical.list_long", MaxLines)
	}
}

// e164 is the shape of an international telephone number (ITU-T E.164).
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (c *check) phone(name string, value *string, required bool) {
	*value = strings.TrimSpace(*value)
	switch {
	case *value == "" && required:
		c.problems.Add(name, "medical.required")
	case *value != "" && !e164.MatchString(*value):
		c.problems.Add(name, "medical.phone_invalid")
	}
}

func (c *check) persons(listName string, list []Person, toCall bool) {
	c.bounded(listName, len(list))
	for i := range list {
		at := fmt.Sprintf("%s.%d.", listName, i)
		c.text(at+"name", &list[i].Name, MaxShort, true)
		c.text(at+"relation", &list[i].Relation, MaxShort, false)
		c.phone(at+"phone", &list[i].Phone, toCall)
	}
}

// compact drops the lines that were left empty on the form, so that spare lines cost nothing.
func compact[T comparable](list []T) []T {
	var empty T
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return v == empty })
}

// validate cleans the sheet and returns every problem of it at once. No problem carries a value of it.
func (v *Sheet) validate(today civil.Date) error {
	var c check
	v.Allergies, v.Diseases, v.Medications = compact(v.Allergies), compact(v.Diseases), compact(v.Medications)
	v.Emergency, v.PickUp = compact(v.Emergency), compact(v.PickUp)

	c.lines("has_allergies", v.HasAllergies, "allergies", len(v.Allergies))
	for i := range v.Allergies {
		a, at := &v.Allergies[i], fmt.Sprintf("allergies.%d.", i)
		c.text(at+"to", &a.To, MaxShort, true)
		c.text(at+"consequence", &a.Consequence, MaxText, false)
		c.text(at+"treatment", &a.Treatment, MaxText, false)
		c.answer(at+"severe", a.Severe)
	}
	c.lines("has_diseases", v.HasDiseases, "diseases", len(v.Diseases))
	for i := range v.Diseases {
		d, at := &v.Diseases[i], fmt.Sprintf("diseases.%d.", i)
		c.text(at+"name", &d.Name, MaxShort, true)
		c.text(at+"gravity", &d.Gravity, MaxText, false)
		c.text(at+"treatment", &d.Treatment, MaxText, false)
	}
	c.lines("takes_medication", v.TakesMedication, "medications", len(v.Medications))
	for i := range v.Medications {
		m, at := &v.Medications[i], fmt.Sprintf("medications.%d.", i)
		c.text(at+"name", &m.Name, MaxShort, true)
		c.text(at+"quantity", &m.Quantity, MaxShort, false)
		c.text(at+"when", &m.When, MaxShort, false)
		c.answer(at+"alone", m.Alone)
	}
	c.detail("has_diet", v.HasDiet, "diet", &v.Diet)
	c.text("important", &v.Important, MaxText, false)

	c.answer("tetanus", v.Tetanus)
	if v.TetanusLast.After(today) {
		c.problems.Add("tetanus_last", "medical.date_future")
	}
	if v.Tetanus == No && !v.TetanusLast.IsZero() {
		c.problems.Add("tetanus", "medical.contradiction")
	}
	c.detail("had_operation", v.HadOperation, "operation", &v.Operation)
	c.detail("has_disability", v.HasDisability, "disability", &v.Disability)
	c.detail("must_avoid", v.MustAvoid, "avoid", &v.Avoid)
	c.text("comforter", &v.Comforter, MaxShort, false)
	c.text("swim_level", &v.SwimLevel, MaxShort, false)

	c.text("doctor.name", &v.Doctor.Name, MaxShort, v.Doctor.Phone != "" || v.Doctor.Address != "")
	c.phone("doctor.phone", &v.Doctor.Phone, false)
	c.text("doctor.address", &v.Doctor.Address, MaxText, false)
	c.text("health_fund", &v.HealthFund, MaxShort, false)
	c.persons("emergency", v.Emergency, true)
	c.persons("pick_up", v.PickUp, false)
	c.text("remarks", &v.Remarks, MaxText, false)

	for _, q := range []struct {
		name   string
		answer Answer
	}{
		{"glasses", v.Glasses},
		{"hearing_aid", v.HearingAid},
		{"naps", v.Naps},
		{"swims", v.Swims},
		{"cycles", v.Cycles},
		{"allow_care", v.AllowCare},
		{"allow_first_aid", v.AllowFirstAid},
		{"allow_sun_cream", v.AllowSunCream},
		{"allow_alone", v.AllowAlone},
		{"allow_photo", v.AllowPhoto},
		{"allow_public", v.AllowPublic},
	} {
		c.answer(q.name, q.answer)
	}
	return c.problems.Err()
}
