package portal

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
	"ribambelle/internal/task"
)

// desk is a commune with an agent at work: a camp with a bus, a family that asked for a place.
type desk struct {
	*bundle
	agent   *browser
	agentAs account.Account
	parent  account.Account
	family  family
	camp    uuid.UUID
	asked   enrol.Registration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{bundle: setup(t)}
	d.agent, d.agentAs = d.person("agent@example.test", "Anne Claes", "agent")
	_, d.parent = d.person("sophie@example.test", "Sophie Lambert")
	d.family = d.bundle.family(d.parent)
	d.camp = d.bundle.camp()
	line := d.bus(d.camp)
	d.asked = d.ask(d.family, d.camp, &line.Stops[0].ID, nil)
	return d
}

// ask registers a family's child for a camp.
func (b *bundle) ask(f family, campID uuid.UUID, out, back *uuid.UUID) enrol.Registration {
	b.t.Helper()
	r, err := b.config.Enrol.Register(context.Background(), f.guardian.ID, enrol.Request{
		Key: uuid.New(), ChildID: f.child.ID, CampID: campID, StopOutID: out, StopBackID: back, Remark: "Léa est timide.",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bundle) state(id uuid.UUID) enrol.State {
	b.t.Helper()
	r, err := b.config.Enrol.Registration(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.State
}

// TestOfficeAccess walks every page of the office with every role: a parent or leader finds nothing, a visitor signs in,
// a role without the right is told so.
func TestOfficeAccess(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	people := map[string]*browser{"agent": d.agent}
	for _, role := range []string{"finance", "organiser", "administrator", "leader"} {
		people[role], _ = d.person(role+"@example.test", role, role)
	}
	people["parent"], _ = d.person("autre@example.test", "Autre")
	reg, one := "/gestion/inscriptions/"+d.asked.ID.String(), "/gestion/stages/"+d.camp.String()
	for path, may := range map[string]string{
		"/gestion/":             "agent finance organiser administrator",
		"/gestion/inscriptions": "agent finance organiser administrator",
		reg:                     "agent finance organiser administrator",
		reg + "/refuser":        "agent",
		reg + "/annuler":        "agent",
		"/gestion/recherche":    "agent finance organiser administrator",
		"/gestion/taches":       "agent finance organiser administrator",
		"/gestion/stages":       "agent finance organiser administrator",
		one:                     "agent finance organiser administrator",
		one + "/reglages":       "agent organiser administrator",
		one + "/registre.xlsx":  "agent organiser administrator",
		"/gestion/reglages":     "administrator",
		"/gestion/systeme":      "administrator",
		"/gestion/enfants/" + d.family.child.ID.String(): "agent finance organiser administrator",
	} {
		for who, browser := range people {
			want := http.StatusForbidden
			switch {
			case who == "parent" || who == "leader":
				want = http.StatusNotFound
			case strings.Contains(may, who):
				want = http.StatusOK
			}
			if got := browser.get(path).StatusCode; got != want {
				t.Errorf("%s asks for %s: %d, want %d", who, path, got, want)
			}
		}
		if a := d.browser().get(path); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/connexion") {
			t.Errorf("a visitor asks for %s: %d to %q, want the sign-in page", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	// What changes something is refused to those who only look.
	for path, role := range map[string]string{reg + "/valider": "finance", reg + "/paiement": "organiser", one + "/animateurs": "finance", "/gestion/reglages": "agent"} {
		if got := people[role].send(path).StatusCode; got != http.StatusForbidden {
			t.Errorf("%s posts to %s: %d, want 403", role, path, got)
		}
	}
	if got := d.state(d.asked.ID); got != enrol.ToValidate {
		t.Errorf("the request is %s, want it untouched", got)
	}
}

func TestStaffToday(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	*d.now = testNow.Add(50 * time.Hour)
	d.agent = d.again("agent@example.test")
	a := d.agent.see("/gestion/")
	a.has(t, ".queues", "1 demande à valider le plus ancien : 2 j")
	a.has(t, ".queues", "1 fiche médicale manquante")
	a.has(t, "#odoo ~ p", "Aucun Odoo")
	if got := a.text(".side a[href='/gestion/inscriptions'] .c"); got != "1" {
		t.Errorf("the menu counts %q requests, want 1", got)
	}
	d.exec(`INSERT INTO odoo_cursor (model, pulled_at) VALUES ('event.event', $1)`, d.now.Add(-2*time.Minute))
	d.agent.see("/gestion/").has(t, "#odoo ~ p", "à jour il y a 2 minutes")
	*d.now = d.now.Add(time.Hour)
	d.agent.see("/gestion/").has(t, "#odoo ~ p .stop", "ne répond pas")
}

func TestStaffQueue(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.agent.see("/gestion/inscriptions")
	a.has(t, "table.queue tbody", "Léa Lambert")
	a.has(t, "table.queue tbody", "P3 · 9 ans")
	a.has(t, "table.queue .tag.wait", "fiche à confirmer")
	a.has(t, "table.queue .tag.ok", "bus : 1 trajet")
	a.has(t, "table.queue .tag.info", "remarque")
	if n := a.doc.Find("table.queue .tag.stop").Length(); n != 0 {
		t.Errorf("%d faults on a request without any", n)
	}
	// The camp asks for something else now: the queue says so.
	d.exec(`UPDATE camp SET tag_levels = '{P5}', tag_age_min = 10 WHERE id = $1`, d.camp)
	a = d.agent.see("/gestion/inscriptions")
	a.has(t, "table.queue .tag.stop", "âge : 9 ans")
	a.has(t, "table.queue .tag.stop", "année scolaire : P3")
	for state, want := range map[string]int{"to_validate": 1, "sheet": 1, "all": 1, "waitlisted": 0, "late": 0, "confirmed": 0, "over": 0, "awaiting_payment": 0, "nonsense": 1} {
		if got := d.agent.see("/gestion/inscriptions?state=" + state).doc.Find("table.queue tbody tr").Length(); got != want {
			t.Errorf("%s lists %d registrations, want %d", state, got, want)
		}
	}
	if got := d.agent.see("/gestion/inscriptions?camp=" + d.bundle.camp().String()).doc.Find("table.queue tbody tr").Length(); got != 0 {
		t.Errorf("another camp's queue lists %d registrations", got)
	}
}

func TestStaffValidates(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	d.agent.send(url+"/valider", "from", "queue").to(t, "/gestion/inscriptions")
	d.agent.see("/gestion/inscriptions").has(t, ".notice.ok", "La demande est validée.")
	if got := d.state(d.asked.ID); got != enrol.AwaitingPayment {
		t.Fatalf("the request is %s", got)
	}
	if a := d.agent.send(url + "/valider"); a.StatusCode != http.StatusConflict {
		t.Errorf("validating twice answers %d, want 409", a.StatusCode)
	}
	a := d.agent.see(url)
	a.has(t, ".line", "Anne Claes")
	a.has(t, ".money tfoot th", "Reste à payer")
	a.has(t, ".money tfoot td", "65,00")
	if a.doc.Find(".decide form").Length() != 0 {
		t.Error("a validated request may be validated again")
	}
}

func TestStaffRefusesWithReason(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	d.agent.see(url+"/refuser").has(t, "h1", "Léa Lambert")
	a := d.agent.send(url+"/refuser", "reason", "  ")
	if a.StatusCode != http.StatusUnprocessableEntity || d.state(d.asked.ID) != enrol.ToValidate {
		t.Fatalf("without a reason: %d and %s", a.StatusCode, d.state(d.asked.ID))
	}
	if href, _ := a.doc.Find("[role=alert] a").Attr("href"); href != "#f-reason" {
		t.Errorf("the summary leads to %q", href)
	}
	long := strings.Repeat("é", 600)
	a = d.agent.send(url+"/refuser", "reason", long)
	if got := a.doc.Find("textarea").Text(); a.StatusCode != http.StatusUnprocessableEntity || got != long {
		t.Errorf("a reason that is too long is not kept as typed: %d, %d characters", a.StatusCode, len(got))
	}
	d.agent.send(url+"/refuser", "reason", "Le stage est complet pour cet âge.").to(t, url)
	d.agent.see(url).has(t, ".line", "« Le stage est complet pour cet âge. »")
	if got := d.state(d.asked.ID); got != enrol.Refused {
		t.Errorf("the request is %s", got)
	}
}

func TestStaffCancels(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	d.agent.send(url+"/valider").to(t, url)
	d.agent.send(url+"/annuler", "reason", "Groupe supprimé.").to(t, url)
	a := d.agent.see(url)
	a.has(t, "main", "annulée par le service")
	if a.doc.Find(".decide a[href$=annuler]").Length() != 0 {
		t.Error("an exit may be cancelled again")
	}
}

func TestStaffRestores(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	d.agent.send(url+"/refuser", "reason", "Erreur de ligne.").to(t, url)
	d.agent.see(url).has(t, ".decide", "Reprendre")
	if a := d.agent.send(url + "/reprendre"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", a.StatusCode)
	}
	d.agent.send(url+"/reprendre", "reason", "Refusée par erreur.").to(t, url)
	if got := d.state(d.asked.ID); got != enrol.ToValidate {
		t.Fatalf("the registration is %s", got)
	}
	d.agent.send(url+"/valider").to(t, url)
	d.agent.see(url).has(t, ".decide", "Remettre")
	d.agent.send(url+"/reprendre", "reason", "À revoir.").to(t, url)
	if got := d.state(d.asked.ID); got != enrol.ToValidate {
		t.Errorf("the registration is %s", got)
	}
}

// TestStaffGrantsException validates a request that its camp's limits bar, because the family asked and with a reason.
func TestStaffGrantsException(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`UPDATE registration SET derogation = 'Son frère y participe.'`)
	d.exec(`UPDATE camp SET tag_levels = '{P5}', derogations = true WHERE id = $1`, d.camp)
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	a := d.agent.see("/gestion/inscriptions")
	a.has(t, "table.queue", "dérogation demandée")
	if a.doc.Find("table.queue button[formaction]").Length() != 0 {
		t.Error("an exception may be granted without a look at it")
	}
	d.agent.see(url+"/valider").has(t, ".notice", "Son frère y participe.")
	if a := d.agent.send(url + "/valider"); a.StatusCode != http.StatusUnprocessableEntity || d.state(d.asked.ID) != enrol.ToValidate {
		t.Errorf("without a reason: %d and %s", a.StatusCode, d.state(d.asked.ID))
	}
	many := d.agent.send("/gestion/inscriptions/valider", "id", d.asked.ID.String())
	if many.StatusCode != http.StatusConflict || many.doc.Find(".tasks .error").Length() != 1 {
		t.Errorf("among many: %d", many.StatusCode)
	}
	d.agent.send(url+"/valider", "reason", "Fratrie.").to(t, url)
	if n := d.count(`SELECT count(*) FROM registration_override WHERE rule = 'level' AND reason = 'Fratrie.'`); n != 1 {
		t.Errorf("%d exceptions kept", n)
	}
}

func TestStaffValidatesMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, other := d.person("karim@example.test", "Karim")
	second := d.ask(d.bundle.family(other), d.camp, nil, nil)
	d.agent.send("/gestion/inscriptions/valider").to(t, "/gestion/inscriptions")
	query := "?id=" + d.asked.ID.String() + "&id=" + second.ID.String() + "&id=" + second.ID.String()
	a := d.agent.see("/gestion/inscriptions/valider" + query)
	a.has(t, "h1", "Valider 2")
	if d.state(second.ID) != enrol.ToValidate {
		t.Fatal("the preview decided")
	}
	// One of them was decided meanwhile by somebody else.
	d.agent.send("/gestion/inscriptions/"+second.ID.String()+"/valider").to(t, "/gestion/inscriptions/")
	a = d.agent.send("/gestion/inscriptions/valider", "id", d.asked.ID.String(), "id", second.ID.String())
	if a.StatusCode != http.StatusConflict {
		t.Fatalf("answers %d, want 409", a.StatusCode)
	}
	a.has(t, "[role=alert]", "1 demande n’a pas pu être validée")
	if got := d.state(d.asked.ID); got != enrol.AwaitingPayment {
		t.Errorf("the other one is %s", got)
	}
}

func TestStaffRecordsPaymentOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	finance, _ := d.person("finance@example.test", "Paul", "finance")
	url := "/gestion/inscriptions/" + d.asked.ID.String()
	if a := finance.send(url+"/paiement", "amount", "10", "source", "cash", "key", uuid.NewString()); a.StatusCode != http.StatusNotFound {
		t.Errorf("money for what is not due: %d, want 404", a.StatusCode)
	}
	d.agent.send(url+"/valider").to(t, url)
	a := finance.see(url)
	key, _ := a.doc.Find("input[name=key]").Attr("value")
	if got, _ := a.doc.Find("input[name=amount]").Attr("value"); got != "65.00" && got != "65,00" {
		t.Errorf("the form starts with %q, want what is owed", got)
	}
	bad := finance.send(url+"/paiement", "amount", "beaucoup", "source", "bank", "key", key)
	if got, _ := bad.doc.Find("input[name=key]").Attr("value"); bad.StatusCode != http.StatusUnprocessableEntity || got != key {
		t.Errorf("a wrong amount answers %d and changes the key to %q", bad.StatusCode, got)
	}
	for range 2 { // a double click
		finance.send(url+"/paiement", "amount", "65,00", "source", "bank", "key", key).to(t, url)
	}
	if n := d.count(`SELECT count(*) FROM ledger_line WHERE kind = 'payment'`); n != 1 {
		t.Errorf("%d payments booked", n)
	}
	a = finance.see(url)
	a.has(t, "main", "confirmée")
	href, _ := a.doc.Find("a[href^='/gestion/factures/']").Attr("href")
	pdf := finance.see(href)
	if !strings.HasPrefix(pdf.body, "%PDF-") || !strings.Contains(pdf.Header.Get("Content-Disposition"), "facture-F-2027-00001.pdf") {
		t.Errorf("the invoice is %q as %q", pdf.body[:8], pdf.Header.Get("Content-Disposition"))
	}
	if again := finance.see(href); again.body != pdf.body {
		t.Error("the invoice has other bytes the second time")
	}
}

func TestStaffCamp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, leader := d.person("tom@example.test", "Tom Remy", "leader")
	url := "/gestion/stages/" + d.camp.String()
	d.agent.see("/gestion/stages").has(t, "table", "Les explorateurs du canal")
	a := d.agent.see(url)
	a.has(t, "#list ~ div", "Lambert Léa")
	a.has(t, "#bus ~ div tbody tr:first-child th", "lun. 5 juil., aller")
	a.has(t, "#bus ~ div tbody tr:first-child td:last-child", "1 / 8")
	d.agent.send(url+"/animateurs", "account", leader.ID.String(), "coordinator", "oui").to(t, url)
	d.agent.see(url).has(t, "#animateurs ~ ul", "Tom Remy coordination")
	if a := d.agent.send(url+"/animateurs", "account", d.parent.ID.String()); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a parent becomes a leader: %d", a.StatusCode)
	}
	d.agent.send(url+"/animateurs/retirer", "account", leader.ID.String()).to(t, url)
	d.agent.see(url).has(t, "#animateurs ~ ul", "Aucun animateur.")
	d.agent.send(url+"/places", "closed", "oui").to(t, url)
	a = d.agent.see(url)
	a.has(t, "#places ~ div", "fermé aux")
	a.has(t, "#history ~ ul", "Fermeture aux")
	a.has(t, "#history ~ ul", "Anne Claes")
	d.agent.send(url+"/places", "closed", "non").to(t, url)
	if n := d.count(`SELECT count(*) FROM pool p JOIN camp c ON c.pool_id = p.id WHERE c.id = $1 AND p.closed`, d.camp); n != 0 {
		t.Error("the camp is still closed")
	}
}

func TestStaffCampSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	url := "/gestion/stages/" + d.camp.String()
	a := d.agent.see(url + "/reglages")
	a.has(t, ".notice.info", "P1, P2, P3, P4")
	// Everything that the form shows is sent back unchanged: nothing may change.
	before, err := d.config.Camp.Camp(context.Background(), d.camp)
	if err != nil {
		t.Fatal(err)
	}
	fields := fieldsOf(a.doc.Find("main form").First())
	d.agent.send(url+"/reglages", fields...).to(t, url)
	after, err := d.config.Camp.Camp(context.Background(), d.camp)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("saving the form as shown changes the camp (-before +after):\n%s", diff)
	}
	form := []string{
		"published", "oui", "levels", "P2", "levels", "P3", "age_min", "7", "age_max", "", "themes", "Eau,  Nature ,", "decision", "automatic",
		"price", "72,50", "pay_days", "10", "deposit", "30", "rest_days", "20", "regulation", "Conseil du 3 mai", "sheet_days", "90", "opens_at_day", "10", "opens_at_month", "5", "opens_at_year", "2027", "opens_at_hour", "9h",
		"bring", "Bottes", "contact", "Tom, 0475 12 34 56",
	}
	d.agent.send(url+"/reglages", form...).to(t, url)
	after, err = d.config.Camp.Camp(context.Background(), d.camp)
	if err != nil {
		t.Fatal(err)
	}
	if want := civil.NewDate(2027, 5, 10).At(9*60, civil.Brussels); after.OpensAt == nil || !after.OpensAt.Equal(want) {
		t.Errorf("opens at %v, want %v", after.OpensAt, want)
	}
	if after.PriceCents != 7250 || after.Decision != camp.DecisionAutomatic || after.PayDays != 10 || after.Bring != "Bottes" {
		t.Errorf("settings %+v", after)
	}
	if n := d.count(`SELECT count(*) FROM camp WHERE id = $1 AND set_themes = '{Eau,Nature}' AND set_levels = '{P2,P3}' AND set_age_min = 7`, d.camp); n != 1 {
		t.Error("levels, themes or ages were not kept")
	}
	if n := d.count(`SELECT count(*) FROM camp WHERE id = $1 AND deposit_percent = 30 AND rest_days = 20 AND regulation = 'Conseil du 3 mai'`, d.camp); n != 1 {
		t.Error("the deposit or the regulation was not kept")
	}
	bad := d.agent.send(url+"/reglages", "price", "cher", "pay_days", "0", "sheet_days", "x", "decision", "manual", "opens_at_hour", "26h", "bring", "Mes mots")
	if bad.StatusCode != http.StatusUnprocessableEntity || bad.doc.Find("textarea[name=bring]").Text() != "Mes mots" {
		t.Errorf("answers %d and keeps %q", bad.StatusCode, bad.doc.Find("textarea[name=bring]").Text())
	}
	for _, name := range []string{"price", "sheet_days", "opens_at_hour"} {
		if bad.doc.Find("#f-"+name+"-error").Length() != 1 {
			t.Errorf("%s is not marked", name)
		}
	}
}

// fieldsOf returns what a browser would send of a form.
func fieldsOf(form *goquery.Selection) []string {
	var pairs []string
	form.Find("input, textarea, select").Each(func(_ int, in *goquery.Selection) {
		name, _ := in.Attr("name")
		kind, _ := in.Attr("type")
		value, _ := in.Attr("value")
		_, checked := in.Attr("checked")
		switch {
		case in.Is("textarea"):
			value = in.Text()
		case in.Is("select"):
			value, _ = in.Find("option[selected]").Attr("value")
		case (kind == "checkbox" || kind == "radio") && !checked:
			return
		}
		pairs = append(pairs, name, value)
	})
	return pairs
}

func TestStaffRegister(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	err := d.config.Medical.Save(context.Background(), d.parent.ID, d.family.guardian.ID, d.family.child.ID, medical.Sheet{
		HasAllergies: medical.Yes, Allergies: []medical.Allergy{{To: "arachides", Severe: medical.Yes}},
	})
	if err != nil {
		t.Fatal(err)
	}
	organiser, _ := d.person("orga@example.test", "Olga", "organiser")
	url := "/gestion/stages/" + d.camp.String() + "/registre.xlsx"
	for name, tt := range map[string]struct {
		who      *browser
		url      string
		allergy  bool
		readings int
	}{
		"agent":                 {d.agent, url + "?sante=oui", true, 1},
		"agent without":         {d.agent, url, false, 0},
		"organiser asks anyway": {organiser, url + "?sante=oui", false, 0},
	} {
		before := d.count(`SELECT count(*) FROM medical_access WHERE purpose = 'register'`)
		a := tt.who.see(tt.url)
		f, err := excelize.OpenReader(bytes.NewReader([]byte(a.body)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, err := f.GetRows("Registre")
		if err != nil || len(rows) < 2 || rows[1][1] != "Lambert" {
			t.Fatalf("%s: rows %q, %v", name, rows, err)
		}
		if got := strings.Contains(strings.Join(rows[1], "|"), "arachides"); got != tt.allergy {
			t.Errorf("%s: allergy shown %t, want %t", name, got, tt.allergy)
		}
		if got := d.count(`SELECT count(*) FROM medical_access WHERE purpose = 'register'`) - before; got != tt.readings {
			t.Errorf("%s: %d readings logged, want %d", name, got, tt.readings)
		}
		kind := "registre"
		if tt.allergy {
			kind = "registre-sante"
		}
		if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="`+kind+`-les-explorateurs-du-canal-2027-07-05.xlsx"` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestStaffTasks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := context.Background()
	if err := task.Open(ctx, d.db, task.RefundDue, "registration", d.asked.ID.String(), map[string]any{"cents": 6500}); err != nil {
		t.Fatal(err)
	}
	if err := task.Open(ctx, d.db, task.OdooRefused, "registration", d.asked.ID.String(), map[string]any{"reason": "Le champ est trop long"}); err != nil {
		t.Fatal(err)
	}
	a := d.agent.see("/gestion/taches")
	a.has(t, ".tasks", "À rembourser à la famille · 65,00")
	a.has(t, ".tasks", "Léa Lambert · Les explorateurs du canal")
	if n := d.agent.see("/gestion/taches?kind=odoo").doc.Find("ul.tasks > li").Length(); n != 1 {
		t.Errorf("%d tasks about Odoo, want 1", n)
	}
	d.agent.see("/gestion/inscriptions/"+d.asked.ID.String()).has(t, ".notice", "Odoo refuse")
	action, _ := a.doc.Find("ul.tasks form").First().Attr("action")
	d.agent.send(action, "to", "//ailleurs.example/").to(t, "/gestion/taches")
	if n := d.count(`SELECT count(*) FROM task WHERE done_at IS NULL`); n != 1 {
		t.Errorf("%d tasks are open, want 1", n)
	}
}

func TestStaffSearch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, other := d.person("ines@example.test", "Autre")
	g, err := d.config.Household.SaveGuardian(context.Background(), other.ID, household.GuardianForm{
		FirstName: "Inès", LastName: "D’Hœve-Çelik", Phone: "+32498765432", Street: "Rue 1", Postcode: "7090", City: "Ronquières",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.config.Household.AddChild(context.Background(), g.ID, household.ChildForm{
		Key: uuid.New(), FirstName: "Zoé", LastName: "D’Hœve-Çelik", BirthDate: civil.NewDate(2019, 1, 2), Level: "P2",
	}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"lea":          "Léa Lambert",
		"LAMBERT léa":  "Léa Lambert",
		"Lambret":      "Léa Lambert", // two letters swapped
		"lamb":         "Léa Lambert",
		"Lea Lambort":  "Léa Lambert",
		"dhoeve celik": "Zoé D’Hœve-Çelik",
		"zoe":          "Zoé D’Hœve-Çelik",
		"Dupont":       "",
		"lxa lambert":  "",
		"%":            "",
		"'; DROP":      "",
	} {
		if got := d.agent.see("/gestion/recherche?" + q(query)).text("#children ~ ul a"); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	d.agent.see("/gestion/recherche?"+q("0498 76 54 32")).has(t, "#adults ~ ul", "Inès D’Hœve-Çelik")
	d.agent.send("/gestion/inscriptions/"+d.asked.ID.String()+"/valider").to(t, "/gestion/")
	communication := d.agent.see("/gestion/inscriptions/" + d.asked.ID.String()).text(".code")
	d.agent.see("/gestion/recherche?"+q(communication)).has(t, "#payments ~ ul", "Léa Lambert")
	child := d.agent.see("/gestion/enfants/" + d.family.child.ID.String())
	child.has(t, "#registrations ~ ul", "Les explorateurs du canal")
	child.has(t, ".adults", "0475 12 34 56")
	if got := d.agent.get("/gestion/enfants/" + uuid.NewString()).StatusCode; got != http.StatusNotFound {
		t.Errorf("an unknown child answers %d", got)
	}
}

func q(v string) string { return encode("q", v) }

func TestDistance(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]int{
		{"lambert", "lambert"}: 0, {"lambert", "lambret"}: 1, {"lea", "leo"}: 1, {"", "ab"}: 2, {"abc", "abcdef"}: 3, {"noël", "noel"}: 1, {"marie", "amrei"}: 2,
	} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("distance(%q, %q) = %d, want %d", pair[0], pair[1], got, want)
		}
		if a, b := distance(pair[0], pair[1]), distance(pair[1], pair[0]); a != b {
			t.Errorf("distance of %q is %d one way and %d the other", pair, a, b)
		}
	}
}

func TestStaffSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin, as := d.person("admin@example.test", "Ada", "administrator")
	a := admin.see("/gestion/reglages")
	fields := fieldsOf(a.doc.Find("main form").First())
	for i := range fields {
		switch fields[i] {
		case "commune.name":
			fields[i+1] = "Valmont-sur-Meuse"
		case "commune.iban":
			fields[i+1] = "BE15 0910 0000 0130"
		}
	}
	admin.send("/gestion/reglages", fields...).to(t, "/gestion/reglages")
	admin.see("/gestion/reglages").has(t, ".brand", "Valmont-sur-Meuse")
	if n := d.count(`SELECT count(*) FROM setting`); n != 2 {
		t.Errorf("%d settings were stored, want the two that changed", n)
	}
	wrong := admin.send("/gestion/reglages", "commune.name", "Valmont", "commune.iban", "BE15 0910 0000 0131", "commune.bce", "0123.456.788", "commune.email", "stages",
		"attestation.certified_from_day", "31", "attestation.certified_from_month", "2", "attestation.certified_from_year", "2027", "cash.no_desk", "peut-être")
	if got := wrong.doc.Find(".field .error").Length(); wrong.StatusCode != http.StatusUnprocessableEntity || got != 5 {
		t.Errorf("answers %d with %d errors, want 5: account, enterprise number, e-mail, date, choice", wrong.StatusCode, got)
	}
	admin.send("/gestion/reglages", "commune.name", "Valmont-sur-Meuse", "attestation.certified_from_day", "1", "attestation.certified_from_month", "3", "attestation.certified_from_year", "2027").to(t, "/gestion/reglages")
	if n := d.count(`SELECT count(*) FROM setting WHERE key = 'attestation.certified_from' AND value = '2027-03-01'`); n != 1 {
		t.Error("the day from which the authorisation holds is not stored")
	}
	if year, _ := admin.see("/gestion/reglages").doc.Find("[name='attestation.certified_from_year']").Attr("value"); year != "2027" {
		t.Errorf("the form shows the year %q", year)
	}
	bad := admin.send("/gestion/reglages", "commune.name", "", "commune.street", strings.Repeat("x", 600))
	if bad.StatusCode != http.StatusUnprocessableEntity || bad.doc.Find(".error").Length() != 2 {
		t.Errorf("answers %d with %d errors", bad.StatusCode, bad.doc.Find(".error").Length())
	}
	admin.send("/gestion/reglages/rappels/fiche-medicale", "first_days", "21", "every_days", "5", "at_most", "4", "enabled", "oui").to(t, "/gestion/reglages")
	admin.see("/gestion/reglages").has(t, "form[action$=fiche-medicale]", "21 jours avant le stage, puis tous les 5 jours, au plus 4 fois")
	bad = admin.send("/gestion/reglages/rappels/fiche-medicale", "first_days", "0", "every_days", "cinq", "at_most", "4")
	if got := bad.doc.Find("form[action$=fiche-medicale] .error").Length(); bad.StatusCode != http.StatusUnprocessableEntity || got != 2 {
		t.Errorf("answers %d with %d errors beside the rule", bad.StatusCode, got)
	}
	if got := admin.send("/gestion/reglages/rappels/inconnu", "first_days", "1", "every_days", "1", "at_most", "1").StatusCode; got != http.StatusNotFound {
		t.Errorf("an unknown rule answers %d", got)
	}
	entries, err := audit.List(context.Background(), d.db, "setting", "commune.name", 5)
	if err != nil || len(entries) != 1 || entries[0].ActorID != as.ID.String() {
		t.Errorf("audit %+v, %v", entries, err)
	}
	// Every setting of the commune is asked for exactly once.
	seen := map[string]int{}
	for _, g := range groupsOfSettings() {
		for _, key := range g.keys {
			seen[key]++
		}
	}
	for _, key := range camp.SettingNames() {
		if seen[key] != 1 {
			t.Errorf("setting %s stands %d times on the page", key, seen[key])
		}
		if !locale.For("fr").Has("setting." + key) {
			t.Errorf("French lacks the name of setting %s", key)
		}
	}
}

func TestStaffSystem(t *testing.T) {
	t.Parallel()
	next := testNow.Add(time.Minute)
	b := setup(t, func(c *Config) {
		c.Schedule = []Scheduled{{Name: "sync_pull", Next: func(time.Time) (time.Time, error) { return next, nil }}}
	})
	admin, _ := b.person("admin@example.test", "Ada", "administrator")
	b.exec(`INSERT INTO schedule (name, last_fired_at, last_outcome) VALUES ('sync_pull', $1, 'enqueued')`, testNow.Add(-time.Minute))
	b.exec(`
		INSERT INTO river_job (kind, args, state, attempt, max_attempts, queue, finalized_at, attempted_at, errors)
		VALUES ('message_send', '{}', 'discarded', 25, 25, 'mail', $1, $1, ARRAY['{"attempt": 25, "error": "550 boîte inconnue"}'::jsonb])`, testNow)
	b.exec(`INSERT INTO message (template, subject_id, recipient, slot, failed_at, failure) VALUES ('sheet_stale', 'x', 'guardian:x', $1, $1, '550 boîte inconnue')`, testNow)
	a := admin.see("/gestion/systeme")
	for i, want := range []string{"Lecture d’Odoo", "lundi 3 mai 2027 à 12 h 01", "il y a 1 minute", "lancé"} {
		a.has(t, fmt.Sprintf("#schedule ~ div tbody tr > :nth-child(%d)", i+1), want)
	}
	a.has(t, "#queue ~ ul strong", "Envoi d’un e-mail")
	a.has(t, "#queue ~ ul .tag.stop", "abandonné")
	a.has(t, "#queue ~ ul", "550 boîte inconnue")
	a.has(t, "#mail ~ ul", "550 boîte inconnue")
	action, _ := a.doc.Find("#queue ~ ul form").Attr("action")
	admin.send(action).to(t, "/gestion/systeme")
	if n := b.count(`SELECT count(*) FROM river_job WHERE state = 'available'`); n != 1 {
		t.Error("the job was not given another try")
	}
	again, _ := a.doc.Find("#mail ~ ul form").Attr("action")
	admin.send(again, "to", "/gestion/systeme").to(t, "/gestion/systeme")
	if n := b.count(`SELECT count(*) FROM message WHERE failed_at IS NULL`); n != 1 {
		t.Error("the mail is not sent again")
	}
	if got := admin.send(again).StatusCode; got != http.StatusConflict {
		t.Errorf("a mail that did not fail is sent again: %d", got)
	}
	if got := admin.send("/gestion/systeme/travaux/999999/relancer").StatusCode; got != http.StatusNotFound {
		t.Errorf("an unknown job answers %d", got)
	}
}
