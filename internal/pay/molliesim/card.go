package molliesim

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ribambelle/internal/civil"
)

const card = "creditcard"

// The numbers printed on the card page: the first pays, the second is refused by the bank.
const (
	cardThatPays    = "4111 1111 1111 1111"
	cardThatIsPoor  = "4000 0000 0000 0002"
	cardsAreShorter = 19 // digits of the longest card number
)

// cardForm is the card page as typed and what is wrong with it. Nothing of it is kept.
type cardForm struct {
	Number, Expiry, Code                      string
	NumberProblem, ExpiryProblem, CodeProblem string
}

func (f cardForm) good() bool { return f.NumberProblem+f.ExpiryProblem+f.CodeProblem == "" }

var (
	expiryPattern = regexp.MustCompile(`^(0[1-9]|1[0-2]) ?/ ?([0-9]{2})$`)
	codePattern   = regexp.MustCompile(`^[0-9]{3,4}$`)
)

// readCard checks a card form at an instant, and says of every field what is wrong.
func readCard(form url.Values, now time.Time) cardForm {
	f := cardForm{
		Number: strings.TrimSpace(form.Get("number")), Expiry: strings.TrimSpace(form.Get("expiry")),
		Code: strings.TrimSpace(form.Get("code")),
	}
	if !luhn(digits(f.Number)) {
		f.NumberProblem = "Ce numéro de carte n’est pas valable."
	}
	if m := expiryPattern.FindStringSubmatch(f.Expiry); m == nil {
		f.ExpiryProblem = "Écrivez le mois et l’année : 09/29."
	} else {
		month, _ := strconv.Atoi(m[1])
		year, _ := strconv.Atoi(m[2])
		// A card serves until the end of its month.
		if !now.Before(time.Date(2000+year, time.Month(month)+1, 1, 0, 0, 0, 0, civil.Brussels)) {
			f.ExpiryProblem = "Cette carte est périmée."
		}
	}
	if !codePattern.MatchString(f.Code) {
		f.CodeProblem = "Le code a trois chiffres, au dos de la carte."
	}
	return f
}

// digits drops the spaces and hyphens that people type in a card number.
func digits(s string) string { return strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(s) }

// luhn reports whether number is a card number by its check digit.
func luhn(number string) bool {
	if len(number) < 12 || len(number) > cardsAreShorter {
		return false
	}
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// cardPage is the hosted page of a card.
type cardPage struct {
	Entry
	Form                cardForm
	Pays, Poor, Expires string // what may be typed
	Return              string
}

func (s *Server) cardShow(w http.ResponseWriter, r *http.Request, status int, e Entry, f cardForm) {
	s.page(w, r, status, "card.html", cardPage{
		Entry: e, Form: f, Pays: cardThatPays, Poor: cardThatIsPoor, Return: back(e),
		Expires: s.opts.Clock().In(civil.Brussels).AddDate(2, 0, 0).Format("01/06"),
	})
}

// cardAct takes what was typed on the card page.
func (s *Server) cardAct(w http.ResponseWriter, r *http.Request, e Entry) {
	action := Action(r.PostFormValue("action"))
	if action == ActPay && e.Live() {
		f := readCard(r.PostForm, s.opts.Clock())
		if !f.good() {
			f.Code = ""
			s.cardShow(w, r, http.StatusUnprocessableEntity, e, f)
			return
		}
		if digits(f.Number) == digits(cardThatIsPoor) {
			action = ActFail
		}
	}
	s.checkoutEnd(w, r, action, card)
}
