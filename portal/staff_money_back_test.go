package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/enrol"
	"ribambelle/internal/task"
)

// TestRefundOtherWay: too much was paid; it goes to another account, which a second person must agree to, never who
// decided it.
func TestRefundOtherWay(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(7500, "bank")
	url := d.url + "/rembourser"
	if link, _ := d.finance.see(d.url).doc.Find(".notice a").Attr("href"); link != url {
		t.Errorf("the task leads to %q", link)
	}
	page := d.finance.see(url)
	if v, _ := page.doc.Find("#f-amount").Attr("value"); v != "10,00" {
		t.Errorf("%q is proposed, want 10,00", v)
	}
	key := uuid.NewString()
	base := []string{"key", key, "due", d.due.ID.String()}
	bad := d.finance.send(url, append(base, "amount", "10,01", "reason", "", "way", "same")...)
	refusedOn(t, bad, "reason")
	refusedOn(t, d.finance.send(url, append(base, "amount", "10,01", "reason", "trop", "way", "same")...), "amount")
	refusedOn(t, d.finance.send(url, append(base, "amount", "10", "reason", "trop")...), "way")
	bad = d.finance.send(url, append(base, "amount", "10", "reason", "trop payé", "way", "transfer", "iban", "BE15")...)
	refusedOn(t, bad, "iban", "beneficiary", "why", "proof")
	if v, _ := bad.doc.Find("#f-reason").Attr("value"); v != "trop payé" || bad.doc.Find("input[name=way][value=transfer][checked]").Length() != 1 {
		t.Errorf("what was typed is gone: %q", v)
	}
	for range 2 {
		d.finance.send(url, append(base, "amount", "10", "reason", "trop payé", "way", "transfer", "iban", "BE68 5390 0754 7034", "beneficiary", "Succession",
			"why", "décès", "proof", "acte vu")...).to(t, d.url)
	}
	if n := d.count(`SELECT count(*) FROM refund`); n != 1 || d.open(task.RefundSecond) != 1 || d.open(task.OverPaid) != 0 {
		t.Fatalf("%d refunds, %d wait for a second, %d over-paid", n, d.open(task.RefundSecond), d.open(task.OverPaid))
	}
	one, _ := d.finance.see("/gestion/taches").doc.Find(`.tasks a[href^="/gestion/remboursements/"]`).Attr("href")
	own := d.finance.see(one)
	own.has(t, ".notice", "Une autre personne que vous")
	if n := own.doc.Find("form[action$='/accord']").Length(); n != 0 {
		t.Error("who decided it is asked to agree")
	}
	if got := d.finance.send(one+"/accord", "answer", "oui").StatusCode; got != http.StatusForbidden {
		t.Errorf("who decided it agrees: %d", got)
	}
	d.admin.see(one).has(t, "main", "acte vu")
	if got := d.admin.send(one + "/accord").StatusCode; got != http.StatusUnprocessableEntity {
		t.Errorf("an answer that says nothing: %d", got)
	}
	for range 2 {
		d.admin.send(one+"/accord", "answer", "oui").to(t, one)
	}
	after := d.finance.see(one)
	after.has(t, ".tag", "décidé")
	after.has(t, "main", "second accord : Ada Admin")
	after.has(t, "main", "BE68 5390 0754 7034")
	if d.open(task.RefundSecond) != 0 {
		t.Error("the task is still open")
	}
	d.finance.see("/gestion/remboursements?etat=decided").has(t, "tbody", "Léa Lambert")
	d.finance.send(one+"/retirer", "then", "form").to(t, url)
	if d.open(task.OverPaid) != 1 {
		t.Error("what was dropped is owed back to nobody")
	}
	d.finance.see(url).has(t, "h2", "10,00")
}

// TestRefundInCash is handed over at the counter, once the desk is open.
func TestRefundInCash(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.agent.send(cashPath, "key", uuid.NewString(), "desk", "Guichet", "float", "50").to(t, cashPath)
	d.agent.send(d.url+"/paiement", "key", uuid.NewString(), "amount", "70", "source", "cash").to(t, d.url)
	d.finance.send(d.url+"/rembourser", "key", uuid.NewString(), "due", d.due.ID.String(), "amount", "5", "reason", "monnaie", "way", "same").to(t, d.url)
	one := "/gestion/remboursements/" + d.text(`SELECT id::text FROM refund`)
	d.exec(`UPDATE cash_day SET expected_cents = 12000, expected_terminal_cents = 0, counted_cents = 12000, left_cents = 12000, closed_at = opened_at,
		closed_by = opened_by, close_key = gen_random_uuid()`)
	closed := d.agent.send(one + "/verser")
	if closed.StatusCode != http.StatusUnprocessableEntity || closed.doc.Find(`a[href^="/gestion/caisse?suite="]`).Length() != 1 {
		t.Errorf("coins without a desk: %d %s", closed.StatusCode, closed.text("main"))
	}
	d.agent.send(cashPath, "key", uuid.NewString(), "desk", "Guichet 2", "float", "50").to(t, cashPath)
	d.agent.see(one).has(t, "main", "Remettez 5,00")
	for range 2 {
		d.agent.send(one+"/verser").to(t, one)
	}
	d.agent.see(one).has(t, ".tag", "rendu")
	if n := d.count(`SELECT count(*) FROM ledger_line WHERE kind = 'refund'`); n != 1 {
		t.Errorf("%d lines give money back, want 1", n)
	}
}

// TestRefundStuck: a refund that failed leaves again, or is taken back to go another way.
func TestRefundStuck(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(7500, "bank")
	if err := d.config.Enrol.Refund(context.Background(), d.financeID, enrol.RefundForm{
		Key: uuid.New(), DueID: d.due.ID, Cents: 1000, Reason: "trop", Other: &enrol.OtherWay{Way: "transfer", IBAN: "BE68539007547034", Beneficiary: "X", Why: "clos", Proof: "vu"},
	}); err != nil {
		t.Fatal(err)
	}
	id := d.text(`SELECT id::text FROM refund`)
	fail := func() {
		d.exec(`UPDATE refund SET state = 'failed', failure = 'refund.bank_returned'`)
		if err := task.Open(context.Background(), d.db, task.RefundStuck, "refund", id, map[string]any{"refund": id, "cents": 1000}); err != nil {
			t.Fatal(err)
		}
	}
	fail()
	d.finance.see("/gestion/taches").has(t, `.tasks a[href="/gestion/remboursements/`+id+`"]`, "Léa Lambert")
	one := "/gestion/remboursements/" + id
	d.finance.see(one).has(t, ".notice.stop", "La banque a renvoyé l’argent")
	for range 2 {
		d.finance.send(one+"/relancer").to(t, one)
	}
	d.finance.see(one).has(t, ".tag", "décidé")
	if d.open(task.RefundStuck) != 0 {
		t.Error("the task is still open")
	}
	fail()
	d.finance.send(one+"/retirer", "then", "form").to(t, d.url+"/rembourser")
	if d.open(task.RefundStuck) != 0 || d.open(task.OverPaid) != 1 {
		t.Errorf("%d stuck, %d over-paid", d.open(task.RefundStuck), d.open(task.OverPaid))
	}
}

// TestEndWithFee: the regulation's fee is proposed for a family's request, may be lowered and never raised; who decides
// refunds lets the rest go back at once, an agent leaves a task.
func TestEndWithFee(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(6500, "bank")
	d.exec(`INSERT INTO cancel_fee (days_before, percent) VALUES (365, 20)`)
	both, _ := d.person("chef@example.test", "Chef", "agent", "finance")
	if err := task.Open(context.Background(), d.db, task.CancelAsked, "registration", d.asked.ID.String(), map[string]any{"reason": "déménagement"}); err != nil {
		t.Fatal(err)
	}
	url := d.url + "/annuler"
	if link, _ := d.agent.see(d.url).doc.Find("#asked a").First().Attr("href"); link != url {
		t.Errorf("the request leads to %q", link)
	}
	page := d.agent.see(url)
	page.has(t, ".notice.info", "déménagement")
	page.has(t, ".notice", "52,00")
	page.has(t, "main", "Le remboursement devient une tâche")
	if v, _ := page.doc.Find("#f-fee").Attr("value"); v != "13,00" || page.doc.Find("input[name=cause][value=famille][checked]").Length() != 1 {
		t.Errorf("the fee is proposed as %q", v)
	}
	if got := d.agent.send(url, "reason", "x", "give_back", "oui").StatusCode; got != http.StatusForbidden {
		t.Errorf("an agent gives money back: %d", got)
	}
	bad := both.send(url, "cause", "famille", "fee", "13,01", "give_back", "oui")
	refusedOn(t, bad, "fee", "reason")
	if bad.doc.Find("input[name=give_back][checked]").Length() != 1 {
		t.Error("the tick is gone")
	}
	both.send(url, "cause", "famille", "fee", "5", "reason", "Déménagement", "give_back", "oui").to(t, d.url)
	if got := d.state(d.asked.ID); got != enrol.Cancelled || d.open(task.CancelAsked)+d.open(task.RefundDue) != 0 {
		t.Errorf("it is %s, %d asked, %d due", got, d.open(task.CancelAsked), d.open(task.RefundDue))
	}
	if got := d.count(`SELECT sum(cents) FROM refund WHERE state = 'to_choose'`); got != 6000 {
		t.Errorf("%d cents go back, want 6000", got)
	}
	if got := both.send(url, "reason", "encore").StatusCode; got != http.StatusConflict {
		t.Errorf("ended twice: %d", got)
	}
	// The payer says at the counter where the money goes.
	one := "/gestion/remboursements/" + d.text(`SELECT id::text FROM refund`)
	refusedOn(t, d.finance.send(one+"/choix", "iban", "BE1"), "iban")
	d.finance.send(one+"/choix", "iban", "BE68539007547034").to(t, one)
	if got := d.text(`SELECT way || ' ' || iban FROM refund WHERE state = 'decided'`); got != "transfer BE68539007547034" {
		t.Errorf("it goes by %q", got)
	}
}

// TestEndCertified: with a certificate that staff saw, nothing is kept.
func TestEndCertified(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.exec(`INSERT INTO cancel_fee (days_before, percent) VALUES (365, 20)`)
	d.agent.send(d.url+"/annuler", "cause", "certificat", "fee", "13", "reason", "Malade").to(t, d.url)
	if n := d.count(`SELECT count(*) FROM ledger_line WHERE kind = 'fee'`); n != 0 || d.state(d.asked.ID) != enrol.Cancelled {
		t.Errorf("%d fees, %s", n, d.state(d.asked.ID))
	}
}

// TestKeepAsked refuses a request to cancel with a reason, once.
func TestKeepAsked(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	g := d.joined()
	if err := task.Open(context.Background(), d.db, task.CancelAsked, "registration", d.asked.ID.String(), map[string]any{"guardian": g}); err != nil {
		t.Fatal(err)
	}
	refusedOn(t, d.agent.send(d.url+"/garder", "reason", " "), "reason")
	for range 2 {
		d.agent.send(d.url+"/garder", "reason", "Le délai est passé").to(t, d.url)
	}
	page := d.agent.see(d.url)
	page.has(t, ".line", "Demande d’annulation refusée")
	page.has(t, ".line", "Le délai est passé")
	d.again("sophie@example.test").see("/mon-espace/inscriptions/"+d.asked.ID.String()).has(t, "main", "Demande d’annulation refusée")
	if d.open(task.CancelAsked) != 0 || d.state(d.asked.ID) != enrol.AwaitingPayment {
		t.Errorf("%d asked, %s", d.open(task.CancelAsked), d.state(d.asked.ID))
	}
}

// TestCampEnd gives up a whole camp: the preview counts, one decision does it, a second click changes nothing, the result
// lists who gets what.
func TestCampEnd(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(6500, "bank")
	url := "/gestion/stages/" + d.camp.String() + "/annuler"
	if err := task.Open(context.Background(), d.db, task.CampGone, "camp", d.camp.String(), nil); err != nil {
		t.Fatal(err)
	}
	if link, _ := d.finance.see("/gestion/taches").doc.Find(".tasks a").First().Attr("href"); link != url {
		t.Errorf("the task leads to %q", link)
	}
	d.admin.see("/gestion/stages/"+d.camp.String()).has(t, ".btns", "Annuler le stage")
	refusedOn(t, d.finance.get(url+"?preview=oui"), "what")
	page := d.finance.see(url + "?preview=oui&what=stage")
	page.has(t, "#apercu", "1 inscription concernée")
	page.has(t, "tbody", "Léa Lambert")
	page.has(t, "tfoot", "65,00")
	key := uuid.NewString()
	bad := d.finance.send(url, "key", key, "what", "stage", "reason", "")
	refusedOn(t, bad, "reason")
	if v, _ := bad.doc.Find("input[name=key]").Attr("value"); v != key || d.state(d.asked.ID) == enrol.CampCancelled {
		t.Fatalf("key %q, %s", v, d.state(d.asked.ID))
	}
	var at string
	for range 2 {
		at = d.finance.send(url, "key", key, "what", "stage", "reason", "Pas assez d’inscrits").to(t, url+"/"+key)
	}
	if got := d.state(d.asked.ID); got != enrol.CampCancelled || d.open(task.CampGone) != 0 {
		t.Errorf("it is %s, %d tasks", got, d.open(task.CampGone))
	}
	done := d.finance.see(at)
	done.has(t, "main", "1 inscription est terminée")
	done.has(t, "main", "1 payeur doit encore choisir")
	done.has(t, "tbody", "65,00")
	done.has(t, ".notice", "Odoo")
	if n := d.count(`SELECT count(*) FROM refund`); n != 1 {
		t.Errorf("%d refunds, want 1", n)
	}
	if n := d.count(`SELECT count(*) FROM pool p JOIN camp c ON c.pool_id = p.id WHERE c.id = $1 AND p.closed`, d.camp); n != 1 {
		t.Error("families may still register for it")
	}
	if got := d.finance.get(url + "/" + uuid.NewString()).StatusCode; got != http.StatusNotFound {
		t.Errorf("a decision that nobody took: %d", got)
	}
}

// TestSessionsEnd gives up two of five days: the price falls by their share, the registration stays.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(6500, "bank")
	url := "/gestion/stages/" + d.camp.String() + "/annuler"
	boxes := d.finance.see(url).doc.Find("input[name=session]")
	if boxes.Length() != 5 {
		t.Fatalf("%d days, want 5", boxes.Length())
	}
	var ids []string
	for i := range 5 {
		v, _ := boxes.Eq(i).Attr("value")
		ids = append(ids, v)
	}
	refusedOn(t, d.finance.get(url+"?preview=oui&what=journees"), "session")
	refusedOn(t, d.finance.get(url+"?preview=oui&what=journees&session="+strings.Join(ids, "&session=")), "session")
	page := d.finance.see(url + "?preview=oui&what=journees&session=" + ids[3] + "&session=" + ids[4])
	back := page.text("tfoot td:last-child")
	key := uuid.NewString()
	for range 2 {
		d.finance.send(url, "key", key, "what", "journees", "session", ids[3], "session", ids[4], "reason", "Grève").to(t, url+"/"+key)
	}
	done := d.finance.see(url + "/" + key)
	done.has(t, "main", "1 inscription a un prix diminué")
	if diff := cmp.Diff(back, done.text("tbody td.n")); diff != "" {
		t.Errorf("given back, and previewed (-want +got):\n%s", diff)
	}
	if n := d.count(`SELECT count(*) FROM camp_session WHERE state = 'cancelled'`); n != 2 || d.state(d.asked.ID) != enrol.Confirmed {
		t.Errorf("%d days are cancelled, %s", n, d.state(d.asked.ID))
	}
	if n := d.finance.see(url).doc.Find("input[name=session]").Length(); n != 3 {
		t.Errorf("%d days are left to give up, want 3", n)
	}
}
