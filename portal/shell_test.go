package portal

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

func TestAssetsAreHashedAndKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	href, ok := b.browser().see("/").doc.Find("link[rel=stylesheet]").Attr("href")
	if !ok || !regexp.MustCompile(`^/static/portal\.[0-9a-f]{12}\.css$`).MatchString(href) {
		t.Fatalf("the stylesheet's address is %q", href)
	}
	css := b.browser().see(href)
	if got := css.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := b.browser().get("/static/portal.css").StatusCode; got != http.StatusNotFound {
		t.Errorf("a file without its hash answers %d", got)
	}
}

func TestEveryPageHasItsHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/", "/nulle-part", "/stages/x", "/connexion"} {
		a := b.browser().get(path)
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: CSP is %q", path, csp)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("GET %s lacks headers: %v", path, a.Header)
		}
		if a.doc.Find("[style], style, script:not([src])").Length() > 0 {
			t.Errorf("GET %s has inline style or script, which the CSP refuses", path)
		}
		a.has(t, ".demo", "Démonstration")
	}
}

// TestMethods asks every route of the table with HEAD and with a method that it does not know.
func TestMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &server{}
	methods := map[string][]string{}
	for _, rt := range s.routes() {
		methods[rt.pattern] = append(methods[rt.pattern], rt.method)
	}
	for pattern, known := range methods {
		path := example(t, pattern)
		a := b.browser().do(http.MethodPatch, path, nil)
		if a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PATCH %s = %d, want 405", path, a.StatusCode)
			continue
		}
		for _, m := range known {
			if allow := a.Header.Get("Allow"); !strings.Contains(allow, m) {
				t.Errorf("PATCH %s allows %q, want %s in it", path, allow, m)
			}
		}
		head, get := b.browser().do(http.MethodHead, path, nil), b.browser().get(path)
		if head.StatusCode != get.StatusCode || head.body != "" {
			t.Errorf("HEAD %s = %d with %d bytes, GET = %d", path, head.StatusCode, len(head.body), get.StatusCode)
		}
	}
}

func TestCrossSiteFormIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.browser().do(http.MethodPost, "/deconnexion", map[string][]string{}, "Sec-Fetch-Site", "cross-site")
	if a.StatusCode != http.StatusForbidden {
		t.Fatalf("a form from another site answers %d, want 403", a.StatusCode)
	}
	a.has(t, "main", "autre site")
}

func TestNotFoundSaysWhatToDo(t *testing.T) {
	t.Parallel()
	a := setup(t).browser().get("/nulle-part")
	if a.StatusCode != http.StatusNotFound {
		t.Fatalf("status is %d, want 404", a.StatusCode)
	}
	for _, want := range []string{"Page introuvable", "Rien n’a changé", "repartez de la liste des stages", a.Header.Get("X-Request-Id")} {
		a.has(t, "main", want)
	}
}

func TestDatabaseDownIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.db.Close()
	a := b.browser().get("/")
	if a.StatusCode != http.StatusInternalServerError && a.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("status is %d, want 500 or 503", a.StatusCode)
	}
	a.has(t, "main", "Réessayer")
	if got := b.browser().get("/readyz").StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %d, want 503", got)
	}
	if got := b.browser().get("/healthz").StatusCode; got != http.StatusOK {
		t.Errorf("/healthz = %d, want 200", got)
	}
}

func TestPanicBecomesAPage(t *testing.T) {
	t.Parallel()
	var late atomic.Bool
	b := setup(t, func(c *Config) {
		c.Now = func() time.Time {
			if late.CompareAndSwap(false, true) {
				panic("no time")
			}
			return testNow
		}
	})
	a := b.browser().get("/")
	if a.StatusCode != http.StatusInternalServerError {
		t.Fatalf("status is %d, want 500", a.StatusCode)
	}
	if !strings.Contains(b.log.String(), a.Header.Get("X-Request-Id")) {
		t.Error("the log does not hold the request's reference")
	}
}

func TestLogHoldsNoAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser().get("/stages/0f8fad5b-d9cb-469f-a165-70867728950e-lea-lambert?enfant=secret")
	if log := b.log.String(); strings.Contains(log, "lambert") || strings.Contains(log, "secret") || !strings.Contains(log, "route=") {
		t.Errorf("the log holds an address or no route:\n%s", log)
	}
}

func TestSafeNext(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/mon-espace/":          "/mon-espace/",
		"/?niveau=P3":           "/?niveau=P3",
		"":                      "/f",
		"//evil.example/":       "/f",
		"/\\evil.example":       "/f",
		"https://evil.example/": "/f",
		"javascript:alert(1)":   "/f",
		"/connexion?suite=/a":   "/f",
		"mon-espace":            "/f",
	} {
		if got := safeNext(next, "/f"); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

// TestEveryErrorIsTold checks that each kind of problem has a status and all sentences of its page.
func TestEveryErrorIsTold(t *testing.T) {
	t.Parallel()
	want := map[problem.Kind]int{
		problem.KindInvalid: 422, problem.KindNotFound: 404, problem.KindForbidden: 403, problem.KindConflict: 409,
		problem.KindGone: 410, problem.KindUnavailable: 503,
	}
	l := locale.For("fr")
	for kind, code := range want {
		got, key := status(&problem.Error{Kind: kind})
		if got != code {
			t.Errorf("%s is answered %d, want %d", kind, got, code)
		}
		for _, part := range []string{"title", "happened", "saved", "next"} {
			if k := "portal.error." + key + "." + part; !l.Has(k) {
				t.Errorf("French lacks %s", k)
			}
		}
	}
}

// TestEveryPageIsDeclared finds the pages that handlers draw and that no template declares, and templates nobody draws.
func TestEveryPageIsDeclared(t *testing.T) {
	t.Parallel()
	pages, err := pagesIn("fr")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, f := range files {
		if raw, err := os.ReadFile(f); err == nil && !strings.HasSuffix(f, "_test.go") {
			code.Write(raw)
		}
	}
	drawn := map[string]bool{"error": true}
	for _, m := range regexp.MustCompile(`s\.(?:render\(w, r, [^,]+|refuse\(w, r|about\(w, r), "([a-z_/]+)"`).FindAllStringSubmatch(code.String(), -1) {
		drawn[m[1]] = true
		if pages[m[1]] == nil {
			t.Errorf("page %q is drawn but not declared", m[1])
		}
	}
	for name := range pages {
		if !drawn[name] && !strings.Contains(code.String(), `"`+name+`"`) {
			t.Errorf("template %q is never drawn", name)
		}
	}
}

// example returns an address that a route's pattern matches.
func example(t *testing.T, pattern string) string {
	t.Helper()
	var path strings.Builder
	for pattern != "" {
		if pattern[0] != '{' {
			path.WriteByte(pattern[0])
			pattern = pattern[1:]
			continue
		}
		end, depth := 0, 0
		for i, c := range pattern {
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			if depth == 0 {
				end = i
				break
			}
		}
		_, rule, ok := strings.Cut(pattern[1:end], ":")
		if !ok {
			rule = "[^/]+"
		}
		var fits string
		for _, v := range []string{"0f8fad5b-d9cb-469f-a165-70867728950e", "x", "1", "fiche-medicale", "a.b"} {
			if fits == "" && regexp.MustCompile("^(?:"+rule+")$").MatchString(v) {
				fits = v
			}
		}
		if fits == "" {
			t.Fatalf("no example fits %s", pattern)
		}
		path.WriteString(fits)
		pattern = pattern[end+1:]
	}
	return path.String()
}
