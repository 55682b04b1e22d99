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
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// ContentPDF is the media type of a PDF document.
const ContentPDF = "application/pdf"

// InvoicePDF draws an invoice from its frozen content alone, in the language it was issued in: the same invoice gives
// the same bytes, whenever it is drawn. The content is also what the page of the invoice shows, which screen readers
// read better than an untagged PDF.
func InvoicePDF(inv ledger.Invoice) ([]byte, error) { return documentPDF(inv.Content, inv.IssuedAt) }

// CreditNotePDF draws a credit note as InvoicePDF draws an invoice.
func CreditNotePDF(note ledger.CreditNote) ([]byte, error) {
	return documentPDF(note.Content, note.IssuedAt)
}

func documentPDF(c ledger.InvoiceContent, issued time.Time) ([]byte, error) {
	return documentsPDF([]ledger.InvoiceContent{c}, issued)
}

// documentsPDF draws documents one after the other, each on its own pages.
func documentsPDF(all []ledger.InvoiceContent, issued time.Time) ([]byte, error) {
	c := all[0]
	d := &invoiceDrawing{p: newPDF(), c: c, loc: locale.For(c.Lang)}
	at := issued.UTC().Truncate(time.Second)
	d.p.SetLang(d.loc.Lang() + "-BE")
	d.p.SetCreationDate(at)
	d.p.SetModificationDate(at)
	d.p.SetTitle(inked(d.title()+" "+c.Number), true)
	d.p.SetAuthor(inked(c.Commune.Name), true)
	d.p.SetCreator("Ribambelle", true)
	d.p.SetFooterFunc(d.footer)
	for _, d.c = range all {
		d.p.AddPage()
		d.parties()
		d.about()
		d.words()
		d.lines()
		d.settlement()
		d.legal()
	}
	var b bytes.Buffer
	if err := d.p.Output(&b); err != nil {
		return nil, fmt.Errorf("drawing document %s: %w", c.Number, err)
	}
	return b.Bytes(), nil
}

// InvoiceTitle is what a document is called: invoice, invitation to pay or credit note, in the language of l.
func InvoiceTitle(l *locale.Locale, c ledger.InvoiceContent) string {
	switch {
	case c.Credits != "":
		return l.T("reports.invoice.title_credit")
	case c.Called == ledger.CalledReminder, c.Called == ledger.CalledNotice, c.Called == ledger.CalledRecovery, c.Account():
		return l.T("reports.invoice.title_" + c.Called)
	case c.Called == ledger.CalledInvitation:
		return l.T("reports.invoice.title_invitation")
	}
	return l.T("reports.invoice.title")
}

func (d *invoiceDrawing) title() string {
	if d.c.Account() {
		return InvoiceTitle(d.loc, d.c) + " " + d.c.Reference
	}
	return InvoiceTitle(d.loc, d.c)
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

// CreditNote returns the document of a credit note as Invoice returns that of an invoice.
func (s *Store) CreditNote(ctx context.Context, id uuid.UUID, actor audit.Actor) (File, error) {
	documents := ledger.New(s.DB, s.Now)
	note, err := documents.CreditNote(ctx, id)
	if err != nil {
		return File{}, err
	}
	f := File{Name: CreditNoteFileName(note), ContentType: ContentPDF}
	f.Body, err = documents.CreditNoteFile(ctx, id)
	if !problem.Is(err, problem.KindNotFound) {
		return f, err
	}
	drawn, err := CreditNotePDF(note)
	if err != nil {
		return File{}, err
	}
	if f.Body, err = documents.KeepCreditNoteFile(ctx, id, drawn); err != nil {
		return File{}, err
	}
	return f, audit.Record(ctx, s.DB, actor, "credit_note.drawn", "credit_note", id.String(), map[string]any{"bytes": len(f.Body)})
}

// InvoiceFileName returns the name under which an invoice is handed out: "facture-F-2026-00012.pdf".
func InvoiceFileName(inv ledger.Invoice) string {
	return "facture-" + fileWord(inv.Content.Number) + ".pdf"
}

// CreditNoteFileName returns the name under which a credit note is handed out: "note-de-credit-NC-2026-00003.pdf".
func CreditNoteFileName(note ledger.CreditNote) string {
	return "note-de-credit-" + fileWord(note.Content.Number) + ".pdf"
}

// fileWord keeps of s what may stand in every file name and header.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' {
			return r
		}
		return '-'
	}, s)
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
	wordWidth     = 38.0
	payWidth      = 52.0 // « À payer au plus tard le »
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
	if w := d.p.GetStringWidth(inked(d.title())); w > right-addressLeft { // « Zahlungsaufforderung »
		d.font("B", 20*(right-addressLeft)/w)
	}
	d.brand()
	d.p.SetXY(addressLeft, 18)
	d.p.CellFormat(right-addressLeft, 9, inked(d.title()), "", 0, "L", false, 0, "")
	d.font("", 10)
	d.ink()
	var number string
	if c.Number != "" {
		number = d.loc.T("reports.invoice.number", c.Number)
	}
	d.block(addressLeft, 28, right-addressLeft, number, d.loc.T("reports.invoice.date", c.IssuedOn))

	d.font("", 11)
	var payerBCE string
	if c.PayerBCE != "" {
		payerBCE = d.loc.T("reports.invoice.bce", formatBCE(c.PayerBCE))
	}
	d.block(addressLeft, addressTop, right-addressLeft, c.Payer.Name, c.Payer.Street, c.Payer.City, payerBCE)
}

// about says for which child and camp the invoice is.
func (d *invoiceDrawing) about() {
	c := d.c
	y := bodyTop
	for _, row := range [][2]string{
		{"reports.invoice.child", c.Child},
		{"reports.invoice.camp", c.Camp},
		{"reports.invoice.period", d.period()},
		{"reports.invoice.month", d.month()},
		{"reports.invoice.reference", d.reference()},
		{"reports.invoice.credits", d.credits()},
		{"reports.invoice.reason", label(d.loc, ledger.InvoiceLine{Label: c.Reason})},
	} {
		if row[1] == "" {
			continue
		}
		d.font("", 10)
		d.soft()
		d.p.SetXY(left, y)
		d.p.CellFormat(wordWidth, lineHeight, inked(d.loc.T(row[0])), "", 0, "L", false, 0, "")
		d.font("B", 10)
		d.ink()
		y = d.block(left+wordWidth, y, right-left-wordWidth, row[1]) + 1
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

// month is what an organisation is invoiced for at once.
func (d *invoiceDrawing) month() string {
	if !d.c.Group() {
		return ""
	}
	return d.loc.T("reports.invoice.month_name", d.loc.Month(d.c.Month.Month), d.c.Month.Year)
}

// words writes what a reminder says before the amounts.
func (d *invoiceDrawing) words() {
	if len(d.c.Words) == 0 {
		return
	}
	d.font("", 10)
	d.ink()
	y := d.p.GetY()
	for _, paragraph := range d.c.Words {
		y = d.block(left, y, right-left, paragraph) + 2
	}
	d.p.SetY(y + 4)
}

// reference is what an organisation asked to print; an account has its year there, which its title says.
func (d *invoiceDrawing) reference() string {
	if d.c.Account() {
		return ""
	}
	return d.c.Reference
}

// credits names the invoice that a credit note takes back.
func (d *invoiceDrawing) credits() string {
	if d.c.Credits == "" {
		return ""
	}
	return d.loc.T("reports.invoice.credits_of", d.c.Credits, d.c.CreditsOf)
}

func (d *invoiceDrawing) lines() {
	d.tableHead()
	for _, l := range d.c.Lines {
		d.font("", 10)
		text := inked(label(d.loc, l))
		height := float64(max(1, len(d.p.SplitText(text, tableTextWide-2))))*lineHeight + 3
		if d.p.GetY()+height > 297-25 {
			d.p.AddPage()
			d.tableHead()
			d.font("", 10)
		}
		d.ink()
		y := d.p.GetY()
		d.p.SetXY(left, y+1.5)
		d.p.MultiCell(tableTextWide, lineHeight, text, "", "L", false)
		d.p.SetXY(right-amountWidth, y+1.5)
		d.p.CellFormat(amountWidth, lineHeight, inked(d.loc.Euros(l.Cents)), "", 0, "R", false, 0, "")
		d.rule(y+height, 0.2, 0xDF, 0xE3, 0xDF)
		d.p.SetY(y + height)
	}
	if d.p.GetY()+50 > 297-25 { // the total, how it is settled and the mention stay together
		d.p.AddPage()
	}
	y := d.p.GetY() + 2
	if d.c.Whole != 0 {
		d.font("", 10)
		d.ink()
		y = d.sum(y, 6, d.loc.T("reports.invoice.whole"), d.c.Whole)
	}
	d.font("B", 12)
	d.ink()
	y = d.sum(y, 8, d.loc.T(d.c.TotalLabel()), d.c.Total)
	if d.c.Paid > 0 {
		d.font("", 10)
		y = d.sum(y, 6, d.loc.T("reports.invoice.paid_part"), -d.c.Paid)
		d.font("B", 12)
		y = d.sum(y, 8, d.loc.T("reports.invoice.left"), d.c.Total-d.c.Paid)
	}
	d.rule(y+1, 0.6, 0x0F, 0x52, 0x57)
	d.p.SetY(y + 8)
}

// sum writes an amount below the table at y and returns the y below it.
func (d *invoiceDrawing) sum(y, height float64, text string, cents civil.Cents) float64 {
	d.p.SetXY(left, y)
	d.p.CellFormat(tableTextWide, height, inked(text), "", 0, "L", false, 0, "")
	d.p.CellFormat(amountWidth, height, inked(d.loc.Euros(cents)), "", 0, "R", false, 0, "")
	return y + height
}

// label writes a line for people: its message filled with its arguments, or the words of a regulation as they stand.
func label(loc *locale.Locale, l ledger.InvoiceLine) string {
	if words := loc.T(l.Label); l.Label == "" || words == l.Label {
		return l.Label
	}
	args := make([]any, len(l.Args))
	for i, a := range l.Args {
		args[i] = a
	}
	return loc.T(l.Label, args...)
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

// settlement says that the document is paid, or how and until when to pay it; of a credit note what becomes of the sum.
func (d *invoiceDrawing) settlement() {
	y := d.p.GetY()
	d.ink()
	switch {
	case d.c.Account():
	case d.c.Credits != "":
		d.font("", 10)
		y = d.block(left, y, right-left, d.loc.T("reports.invoice.credit_text"))
	case !d.c.PaidOn.IsZero():
		d.font("B", 11)
		d.p.SetTextColor(0x1F, 0x7A, 0x4D)
		y = d.block(left, y, right-left, d.loc.T("reports.invoice.paid", d.c.PaidOn))
	default:
		y = d.howToPay(y)
	}
	d.p.SetY(y)
}

func (d *invoiceDrawing) howToPay(y float64) float64 {
	d.font("", 10)
	y = d.block(left, y, right-left, d.loc.T("reports.invoice.pay"))
	rows := [][2]string{
		{d.loc.T("reports.invoice.iban"), formatIBAN(d.c.IBAN)},
		{d.loc.T("reports.invoice.beneficiary"), d.c.Commune.Name},
		{d.loc.T("reports.invoice.communication"), d.c.Communication},
		{d.loc.T("reports.invoice.pay_by"), d.loc.Day(d.c.PayBy)},
	}
	for _, part := range d.c.Instalments {
		rows = append(rows, [2]string{d.loc.T("reports.invoice.instalment"), d.loc.T("reports.invoice.instalment_by", part.Cents, part.On)})
	}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		d.font("", 10)
		d.p.SetXY(left, y+1)
		d.p.CellFormat(payWidth, lineHeight, inked(row[0]), "", 0, "L", false, 0, "")
		d.font("B", 10)
		y = d.block(left+payWidth, y+1, right-left-payWidth, row[1])
	}
	return y
}

// legal prints the mention about VAT and the commune's texts, on the next page when they do not fit.
func (d *invoiceDrawing) legal() {
	d.font("", 8.5)
	d.soft()
	d.p.SetY(d.p.GetY() + 6)
	for _, text := range append([]string{d.c.VATMention}, d.c.Legal...) {
		if text = inked(text); text == "" {
			continue
		}
		d.p.SetX(left)
		d.p.MultiCell(right-left, 4.2, text, "", "L", false)
		d.p.SetY(d.p.GetY() + 1.5)
	}
}

func (d *invoiceDrawing) footer() {
	d.p.SetY(-16)
	d.font("", 8)
	d.soft()
	d.p.SetX(left)
	d.p.CellFormat(130, lineHeight, inked(d.c.Commune.Name+" · "+d.title()+" "+d.c.Number), "", 0, "L", false, 0, "")
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
