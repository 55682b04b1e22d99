package browser

import (
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TabTo presses Tab until the link, button or field of that name has the focus, and holds that it can be seen there:
// it lies in the window and has an outline or a shadow. It returns how many presses that took.
func (p *Page) TabTo(name string, most int) int {
	p.t.Helper()
	var passed []string
	for n := 1; n <= most; n++ {
		p.do("pressing Tab", chromedp.KeyEvent(kb.Tab))
		f := Value[struct {
			Name          string
			Visible, Seen bool
		}](p, `(function () {
			var e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			var label = e.labels && e.labels.length ? e.labels[0].textContent : e.getAttribute("aria-label") || e.textContent;
			return {
				Name: label.replace(/[\s\u00a0\u202f]+/g, " ").trim(),
				Visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 || s.boxShadow !== "none",
				Seen: r.width > 0 && r.bottom > 0 && r.top < window.innerHeight
			};
		})()`)
		if !f.Visible || !f.Seen {
			p.Fatalf("the focus on %q cannot be seen", f.Name)
		}
		if strings.HasPrefix(f.Name, name) {
			return n
		}
		passed = append(passed, f.Name)
	}
	p.Fatalf("%d presses of Tab do not reach %q, only %q", most, name, passed)
	return 0
}

// Enter presses the key on what has the focus and waits for the page behind it.
func (p *Page) Enter() *Page {
	p.t.Helper()
	p.load("pressing Enter", 200, chromedp.KeyEvent(kb.Enter))
	return p
}

// Type types text with the keyboard into what has the focus.
func (p *Page) Type(text string) *Page {
	p.t.Helper()
	p.do("typing", chromedp.KeyEvent(text))
	return p
}
