package portal

import (
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// TestSummaryNamesTheInputs sends empty forms: every line of the summary says which input it is about.
func TestSummaryNamesTheInputs(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	for path, want := range map[string]string{
		"/mon-espace/coordonnees":     "le prénom. le nom. téléphone. la rue et le numéro. le code postal. la localité.",
		"/mon-espace/enfants/nouveau": "le prénom. le nom. la date de naissance.",
	} {
		got := j.parent.send(path, "key", "0f8fad5b-d9cb-469f-a165-70867728950e", "channel", "email", "basis", "parental_authority")
		if got.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s answers %d", path, got.StatusCode)
		}
		seen := map[string]bool{}
		got.doc.Find(".notice.stop li").Each(func(_ int, s *goquery.Selection) {
			if seen[s.Text()] {
				t.Errorf("%s says %q twice", path, s.Text())
			}
			seen[s.Text()] = true
		})
		for _, words := range strings.Split(strings.TrimSuffix(want, "."), ". ") {
			got.has(t, ".notice.stop", words)
		}
	}
	got := j.parent.send("/mon-espace/enfants/nouveau", "key", "0f8fad5b-d9cb-469f-a165-70867728950e", "basis", "parental_authority")
	if n := got.doc.Find(".notice.stop li").Length(); n != 4 {
		t.Errorf("an empty child has %d faults, want names, birth and level at once", n)
	}
}

// TestContinueNeedsAnAnswer goes on without choosing, and back.
func TestContinueNeedsAnAnswer(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	path := "/stages/" + j.camp.String() + "/inscription"
	j.parent.see(path)
	none := j.parent.get(path + "?repondu=enfant")
	none.has(t, ".notice.stop", "Choisissez un enfant")
	if none.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no child answers %d", none.StatusCode)
	}
	bus := j.parent.see(path + "?repondu=enfant&enfant=" + j.child.ID.String())
	bus.has(t, ".steps", j.child.FirstName)
	if mark, _ := bus.doc.Find("main input[name=repondu]").Attr("value"); mark != "bus" {
		t.Errorf("the step's form says it is %q", mark)
	}
	j.parent.get(path+"?repondu=bus&enfant="+j.child.ID.String()).has(t, ".notice.stop", "Choisissez un arrêt")
	back, _ := bus.doc.Find(".steps a").Attr("href")
	j.parent.see(back).has(t, "legend", "enfant")
}
