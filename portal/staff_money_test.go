package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
)

// moneyDesk is a desk whose request was accepted and is to be paid, with the people who see to money.
type moneyDesk struct {
	*desk
	finance, admin, social *browser
	financeID              uuid.UUID
	url                    string // of the registration
	due                    ledger.Due
}

func newMoneyDesk(t *testing.T) *moneyDesk {
	t.Helper()
	d := &moneyDesk{desk: newDesk(t)}
	finance, a := d.person("finance@example.test", "Fred Finance", "finance")
	d.finance, d.financeID = finance, a.ID
	d.admin, _ = d.person("admin@example.test", "Ada Admin", "administrator")
	d.social, _ = d.person("social@example.test", "Sam Social", "social")
	if err := d.config.Enrol.Decide(context.Background(), d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.due, err = ledger.DueOf(context.Background(), d.db, d.asked.ID); err != nil {
		t.Fatal(err)
	}
	d.url = "/gestion/inscriptions/" + d.asked.ID.String()
	return d
}

// paid books money on the first due.
func (d *moneyDesk) paid(cents civil.Cents, source string) {
	d.t.Helper()
	if err := d.config.Enrol.RecordPayment(context.Background(), d.financeID, d.due.ID, cents, source, uuid.New()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *moneyDesk) open(kind string) int {
	d.t.Helper()
	return d.count(`SELECT count(*) FROM task WHERE kind = $1 AND done_at IS NULL`, kind)
}

// joined is another guardian of the child, who may pay.
func (d *moneyDesk) joined() uuid.UUID {
	d.t.Helper()
	_, _, g := d.other("marc@example.test", "Marc", "Petit", "+32475999999")
	d.exec(`INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		VALUES ($1, $2, 'parental_authority', '{see,register,pay,cancel}', '2020-01-01')`, g.ID, d.family.child.ID)
	return g.ID
}

// refused fails unless an answer shows the form again with a problem on each input.
func refusedOn(t *testing.T, a answer, inputs ...string) {
	t.Helper()
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("answer %d, want 422: %s", a.StatusCode, a.text("main"))
	}
	for _, input := range inputs {
		if a.doc.Find("#f-"+input).Length() != 1 || a.doc.Find(`a[href="#f-`+input+`"]`).Length() != 1 {
			t.Errorf("the page does not tell what is wrong with %s: %s", input, a.text(".notice"))
		}
	}
}

// TestMoneyAccess walks the pages of money with every role.
func TestMoneyAccess(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	people := map[string]*browser{"agent": d.agent, "finance": d.finance, "administrator": d.admin, "social": d.social}
	for _, role := range []string{"organiser", "leader"} {
		people[role], _ = d.person(role+"@example.test", role, role)
	}
	people["parent"] = d.again("sophie@example.test")
	d.paid(7500, "bank")
	if err := d.config.Enrol.Refund(context.Background(), d.financeID, enrol.RefundForm{
		Key: uuid.New(), DueID: d.due.ID, Cents: 1000, Reason: "trop", Other: &enrol.OtherWay{Way: "cash", Beneficiary: "X", Why: "compte clos", Proof: "vu"},
	}); err != nil {
		t.Fatal(err)
	}
	refund := "/gestion/remboursements/" + d.text(`SELECT id::text FROM refund`)
	end := "/gestion/stages/" + d.camp.String() + "/annuler"
	due := d.due.ID.String()
	const all = "agent finance administrator"
	for path, may := range map[string]string{
		d.url + "/payeurs":          all + " social",
		d.url + "/echeances/" + due: all,
		d.url + "/abandon/" + due:   "finance administrator",
		d.url + "/rembourser":       "finance administrator",
		d.url + "/garder":           "agent",
		"/gestion/remboursements":   all,
		refund:                      all,
		end:                         "finance organiser administrator",
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
	for path, may := range map[string]string{
		d.url + "/payeurs/partage": "agent finance administrator", d.url + "/payeurs/prise-en-charge": "social finance administrator",
		d.url + "/rembourser": "finance administrator", d.url + "/abandon/" + due: "finance administrator", d.url + "/redonner": "agent",
		refund + "/accord": "finance administrator", refund + "/retirer": "finance administrator", refund + "/relancer": "finance administrator",
		refund + "/verser": "agent finance", refund + "/choix": "finance administrator", end: "finance organiser administrator",
	} {
		for who, browser := range people {
			if strings.Contains(may, who) {
				continue
			}
			want := http.StatusForbidden
			if who == "parent" || who == "leader" {
				want = http.StatusNotFound
			}
			if got := browser.send(path).StatusCode; got != want {
				t.Errorf("%s posts to %s: %d, want %d", who, path, got, want)
			}
		}
	}
	if n := d.count(`SELECT count(*) FROM refund WHERE state = 'to_confirm'`); n != 1 {
		t.Errorf("%d refunds wait untouched, want 1", n)
	}
	for _, path := range []string{"/echeances/", "/abandon/"} {
		if got := d.finance.get(d.url + path + uuid.NewString()).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s of another registration: %d", path, got)
		}
	}
}

// TestShareAndPay: a part is shared with the other parent, each due is shown, and a payment is noted on the chosen one.
func TestShareAndPay(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	other := d.joined()
	url := d.url + "/payeurs"
	d.agent.see(url).has(t, "#partage ~ form", "Marc Petit")
	bad := d.agent.send(url+"/partage", "share", "120", "cents", "x")
	refusedOn(t, bad, "payer", "share", "cents")
	if v, _ := bad.doc.Find("#partage ~ form #f-share").Attr("value"); v != "120" {
		t.Errorf("the share is shown again as %q", v)
	}
	refusedOn(t, d.agent.send(url+"/partage", "payer", other.String()), "share")
	for range 2 { // a double click
		d.agent.send(url+"/partage", "payer", other.String(), "share", "33,5").to(t, d.url)
	}
	page := d.agent.see(d.url)
	page.has(t, ".due h3", "Marc Petit part : 33,5 %")
	if n := page.doc.Find("div.due").Length(); n != 2 {
		t.Fatalf("%d dues, want 2", n)
	}
	page.has(t, ".due", "21,78 €") // 33,5 % of 65,00 €, rounded half up
	second := d.text(`SELECT id::text FROM due WHERE payer_id = $1`, other)
	form := []string{"key", uuid.NewString(), "due", second, "amount", "21,78", "source", "bank"}
	for range 2 {
		d.agent.send(d.url+"/paiement", form...).to(t, d.url)
	}
	if got := d.count(`SELECT sum(cents) FROM ledger_line WHERE kind = 'payment' AND due_id = $1`, second); got != 2178 {
		t.Errorf("%d cents are booked on the chosen due, want 2178", got)
	}
	elsewhere := d.ask(d.family, d.bundle.camp(func(p *camp.Pulled) {
		p.BeginsAt, p.EndsAt = p.BeginsAt.AddDate(0, 0, 14), p.EndsAt.AddDate(0, 0, 14)
	}), nil, nil)
	if got := d.agent.send("/gestion/inscriptions/"+elsewhere.ID.String()+"/paiement", form...).StatusCode; got != http.StatusNotFound {
		t.Errorf("a due of another registration is paid: %d", got)
	}
	refusedOn(t, d.agent.send(url+"/"+second+"/fin", "reason", " "), "reason")
	for range 2 {
		d.agent.send(url+"/"+second+"/fin", "reason", "Accord terminé").to(t, d.url)
	}
	d.agent.see(d.url).has(t, ".due h3", "Marc Petit terminée")
	if got := d.agent.send(url+"/"+d.due.ID.String()+"/fin", "reason", "x").StatusCode; got != http.StatusConflict {
		t.Errorf("the first payer's part ends: %d", got)
	}
}

// TestCoverIsPrivate: an organisation pays; who has the right sees which, an ordinary agent sees amounts alone.
func TestCoverIsPrivate(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	url := d.url + "/payeurs"
	refusedOn(t, d.social.send(url+"/prise-en-charge", "last_name", "CPAS de Braine"), "bce", "reference", "share", "phone", "street", "postcode", "city")
	if n := d.count(`SELECT count(*) FROM guardian WHERE kind = 'organisation'`); n != 0 {
		t.Fatalf("%d organisations of a refused form", n)
	}
	form := []string{
		"last_name", "CPAS de Braine", "bce", "BE 0207.365.610", "phone", "067 55 10 20", "street", "Rue Haute 1", "postcode", "7090", "city", "Braine-le-Comte",
		"cents", "40", "reference", "DEC-2027-12", "proof", "décision du 3 mai",
	}
	wrong := d.social.send(url+"/prise-en-charge", append(form, "bce", "")...)
	wrong.to(t, d.url)
	d.social.send(url+"/prise-en-charge", form...).to(t, d.url)
	if n := d.count(`SELECT count(*) FROM guardian WHERE kind = 'organisation' AND bce = '0207365610'`); n != 1 {
		t.Errorf("%d organisations, want 1", n)
	}
	for _, who := range []*browser{d.social, d.finance, d.admin} {
		page := who.see(d.url)
		page.has(t, ".due h3", "CPAS de Braine")
		page.has(t, ".due", "DEC-2027-12")
	}
	plain := d.agent.see(d.url)
	plain.has(t, ".due h3", "Part d’un autre payeur")
	plain.has(t, ".due", "40,00")
	for _, path := range []string{d.url, url, "/gestion/remboursements"} {
		if body := d.agent.see(path).body; strings.Contains(body, "CPAS") || strings.Contains(body, "DEC-2027") {
			t.Errorf("an ordinary agent reads of the cover on %s", path)
		}
	}
	cover := d.text(`SELECT due_id::text FROM cover`)
	for name, got := range map[string]int{
		"a payment on it":   d.agent.send(d.url+"/paiement", "key", uuid.NewString(), "due", cover, "amount", "40", "source", "bank").StatusCode,
		"the end of it":     d.agent.send(url+"/"+cover+"/fin", "reason", "x").StatusCode,
		"a plan of it":      d.agent.get(d.url + "/echeances/" + cover).StatusCode,
		"social on a share": d.social.get(d.url+"/echeances/"+cover).StatusCode - http.StatusForbidden + http.StatusNotFound,
	} {
		if got != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", name, got)
		}
	}
	known := d.social.see(url).doc.Find("#f-organisation option").Last()
	id, _ := known.Attr("value")
	refusedOn(t, d.social.send(url+"/prise-en-charge", "organisation", id, "share", "10", "reference", "R2"), "organisation")
	d.social.send(url+"/"+cover+"/fin", "reason", "Refus du CPAS").to(t, d.url)
	d.social.see(d.url).has(t, ".due", "terminée : Refus du CPAS")
}

// TestPlan: parts are proposed, refused when they do not come to what is owed, agreed, shown and taken back.
func TestPlan(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	url := d.url + "/echeances/" + d.due.ID.String()
	page := d.agent.see(url + "?parts=3&from_day=31&from_month=5&from_year=2027")
	for input, want := range map[string]string{"cents_1": "21,68", "cents_3": "21,66", "on_1_day": "31", "on_2_day": "30", "on_2_month": "6", "on_3_day": "31"} {
		if v, _ := page.doc.Find("input[name=" + input + "]").Attr("value"); v != want {
			t.Errorf("%s is proposed as %q, want %q", input, v, want)
		}
	}
	row := func(n, day, month, cents string) []string {
		return []string{"on_" + n + "_day", day, "on_" + n + "_month", month, "on_" + n + "_year", "2027", "cents_" + n, cents}
	}
	bad := d.agent.send(url, append(row("1", "1", "6", "30"), row("2", "1", "7", "30")...)...)
	refusedOn(t, bad, "cents_1")
	bad.has(t, "#f-cents_1-error", "65.00 €")
	if v, _ := bad.doc.Find("#f-cents_2").Attr("value"); v != "30" {
		t.Errorf("the second part is shown again as %q", v)
	}
	refusedOn(t, d.agent.send(url, append(row("1", "1", "7", "30"), row("2", "1", "6", "35")...)...), "on_1")
	refusedOn(t, d.agent.send(url, "on_1_day", "40", "on_1_month", "1", "on_1_year", "2027", "cents_2", "5"), "on_1", "on_2")
	refusedOn(t, d.agent.send(url), "cents_1")
	for range 2 {
		d.agent.send(url, append(row("1", "1", "6", "30"), row("2", "1", "7", "35")...)...).to(t, d.url)
	}
	page = d.agent.see(d.url)
	page.has(t, ".due li", "1/07/2027 : 35,00")
	if n := d.count(`SELECT count(*) FROM instalment`); n != 2 {
		t.Errorf("%d parts, want 2", n)
	}
	d.agent.send(url, "remove", "oui").to(t, d.url)
	if n := d.count(`SELECT count(*) FROM instalment`); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

// TestWriteOffPage gives up a rest, once.
func TestWriteOffPage(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	d.paid(6440, "bank")
	url := d.url + "/abandon/" + d.due.ID.String()
	if v, _ := d.finance.see(url).doc.Find("#f-amount").Attr("value"); v != "0,60" {
		t.Errorf("%q is proposed, want 0,60", v)
	}
	key := uuid.NewString()
	bad := d.finance.send(url, "key", key, "amount", "5", "reason", "petit reste")
	refusedOn(t, bad, "amount")
	if v, _ := bad.doc.Find("#f-reason").Attr("value"); v != "petit reste" {
		t.Errorf("the reason is shown again as %q", v)
	}
	for range 2 {
		d.finance.send(url, "key", key, "amount", "0,60", "reason", "petit reste").to(t, d.url)
	}
	page := d.finance.see(d.url)
	page.has(t, ".due tbody", "Reste abandonné")
	page.has(t, ".due tbody", "petit reste")
	if got := d.state(d.asked.ID); got != enrol.Confirmed {
		t.Errorf("it is %s, want confirmed", got)
	}
}

// TestLateMoneyPage: late money for a place that another has cannot be given again; once it is free, it can.
func TestLateMoneyPage(t *testing.T) {
	t.Parallel()
	d := newMoneyDesk(t)
	*d.now = d.now.Add(30 * 24 * time.Hour)
	if n, err := d.config.Enrol.Expire(context.Background()); err != nil || n != 1 {
		t.Fatalf("expired %d, %v", n, err)
	}
	d.exec(`UPDATE pool SET max = 0 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, d.camp)
	d.paid(6500, "bank")
	agent, finance := d.again("agent@example.test"), d.again("finance@example.test")
	finance.see("/gestion/taches").has(t, ".tasks", "Payée hors délai")
	finance.see(d.url).has(t, ".notice a", "Rembourser")
	agent.see(d.url).has(t, ".notice button", "Redonner la place")
	if a := agent.send(d.url + "/redonner"); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text("main"), "Le stage est complet") {
		t.Errorf("a full camp: %d", a.StatusCode)
	}
	d.exec(`UPDATE pool SET max = 5 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, d.camp)
	for range 2 {
		agent.send(d.url+"/redonner").to(t, d.url)
	}
	if got := d.state(d.asked.ID); got != enrol.Confirmed || d.open("late_money") != 0 {
		t.Errorf("it is %s, %d tasks", got, d.open("late_money"))
	}
}
