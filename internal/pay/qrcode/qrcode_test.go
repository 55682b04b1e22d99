package qrcode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

const text = "https://example.test/payer/tr_7UhSN1zuXS"

// TestSVGMatchesMatrix rebuilds the matrix from the drawn path.
func TestSVGMatchesMatrix(t *testing.T) {
	t.Parallel()
	svg, err := SVG(text, `Code <à> "scanner"`)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	drawn := make(map[[2]int]bool)
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-\d+z`).FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		run, _ := strconv.Atoi(m[3])
		for i := range run {
			drawn[[2]int{x + i - quiet, y - quiet}] = true
		}
	}
	for y := -1; y <= code.Size; y++ {
		for x := -1; x <= code.Size; x++ {
			if code.Black(x, y) != drawn[[2]int{x, y}] {
				t.Fatalf("module %d,%d differs", x, y)
			}
		}
	}
	if !strings.Contains(svg, `aria-label="Code &lt;à&gt; &#34;scanner&#34;"`) || !strings.Contains(svg, `role="img"`) {
		t.Errorf("the code has no escaped text for screen readers: %.200s", svg)
	}
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
	}
}

func TestPNG(t *testing.T) {
	t.Parallel()
	raw, err := PNG(text, 3)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	code, _ := qr.Encode(text, qr.M)
	if got, want := img.Bounds().Dx(), (code.Size+2*quiet)*3; got != want {
		t.Errorf("the image is %d pixels wide, want %d", got, want)
	}
	src, err := DataURL(text)
	if err != nil || !strings.HasPrefix(src, "data:image/png;base64,iVBOR") {
		t.Errorf("DataURL = %.40s, %v", src, err)
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	if _, err := SVG(strings.Repeat("x", 4000), ""); err == nil {
		t.Error("a text beyond any QR code is drawn")
	}
	if _, err := DataURL(strings.Repeat("x", 4000)); err == nil {
		t.Error("a text beyond any QR code has a data URL")
	}
}
