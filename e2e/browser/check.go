package browser

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/chromedp/chromedp"
)

// axeJS is axe-core 4.14.1 as published (MPL-2.0, see axe-core/LICENSE); it is part of the tests only.
//
//go:embed axe-core/axe.min.js
var axeJS string

// maxWeight is what a page may weigh with everything it loads, in bytes over the wire.
const maxWeight = 100 << 10

// Check holds that the page has no fault that axe knows (WCAG 2.0 and 2.1, A and AA), weighs less than 100 KB with all
// it loads, does not scroll sideways, has a title, a language and one main heading, and all its sentences their words.
func (p *Page) Check() *Page {
	p.t.Helper()
	if p.script {
		p.checkAxe()
	}
	s := Value[struct {
		Weight    int
		Parts     []string
		Scroll    int
		Width     int
		Title     string
		Lang      string
		Headings  int
		Landmarks int
	}](p, `(function () {
		var parts = performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"));
		var size = function (e) { return Math.max(e.transferSize || 0, e.encodedBodySize || 0); };
		return {
			Weight: parts.reduce(function (n, e) { return n + size(e); }, 0),
			Parts: parts.map(function (e) { return e.name + " " + size(e); }),
			Scroll: document.documentElement.scrollWidth, Width: window.innerWidth,
			Title: document.title, Lang: document.documentElement.lang,
			Headings: document.querySelectorAll("h1").length, Landmarks: document.querySelectorAll("main").length
		};
	})()`)
	switch {
	case s.Weight > maxWeight:
		p.Fatalf("the page weighs %d bytes, more than %d:\n%s", s.Weight, maxWeight, strings.Join(s.Parts, "\n"))
	case s.Weight == 0:
		p.Fatalf("the page's weight is not known")
	case s.Scroll > s.Width:
		p.Fatalf("the page is %d pixels wide in a window of %d: %s", s.Scroll, s.Width, p.widest())
	case s.Title == "" || s.Lang != "fr" || s.Headings != 1 || s.Landmarks != 1:
		p.Fatalf("title %q, language %q, %d main headings, %d main parts", s.Title, s.Lang, s.Headings, s.Landmarks)
	}
	if all := p.Text(); unsaid.MatchString(all) {
		p.Fatalf("the page shows a sentence without its words: %q", unsaid.FindString(all))
	}
	p.count(s.Weight)
	return p
}

// unsaid is what stands on a page where a sentence was not given its words, or another kind of word than it takes.
var unsaid = regexp.MustCompile(`.{0,40}(%!|%(\[\d\])?[sdv]\b|<nil>|0x[0-9a-f]{8}).{0,40}`)

// widest names what sticks out of the window.
func (p *Page) widest() string {
	return p.eval(`Array.prototype.slice.call(document.querySelectorAll("body *"))
		.filter(function (e) { return e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest(".scroll"); })
		.slice(0, 4).map(function (e) { return "<" + e.tagName.toLowerCase() + " class=\"" + (e.getAttribute("class") || "") + "\"> " + (e.textContent || "").trim().slice(0, 40); }).join("; ")`)
}

func (p *Page) checkAxe() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	// A colour on its way to another is judged when it has arrived.
	const run = `Promise.allSettled(document.getAnimations().map(function (a) { return a.finished; })).then(function () { return axe.run(document, {
		runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }, resultTypes: ["violations"]
	}); }).then(function (r) { return {
		Rules: r.passes.length + r.violations.length,
		Violations: r.violations.map(function (v) {
			return v.id + " (" + v.impact + "): " + v.help + "\n    " + v.nodes.slice(0, 4).map(function (n) { return n.target.join(" ") + "  " + n.html.slice(0, 160) + "\n      " + (n.failureSummary || "").replace(/\n/g, " ").slice(0, 240); }).join("\n    ");
		})
	}; })`
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](axeJS+";0")); err != nil {
		p.Fatalf("loading axe: %v", err)
	}
	r, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
		Rules      int
		Violations []string
	}](run, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("running axe: %v", err)
	}
	if r.Rules < 5 {
		p.Fatalf("axe ran %d rules only", r.Rules)
	}
	if len(r.Violations) > 0 {
		p.Fatalf("axe finds %d faults on %q:\n%s", len(r.Violations), p.title, strings.Join(r.Violations, "\n"))
	}
}

// Tally is what the checks of a process have seen.
type Tally struct {
	Pages   map[string]bool // titles
	Checks  int
	Heavist int // bytes of the heaviest page
	Which   string
}

var tally = Tally{Pages: map[string]bool{}}

func (p *Page) count(weight int) {
	tally.Pages[p.title] = true
	tally.Checks++
	if weight > tally.Heavist {
		tally.Heavist, tally.Which = weight, p.title
	}
}

// Report says what was checked so far.
func Report() string {
	return fmt.Sprintf("%d checks of %d different pages, no axe violation; the heaviest weighs %d bytes (%s)", tally.Checks, len(tally.Pages), tally.Heavist, tally.Which)
}
