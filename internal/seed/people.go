package seed

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

var (
	firstNames = strings.Fields("Léa Noah Emma Louis Olivia Arthur Alice Adam Louise Liam Camille Hugo Zoé Gabriel Juliette Lucas Mila Jules Anna Ethan Inès Tom Nora Sacha Lina Victor Chloé Yanis Elena Rayan Jeanne Maxime Sofia Simon Manon Théo Lucie Oscar Clara Samuel")
	lastNames  = strings.Fields("Lambert Dubois Peeters Haddad Janssens Martin Maes Leroy Claes Simon Dupont Willems Laurent Mertens Renard Jacobs Lejeune Wouters Denis Goossens Mathieu Petit Gérard Michel Fontaine Dumont Servais Charlier Bodart Thiry Rossi Yilmaz Benali Nguyen Kowalski Dasilva Delvaux Collard Remy Piette")
	streets    = []string{"Rue Haute", "Rue de l’Église", "Avenue du Lac", "Chemin du Moulin", "Rue des Tilleuls", "Place Communale", "Rue de la Station", "Clos des Sources"}
)

// family is a guardian with the rows of its household.
type family struct {
	household uuid.UUID
	guardian  uuid.UUID
	account   uuid.UUID
	name      string
	street    string
	children  []child
}

type child struct {
	id    uuid.UUID
	name  string
	cycle int
	weeks int // bits of the weeks that are taken
	fam   *family
}

// families makes n children in families of one to three, each cycle of levels in turn.
func (b *batch) families(n int) {
	r := b.f.Rand
	school := civil.SchoolYear(b.f.firstMonday())
	for made := 0; made < n; {
		last := lastNames[r.IntN(len(lastNames))]
		first := firstNames[r.IntN(len(firstNames))]
		f := &family{household: uuid.New(), guardian: uuid.New(), account: uuid.New(), name: first + " " + last, street: fmt.Sprintf("%s %d", streets[r.IntN(len(streets))], 1+r.IntN(120))}
		serial := len(b.all) + 1
		email := fmt.Sprintf("famille%d.%s@seed.example", serial, b.run)
		b.accounts = append(b.accounts, []any{f.account, email, f.name, b.hash, b.now})
		b.households = append(b.households, []any{f.household, last})
		b.guardians = append(b.guardians, []any{f.guardian, f.household, f.account, first, last, email, fmt.Sprintf("+324%08d", 70000000+r.IntN(29999999)), f.street, "4599", "Valmont"})
		for range min(1+r.IntN(3), n-made) {
			f.children = append(f.children, b.child(f, last, made%len(cycles), school))
			made++
		}
		b.all = append(b.all, f)
	}
}

func (b *batch) child(f *family, last string, cycle, school int) child {
	r := b.f.Rand
	level := cycles[cycle].first + r.IntN(cycles[cycle].last-cycles[cycle].first+1)
	c := child{id: uuid.New(), cycle: cycle, fam: f}
	first := firstNames[r.IntN(len(firstNames))]
	c.name = first + " " + last
	birth := civil.NewDate(school-3-level, time.Month(1+r.IntN(12)), 1+r.IntN(28))
	b.children = append(b.children, []any{c.id, first, last, birth, []string{themes[r.IntN(len(themes))]}, uuid.New()})
	b.householdChildren = append(b.householdChildren, []any{f.household, c.id})
	b.levels = append(b.levels, []any{c.id, school, civil.Levels[level]})
	rights := make([]string, len(household.Rights))
	for i, right := range household.Rights {
		rights[i] = string(right)
	}
	b.guardianships = append(b.guardianships, []any{f.guardian, c.id, "parental_authority", rights, civil.DateOf(b.now, civil.Brussels)})
	return c
}
