package reports

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
	"ribambelle/internal/medical"
)

// The marks of the attendance grid, the same on paper and when a filled sheet is read back: présent, absent.
const (
	markPresent = "P"
	markAbsent  = "A"
)

// widths are the column widths, in characters, by the last part of the column's key.
var widths = map[string]float64{
	"rank": 4.5, "last_name": 14.5, "first_name": 11.5, "birth_date": 10.5, "age": 5.5, "level": 8.5,
	"guardians": 18, "phones": 15.5, "not_to": 12.5, "allergies": 30, "bus_out": 13, "bus_back": 13,
	"state": 11, "remark": 14, "attendance": 6.5,
}

// rowHeight is the height in points of one line of text, minRow the least height of a row: room to write by hand.
const (
	rowHeight = 13.5
	minRow    = 27
)

// sheet is one workbook in the making.
type sheet struct {
	f     *excelize.File
	sw    *excelize.StreamWriter
	look  look
	loc   *locale.Locale
	doc   Document
	job   job
	name  string
	parts []string // last part of the key of each column before the grid
	grid  []camp.Session
}

// drawRegister turns what was read into a workbook: one sheet to print and fill in, one that says what it is.
func drawRegister(d Document, j job, r register) ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	l, err := newLook(f)
	if err != nil {
		return nil, fmt.Errorf("styling the workbook: %w", err)
	}
	s := &sheet{f: f, look: l, loc: j.loc, doc: d, job: j, name: j.loc.T("reports.registre.sheet"), grid: r.sessions}
	for _, c := range d.Columns {
		part := c.Key[strings.LastIndexByte(c.Key, '.')+1:]
		if part != "attendance" && (!c.Medical || j.medics) {
			s.parts = append(s.parts, part)
		}
	}
	for _, step := range []func(register) error{s.setUp, s.header, s.rows, s.totals, s.finish, s.about} {
		if err := step(r); err != nil {
			return nil, fmt.Errorf("drawing the register: %w", err)
		}
	}
	return bytesOf(f)
}

// setUp prepares the page before the first row, as the stream wants it.
func (s *sheet) setUp(r register) error {
	f := s.f
	if err := f.SetSheetName("Sheet1", s.name); err != nil {
		return err
	}
	title := s.loc.T(s.doc.Title)
	yes, landscape, a4, one, many := true, "landscape", 9, 1, 0
	side, top, bottom, band := 0.3, 0.8, 0.7, 0.3
	if err := f.SetDocProps(&excelize.DocProperties{
		Title: title + " — " + plain(r.camp.Name), Creator: plain(r.commune), LastModifiedBy: plain(s.job.by),
		Description: s.loc.T(s.doc.Purpose), Language: "fr-BE", Identifier: "xlsx",
		Created: s.job.now.UTC().Format("2006-01-02T15:04:05Z"), Modified: s.job.now.UTC().Format("2006-01-02T15:04:05Z"),
	}); err != nil {
		return err
	}
	if err := f.SetSheetProps(s.name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	var err error
	if s.sw, err = f.NewStreamWriter(s.name); err != nil {
		return err
	}
	if err := f.SetPageLayout(s.name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &one, FitToHeight: &many}); err != nil {
		return err
	}
	if err := f.SetPageMargins(s.name, &excelize.PageLayoutMarginsOptions{
		Left: &side, Right: &side, Top: &top, Bottom: &bottom, Header: &band, Footer: &band, Horizontally: &yes,
	}); err != nil {
		return err
	}
	if err := f.SetHeaderFooter(s.name, s.bands(r)); err != nil {
		return err
	}
	for i, part := range s.parts {
		if err := s.sw.SetColWidth(i+1, i+1, widths[part]); err != nil {
			return err
		}
	}
	if len(s.grid) > 0 {
		if err := s.sw.SetColWidth(len(s.parts)+1, len(s.parts)+len(s.grid), widths["attendance"]); err != nil {
			return err
		}
	}
	// Rank and names stay in sight on the left, headings on top.
	return s.sw.SetPanes(&excelize.Panes{
		Freeze: true, XSplit: 3, YSplit: 1, TopLeftCell: "D2", ActivePane: "bottomRight",
		Selection: []excelize.Selection{{SQRef: "D2", ActiveCell: "D2", Pane: "bottomRight"}},
	})
}

// bands are the printed header and footer: what, which camp, when; why, until when, printed when and by whom, page.
func (s *sheet) bands(r register) *excelize.HeaderFooterOptions {
	head := band{
		left:   `&12&"-,Bold"` + printed(s.loc.T(s.doc.Title)+" — "+r.camp.Name, 100) + "&10&\"-,Regular\"\n" + printed(s.loc.DayRange(r.first, r.last), 50),
		right:  printed(r.commune, 40),
		center: "",
	}
	foot := band{
		left: "&8" + printed(s.loc.T(s.doc.Purpose), 95) + "\n" +
			printed(s.loc.T("reports.keep_until", s.loc.DayNumeric(s.doc.KeepUntil(r.last))), 45),
		center: "&8" + printed(s.loc.T("reports.printed_by", s.loc.DayNumeric(s.job.today), s.loc.Time(s.job.now), s.job.by), 60),
		right:  "&8" + printed(s.loc.T("reports.page"), 10) + " &P / &N",
	}
	return &excelize.HeaderFooterOptions{OddHeader: head.String(), OddFooter: foot.String()}
}

// header writes the headings, which are repeated on every printed page.
func (s *sheet) header(register) error {
	row := make([]any, 0, len(s.parts)+len(s.grid))
	for _, part := range s.parts {
		row = append(row, cell(s.look.head, s.loc.T("reports.col."+part)))
	}
	for i, session := range s.grid {
		text := strings.Replace(s.loc.DayShort(session.Day), " ", "\n", 1)
		if s.twice(i) {
			text += "\n" + s.loc.Minutes(session.Starts)
		}
		style := s.look.head
		if session.State == "cancelled" {
			style = s.look.headOff
		}
		row = append(row, cell(style, text))
	}
	return s.sw.SetRow("A1", row, excelize.RowOpts{Height: 44})
}

// twice reports whether session i shares its day with another, so that its hour must be told.
func (s *sheet) twice(i int) bool {
	return i > 0 && s.grid[i-1].Day == s.grid[i].Day || i+1 < len(s.grid) && s.grid[i+1].Day == s.grid[i].Day
}

func (s *sheet) rows(r register) error {
	if len(r.children) == 0 {
		return s.sw.SetRow("A2", []any{cell(s.look.note, ""), cell(s.look.label, s.loc.T("reports.registre.empty"))})
	}
	for i, c := range r.children {
		height := 1
		row := make([]any, 0, len(s.parts)+len(s.grid))
		for _, part := range s.parts {
			v := s.value(part, i, c, r)
			if text, ok := v.Value.(string); ok {
				height = max(height, lines(text, widths[part]))
			}
			row = append(row, v)
		}
		for _, session := range s.grid {
			row = append(row, s.mark(session, c))
		}
		err := s.sw.SetRow("A"+strconv.Itoa(i+2), row, excelize.RowOpts{Height: min(409, max(minRow, rowHeight*float64(height)+2))})
		if err != nil {
			return err
		}
	}
	return nil
}

// value is the cell of one child in the column named by part.
func (s *sheet) value(part string, i int, c child, r register) excelize.Cell {
	text := func(v string) excelize.Cell { return cell(s.look.text, v) }
	alert := func(v string) excelize.Cell {
		if v == "" {
			return text(v)
		}
		return cell(s.look.alert, v)
	}
	switch part {
	case "rank":
		return cell(s.look.number, i+1)
	case "last_name":
		return text(c.LastName)
	case "first_name":
		return text(c.FirstName)
	case "birth_date":
		return dateCell(s.look.date, c.BirthDate)
	case "age":
		return cell(s.look.number, civil.AgeOn(c.BirthDate, r.first))
	case "level":
		return cell(s.look.mark, c.level)
	case "guardians":
		names := make([]string, len(c.contacts))
		for i, a := range c.contacts {
			names[i] = a.name
		}
		return text(strings.Join(names, "\n"))
	case "phones":
		phones := make([]string, len(c.contacts))
		for i, a := range c.contacts {
			phones[i] = s.loc.Phone(a.phone)
		}
		return text(strings.Trim(strings.Join(phones, "\n"), "\n"))
	case "not_to":
		return alert(strings.Join(c.notTo, "\n"))
	case "allergies":
		if c.alert.Severe || len(c.alert.Allergies) > 0 {
			return alert(s.alert(c.alert))
		}
		return text(s.alert(c.alert))
	case "bus_out":
		return text(s.stop(c.StopOut, c.OutAt))
	case "bus_back":
		return text(s.stop(c.StopBack, c.BackAt))
	case "state":
		return text(s.loc.T("state." + c.State))
	case "remark":
		return text(c.Remark)
	}
	panic("reports: column " + part + " has no value")
}

// alert writes the headline of a medical sheet, the most pressing first. Silence is never "nothing to report": a sheet
// that is missing, or leaves a question open, says so.
func (s *sheet) alert(a medical.Alert) string {
	if !a.Known {
		return s.loc.T("reports.alert.no_sheet")
	}
	var parts []string
	add := func(key, text string) {
		if text != "" {
			parts = append(parts, s.loc.T(key, text))
		}
	}
	if a.Important != "" {
		parts = append(parts, a.Important)
	}
	for _, v := range a.Allergies {
		key := "reports.alert.allergy"
		if v.Severe == medical.Yes {
			key = "reports.alert.severe"
		}
		add(key, toDo(v.To, v.Consequence, v.Treatment))
	}
	for _, v := range a.Diseases {
		add("reports.alert.diseases", toDo(v.Name, v.Gravity, v.Treatment))
	}
	for _, v := range a.Medications {
		add("reports.alert.medications", toDo(v.Name, strings.Trim(v.Quantity+", "+v.When, ", "), ""))
	}
	add("reports.alert.diet", a.Diet)
	add("reports.alert.avoid", a.Avoid)
	if len(a.Unsaid) > 0 {
		parts = append(parts, s.loc.T("reports.alert.unsaid"))
	}
	text := clip(strings.Join(parts, "\n"), maxAlert)
	if text != strings.Join(parts, "\n") {
		text += "\n" + s.loc.T("reports.alert.more")
	}
	return text
}

// The bounds of an alert, in characters: of one consequence or treatment, and of the whole cell, which a row of the
// greatest height still shows.
const (
	maxDetail = 140
	maxAlert  = 640
)

// toDo writes a danger with what happens and what to do then.
func toDo(what, consequence, treatment string) string {
	if consequence != "" {
		what += " — " + clip(consequence, maxDetail)
	}
	if treatment != "" {
		what += " → " + clip(treatment, maxDetail)
	}
	return what
}

// clip shortens a text to n characters, and shows that it did.
func clip(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return text
}

func (s *sheet) stop(name *string, at *int) string {
	switch {
	case name == nil:
		return ""
	case at == nil:
		return *name
	}
	return *name + "\n" + s.loc.Minutes(*at)
}

func (s *sheet) mark(session camp.Session, c child) excelize.Cell {
	if session.State == "cancelled" {
		return excelize.Cell{StyleID: s.look.markOff}
	}
	present, marked := c.present[session.ID]
	switch {
	case !marked:
		return excelize.Cell{StyleID: s.look.mark}
	case present:
		return cell(s.look.mark, markPresent)
	}
	return cell(s.look.mark, markAbsent)
}

// totals counts the present of each session by formula, so that the count follows what is filled in.
func (s *sheet) totals(r register) error {
	n := len(r.children)
	if n == 0 || len(s.grid) == 0 {
		return nil
	}
	row := make([]any, 0, len(s.parts)+len(s.grid))
	for i := range s.parts {
		text := ""
		if i == 1 {
			text = s.loc.T("reports.registre.present")
		}
		row = append(row, cell(s.look.total, text))
	}
	for i, session := range s.grid {
		col, err := excelize.ColumnNumberToName(len(s.parts) + i + 1)
		if err != nil {
			return err
		}
		count := 0
		for _, c := range r.children {
			if c.present[session.ID] {
				count++
			}
		}
		row = append(row, excelize.Cell{
			StyleID: s.look.totalNumber, Value: count,
			Formula: fmt.Sprintf(`COUNTIF(%[1]s2:%[1]s%[2]d,"%[3]s")`, col, n+1, markPresent),
		})
	}
	return s.sw.SetRow("A"+strconv.Itoa(n+2), row, excelize.RowOpts{Height: minRow})
}

// finish sets what belongs to the filled range: filter, choice of marks, repeated headings.
func (s *sheet) finish(r register) error {
	n := len(r.children)
	last, err := excelize.ColumnNumberToName(len(s.parts) + len(s.grid))
	if err != nil {
		return err
	}
	if err := s.f.AutoFilter(s.name, fmt.Sprintf("A1:%s%d", last, max(n, 1)+1), nil); err != nil {
		return err
	}
	if n > 0 {
		for i, session := range s.grid {
			if session.State == "cancelled" {
				continue
			}
			if err := s.choice(len(s.parts)+i+1, n); err != nil {
				return err
			}
		}
	}
	if err := s.f.SetDefinedName(&excelize.DefinedName{
		Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$1:$1", s.name), Scope: s.name,
	}); err != nil {
		return err
	}
	return s.sw.Flush()
}

// choice lets column col take only the two marks, or nothing.
func (s *sheet) choice(col, n int) error {
	name, err := excelize.ColumnNumberToName(col)
	if err != nil {
		return err
	}
	v := excelize.NewDataValidation(true)
	v.SetSqref(fmt.Sprintf("%[1]s2:%[1]s%[2]d", name, n+1))
	if err := v.SetDropList([]string{markPresent, markAbsent}); err != nil {
		return err
	}
	v.SetError(excelize.DataValidationErrorStyleStop, s.loc.T("reports.registre.mark_title"), s.loc.T("reports.registre.mark_help"))
	return s.f.AddDataValidation(s.name, v)
}

// about writes the second sheet: what the document is, for whom who opens it without printing.
func (s *sheet) about(r register) error {
	name := s.loc.T("reports.about")
	if _, err := s.f.NewSheet(name); err != nil {
		return err
	}
	yes, portrait, a4, one, many := true, "portrait", 9, 1, 0
	if err := s.f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	if err := s.f.SetPageLayout(name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &portrait, FitToWidth: &one, FitToHeight: &many}); err != nil {
		return err
	}
	sw, err := s.f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	for i, w := range []float64{26, 90} {
		if err := sw.SetColWidth(i+1, i+1, w); err != nil {
			return err
		}
	}
	if err := sw.SetRow("A1", []any{cell(s.look.title, s.loc.T(s.doc.Title)+" — "+r.camp.Name)}, excelize.RowOpts{Height: 24}); err != nil {
		return err
	}
	columns := make([]string, 0, len(s.doc.Columns))
	for _, c := range s.doc.Columns {
		if !c.Medical || s.job.medics {
			columns = append(columns, s.loc.T(c.Key))
		}
	}
	facts := [][2]string{
		{"commune", r.commune},
		{"camp", r.camp.Name},
		{"dates", s.loc.DayRange(r.first, r.last)},
		{"location", r.camp.Location},
		{"children", s.loc.N("reports.children", len(r.children))},
		{"purpose", s.loc.T(s.doc.Purpose)},
		{"columns", strings.Join(columns, ", ")},
		{"made", s.loc.T("reports.printed_by", s.loc.DayNumeric(s.job.today), s.loc.Time(s.job.now), s.job.by)},
		{"keep", s.loc.T("reports.keep_until_long", s.doc.KeepUntil(r.last))},
		{"marks", s.loc.T("reports.registre.mark_help")},
	}
	for i, l := range facts {
		row := []any{cell(s.look.label, s.loc.T("reports.about_"+l[0])), cell(s.look.note, l[1])}
		if err := sw.SetRow("A"+strconv.Itoa(i+3), row, excelize.RowOpts{Height: rowHeight*float64(lines(l[1], 90)) + 3}); err != nil {
			return err
		}
	}
	// The first sheet stays the active one. Nothing may touch it once it is flushed: excelize would read it all back.
	return sw.Flush()
}
