package account

import (
	"regexp"

	"ribambelle/internal/problem"
)

// identified is the condition under which an account is the one that @identifier names: an e-mail address, whatever the
// case of its letters, or a number in E.164. The one can never be taken for the other.
const identified = `lower(email) = lower(@identifier) OR phone = @identifier`

// e164 is the shape of an international telephone number (ITU-T E.164): + and at most 15 digits.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// numeric reports whether an identifier is a number in E.164; the page has normalised what was typed.
func numeric(identifier string) bool { return e164.MatchString(identifier) }

// number notes what is wrong with a number under the input "phone".
func number(p *problem.Fields, v string) string {
	switch {
	case v == "":
		p.Add("phone", "account.phone_required")
	case !numeric(v):
		p.Add("phone", "account.phone_invalid")
	}
	return v
}
