package portal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
)

// TestAudienceOpenings: residents first, the others a week later: catalogue, camp page, form, basket and the JSON
// interface say the same to the same family at every moment.
func TestAudienceOpenings(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := setup(t)
	if err := b.config.Household.SaveSettings(ctx, audit.Command("test"), "7090", false); err != nil {
		t.Fatal(err)
	}
	resident, a := b.person("sophie@example.be", "Sophie Lambert")
	home := b.family(a) // 7090
	stranger, _, g := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	away, err := b.config.Household.AddChild(ctx, g.ID, household.ChildForm{Key: uuid.New(), FirstName: "Tom", LastName: "Dujardin", BirthDate: home.child.BirthDate, Level: "P3"})
	if err != nil {
		t.Fatal(err)
	}
	first, second := testNow.Add(24*time.Hour), testNow.Add(8*24*time.Hour)
	id := b.camp()
	b.exec(`INSERT INTO camp_audience (camp_id, audience, opens_at) VALUES ($1, 'resident', $2), ($1, 'everyone', $3)`, id, first, second)
	// The camp's own opening no longer counts, whatever it says.
	b.exec(`UPDATE camp SET opens_at = $2 WHERE id = $1`, id, testNow.Add(100*24*time.Hour))
	at := campURL(id, "Les explorateurs du canal")
	const (
		register = `main a[href$="/inscription"]`
		prepare  = `main a[href$="/demande"]`
	)
	type view struct {
		who      *browser
		register bool
		prepare  bool
		says     string
	}
	check := func(when string, views ...view) {
		t.Helper()
		for i, v := range views {
			page := v.who.see(at)
			if got := page.doc.Find(register).Length() > 0; got != v.register {
				t.Errorf("%s, view %d: register is %v", when, i, got)
			}
			if got := page.doc.Find(prepare).Length() > 0; got != v.prepare {
				t.Errorf("%s, view %d: prepare is %v", when, i, got)
			}
			page.has(t, "main", v.says)
			v.who.see("/").has(t, "main", v.says)
		}
	}
	visitor := b.browser()
	check("before",
		view{visitor, false, true, "pour les habitants de la commune, du mardi 11 mai"},
		view{resident, false, true, "Inscriptions à partir du mardi 4 mai"},
		view{stranger, false, true, "Inscriptions à partir du mardi 11 mai"})
	if open := visitor.see("/api/v1/camps").body; !strings.Contains(open, `"registrations_open": false`) || !strings.Contains(open, `"opens_at": "2027-05-04`) {
		t.Errorf("the interface says %s", open)
	}

	*b.now = first
	check("residents",
		view{visitor, true, false, "Les inscriptions pour les familles hors commune ouvrent le mardi 11 mai"},
		view{resident, true, false, ""},
		view{stranger, false, true, "Inscriptions à partir du mardi 11 mai"})
	form := "/stages/" + id.String() + "/inscription"
	resident.see(form + "?enfant=" + home.child.ID.String())
	stranger.see(form+"?enfant="+away.ID.String()).has(t, "main", "ouvrent le mardi 11 mai")
	// One child's own catalogue follows that child.
	resident.see("/?enfant="+home.child.ID.String()).has(t, "main", "Les explorateurs du canal")
	if strings.Contains(resident.see("/?enfant="+home.child.ID.String()).text("main"), "Inscriptions à partir du") {
		t.Error("the resident child's catalogue says that the camp is not open")
	}

	*b.now = second
	check("everyone", view{visitor, true, false, ""}, view{resident, true, false, ""}, view{stranger, true, false, ""})

	b.exec(`DELETE FROM camp_audience WHERE audience = 'everyone'`)
	check("residents only",
		view{visitor, true, false, "réservé aux habitants de la commune"},
		view{resident, true, false, ""},
		view{stranger, false, false, "réservé aux habitants de la commune"})
}
