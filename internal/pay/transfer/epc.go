package transfer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"ribambelle/internal/civil"
)

// ErrEPC is returned for a transfer that no code can carry.
var ErrEPC = errors.New("no transfer for a code")

// EPC is a transfer that a bank's app reads from a QR code (EPC069-12, version 002). The code is drawn at level M.
type EPC struct {
	BIC       string // 8 or 11 characters; optional
	Name      string // of who is paid; cut at 70 characters
	IBAN      string // of who is paid
	Cents     civil.Cents
	Purpose   string // at most 4 letters; optional
	Reference string // at most 35 characters: a structured communication, bare or printed; excludes Text
	Text      string // at most 140 characters, free
	Info      string // at most 70 characters, for the payer
	Latin1    bool   // written in ISO 8859-1 instead of UTF-8
}

const (
	maxEPC      = 331            // bytes of a payload
	maxEPCCents = 99_999_999_999 // 999 999 999,99 €
)

// Payload returns the bytes to draw: lines that a line feed separates, none after the last that says something.
// ErrEPC says what is out of bounds.
func (e EPC) Payload() (string, error) { return e.payload(e.Cents.Euros()) }

func (e EPC) payload(euros string) (string, error) {
	iban, err := ParseIBAN(e.IBAN)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrEPC, err)
	}
	name := []rune(strings.Join(strings.Fields(e.Name), " "))
	name = name[:min(len(name), 70)]
	bic := strings.ToUpper(strings.ReplaceAll(e.BIC, " ", ""))
	switch {
	case len(name) == 0:
		return "", fmt.Errorf("%w: nobody to pay", ErrEPC)
	case e.Cents < 1 || e.Cents > maxEPCCents:
		return "", fmt.Errorf("%w: %s euros", ErrEPC, e.Cents.Euros())
	case bic != "" && len(bic) != 8 && len(bic) != 11:
		return "", fmt.Errorf("%w: a BIC of %d characters", ErrEPC, len(bic))
	case e.Reference != "" && e.Text != "":
		return "", fmt.Errorf("%w: two communications", ErrEPC)
	}
	charset := "1"
	if e.Latin1 {
		charset = "2"
	}
	lines := []string{"BCD", "002", charset, "SCT", bic, string(name), iban, "EUR" + euros, e.Purpose, e.Reference, e.Text, e.Info}
	for i, most := range []int{8: 4, 9: 35, 10: 140, 11: 70} {
		if most == 0 {
			continue
		}
		if n := utf8.RuneCountInString(lines[i]); n > most || strings.ContainsAny(lines[i], "\r\n") || !utf8.ValidString(lines[i]) {
			return "", fmt.Errorf("%w: line %d has %d characters, %d at most", ErrEPC, i+1, n, most)
		}
	}
	text := strings.TrimRight(strings.Join(lines, "\n"), "\n")
	if e.Latin1 {
		if text, err = charmap.ISO8859_1.NewEncoder().String(text); err != nil {
			return "", fmt.Errorf("%w: %w", ErrEPC, err)
		}
	}
	if len(text) > maxEPC {
		return "", fmt.Errorf("%w: %d bytes, %d at most", ErrEPC, len(text), maxEPC)
	}
	return text, nil
}
