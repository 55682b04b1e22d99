package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
)

// brother adds a second child in P3 to the family.
func (j *journey) brother() household.Child {
	j.t.Helper()
	c, err := j.config.Household.AddChild(context.Background(), j.guardian.ID, household.ChildForm{
		Key: uuid.New(), FirstName: "Tom", LastName: "Lambert", BirthDate: civil.NewDate(2018, 5, 2), Level: "P3",
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return c
}

// asShown returns what the browser sends when a form is submitted without a change, other values in place of some.
func asShown(form *goquery.Selection, change ...string) []string {
	var pairs []string
	add := func(name, value string) {
		if name != "" && !slices.Contains(change, name) {
			pairs = append(pairs, name, value)
		}
	}
	form.Find("input, textarea, select").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		value, _ := s.Attr("value")
		switch kind, _ := s.Attr("type"); {
		case goquery.NodeName(s) == "textarea":
			add(name, s.Text())
		case goquery.NodeName(s) == "select":
			v, ok := s.Find("option[selected]").Attr("value")
			if !ok {
				v, _ = s.Find("option").Attr("value")
			}
			add(name, v)
		case kind == "radio" || kind == "checkbox":
			if _, on := s.Attr("checked"); on {
				add(name, value)
			}
		default:
			add(name, value)
		}
	})
	return append(pairs, change...)
}

// keep puts a camp in the basket for some children.
func (j *journey) keep(campID uuid.UUID, children ...uuid.UUID) {
	j.t.Helper()
	path := "/stages/" + campID.String() + "/demande"
	var change []string
	for _, c := range children {
		change = append(change, "enfant", c.String())
	}
	form := j.parent.see(path).doc.Find("main form")
	j.parent.send(path, asShown(form, change...)...).to(j.t, "/mon-espace/demandes")
}

// sendBasket taps the button and returns where it leads.
func (j *journey) sendBasket(change ...string) string {
	j.t.Helper()
	form := j.parent.see("/mon-espace/demandes").doc.Find("form[action$=envoyer]")
	if form.Length() != 1 {
		j.t.Fatal("the basket has no button to send it")
	}
	return j.parent.send("/mon-espace/demandes/envoyer", asShown(form, change...)...).to(j.t, "/mon-espace/demandes/envoyees?")
}

func (j *journey) another(name string, change ...func(*camp.Pulled)) uuid.UUID {
	return j.bundle.camp(append([]func(*camp.Pulled){func(p *camp.Pulled) {
		p.Name = name
		p.BeginsAt, p.EndsAt = civil.NewDate(2027, 7, 12).At(9*60, civil.Brussels), civil.NewDate(2027, 7, 16).At(16*60, civil.Brussels)
	}}, change...)...)
}

// TestBasketBeforeOpening is the story of 8:58 to 9:02: prepared the day before, sent with one tap.
func TestBasketBeforeOpening(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	tom, other := j.brother(), j.another("Cirque et grimages")
	opens := testNow.Add(24 * time.Hour)
	j.exec(`UPDATE camp SET opens_at = $1`, opens)

	j.parent.see(campURL(j.camp, "Les explorateurs du canal")).has(t, "a.btn.big", "Préparer une demande")
	j.keep(j.camp, j.child.ID, tom.ID)
	j.keep(other, j.child.ID)
	before := j.parent.see("/mon-espace/demandes")
	before.has(t, "main", "Les demandes s’envoient à partir du mardi 4 mai à 12 h.")
	before.has(t, "main", "C’est dans 24 h 00.")
	if n := before.doc.Find("form[action$=envoyer]").Length(); n != 0 || before.Header.Get("Refresh") != "" {
		t.Error("the day before, the basket can be sent or looks for itself already")
	}
	j.parent.send("/mon-espace/demandes/envoyer", "mode", "each").to(t, "/mon-espace/demandes/envoyees?")
	if n := j.count(`SELECT count(*) FROM registration`); n != 0 {
		t.Fatalf("%d registrations before the opening", n)
	}

	*j.now = opens.Add(-2 * time.Minute)
	near := j.parent.see("/mon-espace/demandes")
	near.has(t, "main", "C’est dans 2 minutes.")
	if near.Header.Get("Refresh") == "" {
		t.Error("two minutes before, the basket does not look for itself")
	}
	*j.now = opens.Add(time.Second)
	open := j.parent.see("/mon-espace/demandes")
	open.has(t, "form[action$=envoyer] button", "Envoyer mes 3 demandes")
	form := asShown(open.doc.Find("form[action$=envoyer]"))
	var wg sync.WaitGroup
	places := make([]string, 4)
	for i := range places { // a double click, in two tabs
		wg.Go(func() {
			a := j.parent.send("/mon-espace/demandes/envoyer", form...)
			places[i] = a.Header.Get("Location")
		})
	}
	wg.Wait()
	if n := j.count(`SELECT count(*) FROM registration`); n != 3 {
		t.Fatalf("%d registrations after a double click, want 3", n)
	}
	for _, at := range places {
		j.parent.see(at).has(t, "h1", "3 places sont réservées")
	}
	if n := j.count(`SELECT count(*) FROM basket_line`); n != 0 {
		t.Errorf("%d lines stay in the basket", n)
	}
	j.parent.see("/mon-espace/demandes").has(t, "main", "Vous n’avez préparé aucune demande")
}

// TestSecondRegistrationAsksNothingAgain counts what a family must fill in for the second camp of a child: nothing.
func TestSecondRegistrationAsksNothingAgain(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	j.register()
	other := j.another("Cirque et grimages")
	if err := j.config.Transport.ServeCamp(context.Background(), actorTest, j.line.ID, other); err != nil {
		t.Fatal(err)
	}
	path := "/stages/" + other.String() + "/demande"
	page := j.parent.see(path)
	form := page.doc.Find("main form")
	known := []string{"key", "enfant", "aller", "retour", "without_bus", "remark"}
	form.Find("input, select, textarea").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		if _, required := s.Attr("required"); required || !slices.Contains(known, name) {
			t.Errorf("the second registration asks for %q", name)
		}
	})
	page.has(t, "main", "Nous avons repris les arrêts de votre dernière demande")
	if v, _ := form.Find("[name=aller] option[selected]").Attr("value"); v != j.line.Stops[0].ID.String() {
		t.Errorf("the stop proposed is %q, want that of last time", v)
	}
	// As it stands it goes through.
	j.parent.send(path, asShown(form)...).to(t, "/mon-espace/demandes")
	j.parent.see(j.sendBasket()).has(t, "h1", "1 place est réservée")
	if n := j.count(`SELECT count(*) FROM registration WHERE camp_id = $1 AND stop_out_id IS NOT NULL AND stop_back_id IS NOT NULL`, other); n != 1 {
		t.Errorf("%d registrations with bus, want 1", n)
	}
}

func TestBasketModes(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	tom, other := j.brother(), j.another("Cirque et grimages")
	j.exec(`UPDATE pool SET max = 1 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, j.camp)
	j.keep(j.camp, j.child.ID, tom.ID)
	j.keep(other, j.child.ID)
	var modes []string
	j.parent.see("/mon-espace/demandes").doc.Find("[name=mode]").Each(func(_ int, s *goquery.Selection) {
		v, _ := s.Attr("value")
		modes = append(modes, v)
	})
	if want := []string{"each", "all", "together"}; !slices.Equal(modes, want) {
		t.Errorf("modes are %v, want %v", modes, want)
	}
	none := j.parent.see(j.sendBasket("mode", string(enrol.AllOrNone)))
	none.has(t, "h1", "Rien n’a été envoyé")
	none.has(t, ".notice", "toutes ou aucune")
	if n := j.count(`SELECT count(*) FROM registration`); n != 0 {
		t.Fatalf("all or none made %d registrations", n)
	}
	together := j.parent.see(j.sendBasket("mode", string(enrol.Together)))
	together.has(t, "h1", "1 place est réservée")
	together.has(t, "main", "liste d’attente, position 2")
	if n := j.count(`SELECT count(*) FROM registration WHERE camp_id = $1 AND state = 'waitlisted' AND together_id IS NOT NULL`, j.camp); n != 2 {
		t.Errorf("%d siblings wait together, want 2", n)
	}
}

// cardOf returns the basket's only card whose heading names the camp: other cards may name it too, as what it clashes
// with.
func cardOf(t *testing.T, basket answer, name string) *goquery.Selection {
	t.Helper()
	card := basket.doc.Find("section:has(h2:contains('" + name + "'))")
	if card.Length() != 1 {
		t.Fatalf("%d cards of %s, want 1", card.Length(), name)
	}
	return card
}

func TestBasketTellsEveryBar(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	same := j.bundle.camp(func(p *camp.Pulled) { p.Name = "Cuisine"; p.Levels = []string{"P5", "P6"} })
	j.keep(j.camp, j.child.ID)
	j.keep(same, j.child.ID)
	basket := j.parent.see("/mon-espace/demandes")
	first, last := cardOf(t, basket, "Cuisine"), cardOf(t, basket, "explorateurs")
	if got := basket.doc.Find("section:has(h2[id^=d-])"); got.Length() != 2 || !got.First().IsSelection(first) || !got.Last().IsSelection(last) {
		t.Errorf("two lines of one instant stand as %q, want them in order of the camps' names", got.Find("h2").Text())
	}
	basket.has(t, "main", "En même temps que « Cuisine »")
	basket.has(t, ".notice.stop", "P5")
	edit := j.parent.see(first.Find("a.btn.ghost").AttrOr("href", ""))
	path := edit.doc.Find("main form").AttrOr("action", "")
	j.parent.send(path, asShown(edit.doc.Find("main form"), "derogation", "Elle cuisine tous les jours")...).to(t, "/mon-espace/demandes")
	j.parent.see("/mon-espace/demandes").has(t, "main", "dérogation demandée")

	// The first line goes, so that only the exception is left.
	drop := cardOf(t, j.parent.see("/mon-espace/demandes"), "explorateurs").Find("form[action$=retirer]").AttrOr("action", "")
	j.parent.send(drop).to(t, "/mon-espace/demandes")
	j.parent.see(j.sendBasket()).has(t, "h1", "1 place est réservée")
	if n := j.count(`SELECT count(*) FROM registration WHERE state = 'to_validate' AND derogation = 'Elle cuisine tous les jours'`); n != 1 {
		t.Errorf("%d requests for an exception, want 1", n)
	}
}

// TestBasketOfTwoGuardians sends the same child twice: one registration, and the other guardian is told.
func TestBasketOfTwoGuardians(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	second, account := j.person("marc@example.test", "Marc")

	g, err := j.config.Household.SaveGuardian(context.Background(), account.ID, household.GuardianForm{
		FirstName: "Marc", LastName: "Durand", Phone: "+32475123457", Street: "Rue Haute 1", Postcode: "7090", City: "Braine-le-Comte",
	})
	if err != nil {
		t.Fatal(err)
	}
	j.exec(`
		INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		SELECT $1, child_id, basis, rights, valid_from
		FROM guardianship
		WHERE guardian_id = $2`, g.ID, j.guardian.ID)
	other := &journey{bundle: j.bundle, family: family{guardian: g, child: j.child}, parent: second, account: account}
	j.keep(j.camp, j.child.ID)
	other.keep(j.camp, j.child.ID)
	var wg sync.WaitGroup
	for _, one := range []*journey{j, other} {
		form := asShown(one.parent.see("/mon-espace/demandes").doc.Find("form[action$=envoyer]"))
		wg.Go(func() { one.parent.send("/mon-espace/demandes/envoyer", form...) })
	}
	wg.Wait()
	if n := j.count(`SELECT count(*) FROM registration`); n != 1 {
		t.Fatalf("%d registrations, want 1", n)
	}
	late := j
	if j.count(`SELECT count(*) FROM basket_line WHERE guardian_id = $1`, j.guardian.ID) == 0 {
		late = other
	}
	late.parent.see("/mon-espace/demandes").has(t, "main", "déjà demandé")

	// Whoever loses every right sees no trace of the child.
	j.exec(`DELETE FROM guardianship WHERE guardian_id = $1`, late.guardian.ID)
	blind := late.parent.see("/mon-espace/demandes")
	if strings.Contains(blind.body, "Léa") || strings.Contains(blind.body, "explorateurs") {
		t.Error("a guardian without rights still reads about the child in the basket")
	}
}

func TestAddToBasketBesideSending(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	check := j.parent.see("/stages/" + j.camp.String() + "/inscription?enfant=" + j.child.ID.String() + "&aller=non&retour=non")
	button := check.doc.Find("button[formaction]")
	form := asShown(check.doc.Find("form[method=post][action$=inscription]"), "remark", "à deux")
	j.parent.send(button.AttrOr("formaction", ""), form...).to(t, "/mon-espace/demandes")
	key := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		key.Add(form[i], form[i+1])
	}
	if n := j.count(`SELECT count(*) FROM basket_line WHERE id = $1 AND remark = 'à deux'`, key.Get("key")); n != 1 {
		t.Errorf("%d lines with the form's own key, want 1", n)
	}
	// Should the form go through as well, it is the same registration.
	j.parent.send("/stages/"+j.camp.String()+"/inscription", form...).to(t, "/mon-espace/inscriptions/")
	a := j.parent.send("/mon-espace/demandes/envoyer", "mode", "each")
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("sending answers %d", a.StatusCode)
	}
	if n := j.count(`SELECT count(*) FROM registration`); n != 1 {
		t.Errorf("%d registrations, want 1", n)
	}
}

// actorTest is who sets a test up.
var actorTest = audit.Command("test")
