package portal

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
)

// TestShownLinks follows every link that a role is shown in the office: what a page offers is there and may be used. A
// kind of page is read at most twice.
func TestShownLinks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.invoiced()
	d.agent.send("/gestion/caisse", "key", uuid.NewString(), "desk", "Guichet", "float", "50").to(t, "/gestion/")
	ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}(-[^/?]*)?|=[^&]*|/\d+`)
	for _, role := range []string{"agent", "finance", "organiser", "administrator", "social"} {
		who, _ := d.person("lien-"+role+"@example.test", "Camille Petit", role)
		read, kinds := map[string]bool{}, map[string]int{}
		todo := [][2]string{{"/gestion/", "the start"}}
		for len(todo) > 0 {
			at, from := todo[0][0], todo[0][1]
			todo = todo[1:]
			kind := ids.ReplaceAllString(at, "*")
			if read[at] || kinds[kind] == 2 {
				continue
			}
			read[at] = true
			kinds[kind]++
			a := who.get(at)
			if a.StatusCode >= http.StatusBadRequest {
				t.Errorf("%s: %s answers %d, and %s leads to it", role, at, a.StatusCode, from)
			}
			a.doc.Find("main a[href], .side a[href]").Each(func(_ int, s *goquery.Selection) {
				href, _ := s.Attr("href")
				base, err := url.Parse(at)
				if err != nil {
					t.Fatal(err)
				}
				to, err := base.Parse(href)
				if err != nil {
					t.Errorf("%s: %s has the link %q: %v", role, at, href, err)
					return
				}
				to.Fragment = ""
				if next := to.String(); strings.HasPrefix(next, "/gestion/") {
					todo = append(todo, [2]string{next, at})
				}
			})
		}
		if len(read) < 20 {
			t.Errorf("%s: %d pages were read, a walk that lost its way", role, len(read))
		}
	}
}
