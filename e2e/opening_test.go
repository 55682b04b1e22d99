package e2e

import (
	"regexp"
	"strings"
	"testing"

	"ribambelle/e2e/browser"
)

// TestBasketOnAPhone prepares a request, sends it with one tap, and reads what came of it, on a phone and on a desk.
func TestBasketOnAPhone(t *testing.T) {
	t.Parallel()
	h := shared(t)
	b := browser.Open(t)
	p := signIn(t, b, h, person(t, people, "Parent de"), browser.Phone)
	camp := p.Goto("/").Link("L'atelier du bois")
	p.Goto("/mon-espace/demandes").Says("Vous n’avez préparé aucune demande").Check()
	p.Goto(regexp.MustCompile(`/stages/[0-9a-f-]{36}`).FindString(camp) + "/demande").Says("Pour quels enfants").Check()
	if got := browser.Value[[]string](p, `Array.from(document.querySelectorAll("input[name=enfant]:checked")).map(function (i) { return i.labels[0].textContent.trim(); })`); len(got) != 1 || !strings.HasPrefix(got[0], "Léa") {
		p.Fatalf("the form proposes %q, want Léa alone, the only child whom the camp is for", got)
	}
	p.Follow("Ajouter à mes demandes").Says("Léa").Check()
	p.Resize(browser.Desktop)
	p.Goto("/mon-espace/demandes").Check()
	p.Goto("/file?vers=/mon-espace/demandes").Says("Mes demandes")

	agent := signIn(t, b, h, person(t, people, "Agent"), browser.Desktop)
	agent.Goto("/gestion/ouverture").Says("Ouverture en direct").Check()
	agent.Resize(browser.Phone)
	agent.Goto("/gestion/ouverture").Check()
}
