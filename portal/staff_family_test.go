package portal

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/account"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

// upload sends a file with the fields of its form.
func (w *browser) upload(path, name string, data []byte, pairs ...string) answer {
	w.b.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := m.WriteField(pairs[i], pairs[i+1]); err != nil {
			w.b.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		w.b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.b.server.URL+path, &body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	res, err := w.c.Do(r)
	if err != nil {
		w.b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	return answer{Response: res, doc: doc}
}

// TestStaffImport: a list goes in after a trial, the file comes back with a word on each line, letters are printed, and
// the family claims its place with the code of its letter.
func TestStaffImport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	list := "Référence famille;Prénom;Nom;Rue et numéro;Code postal;Localité;Prénom enfant;Date de naissance\r\n" +
		"F1;Nadia;Benali;Rue A 1;7180;Seneffe;Yanis;12/03/2018\r\n" +
		"F2;=1+1;;Rue B;99;Seneffe;;\r\n"
	office.see("/gestion/familles/import")
	at := office.upload("/gestion/familles/import", "liste.csv", []byte(list), "kind", "families").to(t, "/gestion/familles/import/")
	office.see(at).has(t, "main", "1 ligne est à corriger")
	if n := b.count(`SELECT count(*) FROM guardian`); n != 0 {
		t.Fatalf("a trial wrote %d adults", n)
	}
	for range 2 { // twice changes nothing
		office.send(at+"/confirmer").to(t, "/gestion/familles/import/")
	}
	if n := b.count(`SELECT count(*) FROM guardian`) + b.count(`SELECT count(*) FROM child`); n != 2 {
		t.Errorf("%d people came in, want 2", n)
	}
	x, err := excelize.OpenReader(strings.NewReader(office.see(at + "/resultat.xlsx").body))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := x.GetRows("Résultat")
	if err != nil || len(rows) != 3 || rows[1][0] != "Ajoutée" || rows[2][0] != "À corriger" || rows[2][3] != "=1+1" || !strings.Contains(rows[2][1], "Code postal") {
		t.Errorf("the file says %q (%v)", rows, err)
	}
	if formula, err := x.GetCellFormula("Résultat", "D3"); err != nil || formula != "" {
		t.Errorf("a cell became the formula %q (%v)", formula, err)
	}
	for kind, columns := range map[string]int{"families": 16, "register": 7} {
		m, err := excelize.OpenReader(strings.NewReader(office.see("/gestion/familles/modele-" + kind + ".xlsx").body))
		if err != nil {
			t.Fatal(err)
		}
		if head, err := m.GetRows("Sheet1"); err != nil || len(head) != 1 || len(head[0]) != columns {
			t.Errorf("the model of %s is %q (%v)", kind, head, err)
		}
	}
	if got := office.upload("/gestion/familles/import", "x.xlsx", []byte("PK nothing"), "kind", "families"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a broken file is answered %d", got.StatusCode)
	}

	paper, _ := office.see("/gestion/familles/lettres").doc.Find("input[name=guardian]").Attr("value")
	office.send("/gestion/familles/lettres", "guardian", paper).to(t, "/gestion/familles/lettres/imprimer")
	code := office.see("/gestion/familles/lettres/imprimer").text(".letter .lead strong")
	nadia, _ := b.person("nadia@example.be", "Nadia Benali")
	nadia.send("/mon-espace/famille/code", "code", code).to(t, "/mon-espace/famille")
	nadia.see("/mon-espace/famille").has(t, "main", "Yanis Benali")
	thief, _ := b.person("thief@example.be", "Nobody")
	if got := thief.send("/mon-espace/famille/code", "code", code); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the code of a claimed family is answered %d", got.StatusCode)
	}
}

// TestStaffDoubles: two fiches of one child, side by side, merged; and twins kept apart.
func TestStaffDoubles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	_, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	_, _, father := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	add := func(first string) household.Child {
		t.Helper()
		c, err := b.config.Household.AddChild(context.Background(), father.ID, household.ChildForm{
			Key: uuid.New(), FirstName: first, LastName: "LAMBERT", BirthDate: civil.NewDate(2018, 3, 14),
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	add("lea")
	office.see("/gestion/taches").has(t, "main", "Doublon possible")
	at, ok := office.see("/gestion/doublons").doc.Find("main .tasks a").Attr("href")
	if !ok {
		t.Fatal("no pair is listed")
	}
	office.see(at).has(t, "main", "même date de naissance")
	office.send(at+"/fusionner", "survivor", f.child.ID.String()).to(t, "/gestion/doublons")
	office.see(at).has(t, "main", "fusionnées")
	if children, err := b.config.Household.Children(context.Background(), father.ID); err != nil || len(children) != 1 || children[0].ID != f.child.ID {
		t.Errorf("the father sees %+v (%v)", children, err)
	}
	add("Leo")
	at, _ = office.see("/gestion/doublons").doc.Find("main .tasks a").Attr("href")
	office.send(at+"/distincts").to(t, "/gestion/doublons")
	office.see(at).has(t, "main", "pour de bon")
	office.see("/gestion/doublons").has(t, "main", "Aucun doublon")
}

// TestStaffBlock: the office blocks with a decision and its end, sees it on the family's page, and lifts it.
func TestStaffBlock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	set, _ := b.person("admin@example.be", "Luc Admin", account.RoleAdministrator)
	_, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	dad, _, father := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	link := "/gestion/liens/" + father.ID.String() + "/" + f.child.ID.String()
	office.see("/gestion/familles/"+father.HouseholdID.String()+"?enfant=lambert").has(t, "main", "Lier à Marc Dujardin")
	office.send(link, "basis", "parental_authority").to(t, link)
	dad.see("/mon-espace/famille").has(t, "main", "Léa")
	if got := office.send(link+"/bloquer", "decision", "TJ 2027/4"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a block without its end is answered %d", got.StatusCode)
	}
	office.send(link+"/bloquer", "decision", "TJ 2027/4", "until_block_day", "20", "until_block_month", "5", "until_block_year", "2027").to(t, link)
	if strings.Contains(dad.see("/mon-espace/famille").body, "Léa") {
		t.Error("the blocked father still reads the child")
	}
	office.see("/gestion/familles/"+f.guardian.HouseholdID.String()).has(t, "main", "bloqué")
	office.see("/gestion/familles").has(t, "main", "Marc Dujardin · Léa Lambert")
	office.see("/gestion/taches").has(t, "main", "Décision de blocage")
	lift, _ := office.see(link).doc.Find(`form[action$="/lever"]`).Attr("action")
	office.send(lift, "reason", "Jugement du 3 mai", "to", link).to(t, link)
	dad.see("/mon-espace/famille").has(t, "main", "Léa")

	if got := office.send("/gestion/familles/reglages", "postcodes", "7090"); got.StatusCode != http.StatusForbidden {
		t.Errorf("an agent changes the settings: %d", got.StatusCode)
	}
	if got := set.send("/gestion/familles/reglages", "postcodes", "12"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a postcode of two digits is answered %d", got.StatusCode)
	}
	set.send("/gestion/familles/reglages", "postcodes", "7090", "consent", "oui").to(t, "/gestion/familles")
	office.see("/gestion/familles/"+f.guardian.HouseholdID.String()).has(t, "main", "Habite la commune (déclaré)")
}
