package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/ledger"
)

// TestDunningPages takes a family from the list over the preview to a letter, and lets it contest.
func TestDunningPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.invoiced()
	due, err := ledger.DueOf(context.Background(), d.db, d.asked.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.exec(`
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		VALUES ($1, $2, $3, $3, 'charge', 4321, 'Repas', 'staff', 'test', $4)`, due.ID, d.asked.ID, d.family.guardian.ID, *d.now)
	*d.now = d.now.Add(30 * 24 * time.Hour)
	chief, _ := d.person("finance@example.test", "Nadine Roi", "finance")
	parent := d.again("sophie@example.test")
	list := chief.see("/gestion/finances/rappels")
	list.has(t, "tbody", "43,21 €")
	value, _ := list.doc.Find("input[name=choice]").Attr("value")
	if value != due.ID.String()+" reminder" {
		t.Fatalf("the box says %q", value)
	}
	preview := chief.see("/gestion/finances/rappels/apercu?way=letter&choice=" + url.QueryEscape(value))
	preview.has(t, "details", "Ce premier rappel est gratuit")
	preview.has(t, "summary", "par courrier")
	if n := d.count(`SELECT count(*) FROM dunning_step`); n != 0 {
		t.Fatal("the preview took a step")
	}
	for range 2 {
		chief.send("/gestion/finances/rappels", "choice", value, "way", "letter").to(t, "/gestion/finances/rappels")
	}
	if n := d.count(`SELECT count(*) FROM dunning_step`); n != 1 {
		t.Fatalf("%d steps, want one", n)
	}
	if a := chief.see("/gestion/finances/rappels/courriers.pdf"); !strings.HasPrefix(a.body, "%PDF-") {
		t.Error("the letters of the day are no PDF")
	}
	link, _ := parent.see("/mon-espace/factures").doc.Find("a[href^='" + reminderPath + "']").First().Attr("href")
	page := parent.see(link)
	page.has(t, "h1", "Rappel")
	page.has(t, "article", "43,21 €")
	if !strings.HasPrefix(parent.see(link+".pdf").body, "%PDF-") {
		t.Error("the reminder is no PDF")
	}
	contest, _ := page.doc.Find("a[href^='" + complaintPath + "']").Attr("href")
	if a := parent.send(contest, "words", " ", "key", uuid.NewString()); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nothing contested: %d", a.StatusCode)
	}
	key := uuid.NewString()
	for range 2 {
		parent.send(contest, "words", "Le repas n’a pas eu lieu.", "key", key).to(t, contest)
	}
	parent.see(contest).has(t, "main", "en attente de réponse")
	chief.see("/gestion/finances/rappels").has(t, "tbody", "contesté")
	claim := chief.see(claimPath + due.ID.String())
	claim.has(t, "#complaints ~ article", "Le repas n’a pas eu lieu.")
	answer, _ := claim.doc.Find("form[action*='/contestations/']").Attr("action")
	if a := chief.send(answer, "outcome", "", "words", ""); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find(".error").Length() != 2 {
		t.Errorf("an empty answer: %d with %d errors", a.StatusCode, a.doc.Find(".error").Length())
	}
	chief.send(answer, "outcome", "upheld", "words", "Vous avez raison.").to(t, claimPath)
	parent.see(contest).has(t, "main", "Vous avez raison.")
	if n := d.count(`SELECT count(*) FROM complaint`); n != 1 {
		t.Errorf("%d complaints, want one", n)
	}
	stranger, a := d.person("autre@example.test", "Autre")
	d.bundle.family(a)
	for _, path := range []string{link, link + ".pdf", contest} {
		if got := stranger.get(path).StatusCode; got != http.StatusNotFound {
			t.Errorf("somebody else reads %s: %d", path, got)
		}
	}
	if got := d.again("agent@example.test").get("/gestion/finances/rappels").StatusCode; got != http.StatusForbidden {
		t.Errorf("an agent reads the reminders: %d", got)
	}
}
