package reports

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// Edges of the forms in millimetres.
const (
	formLeft, formRight = 15.0, 195.0
	formInside          = formLeft + 4
	formWide            = formRight - formLeft - 8
)

// Attestation returns the document of an attestation, drawn at the first call and the same bytes ever after; the caller
// has checked who asks. problem.KindNotFound without the attestation.
func Attestation(ctx context.Context, store *ledger.Attestations, id uuid.UUID, actor audit.Actor) (File, error) {
	a, err := store.Attestation(ctx, id)
	if err != nil {
		return File{}, err
	}
	f := File{Name: AttestationFileName(a), ContentType: ContentPDF}
	f.Body, err = store.File(ctx, id)
	if !problem.Is(err, problem.KindNotFound) {
		return f, err
	}
	debtor, child, err := store.Numbers(a)
	if err != nil {
		return File{}, err
	}
	drawn, err := AttestationPDF(a, debtor, child)
	if err != nil {
		return File{}, err
	}
	f.Body, err = store.KeepFile(ctx, actor, id, drawn)
	return f, err
}

// AttestationFileName returns the name under which an attestation is handed out: "attestation-ATT-2025-00012.pdf".
func AttestationFileName(a ledger.Attestation) string {
	return "attestation-" + fileWord(a.Content.Reference) + ".pdf"
}

// AttestationPDF draws an attestation from its frozen content and the national numbers that it seals: the same
// attestation gives the same bytes. The fields of the 281.86 are those of the model of the Moniteur belge of 27 January
// 2022, in its order.
func AttestationPDF(a ledger.Attestation, debtor, child household.NationalNumber) ([]byte, error) {
	d := attestationDrawing{pen: pen{p: newPDF(), loc: locale.For("fr")}, a: a, c: a.Content, debtor: debtor, child: child}
	at := a.IssuedAt.UTC().Truncate(time.Second)
	d.p.SetCreationDate(at)
	d.p.SetModificationDate(at)
	d.p.SetAuthor(inked(d.c.Organiser.Name), true)
	d.p.SetCreator("Ribambelle", true)
	d.p.SetMargins(formLeft, 14, 210-formRight)
	d.p.SetAutoPageBreak(false, 0)
	d.p.SetFooterFunc(d.footer)
	d.p.SetTitle(inked(d.title()), true)
	d.p.AddPage()
	if a.Series == ledger.SeriesMutuelle {
		d.mutuelle()
	} else {
		d.fiscal()
	}
	var b bytes.Buffer
	if err := d.p.Output(&b); err != nil {
		return nil, fmt.Errorf("drawing attestation %s: %w", d.c.Reference, err)
	}
	return b.Bytes(), nil
}

type attestationDrawing struct {
	pen
	a             ledger.Attestation
	c             ledger.AttestationContent
	debtor, child household.NationalNumber
}

func (d attestationDrawing) title() string {
	if d.a.Series == ledger.SeriesMutuelle {
		return d.loc.T("reports.mutuelle.title", d.c.Reference)
	}
	return d.loc.T("reports.attestation.title", strconv.Itoa(d.a.Year))
}

func (d attestationDrawing) fiscal() {
	y := d.head()
	y = d.part(y, "reports.attestation.part1", d.certifier) + 3
	d.part(y, "reports.attestation.part2", d.care)
}

// head writes the title, the sentence of the royal decree and the organiser.
func (d attestationDrawing) head() float64 {
	d.font("B", 13.5)
	d.brand()
	d.p.SetXY(formLeft, 14)
	d.p.CellFormat(formRight-formLeft, 7, inked(d.title()), "", 0, "C", false, 0, "")
	d.font("", 8.5)
	d.ink()
	y := d.words(formLeft, 23, formRight-formLeft, 4, d.loc.T("reports.attestation.decree"))
	d.font("B", 9)
	y = d.words(formLeft, y+3, formRight-formLeft, 4.6, d.loc.T("reports.attestation.organiser"))
	return d.body(formLeft, y+1, d.c.Organiser) + 3
}

// body writes who an organisation is.
func (d attestationDrawing) body(x, y float64, b ledger.AttestationBody) float64 {
	width := formRight - x - 4
	y = d.pair(x, y, 34, width, d.loc.T("reports.attestation.name"), b.Name)
	y = d.pair(x, y, 34, width, d.loc.T("reports.attestation.bce"), formatBCE(b.BCE))
	return d.pair(x, y, 34, width, d.loc.T("reports.attestation.address"), strings.Trim(b.Street+", "+b.Town(), ", "))
}

// part frames what draw writes below a heading and returns the y below the frame.
func (d attestationDrawing) part(y float64, key string, draw func(y float64) float64) float64 {
	d.font("B", 10)
	d.brand()
	d.words(formInside, y+2, formWide, 5, d.loc.T(key))
	end := draw(y+8.5) + 2
	d.frame(y, end-y)
	return end
}

// certifier is cadre I: who authorises the care.
func (d attestationDrawing) certifier(y float64) float64 {
	d.font("", 8.5)
	d.ink()
	y = d.words(formInside, y, formWide, 4, d.loc.T("reports.attestation.certified")) + 1
	for code := 1; code <= 4; code++ {
		d.tick(formInside+1, y+0.6, d.c.Certification == code)
		d.font("", 8.5)
		y = d.words(formInside+7, y, formWide-7, 4.2, d.loc.T("reports.attestation.certified_"+strconv.Itoa(code))) + 0.6
	}
	if !d.c.ValidFrom.IsZero() || !d.c.ValidUntil.IsZero() {
		y = d.words(formInside, y+0.5, formWide, 4.2, d.loc.T("reports.attestation.valid", d.loc.DayNumeric(d.c.ValidFrom), d.loc.DayNumeric(d.c.ValidUntil)))
	}
	if d.c.Certification == 0 {
		return d.words(formInside, y+0.5, formWide, 4.2, d.loc.T("reports.attestation.not_applicable"))
	}
	return d.body(formInside, y+1, d.c.Certifier)
}

// care is cadre II: for whom, when and how much.
func (d attestationDrawing) care(y float64) float64 {
	l := d.loc
	y = d.pair(formInside, y, 62, formWide, l.T("reports.attestation.number"), d.c.Reference)
	if d.c.Replaces != "" {
		key := "reports.attestation.replaces"
		if d.a.Void() {
			key = "reports.attestation.withdraws"
		}
		d.font("B", 8.5)
		y = d.words(formInside, y, formWide, 4.4, l.T(key, d.c.Replaces))
	}
	y = d.person(y+2, "reports.attestation.debtor", d.c.Debtor, d.debtor)
	y = d.person(y+2, "reports.attestation.child", d.c.Child, d.child)
	d.font("B", 9)
	d.ink()
	y = d.words(formInside, y+2, formWide, 4.6, l.T("reports.attestation.periods")) + 1
	if !d.a.Void() {
		y = d.table(y)
	}
	d.font("", 8.5)
	y = d.words(formInside, y+3, formWide, 4.2, l.T("reports.attestation.confirms"))
	return d.signature(y+2, false)
}

func (d attestationDrawing) person(y float64, key string, p ledger.AttestationPerson, n household.NationalNumber) float64 {
	l := d.loc
	d.font("B", 9)
	d.ink()
	y = d.words(formInside, y, formWide, 4.6, l.T(key)) + 0.5
	half := formWide / 2
	d.pair(formInside, y, 26, half-2, l.T("reports.attestation.last_name"), p.LastName)
	below := d.p.GetY()
	y2 := d.pair(formInside+half, y, 26, half, l.T("reports.attestation.first_name"), p.FirstName)
	y = max(y+4.6, below, y2)
	number := formatNumber(n)
	if number == "" {
		number = l.T("reports.attestation.unknown")
	}
	d.pair(formInside, y, 56, half+16, l.T("reports.attestation.national_number"), number)
	if !p.BirthDate.IsZero() {
		d.pair(formInside+half+20, y, 26, half-20, l.T("reports.attestation.birth_date"), l.DayNumeric(p.BirthDate))
	}
	y += 4.6
	return d.pair(formInside, y, 26, formWide, l.T("reports.attestation.address"), strings.Trim(p.Street+", "+p.Town(), ", "))
}

// periodColumns are the widths of the table of periods; they fill formWide.
var periodColumns = []float64{12, 32, 32, 26, 32, 38}

// table draws the four periods, empty ones too, and the total.
func (d attestationDrawing) table(y float64) float64 {
	const row = 6.2
	l := d.loc
	write := func(y float64, cells ...string) {
		x := formInside
		for i, text := range cells {
			align := "C"
			if i >= 4 {
				align = "R"
			}
			d.cell(x+1, y, periodColumns[i]-2, row, text, align)
			x += periodColumns[i]
		}
	}
	top := y
	d.font("B", 8)
	d.soft()
	write(y, "", l.T("reports.attestation.from"), l.T("reports.attestation.until"), l.T("reports.attestation.days"), l.T("reports.attestation.tariff"), l.T("reports.attestation.amount"))
	d.font("", 9)
	d.ink()
	for i := range ledger.MostLines {
		y += row
		d.line(formInside, y, formInside+formWide, y, 0.2)
		cells := []string{l.T("reports.attestation.period", i+1), "", "", "", "", ""}
		if i < len(d.c.Lines) {
			v := d.c.Lines[i]
			cells = []string{cells[0], l.DayNumeric(v.From), l.DayNumeric(v.Until), strconv.Itoa(v.Days), "", l.Euros(v.Cents)}
			if v.Tariff > 0 {
				cells[4] = l.Euros(v.Tariff)
			}
		}
		write(y, cells...)
	}
	y += row
	d.line(formInside, y, formInside+formWide, y, 0.5)
	d.font("B", 9.5)
	d.cell(formInside+1, y, formWide-periodColumns[5]-2, row, l.T("reports.attestation.total"), "R")
	d.cell(formInside+formWide-periodColumns[5]+1, y, periodColumns[5]-2, row, l.Euros(d.a.TotalCents), "R")
	y += row
	x := formInside
	for _, w := range periodColumns[:5] {
		x += w
		d.line(x, top, x, y-row, 0.2)
	}
	d.line(formInside+formWide-periodColumns[5], y-row, formInside+formWide-periodColumns[5], y, 0.2)
	d.line(formInside, top, formInside, y, 0.2)
	d.line(formInside+formWide, top, formInside+formWide, y, 0.2)
	d.line(formInside, top, formInside+formWide, top, 0.2)
	d.line(formInside, y, formInside+formWide, y, 0.2)
	return y
}

// signature says where, when and who; a health fund wants room for a stamp.
func (d attestationDrawing) signature(y float64, stamp bool) float64 {
	l := d.loc
	y = d.pair(formInside, y, 34, formWide, l.T("reports.attestation.done"), l.T("reports.attestation.done_at", d.c.Organiser.City, l.DayNumeric(d.c.IssuedOn)))
	y = d.pair(formInside, y, 34, formWide, l.T("reports.attestation.signatory"), d.c.Signatory)
	y = d.pair(formInside, y, 34, formWide, l.T("reports.attestation.capacity"), d.c.Capacity)
	sign := l.T("reports.attestation.electronic")
	if stamp {
		sign = l.T("reports.mutuelle.sign")
	}
	if d.c.Proxy {
		sign = l.T("reports.attestation.proxy") + " " + sign
	}
	return d.pair(formInside, y, 34, formWide, l.T("reports.attestation.signature"), sign)
}

func (d attestationDrawing) footer() {
	d.font("", 7.5)
	d.soft()
	d.cell(formLeft, 287, 120, 4, d.c.Organiser.Name+" · "+d.c.Reference, "L")
	d.cell(formRight-60, 287, 60, 4, d.loc.T("reports.page")+" 1 / 1", "R")
}

// formatNumber writes a national number as it is printed: 85.07.30-033.28; "" for none.
func formatNumber(n household.NationalNumber) string {
	s := n.Digits()
	if len(s) != 11 {
		return ""
	}
	return s[:2] + "." + s[2:4] + "." + s[4:6] + "-" + s[6:9] + "." + s[9:]
}
