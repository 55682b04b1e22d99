// Package statement is what a bank says of an account in one statement, whatever the format of its file.
package statement

import (
	"errors"
	"regexp"
	"strings"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/transfer"
)

// The bounds of what is read from one file; a bank's day is far below.
const (
	MaxBytes      = 8 << 20 // of one file, unpacked
	MaxStatements = 1000
	MaxEntries    = 20_000
	MaxText       = 1000 // characters of what a payer wrote
)

var (
	// ErrFormat is returned for a file that is no statement of the format.
	ErrFormat = errors.New("not a bank statement of this format")
	// ErrLarge is returned for a file beyond the bounds.
	ErrLarge = errors.New("a bank statement beyond the bounds")
)

// maxWarnings bounds the warnings of one statement.
const maxWarnings = 50

// Statement is what happened on one account, as the bank numbers it.
type Statement struct {
	Account  string // IBAN without spaces, or the bank's own number
	Currency string // "EUR"
	Number   string // as the bank counts, without leading zeros; "" when it does not say
	Date     civil.Date
	Opening  civil.Cents
	Closing  civil.Cents
	Entries  []Entry
	Warnings []Warning
}

// Entry is one movement; its details when the bank gives them and they add up.
type Entry struct {
	Date             civil.Date // when the bank booked it; zero when it does not say
	ValueDate        civil.Date // zero when it does not say
	Cents            civil.Cents
	Communication    string // structured, twelve digits with right check digits; "" when free
	FreeText         string
	CounterpartyName string
	CounterpartyIBAN string
	BankRef          string
	Kind             string // the bank's code of the transaction, in its own words
	// What follows came later than the hash of a statement, of which it is no part.
	EndToEnd string `json:"-"` // the reference that whoever ordered the money gave it; "" when there is none
	Returned string `json:"-"` // why a bank sent it back, in ISO 20022's codes, "RTRN" when it does not say; "" else
}

// Warning is what does not fit in a statement; the statement is still read.
type Warning struct {
	Code string   // message key
	Args []string // amounts for machines ("12.50"), counts or words of the file
}

// Warn adds a warning, up to a bound.
func (s *Statement) Warn(code string, args ...string) {
	if len(s.Warnings) < maxWarnings {
		s.Warnings = append(s.Warnings, Warning{Code: code, Args: args})
	}
}

// Check warns when the balances do not differ by the sum of the entries; sum is that of the movements as the bank
// totals them.
func (s *Statement) Check(sum civil.Cents) {
	if s.Opening+sum != s.Closing {
		s.Warn("bank.warning.balance", s.Opening.Euros(), sum.Euros(), s.Closing.Euros())
	}
}

// Text makes one line of what a payer or a bank wrote: single spaces, nothing that breaks a line, bounded.
func Text(parts ...string) string {
	words := strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.Join(parts, " ")))
	text := []rune(strings.Join(words, " "))
	return strings.TrimSpace(string(text[:min(len(text), MaxText)]))
}

// written is a communication as a form prints it and nothing else: what a bank that knows only free words makes of it.
var written = regexp.MustCompile(`^(\+\+\+|\*\*\*)[0-9]{3}/?[0-9]{4}/?[0-9]{5}(\+\+\+|\*\*\*)$`)

// Structured returns the twelve digits of free words that are a structured communication and nothing else; "" for
// others. Any other character beside it makes it free.
func Structured(free string) string {
	free = strings.ReplaceAll(strings.TrimSpace(free), " ", "")
	if !written.MatchString(free) {
		return ""
	}
	c, err := transfer.Parse(free)
	if err != nil {
		return ""
	}
	return c.Digits()
}

// Reference cleans an end-to-end reference; what says that there is none is "".
func Reference(s string) string {
	switch s = Text(s); strings.ToUpper(s) {
	case strings.Repeat("0", len(s)), "NOTPROVIDED", "NOT PROVIDED", "NOTPROV", "NONREF":
		return ""
	}
	return s
}

// Number writes the number of a statement without leading zeros, so that both formats name it the same.
func Number(s string) string { return strings.TrimLeft(Text(s), "0") }
