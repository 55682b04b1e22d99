package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"ribambelle/e2e/browser"
)

// maxPicture keeps the repository small.
const maxPicture = 300 << 10

// TestScreenshots makes the pictures of docs/screenshots on a fresh demo, with -pictures DIR; else they are thrown away,
// and what they show is still held.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := *pictures
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := own(t, nil)
	all, err := h.People()
	if err != nil {
		t.Fatal(err)
	}
	keep := func(p *browser.Page, name string) {
		t.Helper()
		p.Check()
		png := p.Picture(1500)
		if len(png) > maxPicture {
			t.Errorf("%s has %d bytes, more than %d", name, len(png), maxPicture)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := browser.Open(t)

	visitor := b.Person(t, h.Portal, browser.Desktop)
	keep(visitor.Goto("/"), "catalogue")
	wood := visitor.Link("L'atelier du bois")
	keep(visitor.Goto(wood), "camp")
	keep(b.Person(t, h.Portal, browser.Phone).Goto("/"), "catalogue-phone")

	parent := signIn(t, b, h, person(t, all, "Parent de Léa"), browser.Desktop)
	ask := func(camp, child string, picture bool) string {
		t.Helper()
		parent.Goto(camp).Follow("Inscrire un enfant").Choose("Quel enfant", child).Press("Continuer")
		for range 3 { // the formula and the bus are asked where there is a choice
			for group, choice := range map[string]string{"Quelle formule": "€", "Aller": "8 h", "Retour": "16 h"} {
				if parent.HasGroup(group) {
					parent.Choose(group, choice)
				}
			}
			if parent.Has("Continuer") {
				parent.Press("Continuer")
			}
		}
		if picture {
			keep(parent, "registration")
		}
		parent.Press("Envoyer ma demande").Says("Votre demande est reçue")
		return parent.Path()
	}
	ask(wood, "Léa", true)
	for _, child := range []string{"Léa", "Hugo"} {
		parent.Goto("/").Follow("Pour " + child)
		ask(parent.FirstCard("L'atelier du bois"), child, false)
	}

	agent := signIn(t, b, h, person(t, all, "Agent"), browser.Desktop)
	keep(agent.Goto("/gestion/inscriptions"), "office-queue")
	validateOne := func(text string) {
		t.Helper()
		agent.Goto("/gestion/inscriptions").FollowIn(text, "Valider").Says("La demande est validée")
	}
	validateOne("L'atelier du bois")
	parent.Goto("/mon-espace/inscriptions").FollowIn("L'atelier du bois", "Payer").Press("Payer avec Bancontact")
	keep(parent, "payment")
	parent.Follow("Ouvrir la page de paiement").Press("Payer").Until("confirmée")
	validateOne("Hugo")
	keep(parent.Goto("/mon-espace/inscriptions"), "my-registrations")

	leader := signIn(t, b, h, person(t, all, "Animatrice"), browser.Phone)
	leader.Goto("/animateur/").Follow("L'atelier du bois").Says("Léa", "Arachides")
	keep(leader, "leader-phone")
	keep(agent.Goto("/gestion/"), "office-today")
}
