package reports

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/cash"
	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// caisse is the day of a cash desk, for the accounts and for whoever counts it again.
var caisse = Document{
	Name:    "caisse",
	Title:   "reports.caisse.title",
	Purpose: "reports.caisse.purpose",
	Columns: []Column{
		{Key: "reports.col.receipt"},
		{Key: "reports.col.hour"},
		{Key: "reports.col.child"},
		{Key: "reports.col.camp"},
		{Key: "reports.col.payer"},
		{Key: "reports.col.way"},
		{Key: "reports.col.in"},
		{Key: "reports.col.out"},
		{Key: "reports.col.by"},
	},
	Roles: []string{"agent", "finance"},
}

// CashDay makes the workbook of one day of a desk. NotFound without such a day, Forbidden for a role that does not see
// the desk. The audit holds a line before it is handed out.
func (s *Store) CashDay(ctx context.Context, id uuid.UUID, actor audit.Actor) (File, error) {
	may, err := s.access(ctx, caisse, uuid.Nil, actor)
	if err != nil {
		return File{}, err
	}
	if !may.read {
		return File{}, problem.Forbidden("reports.forbidden")
	}
	desk := cash.New(s.DB, s.Now)
	d, err := desk.Day(ctx, id)
	if err != nil {
		return File{}, err
	}
	entries, err := desk.Entries(ctx, id)
	if err != nil {
		return File{}, err
	}
	commune, err := camp.Setting(ctx, s.DB, "commune.name")
	if err != nil {
		return File{}, err
	}
	body, err := drawCashDay(locale.For(""), commune, d, entries)
	if err != nil {
		return File{}, fmt.Errorf("drawing a day of the desk: %w", err)
	}
	err = audit.Record(ctx, s.DB, actor, "report.produced", "cash_day", id.String(), map[string]any{"report": caisse.Name, "rows": len(entries)})
	if err != nil {
		return File{}, err
	}
	return File{Name: "caisse-" + d.Day.String() + "-" + id.String()[:8] + ".xlsx", ContentType: contentXLSX, Body: body}, nil
}

// cashWidths are the widths of the columns of a day, in characters.
var cashWidths = []float64{16, 8, 26, 30, 26, 14, 12, 12, 20}

func drawCashDay(l *locale.Locale, commune string, d cash.Day, entries []cash.Entry) ([]byte, error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	look, err := newLook(f)
	if err != nil {
		return nil, err
	}
	euros := `#,##0.00\ "€"`
	style := func(bold bool, fill string) (int, error) {
		v := &excelize.Style{Font: &excelize.Font{Family: family, Size: 10, Bold: bold}, Border: thin, CustomNumFmt: &euros}
		if fill != "" {
			v.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{fill}}
		}
		return f.NewStyle(v)
	}
	money, err := style(false, "")
	if err != nil {
		return nil, err
	}
	total, err := style(true, "E7F0EF")
	if err != nil {
		return nil, err
	}
	const sheet = "Caisse"
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return nil, err
	}
	w := &cashSheet{f: f, name: sheet, look: look, money: money, total: total, l: l}
	w.head(commune, d)
	w.lines(entries)
	w.closing(d)
	if w.err != nil {
		return nil, w.err
	}
	if err := w.paper(); err != nil {
		return nil, err
	}
	return bytesOf(f)
}

// cashSheet writes row after row; the first error stays.
type cashSheet struct {
	f            *excelize.File
	name         string
	look         look
	money, total int
	l            *locale.Locale
	row          int
	header       int // row of the headings
	err          error
}

func (w *cashSheet) add(cells ...excelize.Cell) {
	w.row++
	for i, c := range cells {
		if w.err != nil {
			return
		}
		at, err := excelize.CoordinatesToCellName(i+1, w.row)
		if err != nil {
			w.err = err
			return
		}
		if c.Value != nil {
			w.err = w.f.SetCellValue(w.name, at, c.Value)
		}
		if w.err == nil && c.StyleID != 0 {
			w.err = w.f.SetCellStyle(w.name, at, at, c.StyleID)
		}
	}
}

func (w *cashSheet) head(commune string, d cash.Day) {
	w.add(cell(w.look.title, w.l.T("reports.caisse.heading", d.Desk, d.Day)))
	w.add(cell(w.look.note, commune))
	w.add(cell(w.look.note, w.l.T("reports.caisse.opened", w.l.DateTime(d.OpenedAt), d.OpenedBy)))
	if d.ClosedAt != nil && d.ClosedBy != "" {
		w.add(cell(w.look.note, w.l.T("reports.caisse.closed", w.l.DateTime(*d.ClosedAt), d.ClosedBy)))
	} else {
		w.add(cell(w.look.alert, w.l.T("reports.caisse.still_open")))
	}
	w.row++
}

func (w *cashSheet) lines(entries []cash.Entry) {
	var heads []excelize.Cell
	for _, c := range caisse.Columns {
		heads = append(heads, cell(w.look.head, w.l.T(c.Key)))
	}
	w.add(heads...)
	w.header = w.row
	first := w.row + 1
	for _, e := range entries {
		in, out := cell(w.money, nil), cell(w.money, nil)
		if e.Kind == "refund" {
			out = cell(w.money, euro(e.Cents))
		} else {
			in = cell(w.money, euro(e.Cents))
		}
		at := e.At.In(civil.Brussels)
		w.add(
			cell(w.look.text, fmt.Sprintf("R-%d-%05d", e.Year, e.Number)), cell(w.look.mark, w.l.Minutes(at.Hour()*60+at.Minute())),
			cell(w.look.text, e.Child), cell(w.look.text, e.Camp), cell(w.look.text, e.Payer),
			cell(w.look.text, w.l.T("reports.caisse."+e.Source)), in, out, cell(w.look.text, e.By))
	}
	if len(entries) == 0 {
		w.add(cell(w.look.note, w.l.T("reports.caisse.empty")))
		return
	}
	w.row++
	last := w.row - 1
	w.add(cell(w.look.total, w.l.T("reports.caisse.sum")), cell(w.look.total, ""), cell(w.look.total, ""), cell(w.look.total, ""), cell(w.look.total, ""),
		cell(w.look.total, ""), cell(w.total, nil), cell(w.total, nil), cell(w.look.total, ""))
	for _, column := range []string{"G", "H"} {
		if w.err == nil {
			w.err = w.f.SetCellFormula(w.name, fmt.Sprintf("%s%d", column, w.row), fmt.Sprintf("SUM(%s%d:%s%d)", column, first, column, last))
		}
	}
}

// closing writes how the drawer and the terminal come to what they should hold, and what was counted.
func (w *cashSheet) closing(d cash.Day) {
	w.row++
	line := func(key string, c civil.Cents) {
		w.add(cell(w.look.label, w.l.T(key)), cell(w.look.note, ""), cell(w.look.note, ""), cell(w.money, euro(c)))
	}
	line("cash.float", d.Float)
	line("cash.cash_in", d.CashIn)
	line("cash.cash_out", -d.CashOut)
	line("cash.expected", d.Drawer())
	if d.Counted != nil {
		line("cash.counted", *d.Counted)
		line("cash.difference", d.Difference())
		line("cash.left", *d.Left)
		line("cash.to_bring", d.ToDeposit())
	}
	line("cash.terminal_in", d.TerminalIn)
	line("cash.terminal_out", -d.TerminalOut)
	line("cash.terminal_expected", d.TerminalNet())
	if d.Terminal != nil {
		line("cash.terminal_counted", *d.Terminal)
		line("cash.terminal_difference", d.TerminalDifference())
	}
	for _, v := range []struct{ key, why string }{{"cash.float_why", d.FloatWhy}, {"cash.why", d.DifferenceWhy}} {
		if v.why != "" {
			w.add(cell(w.look.label, w.l.T(v.key)), cell(w.look.note, ""), cell(w.look.note, ""), cell(w.look.note, v.why))
		}
	}
}

func (w *cashSheet) paper() error {
	for i, width := range cashWidths {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := w.f.SetColWidth(w.name, name, name, width); err != nil {
			return err
		}
	}
	if err := w.f.SetPanes(w.name, &excelize.Panes{Freeze: true, YSplit: w.header, TopLeftCell: fmt.Sprintf("A%d", w.header+1), ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	landscape, a4, wide, fit := "landscape", 9, 1, true
	if err := w.f.SetSheetProps(w.name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	tall := 0
	return w.f.SetPageLayout(w.name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &wide, FitToHeight: &tall})
}

// euro is an amount as a number of a spreadsheet.
func euro(c civil.Cents) float64 { return float64(c) / 100 }
