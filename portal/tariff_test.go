package portal

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/tariff"
)

// bon issues a voucher of 15,00 € for one use.
func (b *bundle) bon() tariff.Voucher {
	b.t.Helper()
	one, off := 1, civil.Cents(1500)
	made, err := tariff.New(b.db, b.config.Camp.Now).Issue(b.t.Context(), audit.Command("test"), uuid.New(), tariff.Voucher{
		Name: "Rentrée", Cents: &off, MaxUses: &one, ValidFrom: civil.NewDate(2020, 1, 1), ValidUntil: civil.NewDate(2030, 1, 1),
	}, 1)
	if err != nil {
		b.t.Fatal(err)
	}
	return made[0]
}

// TestVoucherOnForm: a code that was not priced yet prices the form first; what is then shown is what is frozen.
func TestVoucherOnForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parent, a := b.person("sophie@example.test", "Sophie Lambert")
	f, camp, v := b.family(a), b.camp(), b.bon()
	url := "/stages/" + camp.String() + "/inscription"
	parent.see(url+"?enfant="+f.child.ID.String()).has(t, ".money tfoot td", "60,00")
	key := uuid.NewString()
	send := func(pairs ...string) answer {
		return parent.send(url, append([]string{"enfant", f.child.ID.String(), "key", key}, pairs...)...)
	}
	if got := send("voucher", "FAUX-2027"); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.text(".error"), "ne connaissons pas ce code") {
		t.Errorf("a wrong code: %d %q", got.StatusCode, got.text(".error"))
	}
	shown := send("voucher", strings.ToLower(v.Code))
	if shown.StatusCode != http.StatusOK || b.count(`SELECT count(*) FROM registration`) != 0 {
		t.Fatalf("a code that was not priced yet: %d, %d registrations", shown.StatusCode, b.count(`SELECT count(*) FROM registration`))
	}
	shown.has(t, ".money", "Bon « Rentrée »")
	shown.has(t, ".money tfoot td", "45,00")
	seen, _ := shown.doc.Find("input[name=voucher_seen]").Attr("value")
	if got := send("voucher", v.Code, "voucher_seen", seen); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("sent at the price that was shown: %d %s", got.StatusCode, got.text(".error"))
	}
	if got := b.count(`SELECT price_cents FROM registration`); got != 4500 {
		t.Errorf("frozen at %d cents, shown at 4500", got)
	}
	if got := parent.see(url + "?voucher=" + v.Code + "&enfant=" + f.child.ID.String()).text(".money"); strings.Contains(got, "Bon") {
		t.Error("a code in an address is tried")
	}
}

// TestVoucherOnBasketLine keeps a code with a line, shows its price and freezes the same.
func TestVoucherOnBasketLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parent, a := b.person("sophie@example.test", "Sophie Lambert")
	f, camp, v := b.family(a), b.camp(), b.bon()
	url := "/stages/" + camp.String() + "/demande"
	if got := parent.send(url, "enfant", f.child.ID.String(), "key", uuid.NewString(), "voucher", "FAUX-2027"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: %d", got.StatusCode)
	}
	parent.send(url, "enfant", f.child.ID.String(), "key", uuid.NewString(), "voucher", v.Code).to(t, "/mon-espace/demandes")
	basket := parent.see("/mon-espace/demandes")
	basket.has(t, ".amount", "45,00")
	basket.has(t, ".money", "Bon « Rentrée »")
	parent.send("/mon-espace/demandes/envoyer")
	if got := b.count(`SELECT price_cents FROM registration`); got != 4500 {
		t.Errorf("frozen at %d cents, shown at 4500", got)
	}
}

// TestTariffPages: finance sets the general rules, a camp its own, tries a price and issues vouchers.
func TestTariffPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	finance, _ := b.person("finance@example.test", "Finance", "finance")
	camp := b.camp()
	if got := finance.send("/gestion/tarifs/fratrie", "who", "payer", "mode", "rank", "scope", "season"); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.text("#f-steps .error"), "au moins un palier") {
		t.Errorf("a rule without steps: %d %q", got.StatusCode, got.text("#f-steps .error"))
	}
	finance.send("/gestion/tarifs/fratrie", "who", "payer", "mode", "rank", "scope", "season", "percent_2", "10", "amount_3", "15,50", "cumulate", "oui",
		"regulation", "Conseil du 3 mai").to(t, "/gestion/tarifs#fratrie")
	general := finance.see("/gestion/tarifs")
	if v, _ := general.doc.Find("input[name=amount_3]").Attr("value"); v != "15,50" {
		t.Errorf("the step reads %q, want 15,50", v)
	}
	finance.send("/gestion/tarifs/publics", "name_resident", "Habitants", "percent_resident", "100", "name_staff", "Personnel", "percent_staff", "80",
		"name_other", "Autres", "percent_other", "150").to(t, "/gestion/tarifs")
	url := "/gestion/stages/" + camp.String() + "/tarifs"
	finance.send(url, "unit", "day", "price_staff", "5").to(t, url)
	page := finance.see(url)
	for _, want := range []string{"300,00", "25,00", "450,00"} { // 60,00 € a day now
		page.has(t, "#lus ~ .money", want)
	}
	try := finance.see("/gestion/tarifs/essai?stage=" + camp.String() + "&habitant=oui&enfants=2")
	try.has(t, ".money tbody", "Stage « Les explorateurs du canal », tarif « Habitants » × 5")
	try.has(t, ".money tbody", "enfant n° 2")
	try.has(t, ".money tfoot td", "270,00")
	try.has(t, "ul.soft", "Conseil du 3 mai")
	finance.send(url+"/fratrie", "inst", "stage", "who", "none", "mode", "rank", "scope", "camp").to(t, url+"#fratrie")
	finance.see("/gestion/tarifs/essai?stage="+camp.String()+"&habitant=oui&enfants=2").has(t, ".money tfoot td", "300,00")
	finance.send(url+"/fratrie", "inst", "commune").to(t, url+"#fratrie")

	key := uuid.NewString()
	for range 2 { // a double click
		finance.send("/gestion/tarifs/bons", "key", key, "name", "Rentrée", "amount", "15", "count", "3", "uses", "1",
			"from_day", "1", "from_month", "1", "from_year", "2026", "until_day", "31", "until_month", "12", "until_year", "2027").to(t, "/gestion/tarifs/bons")
	}
	list := finance.see("/gestion/tarifs/bons")
	if got := list.doc.Find("table.rows tbody tr").Length(); got != 3 {
		t.Errorf("%d vouchers, want 3", got)
	}
	action, _ := list.doc.Find("table.rows form").First().Attr("action")
	finance.send(action).to(t, "/gestion/tarifs/bons")
	finance.see("/gestion/tarifs/bons").has(t, "table.rows", "terminé")
	if got := finance.send("/gestion/tarifs/bons", "key", uuid.NewString(), "name", "", "count", "0"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an empty form: %d", got.StatusCode)
	}
}

// TestAccordedIsPrivate: who has the role sees and grants it, the payer reads a neutral line, an ordinary agent and the
// other parent cannot tell it from any other reduction.
func TestAccordedIsPrivate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	agent, _ := b.person("agent@example.test", "Agent", "agent")
	social, _ := b.person("social@example.test", "Social", "agent", "social")
	parent, a := b.person("sophie@example.test", "Sophie Lambert")
	other, _, otherGuardian := b.other("marc@example.test", "Marc", "Petit", "+32475999999")
	f, camp := b.family(a), b.camp()
	b.exec(`INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		VALUES ($1, $2, 'parental_authority', '{see,register,pay}', '2020-01-01')`, otherGuardian.ID, f.child.ID)
	url := "/gestion/familles/" + f.guardian.HouseholdID.String() + "/tarifs"
	form := []string{
		"key", uuid.NewString(), "percent", "50", "reference", "CPAS 12", "accord_from_day", "1", "accord_from_month", "1", "accord_from_year", "2020",
		"accord_until_day", "31", "accord_until_month", "12", "accord_until_year", "2030",
	}
	if got := agent.send(url+"/accorder", form...).StatusCode; got != http.StatusForbidden {
		t.Errorf("an ordinary agent grants it: %d", got)
	}
	social.send(url+"/accorder", form...).to(t, url+"#accorde")
	social.see(url).has(t, "#accorde ~ ul", "CPAS 12")
	if got := agent.see(url).text("body"); strings.Contains(got, "accordé") || strings.Contains(got, "CPAS") {
		t.Error("an ordinary agent reads what was accorded")
	}
	reg := b.ask(f, camp, nil, nil)
	desk := "/gestion/inscriptions/" + reg.ID.String()
	social.see(desk).has(t, ".money", "Tarif accordé")
	plain := agent.see(desk)
	plain.has(t, ".money", "Réductions")
	if strings.Contains(plain.text("body"), "ccordé") {
		t.Error("an ordinary agent's page of the registration tells of it")
	}
	parent.see("/mon-espace/inscriptions/"+reg.ID.String()).has(t, ".money", "Tarif accordé")
	if got := other.see("/mon-espace/inscriptions/" + reg.ID.String()).text("body"); strings.Contains(got, "ccordé") || strings.Contains(got, "30,00") {
		t.Error("the other parent reads the tariff")
	}
	if got := other.see("/stages/" + b.camp().String() + "/inscription?enfant=" + f.child.ID.String()).text(".money tfoot td"); !strings.Contains(got, "60,00") {
		t.Errorf("the other parent is quoted %q, want the full price", got)
	}
	counter := agent.see(counterPath + f.guardian.ID.String() + "/stages/" + b.camp().String() + "?enfant=" + f.child.ID.String())
	if got := counter.text("body"); strings.Contains(got, "ccordé") {
		t.Error("the counter tells of it")
	}
	tarif, _ := social.see(url).doc.Find("#accorde ~ ul input[name=tarif]").Attr("value")
	social.send(url+"/accorder/fin", "tarif", tarif).to(t, url+"#accorde")
	social.see(url).has(t, "#accorde ~ ul", "pas en cours")
}

// TestStaffStatus: an agent admits an adult on proof; the price follows, and ends with it.
func TestStaffStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	agent, _ := b.person("agent@example.test", "Agent", "agent")
	_, a := b.person("sophie@example.test", "Sophie Lambert")
	f := b.family(a)
	b.exec(`UPDATE audience SET percent = 50 WHERE code = 'staff'`)
	url := "/gestion/familles/" + f.guardian.HouseholdID.String() + "/tarifs"
	if got := agent.send(url+"/statut", "guardian", f.guardian.ID.String(), "audience", "staff"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a proof: %d", got.StatusCode)
	}
	agent.send(url+"/statut", "guardian", f.guardian.ID.String(), "audience", "staff", "proof", "contrat vu").to(t, url)
	page := agent.see(url)
	page.has(t, "#statuts ~ ul", "Sophie Lambert")
	first := b.ask(f, b.camp(), nil, nil)
	statut, _ := page.doc.Find("input[name=statut]").Attr("value")
	agent.send(url+"/statut/fin", "statut", statut).to(t, url)
	later := b.camp()
	b.exec(`UPDATE camp_session SET day = day + 7 WHERE camp_id = $1`, later)
	second := b.ask(f, later, nil, nil)
	if diff := cmp.Diff([]civil.Cents{3000, 6000}, []civil.Cents{first.PriceCents, second.PriceCents}); diff != "" {
		t.Errorf("as staff, and after (-want +got):\n%s", diff)
	}
}

// TestPublicPrices: the catalogue and the camp's page say what a camp costs, all its days together, and to whom.
func TestPublicPrices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	camp := b.camp()
	visitor := b.browser()
	visitor.see("/").has(t, "main", "60,00")
	if got := visitor.get("/stages/" + camp.String()); got.StatusCode != http.StatusMovedPermanently {
		t.Fatal(got.StatusCode)
	}
	page := func() answer {
		return visitor.see(campURL(camp, "Les explorateurs du canal"))
	}
	if got := page().text(".money"); got != "" {
		t.Errorf("one price for everybody shows %q", got)
	}
	b.exec(`UPDATE camp SET price_unit = 'day', price_cents = 1200 WHERE id = $1`, camp)
	b.exec(`UPDATE audience SET percent = CASE code WHEN 'other' THEN 150 WHEN 'staff' THEN 50 ELSE 100 END`)
	visitor.see("/").has(t, "main", "dès 60,00")
	for _, want := range []string{"Habitants de la commune60,00", "Personnel de la commune30,00", "Autres familles90,00"} {
		page().has(t, ".money", want)
	}
	pool := b.text(`INSERT INTO pool (kind) VALUES ('ticket') RETURNING id::text`)
	b.exec(`INSERT INTO ticket (camp_id, name, set_cents, pool_id) VALUES ($1, 'Matin', 700, $2)`, camp, pool)
	pool = b.text(`INSERT INTO pool (kind) VALUES ('ticket') RETURNING id::text`)
	b.exec(`INSERT INTO ticket (camp_id, name, pool_id) VALUES ($1, 'Journée', $2)`, camp, pool)
	visitor.see("/").has(t, "main", "dès 35,00")
	page().has(t, ".money", "Journée")
	page().has(t, ".money", "52,50") // the morning to other families: 7,00 € × 150 % × 5
}
