package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"ribambelle/e2e/browser"
)

// TestOfficePages looks at the office's pages of rules, seasons, bus, accounts and the counter, on a desktop and on a
// phone. With -pictures DIR their pictures stay there.
func TestOfficePages(t *testing.T) {
	t.Parallel()
	h := shared(t)
	b := browser.Open(t)
	look := func(p *browser.Page, name, address string) {
		t.Helper()
		for screen, s := range map[string]browser.Screen{"desktop": browser.Desktop, "phone": browser.Phone} {
			p.Resize(s)
			p.Goto(address).Check()
			if *pictures == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(*pictures, "office-"+name+"-"+screen+".png"), p.Picture(2400), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p.Resize(browser.Desktop)
	}
	chief := signIn(t, b, h, person(t, people, "Administrat"), browser.Desktop)
	look(chief, "seasons", "/gestion/reglages/periodes")
	look(chief, "accounts", "/gestion/comptes")
	look(chief, "settings", "/gestion/reglages")

	agent := signIn(t, b, h, person(t, people, "Agent"), browser.Desktop)
	camp := agent.Goto("/gestion/stages").Link("Cirque")
	look(agent, "camp", camp)
	look(agent, "rules", camp+"/regles")
	look(agent, "bus", "/gestion/bus")
	look(agent, "counter", "/gestion/guichet?q=lambert")
	look(agent, "counter-new", "/gestion/guichet/nouvelle-famille")
	agent.Goto("/gestion/guichet?q=lambert").Follow("Sophie Lambert")
	family := agent.Path()
	look(agent, "counter-family", family)
	look(agent, "counter-child", family+"/enfants")
}
