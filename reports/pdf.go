package reports

import (
	_ "embed"
	"strings"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/text/unicode/norm"
)

//go:embed font/DejaVuSans.ttf
var fontRegular []byte

//go:embed font/DejaVuSans-Bold.ttf
var fontBold []byte

// fontName is the one family of our PDF documents; what is used of it is embedded in each file.
const fontName = "DejaVu"

// drawable are the characters that the embedded fonts hold (font/README.md).
var drawable = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x20, Hi: 0x7E, Stride: 1},
	{Lo: 0xA0, Hi: 0x24F, Stride: 1},
	{Lo: 0x259, Hi: 0x259, Stride: 1},
	{Lo: 0x2BB, Hi: 0x2BD, Stride: 1},
	{Lo: 0x2C6, Hi: 0x2C7, Stride: 1},
	{Lo: 0x2D8, Hi: 0x2DD, Stride: 1},
	{Lo: 0x300, Hi: 0x4FF, Stride: 1},
	{Lo: 0x1E00, Hi: 0x1EFF, Stride: 1},
	{Lo: 0x2010, Hi: 0x2015, Stride: 1},
	{Lo: 0x2018, Hi: 0x201E, Stride: 1},
	{Lo: 0x2020, Hi: 0x2022, Stride: 1},
	{Lo: 0x2026, Hi: 0x2026, Stride: 1},
	{Lo: 0x2030, Hi: 0x2030, Stride: 1},
	{Lo: 0x2032, Hi: 0x2033, Stride: 1},
	{Lo: 0x2039, Hi: 0x203A, Stride: 1},
	{Lo: 0x20AC, Hi: 0x20AC, Stride: 1},
	{Lo: 0x2116, Hi: 0x2116, Stride: 1},
	{Lo: 0x2122, Hi: 0x2122, Stride: 1},
	{Lo: 0x2190, Hi: 0x2193, Stride: 1},
	{Lo: 0x2212, Hi: 0x2212, Stride: 1},
	{Lo: 0x2713, Hi: 0x2713, Stride: 1},
}}

// inked keeps of s what the embedded fonts can draw, on one line: accents composed, other scripts as "?", nothing that
// the PDF writer cannot encode (it takes no character beyond U+FFFF and no broken UTF-8).
func inked(s string) string {
	s = norm.NFC.String(strings.ToValidUTF8(s, ""))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(drawable, r):
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return '?'
	}, s)
	return strings.Trim(s, " ")
}

// newPDF returns an A4 document in French with our fonts, in millimetres.
func newPDF() *fpdf.Fpdf {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetCatalogSort(true) // same content, same bytes
	p.AddUTF8FontFromBytes(fontName, "", fontRegular)
	p.AddUTF8FontFromBytes(fontName, "B", fontBold)
	p.SetLang("fr-BE")
	p.SetMargins(20, 18, 20)
	p.SetCellMargin(0)
	p.SetAutoPageBreak(true, 25)
	p.AliasNbPages("{nb}")
	return p
}
