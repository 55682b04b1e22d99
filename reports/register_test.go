package reports

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
)

func sessions(n int) []camp.Session {
	list := make([]camp.Session, n)
	for i := range list {
		list[i] = camp.Session{ID: uuid.New(), Day: civil.NewDate(2026, 7, 6).AddDays(i), Starts: 540, Ends: 960, State: "planned"}
	}
	return list
}

// open reads a produced workbook back.
func open(t testing.TB, body []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func rowsOf(t testing.TB, f *excelize.File) [][]string {
	t.Helper()
	rows, err := f.GetRows("Registre")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.family()
	agent := b.account("Anne Claes", "agent")
	file, err := b.store.Produce(t.Context(), "registre", Params{Camp: b.camp, Medical: true}, audit.Account(agent))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file.Name, "registre-sante-les-explorateurs-du-canal-2026-07-06.xlsx"; got != want {
		t.Errorf("file name %q, want %q", got, want)
	}
	f := open(t, file.Body)
	show(t, "registre.xlsx", file.Body)

	const noSheet = "Pas de fiche médicale"
	want := [][]string{
		{
			"N°", "Nom", "Prénom", "Né(e) le", "Âge", "Année scolaire", "Responsables", "Téléphones", "Ne pas remettre à", "Allergies et santé",
			"Bus aller", "Bus retour", "Inscription", "Remarque", "lun.\n6 juil.", "mar.\n7 juil.", "mer.\n8 juil.", "jeu.\n9 juil.", "ven.\n10 juil.",
		},
		{"1", "Élan", "Émile", "29/02/2016", "10", "P4", "Sophie Lambert", "0475 12 34 56", "", noSheet, "", "Place du Marché\n16\u00a0h\u00a040", state("awaiting_payment")},
		{"2", "Eve", "Zoé", "02/01/2017", "9", "P3", "Marc Petit", "+33 6 12 34 56 78", "", noSheet, "", "", state("confirmed")},
		{
			"3", "Lambert", "Léa", "07/07/2018", "7", "P2", "Sophie Lambert", "0475 12 34 56", "Marc Petit", "GRAVE : arachides",
			"Place du Marché\n8\u00a0h\u00a005", "Place du Marché\n16\u00a0h\u00a040", state("confirmed"), "", "P", "A",
		},
		{"", "Présents", "", "", "", "", "", "", "", "", "", "", "", "", "1", "0", "0", "0", "0"},
	}
	got := rowsOf(t, f)
	for i := range got {
		for len(got[i]) > 0 && got[i][len(got[i])-1] == "" {
			got[i] = got[i][:len(got[i])-1]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	// Numbers, dates and texts are what they look like.
	for cell, wantType := range map[string]excelize.CellType{
		"A4": excelize.CellTypeUnset, "D4": excelize.CellTypeUnset, "E4": excelize.CellTypeUnset, // numbers carry no type
		"B4": excelize.CellTypeInlineString, "H4": excelize.CellTypeInlineString,
	} {
		if got, _ := f.GetCellType("Registre", cell); got != wantType {
			t.Errorf("%s has type %v, want %v", cell, got, wantType)
		}
	}
	if got, _ := f.GetCellValue("Registre", "D4", excelize.Options{RawCellValue: true}); got != "43288" { // 7 July 2018
		t.Errorf("the birthday is stored as %q, want a date serial", got)
	}
	if got, _ := f.GetCellFormula("Registre", "O5"); got != `COUNTIF(O2:O4,"P")` {
		t.Errorf("the count of the first day is %q", got)
	}
	for cell, want := range map[string]int{"H4": numFmtText, "B4": numFmtText, "J4": numFmtText} {
		id, _ := f.GetCellStyle("Registre", cell)
		if style, err := f.GetStyle(id); err != nil || style.NumFmt != want {
			t.Errorf("%s has number format %d, want %d (%v)", cell, style.NumFmt, want, err)
		}
	}
	for _, cell := range []string{"I4", "J4"} {
		id, _ := f.GetCellStyle("Registre", cell)
		if style, err := f.GetStyle(id); err != nil || !style.Font.Bold || style.Font.Color != "A3262A" || style.Fill.Color[0] != "FDEAEA" {
			t.Errorf("%s does not stand out: %+v (%v)", cell, style, err)
		}
	}
	if got := b.reads(); got != 1 { // the one child that has a sheet
		t.Errorf("%d medical readings in the log, want 1", got)
	}
	id, _ := f.GetCellStyle("Registre", "J3")
	if style, err := f.GetStyle(id); err != nil || style.Font.Bold {
		t.Errorf("a missing sheet stands out like an allergy (%v)", err)
	}
}

func state(s string) string { return locale.For("fr").T("state." + s) }

func TestRegisterPrint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.family()
	agent := b.account("Anne Claes", "agent")
	file, err := b.store.Produce(t.Context(), "registre", Params{Camp: b.camp}, audit.Account(agent))
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, file.Body)

	hf, err := f.GetHeaderFooter("Registre")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Registre du stage — Les explorateurs du canal", "du lundi 6 au vendredi 10 juillet 2026", "Valmont && environs"} {
		if !strings.Contains(hf.OddHeader, want) {
			t.Errorf("the header %q lacks %q", hf.OddHeader, want)
		}
	}
	for _, want := range []string{"Accueillir les enfants", "À détruire après le 09/08/2026", "Établi le 03/07/2026 à 14 h 05 par Anne Claes", "&P / &N"} {
		if !strings.Contains(hf.OddFooter, want) {
			t.Errorf("the footer %q lacks %q", hf.OddFooter, want)
		}
	}
	panes, err := f.GetPanes("Registre")
	if err != nil || !panes.Freeze || panes.XSplit != 3 || panes.YSplit != 1 {
		t.Errorf("panes %+v, %v", panes, err)
	}
	layout, err := f.GetPageLayout("Registre")
	if err != nil {
		t.Fatal(err)
	}
	if *layout.Size != 9 || *layout.Orientation != "landscape" || *layout.FitToWidth != 1 || *layout.FitToHeight != 0 {
		t.Errorf("page layout %d %s %d×%d", *layout.Size, *layout.Orientation, *layout.FitToWidth, *layout.FitToHeight)
	}
	props, err := f.GetSheetProps("Registre")
	if err != nil || !*props.FitToPage {
		t.Errorf("the sheet does not fit its page: %v", err)
	}
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	if diff := cmp.Diff(map[string]string{"_xlnm.Print_Titles": "'Registre'!$1:$1", "_xlnm._FilterDatabase": "'Registre'!$A$1:$R$4"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	marks, err := f.GetDataValidations("Registre")
	if err != nil || len(marks) != 5 {
		t.Fatalf("%d lists of marks, want 5 (%v)", len(marks), err)
	}
	if got := marks[0]; got.Sqref != "N2:N4" || got.Formula1 != `"P,A"` || !got.AllowBlank {
		t.Errorf("marks of the first day: %+v", got)
	}
	doc, err := f.GetDocProps()
	if err != nil || doc.Title != "Registre du stage — Les explorateurs du canal" || doc.Language != "fr-BE" {
		t.Errorf("properties %+v, %v", doc, err)
	}
	about, err := f.GetRows("À propos")
	if err != nil || len(about) < 12 || about[0][0] != "Registre du stage — Les explorateurs du canal" {
		t.Errorf("about sheet %q, %v", about, err)
	}
}

func TestRegisterOfEmptyCamp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`UPDATE camp_session SET state = 'cancelled' WHERE day = '2026-07-08'`, nil)
	var out bytes.Buffer
	if err := b.store.Write(t.Context(), "registre", Params{Camp: b.camp, Medical: true}, &out, audit.Command("report")); err != nil {
		t.Fatal(err)
	}
	f := open(t, out.Bytes())
	rows := rowsOf(t, f)
	if len(rows) != 2 || len(rows[0]) != 19 || rows[1][1] != "Aucun enfant n’est inscrit pour l’instant." {
		t.Errorf("rows %q", rows)
	}
	if marks, err := f.GetDataValidations("Registre"); err != nil || len(marks) != 0 {
		t.Errorf("lists of marks on no child: %v, %v", marks, err)
	}
	if hf, _ := f.GetHeaderFooter("Registre"); !strings.Contains(hf.OddFooter, "par le serveur") {
		t.Errorf("footer %q", hf.OddFooter)
	}
}

// TestRegisterRights walks the roles: who gets the register, and who with the medical column.
func TestRegisterRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.family()
	leader, other := b.account("Tom", "leader"), b.account("Lou", "leader")
	b.exec(`INSERT INTO camp_leader (camp_id, account_id) SELECT '`+b.camp.String()+`', '`+leader.String()+`'`, nil)
	for name, tt := range map[string]struct {
		actor         audit.Actor
		read, medical bool
	}{
		"administrator":     {audit.Account(b.account("Ada", "administrator")), true, false},
		"agent":             {audit.Account(b.account("Anne", "agent")), true, true},
		"command":           {audit.Command("report"), true, true},
		"finance":           {audit.Account(b.account("Paul", "finance")), false, false},
		"leader elsewhere":  {audit.Account(other), false, false},
		"leader of it":      {audit.Account(leader), true, true},
		"organiser":         {audit.Account(b.account("Olga", "organiser")), true, false},
		"parent":            {audit.Account(b.account("Sophie")), false, false},
		"unknown account":   {audit.Account(uuid.New()), false, false},
		"agent and finance": {audit.Account(b.account("Zed", "finance", "agent")), true, true},
	} {
		before := b.reads()
		file, err := b.store.Produce(t.Context(), "registre", Params{Camp: b.camp, Medical: true}, tt.actor)
		if !tt.read {
			if !problem.Is(err, problem.KindForbidden) {
				t.Errorf("%s: got %v, want forbidden", name, err)
			}
			if b.reads() != before {
				t.Errorf("%s: alerts were read", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := open(t, file.Body)
		header := strings.Join(rowsOf(t, f)[0], "|")
		if got := strings.Contains(header, "Allergies"); got != tt.medical {
			t.Errorf("%s: medical column %t, want %t", name, got, tt.medical)
		}
		if (b.reads() > before) != tt.medical {
			t.Errorf("%s: %d readings logged", name, b.reads()-before)
		}
		if !tt.medical && strings.Contains(string(unzipped(t, file.Body)), "arachides") {
			t.Errorf("%s: the workbook holds an allergy", name)
		}
		may, medical, err := b.store.MayHave(t.Context(), "registre", b.camp, tt.actor)
		if err != nil || !may || medical != tt.medical {
			t.Errorf("%s: may have %t, medical %t, %v", name, may, medical, err)
		}
	}
	// Without asking for it nobody gets it.
	before := b.reads()
	if _, err := b.store.Produce(t.Context(), "registre", Params{Camp: b.camp}, audit.Command("report")); err != nil || b.reads() != before {
		t.Errorf("alerts were read unasked: %v", err)
	}
	// A leader's window is over three weeks after the camp.
	late := New(b.db, func() time.Time { return now.AddDate(0, 2, 0) }, b.store.Medical)
	if _, err := late.Produce(t.Context(), "registre", Params{Camp: b.camp}, audit.Account(leader)); !problem.Is(err, problem.KindForbidden) {
		t.Errorf("leader after the window: %v, want forbidden", err)
	}
}

func TestRegisterAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.family()
	agent := b.account("Anne", "agent")
	if _, err := b.store.Produce(t.Context(), "registre", Params{Camp: b.camp, Medical: true}, audit.Account(agent)); err != nil {
		t.Fatal(err)
	}
	entries, err := audit.List(t.Context(), b.db, "camp", b.camp.String(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Action != "report.produced" || entries[0].ActorID != agent.String() {
		t.Fatalf("audit %+v", entries)
	}
	got, _ := json.Marshal(entries[0].Detail)
	if want := `{"medical":true,"report":"registre","rows":3}`; string(got) != want {
		t.Errorf("detail %s, want %s", got, want)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, p := range map[string]Params{"nothing": {Camp: b.camp}, "registre": {Camp: uuid.New()}} {
		if _, err := b.store.Produce(t.Context(), name, p, audit.Command("report")); !problem.Is(err, problem.KindNotFound) {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
}

// TestNothingBecomesAFormula feeds hostile strings to every text of a register and reads the workbook back.
func TestNothingBecomesAFormula(t *testing.T) {
	t.Parallel()
	hostile := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"=", "+", "-", "@", "\t=", "\r=", " =", "=cmd|' /C calc'!A0", "{=", "'=", "&L&P", "]]>", "<f>1</f>", "_x003D_"}).Draw(t, "prefix") +
				rapid.String().Draw(t, "rest")
		}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := func(what string) string { return hostile.Draw(t, what) }
		r := register{commune: s("commune"), first: civil.NewDate(2026, 7, 6), last: civil.NewDate(2026, 7, 6), sessions: sessions(1)}
		r.camp.Name, r.camp.Location = s("camp"), s("location")
		stop, at := s("stop"), 485
		c := child{
			FirstName: s("first"), LastName: s("last"), Remark: s("remark"), State: "confirmed", level: s("level"), StopOut: &stop, OutAt: &at,
			contacts: []contact{{s("contact"), s("phone")}}, notTo: []string{s("not to")}, alert: medical.Alert{Known: true, Important: s("important"), Allergies: []medical.Allergy{{To: s("allergy"), Treatment: s("treatment")}}, Diet: s("diet")},
		}
		r.children = []child{c}
		j := job{by: s("by"), loc: locale.For("fr"), now: now, today: civil.DateOf(now, civil.Brussels), medics: true}
		body, err := drawRegister(registre, j, r)
		if err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for _, sheet := range f.GetSheetList() {
			rows, err := f.GetRows(sheet)
			if err != nil {
				t.Fatal(err)
			}
			for y := range rows {
				for x := range rows[y] {
					name, _ := excelize.CoordinatesToCellName(x+1, y+1)
					formula, err := f.GetCellFormula(sheet, name)
					if err != nil {
						t.Fatal(err)
					}
					if formula != "" && formula != `COUNTIF(O2:O2,"P")` {
						t.Errorf("%s %s became the formula %q", sheet, name, formula)
					}
				}
			}
		}
		if got, err := f.GetCellValue("Registre", "B2"); err != nil || got != plain(c.LastName) {
			t.Errorf("the name %q reads back as %q (%v)", plain(c.LastName), got, err)
		}
		hf, err := f.GetHeaderFooter("Registre")
		if err != nil {
			t.Fatal(err)
		}
		for _, band := range []string{hf.OddHeader, hf.OddFooter} {
			if n := len([]rune(band)); n > maxBand {
				t.Errorf("a band of %d characters: %q", n, band)
			}
			if got := strings.Count(strings.ReplaceAll(band, "&&", ""), "&L"); got != 1 {
				t.Errorf("a band with %d left parts: %q", got, band)
			}
		}
	})
}

func TestDeclaredColumns(t *testing.T) {
	t.Parallel()
	for _, d := range List() {
		keys := []string{d.Title, d.Purpose}
		for _, c := range d.Columns {
			keys = append(keys, c.Key)
		}
		for _, k := range keys {
			if !locale.For("fr").Has(k) {
				t.Errorf("%s: French lacks %s", d.Name, k)
			}
		}
		if d.KeepDays < 1 || len(d.Roles) == 0 {
			t.Errorf("%s: says neither how long nor for whom", d.Name)
		}
	}
}

// TestAlertText: what the cell of a register says of a danger, and how much of it.
func TestAlertText(t *testing.T) {
	t.Parallel()
	s := &sheet{loc: locale.For("fr")}
	a := medical.Alert{Known: true, Allergies: []medical.Allergy{
		{To: "Arachides", Consequence: "gonflement", Treatment: "stylo d’adrénaline", Severe: medical.Yes}, {To: "pollen"},
	}, Medications: []medical.Medication{{Name: "Ventolin", Quantity: "2 bouffées", When: "midi"}}}
	want := "GRAVE : Arachides — gonflement → stylo d’adrénaline\nAllergie : pollen\nMédicament : Ventolin — 2 bouffées, midi"
	if got := s.alert(a); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	a.Allergies[0].Consequence, a.Important = strings.Repeat("très ", 200), strings.Repeat("long ", 200)
	got := s.alert(a)
	if n := len([]rune(got)); n > maxAlert+60 || !strings.HasSuffix(got, "Suite : voir la fiche complète") {
		t.Errorf("%d characters: %q", n, got)
	}
	if height := float64(lines(got, widths["allergies"])) * rowHeight; height > 405 {
		t.Errorf("the cell needs %v points, more than a row can have", height)
	}
}
