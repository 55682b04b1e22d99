package reports

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// fiscal is the control list of the 281.86 of a year: what is missing, while there is time to ask for it.
var fiscal = Document{
	Name:    "fiscal",
	Title:   "reports.fiscal.title",
	Purpose: "reports.fiscal.purpose",
	Columns: []Column{
		{Key: "reports.col.debtor"},
		{Key: "reports.col.child"},
		{Key: "reports.col.camp"},
		{Key: "reports.col.last_day"},
		{Key: "reports.col.received"},
		{Key: "reports.col.missing"},
		{Key: "reports.col.to_do"},
		{Key: "reports.col.attestation"},
	},
	Roles:    []string{"finance", "administrator"},
	KeepDays: 365,
}

// fiscalWidths are the widths of its columns, in characters.
var fiscalWidths = []float64{26, 24, 30, 12, 12, 36, 52, 18}

// fiscalRow is one thing to put right.
type fiscalRow struct {
	debtor, child, camp string
	lastDay             civil.Date
	cents               civil.Cents
	why                 string
	unmarked            int
	reference           string // of the attestation that lacks it
}

// Fiscal makes the control list of a year. Invalid for a year out of range, Forbidden for a role that does not see it.
// The audit holds a line before it is handed out.
func (s *Store) Fiscal(ctx context.Context, store *ledger.Attestations, year int, actor audit.Actor) (File, error) {
	may, err := s.access(ctx, fiscal, uuid.Nil, actor)
	if err != nil {
		return File{}, err
	}
	if !may.read {
		return File{}, problem.Forbidden("reports.forbidden")
	}
	p, err := store.Preview(ctx, year)
	if err != nil {
		return File{}, err
	}
	commune, err := camp.Setting(ctx, s.DB, "commune.name")
	if err != nil {
		return File{}, err
	}
	j := job{actor: actor, by: may.by, loc: locale.For(""), now: s.Now(), today: civil.DateOf(s.Now(), civil.Brussels)}
	if j.by == "" {
		j.by = j.loc.T("reports.by_command")
	}
	rows := fiscalRows(p)
	body, err := drawFiscal(j, commune, year, rows)
	if err != nil {
		return File{}, fmt.Errorf("drawing the control list of %d: %w", year, err)
	}
	err = audit.Record(ctx, s.DB, actor, "report.produced", "year", strconv.Itoa(year), map[string]any{"report": fiscal.Name, "rows": len(rows)})
	if err != nil {
		return File{}, err
	}
	return File{Name: fmt.Sprintf("controle-281-86-%d.xlsx", year), ContentType: contentXLSX, Body: body}, nil
}

// fiscalRows lists what is missing: what a family or the office still has to say first, then what gives no attestation.
func fiscalRows(p ledger.Preview) []fiscalRow {
	var rows []fiscalRow
	for _, v := range slices.Concat(p.Planned, p.Incomplete) {
		for _, why := range v.Missing {
			r := fiscalRow{debtor: v.Debtor, child: v.Child, cents: v.Total, why: why}
			for i, l := range v.Lines {
				if i > 0 {
					r.camp += "\n"
				}
				r.camp += l.Camp
				if l.Until.After(r.lastDay) {
					r.lastDay = l.Until
				}
			}
			if v.Before != nil {
				r.reference = v.Before.Content.Reference
			}
			rows = append(rows, r)
		}
	}
	for _, o := range p.Open {
		rows = append(rows, fiscalRow{
			debtor: o.Debtor, child: o.Child, camp: o.Camp, lastDay: o.LastDay, cents: o.Received, why: o.Why, unmarked: o.Unmarked,
		})
	}
	return rows
}

func drawFiscal(j job, commune string, year int, rows []fiscalRow) ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	look, err := newLook(f)
	if err != nil {
		return nil, err
	}
	euros := `#,##0.00\ "€"`
	money, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Border: thin, CustomNumFmt: &euros})
	if err != nil {
		return nil, err
	}
	const name = "Contrôle"
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return nil, err
	}
	l := j.loc
	add := func(row int, height float64, cells ...excelize.Cell) {
		if err != nil {
			return
		}
		for i, c := range cells {
			at, _ := excelize.CoordinatesToCellName(i+1, row)
			if err = f.SetCellValue(name, at, c.Value); err == nil {
				err = f.SetCellStyle(name, at, at, c.StyleID)
			}
			if err != nil {
				return
			}
		}
		err = f.SetRowHeight(name, row, height)
	}
	head := make([]excelize.Cell, len(fiscal.Columns))
	for i, c := range fiscal.Columns {
		head[i] = cell(look.head, l.T(c.Key))
	}
	add(1, 30, head...)
	for i, r := range rows {
		why := l.T("attestation.why." + r.why)
		if r.unmarked > 0 {
			why += "\n" + l.N("attestation.unmarked", r.unmarked)
		}
		todo := l.T("attestation.todo." + r.why)
		height := max(lines(why, fiscalWidths[5]), lines(todo, fiscalWidths[6]), lines(r.camp, fiscalWidths[2]))
		add(i+2, max(minRow, rowHeight*float64(height)+2),
			cell(look.text, r.debtor), cell(look.text, r.child), cell(look.text, r.camp), dateCell(look.date, r.lastDay),
			excelize.Cell{StyleID: money, Value: float64(r.cents) / 100}, cell(look.alert, why), cell(look.text, todo), cell(look.text, r.reference))
	}
	if len(rows) == 0 {
		add(2, minRow, cell(look.label, l.T("reports.fiscal.empty")))
	}
	if err != nil {
		return nil, err
	}
	return paperFiscal(f, name, j, commune, year, len(rows))
}

// paperFiscal makes the list ready to filter and to print.
func paperFiscal(f *excelize.File, name string, j job, commune string, year, rows int) ([]byte, error) {
	for i, w := range fiscalWidths {
		column, _ := excelize.ColumnNumberToName(i + 1)
		if err := f.SetColWidth(name, column, column, w); err != nil {
			return nil, err
		}
	}
	if err := f.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	if rows > 0 {
		if err := f.AutoFilter(name, fmt.Sprintf("A1:H%d", rows+1), nil); err != nil {
			return nil, err
		}
	}
	landscape, a4, wide, tall := "landscape", 9, 1, 0
	if err := f.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &wide, FitToHeight: &tall}); err != nil {
		return nil, err
	}
	fit := true
	if err := f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return nil, err
	}
	l := j.loc
	err := f.SetHeaderFooter(name, &excelize.HeaderFooterOptions{
		OddHeader: band{left: "&12" + printed(l.T(fiscal.Title)+" "+strconv.Itoa(year), 100), right: printed(commune, 60)}.String(),
		OddFooter: band{
			left: "&8" + printed(l.T(fiscal.Purpose), 110), center: "&8" + printed(l.T("reports.printed_by", l.DayNumeric(j.today), l.Time(j.now), j.by), 60),
			right: "&8&P / &N",
		}.String(),
	})
	if err != nil {
		return nil, err
	}
	return bytesOf(f)
}
