package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/pay"
	"ribambelle/internal/transport"
)

// fakeProvider is a payment provider in memory; the protocol is tested against its simulator elsewhere. Its nil Refunder
// panics when a test refunds, which none of these does.
type fakeProvider struct {
	pay.Refunder
	mu       sync.Mutex
	payments map[string]*pay.Payment
	qr       string
	down     bool
}

func (p *fakeProvider) Name() string { return "mollie" }

func (p *fakeProvider) Methods(context.Context) ([]string, error) {
	return []string{pay.MethodBancontact, pay.MethodCard}, nil
}

func (p *fakeProvider) Create(_ context.Context, r pay.CreateRequest) (pay.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindTemporary, Doing: "creating"}
	}
	one := &pay.Payment{
		ID: "tr_" + strings.ReplaceAll(r.Key, "-", "")[:10], Status: pay.StatusOpen, Amount: r.Amount, CheckoutURL: "https://pay.example/x",
		AppURL: "https://pay.example/app", QR: p.qr, Cancelable: true, CreatedAt: testNow, ExpiresAt: testNow.Add(time.Hour),
	}
	p.payments[one.ID] = one
	return *one, nil
}

func (p *fakeProvider) Fetch(_ context.Context, id string) (pay.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, known := p.payments[id]
	if !known {
		return pay.Payment{}, &pay.Error{Kind: pay.ErrKindNotFound, Doing: "reading"}
	}
	return *one, nil
}

func (p *fakeProvider) Cancel(ctx context.Context, id string) (pay.Payment, error) {
	p.set(pay.StatusCanceled)
	return p.Fetch(ctx, id)
}

// set brings every payment to a status, as its payer would.
func (p *fakeProvider) set(status pay.Status) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.payments {
		one.Status, id = status, one.ID
	}
	return id
}

// journey is a portal with a camp, a bus, a family with Léa, and an agent.
type journey struct {
	*bundle
	family
	parent   *browser
	account  account.Account
	agent    account.Account
	camp     uuid.UUID
	line     transport.Line
	provider *fakeProvider
}

func newJourney(t *testing.T, change ...func(*camp.Pulled)) *journey {
	t.Helper()
	j := &journey{provider: &fakeProvider{payments: map[string]*pay.Payment{}, qr: "data:image/png;base64,AAAA"}}
	j.bundle = setup(t, func(c *Config) { c.Enrol.Providers = []pay.Provider{j.provider} })
	j.camp = j.bundle.camp(change...)
	j.line = j.bus(j.camp)
	j.parent, j.account = j.person("sophie@example.test", "Sophie Lambert")
	j.family = j.bundle.family(j.account)
	_, j.agent = j.person("agent@example.test", "Anne", "agent")
	j.exec(`INSERT INTO setting (key, value) VALUES ('commune.iban', 'BE68539007547034'), ('commune.name', 'Valmont')`)
	return j
}

// hidden returns the name, value pairs of the hidden inputs of a form.
func hidden(form *goquery.Selection) (pairs []string) {
	form.Find("input[type=hidden]").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		value, _ := s.Attr("value")
		pairs = append(pairs, name, value)
	})
	return pairs
}

// register walks through the steps and sends the request; it returns the registration's page.
func (j *journey) register() string {
	j.t.Helper()
	check := j.parent.see("/stages/" + j.camp.String() + "/inscription?enfant=" + j.child.ID.String() +
		"&aller=" + j.line.Stops[0].ID.String() + "&retour=" + j.line.Stops[0].ID.String())
	at := j.parent.send("/stages/"+j.camp.String()+"/inscription", hidden(check.doc.Find("form[method=post][action$=inscription]"))...).to(j.t, "/mon-espace/inscriptions/")
	return strings.TrimSuffix(at, "/recue")
}

func (j *journey) id(page string) uuid.UUID {
	return uuid.MustParse(strings.TrimPrefix(page, "/mon-espace/inscriptions/"))
}

func (j *journey) decide(page string, accept bool) {
	j.t.Helper()
	if err := j.config.Enrol.Decide(context.Background(), j.agent.ID, j.id(page), accept, "Plus de place dans le groupe."); err != nil {
		j.t.Fatal(err)
	}
}

func TestRegistrationSteps(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	path := "/stages/" + j.camp.String() + "/inscription"
	j.browser().get(path).to(t, "/connexion?suite=")

	first := j.parent.see(path)
	first.has(t, ".steps", "Étape 1 sur 3")
	first.has(t, "legend", "Quel enfant")
	bus := j.parent.see(path + "?enfant=" + j.child.ID.String())
	bus.has(t, ".steps", "Étape 2 sur 3")
	if n := bus.doc.Find("[name=aller]").Length(); n != 3 {
		t.Errorf("%d ways to come, want two stops and none", n)
	}
	if n := bus.doc.Find("[name=retour]").Length(); n != 2 {
		t.Errorf("%d ways home, want one stop and none: the other has no time", n)
	}
	bus.has(t, "main", "8 h 05, Place de la Station")
	if v, _ := bus.doc.Find("input[type=hidden][name=enfant]").Attr("value"); v != j.child.ID.String() {
		t.Error("the child is not carried along")
	}
	stop := j.line.Stops[0].ID.String()
	q := "?enfant=" + j.child.ID.String() + "&aller=" + stop + "&retour=non"
	check := j.parent.see(path + q)
	check.has(t, ".steps", "Étape 3 sur 3")
	check.has(t, ".answers", "8 h 05, Place de la Station")
	check.has(t, ".answers", "Sans bus, je viens")
	check.has(t, ".money", "65,00 €")
	check.has(t, "main", "Fiche médicale à confirmer")
	check.has(t, "main", "avant le lundi 28 juin")
	// Going back keeps the other answers.
	back, _ := check.doc.Find(".answers .change a").First().Attr("href")
	again := j.parent.see(back)
	again.has(t, ".steps", "Étape 1 sur 3")
	if again.doc.Find("input[type=hidden][name=aller]").Length() != 1 || again.doc.Find("[name=enfant][checked]").Length() != 1 {
		t.Error("going back loses answers")
	}
	if n := j.count(`SELECT count(*) FROM registration`); n != 0 {
		t.Fatalf("%d registrations before anything was sent", n)
	}
	pairs := append(hidden(check.doc.Find("form[method=post][action$=inscription]")), "remark", "Arrive à 9 h 10 le lundi")
	one := j.parent.send(path, pairs...).to(t, "/mon-espace/inscriptions/")
	if two := j.parent.send(path, pairs...).to(t, "/mon-espace/inscriptions/"); two != one {
		t.Errorf("a double click leads to %s and %s", one, two)
	}
	if n := j.count(`SELECT count(*) FROM registration`); n != 1 {
		t.Errorf("%d registrations, want 1", n)
	}
	received := j.parent.see(one)
	received.has(t, ".confirm", "Votre demande est reçue")
	received.has(t, ".line .now", "Examen par le service — c’est au service")
	received.has(t, "main", "Arrive à 9 h 10 le lundi")
	j.parent.see("/mon-espace/").has(t, ".tag.wait", "à confirmer avant le lundi 28 juin")
}

func TestRegistrationSaysWhyNot(t *testing.T) {
	t.Parallel()
	j := newJourney(t, func(p *camp.Pulled) { p.Levels = []string{"P5", "P6"} })
	path := "/stages/" + j.camp.String() + "/inscription"
	first := j.parent.see(path)
	first.has(t, ".hint", "Pas possible : Ce stage est réservé aux années scolaires P5 à P6 ; votre enfant est en P3.")
	if first.doc.Find("[name=enfant][disabled]").Length() != 1 || first.doc.Find("main button.btn").Length() != 0 {
		t.Error("a child who may not come can be chosen")
	}
	// Who writes the address by hand is told the same, and cannot send it.
	check := j.parent.see(path + "?enfant=" + j.child.ID.String() + "&aller=non&retour=non")
	check.has(t, ".notice.stop", "Pas possible")
	key := uuid.NewString()
	forced := j.parent.send(path, "enfant", j.child.ID.String(), "aller", "non", "retour", "non", "key", key, "remark", "s’il vous plaît")
	if forced.StatusCode != http.StatusUnprocessableEntity || j.count(`SELECT count(*) FROM registration`) != 0 {
		t.Errorf("a forced request answers %d", forced.StatusCode)
	}
	// Nobody registers another family's child.
	stranger, other := j.person("autre@example.test", "Autre")
	if _, err := j.config.Household.SaveGuardian(context.Background(), other.ID, household.GuardianForm{
		FirstName: "A", LastName: "B", Phone: "+32475123457", Street: "Rue 1", Postcode: "7090", City: "Ici",
	}); err != nil {
		t.Fatal(err)
	}
	if got := stranger.send(path, "enfant", j.child.ID.String(), "aller", "non", "retour", "non", "key", key); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a stranger's request answers %d", got.StatusCode)
	}
	stranger.get(path).to(t, "/mon-espace/enfants/nouveau?suite="+url.QueryEscape(path))
}

func TestFullCampOffersTheWaitingList(t *testing.T) {
	t.Parallel()
	zero := 0
	j := newJourney(t, func(p *camp.Pulled) { p.Max = &zero })
	check := j.parent.see("/stages/" + j.camp.String() + "/inscription?enfant=" + j.child.ID.String() + "&aller=non&retour=non")
	check.has(t, ".notice", "Ce stage est complet.")
	check.has(t, "button.big", "M’inscrire sur la liste d’attente")
	page := j.register()
	j.parent.see(page+"/recue").has(t, ".confirm", "Léa est sur la liste d’attente, en position 1")
	j.parent.see("/mon-espace/inscriptions").has(t, ".tag.info", "liste d’attente, position 1")
	j.parent.send(page+"/annuler", "reason", "").to(t, "/mon-espace/inscriptions")
	list := j.parent.see("/mon-espace/inscriptions")
	list.has(t, ".notice.ok", "annulée")
	list.has(t, "details", "annulée par la famille")
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	cheap, dear := civil.Cents(4000), civil.Cents(9000)
	j := newJourney(t, func(p *camp.Pulled) {
		p.Tickets = []camp.PulledTicket{{OdooID: 1, Name: "Demi-journée", Cents: &cheap}, {OdooID: 2, Name: "Journée", Cents: &dear}}
	})
	j.browser().see("/").has(t, ".price", "dès 40,00 €")
	path := "/stages/" + j.camp.String() + "/inscription?enfant=" + j.child.ID.String()
	step := j.parent.see(path)
	step.has(t, ".steps", "Étape 2 sur 4")
	step.has(t, "main", "Journée — 90,00 €")
	formula, _ := step.doc.Find("[name=formule]").Last().Attr("value")
	check := j.parent.see(path + "&aller=non&retour=non&formule=" + formula)
	check.has(t, ".money", "90,00 €")
	j.parent.send("/stages/"+j.camp.String()+"/inscription", hidden(check.doc.Find("form[method=post][action$=inscription]"))...).to(t, "/mon-espace/inscriptions/")
}

func TestPayByBancontact(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.parent.get(page+"/paiement").to(t, page) // nothing to pay yet
	j.decide(page, true)

	list := j.parent.see("/mon-espace/inscriptions")
	list.has(t, ".notice", "À payer avant le lundi 10 mai à 20 h, sinon la place sera proposée à une autre famille.")
	pay1 := j.parent.see(page + "/paiement")
	pay1.has(t, ".amount", "70,00 €")
	pay1.has(t, "main", "BE68 5390 0754 7034")
	pay1.has(t, ".code:last-child", "+++")

	j.provider.down = true
	if down := j.parent.send(page + "/paiement"); down.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a silent provider answers %d, want 503", down.StatusCode)
	} else {
		down.has(t, "main", "Rien n’a été débité")
	}
	j.provider.down = false
	j.parent.send(page+"/paiement").to(t, page+"/paiement")
	j.parent.send(page+"/paiement").to(t, page+"/paiement")
	if n := len(j.provider.payments); n != 1 {
		t.Errorf("%d payments for a double click, want 1", n)
	}
	open := j.parent.see(page + "/paiement")
	if src, _ := open.doc.Find(".qr img").Attr("src"); src != "data:image/png;base64,AAAA" {
		t.Errorf("the code's source is %q", src)
	}
	if href, _ := open.doc.Find(".phone-only a").Attr("href"); href != "https://pay.example/app" {
		t.Errorf("the app's address is %q", href)
	}
	status, _ := open.doc.Find("[data-poll]").Attr("data-poll")
	if a := j.parent.see(status); !strings.Contains(a.body, `"open"`) {
		t.Errorf("the status is %s", a.body)
	}
	// Another guardian of the same child sees the registration, but neither amounts nor payments.
	second, other := j.person("marc@example.test", "Marc Petit")
	g, err := j.config.Household.SaveGuardian(context.Background(), other.ID, household.GuardianForm{
		FirstName: "Marc", LastName: "Petit", Phone: "+32475123457", Street: "Rue 1", Postcode: "7090", City: "Ici",
	})
	if err == nil {
		err = j.config.Household.Grant(context.Background(), audit.Command("test"), g.ID, j.child.ID, household.Grant{Basis: household.BasisParentalAuthority})
	}
	if err != nil {
		t.Fatal(err)
	}
	if seen := second.see(page).text("main"); strings.Contains(seen, "€") || !strings.Contains(seen, "c’est au payeur") {
		t.Errorf("the other parent sees %q", seen)
	}
	second.get(page+"/paiement").to(t, page)
	if got := second.get(status).StatusCode; got != http.StatusNotFound {
		t.Errorf("the other parent reads the payment's status: %d", got)
	}
	// Cancel, and pay with a new one.
	j.parent.send(strings.TrimSuffix(status, "/etat")+"/annuler").to(t, page+"/paiement")
	given := j.parent.see(page + "/paiement")
	if got := given.text(".notice"); strings.Count(got, "Rien n’a été débité") != 1 || !strings.Contains(got, "abandonné") {
		t.Errorf("after giving up the page says %q", got)
	}
	*j.now = testNow.Add(10 * time.Second)
	j.parent.send(page+"/paiement").to(t, page+"/paiement")
	status, _ = j.parent.see(page + "/paiement").doc.Find("[data-poll]").Attr("data-poll")
	// The bank refuses on the telephone: the page on the desk, loaded again, says so; an hour later it is no news.
	j.provider.set(pay.StatusFailed)
	*j.now = testNow.Add(time.Minute)
	j.parent.see(status)
	j.parent.see(page+"/paiement").has(t, ".notice.stop", "refusé")
	*j.now = testNow.Add(time.Hour + 2*time.Minute)
	if got := j.parent.see(page + "/paiement").text(".notice.stop"); got != "" {
		t.Errorf("an hour later the page still says %q", got)
	}
	*j.now = testNow.Add(2 * time.Minute)
	// Back from the provider before it knows: no way to pay twice.
	j.parent.send(page+"/paiement").to(t, page+"/paiement")
	status, _ = j.parent.see(page + "/paiement").doc.Find("[data-poll]").Attr("data-poll")
	checking := j.parent.see(j.parent.get(strings.TrimSuffix(status, "/etat")+"/retour").to(t, page+"/paiement?retour"))
	checking.has(t, ".notice.info", "Nous vérifions votre paiement")
	if n := checking.doc.Find(`main form, main a[href^="https:"], .qr`).Length(); n != 0 {
		t.Errorf("%d ways to pay while the payment is checked", n)
	}
	checking.has(t, `.after a[href="`+page+`/paiement"]`, "Recommencer")
	j.provider.set(pay.StatusPaid)
	*j.now = testNow.Add(3 * time.Minute)
	at := j.parent.get(strings.TrimSuffix(status, "/etat")+"/retour").to(t, page+"/paiement")
	at = j.parent.get(at).to(t, page)
	paid := j.parent.see(at)
	paid.has(t, ".notice.ok", "Merci, votre paiement est arrivé.")
	paid.has(t, "h1 .tag.ok", "confirmée")
	list = j.parent.see("/mon-espace/inscriptions")
	list.has(t, ".tag.ok", "confirmée")

	// The invoice, as a page and, once drawn, as a file.
	invoice, _ := j.parent.see("/mon-espace/factures").doc.Find("table a").First().Attr("href")
	j.parent.see(invoice).has(t, "main", "70,00 €")
	if got := j.parent.get(invoice + ".pdf").StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("an invoice that is not drawn answers %d, want 503", got)
	}
	if _, err := j.config.Ledger.KeepInvoiceFile(context.Background(), uuid.MustParse(strings.TrimPrefix(invoice, "/mon-espace/factures/")), []byte("%PDF-1.4 x")); err != nil {
		t.Fatal(err)
	}
	pdf := j.parent.see(invoice + ".pdf")
	if pdf.body != "%PDF-1.4 x" || !strings.Contains(pdf.Header.Get("Content-Disposition"), "facture-F-2027-") {
		t.Errorf("the file is %q, %v", pdf.body, pdf.Header)
	}
	if got := second.get(invoice).StatusCode; got != http.StatusNotFound {
		t.Errorf("the other parent reads the invoice: %d", got)
	}
	// Leaving is now a request.
	j.parent.see(page+"/annuler").has(t, ".notice", "Le service décide de cette annulation")
	j.parent.send(page+"/annuler", "reason", "malade").to(t, "/mon-espace/inscriptions")
	j.parent.see(page).has(t, ".notice", "Une annulation est demandée : le service décide")
}

func TestMollieSignal(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, true)
	j.parent.send(page+"/paiement").to(t, page+"/paiement")
	id := j.provider.set(pay.StatusPaid)
	for _, wrong := range []string{"", "tr_unknown1234", "../../etc/passwd", "tr_1' OR 1=1"} {
		if a := j.browser().send("/paiements/mollie/notification", "id", wrong); a.StatusCode != http.StatusOK {
			t.Errorf("a signal for %q answers %d, want 200", wrong, a.StatusCode)
		}
	}
	if n := j.count(`SELECT count(*) FROM river_job WHERE kind = 'payment_check'`); n != 0 {
		t.Errorf("%d checks for strangers' signals", n)
	}
	j.browser().send("/paiements/mollie/notification", "id", id)
	if n := j.count(`SELECT count(*) FROM river_job WHERE kind = 'payment_check'`); n != 1 {
		t.Errorf("%d checks enqueued, want 1", n)
	}
	if n := j.count(`SELECT count(*) FROM ledger_line WHERE kind = 'payment'`); n != 0 {
		t.Error("the signal itself booked money")
	}
}

func TestPayWithoutProvider(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	j.config.Enrol.Providers = nil
	page := j.register()
	j.decide(page, true)
	a := j.parent.see(page + "/paiement")
	a.has(t, "main", "Payez par virement")
	if a.doc.Find("form[action$=paiement]").Length() > 0 {
		t.Error("a payment is offered that nobody takes")
	}
}

func TestRefusalIsTold(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	page := j.register()
	j.decide(page, false)
	a := j.parent.see(page)
	a.has(t, ".line .over", "Refusée — par le service")
	a.has(t, ".line .over", "« Plus de place dans le groupe. »")
	if strings.Contains(a.text("main"), "Anne") {
		t.Error("the family reads the agent's name")
	}
}

func TestOfferedPlace(t *testing.T) {
	t.Parallel()
	one := 1
	j := newJourney(t, func(p *camp.Pulled) { p.Max = &one })
	other, otherAccount := j.person("autre@example.test", "Autre")
	first := &journey{bundle: j.bundle, family: j.bundle.family(otherAccount), parent: other, camp: j.camp, line: j.line, provider: j.provider}
	taken := first.register()
	page := j.register()
	other.send(taken+"/annuler", "reason", "").to(t, "/mon-espace/inscriptions")
	offered := j.parent.see(page)
	offered.has(t, ".notice", "Une place est libre pour vous jusqu’au")
	if got := other.send(page+"/place", "reponse", "oui").StatusCode; got != http.StatusNotFound {
		t.Errorf("another family answers the offer: %d", got)
	}
	j.parent.send(page+"/place", "reponse", "oui").to(t, page)
	j.parent.see(page).has(t, ".notice.ok", "Vous avez pris la place.")
	if got := j.parent.send(page+"/place", "reponse", "non").StatusCode; got != http.StatusGone {
		t.Errorf("an offer that is over answers %d, want 410", got)
	}
}
