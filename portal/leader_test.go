package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/medical"
)

func encode(name, value string) string { return url.Values{name: {value}}.Encode() }

// yard is a camp in its first week, with a leader and one confirmed child.
type yard struct {
	*desk
	leader *browser
	as     account.Account
	url    string
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{desk: newDesk(t)}
	y.leader, y.as = y.person("tom@example.test", "Tom Remy", "leader")
	if err := y.config.Camp.AddLeader(context.Background(), audit.Command("test"), y.camp, y.as.ID, false); err != nil {
		t.Fatal(err)
	}
	y.exec(`UPDATE registration SET state = 'validated'`)
	y.exec(`UPDATE registration SET state = 'confirmed'`)
	err := y.config.Medical.Save(context.Background(), y.parent.ID, y.family.guardian.ID, y.family.child.ID, medical.Sheet{
		HasAllergies: medical.Yes, Allergies: []medical.Allergy{
			{To: "pollen", Consequence: "éternue"}, {To: "arachides", Severe: medical.Yes, Consequence: "gonflement", Treatment: "stylo d’adrénaline, puis le 112"},
		},
		HasDiseases: medical.No, TakesMedication: medical.Yes, Medications: []medical.Medication{{Name: "Ventolin", Quantity: "2 bouffées"}},
		HasDiet: medical.No, AllowCare: medical.Yes, AllowAlone: medical.No, Doctor: medical.Doctor{Name: "Dr Fontaine", Phone: "+3287000011"},
		Emergency: []medical.Person{{Name: "Mamy Rose", Phone: "+32475999999"}}, PickUp: []medical.Person{{Name: "Papy Jo", Relation: "grand-père"}},
		Remarks: "a peur du noir",
	})
	if err != nil {
		t.Fatal(err)
	}
	*y.now = time.Date(2027, 7, 6, 7, 30, 0, 0, time.UTC) // the second day
	y.leader = y.again("tom@example.test")
	y.url = "/animateur/stages/" + y.camp.String()
	return y
}

// again signs a person in at the present instant, after time went by.
func (b *bundle) again(email string) *browser {
	b.t.Helper()
	token, _, err := b.config.Account.SignIn(context.Background(), email, "correct horse battery", "192.0.2.1", "test")
	if err != nil {
		b.t.Fatal(err)
	}
	w := b.browser()
	u, err := url.Parse(b.server.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	w.c.Jar.SetCookies(u, []*http.Cookie{{Name: "ribambelle", Value: token, Path: "/"}})
	return w
}

func TestLeaderRoll(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	_, second := y.person("marc@example.test", "Marc Petit")
	marc, err := y.config.Household.SaveGuardian(context.Background(), second.ID, household.GuardianForm{
		FirstName: "Marc", LastName: "Petit", Phone: "+32470000001", Street: "Rue 2", Postcode: "7090", City: "Ronquières",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := y.config.Household.Grant(context.Background(), audit.Command("test"), marc.ID, y.family.child.ID, household.Grant{Basis: household.BasisCourtOrder}); err != nil {
		t.Fatal(err)
	}
	y.leader.see("/animateur/").has(t, ".roll", "Les explorateurs du canal aujourd’hui")
	a := y.leader.see(y.url)
	a.has(t, "h2", "Présences du mardi 6 juillet 2027")
	a.has(t, ".alerts", "Léa Lambert")
	a.has(t, ".alerts .warn", "GRAVE : arachides — gonflement")
	a.has(t, ".roll .warn strong", "GRAVE : arachides")
	a.has(t, ".roll .warn", "→ stylo d’adrénaline, puis le 112")
	a.has(t, ".roll .mild", "Allergie : pollen — éternue")
	a.has(t, ".roll", "Médicament : Ventolin, 2 bouffées")
	a.has(t, ".roll", "Rentrer seul : NON")
	a.has(t, ".roll", "Papy Jo (grand-père)")
	for _, number := range []string{"tel:+3287000011", "tel:+32475999999"} {
		if a.doc.Find("a[href='"+number+"']").Length() == 0 {
			t.Errorf("%s cannot be called", number)
		}
	}
	a.has(t, ".roll .warn", "NE PAS REMETTRE À Marc Petit")
	a.has(t, ".roll", "9 ans · P3")
	if got, _ := a.doc.Find(".calls a").Attr("href"); got != "tel:+32475123456" {
		t.Errorf("the call leads to %q", got)
	}
	if strings.Contains(a.body, "+32470000001") {
		t.Error("the number of somebody who may not take the child is shown")
	}
	readings := func() int {
		return y.count(`SELECT count(*) FROM medical_access WHERE purpose = 'leader' AND actor = $1`, "account:"+y.as.ID.String())
	}
	if n := readings(); n != 1 {
		t.Errorf("%d readings logged, want 1", n)
	}
	sheet := y.leader.see(y.url + "/enfants/" + y.asked.ID.String())
	sheet.has(t, "h1", "Fiche médicale · Léa Lambert")
	sheet.has(t, "dl", "GRAVE — arachides — gonflement — stylo d’adrénaline, puis le 112")
	sheet.has(t, "dl", "a peur du noir")
	sheet.has(t, ".warn", "NE PAS REMETTRE À Marc Petit")
	if n := readings(); n != 2 {
		t.Errorf("%d readings logged after the whole sheet, want 2", n)
	}
	if got := y.leader.get(y.url + "/enfants/" + uuid.NewString()).StatusCode; got != http.StatusNotFound || readings() != 2 {
		t.Errorf("a child of no camp answers %d", got)
	}
}

func TestLeaderMarks(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	a := y.leader.see(y.url)
	form := a.doc.Find("form.mark").First()
	action, _ := form.Attr("action")
	registration, _ := form.Find("[name=registration]").Attr("value")
	session, _ := form.Find("[name=session]").Attr("value")
	for _, mark := range []string{"present", "absent", "absent", "present"} {
		to := y.leader.send(action, "registration", registration, "session", session, "mark", mark).to(t, y.url)
		page := y.leader.see(strings.Split(to, "#")[0])
		if page.doc.Find(".roll li.is-"+mark).Length() != 1 || page.doc.Find("button[aria-pressed=true][value="+mark+"]").Length() != 1 {
			t.Errorf("the child is not shown as %s", mark)
		}
	}
	if n := y.count(`SELECT count(*) FROM attendance WHERE present`); n != 1 {
		t.Errorf("%d marks", n)
	}
	y.leader.send(action, "registration", registration, "session", session, "mark", "none").to(t, y.url)
	if n := y.count(`SELECT count(*) FROM attendance`); n != 0 {
		t.Errorf("a mark that was taken back is still there")
	}
	// Tomorrow's session cannot be marked today, and shows no buttons.
	var tomorrow uuid.UUID
	if err := y.db.QueryRow(context.Background(), `SELECT id FROM camp_session WHERE camp_id = $1 AND day = '2027-07-07'`, y.camp).Scan(&tomorrow); err != nil {
		t.Fatal(err)
	}
	if got := y.leader.send(action, "registration", registration, "session", tomorrow.String(), "mark", "present").StatusCode; got != http.StatusConflict {
		t.Errorf("tomorrow is marked with %d, want 409", got)
	}
	if n := y.leader.see(y.url + "?seance=" + tomorrow.String()).doc.Find("form.mark").Length(); n != 0 {
		t.Errorf("tomorrow shows %d forms to mark", n)
	}
	quick := y.leader.do(http.MethodPost, action, url.Values{"registration": {registration}, "session": {session}, "mark": {"absent"}}, "Accept", "application/json")
	if quick.StatusCode != http.StatusNoContent {
		t.Errorf("the script is answered %d, want 204", quick.StatusCode)
	}
	for name, form := range map[string][]string{
		"no mark":         {"registration", registration, "session", session},
		"another mark":    {"registration", registration, "session", session, "mark", "peut-être"},
		"no registration": {"session", session, "mark", "present"},
	} {
		if got := y.leader.send(action, form...).StatusCode; got != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, want 422", name, got)
		}
	}
	if got := y.leader.send(action, "registration", registration, "session", uuid.NewString(), "mark", "present").StatusCode; got != http.StatusNotFound {
		t.Errorf("an unknown session answers %d", got)
	}
}

func TestLeaderAccess(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	stranger, _ := y.person("lou@example.test", "Lou", "leader")
	parent := y.again("sophie@example.test")
	other := y.bundle.camp()
	if err := y.config.Camp.AddLeader(context.Background(), audit.Command("test"), other, y.as.ID, false); err != nil {
		t.Fatal(err)
	}
	var session uuid.UUID
	if err := y.db.QueryRow(context.Background(), `SELECT id FROM camp_session WHERE camp_id = $1 LIMIT 1`, y.camp).Scan(&session); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{y.url, y.url + "/registre.xlsx", y.url + "/enfants/" + y.asked.ID.String()} {
		if got := stranger.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("another leader gets %d for %s, want 404", got, path)
		}
		if got := parent.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("a parent gets %d for %s, want 404", got, path)
		}
		if got := y.leader.get(path).StatusCode; got != http.StatusOK {
			t.Errorf("the leader gets %d for %s", got, path)
		}
	}
	mark := []string{"registration", y.asked.ID.String(), "session", session.String(), "mark", "present"}
	if got := stranger.send(y.url+"/presence", mark...).StatusCode; got != http.StatusNotFound {
		t.Errorf("another leader marks: %d, want 404", got)
	}
	// Through the address of a camp of one's own nobody reaches another camp's children.
	if got := y.leader.send("/animateur/stages/"+other.String()+"/presence", mark...).StatusCode; got != http.StatusNotFound {
		t.Errorf("a session of another camp: %d, want 404", got)
	}
	if n := y.count(`SELECT count(*) FROM attendance`); n != 0 {
		t.Errorf("%d marks were made", n)
	}
	*y.now = y.now.AddDate(0, 0, 30)
	late := y.again("tom@example.test")
	for _, path := range []string{y.url, y.url + "/registre.xlsx", y.url + "/enfants/" + y.asked.ID.String()} {
		if got := late.get(path).StatusCode; got != http.StatusForbidden {
			t.Errorf("weeks later %s answers %d, want 403", path, got)
		}
	}
	late.see("/animateur/").has(t, ".roll", "se ferme une semaine après")
}
