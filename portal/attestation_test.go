package portal

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/reports"
)

// fiscalDesk is a desk in February 2028: Léa went to the camp of July 2027, which Sophie paid.
func fiscalDesk(t *testing.T) (d *desk, sophie, finance *browser) {
	t.Helper()
	d = newDesk(t)
	ctx := context.Background()
	if err := d.config.Enrol.Decide(ctx, d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	var due uuid.UUID
	var owed civil.Cents
	err := d.db.QueryRow(ctx, `SELECT due_id, sum(cents)::bigint FROM ledger_line GROUP BY due_id`).Scan(&due, &owed)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.config.Enrol.RecordPayment(ctx, d.agentAs.ID, due, owed, "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"commune.name": "Valmont", "commune.street": "Place 1", "commune.city": "4999 Valmont", "commune.bce": "0207354920", "commune.phone": "+3243001122",
		"commune.email": "stages@valmont.example",
	} {
		if err := camp.SetSetting(ctx, d.db, audit.Command("test"), key, value); err != nil {
			t.Fatal(err)
		}
	}
	*d.now = time.Date(2028, 2, 10, 10, 0, 0, 0, time.UTC)
	finance, _ = d.person("finance@example.test", "Fabien Dumont", "finance")
	return d, d.again("sophie@example.test"), finance
}

func (d *desk) attended() {
	d.t.Helper()
	d.exec(`
		INSERT INTO attendance (registration_id, session_id, present, marked_by, marked_at)
		SELECT $1, id, true, $2, now()
		FROM camp_session
		WHERE camp_id = $3`, d.asked.ID, d.agentAs.ID, d.camp)
}

const year2027 = staffAttestationPath + "?annee=2027"

func TestAttestationsAccess(t *testing.T) {
	t.Parallel()
	d, sophie, finance := fiscalDesk(t)
	other, _ := d.person("autre@example.test", "Autre")
	agent := d.again("agent@example.test")
	admin, _ := d.person("admin@example.test", "Admin", "administrator")
	for path, want := range map[string]int{year2027: http.StatusForbidden, staffAttestationPath + "/controle.xlsx?annee=2027": http.StatusForbidden} {
		if got := agent.get(path).StatusCode; got != want {
			t.Errorf("the agent sees %s: %d", path, got)
		}
		if got := other.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("a parent sees %s: %d", path, got)
		}
		for _, w := range []*browser{finance, admin} {
			if got := w.get(path).StatusCode; got != http.StatusOK {
				t.Errorf("%s: %d", path, got)
			}
		}
	}
	for _, path := range []string{"/etablir", "/belcotax", "/maximum", "/enfants/" + d.family.child.ID.String() + "/limite"} {
		if got := agent.send(staffAttestationPath+path, "year", "2027").StatusCode; got != http.StatusForbidden {
			t.Errorf("the agent sends %s: %d", path, got)
		}
	}
	if agent.see("/gestion/").doc.Find(".side a[href='"+staffAttestationPath+"']").Length() != 0 {
		t.Error("the agent's menu leads to the attestations")
	}
	finance.see("/gestion/").has(t, ".side a[href='"+staffAttestationPath+"']", "Attestations")
	_ = sophie
}

// TestAttestationsJourney goes from the missing marks to the corrected attestation and the file for Belcotax.
func TestAttestationsJourney(t *testing.T) {
	t.Parallel()
	d, sophie, finance := fiscalDesk(t)
	finance.see(year2027).has(t, "#manque ~ div, #manque ~ p", "Présences à encoder")
	d.attended()

	// The parent is asked for the number with the reason, and never sees it whole again.
	page := sophie.see(attestationPath)
	page.has(t, "main", "porte, par la loi")
	page.has(t, "main", "pas encore d’attestation")
	bad := sophie.send(attestationPath+"/numero", "national_number", "85.07.30-033.29")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong number gives %d", bad.StatusCode)
	}
	bad.has(t, "#f-national_number-error, #national_number-error, .error", "numéro")
	sophie.send(attestationPath+"/numero", "national_number", "85.07.30-033.28").to(t, attestationPath)
	page = sophie.see(attestationPath)
	page.has(t, "main", "••.••.••-•••.28")
	if strings.Contains(page.body, "033.28\"") || strings.Contains(page.body, "85073003328") {
		t.Error("the page shows the whole number")
	}

	// Léa's number is missing: it waits, unless the officer decides otherwise.
	before := finance.see(year2027)
	before.has(t, "#etablir ~ .scroll", "Léa Lambert")
	before.has(t, "#etablir ~ .scroll", "Numéro national de l’enfant inconnu")
	finance.send(staffAttestationPath+"/etablir", "year", "2027").to(t, year2027)
	if n := d.count(`SELECT count(*) FROM attestation`); n != 0 {
		t.Fatalf("%d attestations without a number", n)
	}
	for range 2 { // a double click makes one
		finance.send(staffAttestationPath+"/etablir", "year", "2027", "without_number", "oui").to(t, year2027)
	}
	if n := d.count(`SELECT count(*) FROM attestation`); n != 1 {
		t.Fatalf("%d attestations, want 1", n)
	}
	page = sophie.see(attestationPath)
	page.has(t, "table", "ATT-2027-00001")
	pdf, _ := page.doc.Find("table a").First().Attr("href")
	mine := sophie.get(pdf)
	if !strings.HasPrefix(mine.body, "%PDF-") || mine.Header.Get("Content-Disposition") != `attachment; filename="attestation-ATT-2027-00001.pdf"` {
		t.Errorf("%s sends %d %q", pdf, mine.StatusCode, mine.Header)
	}
	staff := finance.get(strings.Replace(pdf, "/mon-espace/", "/gestion/", 1))
	if staff.body != mine.body {
		t.Error("the office gets other bytes")
	}
	other, otherAs := d.person("autre@example.test", "Autre")
	d.bundle.family(otherAs)
	if got := other.get(pdf).StatusCode; got != http.StatusNotFound {
		t.Errorf("another parent gets %d", got)
	}
	if n := d.count(`SELECT count(*) FROM audit WHERE action = 'attestation.read'`); n != 2 {
		t.Errorf("%d readings in the audit, want 2", n)
	}

	// The child's number comes: a corrected one takes its place.
	if err := d.config.Household.UpdateChild(context.Background(), d.family.guardian.ID, d.family.child.ID, household.ChildForm{
		FirstName: "Léa", LastName: "Lambert", BirthDate: civil.NewDate(2018, 3, 14), NationalNumber: "18031400206",
	}); err != nil {
		t.Fatal(err)
	}
	finance.see(year2027).has(t, "#etablir ~ .scroll", "corrige ATT-2027-00001")
	finance.send(staffAttestationPath+"/etablir", "year", "2027").to(t, year2027)
	sophie.see(attestationPath).has(t, "table", "remplace ATT-2027-00001")

	// Belcotax: what is missing is told, then the file is made, kept and noted as sent.
	refused := finance.send(staffAttestationPath+"/belcotax", "year", "2027")
	if refused.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("without a contact: %d", refused.StatusCode)
	}
	refused.has(t, "#fautes ~ ul", "v0021_contactpersoon : manque")
	if err := camp.SetSetting(context.Background(), d.db, audit.Command("test"), "attestation.contact", "Claire Dubois"); err != nil {
		t.Fatal(err)
	}
	finance.send(staffAttestationPath+"/belcotax", "year", "2027").to(t, year2027)
	page = finance.see(year2027)
	link, _ := page.doc.Find("#belcotax ~ ul a").First().Attr("href")
	file := finance.get(link)
	if faults := reports.CheckBelcotax([]byte(file.body)); len(faults) != 0 {
		t.Errorf("the file has faults: %+v", faults)
	}
	if !regexp.MustCompile(`<f2009_volgnummer>2<`).MatchString(file.body) || !bytes.Contains([]byte(file.body), []byte("<f2011_nationaalnr>85073003328<")) {
		t.Error("the file does not hold the corrected attestation")
	}
	mark := strings.TrimSuffix(link, ".xml") + "/envoye"
	finance.send(mark, "year", "2027", "reference", "").has(t, "#f-reference", "référence")
	finance.send(mark, "year", "2027", "reference", "R12345").to(t, year2027)
	finance.see(year2027).has(t, "#belcotax ~ ul", "envoyé, référence R12345")
	if got := finance.send(staffAttestationPath+"/belcotax", "year", "2027"); got.StatusCode != http.StatusConflict {
		t.Errorf("nothing to send gives %d", got.StatusCode)
	}

	// A decision that hides the child hides its attestations.
	if _, err := d.config.Household.Block(context.Background(), audit.Command("test"), d.family.guardian.ID, d.family.child.ID, household.BlockForm{
		Decision: "TF 2028/1", Until: civil.NewDate(2029, 1, 1),
	}); err != nil {
		t.Fatal(err)
	}
	if got := sophie.get(pdf).StatusCode; got != http.StatusNotFound {
		t.Errorf("a hidden child's attestation gives %d", got)
	}
	hidden := sophie.see(attestationPath)
	if strings.Contains(hidden.body, "ATT-2027") || strings.Contains(hidden.text("main"), "Léa") {
		t.Error("the page tells of a hidden child")
	}
}

// TestMutuellePage makes one attestation for the health fund, however often it is asked for.
func TestMutuellePage(t *testing.T) {
	t.Parallel()
	d, sophie, _ := fiscalDesk(t)
	sophie.see(attestationPath).has(t, "#mutuelle ~ ul", "Présences à encoder")
	if got := sophie.send(attestationPath+"/mutuelle", "registration", d.asked.ID.String()).StatusCode; got != http.StatusConflict {
		t.Errorf("without marks: %d", got)
	}
	d.attended()
	for range 2 {
		sophie.send(attestationPath+"/mutuelle", "registration", d.asked.ID.String()).to(t, attestationPath)
	}
	page := sophie.see(attestationPath)
	page.has(t, "table", "MUT-2027-00001")
	pdf, _ := page.doc.Find("table a").First().Attr("href")
	if got := sophie.get(pdf); !strings.HasPrefix(got.body, "%PDF-") {
		t.Errorf("%s sends %d", pdf, got.StatusCode)
	}
	if n := d.count(`SELECT count(*) FROM attestation WHERE series = 'mutuelle'`); n != 1 {
		t.Errorf("%d attestations, want 1", n)
	}
	other, otherAs := d.person("autre@example.test", "Autre")
	d.bundle.family(otherAs)
	if got := other.send(attestationPath+"/mutuelle", "registration", d.asked.ID.String()).StatusCode; got != http.StatusNotFound {
		t.Errorf("another parent asks: %d", got)
	}
}

// TestAgeLimitPages lets a parent declare and the officer decide; nobody else reads it.
func TestAgeLimitPages(t *testing.T) {
	t.Parallel()
	d, sophie, finance := fiscalDesk(t)
	child := d.family.child.ID.String()
	sophie.send(attestationPath+"/enfants/"+child+"/limite", "has", "oui").to(t, attestationPath)
	sophie.see(attestationPath).has(t, "#limites ~ ul", "déclaré, à vérifier")
	finance.see(year2027).has(t, "#limites ~ ul", "Léa Lambert")
	bad := finance.send(staffAttestationPath+"/enfants/"+child+"/limite", "year", "2027", "decision", "oui", "proof", " ")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without proof: %d", bad.StatusCode)
	}
	finance.send(staffAttestationPath+"/enfants/"+child+"/limite", "year", "2027", "decision", "oui", "proof", "SPF, 12/01/2026").to(t, year2027)
	sophie.see(attestationPath).has(t, "#limites ~ ul", "vérifié")
	if strings.Contains(d.again("agent@example.test").see("/gestion/enfants/"+child).text("main"), "21 ans") {
		t.Error("the agent reads it")
	}

	finance.send(staffAttestationPath+"/maximum", "year", "2027", "maximum", "17,50").to(t, year2027)
	finance.see(year2027).has(t, "#maximum ~ ul", "17,50")
	if bad := finance.send(staffAttestationPath+"/maximum", "year", "1900", "maximum", "x"); bad.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a bad maximum gives %d", bad.StatusCode)
	}
}

// TestFundForms brings the form of a fund, matches its fields, and hands it out filled to the debtor alone.
func TestFundForms(t *testing.T) {
	t.Parallel()
	d, sophie, finance := fiscalDesk(t)
	d.attended()
	blank, err := os.ReadFile("testdata/formulaire-mutuelle.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for name, pdf := range map[string][]byte{"Choisissez un fichier PDF": []byte("bonjour"), "trop grand": bytes.Repeat([]byte("%PDF-"), reports.MaxFundForm)} {
		bad := finance.upload(fundPath, "x.pdf", pdf, "name", "Solidarité")
		if bad.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, bad.StatusCode)
		}
		bad.has(t, "#f-file-error", name)
	}
	one := finance.upload(fundPath, "formulaire.pdf", blank, "name", "Solidarité").to(t, fundPath+"/")
	if again := finance.upload(fundPath, "formulaire.pdf", blank, "name", "Solidarité").to(t, fundPath+"/"); again != one {
		t.Errorf("a double click makes another: %s and %s", one, again)
	}
	finance.see(one).has(t, "form.panel", "Nom enfant")
	sophie.send(attestationPath+"/mutuelle", "registration", d.asked.ID.String()).to(t, attestationPath)
	if sophie.see(attestationPath).doc.Find("details").Length() != 0 {
		t.Error("a form without matched fields is offered")
	}
	finance.send(one, "field_0", "child", "field_1", "days").to(t, fundPath)
	finance.see(fundPath).has(t, "#formulaires ~ ul", "2 champs remplis")
	link, _ := sophie.see(attestationPath).doc.Find("details a").First().Attr("href")
	filled := sophie.get(link)
	values := map[string]string{}
	fields, err := api.FormFields(strings.NewReader(filled.body), model.NewDefaultConfiguration())
	if err != nil {
		t.Fatalf("%s: %v", link, err)
	}
	for _, f := range fields {
		values[f.Name] = f.V
	}
	if values["Nom enfant"] != "Léa Lambert" || values["nb_jours"] != "5" {
		t.Errorf("%s holds %v", link, values)
	}
	other, otherAs := d.person("autre@example.test", "Autre")
	d.bundle.family(otherAs)
	if got := other.get(link).StatusCode; got != http.StatusNotFound {
		t.Errorf("another parent gets %d", got)
	}
	if got := d.again("agent@example.test").get(fundPath).StatusCode; got != http.StatusForbidden {
		t.Errorf("the agent sees the forms: %d", got)
	}
	finance.send(one+"/retirer").to(t, fundPath)
	if got := sophie.get(link).StatusCode; got != http.StatusNotFound {
		t.Errorf("a retired form gives %d", got)
	}
}
