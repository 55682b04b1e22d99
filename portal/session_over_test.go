package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/account"
	"ribambelle/internal/locale"
)

// inputs returns the hidden inputs of the first form that matches, as a browser would send them.
func (a answer) inputs(selector string) (action string, values url.Values) {
	values = url.Values{}
	form := a.doc.Find(selector).First()
	form.Find("input[type=hidden]").Each(func(_ int, s *goquery.Selection) {
		values.Add(s.AttrOr("name", ""), s.AttrOr("value", ""))
	})
	return form.AttrOr("action", ""), values
}

// TestNothingTypedIsLost fills in the details, loses the session meanwhile, and ends with the details saved.
func TestNothingTypedIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, _ := b.person("sophie@example.test", "Sophie Lambert")
	details := url.Values{
		"first_name": {"Sophie"}, "last_name": {"Lambert"}, "phone": {"0475 12 34 56"}, "email": {"sophie@example.test"},
		"street": {"Rue <de> l’Église 12"}, "postcode": {"4999"}, "city": {"Valmont"}, "channel": {"email"}, "password": {"x"}, "box": {"a", "b"},
	}
	if _, err := b.db.Exec(context.Background(), `DELETE FROM user_session`); err != nil {
		t.Fatal(err)
	}
	over := w.do(http.MethodPost, "/mon-espace/coordonnees", details)
	if over.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a form without a session answers %d, want 401", over.StatusCode)
	}
	over.has(t, "h1", "Votre session a expiré")
	action, typed := over.inputs("main form")
	if got := typed["garde.box"]; action != "/connexion" || len(got) != 2 || got[0] != "a" || typed.Has("garde.password") {
		t.Fatalf("the page carries %v to %s", typed, action)
	}

	typed.Set("email", "sophie@example.test")
	typed.Set("password", "wrong horse battery")
	wrong := w.do(http.MethodPost, action, typed)
	if wrong.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong password answers %d", wrong.StatusCode)
	}
	if _, again := wrong.inputs("main form"); again.Get("garde.street") != "Rue <de> l’Église 12" {
		t.Errorf("after a wrong password the page carries %v", again)
	}
	typed.Set("password", "correct horse battery")
	back := w.do(http.MethodPost, action, typed)
	if back.StatusCode != http.StatusOK || back.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("signing in answers %d, kept %q", back.StatusCode, back.Header.Get("Cache-Control"))
	}
	back.has(t, "main", "Sophie Lambert")
	if b.count(`SELECT count(*) FROM guardian`) != 0 {
		t.Error("signing in sent the form by itself")
	}
	action, typed = back.inputs("main form")
	w.do(http.MethodPost, action, typed).to(t, "/mon-espace/")
	if b.count(`SELECT count(*) FROM guardian WHERE street = 'Rue <de> l’Église 12'`) != 1 {
		t.Error("the details are not saved")
	}
}

// TestResumesOnlyFormsOfOurs tries addresses that a sign-in must not send anything to.
func TestResumesOnlyFormsOfOurs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.person("sophie@example.test", "Sophie Lambert")
	for _, to := range []string{"https://evil.example/", "//evil.example/mon-espace/coordonnees", "/connexion", "/deconnexion", "/stages.ics", "/inconnu", "\\mon-espace"} {
		b.browser().send("/connexion", "email", "sophie@example.test", "password", "correct horse battery", "reprise", to, "garde.a", "b").to(t, "/mon-espace/")
	}
	script := b.browser().do(http.MethodPost, "/mon-espace/coordonnees", url.Values{"a": {"b"}}, "Sec-Fetch-Dest", "empty")
	script.to(t, "/connexion")
	visitor := b.browser().send("/mon-espace/coordonnees", "a", "b")
	visitor.has(t, "h1", "Connectez-vous pour continuer")
}

// TestChosenCampIsKept follows a new parent from a camp to its registration, through the account, the mail and the sign-in.
func TestChosenCampIsKept(t *testing.T) {
	t.Parallel()
	j := newJourney(t)
	w := j.browser()
	path := "/stages/" + j.camp.String() + "/inscription"
	in := w.see(w.get(path).to(t, "/connexion?suite="))
	in.has(t, ".notice.info", "Pour inscrire un enfant, connectez-vous ou créez un compte")
	link, _ := in.doc.Find(`main a[href^="/inscription-compte"]`).Attr("href")
	_, hidden := w.see(link).inputs("main form")
	if hidden.Get("suite") != path {
		t.Fatalf("the sign-up carries %v", hidden)
	}
	w.send("/inscription-compte", "suite", path, "name", "", "email", "", "password", "").has(t, ".notice.stop li:first-child", "nom")
	w.send("/inscription-compte", "suite", path, "name", "Zoé Neuve", "email", "neuve@example.test", "password", "correct horse battery").to(t, "/inscription-compte/envoye")
	w.send("/connexion", "email", "neuve@example.test", "password", "correct horse battery").has(t, ".notice.stop", "Nous venons de vous renvoyer un lien")
	to := w.send("/confirmation", "code", j.mailed("confirm")).to(t, "/connexion?suite=")
	_, hidden = w.see(to).inputs("main form")
	w.send("/connexion", "suite", hidden.Get("suite"), "email", "neuve@example.test", "password", "correct horse battery").to(t, path)
	if got := w.see("/").doc.Find("nav").Text(); strings.Contains(got, "Se connecter") {
		t.Error("not signed in")
	}

	dead := w.send("/confirmation", "code", "mort")
	if href, _ := dead.doc.Find("main a.btn").First().Attr("href"); dead.StatusCode != http.StatusGone || href != "/connexion" {
		t.Errorf("a dead link answers %d and offers %q", dead.StatusCode, href)
	}
	dead = w.send("/mot-de-passe/nouveau", "code", "mort", "password", "correct horse battery")
	if href, _ := dead.doc.Find("main a.btn").First().Attr("href"); dead.StatusCode != http.StatusGone || href != "/mot-de-passe" {
		t.Errorf("a dead link for a password answers %d and offers %q", dead.StatusCode, href)
	}
	evil := j.browser()
	evil.send("/inscription-compte", "suite", "//evil.example/", "name", "Zoé", "email", "zoe@example.test", "password", "correct horse battery")
	evil.send("/confirmation", "code", j.mailed("confirm")).to(t, "/connexion")
	if got := evil.see("/connexion").doc.Find("input[name=suite]").Length(); got != 0 {
		t.Error("another site's address is kept")
	}
}

func TestPasswordRuleIsTold(t *testing.T) {
	t.Parallel()
	if hint := locale.For("fr").T("portal.sign_up.password_hint"); !strings.Contains(hint, strconv.Itoa(account.MinPassword)) {
		t.Errorf("the hint %q does not say the length", hint)
	}
}
