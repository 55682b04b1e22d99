package reports

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// ContentPDF is the media type of a PDF document.
const ContentPDF = "application/pdf"

// InvoicePDF draws an invoice from its frozen content alone: the same invoice gives the same bytes, whenever it is
// drawn. The content is also what the page of the invoice shows, which screen readers read better than an untagged PDF.
func InvoicePDF(inv ledger.Invoice) ([]byte, error) {
	d := &invoiceDrawing{p: newPDF(), c: inv.Content, loc: locale.For("fr")}
	at := inv.IssuedAt.UTC().Truncate(time.Second)
	d.p.SetCreationDate(at)
	d.p.SetModificationDate(at)
	d.p.SetTitle(inked(d.loc.T("reports.invoice.title_number", d.c.Number)), true)
	d.p.SetAuthor(inked(d.c.Commune.Name), true)
	d.p.SetCreator("Ribambelle", true)
	d.p.SetFooterFunc(d.footer)
	d.p.AddPage()
	d.parties()
	d.about()
	d.lines()
	d.settlement()
	var b bytes.Buffer
	if err := d.p.Output(&b); err != nil {
		return nil, fmt.Errorf("drawing invoice %s: %w", d.c.Number, err)
	}
	return b.Bytes(), nil
}

// Invoice returns the document of an invoice, drawn at the first call and the same bytes ever after; the caller has
// checked who asks. problem.KindNotFound without the invoice.
func (s *Store) Invoice(ctx context.Context, id uuid.UUID, actor audit.Actor) (File, error) {
	invoices := ledger.New(s.DB, s.Now)
	inv, err := invoices.Invoice(ctx, id)
	if err != nil {
		return File{}, err
	}
	f := File{Name: InvoiceFileName(inv), ContentType: ContentPDF}
	f.Body, err = invoices.InvoiceFile(ctx, id)
	if !problem.Is(err, problem.KindNotFound) {
		return f, err
	}
	drawn, err := InvoicePDF(inv)
	if err != nil {
		return File{}, err
	}
	if f.Body, err = invoices.KeepInvoiceFile(ctx, id, drawn); err != nil {
		return File{}, err
	}
	return f, audit.Record(ctx, s.DB, actor, "invoice.drawn", "invoice", id.String(), map[string]any{"bytes": len(f.Body)})
}

// InvoiceFileName returns the name under which an invoice is handed out: "facture-F-2026-00012.pdf".
func InvoiceFileName(inv ledger.Invoice) string {
	number := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' {
			return r
		}
		return '-'
	}, inv.Content.Number)
	return "facture-" + number + ".pdf"
}

type invoiceDrawing struct {
	p   *fpdf.Fpdf
	c   ledger.InvoiceContent
	loc *locale.Locale
}

// Measures of the page in millimetres. The payer's address lies where a window envelope with the window on the
// right shows it.
const (
	left, right   = 20.0, 190.0
	addressLeft   = 115.0
	addressTop    = 50.0
	bodyTop       = 92.0
	amountWidth   = 35.0
	lineHeight    = 5.0
	tableTextWide = right - left - amountWidth
)

func (d *invoiceDrawing) ink()   { d.p.SetTextColor(0x1B, 0x24, 0x26) }
func (d *invoiceDrawing) soft()  { d.p.SetTextColor(0x5A, 0x67, 0x6A) }
func (d *invoiceDrawing) brand() { d.p.SetTextColor(0x0F, 0x52, 0x57) }

func (d *invoiceDrawing) font(style string, size float64) { d.p.SetFont(fontName, style, size) }

// block writes non-empty lines below one another from (x, y), each folded in width, and returns the y below them.
func (d *invoiceDrawing) block(x, y, width float64, texts ...string) float64 {
	for _, t := range texts {
		if t = inked(t); t == "" {
			continue
		}
		d.p.SetXY(x, y)
		d.p.MultiCell(width, lineHeight, t, "", "L", false)
		y = d.p.GetY()
	}
	return y
}

func (d *invoiceDrawing) parties() {
	c := d.c
	d.font("B", 13)
	d.brand()
	y := d.block(left, 18, 90, c.Commune.Name)
	d.font("", 9)
	d.soft()
	var bce, phone string
	if c.BCE != "" {
		bce = d.loc.T("reports.invoice.bce", formatBCE(c.BCE))
	}
	if c.Phone != "" {
		phone = d.loc.T("reports.invoice.phone", d.loc.Phone(c.Phone))
	}
	d.block(left, y+1, 90, c.Commune.Street, c.Commune.City, bce, phone, c.Email)

	d.font("B", 20)
	d.brand()
	d.p.SetXY(addressLeft, 18)
	d.p.CellFormat(right-addressLeft, 9, inked(d.loc.T("reports.invoice.title")), "", 0, "L", false, 0, "")
	d.font("", 10)
	d.ink()
	d.block(addressLeft, 28, right-addressLeft, d.loc.T("reports.invoice.number", c.Number), d.loc.T("reports.invoice.date", c.IssuedOn))

	d.font("", 11)
	d.block(addressLeft, addressTop, right-addressLeft, c.Payer.Name, c.Payer.Street, c.Payer.City)
}

// about says for which child and camp the invoice is.
func (d *invoiceDrawing) about() {
	c := d.c
	y := bodyTop
	for _, row := range [][2]string{
		{"reports.invoice.child", c.Child},
		{"reports.invoice.camp", c.Camp},
		{"reports.invoice.period", d.period()},
	} {
		if row[1] == "" {
			continue
		}
		d.font("", 10)
		d.soft()
		d.p.SetXY(left, y)
		d.p.CellFormat(25, lineHeight, inked(d.loc.T(row[0])), "", 0, "L", false, 0, "")
		d.font("B", 10)
		d.ink()
		y = d.block(left+25, y, right-left-25, row[1]) + 1
	}
	d.p.SetY(y + 6)
}

func (d *invoiceDrawing) period() string {
	if d.c.FirstDay.IsZero() {
		return ""
	}
	period := d.loc.DayRange(d.c.FirstDay, d.c.LastDay)
	if d.c.Days > 0 {
		period += " (" + d.loc.N("reports.invoice.days", d.c.Days) + ")"
	}
	return period
}

func (d *invoiceDrawing) lines() {
	d.tableHead()
	for _, l := range d.c.Lines {
		d.font("", 10)
		label := inked(d.label(l))
		height := float64(max(1, len(d.p.SplitText(label, tableTextWide-2))))*lineHeight + 3
		if d.p.GetY()+height > 297-25 {
			d.p.AddPage()
			d.tableHead()
			d.font("", 10)
		}
		d.ink()
		y := d.p.GetY()
		d.p.SetXY(left, y+1.5)
		d.p.MultiCell(tableTextWide, lineHeight, label, "", "L", false)
		d.p.SetXY(right-amountWidth, y+1.5)
		d.p.CellFormat(amountWidth, lineHeight, inked(d.loc.Euros(l.Cents)), "", 0, "R", false, 0, "")
		d.rule(y+height, 0.2, 0xDF, 0xE3, 0xDF)
		d.p.SetY(y + height)
	}
	if d.p.GetY()+50 > 297-25 { // the total, how it is settled and the mention stay together
		d.p.AddPage()
	}
	y := d.p.GetY() + 2
	d.font("B", 12)
	d.ink()
	d.p.SetXY(left, y)
	d.p.CellFormat(tableTextWide, 8, inked(d.loc.T("reports.invoice.total")), "", 0, "L", false, 0, "")
	d.p.CellFormat(amountWidth, 8, inked(d.loc.Euros(d.c.Total)), "", 0, "R", false, 0, "")
	d.rule(y+9, 0.6, 0x0F, 0x52, 0x57)
	d.p.SetY(y + 16)
}

// label writes a line for people: its message filled with its arguments, or the words of a regulation as they stand.
func (d *invoiceDrawing) label(l ledger.InvoiceLine) string {
	if !d.loc.Has(l.Label) {
		return l.Label
	}
	args := make([]any, len(l.Args))
	for i, a := range l.Args {
		args[i] = a
	}
	return d.loc.T(l.Label, args...)
}

func (d *invoiceDrawing) tableHead() {
	d.font("B", 9)
	d.soft()
	d.p.SetX(left)
	d.p.CellFormat(tableTextWide, 6, inked(d.loc.T("reports.invoice.label")), "", 0, "L", false, 0, "")
	d.p.CellFormat(amountWidth, 6, inked(d.loc.T("reports.invoice.amount")), "", 1, "R", false, 0, "")
	d.rule(d.p.GetY(), 0.4, 0x0F, 0x52, 0x57)
}

func (d *invoiceDrawing) rule(y, width float64, r, g, b int) {
	d.p.SetDrawColor(r, g, b)
	d.p.SetLineWidth(width)
	d.p.Line(left, y, right, y)
}

// settlement says that the invoice is paid, or how to pay it, and the mention about VAT.
func (d *invoiceDrawing) settlement() {
	y := d.p.GetY()
	d.ink()
	if !d.c.PaidOn.IsZero() {
		d.font("B", 11)
		d.p.SetTextColor(0x1F, 0x7A, 0x4D)
		y = d.block(left, y, right-left, d.loc.T("reports.invoice.paid", d.c.PaidOn))
	} else {
		d.font("", 10)
		y = d.block(left, y, right-left, d.loc.T("reports.invoice.pay"))
		for _, row := range [][2]string{
			{"reports.invoice.iban", formatIBAN(d.c.IBAN)},
			{"reports.invoice.beneficiary", d.c.Commune.Name},
			{"reports.invoice.communication", d.c.Communication},
		} {
			if row[1] == "" {
				continue
			}
			d.font("", 10)
			d.p.SetXY(left, y+1)
			d.p.CellFormat(45, lineHeight, inked(d.loc.T(row[0])), "", 0, "L", false, 0, "")
			d.font("B", 10)
			y = d.block(left+45, y+1, right-left-45, row[1])
		}
	}
	d.font("", 9)
	d.soft()
	d.block(left, y+6, right-left, d.c.VATMention)
}

func (d *invoiceDrawing) footer() {
	d.p.SetY(-16)
	d.font("", 8)
	d.soft()
	d.p.SetX(left)
	d.p.CellFormat(130, lineHeight, inked(d.c.Commune.Name+" · "+d.loc.T("reports.invoice.title_number", d.c.Number)), "", 0, "L", false, 0, "")
	page := inked(d.loc.T("reports.page")) + " " + strconv.Itoa(d.p.PageNo()) + " / "
	d.p.SetX(right - d.p.GetStringWidth(page+"0")) // the number of pages is put in later
	d.p.CellFormat(20, lineHeight, page+"{nb}", "", 0, "L", false, 0, "")
}

// formatBCE writes an enterprise number as it is printed: 0207.354.920.
func formatBCE(s string) string {
	if len(s) != 10 || strings.Trim(s, "0123456789") != "" {
		return s
	}
	return s[:4] + "." + s[4:7] + "." + s[7:]
}

// formatIBAN groups an account number by four: BE15 0910 0000 0130.
func formatIBAN(s string) string {
	s = strings.ReplaceAll(s, " ", "")
	var b strings.Builder
	for i, r := range []byte(s) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(r)
	}
	return b.String()
}
