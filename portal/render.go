package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ribambelle/internal/account"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

//go:embed templates
var templateFiles embed.FS

// pages are the templates of one language, by the page's name.
type pages map[string]*template.Template

// parsed holds how the pages of each language are had. The files are part of the program and a parsed language takes some
// 25 MB, so every portal of a process shares them.
var parsed sync.Map // language → func() (pages, error)

// pagesIn returns every page in a language.
func pagesIn(lang string) (pages, error) {
	had, _ := parsed.LoadOrStore(lang, sync.OnceValues(func() (pages, error) { return parsePages(lang) }))
	return had.(func() (pages, error))()
}

// parsePages parses every page in a language: templates/staff/queue.html becomes the page "staff/queue". A page defines
// "content"; layout.html and partial/*.html are shared. What does not parse is an error.
func parsePages(lang string) (pages, error) {
	assets, _, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("loading the portal's files: %w", err)
	}
	shared, err := template.New("layout.html").Option("missingkey=error").Funcs(functions(locale.For(lang), assets)).
		ParseFS(templateFiles, "templates/layout.html", "templates/partial/*.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the layout: %w", err)
	}
	all := pages{}
	err = fs.WalkDir(templateFiles, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "templates/layout.html" || strings.HasPrefix(name, "templates/partial/") {
			return err
		}
		t, err := shared.Clone()
		if err != nil {
			return err
		}
		if t, err = t.ParseFS(templateFiles, name); err != nil {
			return fmt.Errorf("parsing %s: %w", name, err)
		}
		if t.Lookup("content") == nil {
			return fmt.Errorf("parsing %s: it defines no content", name)
		}
		all[strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")] = t
		return nil
	})
	return all, err
}

// render draws a page into a buffer and sends it whole, so that half a page never leaves.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, p page.Page) error {
	b := p.Shell()
	t := s.pages[b.Lang][name]
	if t == nil {
		return fmt.Errorf("page %q is not declared", name)
	}
	if b.Flash == "" {
		b.Flash = s.takeFlash(w, r)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, p); err != nil {
		return fmt.Errorf("drawing page %q: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	if b.Viewer == nil && status == http.StatusOK && h.Get("Set-Cookie") == "" {
		h.Set("Cache-Control", "private, no-cache") // lets the browser go back without asking again
	}
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the browser may have gone: nobody is left to tell
	return nil
}

// base fills in what every page shows.
func (s *server) base(r *http.Request, title string) page.Base {
	l := s.locale(r)
	b := page.Base{Title: title, Lang: l.Lang(), L: l, Commune: s.commune(r.Context()), Demo: s.Demo, Reference: scopeOf(r).reference}
	if a := s.signedIn(r); a != nil {
		b.Viewer = &page.Viewer{Name: a.Name, Staff: a.Staff(), Leader: a.Is(account.RoleLeader) || a.Is(account.RoleCoordinator)}
	}
	return b
}

// refuse shows a form again with what is wrong on top, everything as it was typed, under status 422.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, name string, f *form.Form, p page.Page) error {
	b := p.Shell()
	for _, problem := range f.Problems() {
		b.Problems = append(b.Problems, page.Problem{Input: problem.Name, Text: faulty(b.L, problem)})
	}
	return s.render(w, r, http.StatusUnprocessableEntity, name, p)
}

// locale returns the language of a request: the signed-in person's if it is offered, else the first offered.
func (s *server) locale(r *http.Request) *locale.Locale {
	if a := s.signedIn(r); a != nil && slices.Contains(s.Languages, a.Locale) {
		return locale.For(a.Locale)
	}
	return locale.For(s.Languages[0])
}
