// Package familyfile reads the spreadsheets that staff send in, the commune's list of families and files of the
// population register, and writes back what came of each line.
package familyfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// Bounds of a file. A commune has some thousands of children; what is larger is a mistake or an attack.
const (
	MaxRows     = 5000
	maxColumns  = 60
	maxCell     = 1000       // characters
	maxUnzipped = 64 << 20   // bytes of an unpacked workbook
	maxPart     = 32 << 20   // bytes of one of its parts
	excelEpoch  = 25569      // 1970-01-01 as Excel counts days
	excelLast   = 2958465    // 9999-12-31
	textFormat  = 49         // "@": what stands in the cell is text, also when it begins with "="
	bom         = "\ufeff"   // of files that Excel writes as CSV
	sheetName   = "Résultat" // of the workbook that goes back
)

// Columns of both kinds of file; "family_file.<column>" is the key of a heading, and the first of its spellings.
var (
	FamilyColumns = []string{
		"ref", "first_name", "last_name", "email", "phone", "street", "postcode", "city", "channel",
		"child_ref", "child_first_name", "child_last_name", "birth_date", "national_number", "level", "basis",
	}
	RegisterColumns = []string{"first_name", "last_name", "birth_date", "national_number", "street", "postcode", "city"}
)

// needed are the columns without which a file makes no sense.
var needed = map[string][]string{
	"families": {"ref", "first_name", "last_name", "street", "postcode", "city"},
	"register": {"first_name", "last_name", "birth_date", "street", "postcode"},
}

// spellings are other headings that communes use, folded.
var spellings = map[string][]string{
	"ref":              {"reference", "reference famille", "ref", "ref famille", "numero famille", "n famille"},
	"first_name":       {"prenom", "prenom parent", "prenom du parent", "prenom responsable"},
	"last_name":        {"nom", "nom parent", "nom du parent", "nom responsable"},
	"email":            {"e mail", "email", "mail", "courriel", "adresse e mail", "adresse mail"},
	"phone":            {"gsm", "telephone", "tel", "mobile", "numero de telephone"},
	"street":           {"rue", "adresse", "rue et numero"},
	"postcode":         {"code postal", "cp"},
	"city":             {"localite", "commune", "ville"},
	"channel":          {"contact", "moyen de contact", "canal"},
	"child_ref":        {"reference enfant", "ref enfant", "numero enfant"},
	"child_first_name": {"prenom enfant", "prenom de l enfant"},
	"child_last_name":  {"nom enfant", "nom de l enfant"},
	"birth_date":       {"date de naissance", "naissance", "ne le", "ne e le", "date de naissance enfant"},
	"national_number":  {"numero national", "registre national", "niss", "nrn", "numero national enfant"},
	"level":            {"annee scolaire", "classe", "niveau", "annee"},
	"basis":            {"lien", "lien avec l enfant"},
}

// File is a sheet as it was read: its headings, its lines as text, and where each known column stands.
type File struct {
	Kind    string // "families" or "register"
	Head    []string
	Rows    [][]string // without the empty ones
	columns map[string]int
}

// Read reads an .xlsx workbook, its first sheet, or a .csv file with commas, semicolons or tabs in UTF-8 or
// Windows-1252. The first line holds headings. kind is "families" or "register". The error is Invalid for a file that
// is no such thing, too large, or lacks a column.
func Read(kind string, data []byte) (File, error) {
	f := File{Kind: kind, columns: map[string]int{}}
	lines, err := workbook(data)
	if !bytes.HasPrefix(data, []byte("PK")) {
		lines, err = table(data)
	}
	if err != nil {
		return f, err
	}
	for i, line := range lines {
		if len(line) > maxColumns {
			return f, problem.Invalid("family_file.too_wide", maxColumns)
		}
		for j, v := range line {
			if utf8.RuneCountInString(v) > maxCell {
				return f, problem.Invalid("family_file.cell_long", i+1, j+1)
			}
			line[j] = clean(v)
		}
		switch {
		case !slices.ContainsFunc(line, func(v string) bool { return v != "" }):
		case f.Head == nil:
			f.Head = line
		default:
			f.Rows = append(f.Rows, line)
		}
	}
	switch {
	case f.Head == nil:
		return f, problem.Invalid("family_file.empty")
	case len(f.Rows) > MaxRows:
		return f, problem.Invalid("family_file.too_long", MaxRows)
	}
	l := locale.For("fr")
	known := FamilyColumns
	if kind == "register" {
		known = RegisterColumns
	}
	for _, column := range known {
		names := append([]string{fold(l.T("family_file." + column))}, spellings[column]...)
		if at := slices.IndexFunc(f.Head, func(h string) bool { return slices.Contains(names, fold(h)) }); at >= 0 {
			f.columns[column] = at
		}
	}
	for _, column := range needed[kind] {
		if _, ok := f.columns[column]; !ok {
			return f, problem.Invalid("family_file.column_missing", l.T("family_file."+column))
		}
	}
	return f, nil
}

// workbook returns the lines of the first sheet. Values come as they are stored: a date as its number of days.
func workbook(data []byte) ([][]string, error) {
	unreadable := problem.Invalid("family_file.unreadable")
	if !bytes.HasPrefix(data, []byte("PK")) {
		return nil, unreadable
	}
	x, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxPart, RawCellValue: true})
	if err != nil {
		return nil, unreadable
	}
	defer func() { _ = x.Close() }()
	sheets := x.GetSheetList()
	if len(sheets) == 0 {
		return nil, unreadable
	}
	rows, err := x.Rows(sheets[0])
	if err != nil {
		return nil, unreadable
	}
	defer func() { _ = rows.Close() }()
	var lines [][]string
	for rows.Next() {
		line, err := rows.Columns()
		if err != nil {
			return nil, unreadable
		}
		if lines = append(lines, line); len(lines) > MaxRows+100 {
			return nil, problem.Invalid("family_file.too_long", MaxRows)
		}
	}
	return lines, nil
}

// table returns the lines of a CSV file. Its separator is the one that its first line has most of.
func table(data []byte) ([][]string, error) {
	if !utf8.Valid(data) {
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil {
			return nil, problem.Invalid("family_file.unreadable")
		}
		data = decoded
	}
	text := strings.TrimPrefix(string(data), bom)
	first, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for _, sep := range []rune{';', ',', '\t'} {
		if strings.Count(first, string(sep)) > strings.Count(first, string(r.Comma)) {
			r.Comma = sep
		}
	}
	var lines [][]string
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil || strings.ContainsRune(text, 0) {
			return nil, problem.Invalid("family_file.unreadable")
		}
		if lines = append(lines, line); len(lines) > MaxRows+100 {
			return nil, problem.Invalid("family_file.too_long", MaxRows)
		}
	}
}

// clean trims a value and drops what a cell must not hold: control characters, and the apostrophe by which a
// spreadsheet marks text.
func clean(v string) string {
	v = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(v, ""))
	v = strings.Join(strings.Fields(v), " ")
	if strings.HasPrefix(v, "'") {
		v = strings.TrimSpace(v[1:])
	}
	return v
}

// fold writes a heading in lower case without accents and signs.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(s), " ")
}

func (f File) cell(row []string, column string) string {
	if at, ok := f.columns[column]; ok && at < len(row) {
		return row[at]
	}
	return ""
}

// Families returns the lines of a list of families. What is no date, telephone, school level, link or way of contact is
// noted in faults under the line's number, from 0: such a line must not go in.
func (f File) Families() (rows []household.FamilyRow, faults map[int]problem.Fields) {
	faults = map[int]problem.Fields{}
	l := locale.For("fr")
	for i, line := range f.Rows {
		var p problem.Fields
		at := func(column string) string { return f.cell(line, column) }
		r := household.FamilyRow{
			Ref: at("ref"), FirstName: at("first_name"), LastName: at("last_name"), Email: at("email"), Phone: phone(&p, at("phone")),
			Street: at("street"), Postcode: at("postcode"), City: at("city"), ChildRef: at("child_ref"),
			ChildFirstName: at("child_first_name"), ChildLastName: at("child_last_name"), BirthDate: date(&p, at("birth_date")),
			NationalNumber: national(at("national_number")), Level: strings.ToUpper(strings.ReplaceAll(at("level"), " ", "")),
		}
		r.Channel = choose(&p, l, "channel", at("channel"), "household.channel.", household.Channels)
		bases := make([]string, len(household.OwnBases))
		for i, b := range household.OwnBases {
			bases[i] = string(b)
		}
		r.Basis = household.Basis(choose(&p, l, "basis", at("basis"), "household.basis.", bases))
		if len(p) > 0 {
			faults[i] = p
		}
		rows = append(rows, r)
	}
	return rows, faults
}

// Register returns the lines of a file of the population register, and what is no date, as Families does.
func (f File) Register() (rows []household.RegisterRow, faults map[int]problem.Fields) {
	faults = map[int]problem.Fields{}
	for i, line := range f.Rows {
		var p problem.Fields
		at := func(column string) string { return f.cell(line, column) }
		rows = append(rows, household.RegisterRow{
			FirstName: at("first_name"), LastName: at("last_name"), BirthDate: date(&p, at("birth_date")), NationalNumber: national(at("national_number")),
			Street: at("street"), Postcode: at("postcode"), City: at("city"),
		})
		if len(p) > 0 {
			faults[i] = p
		}
	}
	return rows, faults
}

// date reads 12/03/2015, 12-3-2015, 12.03.2015, 2015-03-12 and the number of days of a date cell.
func date(p *problem.Fields, v string) civil.Date {
	if v == "" {
		return civil.Date{}
	}
	if days, err := strconv.ParseFloat(v, 64); err == nil && days >= 1 && days <= excelLast {
		return civil.NewDate(1970, time.January, 1).AddDays(int(days) - excelEpoch)
	}
	if d, err := civil.ParseDate(v); err == nil {
		return d
	}
	parts := strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("/-. ", r) })
	if len(parts) == 3 {
		day, err1 := strconv.Atoi(parts[0])
		month, err2 := strconv.Atoi(parts[1])
		year, err3 := strconv.Atoi(parts[2])
		d := civil.NewDate(year, time.Month(month), day)
		if errors.Join(err1, err2, err3) == nil && year >= 1900 && year <= 2200 && d == (civil.Date{Year: year, Month: time.Month(month), Day: day}) {
			return d
		}
	}
	p.Add("birth_date", "form.date")
	return civil.Date{}
}

// phone reads a telephone number; a spreadsheet drops the 0 of one that it takes for a number.
func phone(p *problem.Fields, v string) string {
	if v == "" {
		return ""
	}
	if n := strings.Trim(v, "0123456789"); n == "" && !strings.HasPrefix(v, "0") && (len(v) == 8 || len(v) == 9) {
		v = "0" + v
	}
	e164, err := locale.ParsePhone(v)
	if err != nil {
		p.Add("phone", "household.phone_invalid")
	}
	return e164
}

// national gives a national number back the zeros that a spreadsheet drops.
func national(v string) string {
	if v != "" && strings.Trim(v, "0123456789") == "" && len(v) >= 9 && len(v) < 11 {
		v = strings.Repeat("0", 11-len(v)) + v
	}
	return v
}

// choose finds a code by itself or by its French name.
func choose(p *problem.Fields, l *locale.Locale, column, v, prefix string, codes []string) string {
	if v == "" {
		return ""
	}
	for _, c := range codes {
		if fold(v) == fold(c) || fold(v) == fold(l.T(prefix+c)) {
			return c
		}
	}
	p.Add(column, "family_file.choice_unknown")
	return ""
}

// Line is what came of one line, in words.
type Line struct {
	Outcome string // one of the household.Row constants
	Text    string // what is wrong with a faulty line
}

// Write returns the workbook that goes back: the file with what came of each line in two more columns on the left.
// Every value is text: nothing that stood in the file is computed when it is opened.
func (f File) Write(lines []Line) ([]byte, error) {
	x := excelize.NewFile()
	defer func() { _ = x.Close() }()
	if err := x.SetSheetName("Sheet1", sheetName); err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	styles := map[string]int{}
	for name, s := range map[string]*excelize.Style{
		"head":  {NumFmt: textFormat, Font: &excelize.Font{Bold: true, Color: "FFFFFF"}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"0F5257"}}},
		"text":  {NumFmt: textFormat},
		"fault": {NumFmt: textFormat, Font: &excelize.Font{Bold: true, Color: "A3262A"}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FDEAEA"}}},
	} {
		id, err := x.NewStyle(s)
		if err != nil {
			return nil, fmt.Errorf("writing the workbook: %w", err)
		}
		styles[name] = id
	}
	w, err := x.NewStreamWriter(sheetName)
	if err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	l := locale.For("fr")
	err = errors.Join(w.SetColWidth(1, 1, 14), w.SetColWidth(2, 2, 60), w.SetColWidth(3, maxColumns, 18),
		w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	if err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	write := func(n int, style string, values ...string) error {
		cells := make([]any, len(values))
		for i, v := range values {
			cells[i] = excelize.Cell{StyleID: styles[style], Value: v}
			if style == "fault" && i > 1 {
				cells[i] = excelize.Cell{StyleID: styles["text"], Value: v}
			}
		}
		return w.SetRow("A"+strconv.Itoa(n), cells)
	}
	if err := write(1, "head", append([]string{l.T("family_file.outcome"), l.T("family_file.explanation")}, f.Head...)...); err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	for i, line := range lines {
		style := "text"
		if line.Outcome == household.RowFaulty {
			style = "fault"
		}
		if err := write(i+2, style, append([]string{l.T("household.row." + line.Outcome), line.Text}, f.Rows[i]...)...); err != nil {
			return nil, fmt.Errorf("writing the workbook: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	var buf bytes.Buffer
	if err := x.Write(&buf); err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	return buf.Bytes(), nil
}

// Model returns an empty workbook with the headings of a kind, to fill in.
func Model(kind string) ([]byte, error) {
	columns := FamilyColumns
	if kind == "register" {
		columns = RegisterColumns
	}
	x := excelize.NewFile()
	defer func() { _ = x.Close() }()
	style, err := x.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err == nil {
		err = x.SetColStyle("Sheet1", "A:P", style) // a reference, a telephone and a number keep their zeros
	}
	for i, c := range columns {
		if err == nil {
			var at string
			if at, err = excelize.CoordinatesToCellName(i+1, 1); err == nil {
				err = x.SetCellStr("Sheet1", at, locale.For("fr").T("family_file."+c))
			}
		}
	}
	var buf bytes.Buffer
	if err == nil {
		err = x.Write(&buf)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the model: %w", err)
	}
	return buf.Bytes(), nil
}
