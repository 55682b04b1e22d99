package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
)

var (
	onOdoo   = flag.Bool("odoo", false, "run the chain on the Odoo of ODOO_URL, ODOO_DB, ODOO_USER and ODOO_PASSWORD")
	pictures = flag.String("pictures", "", "directory for the screenshots; by default they are taken and thrown away")
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if demo != nil {
		if err := demo.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			code = 1
		}
	}
	house.Clear()
	fmt.Println("e2e:", browser.Report())
	os.Exit(code)
}

var (
	demo   *house.House
	people []house.Person
	open   = sync.OnceValue(func() (err error) {
		if demo, err = house.New(nil); err != nil {
			return err
		}
		if err = demo.Start(context.Background()); err != nil {
			return err
		}
		people, err = demo.People()
		return err
	})
)

// shared returns the demo that the journeys share; each works with people and camps of its own.
func shared(t *testing.T) *house.House {
	t.Helper()
	if err := open(); err != nil {
		t.Fatal(err)
	}
	return demo
}

// person finds a demo account by the beginning of its role.
func person(t *testing.T, all []house.Person, role string) house.Person {
	t.Helper()
	for _, p := range all {
		if strings.HasPrefix(p.Role, role) {
			return p
		}
	}
	t.Fatalf("no demo account %q among %v", role, all)
	return house.Person{}
}

// own starts a demo for one journey alone, on the given Odoo or, with nil, on the event module: for what changes the
// people that the others share.
func own(t *testing.T, odoo *house.Odoo) *house.House {
	t.Helper()
	h, err := house.New(odoo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Remove(); err != nil {
			t.Error(err)
		}
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// signIn opens a window and signs in by hand, as people do.
func signIn(t *testing.T, b *browser.Browser, h *house.House, who house.Person, s browser.Screen) *browser.Page {
	t.Helper()
	p := b.Person(t, h.Portal, s)
	p.Goto("/connexion").Fill("Adresse e-mail ou numéro de GSM", who.Email).Fill("Mot de passe", who.Password).Press("Se connecter")
	return p
}
