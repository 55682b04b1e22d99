package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/mirror"
)

func TestStaffOdooAccess(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	finance, _ := d.person("finance@example.test", "Finance", "finance")
	organiser, _ := d.person("organiser@example.test", "Organisateur", "organiser")
	parent, _ := d.person("autre@example.test", "Autre")
	for path, want := range map[string][3]int{
		"/gestion/odoo": {http.StatusOK, http.StatusOK, http.StatusNotFound},
		"/gestion/stages/" + d.camp.String() + "/odoo": {http.StatusForbidden, http.StatusOK, http.StatusNotFound},
		"/gestion/odoo/nouveau-stage":                  {http.StatusForbidden, http.StatusOK, http.StatusNotFound},
		"/gestion/odoo/exterieures/12":                 {http.StatusForbidden, http.StatusForbidden, http.StatusNotFound},
	} {
		for i, b := range []*browser{finance, organiser, parent} {
			if got := b.get(path).StatusCode; got != want[i] {
				t.Errorf("%s: %d for person %d, want %d", path, got, i, want[i])
			}
		}
	}
	if got := finance.send("/gestion/odoo/comparer").StatusCode; got != http.StatusForbidden {
		t.Errorf("the finance officer asks for a comparison: %d, want 403", got)
	}
}

func TestStaffFixesADifference(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	odooID := int64(7)
	err := d.config.DB.InTx(context.Background(), func(ctx context.Context, tx db.Tx) error {
		return mirror.KeepDrift(ctx, tx, []mirror.Drift{
			{Kind: mirror.Registration, Aspect: "state", LocalID: &d.asked.ID, OdooID: &odooID, Here: "draft", There: "cancel", Cause: mirror.CauseOdoo},
			{Kind: mirror.Camp, Aspect: "name", LocalID: &d.camp, OdooID: &odooID, Here: "Un", There: "Deux", Cause: mirror.CauseLost},
		}, d.config.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	a := d.agent.see("/gestion/odoo")
	a.has(t, "#ecarts", "(2)")
	a.has(t, "table", "Autre état")
	a.has(t, "table", "annulée")
	id := ""
	if err := d.config.DB.QueryRow(context.Background(), `SELECT id::text FROM odoo_drift WHERE kind = 'camp'`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if got := d.agent.send("/gestion/odoo/ecarts/"+id, "side", "odoo").StatusCode; got != http.StatusUnprocessableEntity {
		t.Errorf("Odoo made to follow in what it owns: %d, want 422", got)
	}
	if got := d.agent.send("/gestion/odoo/ecarts/"+id, "side", "here").StatusCode; got != http.StatusSeeOther {
		t.Errorf("following Odoo: %d, want 303", got)
	}
	if n := d.count(`SELECT count(*) FROM river_job WHERE kind = 'sync_fix'`); n != 1 {
		t.Errorf("%d jobs to fix it, want 1", n)
	}
	d.agent.see("/gestion/odoo").has(t, "table", "en cours")
}

func TestStaffAdoptsAnOutsideRegistration(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.bundle.camp()
	d.exec(`INSERT INTO odoo_link (model, odoo_id, kind, local_id) VALUES ('event.event', 5, 'camp', $1)`, other)
	d.exec(`INSERT INTO odoo_external (odoo_id, camp_id, name, state, seen_at) VALUES (41, $1, $2, 'open', now())`, other, d.family.child.FirstName+" "+d.family.child.LastName)
	d.exec(`UPDATE pool SET external = 1 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, other)
	d.exec(`UPDATE registration SET state = 'cancelled' WHERE id = $1`, d.asked.ID) // leaves the days free
	d.agent.see("/gestion/odoo").has(t, "#exterieures ~ div", d.family.child.FirstName)
	a := d.agent.see("/gestion/odoo/exterieures/41")
	value, _ := a.doc.Find("input[name=who]").First().Attr("value")
	if !strings.HasPrefix(value, d.family.child.ID.String()) {
		t.Fatalf("the child of that name is not proposed: %q", value)
	}
	if got := d.agent.send("/gestion/odoo/exterieures/41", "key", uuid.NewString()).StatusCode; got != http.StatusUnprocessableEntity {
		t.Errorf("nobody chosen: %d, want 422", got)
	}
	if got := d.agent.send("/gestion/odoo/exterieures/41", "key", uuid.NewString(), "who", value); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("adopting: %d, want 303", got.StatusCode)
	}
	var id uuid.UUID
	if err := d.config.DB.QueryRow(context.Background(), `SELECT local_id FROM odoo_link WHERE odoo_id = 41 AND adopted`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if got := d.state(id); got != enrol.ToValidate {
		t.Errorf("the adopted registration is %s, want to_validate", got)
	}
	if n := d.count(`SELECT external + 10 * held FROM pool WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, other); n != 10 {
		t.Errorf("%d, want the place turned from outside into held", n)
	}
	if got := d.agent.send("/gestion/odoo/exterieures/41", "key", uuid.NewString(), "who", value).StatusCode; got != http.StatusNotFound {
		t.Errorf("adopting twice: %d, want 404", got)
	}
}

func TestStaffAsksOdoo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	organiser, _ := d.person("organiser@example.test", "Organisateur", "organiser")
	url := "/gestion/stages/" + d.camp.String() + "/odoo"
	a := organiser.see(url)
	value := func(name string) string {
		v, _ := a.doc.Find("[name=" + name + "]").Attr("value")
		return v
	}
	sent := []string{"key", value("key"), "begins_hour", value("begins_hour"), "ends_hour", value("ends_hour"), "places", value("places")}
	for _, day := range []string{"begins", "ends"} {
		for _, part := range []string{"_day", "_month", "_year"} {
			v := value(day + part)
			if v == "" { // a list
				v, _ = a.doc.Find("[name=" + day + part + "] option[selected]").Attr("value")
			}
			sent = append(sent, day+part, v)
		}
	}
	if got := organiser.send(url, append(sent, "name", value("name"))...).StatusCode; got != http.StatusUnprocessableEntity {
		t.Errorf("nothing changed: %d, want 422", got)
	}
	for range 2 { // a double click asks once
		if got := organiser.send(url, append(sent, "name", "Voile et canoë")...).StatusCode; got != http.StatusSeeOther {
			t.Fatalf("asking: %d, want 303", got)
		}
	}
	if n := d.count(`SELECT count(*) FROM odoo_command WHERE asked = '{"name": "Voile et canoë"}'`); n != 1 {
		t.Errorf("%d commands with the name alone, want 1", n)
	}
	organiser.see(url).has(t, "#demandes ~ ul", "en attente")
	d.exec(`UPDATE odoo_command SET state = 'refused', reason = 'odoo.reason.other', message = 'Nope.'`)
	organiser.see(url).has(t, "#demandes ~ ul", "« Nope. »")
	if n := d.count(`SELECT count(*) FROM camp WHERE name = 'Voile et canoë'`); n != 0 {
		t.Error("the camp changed here before Odoo said so")
	}
}
