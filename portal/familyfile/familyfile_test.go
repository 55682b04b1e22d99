package familyfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

const head = "Référence famille;Prénom;Nom;E-mail;GSM;Rue;CP;Commune;Prénom enfant;Naissance;NISS;Année scolaire;Lien\n"

func TestReadTable(t *testing.T) {
	t.Parallel()
	text := head + "F1; Anne ;Peeters;a@example.be;0475/12.34.56;\"Rue A; boîte 2\";7180;Seneffe;Léa;12/3/2015;;p5;Famille d'accueil\n;;;;;;;;;;;;\n" +
		"F2;Bert;Maes;;475999999;Rue B;7180;Seneffe;Tom;2017-02-30;3011200123;;oncle\n"
	want := household.FamilyRow{
		Ref: "F1", FirstName: "Anne", LastName: "Peeters", Email: "a@example.be", Phone: "+32475123456", Street: "Rue A; boîte 2", Postcode: "7180", City: "Seneffe",
		ChildFirstName: "Léa", BirthDate: civil.NewDate(2015, 3, 12), Level: "P5", Basis: household.BasisFosterCare,
	}
	latin, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"UTF-8": text, "with a mark": bom + text, "Windows-1252": latin,
		"commas": strings.NewReplacer("\"Rue A; boîte 2\"", "\"Rue A; boîte 2\"", ";", ",").Replace(text),
	} {
		f, err := Read("families", []byte(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, faults := f.Families()
		want := want
		want.Basis = rows[0].Basis // its French name is the catalogue's
		if diff := cmp.Diff(want, rows[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(rows) != 2 || len(faults[1]) != 2 || faults[1][0].Name != "birth_date" || faults[1][1].Name != "basis" {
			t.Errorf("%s: %d lines, faults %+v", name, len(rows), faults)
		}
		if rows[1].Phone != "+32475999999" || rows[1].NationalNumber != "03011200123" {
			t.Errorf("%s: lost zeros stay lost: %+v", name, rows[1])
		}
	}
}

func TestReadWorkbook(t *testing.T) {
	t.Parallel()
	x := excelize.NewFile()
	for i, v := range []any{"Prénom", "Nom", "Date de naissance", "Rue et numéro", "Code postal"} {
		at, _ := excelize.CoordinatesToCellName(i+1, 1)
		if err := x.SetCellValue("Sheet1", at, v); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range []any{"Léa", "Peeters", 42075, "Rue A 1", 7180} { // the 12th of March 2015 as Excel counts days
		at, _ := excelize.CoordinatesToCellName(i+1, 2)
		if err := x.SetCellValue("Sheet1", at, v); err != nil {
			t.Fatal(err)
		}
	}
	var buf bytes.Buffer
	if err := x.Write(&buf); err != nil {
		t.Fatal(err)
	}
	f, err := Read("register", buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	rows, faults := f.Register()
	want := []household.RegisterRow{{FirstName: "Léa", LastName: "Peeters", BirthDate: civil.NewDate(2015, 3, 12), Street: "Rue A 1", Postcode: "7180"}}
	if diff := cmp.Diff(want, rows); diff != "" || len(faults) != 0 {
		t.Errorf("faults %v (-want +got):\n%s", faults, diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, code string }{
		"nothing":         {"", "family_file.empty"},
		"a column lacks":  {"Prénom;Nom\nAnne;Peeters\n", "family_file.column_missing"},
		"too many lines":  {head + strings.Repeat("F;A;B\n", MaxRows+1), "family_file.too_long"},
		"too many cells":  {strings.Repeat(";", 80) + "\nx", "family_file.too_wide"},
		"a long cell":     {head + strings.Repeat("x", 2000) + "\n", "family_file.cell_long"},
		"no real archive": {"PK\x03\x04 nothing", "family_file.unreadable"},
		"a NUL":           {head + "F1;\x00\n", "family_file.unreadable"},
	} {
		_, err := Read("families", []byte(c.data))
		if p := problem.As(err); p == nil || p.Kind != problem.KindInvalid || p.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// FuzzRead: whatever comes in, the answer is lines within bounds that can be written back, or an invalid problem.
func FuzzRead(f *testing.F) {
	f.Add([]byte(head + "F1;Anne;Peeters;;;;;;;;;;\n"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\xef\xbb\xbfNom,Prénom\n\"=1+1\",'x\n"))
	model, err := Model("families")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(model)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read("families", data)
		if err != nil {
			if problem.As(err) == nil {
				t.Fatalf("the error is no problem: %v", err)
			}
			return
		}
		rows, _ := file.Families()
		if len(rows) != len(file.Rows) || len(rows) > MaxRows {
			t.Fatalf("%d lines became %d", len(file.Rows), len(rows))
		}
		lines := make([]Line, len(rows))
		for i := range lines {
			lines[i] = Line{Outcome: household.RowSame}
		}
		if _, err := file.Write(lines); err != nil {
			t.Fatal(err)
		}
	})
}
