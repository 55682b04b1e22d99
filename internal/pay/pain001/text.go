package pain001

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// spelled are the characters that decomposing does not bring to the SEPA's.
var spelled = strings.NewReplacer(
	"œ", "oe", "Œ", "OE", "æ", "ae", "Æ", "AE", "ß", "ss", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L", "đ", "d", "Đ", "D", "ð", "d", "Ð", "D",
	"þ", "th", "Þ", "TH", "ı", "i", "&", "+", "€", "EUR", "’", "'", "‘", "'", "`", "'", "´", "'", "«", "", "»", "", "“", "", "”", "", "\"", "",
	"–", "-", "—", "-", "_", "-", "…", "...", ";", ",", "@", "(a)", "n°", "no", "N°", "No", "°", "",
)

// Text writes words in the characters that every bank of the SEPA reads (EPC 217-08): Latin letters without accents,
// digits, the marks / - ? : ( ) . , ' + and single spaces, no slash at an end and never two; at most most characters.
func Text(s string, most int) string {
	var b strings.Builder
	last := ' '
	for _, r := range norm.NFD.String(spelled.Replace(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case r == '/' && last == '/':
			continue
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/-?:().,'+", r)):
		default:
			r = ' '
		}
		if r == ' ' && last == ' ' {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	text := b.String()
	for {
		text = strings.Trim(text[:min(len(text), most)], " /")
		next := strings.ReplaceAll(text, "//", "/")
		if next == text {
			return text
		}
		text = next
	}
}
