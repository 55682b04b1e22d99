package household

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
)

// Person is what two rows are compared by, a child's or a guardian's. What is unknown is empty.
type Person struct {
	FirstName string
	LastName  string
	Birth     civil.Date     // of a child
	Number    NationalNumber // of a child
	Phones    []string       // E.164; for a child those of its guardians
	Email     string         // of a guardian
	Street    string         // of a guardian
	Postcode  string
}

// Why two rows look like one person; "household.alike.<reason>" is the key of its sentence.
const (
	AlikeNumber      = "number"       // the same national number
	AlikeName        = "name"         // the same first and last name, but for accents, case and hyphens
	AlikeNameSwapped = "name_swapped" // first name where the last name stands in the other
	AlikeNamePart    = "name_part"    // one has only a part of the other's double name
	AlikeNameClose   = "name_close"   // a slip or two of the keyboard
	AlikeBirth       = "birth"        // the same birth date
	AlikeBirthClose  = "birth_close"  // day and month swapped, or one digit off
	AlikePhone       = "phone"        // the same telephone
	AlikeEmail       = "email"        // the same e-mail address
	AlikeAddress     = "address"      // the same street and postcode
)

// The scores, 0 to 100, from which two rows are proposed to staff as one person.
const (
	alikeChild    = 70
	alikeGuardian = 80
)

// AlikeChildren says how far two children may be one, from 0 to 100, and why. Two national numbers that differ are two
// children, except that a BIS number gives way to the number that a child gets later. Names alone never suffice:
// cousins share them. Twins share everything but the first name and stay below the threshold.
func AlikeChildren(a, b Person) (score int, reasons []string) {
	if !a.Number.IsZero() && !b.Number.IsZero() {
		switch {
		case a.Number == b.Number:
			return 100, []string{AlikeNumber}
		case a.Number.BIS() == b.Number.BIS():
			return 0, nil
		}
	}
	name, why := alikeNames(a, b)
	if name == 0 {
		return 0, nil
	}
	score, reasons = name, []string{why}
	switch {
	case a.Birth.IsZero() || b.Birth.IsZero():
	case a.Birth == b.Birth:
		score, reasons = score+40, append(reasons, AlikeBirth)
	case closeDates(a.Birth, b.Birth):
		score, reasons = score+20, append(reasons, AlikeBirthClose)
	}
	if sharePhone(a, b) {
		score, reasons = score+20, append(reasons, AlikePhone)
	}
	return min(score, 99), reasons
}

// AlikeGuardians says how far two guardians may be one, from 0 to 100, and why. A shared telephone or address without
// the name is a couple.
func AlikeGuardians(a, b Person) (score int, reasons []string) {
	name, why := alikeNames(a, b)
	if name == 0 {
		return 0, nil
	}
	score, reasons = name-10, []string{why}
	if a.Email != "" && strings.EqualFold(a.Email, b.Email) {
		score, reasons = score+50, append(reasons, AlikeEmail)
	}
	if sharePhone(a, b) {
		score, reasons = score+50, append(reasons, AlikePhone)
	}
	if a.Street != "" && a.Postcode == b.Postcode && fold(a.Street) == fold(b.Street) {
		score, reasons = score+25, append(reasons, AlikeAddress)
	}
	return min(score, 99), reasons
}

// alikeNames gives 50 for the same name, less for what looks like it, 0 for another.
func alikeNames(a, b Person) (int, string) {
	af, al, bf, bl := fold(a.FirstName), fold(a.LastName), fold(b.FirstName), fold(b.LastName)
	switch {
	case af+al == "" || bf+bl == "":
		return 0, ""
	case af == bf && al == bl:
		return 50, AlikeName
	case af == bl && al == bf:
		return 45, AlikeNameSwapped
	case af == bf && partOf(al, bl) || al == bl && partOf(af, bf):
		return 40, AlikeNamePart
	case near(af, bf) && near(al, bl):
		return 40, AlikeNameClose
	}
	return 0, ""
}

// partOf reports whether all words of one name stand in the other.
func partOf(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	return len(x) > 0 && !slices.ContainsFunc(x, func(w string) bool { return !slices.Contains(y, w) })
}

// near reports whether two names are a slip apart, two in long ones.
func near(a, b string) bool {
	if a == b {
		return true
	}
	allowed := 1
	if min(len(a), len(b)) > 7 {
		allowed = 2
	}
	return min(len(a), len(b)) > 2 && slips(a, b) <= allowed
}

// slips counts the letters to add, leave out, change or swap with their neighbour between two names.
func slips(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}

// closeDates reports whether one date may be the other wrongly typed: day and month swapped, or one digit off.
func closeDates(a, b civil.Date) bool {
	if a.Year == b.Year && a.Day == int(b.Month) && b.Day == int(a.Month) {
		return true
	}
	x, y := a.String(), b.String()
	off := 0
	for i := range len(x) {
		if x[i] != y[i] {
			off++
		}
	}
	return off == 1
}

func sharePhone(a, b Person) bool {
	return slices.ContainsFunc(a.Phones, func(p string) bool { return p != "" && slices.Contains(b.Phones, p) })
}

// fold writes a name without accents, case, hyphens and apostrophes, with single blanks: « Noël-Élise » is "noel elise".
func fold(s string) string {
	s = strings.NewReplacer("œ", "oe", "Œ", "oe", "æ", "ae", "Æ", "ae", "ß", "ss", "ø", "o", "Ø", "o", "ł", "l", "Ł", "l", "ı", "i").Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(s), " ")
}
