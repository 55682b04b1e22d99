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

// PictureOf returns the first element that the selector finds, as a PNG of what people see of it, with a margin.
func (p *Page) PictureOf(selector string) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	box := Value[struct{ X, Y, Width, Height float64 }](p, `(function () {
		var e = document.querySelector(`+quote(selector)+`), r = e ? e.getBoundingClientRect() : { left: 0, top: 0, width: 0, height: 0 };
		return { X: r.left + window.scrollX, Y: r.top + window.scrollY, Width: r.width, Height: r.height };
	})()`)
	if box.Width == 0 || box.Height == 0 {
		p.Fatalf("nobody sees %s on the page", selector)
	}
	const margin, scale = 8, 2
	beyond := true
	r, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{X: box.X - margin, Y: box.Y - margin, Width: box.Width + 2*margin, Height: box.Height + 2*margin, Scale: scale},
	})
	if err != nil {
		p.Fatalf("taking a picture of %s: %v", selector, err)
	}
	return r.Data
}
