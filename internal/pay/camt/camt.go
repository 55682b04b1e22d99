// Package camt reads CAMT.053, the bank statements of ISO 20022, in the versions that banks send (001.02 to 001.08).
package camt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/statement"
	"ribambelle/internal/pay/transfer"
)

// Parse reads a document, which may hold several statements. What does not add up becomes a warning of its statement.
// It returns statement.ErrFormat for what is no such document and statement.ErrLarge beyond the bounds.
func Parse(raw []byte) ([]statement.Statement, error) {
	if len(raw) > statement.MaxBytes {
		return nil, fmt.Errorf("%d bytes: %w", len(raw), statement.ErrLarge)
	}
	inner := xml.NewDecoder(bytes.NewReader(raw))
	inner.CharsetReader = charset
	d := xml.NewTokenDecoder(&bounded{inner: inner})
	var all []statement.Statement
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Stmt" {
			continue
		}
		if !strings.Contains(start.Name.Space, "camt.053") {
			return nil, fmt.Errorf("a document of %.100q: %w", start.Name.Space, statement.ErrFormat)
		}
		var x xmlStatement
		if err := d.DecodeElement(&x, &start); err != nil {
			return nil, unreadable(err)
		}
		all = append(all, x.statement())
	}
	if len(all) == 0 {
		return nil, statement.ErrFormat
	}
	return all, nil
}

func unreadable(err error) error {
	if errors.Is(err, statement.ErrLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", statement.ErrFormat, err)
}

// charset lets the decoder read what is not UTF-8.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "iso-8859-1", "latin1", "us-ascii", "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(r), nil
	case "iso-8859-15":
		return charmap.ISO8859_15.NewDecoder().Reader(r), nil
	}
	return nil, fmt.Errorf("characters of %.40q", label)
}

const (
	maxDepth = 40
	// maxMany bounds the elements of which a document holds many, each of which takes memory.
	maxMany = 4 * statement.MaxEntries
)

// many are those elements.
var many = map[string]bool{"Stmt": true, "Ntry": true, "NtryDtls": true, "TxDtls": true, "Bal": true, "Ustrd": true, "Strd": true}

// bounded hands on the tokens of a document until it goes too deep or too far. A document type is refused: no bank
// sends one, and it may define what grows.
type bounded struct {
	inner                       *xml.Decoder
	depth, seen, entries, stmts int
}

// Token returns the next token as it is written; the decoder around checks that the ends match.
func (b *bounded) Token() (xml.Token, error) {
	t, err := b.inner.RawToken()
	switch t := t.(type) {
	case xml.Directive:
		return nil, errors.New("a document type")
	case xml.EndElement:
		b.depth--
	case xml.StartElement:
		b.depth++
		if many[t.Name.Local] {
			b.seen++
		}
		switch t.Name.Local {
		case "Stmt":
			b.stmts++
		case "Ntry", "TxDtls":
			b.entries++
		}
		if b.depth > maxDepth || b.seen > maxMany || b.entries > 2*statement.MaxEntries || b.stmts > statement.MaxStatements {
			return nil, fmt.Errorf("depth %d, %d entries, %d statements: %w", b.depth, b.entries, b.stmts, statement.ErrLarge)
		}
	}
	return t, err
}

// The elements that are read, by the names of the standard. Version 001.02 puts a party's name in Dbtr/Nm and a status
// in Sts, 001.08 in Dbtr/Pty/Nm and Sts/Cd: both are read.
type xmlStatement struct {
	ID      string `xml:"Id"`
	Seq     string `xml:"ElctrncSeqNb"`
	LegalNr string `xml:"LglSeqNb"`
	Page    string `xml:"StmtPgntn>PgNb"`
	Created string `xml:"CreDtTm"`
	Acct    struct {
		IBAN  string `xml:"Id>IBAN"`
		Other string `xml:"Id>Othr>Id"`
		Ccy   string `xml:"Ccy"`
	} `xml:"Acct"`
	Balances []xmlBalance `xml:"Bal"`
	Entries  []xmlEntry   `xml:"Ntry"`
}

type xmlBalance struct {
	Code   string    `xml:"Tp>CdOrPrtry>Cd"`
	Amount xmlAmount `xml:"Amt"`
	Sign   string    `xml:"CdtDbtInd"`
	Date   xmlDate   `xml:"Dt"`
}

type xmlAmount struct {
	Currency string `xml:"Ccy,attr"`
	Value    string `xml:",chardata"`
}

type xmlDate struct {
	Day     string `xml:"Dt"`
	Instant string `xml:"DtTm"`
}

type xmlEntry struct {
	Ref      string    `xml:"NtryRef"`
	Amount   xmlAmount `xml:"Amt"`
	Sign     string    `xml:"CdtDbtInd"`
	Reversed string    `xml:"RvslInd"`
	Status   struct {
		Code string `xml:"Cd"`
		Text string `xml:",chardata"`
	} `xml:"Sts"`
	Booked  xmlDate `xml:"BookgDt"`
	Valued  xmlDate `xml:"ValDt"`
	BankRef string  `xml:"AcctSvcrRef"`
	Domain  string  `xml:"BkTxCd>Domn>Cd"`
	Family  string  `xml:"BkTxCd>Domn>Fmly>Cd"`
	Sub     string  `xml:"BkTxCd>Domn>Fmly>SubFmlyCd"`
	Own     string  `xml:"BkTxCd>Prtry>Cd"`
	Details []struct {
		Tx []xmlDetail `xml:"TxDtls"`
	} `xml:"NtryDtls"`
	Info string `xml:"AddtlNtryInf"`
}

type xmlDetail struct {
	Amount   xmlAmount `xml:"Amt"`
	TxAmount xmlAmount `xml:"AmtDtls>TxAmt>Amt"`
	Asked    xmlAmount `xml:"AmtDtls>InstdAmt>Amt"`
	Sign     string    `xml:"CdtDbtInd"`
	BankRef  string    `xml:"Refs>AcctSvcrRef"`
	TxID     string    `xml:"Refs>TxId"`
	EndToEnd string    `xml:"Refs>EndToEndId"`
	Debtor   xmlParty  `xml:"RltdPties>Dbtr"`
	Creditor xmlParty  `xml:"RltdPties>Cdtr"`
	Behind   xmlParty  `xml:"RltdPties>UltmtDbtr"` // for whom the debtor pays
	Why      string    `xml:"RtrInf>Rsn>Cd"`
	WhyOwn   string    `xml:"RtrInf>Rsn>Prtry"`
	From     string    `xml:"RltdPties>DbtrAcct>Id>IBAN"`
	To       string    `xml:"RltdPties>CdtrAcct>Id>IBAN"`
	Free     []string  `xml:"RmtInf>Ustrd"`
	Refs     []string  `xml:"RmtInf>Strd>CdtrRefInf>Ref"`
	More     []string  `xml:"RmtInf>Strd>AddtlRmtInf"`
	Info     string    `xml:"AddtlTxInf"`
}

type xmlParty struct {
	Name  string `xml:"Nm"`
	Party string `xml:"Pty>Nm"`
}

func (p xmlParty) text() string { return statement.Text(p.Name, p.Party) }

func (x xmlStatement) statement() statement.Statement {
	s := statement.Statement{
		Account: strings.ReplaceAll(statement.Text(x.Acct.IBAN), " ", ""), Currency: statement.Text(x.Acct.Ccy),
		Number: statement.Number(x.Seq),
	}
	if s.Account == "" {
		s.Account = statement.Text(x.Acct.Other)
	}
	if s.Number == "" {
		s.Number = statement.Number(x.LegalNr)
	}
	if s.Number == "" {
		s.Number = statement.Number(x.ID)
	}
	if page := statement.Number(x.Page); page != "" && page != "1" { // a page of one statement is no other telling of it
		s.Number += "/" + page
	}
	opened, closed := false, false
	for _, b := range x.Balances {
		cents := sign(amount(&s, b.Amount), b.Sign)
		switch strings.TrimSpace(b.Code) {
		case "OPBD", "PRCD":
			s.Opening, opened = cents, true
		case "CLBD":
			s.Closing, closed = cents, true
			s.Date = b.Date.read(&s)
		}
		if s.Currency == "" {
			s.Currency = statement.Text(b.Amount.Currency)
		}
	}
	if s.Date.IsZero() {
		s.Date = xmlDate{Instant: x.Created}.read(&s)
	}
	var sum civil.Cents
	for _, e := range x.Entries {
		if len(s.Entries) >= statement.MaxEntries {
			s.Warn("bank.warning.cut", strconv.Itoa(len(x.Entries)))
			break
		}
		sum += e.read(&s)
	}
	if s.Currency == "" {
		s.Currency = "EUR"
	}
	switch {
	case !closed:
		s.Closing = s.Opening + sum
		s.Warn("bank.warning.no_closing")
	case !opened:
		s.Opening = s.Closing - sum
		s.Warn("bank.warning.no_opening")
	default:
		s.Check(sum)
	}
	return s
}

// read adds what an entry holds to s and returns its amount, which the balances count.
func (e xmlEntry) read(s *statement.Statement) civil.Cents {
	status := statement.Text(e.Status.Code, e.Status.Text)
	if status != "BOOK" && status != "" { // announced, not booked: it comes again
		s.Warn("bank.warning.not_booked", status)
		return 0
	}
	cents := sign(amount(s, e.Amount), e.Sign)
	if c := statement.Text(e.Amount.Currency); c != "" && s.Currency != "" && c != s.Currency {
		s.Warn("bank.warning.currency", c)
	}
	whole := statement.Entry{
		Date: e.Booked.read(s), ValueDate: e.Valued.read(s), Cents: cents, BankRef: statement.Text(e.BankRef),
		Kind: e.kind(), FreeText: statement.Text(e.Info),
	}
	if whole.Date.IsZero() {
		whole.Date = s.Date
	}
	var details []xmlDetail
	for _, d := range e.Details {
		details = append(details, d.Tx...)
	}
	switch len(details) {
	case 0:
		s.Entries = append(s.Entries, whole)
		return cents
	case 1:
		s.Entries = append(s.Entries, details[0].entry(whole, cents, e.Sub))
		return cents
	}
	var parts []statement.Entry
	var total civil.Cents
	for _, d := range details {
		v := d.TxAmount
		for _, other := range []xmlAmount{d.Amount, d.Asked} {
			if strings.TrimSpace(v.Value) == "" {
				v = other
			}
		}
		way := e.Sign
		if d.Sign != "" {
			way = d.Sign
		}
		part := sign(amount(s, v), way)
		total += part
		parts = append(parts, d.entry(whole, part, e.Sub))
	}
	if total != cents || len(s.Entries)+len(parts) > statement.MaxEntries {
		s.Warn("bank.warning.details", cents.Euros(), total.Euros())
		parts = []statement.Entry{whole}
	}
	s.Entries = append(s.Entries, parts...)
	return cents
}

func (e xmlEntry) kind() string {
	kind := statement.Text(strings.Join([]string{e.Domain, e.Family, e.Sub}, "/"))
	if kind == "//" {
		kind = statement.Text(e.Own)
	}
	if strings.TrimSpace(e.Reversed) == "true" {
		kind += " RVSL"
	}
	return kind
}

// returned is the code of a family of transactions for transfers that a bank sent back.
const returned = "RRTN"

// entry is whole with what the detail adds; sub is the bank's code of the kind of transaction.
func (d xmlDetail) entry(whole statement.Entry, cents civil.Cents, sub string) statement.Entry {
	e := whole
	e.Cents = cents
	e.EndToEnd = statement.Reference(d.EndToEnd)
	for _, why := range []string{d.Why, d.WhyOwn} {
		if e.Returned == "" {
			e.Returned = statement.Text(why)
		}
	}
	if e.Returned == "" && strings.TrimSpace(sub) == returned {
		e.Returned = "RTRN"
	}
	for _, ref := range []string{d.BankRef, d.TxID} {
		if e.BankRef == "" || whole.Cents != cents { // a part of a batch has a reference of its own
			if ref = statement.Text(ref); ref != "" {
				e.BankRef = ref
				break
			}
		}
	}
	// Money that comes back names the parties of the transfer that left.
	if (cents < 0) == (e.Returned == "") {
		e.CounterpartyName, e.CounterpartyIBAN = d.Creditor.text(), account(d.To)
	} else {
		e.CounterpartyName, e.CounterpartyIBAN = d.Debtor.text(), account(d.From)
	}
	if e.CounterpartyName == "" && cents > 0 {
		e.CounterpartyName = d.Behind.text()
	}
	words := append([]string{}, d.Free...)
	for _, ref := range d.Refs {
		if c, err := transfer.Parse(ref); err == nil && len(strings.TrimSpace(ref)) <= 20 && e.Communication == "" {
			e.Communication = c.Digits()
		} else {
			words = append(words, ref)
		}
	}
	words = append(words, d.More...)
	if e.Communication == "" && len(words) == 0 {
		words = append(words, d.Info, whole.FreeText)
	}
	e.FreeText = statement.Text(words...)
	if e.Communication == "" {
		if c := statement.Structured(e.FreeText); c != "" {
			e.Communication, e.FreeText = c, ""
		} else if c, err := transfer.Parse(e.EndToEnd); err == nil && len(e.EndToEnd) <= 20 && e.FreeText == "" {
			e.FreeText = c.String() // where some payers' software writes it
		}
	}
	return e
}

func account(s string) string { return strings.ReplaceAll(statement.Text(s), " ", "") }

func sign(c civil.Cents, way string) civil.Cents {
	if strings.TrimSpace(way) == "DBIT" {
		return -c
	}
	return c
}

// maxAmount bounds an amount, so that no sum of them overflows: a billion euros.
const maxAmount = 100_000_000_000

// amount reads "60", "60.5" or "60.00"; more decimals than cents warn.
func amount(s *statement.Statement, a xmlAmount) civil.Cents {
	text := strings.TrimPrefix(strings.TrimSpace(a.Value), "+")
	whole, part, _ := strings.Cut(text, ".")
	cents := (part + "00")[:2]
	c, err := civil.ParseEuros(whole + "." + cents)
	if err != nil || c < 0 || c > maxAmount || strings.Trim(part[min(len(part), 2):], "0") != "" {
		s.Warn("bank.warning.amount", statement.Text(text[:min(len(text), 40)]))
		if err != nil || c < 0 || c > maxAmount {
			return 0
		}
	}
	return c
}

// read takes the day of a date, or of an instant as the bank writes it.
func (d xmlDate) read(s *statement.Statement) civil.Date {
	text := strings.TrimSpace(d.Day)
	if text == "" {
		text = strings.TrimSpace(d.Instant)
	}
	if text == "" {
		return civil.Date{}
	}
	day, err := civil.ParseDate(text[:min(len(text), 10)])
	if err != nil || day.Year < 1900 || day.Year > 2200 {
		s.Warn("bank.warning.date", statement.Text(text[:min(len(text), 40)]))
		return civil.Date{}
	}
	return day
}
