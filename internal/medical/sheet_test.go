package medical_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ribambelle/internal/civil"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
)

var today = civil.NewDate(2026, 5, 11)

// full is a sheet with every field filled in; each text has its own word, "secret" first.
func full() medical.Sheet {
	return medical.Sheet{
		HasAllergies: medical.Yes,
		Allergies: []medical.Allergy{
			{To: "secret pollen", Consequence: "secret sneezing", Treatment: "secret drops", Severe: medical.No},
			{To: "secret peanuts", Consequence: "secret swelling", Treatment: "secret pen", Severe: medical.Yes},
		},
		HasDiseases: medical.Yes, Diseases: []medical.Disease{{Name: "secret asthma", Gravity: "secret mild", Treatment: "secret puff"}},
		TakesMedication: medical.Yes,
		Medications:     []medical.Medication{{Name: "secret pill", Quantity: "secret one", When: "secret noon", Alone: medical.No}},
		HasDiet:         medical.Yes, Diet: "secret no pork", Important: "secret epilepsy",
		Tetanus: medical.Yes, TetanusLast: civil.NewDate(2021, 6, 1),
		HadOperation: medical.Yes, Operation: "secret appendix", HasDisability: medical.Yes, Disability: "secret hearing",
		MustAvoid: medical.Yes, Avoid: "secret diving", Glasses: medical.Yes, HearingAid: medical.Yes, Naps: medical.No, Comforter: "secret rabbit",
		Swims: medical.Yes, SwimLevel: "secret 25 m", Cycles: medical.Yes,
		Doctor:     medical.Doctor{Name: "secret Dr Janssens", Phone: "+3264111111", Address: "secret street\nsecret town"},
		HealthFund: "secret fund",
		Emergency:  []medical.Person{{Name: "secret grandmother", Relation: "secret kin", Phone: "+32475111111"}},
		PickUp:     []medical.Person{{Name: "secret neighbour", Relation: "secret friend", Phone: "+32475222222"}},
		AllowCare:  medical.Yes, AllowFirstAid: medical.Yes, AllowSunCream: medical.Yes, AllowAlone: medical.No, AllowPhoto: medical.Yes, AllowPublic: medical.No,
		Remarks: "secret remark",
	}
}

// TestFull keeps full honest: a field that is added to the sheet must be filled in there.
func TestFull(t *testing.T) {
	t.Parallel()
	v := reflect.ValueOf(full())
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Version" && v.Field(i).IsZero() {
			t.Errorf("%s is empty", name)
		}
	}
	sheet := full()
	if err := sheet.Validate(today); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), sheet); diff != "" {
		t.Errorf("validation changed a clean sheet (-want +got):\n%s", diff)
	}
	body, err := json.Marshal(sheet)
	if err != nil {
		t.Fatal(err)
	}
	var again medical.Sheet
	if err := json.Unmarshal(body, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sheet, again); diff != "" {
		t.Errorf("through JSON (-want +got):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*medical.Sheet)
		want   []string
	}{
		{
			"AnswerUnknown", func(v *medical.Sheet) { v.Glasses, v.HasDiet = "maybe", "perhaps" },
			[]string{"has_diet=medical.answer_unknown", "glasses=medical.answer_unknown"},
		},
		{"Contradiction", func(v *medical.Sheet) {
			v.HasAllergies, v.Allergies = medical.No, []medical.Allergy{{To: "x"}}
			v.Diet = "x"
			v.Tetanus, v.TetanusLast = medical.No, today
		}, []string{"has_allergies=medical.contradiction", "has_diet=medical.contradiction", "tetanus=medical.contradiction"}},
		{"DoctorWithoutName", func(v *medical.Sheet) { v.Doctor.Phone = "+3264111111" }, []string{"doctor.name=medical.required"}},
		{"Empty", func(*medical.Sheet) {}, nil},
		{"EmptyLinesAreDropped", func(v *medical.Sheet) {
			v.HasAllergies, v.Allergies = medical.Yes, []medical.Allergy{{}, {To: "x"}, {}}
			v.Emergency, v.PickUp = []medical.Person{{}}, []medical.Person{{}}
		}, nil},
		{"FutureTetanus", func(v *medical.Sheet) { v.TetanusLast = today.AddDays(1) }, []string{"tetanus_last=medical.date_future"}},
		{"LineWithoutName", func(v *medical.Sheet) {
			v.TakesMedication, v.Medications = medical.Yes, []medical.Medication{{Name: "x"}, {When: "noon", Alone: "?"}}
		}, []string{"medications.1.name=medical.required", "medications.1.alone=medical.answer_unknown"}},
		{"LongList", func(v *medical.Sheet) {
			for i := range medical.MaxLines + 1 {
				v.PickUp = append(v.PickUp, medical.Person{Name: fmt.Sprint(i)})
			}
		}, []string{"pick_up=medical.list_long"}},
		{"LongText", func(v *medical.Sheet) { v.Remarks = strings.Repeat("é", medical.MaxText+1) }, []string{"remarks=medical.too_long"}},
		{"LongestText", func(v *medical.Sheet) { v.Remarks = strings.Repeat("é", medical.MaxText) }, nil},
		{"Phones", func(v *medical.Sheet) {
			v.Emergency = []medical.Person{{Name: "a"}, {Name: "b", Phone: "0475"}}
			v.PickUp = []medical.Person{{Name: "c"}}
		}, []string{"emergency.0.phone=medical.required", "emergency.1.phone=medical.phone_invalid"}},
		{
			"Unreadable", func(v *medical.Sheet) { v.Important, v.Comforter = "a\x00", "b\xff" },
			[]string{"important=medical.unreadable", "comforter=medical.unreadable"},
		},
		{
			"YesNeedsDetails", func(v *medical.Sheet) { v.HasAllergies, v.HasDiet, v.MustAvoid = medical.Yes, medical.Yes, medical.Yes },
			[]string{"allergies=medical.list_empty", "diet=medical.required", "avoid=medical.required"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var v medical.Sheet
			c.change(&v)
			err := v.Validate(today)
			var got []string
			if p := problem.As(err); p != nil {
				for _, f := range p.Fields {
					got = append(got, f.Name+"="+f.Code)
				}
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("faulty inputs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHides: whatever prints or logs a sheet, or what is made of it, shows nothing.
func TestHides(t *testing.T) {
	t.Parallel()
	v := full()
	alert := medical.Alert{Known: true, Important: "secret", Allergies: []medical.Allergy{{To: "secret"}}}
	for _, value := range []any{
		v, &v, alert, &alert, v.Allergies, v.Allergies[0], v.Diseases, v.Medications, v.Doctor, v.Emergency,
		struct{ S medical.Sheet }{v},
		map[string]medical.Alert{"x": alert},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "secret") {
				t.Errorf("%s of a %T shows a value: %s", verb, value, text)
			}
		}
	}
	for _, value := range []any{v, alert, v.Allergies[0], v.Diseases[0], v.Medications[0], v.Doctor, v.Emergency[0]} {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		if strings.Contains(log.String(), "secret") {
			t.Errorf("a log of a %T shows a value: %s", value, &log)
		}
	}
}
