package portal

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"ribambelle/internal/account"
	"ribambelle/internal/locale"
)

// TestOwnAccount: a parent and an agent see where their account is open and who signed in, end one session or all the
// others, and change the password with the present one; guesses are bounded.
func TestOwnAccount(t *testing.T) {
	t.Parallel()
	const password, fresh = "correct horse battery", "un bateau sur le canal"
	for name, roles := range map[string][]string{"agent": {account.RoleAgent}, "leader": {account.RoleLeader}, "parent": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			here, _ := b.person("sophie@example.be", "Sophie Lambert", roles...)
			other, _ := b.person("marc@example.be", "Marc Dujardin", roles...)
			enter := func(agent string) *browser {
				t.Helper()
				w := b.browser()
				if got := w.do(http.MethodPost, "/connexion", map[string][]string{"email": {"sophie@example.be"}, "password": {password}}, "User-Agent", agent); got.StatusCode != http.StatusSeeOther {
					t.Fatalf("signing in is answered %d", got.StatusCode)
				}
				return w
			}
			*b.now = b.now.Add(time.Minute)
			phone := enter("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1")
			tablet := enter("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0 Safari/537.36")
			page := here.see("/mon-espace/compte")
			page.has(t, "#sessions ~ ul", "Safari, iPhone")
			page.has(t, "#sessions ~ ul", "Chrome, Android")
			page.has(t, "#history ~ ul", "Safari, iPhone")
			if n := page.doc.Find("#sessions ~ ul li").Length(); n != 3 {
				t.Errorf("%d sessions, want 3", n)
			}
			id, _ := page.doc.Find("#sessions ~ ul li:contains('iPhone') input[name=session]").Attr("value")
			other.send("/mon-espace/compte/sessions/fin", "session", id).to(t, "/mon-espace/compte")
			phone.see("/mon-espace/compte") // another's click ends nothing
			here.send("/mon-espace/compte/sessions/fin", "session", id).to(t, "/mon-espace/compte")
			phone.get("/mon-espace/compte").to(t, "/connexion")
			tablet.see("/mon-espace/compte")
			here.send("/mon-espace/compte/sessions/autres").to(t, "/mon-espace/compte")
			tablet.get("/mon-espace/compte").to(t, "/connexion")

			tablet = enter("Firefox")
			for _, v := range [][2]string{{"wrong", fresh}, {password, "court"}} {
				if got := here.send("/mon-espace/compte/mot-de-passe", "present", v[0], "password", v[1]); got.StatusCode != http.StatusUnprocessableEntity {
					t.Errorf("%q is answered %d", v, got.StatusCode)
				}
			}
			here.send("/mon-espace/compte/mot-de-passe", "present", password, "password", fresh).to(t, "/mon-espace/compte")
			tablet.get("/mon-espace/compte").to(t, "/connexion")
			here.see("/mon-espace/compte")
			for i := range 11 {
				got := here.send("/mon-espace/compte/mot-de-passe", "present", fmt.Sprint("wrong ", i), "password", password)
				if want := "Trop d’essais"; i == 10 {
					got.has(t, "main", want)
				}
			}
		})
	}
}

func TestDeviceWords(t *testing.T) {
	t.Parallel()
	l := locale.For("fr")
	for agent, want := range map[string]string{
		"": "appareil inconnu",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0":                                   "Firefox, Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0":                  "Edge, Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15":                  "Safari, Mac",
		"Mozilla/5.0 (Linux; Android 14; SM-A546B) AppleWebKit/537.36 SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36": "Samsung Internet, Android",
		"curl/8": "appareil inconnu",
	} {
		if got := deviceWords(l, agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
