package reports

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"ribambelle/internal/civil"
)

// contentXLSX is the media type of an Office Open XML workbook.
const contentXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// look holds the styles of a workbook. Every text cell has the number format "@": a value such as "=1+1" or "+32…"
// stays the text it is, also when somebody edits the cell.
type look struct {
	head, headOff, text, date, number, alert, mark, markOff, total, totalNumber, title, label, note int
}

var (
	thin = []excelize.Border{
		{Type: "left", Color: "C9D2CF", Style: 1},
		{Type: "right", Color: "C9D2CF", Style: 1},
		{Type: "top", Color: "C9D2CF", Style: 1},
		{Type: "bottom", Color: "C9D2CF", Style: 1},
	}
	middle = &excelize.Alignment{Vertical: "center", WrapText: true}
	center = &excelize.Alignment{Horizontal: "center", Vertical: "center", WrapText: true}
)

const (
	numFmtText = 49 // "@"
	family     = "Calibri"
)

func newLook(f *excelize.File) (look, error) {
	var l look
	dateFormat := "dd/mm/yyyy"
	fill := func(color string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{color}}
	}
	for _, s := range []struct {
		id    *int
		style excelize.Style
	}{
		{&l.head, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10, Color: "FFFFFF"}, Fill: fill("0F5257"), Border: thin, Alignment: center, NumFmt: numFmtText}},
		{&l.headOff, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10, Color: "FFFFFF", Strike: true}, Fill: fill("6B7577"), Border: thin, Alignment: center, NumFmt: numFmtText}},
		{&l.text, excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Border: thin, Alignment: middle, NumFmt: numFmtText}},
		{&l.date, excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Border: thin, Alignment: center, CustomNumFmt: &dateFormat}},
		{&l.number, excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Border: thin, Alignment: center, NumFmt: 1}},
		{&l.alert, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10, Color: "A3262A"}, Fill: fill("FDEAEA"), Border: thin, Alignment: middle, NumFmt: numFmtText}},
		{&l.mark, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10}, Border: thin, Alignment: center, NumFmt: numFmtText}},
		{&l.markOff, excelize.Style{Fill: fill("E3E6E5"), Border: thin, Alignment: center, NumFmt: numFmtText}},
		{&l.total, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10}, Fill: fill("E7F0EF"), Border: thin, Alignment: middle, NumFmt: numFmtText}},
		{&l.totalNumber, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10}, Fill: fill("E7F0EF"), Border: thin, Alignment: center, NumFmt: 1}},
		{&l.title, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 14, Color: "0F5257"}, Alignment: &excelize.Alignment{Vertical: "center"}, NumFmt: numFmtText}},
		{&l.label, excelize.Style{Font: &excelize.Font{Family: family, Bold: true, Size: 10}, Alignment: &excelize.Alignment{Vertical: "top"}, NumFmt: numFmtText}},
		{&l.note, excelize.Style{Font: &excelize.Font{Family: family, Size: 10}, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}, NumFmt: numFmtText}},
	} {
		id, err := f.NewStyle(&s.style)
		if err != nil {
			return look{}, err
		}
		*s.id = id
	}
	return l, nil
}

// cell is a value with its style.
func cell(style int, v any) excelize.Cell {
	if s, ok := v.(string); ok {
		v = plain(s)
	}
	return excelize.Cell{StyleID: style, Value: v}
}

// dateCell is a real date; no date gives an empty cell.
func dateCell(style int, d civil.Date) excelize.Cell {
	if d.IsZero() {
		return excelize.Cell{StyleID: style}
	}
	return excelize.Cell{StyleID: style, Value: d.Time(time.UTC)}
}

// plain drops what a spreadsheet cannot hold: control characters other than the line feed, and broken UTF-8.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if unicode.IsControl(r) || r == unicode.ReplacementChar || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// band is one of the three parts of a printed header or footer.
type band struct{ left, center, right string }

// maxBand is how many UTF-16 units a header or a footer may have (Office Open XML limits it to 255).
const maxBand = 255

// String writes the band in the code of spreadsheets: "&L…&C…&R…".
func (b band) String() string { return "&L" + b.left + "&C" + b.center + "&R" + b.right }

// printed escapes text for a band and shortens it to at most most UTF-16 units once escaped.
func printed(s string, most int) string {
	s = strings.Join(strings.Fields(plain(s)), " ")
	var out strings.Builder
	n := 0
	for _, r := range s {
		part := string(r)
		if r == '&' {
			part = "&&"
		}
		w := len(utf16.Encode([]rune(part)))
		if n+w > most-1 {
			out.WriteString("…")
			break
		}
		out.WriteString(part)
		n += w
	}
	return out.String()
}

// lines estimates how many printed lines a text takes in a column that is width characters wide.
func lines(s string, width float64) int {
	n := 0
	for part := range strings.SplitSeq(s, "\n") {
		n += 1 + max(0, len([]rune(part))-1)/max(1, int(width*0.95))
	}
	return n
}

// bytesOf closes the workbook into bytes.
func bytesOf(f *excelize.File) ([]byte, error) {
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("writing the workbook: %w", err)
	}
	return b.Bytes(), nil
}
