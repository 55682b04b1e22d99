package e2e

import (
	"testing"

	"ribambelle/e2e/browser"
)

// TestPublicPages looks at what everybody may see, on a desktop, on a phone, and as narrow as 200 % zoom on a small
// screen makes it (320 pixels).
func TestPublicPages(t *testing.T) {
	t.Parallel()
	h := shared(t)
	b := browser.Open(t)
	p := b.Person(t, h.Portal, browser.Desktop)
	camp := p.Goto("/").Link("L'atelier du bois")
	for _, s := range []browser.Screen{browser.Desktop, browser.Phone, {Width: 320, Height: 640, Touch: true}} {
		p.Resize(s)
		for _, address := range []string{
			"/", "/?niveau=P3&libre=oui", camp, "/connexion", "/inscription-compte", "/mot-de-passe", "/accessibilite", "/vie-privee",
		} {
			p.Goto(address).Check()
		}
	}
}

// TestKeyboard reaches the main act of two pages with the keyboard alone, and sees where the focus is all the way.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	h := shared(t)
	if err := open(); err != nil {
		t.Fatal(err)
	}
	p := browser.Open(t).Person(t, h.Portal, browser.Desktop)
	p.Goto("/")
	if n := p.TabTo("Aller au contenu", 1); n != 1 {
		t.Errorf("the way past the menu is key %d, want the first", n)
	}
	p.TabTo("L'atelier du bois", 60)
	p.Enter().Says("L'atelier du bois")
	p.TabTo("Inscrire", 60)
	p.Enter().Says("Se connecter")

	who := person(t, people, "Parent de")
	p.TabTo("Adresse e-mail ou numéro de GSM", 30)
	p.Type(who.Email)
	p.TabTo("Mot de passe", 2)
	p.Type(who.Password)
	p.TabTo("Se connecter", 2)
	p.Enter().Says("Léa")
}
