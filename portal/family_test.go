package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/civil"
	"ribambelle/internal/medical"
)

func TestDetails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, a := b.person("sophie@example.test", "Sophie Lambert")
	w.get("/mon-espace/inscriptions").to(t, "/mon-espace/coordonnees?suite=%2Fmon-espace%2Finscriptions")
	if v, _ := w.see("/mon-espace/coordonnees").doc.Find("#f-email").Attr("value"); v != "sophie@example.test" {
		t.Errorf("the e-mail address starts as %q", v)
	}
	bad := w.send("/mon-espace/coordonnees", "first_name", "Sophie", "phone", "12", "postcode", "7090", "suite", "/mon-espace/factures")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a faulty form answers %d, want 422", bad.StatusCode)
	}
	if v, _ := bad.doc.Find("#f-phone").Attr("value"); v != "12" {
		t.Errorf("the number became %q", v)
	}
	bad.has(t, "#f-phone-error", "n’est pas correct")
	w.send("/mon-espace/coordonnees", "first_name", "Sophie", "last_name", "Lambert", "phone", "0475/12.34.56", "email", "", "street", "Rue du Moulin 3",
		"postcode", "7090", "city", "Braine-le-Comte", "channel", "email", "suite", "/mon-espace/factures").to(t, "/mon-espace/factures")
	g, err := b.config.Household.ByAccount(context.Background(), a.ID)
	if err != nil || g.Phone != "+32475123456" {
		t.Errorf("the guardian is %+v, %v", g, err)
	}
	if v, _ := w.see("/mon-espace/coordonnees").doc.Find("#f-phone").Attr("value"); v != "0475 12 34 56" {
		t.Errorf("the number is shown as %q", v)
	}
}

func TestChild(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.camp()
	w, a := b.person("sophie@example.test", "Sophie Lambert")
	b.family(a)
	form := w.see("/mon-espace/enfants/nouveau")
	key, _ := form.doc.Find("[name=key]").Attr("value")
	form.has(t, "legend", "Ce qu’il ou elle aime")
	bad := w.send("/mon-espace/enfants/nouveau", "key", key, "first_name", "Tom", "birth_date_day", "31", "birth_date_month", "2", "birth_date_year", "2022", "interests", "Nature")
	bad.has(t, ".notice.stop", "Écrivez une date qui existe")
	bad.has(t, ".notice.stop", "Choisissez l’année scolaire")
	if v, _ := bad.doc.Find("[name=birth_date_day]").Attr("value"); v != "31" {
		t.Errorf("the day became %q", v)
	}
	if bad.doc.Find("[name=interests][checked]").Length() != 1 {
		t.Error("the ticked interest is lost")
	}
	if v, _ := bad.doc.Find("[name=key]").Attr("value"); v != key {
		t.Error("the key of the form changed")
	}
	good := []string{
		"key", key, "first_name", "Tom", "last_name", "Lambert", "birth_date_day", "2", "birth_date_month", "11", "birth_date_year", "2021",
		"level", "M3", "interests", "Nature", "basis", "parental_authority",
	}
	first := w.send("/mon-espace/enfants/nouveau", good...).to(t, "/mon-espace/enfants/")
	if again := w.send("/mon-espace/enfants/nouveau", good...).to(t, "/mon-espace/enfants/"); again != first {
		t.Errorf("a double click leads to %s and %s", first, again)
	}
	if n := b.count(`SELECT count(*) FROM child WHERE first_name = 'Tom'`); n != 1 {
		t.Errorf("there are %d children named Tom, want 1", n)
	}
	page := strings.TrimSuffix(first, "/fiche-medicale")
	w.send(page, "first_name", "Thomas", "last_name", "Lambert", "birth_date_day", "2", "birth_date_month", "11", "birth_date_year", "2021", "level", "M3").to(t, "/mon-espace/")
	w.see("/mon-espace/").has(t, ".tasks", "Thomas Lambert")

	stranger, other := b.person("autre@example.test", "Autre")
	b.family(other)
	for _, path := range []string{page, page + "/fiche-medicale", page + "/fiche-medicale/lectures"} {
		if got := stranger.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("a stranger's GET %s = %d, want 404", path, got)
		}
	}
	if got := stranger.send(page, "first_name", "X", "last_name", "Y", "birth_date_day", "2", "birth_date_month", "11", "birth_date_year", "2021").StatusCode; got != http.StatusNotFound {
		t.Errorf("a stranger's change = %d, want 404", got)
	}
}

func TestSheet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, a := b.person("sophie@example.test", "Sophie Lambert")
	f := b.family(a)
	path := "/mon-espace/enfants/" + f.child.ID.String() + "/fiche-medicale"
	if n := w.see(path).doc.Find("[name^='allergies.'][name$='.to']").Length(); n != 1 {
		t.Errorf("an empty sheet shows %d lines of allergies, want 1", n)
	}
	// More lines, without losing what is typed.
	more := w.send(path, "version", "0", "plus", "allergies", "has_allergies", "yes", "allergies.0.to", "arachides", "remarks", "timide")
	if n := more.doc.Find("[name^='allergies.'][name$='.to']").Length(); n != 4 {
		t.Errorf("asked for more, the sheet shows %d lines, want 4", n)
	}
	if v, _ := more.doc.Find("[name='allergies.0.to']").Attr("value"); v != "arachides" {
		t.Errorf("the allergy became %q", v)
	}
	// A mistake shows everything again and names the line, empty lines left out.
	bad := w.send(path, "version", "0", "has_allergies", "yes", "allergies.1.to", "arachides", "allergies.2.consequence", "gonfle",
		"emergency.0.name", "Mamy", "emergency.0.phone", "pas de numéro", "tetanus_last_day", "40", "tetanus_last_month", "1", "tetanus_last_year", "2020",
		"important", "asthme")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a faulty sheet answers %d, want 422", bad.StatusCode)
	}
	if v, _ := bad.doc.Find("[name=tetanus_last_day]").Attr("value"); v != "40" {
		t.Errorf("the day became %q", v)
	}
	bad = w.send(path, "version", "0", "has_allergies", "yes", "allergies.1.to", "arachides", "allergies.2.consequence", "gonfle",
		"emergency.0.name", "Mamy", "emergency.0.phone", "pas de numéro", "important", "asthme")
	for selector, want := range map[string]string{"[name='allergies.0.to']": "arachides", "[name='allergies.1.consequence']": "gonfle", "[name='emergency.0.phone']": "pas de numéro"} {
		if v, _ := bad.doc.Find(selector).Attr("value"); v != want {
			t.Errorf("%s became %q, want %q", selector, v, want)
		}
	}
	if bad.text("[id='f-allergies.1.to-error']") == "" || bad.text("[id='f-emergency.0.phone-error']") == "" {
		t.Error("the faulty lines do not say what is wrong")
	}
	bad.has(t, "textarea[name=important]", "asthme")
	// Without the answers that an emergency needs it is kept, says what is missing, and does not count.
	answers := []string{"has_allergies", "yes", "allergies.0.to", "arachides", "allergies.0.severe", "yes", "swims", "no"}
	w.send(path, append(answers, "version", "0")...).to(t, path)
	part := w.see(path)
	part.has(t, ".notice", "Enregistrée, mais pas encore complète : il manque")
	if part.doc.Find("form[action$=confirmer]").Length() != 0 || b.count(`SELECT count(*) FROM medical_confirmation`) != 0 {
		t.Error("an incomplete sheet can be confirmed")
	}
	forced := w.send(path+"/confirmer", "version", "1")
	forced.has(t, "[id=f-has_diet-error]", "Dites s’il y a un régime")
	forced.has(t, "#f-emergency", "Donnez une personne à appeler")
	w.see("/mon-espace/").has(t, ".tag.wait", "à compléter")
	// Complete, it is kept and confirmed.
	answers = append(answers, "has_diseases", "no", "takes_medication", "no", "has_diet", "no", "allow_care", "yes",
		"emergency.0.name", "Mamy", "emergency.0.phone", "067 55 12 34")
	w.send(path, append(answers, "version", "1")...).to(t, "/mon-espace/")
	w.see("/mon-espace/").has(t, ".tag.ok", "remplie")
	v, _, err := b.config.Medical.ReadAsGuardian(context.Background(), a.ID, f.guardian.ID, f.child.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Allergies) != 1 || v.Allergies[0].Severe != medical.Yes || v.Emergency[0].Phone != "+3267551234" || v.Swims != medical.No || v.Naps != medical.Unsaid {
		t.Error("the sheet is not what was typed")
	}
	// Nothing changed: one tap.
	w.send(path+"/confirmer", "version", "2").to(t, "/mon-espace/")
	if n := b.count(`SELECT count(*) FROM medical_confirmation`); n != 2 {
		t.Errorf("%d confirmations, want 2", n)
	}
	// The other parent saved meanwhile: the newest version is shown with what was typed beside it, nothing is overwritten.
	stale := w.send(path, append(answers, "version", "1", "remarks", "vieille version")...)
	stale.has(t, ".notice dl", "vieille version")
	if stale.StatusCode != http.StatusConflict || b.count(`SELECT max(version) FROM medical_sheet`) != 2 {
		t.Errorf("a stale sheet answers %d", stale.StatusCode)
	}
	if v, _ := stale.doc.Find("form.sheet [name=version]").Attr("value"); v != "2" || stale.text("form.sheet textarea[name=remarks]") != "" {
		t.Errorf("the form does not show the newest version, but %s", v)
	}
	// What was typed can be taken up again on top of the newest version, and then be saved.
	var mine []string
	stale.doc.Find(".notice form input").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		value, _ := s.Attr("value")
		mine = append(mine, name, value)
	})
	again := w.send(path, append(mine, "plus", "mine")...)
	again.has(t, "form.sheet textarea[name=remarks]", "vieille version")
	w.send(path, mine...).to(t, "/mon-espace/")
	if v, _, err := b.config.Medical.ReadAsGuardian(context.Background(), a.ID, f.guardian.ID, f.child.ID); err != nil || v.Version != 3 || v.Remarks != "vieille version" {
		t.Errorf("got version %d and %v, want what was typed as the third", v.Version, err)
	}
	w.see(path+"/lectures").has(t, "table", "vous")
}

func TestFilledSheetSurvivesTheForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, a := b.person("sophie@example.test", "Sophie Lambert")
	f := b.family(a)
	want := medical.Sheet{
		HasAllergies: medical.Yes, Allergies: []medical.Allergy{{To: "lait", Consequence: "plaques\nrouges", Severe: medical.No}},
		TakesMedication: medical.Yes, Medications: []medical.Medication{{Name: "Ventolin", When: "matin", Alone: medical.Yes}},
		HasDiseases: medical.No, Tetanus: medical.Yes, TetanusLast: civil.NewDate(2024, 5, 6), Comforter: "lapin",
		Doctor: medical.Doctor{Name: "Dr Maes", Phone: "+3267551234"}, PickUp: []medical.Person{{Name: "Papy"}}, AllowPhoto: medical.No,
		HasDiet: medical.No, AllowCare: medical.Yes,
	}
	if err := b.config.Medical.Save(context.Background(), a.ID, f.guardian.ID, f.child.ID, want); err != nil {
		t.Fatal(err)
	}
	path := "/mon-espace/enfants/" + f.child.ID.String() + "/fiche-medicale"
	// What the browser would send back of the page, untouched.
	var pairs []string
	form := w.see(path).doc.Find("form.sheet")
	form.Find("input[name], textarea[name]").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		value, _ := s.Attr("value")
		kind, _ := s.Attr("type")
		if _, checked := s.Attr("checked"); kind == "radio" && !checked {
			return
		}
		if s.Is("textarea") {
			value = s.Text()
		}
		pairs = append(pairs, name, value)
	})
	w.send(path, pairs...).to(t, "/mon-espace/")
	if n := b.count(`SELECT max(version) FROM medical_sheet`); n != 1 {
		t.Errorf("sent back untouched, the sheet has version %d: the form changed it", n)
	}
}
