package reports

import (
	"codeberg.org/go-pdf/fpdf"

	"ribambelle/internal/locale"
)

// pen draws on a page with the fonts and colours of our documents; measures are millimetres.
type pen struct {
	p   *fpdf.Fpdf
	loc *locale.Locale
}

func (d pen) ink()                            { d.p.SetTextColor(0x1B, 0x24, 0x26) }
func (d pen) soft()                           { d.p.SetTextColor(0x5A, 0x67, 0x6A) }
func (d pen) brand()                          { d.p.SetTextColor(0x0F, 0x52, 0x57) }
func (d pen) font(style string, size float64) { d.p.SetFont(fontName, style, size) }

// words writes a text folded in width from (x, y) and returns the y below it; "" takes no place.
func (d pen) words(x, y, width, height float64, text string) float64 {
	if text = inked(text); text == "" {
		return y
	}
	d.p.SetXY(x, y)
	d.p.MultiCell(width, height, text, "", "L", false)
	return d.p.GetY()
}

// cell writes one line in a box, aligned L, C or R, made smaller until it fits.
func (d pen) cell(x, y, width, height float64, text, align string) {
	text = inked(text)
	size, _ := d.p.GetFontSize()
	for s := size; s > 5 && d.p.GetStringWidth(text) > width; s -= 0.5 {
		d.p.SetFontSize(s)
	}
	d.p.SetXY(x, y)
	d.p.CellFormat(width, height, text, "", 0, align, false, 0, "")
	d.p.SetFontSize(size)
}

// pair writes a label and, beside it, a value, and returns the y below.
func (d pen) pair(x, y, labelWidth, width float64, label, value string) float64 {
	d.font("", 8.5)
	d.soft()
	d.cell(x, y, labelWidth-1, 4.6, label, "L")
	d.font("B", 9)
	d.ink()
	return max(y+4.6, d.words(x+labelWidth, y, width-labelWidth, 4.6, value))
}

// tick draws a box to tick, crossed when it is.
func (d pen) tick(x, y float64, on bool) {
	d.p.SetDrawColor(0x1B, 0x24, 0x26)
	d.p.SetLineWidth(0.3)
	d.p.Rect(x, y, 3.2, 3.2, "D")
	if on {
		d.p.SetLineWidth(0.5)
		d.p.Line(x+0.6, y+0.6, x+2.6, y+2.6)
		d.p.Line(x+2.6, y+0.6, x+0.6, y+2.6)
	}
}

// line draws a rule between two points.
func (d pen) line(x1, y1, x2, y2, width float64) {
	d.p.SetDrawColor(0x8A, 0x96, 0x98)
	d.p.SetLineWidth(width)
	d.p.Line(x1, y1, x2, y2)
}

// frame draws the border of a part of a form.
func (d pen) frame(y, height float64) {
	d.p.SetDrawColor(0x0F, 0x52, 0x57)
	d.p.SetLineWidth(0.4)
	d.p.Rect(formLeft, y, formRight-formLeft, height, "D")
}
