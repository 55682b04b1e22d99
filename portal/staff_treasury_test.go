package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/enrol"
)

// TestTreasury undoes a match, makes the file of a refund and reads on the statement that it was carried out.
func TestTreasury(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := context.Background()
	finance, _ := d.person("finance@example.test", "Fabien Dumont", "finance")
	if err := d.config.Enrol.Decide(ctx, d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	for path, who := range map[string]*browser{transferPath: d.agent, bankPath + "/versements": d.agent} {
		if got := who.get(path).StatusCode; got != http.StatusForbidden {
			t.Errorf("an agent sees %s: %d", path, got)
		}
	}
	for _, path := range []string{"/mouvements/" + uuid.NewString() + "/annuler", "/mouvements/" + uuid.NewString() + "/versement"} {
		if got := d.agent.send(bankPath + path).StatusCode; got != http.StatusForbidden {
			t.Errorf("an agent posts to %s: %d", path, got)
		}
	}
	communication := d.text(`SELECT communication FROM due`)
	finance.bring("mai.xml", bankFile(1, "65.00", "65.00|"+communication+"||SOPHIE LAMBERT")).to(t, bankPath+"/fichiers/")
	if got := d.state(d.asked.ID); got != enrol.Confirmed {
		t.Fatalf("paid, it is %s", got)
	}

	// The match is undone from the statement: the movement waits, the registration keeps its state, a task tells.
	statement := bankPath + "/extraits/" + d.text(`SELECT id::text FROM bank_statement`)
	action, _ := finance.see(statement).doc.Find(`tbody form[action$="/annuler"]`).Attr("action")
	finance.send(action).to(t, bankPath)
	finance.see(bankPath).has(t, "#attente", "1 mouvement")
	finance.see(bankPath).has(t, "article", "Lien défait")
	if got := d.state(d.asked.ID); got != enrol.Confirmed {
		t.Errorf("undone, it is %s", got)
	}
	finance.see("/gestion/inscriptions/"+d.asked.ID.String()).has(t, "main", "Annulation d’un paiement enregistré par erreur")
	if got := finance.send(action).StatusCode; got != http.StatusConflict {
		t.Errorf("undone twice: %d", got)
	}
	due := d.text(`SELECT id::text FROM due`)
	match := strings.TrimSuffix(action, "annuler") + "lier"
	finance.send(match, "due", due).to(t, bankPath)
	finance.see(statement).has(t, "tbody", "lié")

	// A refund by transfer: chosen, written once, downloaded.
	d.exec(`
		INSERT INTO refund (due_id, registration_id, payer_id, cents, way, state, iban, beneficiary, reason, decided_by, created_at, checked_at)
		SELECT id, registration_id, payer_id, 500, 'transfer', 'decided', 'BE68539007547034', 'Sophie Lambert', 'trop', 'command:test', now(), now()
		FROM due`)
	page := finance.see(transferPath)
	page.has(t, "#envoyer", "1 remboursement à envoyer 5,00 €")
	key, _ := page.doc.Find("#envoyer ~ form [name=key]").Attr("value")
	refund, _ := page.doc.Find("#envoyer ~ form [name=refund]").Attr("value")
	today := d.config.Now()
	form := []string{"key", key, "refund", refund, "on_day", today.Format("2"), "on_month", today.Format("1"), "on_year", today.Format("2006")}
	bad := finance.send(transferPath, form...)
	if bad.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(bad.text("[role=alert]"), "Le numéro de compte de la commune manque") {
		t.Errorf("without the commune's account: %d %s", bad.StatusCode, bad.text("[role=alert]"))
	}
	if a := finance.send(transferPath, "key", key); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find(`a[href="#f-refund"]`).Length() != 1 || a.doc.Find(`a[href="#f-on"]`).Length() != 1 {
		t.Errorf("nothing chosen: %d %s", a.StatusCode, a.text("[role=alert]"))
	}
	d.exec(`INSERT INTO setting (key, value) VALUES ('commune.iban', 'BE15 0910 0000 0130')`)
	for range 2 {
		finance.send(transferPath, form...).to(t, transferPath)
	}
	if n := d.count(`SELECT count(*) FROM sepa_file`); n != 1 {
		t.Errorf("%d files", n)
	}
	page = finance.see(transferPath)
	page.has(t, "#envoyes", "1 remboursement chez la banque")
	link, _ := page.doc.Find(`a[href$=".xml"]`).Attr("href")
	file := finance.see(link)
	if !strings.Contains(file.body, "<InstdAmt Ccy=\"EUR\">5.00</InstdAmt>") || !strings.Contains(file.Header.Get("Content-Disposition"), ".xml") {
		t.Errorf("the file says %s", file.body)
	}
	if got := d.agent.get(link).StatusCode; got != http.StatusForbidden {
		t.Errorf("an agent takes the file: %d", got)
	}
	failed := transferPath + "/remboursements/" + refund + "/echec"
	if a := finance.send(failed, "reason", ""); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find("details[open] #f-reason").Length() != 1 {
		t.Errorf("failed without a reason: %d", a.StatusCode)
	}
	done := transferPath + "/remboursements/" + refund + "/fait"
	if a := finance.send(done, "day_day", "40"); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find("details[open] #f-day").Length() != 1 {
		t.Errorf("executed on no day: %d", a.StatusCode)
	}
	finance.send(done, "day_day", today.Format("2"), "day_month", today.Format("1"), "day_year", today.Format("2006")).to(t, transferPath)
	finance.see(transferPath).has(t, "#fichiers ~ article", "terminé")
	finance.send(failed, "reason", "compte clos").to(t, transferPath)
	if got := d.text(`SELECT state FROM refund`); got != "dropped" {
		t.Errorf("sent back, the refund is %s", got)
	}
}

// TestPayoutPage confirms a provider's payout with its costs.
func TestPayoutPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := context.Background()
	finance, _ := d.person("finance@example.test", "Fabien Dumont", "finance")
	if err := d.config.Enrol.Decide(ctx, d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	due := uuid.MustParse(d.text(`SELECT id::text FROM due`))
	if err := d.config.Enrol.RecordPayment(ctx, d.agentAs.ID, due, 6500, "terminal", uuid.New()); err != nil {
		t.Fatal(err)
	}
	finance.see(bankPath+"/versements").has(t, "#avenir ~ ul", "65,00 €")
	finance.bring("mai.xml", bankFile(1, "64.20", "64.20||remise|WORLDLINE NV")).to(t, bankPath+"/fichiers/")
	link, ok := finance.see(bankPath).doc.Find(`article a[href$="/versement"]`).Attr("href")
	if !ok {
		t.Fatalf("no way to the payout: %s", finance.see(bankPath).text("article"))
	}
	page := finance.see(link)
	costs, _ := page.doc.Find("[name=costs]").Attr("value")
	line, _ := page.doc.Find("[name=line]").Attr("value")
	if costs == "" || line == "" {
		t.Fatalf("no proposal: %s", page.text("main"))
	}
	// What is ticked is summed up anew; other costs than were seen are not booked.
	sum := finance.send(link, "provider", "terminal", "chosen", "oui", "line", line, "do", "sum")
	if sum.StatusCode != http.StatusOK {
		t.Fatalf("summed up: %d", sum.StatusCode)
	}
	sum.has(t, "tfoot", "0,80 €")
	bad := finance.send(link, "provider", "terminal", "chosen", "oui", "line", line, "costs", "79", "do", "match")
	if bad.StatusCode != http.StatusUnprocessableEntity || bad.doc.Find("#f-costs").Length() != 1 {
		t.Errorf("other costs: %d", bad.StatusCode)
	}
	finance.send(link, "provider", "terminal", "chosen", "oui", "line", line, "costs", "80", "do", "match").to(t, bankPath+"/versements")
	list := finance.see(bankPath + "/versements")
	list.has(t, "tbody", "64,20 €65,00 €0,00 €0,80 €")
	one, _ := list.doc.Find("tbody a").Attr("href")
	shown := finance.see(one)
	shown.has(t, "tfoot", "64,20 €")
	undo, _ := shown.doc.Find(`form[action$="/annuler"]`).Attr("action")
	finance.send(undo).to(t, bankPath)
	finance.see(bankPath+"/versements").has(t, "#avenir ~ ul", "65,00 €")
}
