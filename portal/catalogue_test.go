package portal

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
)

// names lists the camps of a catalogue page in order.
func (a answer) names() []string {
	return a.doc.Find(".card h2").Map(func(_ int, s *goquery.Selection) string { return s.Text() })
}

func TestCatalogueCard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.camp(func(p *camp.Pulled) { three := 3; p.Max = &three })
	b.bus(id)
	a := b.browser().see("/")
	for selector, want := range map[string]string{
		".facts":    "du lundi 5 au vendredi 9 juillet 2027, 5 jours",
		".price":    "60,00 €",
		".tag.wait": "Plus que 3 places",
	} {
		a.has(t, ".card "+selector, want)
	}
	a.has(t, ".card", "de P1 à P4")
	a.has(t, ".card", "Plan incliné de Ronquières")
	a.has(t, ".card", "Bus possible")
	if len(a.body) > 100<<10 {
		t.Errorf("the page has %d bytes, more than 100 KB", len(a.body))
	}
	b.exec(`UPDATE pool SET max = 0 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, id)
	b.browser().see("/").has(t, ".card .tag.stop", "Complet — liste d’attente")
}

func TestCatalogueFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	minimum, maximum := 12, 15
	zero := 0
	b.camp()
	b.camp(func(p *camp.Pulled) {
		p.Name, p.Levels, p.Themes = "Kayak", nil, []string{"Eau"}
		p.AgeMin, p.AgeMax = &minimum, &maximum
		p.BeginsAt, p.EndsAt = civil.NewDate(2027, 7, 12).At(9*60, civil.Brussels), civil.NewDate(2027, 7, 16).At(16*60, civil.Brussels)
	})
	b.camp(func(p *camp.Pulled) {
		p.Name, p.Levels, p.Max = "Petits chimistes", []string{"M2", "M3"}, &zero
		p.Themes = []string{"Sciences"}
	})
	hidden := b.camp(func(p *camp.Pulled) { p.Name = "Pas encore publié" })
	b.exec(`UPDATE camp SET published = false WHERE id = $1`, hidden)
	b.camp(func(p *camp.Pulled) { p.Name, p.Cancelled = "Annulé", true })
	b.camp(func(p *camp.Pulled) {
		p.Name = "Passé"
		p.BeginsAt, p.EndsAt = civil.NewDate(2027, 4, 26).At(9*60, civil.Brussels), civil.NewDate(2027, 4, 30).At(16*60, civil.Brussels)
	})
	const canal, kayak, chimistes = "Les explorateurs du canal", "Kayak", "Petits chimistes"
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{canal, chimistes, kayak}},
		{"niveau=P3", []string{canal}},
		{"niveau=S1", []string{kayak}},
		{"niveau=M2", []string{chimistes}},
		{"niveau=tout", []string{canal, chimistes, kayak}},
		{"age=13", []string{kayak}},
		{"age=8", []string{canal}},
		{"age=5", []string{canal, chimistes}},
		{"theme=Eau", []string{kayak}},
		{"semaine=2027-07-14", []string{kayak}},
		{"libre=oui", []string{canal, kayak}},
		{"libre=oui&niveau=P2", []string{canal}},
		{"enfant=0f8fad5b-d9cb-469f-a165-70867728950e", []string{canal, chimistes, kayak}},
		{"page=2", []string{}},
		{"theme=" + url.QueryEscape("' OR 1=1"), []string{}},
	} {
		if diff := cmp.Diff(c.want, b.browser().see("/?"+c.query).names()); diff != "" {
			t.Errorf("?%s (-want +got):\n%s", c.query, diff)
		}
	}
}

func TestCatalogueForAChild(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sports := b.camp(func(p *camp.Pulled) { p.Name, p.Themes = "Aaa multisports", []string{"Sport"} })
	b.camp()
	b.camp(func(p *camp.Pulled) { p.Name, p.Levels = "Trop grand", []string{"P5", "P6"} })
	b.camp(func(p *camp.Pulled) { // in the next school year Léa is in P4
		p.Name, p.Levels, p.Themes = "Automne", []string{"P4"}, nil
		p.BeginsAt, p.EndsAt = civil.NewDate(2027, 10, 18).At(9*60, civil.Brussels), civil.NewDate(2027, 10, 22).At(16*60, civil.Brussels)
	})
	w, a := b.person("sophie@example.test", "Sophie Lambert")
	f := b.family(a)
	page := w.see("/")
	page.has(t, ".chips", "Pour Léa")
	href, _ := page.doc.Find(".chips a").Attr("href")
	if diff := cmp.Diff([]string{"Les explorateurs du canal", "Aaa multisports", "Automne"}, w.see(href).names()); diff != "" {
		t.Errorf("for Léa, who likes nature (-want +got):\n%s", diff)
	}
	// What overlaps with a place she has no longer fits.
	b.exec(`INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, price_cents, price_detail, created_at, updated_at)
		VALUES (gen_random_uuid(), $1, $2, $3, $3, $3, 'confirmed', now(), 0, '[]', now(), now())`, f.child.ID, sports, f.guardian.ID)
	got := w.see(href)
	if diff := cmp.Diff([]string{"Aaa multisports", "Automne"}, got.names()); diff != "" {
		t.Errorf("with a place in the same week (-want +got):\n%s", diff)
	}
	got.has(t, ".card .tag.info", "Léa est déjà sur la liste")
	// Another family's link shows nothing about her.
	other, _ := b.person("autre@example.test", "Autre")
	if names := other.see(href).names(); len(names) != 4 {
		t.Errorf("another family's page is filtered for Léa: %v", names)
	}
}

func TestCampShow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.camp(func(p *camp.Pulled) {
		p.Description = `<p onclick="x()">Cinq jours <b>dehors</b><script>alert(1)</script><img src="http://x/y.png"></p>`
	})
	b.bus(id)
	path := "/stages/" + id.String() + "-les-explorateurs-du-canal"
	for _, other := range []string{"/stages/" + id.String(), "/stages/" + id.String() + "-ancien-nom"} {
		if a := b.browser().get(other); a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != path {
			t.Errorf("GET %s = %d to %q, want 301 to %s", other, a.StatusCode, a.Header.Get("Location"), path)
		}
	}
	a := b.browser().see(path)
	a.has(t, "main", "de 9 h à 16 h chaque jour")
	a.has(t, "main table tbody tr:first-child th", "Place de la Station")
	a.has(t, "main table tbody tr:first-child td:last-child", "16 h 40")
	a.has(t, ".prose", "Cinq jours dehors")
	if a.doc.Find(".prose script, .prose img, .prose [onclick]").Length() > 0 {
		t.Error("the description is not sanitised")
	}
	if href, _ := a.doc.Find("a.btn.big").Attr("href"); href != "/stages/"+id.String()+"/inscription" {
		t.Errorf("the button leads to %q", href)
	}
	b.exec(`UPDATE camp SET opens_at = $2 WHERE id = $1`, id, testNow.AddDate(0, 0, 1))
	a = b.browser().see(path)
	a.has(t, "main", "Inscriptions à partir du mardi 4 mai à 12 h.")
	if href, _ := a.doc.Find("a.btn.big").Attr("href"); href != "/stages/"+id.String()+"/demande" {
		t.Errorf("before the opening the button leads to %q", href)
	}
	b.exec(`UPDATE camp SET published = false WHERE id = $1`, id)
	if got := b.browser().get(path).StatusCode; got != http.StatusNotFound {
		t.Errorf("an unpublished camp answers %d, want 404", got)
	}
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.camp()
	a := b.browser().see("/stages.ics")
	if n := strings.Count(a.body, "BEGIN:VEVENT"); n != 5 {
		t.Errorf("the feed has %d entries, want one a day: 5", n)
	}
	for _, want := range []string{"DTSTART:20270705T070000Z", "SUMMARY:Les explorateurs du canal", "http://portal.test/stages/"} {
		if !strings.Contains(strings.ReplaceAll(a.body, "\r\n ", ""), want) {
			t.Errorf("the feed lacks %q", want)
		}
	}
}

// TestAPIMatchesItsDescription compares the names in an answer with those that openapi.json promises.
func TestAPIMatchesItsDescription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.camp()
	a := b.browser().see("/api/v1/camps")
	var got struct {
		Camps []map[string]any `json:"camps"`
		Total int              `json:"total"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Total != 1 || len(got.Camps) != 1 || got.Camps[0]["id"] != id.String() {
		t.Fatalf("the answer is %s", a.body)
	}
	if got.Camps[0]["first_day"] != "2027-07-05" || got.Camps[0]["places_left"] != 10.0 || got.Camps[0]["price_from_cents"] != 6000.0 {
		t.Errorf("the camp is %v", got.Camps[0])
	}
	var described struct {
		Components struct {
			Schemas map[string]struct {
				Required   []string       `json:"required"`
				Properties map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(b.browser().see("/api/openapi.json").body), &described); err != nil {
		t.Fatal(err)
	}
	schema := described.Components.Schemas["Camp"]
	var names, promised []string
	for k := range got.Camps[0] {
		names = append(names, k)
	}
	for k := range schema.Properties {
		promised = append(promised, k)
	}
	slices.Sort(names)
	slices.Sort(promised)
	slices.Sort(schema.Required)
	if diff := cmp.Diff(promised, names); diff != "" {
		t.Errorf("described and answered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(schema.Required, names); diff != "" {
		t.Errorf("required and answered (-want +got):\n%s", diff)
	}
}
