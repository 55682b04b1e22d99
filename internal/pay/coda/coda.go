// Package coda reads CODA, the statements of Belgian banks: records of 128 characters (Febelfin, CODA 2.6).
package coda

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/statement"
	"ribambelle/internal/pay/transfer"
)

// width of a record in characters.
const width = 128

// Parse reads a file, which may hold several accounts and statements. What does not add up becomes a warning of its
// statement. It returns statement.ErrFormat for what is no CODA and statement.ErrLarge beyond the bounds.
func Parse(raw []byte) ([]statement.Statement, error) {
	if len(raw) > statement.MaxBytes {
		return nil, fmt.Errorf("%d bytes: %w", len(raw), statement.ErrLarge)
	}
	var p parser
	for line := range bytes.Lines(raw) {
		line = bytes.TrimRight(line, "\r\n\x1a\x00")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := p.record(newRecord(line)); err != nil {
			return nil, err
		}
	}
	p.close()
	if len(p.all) == 0 {
		return nil, statement.ErrFormat
	}
	return p.all, nil
}

// record is one line, in characters; it is never shorter than width.
type record []rune

// newRecord decodes a line: Windows-1252, of which Latin-1 is a part, unless someone's editor made UTF-8 of it.
func newRecord(line []byte) record {
	line = line[:min(len(line), 4*width)]
	var text string
	if utf8.Valid(line) {
		text = string(line)
	} else if b, err := charmap.Windows1252.NewDecoder().Bytes(line); err == nil {
		text = string(b)
	}
	r := []rune(text)
	for len(r) < width {
		r = append(r, ' ')
	}
	return r[:width]
}

// raw returns the characters from a to b, both included.
func (r record) raw(a, b int) string { return string(r[a : b+1]) }

// text returns them without the spaces around.
func (r record) text(a, b int) string { return strings.TrimSpace(r.raw(a, b)) }

// word returns the first word of them.
func (r record) word(a, b int) string {
	if words := strings.Fields(r.raw(a, b)); len(words) > 0 {
		return statement.Text(words[0])
	}
	return ""
}

// parser holds the statement that is being read.
type parser struct {
	all     []statement.Statement
	one     *statement.Statement
	main    []movement // its movements in order
	closed  bool       // its new balance was read
	count   int        // records since the header, of the types that the trailer counts
	debit   civil.Cents
	credit  civil.Cents
	since   int // index in all of the first statement since the header
	entries int
	header  []statement.Warning
	began   bool
	telling bool // the information being read is in free words
}

// movement is a main movement with its details.
type movement struct {
	statement.Entry
	seq     string
	free    []string
	details []movement
}

func (p *parser) record(r record) error {
	switch r[0] {
	case '0':
		p.open(r)
		return nil
	case '1':
		if len(p.all) >= statement.MaxStatements {
			return fmt.Errorf("more than %d statements: %w", statement.MaxStatements, statement.ErrLarge)
		}
		p.began = true
		p.count++
		p.oldBalance(r)
		return nil
	case '4': // a word of the bank to its customer
		return nil
	case '9':
		p.trailer(r)
		return nil
	}
	if p.one == nil {
		if !p.began && len(p.all) == 0 {
			return fmt.Errorf("a record of type %q before any balance: %w", r[0], statement.ErrFormat)
		}
		return nil // after a trailer: the header of the next statement must come first
	}
	switch r[0] {
	case '2':
		p.count++
		return p.movement(r)
	case '3':
		p.count++
		p.information(r)
	case '8':
		p.count++
		p.newBalance(r)
	default:
		p.one.Warn("bank.warning.record", statement.Text(string(r[0])))
	}
	return nil
}

func (p *parser) open(r record) {
	p.close()
	p.began = true
	p.count, p.debit, p.credit, p.since, p.header = 0, 0, 0, len(p.all), nil
	var s statement.Statement
	if v := r.text(127, 127); v != "2" {
		s.Warn("bank.warning.version", statement.Text(v))
	}
	if r[16] == 'D' {
		s.Warn("bank.warning.duplicate")
	}
	p.header = s.Warnings
}

func (p *parser) oldBalance(r record) {
	p.close()
	p.one = &statement.Statement{Number: statement.Number(r.raw(125, 127)), Warnings: p.header}
	p.header = nil
	switch r[1] {
	case '0':
		p.one.Account, p.one.Currency = r.word(5, 16), r.word(18, 20)
	case '2':
		p.one.Account, p.one.Currency = r.word(5, 35), r.word(39, 41)
	default:
		p.one.Account, p.one.Currency = r.word(5, 38), r.word(39, 41)
	}
	if p.one.Currency == "" {
		p.one.Currency = "EUR"
	}
	if p.one.Number == "" {
		p.one.Number = statement.Number(r.raw(2, 4))
	}
	p.one.Opening = p.signed(r, 42, 43)
	p.one.Date = p.date(r, 58)
}

func (p *parser) newBalance(r record) {
	p.one.Closing = p.signed(r, 41, 42)
	if d := p.date(r, 57); !d.IsZero() {
		p.one.Date = d
	}
	p.closed = true
}

// signed reads a sign and an amount of fifteen digits with three decimals.
func (p *parser) signed(r record, sign, at int) civil.Cents {
	n, err := strconv.ParseUint(r.raw(at, at+14), 10, 63)
	if err != nil {
		p.one.Warn("bank.warning.amount", statement.Text(r.raw(at, at+14)))
		return 0
	}
	if n%10 != 0 {
		p.one.Warn("bank.warning.amount", statement.Text(r.raw(at, at+14)))
	}
	c := civil.Cents(n / 10)
	if r[sign] == '1' {
		return -c
	}
	return c
}

// date reads DDMMYY; zeros are no date.
func (p *parser) date(r record, at int) civil.Date {
	text := r.raw(at, at+5)
	if strings.Trim(text, "0 ") == "" {
		return civil.Date{}
	}
	t, err := time.Parse("020106", text)
	if err != nil {
		p.one.Warn("bank.warning.date", statement.Text(text))
		return civil.Date{}
	}
	return civil.NewDate(t.Year(), t.Month(), t.Day())
}

// last returns the movement that the next record adds to.
func (p *parser) last() *movement {
	if len(p.main) == 0 {
		return nil
	}
	m := &p.main[len(p.main)-1]
	if n := len(m.details); n > 0 {
		return &m.details[n-1]
	}
	return m
}

func (p *parser) movement(r record) error {
	if r[1] == '1' {
		return p.newMovement(r)
	}
	m := p.last()
	if m == nil || m.seq != r.raw(2, 5) {
		p.one.Warn("bank.warning.record", statement.Text(r.raw(0, 9)))
		return nil
	}
	switch r[1] {
	case '2':
		m.free = append(m.free, r.raw(10, 62))
		m.EndToEnd = statement.Reference(r.raw(63, 97))
		if r[112] != ' ' && r[112] != '0' { // the type of what is no plain transfer: rejected, returned, refunded, reversed
			if m.Returned = statement.Text(r.raw(113, 116)); m.Returned == "" {
				m.Returned = "RTRN"
			}
		}
	case '3':
		m.CounterpartyIBAN = r.word(10, 43)
		m.CounterpartyName = statement.Text(r.raw(47, 81))
		m.free = append(m.free, r.raw(82, 124))
	}
	return nil
}

// information adds what the bank tells in free words of a movement.
func (p *parser) information(r record) {
	if r[1] == '1' {
		p.telling = r[39] == '0'
	}
	last := p.last()
	if last == nil || !p.telling {
		return
	}
	if r[1] == '1' {
		last.free = append(last.free, " ", r.raw(40, 112))
	} else {
		last.free = append(last.free, r.raw(10, 99))
	}
}

func (p *parser) newMovement(r record) error {
	if p.entries++; p.entries > statement.MaxEntries {
		return fmt.Errorf("more than %d movements: %w", statement.MaxEntries, statement.ErrLarge)
	}
	m := movement{seq: r.raw(2, 5), Entry: statement.Entry{
		Date: p.date(r, 115), ValueDate: p.date(r, 47), Cents: p.signed(r, 31, 32),
		BankRef: statement.Text(r.raw(10, 30)), Kind: statement.Text(r.raw(53, 60)),
	}}
	switch structured := r[61] == '1'; {
	case structured && (r.raw(62, 64) == "101" || r.raw(62, 64) == "102"):
		if c, err := transfer.Parse(r.raw(65, 76)); err == nil {
			m.Communication = c.Digits()
		} else {
			m.free = append(m.free, r.raw(65, 114))
		}
	case structured:
		m.free = append(m.free, r.raw(65, 114))
	default:
		m.free = append(m.free, r.raw(62, 114))
	}
	if n := len(p.main); r.raw(6, 9) != "0000" && n > 0 && p.main[n-1].seq == m.seq {
		p.main[n-1].details = append(p.main[n-1].details, m)
		return nil
	}
	p.main = append(p.main, m)
	if m.Cents < 0 {
		p.debit -= m.Cents
	} else {
		p.credit += m.Cents
	}
	return nil
}

// close ends the statement that is being read. Details take the place of their movement when they add up to it: one
// line of the bank may be what many payers sent.
func (p *parser) close() {
	if p.one == nil {
		return
	}
	var sum civil.Cents
	for _, m := range p.main {
		sum += m.Cents
		parts := []movement{m}
		if len(m.details) > 0 {
			var total civil.Cents
			for _, d := range m.details {
				total += d.Cents
			}
			if total == m.Cents {
				parts = m.details
			} else {
				p.one.Warn("bank.warning.details", m.Cents.Euros(), total.Euros())
			}
		}
		for _, e := range parts {
			e.FreeText = statement.Text(join(e.free))
			if c := statement.Structured(e.FreeText); e.Communication == "" && c != "" {
				e.Communication, e.FreeText = c, ""
			}
			if e.Date.IsZero() {
				e.Date = p.one.Date
			}
			p.one.Entries = append(p.one.Entries, e.Entry)
		}
	}
	if p.closed {
		p.one.Check(sum)
	} else {
		p.one.Closing = p.one.Opening + sum
		p.one.Warn("bank.warning.no_closing")
	}
	p.all = append(p.all, *p.one)
	p.one, p.main, p.closed = nil, nil, false
}

// join puts the pieces of a communication together: a word may run over the end of a piece that is full.
func join(pieces []string) string {
	var b strings.Builder
	for _, s := range pieces {
		if strings.HasSuffix(s, " ") || s == "" {
			s = strings.TrimRight(s, " ") + " "
		}
		b.WriteString(s)
	}
	return b.String()
}

// trailer compares what the file says it holds.
func (p *parser) trailer(r record) {
	p.close()
	if p.since >= len(p.all) {
		return
	}
	s := &p.all[len(p.all)-1]
	if n, err := strconv.Atoi(r.text(16, 21)); err != nil || n != p.count {
		s.Warn("bank.warning.count", statement.Text(r.raw(16, 21)), strconv.Itoa(p.count))
	}
	for _, v := range []struct {
		at  int
		sum civil.Cents
	}{{22, p.debit}, {37, p.credit}} {
		if n, err := strconv.ParseUint(r.raw(v.at, v.at+14), 10, 63); err != nil || civil.Cents(n/10) != v.sum {
			s.Warn("bank.warning.totals", statement.Text(r.raw(v.at, v.at+14)), v.sum.Euros())
		}
	}
}
