// Package qrcode draws QR codes for pages and documents.
package qrcode

import (
	"encoding/base64"
	"fmt"
	"html"
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the white border in modules, as the standard asks.
const quiet = 4

// Level M restores about 15 % of a damaged code; EPC069-12 asks for it.
func encode(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code of %d bytes: %w", len(text), err)
	}
	return code, nil
}

// SVG returns a code as an inline SVG element without fixed size. Label is its text for screen readers. The label is
// escaped: the result is safe to put in a page.
func SVG(text, label string) (string, error) {
	code, err := encode(text)
	if err != nil {
		return "", err
	}
	size := code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" `+
		`shape-rendering="crispEdges"><rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`,
		size, size, html.EscapeString(label), size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

// PNG returns a code as an image with the given number of pixels for each module, border included.
func PNG(text string, scale int) ([]byte, error) {
	code, err := encode(text)
	if err != nil {
		return nil, err
	}
	code.Scale = max(scale, 1)
	return code.PNG(), nil
}

// DataURL returns a code as a PNG in a data: URL, for the src of an img.
func DataURL(text string) (string, error) {
	img, err := PNG(text, 6)
	if err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(img), nil
}
