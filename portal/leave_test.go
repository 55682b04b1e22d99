package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
)

// at moves the clock to noon of a day, and signs the parent in again.
func (j *journey) at(day civil.Date) {
	j.t.Helper()
	*j.now = day.At(12*60, civil.Brussels)
	j.parent = j.again("sophie@example.test")
}

// ladder makes leaving cost 20 % from thirty days before the camp on, and half from a week before.
func (j *journey) ladder() {
	j.t.Helper()
	err := j.config.Enrol.SaveFeeSteps(context.Background(), audit.Command("test"), []enrol.FeeStep{{DaysBefore: 30, Percent: 20}, {DaysBefore: 7, Percent: 50}})
	if err != nil {
		j.t.Fatal(err)
	}
}

// paid books everything that a registration owes.
func (j *journey) paid(page string) {
	j.t.Helper()
	d, err := ledger.DueOf(context.Background(), j.db, j.id(page))
	if err == nil {
		err = j.config.Enrol.RecordPayment(context.Background(), j.agent.ID, d.ID, 7000, "bank", uuid.New())
	}
	if err != nil {
		j.t.Fatal(err)
	}
}

// TestLeaveShowsTheFee: what leaving costs stands on the page before anything is confirmed, on each side of each step.
func TestLeaveShowsTheFee(t *testing.T) {
	t.Parallel()
	j := newJourney(t) // from 5 to 9 July, 70,00 € with the bus
	j.ladder()
	page := j.register()
	free := j.parent.see(page + "/annuler")
	free.has(t, "main .notice", "La place sera rendue tout de suite")
	if free.doc.Find("[name=certificate]").Length() > 0 {
		t.Error("nothing is due, and a certificate is asked for")
	}
	j.decide(page, true)
	j.paid(page)
	for _, tt := range []struct {
		day             civil.Date
		fee, back, step string
	}{
		{civil.NewDate(2027, 6, 5), "0,00 €", "70,00 €", ""}, // thirty days before
		{civil.NewDate(2027, 6, 6), "14,00 €", "56,00 €", "20 %"},
		{civil.NewDate(2027, 6, 28), "14,00 €", "56,00 €", "20 %"}, // a week before
		{civil.NewDate(2027, 6, 29), "35,00 €", "35,00 €", "50 %"},
	} {
		j.at(tt.day)
		a := j.parent.see(page + "/annuler")
		a.has(t, "main .notice", "Le service décide de cette annulation.")
		a.has(t, "main .notice", "70,00 € sont déjà payés.")
		got := strings.ReplaceAll(a.text("table.money tr:nth-child(3) td"), "\u00a0", " ") + " " + strings.ReplaceAll(a.text("table.money tfoot td"), "\u00a0", " ")
		if got != tt.fee+" "+tt.back {
			t.Errorf("on %s the fee and what comes back are %s, want %s %s", tt.day, got, tt.fee, tt.back)
		}
		now := strings.ReplaceAll(a.text("ul.tasks li:has(.tag.wait) strong"), "\u00a0", " ")
		if now != tt.step {
			t.Errorf("on %s the step of today is %q, want %q", tt.day, now, tt.step)
		}
		if n := a.doc.Find("[name=certificate]").Length(); (n == 1) != (tt.step != "") {
			t.Errorf("on %s the page asks for a certificate %d times", tt.day, n)
		}
	}
}

// TestLeaveWithACertificate: it excuses the child from the fee, is always the service's to see, and a faulty form keeps
// what was typed and ticked.
func TestLeaveWithACertificate(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	j.ladder()
	page := j.register()
	j.decide(page, true)
	j.paid(page)
	j.at(civil.NewDate(2027, 6, 29))
	j.parent.see(page+"/annuler").has(t, "main form", "70,00 € vous reviennent")
	long := strings.Repeat("Léa est malade. ", 80)
	bad := j.parent.send(page+"/annuler", "reason", long, "certificate", "oui")
	if bad.StatusCode != http.StatusUnprocessableEntity || strings.TrimSpace(bad.doc.Find("textarea[name=reason]").Text()) != strings.TrimSpace(long) {
		t.Errorf("a reason too long is answered %d, and the form holds %.40q", bad.StatusCode, bad.doc.Find("textarea[name=reason]").Text())
	}
	if bad.doc.Find("[name=certificate][checked]").Length() != 1 {
		t.Error("the tick is lost")
	}
	if n := j.count(`SELECT count(*) FROM task WHERE kind = 'cancel_asked'`); n != 0 {
		t.Errorf("a faulty form left %d tasks", n)
	}
	j.parent.send(page+"/annuler", "reason", "Certificat joint.", "certificate", "oui").to(t, "/mon-espace/inscriptions")
	if n := j.count(`SELECT count(*) FROM task WHERE kind = 'cancel_asked' AND (detail ->> 'certificate')::boolean AND done_at IS NULL`); n != 1 {
		t.Errorf("%d requests with a certificate, want 1", n)
	}
	if got := j.state(j.id(page)); got != enrol.Confirmed {
		t.Errorf("the registration is %s, want confirmed until the service decides", got)
	}
	j.parent.see(page).has(t, ".notice", "Une annulation est demandée : le service décide")
}

// TestLeaveWhenAnotherPays: who does not pay sees no amount, and can only ask.
func TestLeaveWhenAnotherPays(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	j.ladder()
	page := j.register()
	j.decide(page, true)
	father, _, g := j.other("marc@example.test", "Marc", "Dujardin", "+32486111222")
	if err := j.config.Household.Grant(context.Background(), audit.Command("test"), g.ID, j.child.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	a := father.see(page + "/annuler")
	a.has(t, "main .notice", "Une autre personne paie cette inscription.")
	a.has(t, "main form button", "Demander l’annulation")
	if strings.Contains(a.text("main"), "€") {
		t.Errorf("who does not pay reads amounts: %s", a.text("main"))
	}
	father.send(page+"/annuler", "reason", "Autre projet.").to(t, "/mon-espace/inscriptions")
	if got := j.state(j.id(page)); got != enrol.AwaitingPayment {
		t.Errorf("the registration is %s, want awaiting_payment", got)
	}
	if n := j.count(`SELECT count(*) FROM task WHERE kind = 'cancel_asked' AND done_at IS NULL`); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	father.see(page+"/annuler").has(t, "h1", "Annuler cette inscription") // asked twice is asked once
	father.send(page+"/annuler", "reason", "Autre projet.").to(t, "/mon-espace/inscriptions")
	if n := j.count(`SELECT count(*) FROM task WHERE kind = 'cancel_asked' AND done_at IS NULL`); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestMoveToAnotherCamp: only camps that fit and have a place are offered; a camp that filled up meanwhile changes
// nothing and keeps the choices; a double click moves once.
func TestMoveToAnotherCamp(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	one := 1
	week := func(name string, days int, change func(*camp.Pulled)) uuid.UUID {
		return j.bundle.camp(func(p *camp.Pulled) {
			p.Name, p.BeginsAt, p.EndsAt = name, p.BeginsAt.AddDate(0, 0, days), p.EndsAt.AddDate(0, 0, days)
			change(p)
		})
	}
	free := week("Cirque", 7, func(*camp.Pulled) {})
	last := week("Potager", 14, func(p *camp.Pulled) { p.Max = &one })
	week("Ados", 7, func(p *camp.Pulled) { p.Levels = []string{"S1", "S2"} })
	full := week("Complet", 7, func(p *camp.Pulled) { p.Max = &one })
	_, account := j.person("autre@example.test", "Autre")
	others := j.bundle.family(account)
	j.ask(others, full, nil, nil)
	line := j.line
	if err := j.config.Transport.ServeCamp(context.Background(), audit.Command("test"), line.ID, last); err != nil {
		t.Fatal(err)
	}
	page := j.register()
	list := j.parent.see(page + "/deplacer")
	var got []string
	for _, a := range list.doc.Find("main .tasks a").Nodes {
		got = append(got, a.FirstChild.Data)
	}
	if strings.Join(got, ", ") != "Cirque, Potager" {
		t.Fatalf("the page offers %q, want Cirque and Potager", got)
	}

	// The last place goes while the page is open.
	form := j.parent.see(page + "/deplacer?stage=" + last.String())
	key, _ := form.doc.Find("[name=key]").Attr("value")
	j.ask(others, last, nil, nil)
	bad := j.parent.send(page+"/deplacer", "stage", last.String(), "key", key, "aller", line.Stops[1].ID.String(), "retour", line.Stops[0].ID.String(), "without_bus", "oui")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a full camp is answered %d, want 422", bad.StatusCode)
	}
	bad.has(t, ".notice.stop", "L’autre stage est complet. L’inscription d’origine est gardée.")
	for name, stop := range map[string]uuid.UUID{"aller": line.Stops[1].ID, "retour": line.Stops[0].ID} {
		if got, _ := bad.doc.Find("main select[name=" + name + "] option[selected]").Attr("value"); got != stop.String() {
			t.Errorf("%s became %q", name, got)
		}
	}
	if bad.doc.Find("[name=without_bus][checked]").Length() != 1 {
		t.Error("the tick is lost")
	}
	if again, _ := bad.doc.Find("[name=key]").Attr("value"); again != key {
		t.Error("the key of the form changed")
	}
	if state := j.state(j.id(page)); state != enrol.ToValidate {
		t.Errorf("the old registration is %s, want to_validate", state)
	}

	form = j.parent.see(page + "/deplacer?stage=" + free.String())
	key, _ = form.doc.Find("[name=key]").Attr("value")
	at := j.parent.send(page+"/deplacer", "stage", free.String(), "key", key).to(t, "/mon-espace/inscriptions/")
	if twice := j.parent.send(page+"/deplacer", "stage", free.String(), "key", key).to(t, "/mon-espace/inscriptions/"); twice != at {
		t.Errorf("a double click leads to %s and %s", at, twice)
	}
	if n := j.count(`SELECT count(*) FROM registration WHERE child_id = $1`, j.child.ID); n != 2 {
		t.Errorf("the child has %d registrations, want the old and the new one", n)
	}
	j.parent.see(at).has(t, "h1", "Cirque")
	if state := j.state(j.id(page)); state != enrol.Withdrawn {
		t.Errorf("the old registration is %s, want withdrawn", state)
	}
	if got := j.parent.get(page + "/deplacer").StatusCode; got != http.StatusConflict {
		t.Errorf("moving what is over is answered %d, want 409", got)
	}
}

// TestMoveOfAPaidPlace: money is the service's to move.
func TestMoveOfAPaidPlace(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	to := j.bundle.camp(func(p *camp.Pulled) {
		p.Name, p.BeginsAt, p.EndsAt = "Cirque", p.BeginsAt.AddDate(0, 0, 7), p.EndsAt.AddDate(0, 0, 7)
	})
	page := j.register()
	j.decide(page, true)
	j.paid(page)
	a := j.parent.send(page+"/deplacer", "stage", to.String(), "key", uuid.NewString())
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("moving a paid place is answered %d, want 422", a.StatusCode)
	}
	a.has(t, ".notice.stop", "Ce changement passe par le service")
	if state := j.state(j.id(page)); state != enrol.Confirmed {
		t.Errorf("the registration is %s, want confirmed", state)
	}
}

// TestOfferDeclinedAndExpired: the page says until when and at what price; a place that is left goes to the next family,
// and one that nobody answers for is over at its hour, before any job has run.
func TestOfferDeclinedAndExpired(t *testing.T) {
	t.Parallel()
	one := 1
	j := newJourney(t, func(p *camp.Pulled) { p.Max = &one })
	_, holder := j.person("premier@example.test", "Premier")
	holds := j.ask(j.bundle.family(holder), j.camp, nil, nil)
	page := j.register()
	next, nextAccount := j.person("suivant@example.test", "Suivant")
	after := j.ask(j.bundle.family(nextAccount), j.camp, nil, nil)
	j.exec(`UPDATE registration SET waiting_since = waiting_since + interval '1 second' WHERE id = $1`, after.ID)
	if a := j.parent.get(page + "/place"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != page {
		t.Errorf("without an offer the page is answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if err := j.config.Enrol.Cancel(context.Background(), j.agent.ID, holds.ID, "Retirée."); err != nil {
		t.Fatal(err)
	}
	offer := j.parent.see(page + "/place")
	offer.has(t, ".notice", "Cette place est gardée pour vous jusqu’au mercredi 5 mai")
	offer.has(t, "main", "70,00")
	if n := offer.doc.Find("form[action$='/place'] button").Length(); n != 2 {
		t.Errorf("%d buttons, want one to take and one to leave it", n)
	}
	j.parent.send(page+"/place", "reponse", "non").to(t, page)
	if got := j.state(j.id(page)); got != enrol.Declined {
		t.Errorf("declined, the registration is %s", got)
	}
	theirs := "/mon-espace/inscriptions/" + after.ID.String()
	next.see(theirs).has(t, ".notice", "Une place est libre pour vous")

	*j.now = j.now.Add(3 * 24 * time.Hour) // past the deadline, and no job has looked yet
	next = j.again("suivant@example.test")
	late := next.send(theirs+"/place", "reponse", "oui")
	if late.StatusCode != http.StatusGone {
		t.Errorf("an answer after the deadline is answered %d, want 410", late.StatusCode)
	}
	late.has(t, "main", "Cette place n’est plus proposée.")
	if got := j.state(after.ID); got != enrol.Offered {
		t.Errorf("a late answer made it %s", got)
	}
	if _, err := j.config.Enrol.Expire(context.Background()); err != nil {
		t.Fatal(err)
	}
	next.get(theirs+"/place").to(t, theirs)
	next.see(theirs).has(t, ".line", "Délai dépassé, place rendue")
}
