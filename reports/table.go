package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"ribambelle/internal/civil"
)

// cellKind is what the cells of a column hold.
type cellKind int

const (
	textCell cellKind = iota
	numberCell
	moneyCell
	dayCell
)

// table is a plain list as a workbook: one sheet a grid, all with the columns of the document, sums of the money below
// by formula, and the sheet that says what it is.
type table struct {
	doc     Document
	job     job
	kinds   []cellKind
	sheets  []grid
	commune string
}

// grid is one sheet: cells are string, int, civil.Cents, civil.Date or nil.
type grid struct {
	name string
	rows [][]any
}

// file draws the table as what was asked for.
func (t *table) file(name string) (File, int, error) {
	rows := 0
	for _, g := range t.sheets {
		rows += len(g.rows)
	}
	if t.job.CSV {
		body, err := t.csv()
		return File{Name: name + ".csv", ContentType: "text/csv; charset=utf-8", Body: body}, rows, err
	}
	body, err := t.workbook()
	if err != nil {
		return File{}, 0, fmt.Errorf("drawing %s: %w", t.doc.Name, err)
	}
	return File{Name: name + ".xlsx", ContentType: contentXLSX, Body: body}, rows, nil
}

// csv writes the first sheet as Belgian spreadsheets and accounting programs read it: semicolons, a decimal comma, days
// as 31/12/2026, UTF-8 with its mark.
func (t *table) csv() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	head := make([]string, len(t.doc.Columns))
	for i, c := range t.doc.Columns {
		head[i] = t.job.loc.T(c.Key)
	}
	if err := w.Write(head); err != nil {
		return nil, fmt.Errorf("writing %s: %w", t.doc.Name, err)
	}
	for _, row := range t.sheets[0].rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = t.plainCell(v)
		}
		if err := w.Write(cells); err != nil {
			return nil, fmt.Errorf("writing %s: %w", t.doc.Name, err)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

func (t *table) plainCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case civil.Cents:
		return strings.Replace(v.Euros(), ".", ",", 1)
	case civil.Date:
		return t.job.loc.DayNumeric(v)
	case int:
		return strconv.Itoa(v)
	}
	s := strings.Join(strings.Fields(plain(fmt.Sprint(v))), " ")
	if strings.HasPrefix(s, "+++") { // a structured communication, which spreadsheets leave alone
		return s
	}
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) { // a name is no formula
		return "'" + s
	}
	return s
}

func (t *table) workbook() ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	l, err := newLook(f)
	if err != nil {
		return nil, err
	}
	m, err := newMoneyLook(f)
	if err != nil {
		return nil, err
	}
	for i, g := range t.sheets {
		if i == 0 {
			err = f.SetSheetName("Sheet1", g.name)
		} else {
			_, err = f.NewSheet(g.name)
		}
		if err != nil {
			return nil, err
		}
		if err := t.draw(f, g, l, m); err != nil {
			return nil, err
		}
	}
	if err := t.about(f, l); err != nil {
		return nil, err
	}
	return bytesOf(f)
}

// moneyLook are the styles of amounts.
type moneyLook struct{ cell, total int }

func newMoneyLook(f *excelize.File) (m moneyLook, err error) {
	euros := `#,##0.00\ "€";[Red]\-#,##0.00\ "€"`
	if m.cell, err = f.NewStyle(&excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Border: thin, CustomNumFmt: &euros}); err != nil {
		return m, err
	}
	m.total, err = f.NewStyle(&excelize.Style{
		Font: &excelize.Font{Family: family, Size: 10, Bold: true}, Border: thin, CustomNumFmt: &euros,
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E7F0EF"}},
	})
	return m, err
}

func (t *table) draw(f *excelize.File, g grid, l look, m moneyLook) error {
	yes, landscape, a4, one, many := true, "landscape", 9, 1, 0
	if err := f.SetSheetProps(g.name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	sw, err := f.NewStreamWriter(g.name)
	if err != nil {
		return err
	}
	if err := f.SetPageLayout(g.name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &one, FitToHeight: &many}); err != nil {
		return err
	}
	if err := f.SetHeaderFooter(g.name, t.bands(g)); err != nil {
		return err
	}
	for i, width := range t.widths(g) {
		if err := sw.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	err = sw.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft", Selection: []excelize.Selection{{SQRef: "A2", ActiveCell: "A2", Pane: "bottomLeft"}}})
	if err != nil {
		return err
	}
	head := make([]any, len(t.doc.Columns))
	for i, c := range t.doc.Columns {
		head[i] = cell(l.head, t.job.loc.T(c.Key))
	}
	if err := sw.SetRow("A1", head, excelize.RowOpts{Height: 30}); err != nil {
		return err
	}
	for i, row := range g.rows {
		cells := make([]any, len(row))
		for c, v := range row {
			cells[c] = t.cell(c, v, l, m)
		}
		if err := sw.SetRow("A"+strconv.Itoa(i+2), cells); err != nil {
			return err
		}
	}
	if err := t.totals(sw, g, l, m); err != nil {
		return err
	}
	return t.finish(f, sw, g)
}

// cell styles a value by its column. An amount is a number of euros: what a cell shows is what it adds up to.
func (t *table) cell(column int, v any, l look, m moneyLook) excelize.Cell {
	switch v := v.(type) {
	case nil:
		if t.kinds[column] == moneyCell {
			return excelize.Cell{StyleID: m.cell}
		}
		return excelize.Cell{StyleID: l.text}
	case civil.Cents:
		return excelize.Cell{StyleID: m.cell, Value: float64(v) / 100}
	case civil.Date:
		return dateCell(l.date, v)
	case int:
		return cell(l.number, v)
	}
	return cell(l.text, fmt.Sprint(v))
}

// totals sums the columns of money by formula; the value beside it is what the formula gives, for viewers that do not
// calculate.
func (t *table) totals(sw *excelize.StreamWriter, g grid, l look, m moneyLook) error {
	n := len(g.rows)
	if n == 0 {
		return sw.SetRow("A2", []any{cell(l.note, t.job.loc.T("reports.nothing"))})
	}
	row := make([]any, len(t.kinds))
	for i, k := range t.kinds {
		row[i] = cell(l.total, "")
		if i == 0 {
			row[i] = cell(l.total, t.job.loc.T("reports.total"))
		}
		if k != moneyCell {
			continue
		}
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		var sum civil.Cents
		for _, r := range g.rows {
			if c, ok := r[i].(civil.Cents); ok {
				sum += c
			}
		}
		row[i] = excelize.Cell{StyleID: m.total, Value: float64(sum) / 100, Formula: fmt.Sprintf("SUM(%[1]s2:%[1]s%[2]d)", name, n+1)}
	}
	return sw.SetRow("A"+strconv.Itoa(n+2), row)
}

func (t *table) finish(f *excelize.File, sw *excelize.StreamWriter, g grid) error {
	last, err := excelize.ColumnNumberToName(len(t.kinds))
	if err != nil {
		return err
	}
	if err := f.AutoFilter(g.name, fmt.Sprintf("A1:%s%d", last, max(len(g.rows), 1)+1), nil); err != nil {
		return err
	}
	err = f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$1:$1", g.name), Scope: g.name})
	if err != nil {
		return err
	}
	return sw.Flush()
}

// widths fits each column to what it holds, within bounds.
func (t *table) widths(g grid) []float64 {
	all := make([]float64, len(t.kinds))
	for i, k := range t.kinds {
		longest := len([]rune(t.job.loc.T(t.doc.Columns[i].Key)))/2 + 3
		for _, row := range g.rows {
			if s, ok := row[i].(string); ok {
				longest = max(longest, len([]rune(s))+2)
			}
		}
		all[i] = float64(min(max(longest, 9), 42))
		if k == moneyCell || k == dayCell {
			all[i] = 13
		}
	}
	return all
}

// bands are the printed header and footer.
func (t *table) bands(g grid) *excelize.HeaderFooterOptions {
	l := t.job.loc
	title := l.T(t.doc.Title)
	if g.name != title {
		title += " — " + g.name
	}
	head := band{left: `&12&"-,Bold"` + printed(title, 80) + "&10&\"-,Regular\"\n" + printed(t.period(), 60), right: printed(t.commune, 40)}
	foot := band{
		left:   "&8" + printed(l.T(t.doc.Purpose), 95),
		center: "&8" + printed(l.T("reports.printed_by", l.DayNumeric(t.job.today), l.Time(t.job.now), t.job.by), 60),
		right:  "&8" + printed(l.T("reports.page"), 10) + " &P / &N",
	}
	return &excelize.HeaderFooterOptions{OddHeader: head.String(), OddFooter: foot.String()}
}

func (t *table) period() string {
	if t.doc.About == AboutPeriod {
		return t.job.loc.DayRange(t.job.From, t.job.To)
	}
	return t.job.loc.Day(t.job.today)
}

// about is the last sheet: why the document exists, what it holds, who made it and until when to keep it.
func (t *table) about(f *excelize.File, l look) error {
	loc := t.job.loc
	name := loc.T("reports.about")
	if _, err := f.NewSheet(name); err != nil {
		return err
	}
	sw, err := f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	for i, w := range []float64{26, 90} {
		if err := sw.SetColWidth(i+1, i+1, w); err != nil {
			return err
		}
	}
	if err := sw.SetRow("A1", []any{cell(l.title, loc.T(t.doc.Title))}, excelize.RowOpts{Height: 24}); err != nil {
		return err
	}
	columns := make([]string, len(t.doc.Columns))
	for i, c := range t.doc.Columns {
		columns[i] = loc.T(c.Key)
	}
	last := t.job.To
	if last.IsZero() {
		last = t.job.today
	}
	facts := [][2]string{
		{"commune", t.commune},
		{"dates", t.period()},
		{"purpose", loc.T(t.doc.Purpose)},
		{"columns", strings.Join(columns, ", ")},
		{"made", loc.T("reports.printed_by", loc.DayNumeric(t.job.today), loc.Time(t.job.now), t.job.by)},
		{"keep", loc.T("reports.keep_until_long", t.doc.KeepUntil(last))},
	}
	for i, fact := range facts {
		row := []any{cell(l.label, loc.T("reports.about_"+fact[0])), cell(l.note, fact[1])}
		if err := sw.SetRow("A"+strconv.Itoa(i+3), row, excelize.RowOpts{Height: rowHeight*float64(lines(fact[1], 90)) + 3}); err != nil {
			return err
		}
	}
	return sw.Flush()
}
