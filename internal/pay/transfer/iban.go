package transfer

import (
	"errors"
	"strings"
)

// ErrIBAN is returned for what is no international account number.
var ErrIBAN = errors.New("not an IBAN")

// ParseIBAN returns an account number without spaces, in capitals, after checking its shape and its check digits
// (ISO 13616: the whole number modulo 97 is 1). A Belgian one has sixteen characters.
func ParseIBAN(s string) (string, error) {
	v := strings.ToUpper(strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "-", "", ".", "").Replace(s))
	if len(v) < 15 || len(v) > 34 || strings.HasPrefix(v, "BE") && len(v) != 16 {
		return "", ErrIBAN
	}
	for i := range 4 {
		if letter := v[i] >= 'A' && v[i] <= 'Z'; letter != (i < 2) || i >= 2 && (v[i] < '0' || v[i] > '9') {
			return "", ErrIBAN
		}
	}
	rest := 0
	for _, c := range []byte(v[4:] + v[:4]) {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return "", ErrIBAN
		}
	}
	if rest != 1 {
		return "", ErrIBAN
	}
	return v, nil
}

// Masked writes an account number of which only the ends can be read: BE15 •••• 0130.
func Masked(iban string) string {
	iban = strings.ReplaceAll(iban, " ", "")
	if len(iban) < 12 {
		return iban
	}
	return iban[:4] + " •••• " + iban[len(iban)-4:]
}
