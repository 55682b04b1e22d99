package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/enrol"
	"ribambelle/internal/transport"
)

// TestOfficeAccessMore walks the pages of rules, bus, accounts and counter with every role.
func TestOfficeAccessMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	people := map[string]*browser{"agent": d.agent}
	for _, role := range []string{"finance", "organiser", "administrator", "leader"} {
		people[role], _ = d.person(role+"@example.test", role, role)
	}
	people["parent"], _ = d.person("autre@example.test", "Autre")
	one, reg := "/gestion/stages/"+d.camp.String(), "/gestion/inscriptions/"+d.asked.ID.String()
	family := "/gestion/guichet/familles/" + d.family.guardian.ID.String()
	child := "?enfant=" + d.family.child.ID.String()
	for path, may := range map[string]string{
		one + "/regles":              "agent organiser administrator",
		"/gestion/reglages/periodes": "administrator",
		"/gestion/bus":               "agent finance organiser administrator",
		"/gestion/comptes":           "administrator",
		"/gestion/guichet":           "agent",
		family:                       "agent",
		family + "/enfants":          "agent",
		family + "/stages" + child:   "agent",
		reg + "/deplacer":            "agent",
		reg + "/recu":                "agent finance organiser administrator",
		"/gestion/guichet/inscriptions/" + d.asked.ID.String(): "agent",
		"/gestion/guichet/nouvelle-famille":                    "agent",
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
	}
	for path, role := range map[string]string{"/gestion/bus": "finance", "/gestion/comptes": "agent", one + "/regles": "finance", reg + "/deplacer": "organiser"} {
		if got := people[role].send(path).StatusCode; got != http.StatusForbidden {
			t.Errorf("%s posts to %s: %d, want 403", role, path, got)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.bundle.camp(func(p *camp.Pulled) { p.Name = "Natation 1" })
	path := "/gestion/stages/" + d.camp.String() + "/regles"
	form := []string{
		"opens_resident_day", "1", "opens_resident_month", "6", "opens_resident_year", "2027", "opens_resident_hour", "9h00",
		"opens_everyone_day", "8", "opens_everyone_month", "6", "opens_everyone_year", "2027", "opens_everyone_hour", "9:00",
		"min_gap", "30", "derogations", "oui", "leave_days", "5", "leave_working", "oui", "leave_hour", "16h", "add_requires", other.String(),
	}
	d.agent.send(path, form...).to(t, path)
	got, err := camp.Policies(context.Background(), d.db, []uuid.UUID{d.camp})
	if err != nil {
		t.Fatal(err)
	}
	p := got[d.camp]
	if len(p.Openings) != 2 || p.MinGap != 30 || !p.Derogations || p.LeaveDays != 5 || !p.LeaveWorking || p.LeaveMinute != 16*60 || len(p.Requires) != 1 {
		t.Fatalf("kept %+v", p)
	}
	a := d.agent.see(path)
	if v, _ := a.doc.Find("input[name=opens_resident_hour]").Attr("value"); v != "09:00" {
		t.Errorf("the hour is shown as %q", v)
	}
	if n := a.doc.Find("input[name=requires][checked]").Length(); n != 1 {
		t.Errorf("%d required camps are ticked, want 1", n)
	}
	// Unticked, the rule goes; what is wrong is all told at once and nothing changes.
	bad := d.agent.send(path, "opens_resident_day", "8", "opens_resident_month", "6", "opens_resident_year", "2027",
		"opens_everyone_day", "1", "opens_everyone_month", "6", "opens_everyone_year", "2027", "min_gap", "x", "leave_days", "400", "leave_hour", "midi", "add_excludes", uuid.NewString())
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("answer %d", bad.StatusCode)
	}
	for _, input := range []string{"opens_everyone", "min_gap", "leave_hour", "add_excludes"} {
		if bad.doc.Find("#f-"+input).Length() != 1 || bad.doc.Find(`a[href="#f-`+input+`"]`).Length() != 1 {
			t.Errorf("the page does not tell what is wrong with %s", input)
		}
	}
	d.agent.send(path, "min_gap", "0", "leave_days", "0", "leave_hour", "0h00").to(t, path)
	if got, _ := camp.Policies(context.Background(), d.db, []uuid.UUID{d.camp}); len(got[d.camp].Requires)+len(got[d.camp].Openings) != 0 {
		t.Errorf("still %+v", got[d.camp])
	}
}

func TestOptionsOffered(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	path := "/gestion/stages/" + d.camp.String() + "/regles"
	d.agent.send(path+"/options", "name", "Garderie", "price", "12,50", "max", "8", "fiscal", "oui").to(t, path)
	if a := d.agent.send(path+"/options", "name", "Garderie", "price", "12,50"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the same option again: %d", a.StatusCode)
	}
	a := d.agent.see(path)
	a.has(t, "main", "Garderie 12,50 €")
	a.has(t, "main", "0 prises sur 8")
	option, _ := a.doc.Find("input[name=option]").Attr("value")
	d.agent.send(path+"/options/retirer", "option", option).to(t, path)
	d.agent.see(path).has(t, ".tag", "retiré")
}

func TestSeasonsAndFees(t *testing.T) {
	t.Parallel()
	b := setup(t)
	chief, _ := b.person("chef@example.test", "Chef", "administrator")
	const path = "/gestion/reglages/periodes"
	season := []string{
		"name", "Été 2027", "first_day_day", "1", "first_day_month", "7", "first_day_year", "2027",
		"last_day_day", "31", "last_day_month", "8", "last_day_year", "2027", "most", "3",
	}
	chief.send(path, season...).to(t, path)
	if a := chief.send(path, season...); a.StatusCode != http.StatusUnprocessableEntity || b.count(`SELECT count(*) FROM season`) != 1 {
		t.Errorf("a season over another: %d", a.StatusCode)
	}
	chief.see(path).has(t, "main", "3 stages au plus par enfant")
	id := b.text(`SELECT id::text FROM season`)
	if v, _ := chief.see(path + "?periode=" + id).doc.Find("#f-name").Attr("value"); v != "Été 2027" {
		t.Errorf("the season to change is called %q", v)
	}
	chief.send(path, append([]string{"id", id}, season[:len(season)-2]...)...).to(t, path)
	if b.count(`SELECT count(*) FROM season WHERE most_per_child IS NULL`) != 1 {
		t.Error("the bound is still there")
	}
	chief.send("/gestion/reglages/frais", "days_0", "14", "percent_0", "20", "days_1", "3", "percent_1", "100").to(t, path)
	if a := chief.send("/gestion/reglages/frais", "days_0", "14", "percent_0", "50", "days_1", "3", "percent_1", "20"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a ladder that falls: %d", a.StatusCode)
	}
	if v, _ := chief.see(path).doc.Find("#f-percent_1").Attr("value"); v != "100" {
		t.Errorf("the second step keeps %q", v)
	}
}

// text returns a word that the database tells.
func (b *bundle) text(sql string, args ...any) (v string) {
	b.t.Helper()
	if err := b.db.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestBusLines(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	more := d.agent.send("/gestion/bus", "more", "oui", "rows", "6", "name", "Sud", "stop_1", "Gare")
	if n := more.doc.Find("input[name^=stop_]").Length(); more.StatusCode != http.StatusOK || n != 12 {
		t.Fatalf("%d rows under %d, want 12", n, more.StatusCode)
	}
	if v, _ := more.doc.Find("#f-stop_1").Attr("value"); v != "Gare" {
		t.Errorf("what was typed became %q", v)
	}
	bad := d.agent.send("/gestion/bus", "rows", "6", "name", "Sud", "seats", "20", "price", "5")
	if bad.StatusCode != http.StatusUnprocessableEntity || bad.doc.Find(`a[href="#f-stops"]`).Length() != 1 || bad.doc.Find("#f-stops").Length() != 1 {
		t.Errorf("without a stop: %d", bad.StatusCode)
	}
	at := d.agent.send("/gestion/bus", "rows", "6", "name", "Sud", "seats", "20", "price", "5", "phone", "067 12 34 56",
		"stop_1", "Gare", "out_1", "8h05", "back_1", "16:40", "stop_3", "École", "out_3", "8h20").to(t, "/gestion/bus/")
	a := d.agent.see(at)
	a.has(t, "main", "École8 h 20–")
	// The line of the family's child cannot leave the camp; the other can.
	lines, err := transport.LinesOf(context.Background(), d.db, d.camp)
	if err != nil {
		t.Fatal(err)
	}
	if a := d.agent.send("/gestion/bus/"+lines[0].ID.String()+"/retirer", "camp", d.camp.String()); a.StatusCode != http.StatusConflict {
		t.Errorf("with a child aboard: %d, want 409", a.StatusCode)
	}
	if n := d.agent.see("/gestion/bus/" + lines[0].ID.String()).doc.Find("form[action$=retirer]").Length(); n != 0 {
		t.Error("the page offers to remove a line that is needed")
	}
	d.agent.send("/gestion/stages/"+d.camp.String()+"/bus", "line", strings.TrimPrefix(at, "/gestion/bus/")).to(t, "/gestion/stages/")
	d.agent.send(at+"/retirer", "camp", d.camp.String()).to(t, at)
	d.agent.see(at).has(t, "main", "ne dessert aucun stage")
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	chief, me := d.person("chef@example.test", "Chef", "administrator")
	const path = "/gestion/comptes"
	if a := chief.send(path, "name", "Zoé", "email", "zoe@example.test"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a role: %d", a.StatusCode)
	}
	chief.send(path, "name", "Zoé Petit", "email", "zoe@example.test", "roles", "agent").to(t, path)
	a := chief.see(path)
	a.has(t, "tbody", "Zoé Petit zoe@example.testagentmot de passe à choisir")
	if n := d.count(`SELECT count(*) FROM river_job WHERE kind = 'account_mail'`); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
	// A parent with an account becomes an agent and keeps the password.
	chief.send(path, "name", "Sophie", "email", d.parent.Email, "roles", "agent").to(t, path)
	chief.see(path).has(t, "main", "les rôles y sont ajoutés")
	one := path + "/" + d.parent.ID.String()
	chief.send(one, "none", "oui").to(t, path)
	if n := d.count(`SELECT cardinality(roles) FROM account WHERE id = $1`, d.parent.ID); n != 0 {
		t.Errorf("%d roles are left", n)
	}
	// The own administration stays.
	if a := chief.send(path+"/"+me.ID.String(), "roles", "agent"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("giving up the own administration: %d", a.StatusCode)
	}
	if a := chief.send(path + "/" + d.agentAs.ID.String() + "/inviter"); a.StatusCode != http.StatusConflict {
		t.Errorf("a link for who has a password: %d", a.StatusCode)
	}
}

// TestCounter registers a family that comes to the desk, from the search to the receipt.
func TestCounter(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	second := d.bundle.camp(func(p *camp.Pulled) {
		p.Name, p.BeginsAt, p.EndsAt = "Cirque", p.BeginsAt.AddDate(0, 0, 7), p.EndsAt.AddDate(0, 0, 7)
	})
	line := d.bus(second)
	d.agent.send("/gestion/stages/"+second.String()+"/regles/options", "name", "Repas", "price", "5").to(t, "/gestion/stages/")
	option := d.text(`SELECT id::text FROM camp_option`)
	found := d.agent.see("/gestion/guichet?q=lea+lambrt")
	family := "/gestion/guichet/familles/" + d.family.guardian.ID.String()
	if n := found.doc.Find(`a[href="` + family + `"]`).Length(); n != 1 {
		t.Fatalf("the family is found %d times, want once: %s", n, found.text("main"))
	}
	child := d.family.child.ID.String()
	if n := d.agent.see(family).doc.Find(`a[href="` + family + "/stages?enfant=" + child + `"]`).Length(); n != 1 {
		t.Fatal("the child cannot be chosen")
	}
	camps := d.agent.see(family + "/stages?enfant=" + child)
	wish := family + "/stages/" + second.String()
	if camps.doc.Find(`a[href^="`+wish+`"]`).Length() != 1 || camps.doc.Find(`a[href^="`+family+"/stages/"+d.camp.String()+`"]`).Length() != 0 {
		t.Errorf("offered: %s", camps.text("main"))
	}
	d.agent.see(wish+"?enfant="+child).has(t, "form", "Repas")
	query := "enfant=" + child + "&verifier=oui&aller=" + line.Stops[0].ID.String() + "&retour=non&option=" + option
	check := d.agent.see(wish + "?" + query)
	check.has(t, "main", "70,00 €")
	if n := check.doc.Find("input[name=option][value='" + option + "']").Length(); n != 1 {
		t.Error("the option is not carried along")
	}
	form := []string{"enfant", child, "verifier", "oui", "aller", line.Stops[0].ID.String(), "retour", "non", "option", option, "key", uuid.NewString()}
	if a := d.agent.send(wish, form...); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find(`a[href="#f-consent"]`).Length() != 1 {
		t.Fatalf("without an agreement: %d", a.StatusCode)
	}
	form = append(form, "consent", "signature")
	done := d.agent.send(wish, form...).to(t, "/gestion/guichet/inscriptions/")
	if again := d.agent.send(wish, form...).to(t, "/gestion/guichet/inscriptions/"); again != done {
		t.Errorf("a double click made %s, want %s", again, done)
	}
	id := uuid.MustParse(strings.TrimPrefix(done, "/gestion/guichet/inscriptions/"))
	reg := "/gestion/inscriptions/" + id.String()
	d.agent.see(done).has(t, "main", "Vous pouvez valider tout de suite")
	d.agent.send(reg+"/valider", "from", "guichet").to(t, done)
	pay := d.agent.see(done)
	if v, _ := pay.doc.Find("#f-amount").Attr("value"); v != "70,00" {
		t.Errorf("asked %q", v)
	}
	key := uuid.NewString()
	for range 2 {
		d.agent.send(reg+"/paiement", "from", "guichet", "key", key, "amount", "70", "source", "terminal").to(t, done)
	}
	if got := d.state(id); got != enrol.Confirmed {
		t.Errorf("state %s, want confirmed", got)
	}
	receipt := d.agent.see(reg + "/recu")
	receipt.has(t, "main", "Sophie Lambert, par signature")
	receipt.has(t, "main", "terminal de paiement")
	receipt.has(t, "tfoot", "0,00 €")
	d.agent.see(reg).has(t, "main", "Accord de la familleSophie Lambert, par signature Anne Claes")
	if got := d.agent.see(reg).text("main"); strings.Contains(got, "%") {
		t.Errorf("a word is missing on the page: %s", got)
	}
}

// TestCounterNewFamily makes a family without an account, then its child.
func TestCounterNewFamily(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const path = "/gestion/guichet/nouvelle-famille"
	key, _ := d.agent.see(path).doc.Find("input[name=key]").Attr("value")
	form := []string{"key", key, "first_name", "Sophi", "last_name", "Lambert", "phone", "0475 99 88 77", "street", "Rue Haute 1", "postcode", "7090", "city", "Braine-le-Comte", "channel", "phone"}
	alike := d.agent.send(path, form...)
	if alike.StatusCode != http.StatusUnprocessableEntity || alike.doc.Find(`a[href="/gestion/guichet/familles/`+d.family.guardian.ID.String()+`"]`).Length() != 1 {
		t.Fatalf("a name that is nearly known: %d %s", alike.StatusCode, alike.text("main"))
	}
	at := d.agent.send(path, append(form, "anyway", "oui")...).to(t, "/gestion/guichet/familles/")
	if again := d.agent.send(path, append(form, "anyway", "oui")...).to(t, "/gestion/guichet/familles/"); again != at {
		t.Errorf("a double click made %s, want %s", again, at)
	}
	key, _ = d.agent.see(at).doc.Find("input[name=key]").Attr("value")
	child := []string{"key", key, "first_name", "Tom", "last_name", "Lambert", "birth_date_day", "2", "birth_date_month", "5", "birth_date_year", "2018", "basis", "parental_authority"}
	if a := d.agent.send(at, child...); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a school level: %d", a.StatusCode)
	}
	d.agent.send(at, append(child, "level", "P3")...).to(t, strings.TrimSuffix(at, "/enfants")+"/stages?enfant=")
}

// TestExceptionAtTheDesk grants an exception with a reason; the page of the registration shows both.
func TestExceptionAtTheDesk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	second := d.bundle.camp(func(p *camp.Pulled) {
		p.Name, p.Levels = "Grands", []string{"P5"}
		p.BeginsAt, p.EndsAt = p.BeginsAt.AddDate(0, 0, 7), p.EndsAt.AddDate(0, 0, 7)
	})
	d.exec(`UPDATE camp SET derogations = false WHERE id = $1`, second)
	family, child := "/gestion/guichet/familles/"+d.family.guardian.ID.String(), d.family.child.ID.String()
	wish := family + "/stages/" + second.String()
	if a := d.agent.see(wish + "?enfant=" + child); a.doc.Find("form[method=post][action='"+wish+"']").Length() != 0 {
		t.Error("a bar without exception can be passed")
	}
	d.exec(`UPDATE camp SET derogations = true WHERE id = $1`, second)
	a := d.agent.see(wish + "?enfant=" + child)
	a.has(t, "main", "dérogation possible")
	done := d.agent.send(wish, "enfant", child, "verifier", "oui", "key", uuid.NewString(), "consent", "in_person", "derogation", "Son frère y va.").
		to(t, "/gestion/guichet/inscriptions/")
	reg := "/gestion/inscriptions/" + strings.TrimPrefix(done, "/gestion/guichet/inscriptions/")
	ask := d.agent.see(reg + "/valider?from=guichet")
	ask.has(t, "main", "Son frère y va.")
	ask.has(t, ".notice", "Un point s’oppose")
	if a := d.agent.send(reg+"/valider", "from", "guichet", "reason", ""); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find("input[name=from][value=guichet]").Length() != 1 {
		t.Errorf("without a reason: %d", a.StatusCode)
	}
	d.agent.send(reg+"/valider", "from", "guichet", "reason", "Fratrie ensemble.").to(t, done)
	page := d.agent.see(reg)
	page.has(t, "main", "Année scolaire : « Fratrie ensemble. » Anne Claes")
	if strings.Contains(page.text(".notice"), "s’oppose") {
		t.Error("the bar that was passed still stands")
	}
}

func TestMoveByStaff(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	to := d.bundle.camp(func(p *camp.Pulled) { p.Name = "Cirque" })
	path := "/gestion/inscriptions/" + d.asked.ID.String() + "/deplacer"
	if n := d.agent.see(path).doc.Find(`a[href="` + path + "?stage=" + to.String() + `"]`).Length(); n != 1 {
		t.Fatal("the other camp on the same days is not offered")
	}
	key, _ := d.agent.see(path + "?stage=" + to.String()).doc.Find("input[name=key]").Attr("value")
	if a := d.agent.send(path, "stage", to.String(), "key", key); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find(`a[href="#f-reason"]`).Length() != 1 {
		t.Errorf("without a reason: %d", a.StatusCode)
	}
	at := d.agent.send(path, "stage", to.String(), "key", key, "reason", "Erreur de stage.").to(t, "/gestion/inscriptions/")
	d.agent.see(at).has(t, "h1", "Cirque")
	if got := d.state(d.asked.ID); got != enrol.Cancelled {
		t.Errorf("the former registration is %s, want cancelled", got)
	}
}
