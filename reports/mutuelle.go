package reports

import (
	"strconv"
	"strings"
)

// mutuelle draws the attestation for a health fund. There is no common official form: these are the fields that the
// funds ask for, with room for the sticker, the stamp and the account.
func (d attestationDrawing) mutuelle() {
	l, m := d.loc, d.c.Mutuelle
	d.font("B", 15)
	d.brand()
	y := d.words(formLeft, 16, formRight-formLeft, 7, l.T("reports.mutuelle.heading"))
	d.font("", 9.5)
	d.soft()
	y = d.words(formLeft, y+1, formRight-formLeft, 4.6, l.T("reports.mutuelle.number", d.c.Reference))
	if d.c.Replaces != "" {
		y = d.words(formLeft, y, formRight-formLeft, 4.6, l.T("reports.attestation.replaces", d.c.Replaces))
	}
	y = d.part(y+4, "reports.mutuelle.organiser", func(y float64) float64 {
		y = d.body(formInside, y, d.c.Organiser)
		if m.ONE != "" {
			y = d.pair(formInside, y, 34, formWide, l.T("reports.mutuelle.one"), m.ONE)
		}
		return d.pair(formInside, y, 34, formWide, l.T("reports.mutuelle.contact"), strings.Trim(l.Phone(m.Phone)+" · "+m.Email, " ·"))
	}) + 4
	y = d.part(y, "reports.mutuelle.child", func(y float64) float64 {
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.child_name"), d.c.Child.Name())
		y = d.pair(formInside, y, 52, formWide, l.T("reports.attestation.birth_date"), l.DayNumeric(d.c.Child.BirthDate))
		number := formatNumber(d.child)
		if number == "" {
			number = "......................................"
		}
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.niss"), number)
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.holder"), d.c.Debtor.Name())
		y = d.pair(formInside, y, 52, formWide, l.T("reports.attestation.address"), strings.Trim(d.c.Debtor.Street+", "+d.c.Debtor.Town(), ", "))
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.account"), "BE ...... ............ ............ ............")
		d.font("", 8)
		d.soft()
		d.p.SetDrawColor(0x8A, 0x96, 0x98)
		d.p.SetLineWidth(0.2)
		d.p.Rect(formInside+formWide-62, y+1, 62, 24, "D")
		d.cell(formInside+formWide-60, y+2, 58, 4, l.T("reports.mutuelle.sticker"), "L")
		return y + 26
	}) + 4
	y = d.part(y, "reports.mutuelle.camp", func(y float64) float64 {
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.name"), m.Camp)
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.activity"), m.Activity)
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.period"), l.DayRange(m.From, m.Until))
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.days"), strconv.Itoa(m.Days))
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.paid"), l.Euros(d.a.TotalCents))
		y = d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.per_day"), l.Euros(m.PerDay))
		return d.pair(formInside, y, 52, formWide, l.T("reports.mutuelle.paid_on"), l.DayNumeric(m.PaidOn))
	}) + 4
	d.part(y, "reports.mutuelle.statement", func(y float64) float64 {
		d.font("", 9)
		d.ink()
		y = d.words(formInside, y, formWide, 4.6, l.T("reports.mutuelle.confirms"))
		return d.signature(y+2, true) + 22
	})
}
