package cli

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestStaffAdd makes the first administrator of an empty home and signs in with the printed link.
func TestStaffAdd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if code, _, errs := h.run("staff", "add", "no address", "--name=X"); code != 1 || !strings.Contains(errs, "email") {
		t.Errorf("a faulty address: code %d, %s", code, errs)
	}
	if code, _, errs := h.run("staff", "add", "chef@commune.example", "--name=Chef", "--role=king"); code != 1 || !strings.Contains(errs, "roles") {
		t.Errorf("a role that does not exist: code %d, %s", code, errs)
	}
	code, out, errs := h.run("staff", "add", "chef@commune.example", "--name=Chef de service")
	link := regexp.MustCompile(`/mot-de-passe/nouveau\?code=(\S+)`).FindStringSubmatch(out)
	if code != 0 || link == nil || !strings.Contains(out, "administrator") {
		t.Fatalf("staff add: code %d\n%s%s", code, out, errs)
	}
	token, err := url.QueryUnescape(link[1])
	if err != nil {
		t.Fatal(err)
	}
	_, portal := h.serve("--demo")
	post := func(path string, form url.Values) *http.Response {
		t.Helper()
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.PostForm(portal+path, form)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	const password = "un vélo sous la pluie"
	if res := post("/mot-de-passe/nouveau", url.Values{"code": {token}, "password": {password}}); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("choosing the password: %d", res.StatusCode)
	}
	if res := post("/mot-de-passe/nouveau", url.Values{"code": {token}, "password": {password}}); res.StatusCode != http.StatusGone {
		t.Errorf("the link a second time: %d, want 410", res.StatusCode)
	}
	if res := post("/connexion", url.Values{"email": {"chef@commune.example"}, "password": {password}}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("signing in: %d", res.StatusCode)
	}
}
