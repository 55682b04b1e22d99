package browser

import (
	"context"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Picture returns the page as a PNG, from its top down to at most that many pixels.
func (p *Page) Picture(most float64) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	height := min(Value[float64](p, `(window.scrollTo(0, 0), document.documentElement.scrollHeight)`), most)
	beyond := true
	r, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{Width: float64(p.screen.Width), Height: height, Scale: 1},
	})
	if err != nil {
		p.Fatalf("taking a picture: %v", err)
	}
	return r.Data
}
