package mail_test

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/mail"
)

func layout() mail.Layout {
	return mail.Layout{
		Language: "fr", Brand: "Commune de Testville", Title: "Confirmez la fiche médicale",
		Paragraphs: []string{"Bonjour,", "Le stage <Cirque> & Cie commence bientôt."},
		Facts:      []mail.Fact{{"Lieu", "école du Centre"}, {"Dates", "du lundi 6 au vendredi 10 juillet 2026"}},
		Button:     &mail.Button{Label: "Ouvrir la fiche", URL: "https://camps.test/fiche?a=1&b=2"},
		After:      []string{"À bientôt."},
		Footer:     []string{"Rue Haute 1, 5000 Testville", "Message automatique"},
	}
}

func TestRenderText(t *testing.T) {
	t.Parallel()
	text, _, err := layout().Render()
	if err != nil {
		t.Fatal(err)
	}
	want := `Confirmez la fiche médicale

Bonjour,

Le stage <Cirque> & Cie commence bientôt.

Lieu_: école du Centre
Dates_: du lundi 6 au vendredi 10 juillet 2026

Ouvrir la fiche_:
https://camps.test/fiche?a=1&b=2

À bientôt.

--` + " " + `
Commune de Testville
Rue Haute 1, 5000 Testville
Message automatique
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "_", "\u00a0"), text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRenderHTML(t *testing.T) {
	t.Parallel()
	l := layout()
	l.Color = "#123abc"
	text, html, err := l.Render()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(html))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Find("html[lang=fr]").Length() != 1 || doc.Find("h1").Text() != l.Title || doc.Find("title").Text() != l.Title {
		t.Error("the mail lacks its language or title")
	}
	button := doc.Find("a")
	if href, _ := button.Attr("href"); button.Length() != 1 || href != l.Button.URL || button.Text() != l.Button.Label {
		t.Errorf("the button leads to %q", href)
	}
	if style, _ := button.Attr("style"); !strings.Contains(style, "background-color:#123abc") {
		t.Errorf("the button's style is %q", style)
	}
	if got := doc.Find("style, link, script, img").Length(); got != 0 {
		t.Errorf("%d elements that mail readers drop or load from outside", got)
	}
	// Both say the same words.
	words := strings.Join(strings.Fields(doc.Find("body").Text()), " ")
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(strings.TrimSpace(line), "\u00a0:")
		if line == "--" || strings.HasPrefix(line, "https:") {
			continue
		}
		if !strings.Contains(words, strings.Join(strings.Fields(line), " ")) {
			t.Errorf("the HTML lacks %q", line)
		}
	}
}

func TestRenderSmall(t *testing.T) {
	t.Parallel()
	text, html, err := mail.Layout{Language: "nl", Title: "Dag", Facts: []mail.Fact{{"Plaats", "school"}}}.Render()
	if err != nil || text != "Dag\n\nPlaats: school\n" || strings.Contains(html, "<a ") || !strings.Contains(html, `lang="nl"`) {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"javascript:alert(1)", "/mon-espace", "", "https://"} {
		l := layout()
		l.Button.URL = address
		if _, _, err := l.Render(); err == nil {
			t.Errorf("a button to %q is drawn", address)
		}
	}
	l := layout()
	l.Color = "red;background:url(x)"
	if _, _, err := l.Render(); err == nil {
		t.Error("a colour with more than a colour is drawn")
	}
}
