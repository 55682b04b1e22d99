package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ribambelle/e2e/house"
)

// actTime bounds one action on a busy machine.
const actTime = 60 * time.Second

//go:embed find.js
var findJS string

// do runs a step, and fails the test with a picture of the page when it does not succeed.
func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.Fatalf("%s: %v", what, err)
	}
}

// Fatalf fails the test with the page's address, its text and a picture of it.
func (p *Page) Fatalf(format string, args ...any) {
	p.t.Helper()
	message := fmt.Sprintf(format, args...)
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.querySelector("main") || document.body || {innerText: ""}).innerText.slice(0, 700).replace(/\n\s*\n+/g, "\n")`))
	picture := "no picture"
	if png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100)); err == nil {
		picture = p.keep(png)
	}
	p.t.Fatalf("%s\nat %s (%s)\n%s", message, at, picture, text)
}

// keep writes the picture of a failure into the module's .cache, which is not committed.
func (p *Page) keep(png []byte) string {
	root, err := house.Root()
	if err != nil {
		return err.Error()
	}
	path := filepath.Join(root, ".cache", "e2e", strings.ReplaceAll(p.t.Name(), "/", "_")+".png")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err.Error()
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		return err.Error()
	}
	return path
}

// Goto opens an address of the portal, or a whole one, and expects the status 200.
func (p *Page) Goto(address string) *Page {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.base + address
	}
	p.load("opening "+address, http.StatusOK, chromedp.Navigate(address))
	return p
}

// load runs steps that end in a new page with the status.
func (p *Page) load(what string, status int64, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		p.Fatalf("%s: %v", what, err)
	}
	if int64(resp.Status) != status {
		p.Fatalf("%s: status %d, want %d", what, resp.Status, status)
	}
	p.title = p.eval(`document.title`)
}

// eval runs an expression that gives a string.
func (p *Page) eval(expression string) string {
	p.t.Helper()
	return Value[string](p, expression)
}

// Value runs an expression in the page; it works with JavaScript turned off, too.
func Value[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.Fatalf("reading the page: %v", err)
	}
	return v
}

// found is where an element is in the window; a message when there is none.
type found struct {
	X, Y    float64
	Problem string
}

// at finds an element by a function of find.js, scrolls it into view and returns its middle.
func (p *Page) at(function string, args ...string) (x, y float64) {
	p.t.Helper()
	words, err := json.Marshal(args)
	if err != nil {
		p.t.Fatal(err)
	}
	f := Value[found](p, "("+findJS+")("+quote(function)+", "+string(words)+")")
	if f.Problem != "" {
		p.Fatalf("%s %q: %s", function, args, f.Problem)
	}
	return f.X, f.Y
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always is JSON
	}
	return string(b)
}

// Follow clicks the link or button of that name and waits for the page behind it.
func (p *Page) Follow(name string) *Page {
	p.t.Helper()
	return p.followTo("action", name, http.StatusOK)
}

// Press clicks the button of that name, never a link, and waits for the page behind it.
func (p *Page) Press(name string) *Page {
	p.t.Helper()
	return p.followTo("button", name, http.StatusOK)
}

// Refused presses a button and expects the form back, with its problems.
func (p *Page) Refused(name string) *Page {
	p.t.Helper()
	return p.followTo("button", name, http.StatusUnprocessableEntity)
}

func (p *Page) followTo(what, name string, status int64) *Page {
	p.t.Helper()
	x, y := p.at(what, name)
	p.load("following "+name, status, chromedp.MouseClickXY(x, y))
	return p
}

// FollowIn does as Follow, within the innermost row, card or section that holds the text.
func (p *Page) FollowIn(text, name string) *Page {
	p.t.Helper()
	x, y := p.at("actionIn", text, name)
	p.load("following "+name+" of "+text, http.StatusOK, chromedp.MouseClickXY(x, y))
	return p
}

// Click clicks a link, button or summary that leads to no other page.
func (p *Page) Click(name string) *Page {
	p.t.Helper()
	x, y := p.at("action", name)
	p.do("clicking "+name, chromedp.MouseClickXY(x, y))
	return p
}

// Has reports whether the page has a button of that name.
func (p *Page) Has(name string) bool {
	p.t.Helper()
	return Value[bool](p, `Array.from(document.querySelectorAll("button")).some(function (b) { return b.getClientRects().length && b.textContent.trim() === `+quote(name)+`; })`)
}

// HasGroup reports whether the page has a group of fields whose legend begins so.
func (p *Page) HasGroup(legend string) bool {
	p.t.Helper()
	return Value[bool](p, `Array.from(document.querySelectorAll("legend")).some(function (l) { return l.textContent.trim().indexOf(`+quote(legend)+`) === 0; })`)
}

// FirstCard returns where the first card of the catalogue leads whose name is not the given one.
func (p *Page) FirstCard(but string) string {
	p.t.Helper()
	return p.eval(`(Array.from(document.querySelectorAll("article.card h2 a")).filter(function (a) { return a.textContent.indexOf(` + quote(but) + `) < 0; })[0] || {href: ""}).href`)
}

// Unfold opens the folded part of that name where the screen folds it.
func (p *Page) Unfold(name string) *Page {
	p.t.Helper()
	if Value[bool](p, `Array.from(document.querySelectorAll("details:not([open]) > summary")).some(function (s) { return s.getClientRects().length && s.textContent.indexOf(`+quote(name)+`) >= 0; })`) {
		p.Click(name)
	}
	return p
}

// Fill types a value into the field with that label, in place of what it held.
func (p *Page) Fill(label, value string) *Page {
	p.t.Helper()
	return p.fill("field", value, label)
}

// FillIn types into the field with that label in the group with that legend.
func (p *Page) FillIn(legend, label, value string) *Page {
	p.t.Helper()
	return p.fill("fieldIn", value, legend, label)
}

func (p *Page) fill(function, value string, args ...string) *Page {
	p.t.Helper()
	x, y := p.at(function, args...)
	p.do("typing into "+strings.Join(args, ", "), chromedp.MouseClickXY(x, y),
		chromedp.Evaluate[chromedp.Void](`document.activeElement.select && document.activeElement.select()`),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: value})
			return err
		}))
	if got := p.eval(`document.activeElement.value === undefined ? "" : document.activeElement.value`); got != value {
		p.Fatalf("typing %q into %q gives %q", value, args, got)
	}
	return p
}

// Date types a day (2006-01-02) into the three fields of the group with that legend.
func (p *Page) Date(legend, day string) *Page {
	p.t.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		p.t.Fatal(err)
	}
	p.FillIn(legend, "Jour", fmt.Sprint(d.Day()))
	p.FillIn(legend, "Mois", fmt.Sprint(int(d.Month())))
	return p.FillIn(legend, "Année", fmt.Sprint(d.Year()))
}

// Pick chooses an option of a list by its text.
func (p *Page) Pick(label, option string) *Page {
	p.t.Helper()
	p.at("pick", label, option)
	return p
}

// Tick clicks a box or radio button by its label.
func (p *Page) Tick(label string) *Page {
	p.t.Helper()
	x, y := p.at("box", "", label)
	p.do("ticking "+label, chromedp.MouseClickXY(x, y))
	return p
}

// Choose clicks a box or radio button in the group with that legend.
func (p *Page) Choose(legend, label string) *Page {
	p.t.Helper()
	x, y := p.at("box", legend, label)
	p.do("choosing "+label, chromedp.MouseClickXY(x, y))
	return p
}

// Text returns what the page says, as people see it, with plain spaces and apostrophes.
func (p *Page) Text() string {
	p.t.Helper()
	return plain(p.eval(`document.body.innerText`))
}

func plain(s string) string {
	return strings.ReplaceAll(spaces.ReplaceAllString(s, " "), "’", "'")
}

var spaces = regexp.MustCompile(`[\s\x{00A0}\x{202F}]+`)

// Says fails the test unless the page says every one of the texts; spaces of every kind are equal.
func (p *Page) Says(texts ...string) *Page {
	p.t.Helper()
	all := p.Text()
	for _, text := range texts {
		if !strings.Contains(strings.ToLower(all), strings.ToLower(plain(text))) {
			p.Fatalf("the page does not say %q", text)
		}
	}
	return p
}

// SaysNot fails the test when the page says one of the texts.
func (p *Page) SaysNot(texts ...string) *Page {
	p.t.Helper()
	all := p.Text()
	for _, text := range texts {
		if strings.Contains(strings.ToLower(all), strings.ToLower(plain(text))) {
			p.Fatalf("the page says %q", text)
		}
	}
	return p
}

// Until opens the page again until it says the text.
func (p *Page) Until(text string) *Page {
	p.t.Helper()
	err := house.Eventually(p.ctx, func(context.Context) error {
		if strings.Contains(p.Text(), plain(text)) {
			return nil
		}
		p.Goto(p.Address())
		return fmt.Errorf("the page does not say %q", text)
	})
	if err != nil {
		p.Fatalf("%v", err)
	}
	return p
}

// Comes waits until the page says the text by itself: nothing is clicked, and nobody opens it again.
func (p *Page) Comes(text string) *Page {
	p.t.Helper()
	err := house.Eventually(p.ctx, func(ctx context.Context) error {
		// While a page gives way to the next one there is nothing to read.
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState === "complete" ? document.body.innerText : ""`))
		if err == nil && !strings.Contains(plain(said), plain(text)) {
			err = fmt.Errorf("the page does not come to say %q", text)
		}
		return err
	})
	if err != nil {
		p.Fatalf("%v", err)
	}
	p.title = p.eval(`document.title`)
	return p
}

// Attach chooses a file for the field with that label.
func (p *Page) Attach(label, path string) *Page {
	p.t.Helper()
	p.at("file", label)
	p.do("choosing "+path, chromedp.SetUploadFiles(chromedp.CSS(p.eval(`"#" + CSS.escape(window.__found.id)`)), []string{path}))
	return p
}

// Address returns where the window is.
func (p *Page) Address() string {
	p.t.Helper()
	return p.eval(`location.href`)
}

// Path is the address without the server.
func (p *Page) Path() string {
	p.t.Helper()
	u, err := url.Parse(p.Address())
	if err != nil {
		p.t.Fatal(err)
	}
	return u.Path
}

// Link returns where the link of that name leads.
func (p *Page) Link(name string) string {
	p.t.Helper()
	p.at("action", name)
	return p.eval(`window.__found && window.__found.href || ""`)
}

// Download fetches an address with the window's cookies, as a click on a download does, and returns the file's type,
// name and bytes.
func (p *Page) Download(address string) (kind, disposition string, body []byte) {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.base + address
	}
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	cookies, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	if err != nil {
		p.Fatalf("reading the cookies: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range cookies.Cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatalf("downloading %s: %v", address, err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		p.Fatalf("downloading %s: %s, %v", address, resp.Status, err)
	}
	return resp.Header.Get("Content-Type"), resp.Header.Get("Content-Disposition"), body
}
