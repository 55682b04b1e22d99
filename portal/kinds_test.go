package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// adultKind is one kind of adult around a child.
type adultKind struct {
	name   string
	basis  household.Basis   // of the link; "" for none
	rights []household.Right // of the link; nil is the preset of the basis
	mark   string            // what sets it apart from others on the same basis
}

// adultKinds are the kinds, from the presets: every basis stands here. What a block or an end takes away is all.
var adultKinds = []adultKind{
	{name: "registrant", mark: "registrant"},
	{name: "other guardian", basis: household.BasisParentalAuthority},
	{name: "payer", basis: household.BasisOther, rights: []household.Right{household.RightSee, household.RightPay}, mark: "payer"},
	{name: "step-parent", basis: household.BasisStepParent},
	{name: "foster carer", basis: household.BasisFosterCare},
	{name: "court order", basis: household.BasisCourtOrder},
	{name: "neighbour", basis: household.BasisOther},
	{name: "institution", basis: household.BasisPlacement, mark: "institution"},
	{name: "blocked", basis: household.BasisParentalAuthority, mark: "blocked"},
	{name: "former", basis: household.BasisParentalAuthority, mark: "former"},
	{name: "stranger"},
}

// holds returns the rights that the law gives a kind.
func (k adultKind) holds() []household.Right {
	switch {
	case k.mark == "registrant":
		return household.Preset(household.BasisParentalAuthority)
	case k.basis == "" || k.mark == "blocked" || k.mark == "former":
		return nil
	case k.rights != nil:
		return k.rights
	}
	return household.Preset(k.basis)
}

// circle is a child with one adult of each kind, and a registration to be paid by the payer.
type circle struct {
	*journey
	reg           uuid.UUID
	names, phones []string // of the adults, as the leader reads them
}

func (c *circle) today() civil.Date { return civil.DateOf(*c.now, civil.Brussels) }

// probe asks one real function and one real page for a right. Both answer as for a child that does not exist when the
// adult may not know it, and that the right is missing when it may.
type probe struct {
	right    household.Right
	function func(c *circle, g uuid.UUID) error
	path     string // of a page; {reg} and {child} stand in it
}

var probes = []probe{
	{household.RightSee, func(c *circle, g uuid.UUID) error { return c.right(g, household.RightSee) }, "/mon-espace/inscriptions/{reg}"},
	{household.RightRegister, func(c *circle, g uuid.UUID) error {
		_, err := c.config.Enrol.Quote(context.Background(), g, enrol.Request{ChildID: c.child.ID, CampID: c.camp})
		return err
	}, "/mon-espace/inscriptions/{reg}/bus"},
	{household.RightPay, func(c *circle, g uuid.UUID) error {
		_, err := c.config.Enrol.StartPayment(context.Background(), g, []uuid.UUID{c.reg}, "bancontact", func(uuid.UUID) string { return "https://portal.test/" })
		return err
	}, ""}, // the page of a payment is the payer's alone: see below
	{household.RightCancel, func(c *circle, g uuid.UUID) error {
		_, err := c.config.Enrol.Leaving(context.Background(), g, c.reg, false)
		return err
	}, "/mon-espace/inscriptions/{reg}/annuler"},
	{household.RightRefund, func(c *circle, g uuid.UUID) error { return c.right(g, household.RightRefund) }, ""},
	{household.RightMedical, func(c *circle, g uuid.UUID) error {
		_, _, err := c.config.Medical.ReadAsGuardian(context.Background(), c.account.ID, g, c.child.ID)
		return err
	}, "/mon-espace/enfants/{child}/fiche-medicale"},
	{household.RightDocuments, func(c *circle, g uuid.UUID) error { return c.right(g, household.RightDocuments) }, ""},
	{household.RightPickUp, func(c *circle, g uuid.UUID) error { return c.right(g, household.RightPickUp) }, ""},
	{household.RightMessages, func(c *circle, g uuid.UUID) error { return c.right(g, household.RightMessages) }, ""},
}

func (c *circle) right(g uuid.UUID, right household.Right) error {
	return c.config.Household.Right(context.Background(), c.db, g, c.child.ID, right, c.today())
}

// TestKindOfGuardianRight: every kind of adult × every right, through the real functions and the real pages.
func TestKindOfGuardianRight(t *testing.T) {
	t.Parallel()
	c, people := newCircle(t)
	if len(probes) != len(household.Rights) {
		t.Fatalf("%d rights are probed, want %d", len(probes), len(household.Rights))
	}
	l := locale.For("fr")
	for _, k := range adultKinds {
		w, id := people[k.name].browser, people[k.name].guardian
		held := k.holds()
		want := func(right household.Right) (kind problem.Kind, status int) {
			switch {
			case len(held) == 0:
				return problem.KindNotFound, http.StatusNotFound
			case !slices.Contains(held, right):
				return problem.KindForbidden, http.StatusForbidden
			}
			return "", http.StatusOK
		}
		for _, p := range probes {
			kind, status := want(p.right)
			if err := p.function(c, id); kind == "" && err != nil || kind != "" && !problem.Is(err, kind) {
				t.Errorf("%s, %s: the function answers %v, want %q", k.name, p.right, err, kind)
			}
			if p.path == "" {
				continue
			}
			path := strings.NewReplacer("{reg}", c.reg.String(), "{child}", c.child.ID.String()).Replace(p.path)
			if got := w.get(path); got.StatusCode != status {
				t.Errorf("%s, %s: %s answers %d, want %d", k.name, p.right, p.path, got.StatusCode, status)
			}
		}
		// The page of the family names the rights, each and no other.
		var names []string
		for _, right := range household.Rights {
			if slices.Contains(held, right) {
				names = append(names, l.T("household.right."+string(right)))
			}
		}
		line := w.see("/mon-espace/famille").text("section.panel > p.soft")
		if len(names) == 0 && line != "" || len(names) > 0 && !strings.HasSuffix(line, strings.Join(names, ", ")) {
			t.Errorf("%s reads %q of its rights, want %v", k.name, line, names)
		}
		// Who pays sees what is due; nobody else does, whatever the right.
		status := http.StatusSeeOther // leads to the registration
		switch {
		case len(held) == 0:
			status = http.StatusNotFound
		case k.mark == "payer":
			status = http.StatusOK
		}
		if got := w.get("/mon-espace/inscriptions/" + c.reg.String() + "/paiement").StatusCode; got != status {
			t.Errorf("%s asks what is due: %d, want %d", k.name, got, status)
		}
		// Messages go to those who receive them.
		holders, err := c.config.Household.Holders(context.Background(), c.db, c.child.ID, household.RightMessages, c.today())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Contains(holders, id), slices.Contains(held, household.RightMessages); got != want {
			t.Errorf("%s receives messages: %v, want %v", k.name, got, want)
		}
	}
	c.leaderReads(t)
}

// leaderReads checks what the leader of the camp reads on its first day: to whom the child is handed, and, of those
// around it, to whom not; and whom to call.
func (c *circle) leaderReads(t *testing.T) {
	t.Helper()
	_, a := c.person("tom@example.test", "Tom Remy", "leader")
	if err := c.config.Camp.AddLeader(context.Background(), audit.Command("test"), c.camp, a.ID, false); err != nil {
		t.Fatal(err)
	}
	c.exec(`UPDATE registration SET state = 'confirmed' WHERE id = $1`, c.reg)
	*c.now = time.Date(2027, 7, 5, 7, 30, 0, 0, time.UTC)
	page := c.again("tom@example.test").see("/animateur/stages/" + c.camp.String())
	for i, k := range adultKinds {
		if k.mark == "former" || k.name == "stranger" {
			if strings.Contains(page.text("main"), k.name) {
				t.Errorf("the leader reads of %s", k.name)
			}
			continue
		}
		may := slices.Contains(k.holds(), household.RightPickUp)
		warned := strings.Contains(strings.ReplaceAll(page.text(".roll .warn"), "\u00a0", " "), "NE PAS REMETTRE À "+c.names[i])
		calls := page.doc.Find("a[href='tel:"+c.phones[i]+"']").Length() > 0
		if warned == may || calls != may {
			t.Errorf("of %s the leader is warned: %v, and may call: %v; it may fetch the child: %v", k.name, warned, calls, may)
		}
	}
}

type member struct {
	browser  *browser
	guardian uuid.UUID
}

// newCircle makes one adult of each kind around Léa, and a registration that waits to be paid.
func newCircle(t *testing.T) (*circle, map[string]member) {
	t.Helper()
	ctx, command := context.Background(), audit.Command("test")
	c := &circle{journey: newJourney(t)}
	page := c.register()
	c.reg = c.id(page)
	people := map[string]member{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, k := range adultKinds {
		name, phone := k.name+" Adulte", fmt.Sprintf("+324861110%02d", i)
		switch k.mark {
		case "registrant":
			phone = c.guardian.Phone
		case "institution":
			name = "Les Tilleuls"
		}
		c.names, c.phones = append(c.names, name), append(c.phones, phone)
		switch k.mark {
		case "registrant":
			people[k.name] = member{c.parent, c.guardian.ID}
			c.exec(`UPDATE guardian SET first_name = 'registrant', last_name = 'Adulte' WHERE id = $1`, c.guardian.ID)
			continue
		case "institution":
			home, err := c.config.Household.AddOrganisation(ctx, command, household.GuardianForm{
				LastName: "Les Tilleuls", Phone: phone, Street: "Rue des Tilleuls 1", Postcode: "7180", City: "Seneffe",
			})
			must(err)
			w, a := c.person("educator@example.be", "Éducatrice")
			must(c.config.Household.AddMember(ctx, command, home.ID, a.ID, c.today(), c.today().AddDays(300)))
			people[k.name] = member{w, home.ID}
		default:
			w, _, g := c.other(strings.ReplaceAll(k.name, " ", "-")+"@example.be", k.name, "Adulte", phone)
			people[k.name] = member{w, g.ID}
		}
		id := people[k.name].guardian
		if k.basis == "" {
			continue
		}
		must(c.config.Household.Grant(ctx, command, id, c.child.ID, household.Grant{
			Basis: k.basis, Rights: k.rights, Proof: "réf. 7", From: c.today().AddDays(-100),
		}))
		switch k.mark {
		case "payer":
			c.exec(`UPDATE registration SET payer_id = $2, debtor_id = $2 WHERE id = $1`, c.reg, id)
		case "former":
			must(c.config.Household.End(ctx, command, id, c.child.ID, c.today().AddDays(-1)))
		case "blocked":
			_, err := c.config.Household.Block(ctx, command, id, c.child.ID, household.BlockForm{Decision: "TJ 2027/4", Until: c.today().AddDays(900)})
			must(err)
		}
	}
	c.decide(page, true)
	return c, people
}
