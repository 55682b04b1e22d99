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
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/transfer"
)

// maxPage is what a page of a family weighs at most, on a phone.
const maxPage = 100_000

// small fails when a page is too heavy.
func (a answer) small(t *testing.T) answer {
	t.Helper()
	if len(a.body) > maxPage {
		t.Errorf("%s weighs %d bytes", a.Request.URL, len(a.body))
	}
	return a
}

// plain is text with spaces that break.
func plain(a answer, selector string) string {
	return strings.ReplaceAll(a.text(selector), "\u00a0", " ")
}

// father gives Léa a second parent with the right to pay.
func (j *journey) father(rights ...household.Right) (*browser, household.Guardian) {
	j.t.Helper()
	w, _, g := j.other("marc@example.test", "Marc", "Dujardin", "+32486111222")
	j.grant(g, rights...)
	return w, g
}

func (j *journey) grant(g household.Guardian, rights ...household.Right) {
	j.t.Helper()
	err := j.config.Household.Grant(context.Background(), audit.Command("test"), g.ID, j.child.ID, household.Grant{Basis: household.BasisParentalAuthority, Rights: rights})
	if err != nil {
		j.t.Fatal(err)
	}
}

// communication returns under what a guardian transfers the own part, as it is written.
func (j *journey) communication(id, guardian uuid.UUID) string {
	j.t.Helper()
	d, err := ledger.DueFor(context.Background(), j.db, id, guardian)
	if err != nil {
		j.t.Fatal(err)
	}
	return transfer.Communication(d.Communication).String()
}

// book notes a payment of a guardian at the bank.
func (j *journey) book(id, guardian uuid.UUID, cents civil.Cents) {
	j.t.Helper()
	d, err := ledger.DueFor(context.Background(), j.db, id, guardian)
	if err == nil {
		err = j.config.Enrol.RecordPayment(context.Background(), j.agent.ID, d.ID, cents, "bank", uuid.New())
	}
	if err != nil {
		j.t.Fatal(err)
	}
}

// TestWaysToPay: a button for each way, one of them the first; another way than the open one can still be taken.
func TestWaysToPay(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, true)
	a := j.parent.see(page + "/paiement").small(t)
	a.has(t, "button[name=method][value=bancontact]:not(.ghost)", "Payer avec Bancontact")
	a.has(t, "button[name=method][value=creditcard].ghost", "Payer par carte")
	j.parent.send(page+"/paiement", "method", "creditcard").to(t, page+"/paiement")
	if n := j.count(`SELECT count(*) FROM payment WHERE method = 'creditcard' AND status = 'open'`); n != 1 {
		t.Errorf("%d payments by card are open, want 1", n)
	}
	open := j.parent.see(page + "/paiement")
	open.has(t, "details summary", "Payer autrement")
	j.parent.send(page+"/paiement", "method", "bancontact").to(t, page+"/paiement")
	if n := j.count(`SELECT count(*) FROM payment WHERE status = 'open'`); n != 1 {
		t.Errorf("%d payments are open, want the newest alone", n)
	}
	// Its time passes: the page says so and asks again.
	*j.now = j.now.Add(2 * time.Hour)
	j.parent = j.again("sophie@example.test")
	late := j.parent.see(page + "/paiement")
	late.has(t, ".notice.stop", "son délai est passé")
	if late.doc.Find("[data-poll]").Length() != 0 || late.doc.Find("button[name=method]").Length() != 2 {
		t.Error("a payment whose time is over is still offered")
	}
}

// TestSharesArePrivate: two parents pay a part each: each sees the own amount, the own communication and the own code;
// an organisation's cover is a word for who it helps, and nothing for the others; who pays nothing sees no money.
func TestSharesArePrivate(t *testing.T) {
	t.Parallel()
	j := newJourney(t) // 70,00 €
	ctx := context.Background()
	page := j.register()
	id := j.id(page)
	father, him := j.father(household.RightSee, household.RightPay)
	granny, _, her := j.other("annie@example.test", "Annie", "Lambert", "+32486111333")
	j.grant(her, household.RightSee)
	var cpas uuid.UUID
	err := j.db.QueryRow(ctx, `
		INSERT INTO guardian (household_id, kind, first_name, last_name, bce)
		SELECT household_id, 'organisation', '', 'CPAS de Valmont', '0123456749'
		FROM guardian
		WHERE id = $1
		RETURNING id`, j.guardian.ID).Scan(&cpas)
	if err != nil {
		t.Fatal(err)
	}
	err = j.config.Enrol.AddCover(ctx, j.agent.ID, id, enrol.CoverForm{PartForm: enrol.PartForm{PayerID: cpas, Cents: 1000}, Reference: "CPAS-2027-88", Proof: "décision"})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.config.Enrol.AddShare(ctx, j.agent.ID, id, enrol.PartForm{PayerID: him.ID, Cents: 2000}); err != nil {
		t.Fatal(err)
	}
	j.decide(page, true)
	hers, his := j.communication(id, j.guardian.ID), j.communication(id, him.ID)
	organisation := j.communication(id, cpas)

	mine := j.parent.see(page + "/paiement").small(t)
	mine.has(t, ".amount", "40,00 €")
	mine.has(t, ".code:last-child", hers)
	mine.has(t, "main", "Une partie est prise en charge.")
	mine.has(t, "main", "Une partie est payée par une autre personne.")
	yours := father.see(page + "/paiement").small(t)
	yours.has(t, ".amount", "20,00 €")
	yours.has(t, ".code:last-child", his)
	yours.has(t, "main", "Votre part : 20,00 €")
	if got := readCode(t, yours.doc.Find("#epc svg")); !strings.Contains(got, "EUR20.00") || !strings.HasSuffix(got, strings.NewReplacer("+", "", "/", "").Replace(his)) {
		t.Errorf("the father's code says %q", got)
	}
	for who, one := range map[string]struct {
		w      *browser
		secret []string
	}{
		"the mother":      {j.parent, []string{his, organisation, "CPAS", "décision", "20,00 €", "10,00 €"}},
		"the father":      {father, []string{hers, organisation, "CPAS", "prise en charge", "70,00 €", "40,00 €", "10,00 €"}},
		"the grandmother": {granny, []string{hers, his, organisation, "CPAS", "prise en charge", "€"}},
	} {
		for _, path := range []string{page, page + "/paiement", "/mon-espace/inscriptions", "/mon-espace/", "/mon-espace/payer", "/mon-espace/factures"} {
			a := one.w.get(path)
			for _, secret := range one.secret {
				if strings.Contains(plain(a, "main"), secret) {
					t.Errorf("%s reads %q on %s", who, secret, path)
				}
			}
		}
	}
	// His part paid, he waits for hers; hers paid, the place is certain.
	j.book(id, him.ID, 2000)
	father.see(page).has(t, ".notice", "Votre part est payée.")
	father.get(page+"/paiement").to(t, page)
	j.book(id, j.guardian.ID, 4000)
	if got := j.state(id); got != enrol.Confirmed {
		t.Errorf("the registration is %s", got)
	}
}

// TestInstalments: what is to be paid now, what comes on which day, and the way to pay it before and on that day.
func TestInstalments(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	j.exec(`UPDATE camp SET deposit_percent = 30, rest_days = 30`)
	page := j.register()
	j.decide(page, true)
	a := j.parent.see(page + "/paiement")
	a.has(t, ".amount", "21,00 €")
	a.has(t, "main", "49,00 € au plus tard le samedi 5 juin 2027")
	j.book(j.id(page), j.guardian.ID, 2100)
	show := j.parent.see(page)
	show.has(t, "main", "La place est acquise.")
	show.has(t, "main", "Encore à payer :49,00 € au plus tard le samedi 5 juin 2027")
	early := j.parent.see(page + "/paiement")
	early.has(t, "h2", "Payer d’avance")
	early.has(t, ".amount", "49,00 €")
	all := j.parent.see("/mon-espace/payer")
	all.has(t, "main", "Vous n’avez rien à payer aujourd’hui.")
	all.has(t, "main", "au plus tard le samedi 5 juin 2027")
	j.at(civil.NewDate(2027, 6, 5))
	j.parent.see(page).has(t, ".notice", "Il reste une partie à payer.Payer 49,00 €")
	j.parent.see(page+"/paiement").has(t, ".amount", "49,00 €")
	j.parent.send(page+"/paiement", "method", "bancontact").to(t, page+"/paiement")
	j.provider.set(pay.StatusPaid)
	var back string
	if err := j.db.QueryRow(context.Background(), `SELECT '/mon-espace/paiements/' || id || '/retour' FROM payment`).Scan(&back); err != nil {
		t.Fatal(err)
	}
	*j.now = j.now.Add(time.Minute)
	at := j.parent.get(back).to(t, page+"/paiement")
	j.parent.get(at).to(t, page)
	j.parent.see(page).has(t, "main", "Déjà payé : 70,00 €")
}

// second registers Léa for another camp, of another week.
func (j *journey) second() string {
	j.t.Helper()
	id := j.bundle.camp(func(p *camp.Pulled) {
		p.Name = "Cirque"
		p.BeginsAt, p.EndsAt = civil.NewDate(2027, 7, 12).At(9*60, civil.Brussels), civil.NewDate(2027, 7, 16).At(16*60, civil.Brussels)
	})
	r := j.ask(j.family, id, nil, nil)
	return "/mon-espace/inscriptions/" + r.ID.String()
}

// TestPayAll: everything at once, ticked beforehand; nothing ticked is refused; one page shows the code, that the answer is
// awaited, that the payment was given up, and leads on once it is paid. It is nobody else's.
func TestPayAll(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	one, two := j.register(), j.second()
	for _, page := range []string{one, two} {
		j.decide(page, true)
	}
	for _, path := range []string{"/mon-espace/", "/mon-espace/inscriptions"} {
		j.parent.see(path).small(t).has(t, "a[href='/mon-espace/payer']", "Tout payer : 130,00 €")
	}
	all := j.parent.see("/mon-espace/payer").small(t)
	all.has(t, ".amount", "130,00 €")
	if n := all.doc.Find("input[name=inscription][checked]").Length(); n != 2 {
		t.Errorf("%d of 2 are ticked", n)
	}
	if bad := j.parent.send("/mon-espace/payer", "method", "bancontact"); bad.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nothing ticked answers %d", bad.StatusCode)
	} else {
		bad.has(t, ".notice.stop", "Cochez au moins une inscription.")
	}
	ids := []string{"inscription", j.id(one).String(), "inscription", j.id(two).String(), "method", "bancontact"}
	at := j.parent.send("/mon-espace/payer", ids...).to(t, "/mon-espace/paiements/")
	if again := j.parent.send("/mon-espace/payer", ids...).to(t, "/mon-espace/paiements/"); again != at {
		t.Errorf("a double click leads to %s and %s", at, again)
	}
	open := j.parent.see(at).small(t)
	open.has(t, ".amount", "130,00 €")
	open.has(t, "table.money", "Léa · Cirque60,00 €")
	if open.doc.Find(".qr img").Length() != 1 || open.doc.Find(".phone-only a").Length() != 1 {
		t.Error("no code to scan, or no app to open")
	}
	j.parent.get(one+"/paiement").to(t, at) // it is being paid
	j.parent.get(at+"/retour").to(t, at+"?retour=1")
	j.parent.see(at+"?retour=1").has(t, ".notice", "Nous vérifions votre paiement")
	if a := j.parent.see(at + "/etat"); !strings.Contains(a.body, `"open"`) {
		t.Errorf("the status is %s", a.body)
	}
	stranger, _ := j.father(household.RightSee, household.RightPay)
	for _, path := range []string{at, at + "/etat", at + "/retour"} {
		if got := stranger.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("the other parent opens %s: %d", path, got)
		}
	}
	if a := stranger.see("/mon-espace/payer"); strings.Contains(a.text("main"), "€") {
		t.Errorf("the other parent reads %q", a.text("main"))
	}
	if got := stranger.send("/mon-espace/payer", ids...); got.StatusCode != http.StatusConflict {
		t.Errorf("the other parent pays what is not theirs: %d", got.StatusCode)
	}
	j.parent.send(at+"/annuler").to(t, at)
	gone := j.parent.see(at)
	gone.has(t, ".notice.stop", "Le paiement est abandonné.")
	gone.has(t, "a.btn[href='/mon-espace/payer']", "Recommencer")

	at = j.parent.send("/mon-espace/payer", ids...).to(t, "/mon-espace/paiements/")
	j.provider.set(pay.StatusPaid)
	*j.now = j.now.Add(time.Minute)
	j.parent.get(at+"/retour").to(t, at)
	j.parent.get(at).to(t, "/mon-espace/inscriptions")
	j.parent.see("/mon-espace/inscriptions").has(t, ".notice.ok", "Merci, votre paiement est arrivé.")
	for _, page := range []string{one, two} {
		if got := j.state(j.id(page)); got != enrol.Confirmed {
			t.Errorf("%s is %s", page, got)
		}
	}
	// A single one ticked is paid on its own page.
	if parts := j.count(`SELECT count(*) FROM payment_part`); parts != 4 {
		t.Errorf("%d parts, want two of two payments", parts)
	}
}

// refundOf returns the page of the one refund that waits for a choice.
func (j *journey) refundOf() (path string) {
	j.t.Helper()
	err := j.db.QueryRow(context.Background(), `SELECT '/mon-espace/remboursements/' || id FROM refund WHERE state = 'to_choose'`).Scan(&path)
	if err != nil {
		j.t.Fatal(err)
	}
	return path
}

// cancelled is a paid registration whose camp the commune gave up.
func (j *journey) cancelled() (page string) {
	j.t.Helper()
	page = j.register()
	j.decide(page, true)
	j.paid(page)
	if _, err := j.config.Enrol.CancelCamp(context.Background(), j.agent.ID, j.camp, uuid.New(), "Pas assez d’animateurs"); err != nil {
		j.t.Fatal(err)
	}
	return page
}

// TestRefundAsMoney: the payer is told everywhere that a choice waits; a wrong account is kept and refused, a right one
// makes the refund; pressed twice it is one. Nobody else sees any of it.
func TestRefundAsMoney(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.cancelled()
	at := j.refundOf()
	for path, where := range map[string]string{"/mon-espace/": ".notice", "/mon-espace/inscriptions": ".notice", page: "#remboursements", "/mon-espace/factures": "#remboursements"} {
		a := j.parent.see(path).small(t)
		a.has(t, where, "70,00 €")
		if a.doc.Find("a[href='"+at+"']").Length() != 1 {
			t.Errorf("%s does not lead to the choice", path)
		}
	}
	choice := j.parent.see(at).small(t)
	choice.has(t, "main", "Pas assez d’animateurs")
	choice.has(t, "main", "Aucune de vos inscriptions n’est à payer")
	bad := j.parent.send(at+"/argent", "iban", "BE68 5390 0754 7035")
	if v, _ := bad.doc.Find("input[name=iban]").Attr("value"); bad.StatusCode != http.StatusUnprocessableEntity || v != "BE68 5390 0754 7035" {
		t.Errorf("a wrong account answers %d and the form holds %q", bad.StatusCode, v)
	}
	bad.has(t, ".field.bad", "Ce numéro de compte n’est pas valable.")
	father, _ := j.father(household.RightSee, household.RightPay)
	for _, answer := range []answer{father.get(at), father.send(at+"/argent", "iban", "BE68539007547034"), father.send(at+"/stage", "inscription", uuid.NewString())} {
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("the other parent's %s %s answers %d", answer.Request.Method, answer.Request.URL.Path, answer.StatusCode)
		}
	}
	for _, path := range []string{page, "/mon-espace/factures", "/mon-espace/"} {
		if a := father.see(path); strings.Contains(a.text("main"), "€") || strings.Contains(a.text("main"), "emboursement") {
			t.Errorf("the other parent reads on %s: %q", path, a.text("main"))
		}
	}
	for range 2 {
		j.parent.send(at+"/argent", "iban", "BE68 5390 0754 7034").to(t, page+"#remboursements")
	}
	if n := j.count(`SELECT count(*) FROM refund WHERE state = 'decided' AND way = 'transfer' AND iban = 'BE68539007547034'`); n != 1 {
		t.Errorf("%d refunds to the account, want 1", n)
	}
	told := j.parent.see(page)
	told.has(t, "#remboursements", "décidéL’argent sera versé sur le compte BE68 •••• 7034.")
	if strings.Contains(told.body, "0754") {
		t.Error("the whole account stands on the page")
	}
	for state, words := range map[string]string{
		"sent": "Selon votre banque, il arrive dans les jours qui suivent.", "done": "Remboursé le lundi 3 mai 2027, sur le compte BE68 •••• 7034.",
		"failed": "vous n’avez rien à faire",
	} {
		j.exec(`UPDATE refund SET state = $1, done_at = $2 WHERE way = 'transfer'`, state, testNow)
		j.parent.see(page).has(t, "#remboursements", words)
	}
}

// TestRefundByTheWayItCame: what came through a provider goes back through it, and nobody is asked for an account.
func TestRefundByTheWayItCame(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	ctx := context.Background()
	page := j.register()
	j.decide(page, true)
	j.parent.send(page+"/paiement", "method", "bancontact").to(t, page+"/paiement")
	j.provider.set(pay.StatusPaid)
	var id uuid.UUID
	err := j.db.QueryRow(ctx, `SELECT id FROM payment`).Scan(&id)
	if err == nil {
		_, err = j.config.Enrol.CheckPayment(ctx, id)
	}
	if err == nil {
		_, err = j.config.Enrol.CancelCamp(ctx, j.agent.ID, j.camp, uuid.New(), "Canicule")
	}
	if err != nil {
		t.Fatal(err)
	}
	at := j.refundOf()
	choice := j.parent.see(at)
	choice.has(t, "#argent ~ form", "L’argent repart par le moyen avec lequel vous avez payé.")
	if choice.doc.Find("input[name=iban]").Length() != 0 {
		t.Error("an account is asked for that nobody needs")
	}
	j.parent.send(at+"/argent").to(t, page+"#remboursements")
	j.parent.see(page).has(t, "#remboursements", "70,00 € décidéL’argent repart par le moyen avec lequel vous avez payé.")
	j.parent.get(at).to(t, page+"#remboursements") // chosen
}

// TestRefundForAnotherCamp: the money pays what is owed elsewhere; what is left can be chosen again.
func TestRefundForAnotherCamp(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	two := j.second()
	j.decide(two, true)
	page := j.cancelled()
	at := j.refundOf()
	choice := j.parent.see(at)
	choice.has(t, "#stage ~ form", "Léa · Cirque")
	choice.has(t, "#stage ~ form .hint", "Il reste 60,00 € à payer : ce montant en couvre 60,00 €.")
	if bad := j.parent.send(at + "/stage"); bad.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no camp chosen answers %d", bad.StatusCode)
	} else {
		bad.has(t, ".field.bad", "Choisissez une inscription.")
	}
	j.parent.send(at+"/stage", "inscription", j.id(two).String()).to(t, page+"#remboursements")
	if got := j.state(j.id(two)); got != enrol.Confirmed {
		t.Errorf("the other registration is %s", got)
	}
	told := j.parent.see(page)
	told.has(t, "#remboursements", "60,00 € faitUtilisé le lundi 3 mai 2027 pour un autre stage.")
	told.has(t, "#remboursements", "10,00 € à choisir")
}

// TestFeeAfterAnExit: what leaving costs can be paid on the registration's page, whatever its state.
func TestFeeAfterAnExit(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, true)
	j.paid(page)
	err := j.config.Enrol.End(context.Background(), j.agent.ID, j.id(page), enrol.Ending{Fee: 1400, Reason: "Désistement"})
	if err != nil {
		t.Fatal(err)
	}
	j.exec(`INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		SELECT id, registration_id, payer_id, debtor_id, 'refund', 7000, 'ledger.chargeback', 'mollie', 'provider:mollie', now() FROM due`)
	j.parent.see(page).has(t, ".notice", "Il reste un montant à payer.Payer 14,00 €")
	list := j.parent.see("/mon-espace/inscriptions")
	list.has(t, "section.panel .btn", "Payer 14,00 €")
	if list.doc.Find("details .btn").Length() != 0 {
		t.Error("what is left to pay is folded away")
	}
	j.parent.see(page+"/paiement").has(t, ".amount", "14,00 €")
	j.parent.send(page+"/paiement", "method", "bancontact").to(t, page+"/paiement")
	if n := j.count(`SELECT cents FROM payment`); n != 1400 {
		t.Errorf("the payment asks for %d cents", n)
	}
}

// TestPaidLate: money for a place that another family has: the page says that it is not lost.
func TestPaidLate(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, true)
	j.at(civil.NewDate(2027, 5, 20))
	if n, err := j.config.Enrol.Expire(context.Background()); err != nil || n != 1 {
		t.Fatalf("%d expired, %v", n, err)
	}
	j.exec(`UPDATE pool SET max = 0`) // somebody else has the place
	j.paid(page)
	j.parent.see(page).has(t, ".notice", "Votre paiement est arrivé après le délai")
	j.parent.get(page+"/paiement").to(t, page)
}

// TestCancelledDaysAreTold: the family's history and the office's name the cancelled days, with the reason, and not
// another bus; the lower price and what comes back stand on the page.
func TestCancelledDaysAreTold(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	ctx := context.Background()
	page := j.register()
	j.decide(page, true)
	j.paid(page)
	var session uuid.UUID
	err := j.db.QueryRow(ctx, `SELECT id FROM camp_session WHERE camp_id = $1 AND day = '2027-07-07'`, j.camp).Scan(&session)
	if err == nil {
		_, err = j.config.Enrol.CancelSessions(ctx, j.agent.ID, j.camp, uuid.New(), []uuid.UUID{session}, "Alerte aux orages")
	}
	if err != nil {
		t.Fatal(err)
	}
	mine := j.parent.see(page)
	agent := j.again("agent@example.test")
	office := agent.see("/gestion/inscriptions/" + j.id(page).String())
	for who, a := range map[string]answer{"the family": mine, "the office": office} {
		if line := a.text(".line"); !strings.Contains(line, "Jours annulés par la commune") || !strings.Contains(line, "Alerte aux orages") || strings.Contains(line, "Arrêts de bus") {
			t.Errorf("%s reads %q", who, line)
		}
	}
	mine.has(t, "table.money", "Séances annulées par la commune : 1-14,00 €")
	mine.has(t, "#remboursements", "14,00 € à choisir")
}

// TestMoneyToComeBack: between the end of a paid registration and the decision of the office, its payer reads that the
// money comes back.
func TestMoneyToComeBack(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, true)
	j.paid(page)
	if j.parent.see(page).doc.Find("#remboursements").Length() != 0 {
		t.Error("money comes back although nothing ended")
	}
	id := uuid.MustParse(page[strings.LastIndex(page, "/")+1:])
	if err := j.config.Enrol.Cancel(context.Background(), j.agent.ID, id, "Fin"); err != nil {
		t.Fatal(err)
	}
	j.parent.see(page).small(t).has(t, "#remboursements", "70,00 € vous reviennent")
}
