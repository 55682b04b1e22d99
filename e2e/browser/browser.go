// Package browser drives a real Chromium for the journeys: pages are found and acted on by what people see, labels and
// words, and every page that is checked is measured for accessibility, weight and width.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Browser is one Chromium with an empty profile of its own.
type Browser struct{ ctx context.Context }

// The two sizes at which people meet the portal.
var (
	Phone   = Screen{390, 844, true}
	Desktop = Screen{1280, 900, false}
)

// Screen is the size of a window in CSS pixels.
type Screen struct {
	Width, Height int64
	Touch         bool
}

// find returns the browser to run; a missing one fails the test and says what to install.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the journeys need Chromium: run scripts/install.sh test, or apt-get install chromium fonts-dejavu-core")
}

// Open starts a browser that ends with the test.
func Open(t testing.TB) *Browser {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ribambelle-e2e-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "fr-BE"),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() {
		cancel()
		end()
		// Its last children may still write for a moment.
		for range 50 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return &Browser{ctx}
}

// Page is one person's window: cookies of its own, one tab.
type Page struct {
	t      testing.TB
	ctx    context.Context
	base   string
	screen Screen
	script bool
	title  string // of the last page, for messages
}

// Person opens a window on the portal at base for somebody who has never been there.
func (b *Browser) Person(t testing.TB, base string, s Screen) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first action
		t.Fatalf("opening a window: %v", err)
	}
	p := &Page{t: t, ctx: ctx, base: base, screen: s, script: true}
	p.Resize(s)
	return p
}

// Resize gives the window another size.
func (p *Page) Resize(s Screen) {
	p.t.Helper()
	p.screen = s
	options := []chromedp.EmulateViewportOption{}
	if s.Touch {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do("resizing", chromedp.EmulateViewport(s.Width, s.Height, options...))
}

// NoScript turns JavaScript off in the pages that follow.
func (p *Page) NoScript() {
	p.t.Helper()
	p.script = false
	p.do("turning JavaScript off", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}
