// Package household holds families: guardians, children, who may do what for whom, and school levels.
package household

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// Store reads and writes households, guardians, children, levels and guardianships. It is safe for concurrent use.
type Store struct {
	DB  *db.DB
	Now civil.Clock
	Box *seal.Box // seals national numbers
	// Jobs takes what follows a change: a guardian who changed is sent to Odoo.
	Jobs job.Inserter
}

// New returns a store on d.
func New(d *db.DB, now civil.Clock, box *seal.Box, jobs job.Inserter) *Store {
	return &Store{DB: d, Now: now, Box: box, Jobs: jobs}
}

// today is the civil day in Brussels: guardianships begin and end with days, not instants.
func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

// Bounds of what a form may hold, in characters.
const (
	MaxName   = 80
	MaxStreet = 120
	MaxCity   = 80
	MaxEmail  = 254 // RFC 5321 4.5.3.1.3
)

// text trims value, joins its blanks, and notes what is wrong with it under the input name.
func text(p *problem.Fields, name, value string, bound int, required bool) string {
	value = strings.Join(strings.Fields(value), " ")
	switch {
	case value == "" && required:
		p.Add(name, "household.required")
	case utf8.RuneCountInString(value) > bound:
		p.Add(name, "household.too_long", bound)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unprintable):
		p.Add(name, "household.unreadable")
	}
	return value
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// e164 is the shape of an international telephone number (ITU-T E.164): + and at most 15 digits.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// postcodeForeign is a postcode of another country with its distinguishing sign: F-59300, L-1234, NL-1234 AB.
var postcodeForeign = regexp.MustCompile(`^[A-Z]{1,2}-[0-9A-Z][0-9A-Z -]{2,9}$`)

// ValidPostcode reports whether s is a Belgian postcode (four digits, 1000 to 9992) or one of another country behind
// that country's distinguishing sign and a hyphen, as on an international letter.
func ValidPostcode(s string) bool {
	if len(s) == 4 && strings.Trim(s, "0123456789") == "" {
		return s >= "1000" && s <= "9992"
	}
	return postcodeForeign.MatchString(s) && !strings.HasPrefix(s, "B-")
}

// validEmail reports whether s is a bare address that ordinary mail servers take.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > MaxEmail {
		return false
	}
	_, host, _ := strings.Cut(s, "@")
	return strings.Contains(host, ".") && !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
