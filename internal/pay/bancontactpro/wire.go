package bancontactpro

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

// maxCents is the largest amount of the API.
const maxCents = 999_999_999_999

type createBody struct {
	Amount      int64  `json:"amount"` // cents
	Currency    string `json:"currency"`
	Reference   string `json:"reference"`
	Description string `json:"description,omitempty"`
	CallbackURL string `json:"callbackUrl,omitempty"`
	ReturnURL   string `json:"returnUrl"`
}

type searchBody struct {
	From      string `json:"from"`
	Reference string `json:"reference"`
}

type link struct {
	Href string `json:"href"`
}

func (l *link) href(fits func(string) bool) string {
	if l == nil || !fits(l.Href) {
		return ""
	}
	return l.Href
}

// paymentAnswer is the part of a payment that is read: of a creation, a reading, a search or a callback. Instants are
// RFC 3339, amounts integer cents.
type paymentAnswer struct {
	PaymentID   string     `json:"paymentId"`
	Status      string     `json:"status"`
	Amount      int64      `json:"amount"`
	Currency    string     `json:"currency"`
	Reference   string     `json:"reference"`
	Description string     `json:"description"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   *time.Time `json:"expiresAt"` // of a creation
	ExpireAt    *time.Time `json:"expireAt"`  // of everything else
	SucceededAt *time.Time `json:"succeededAt"`
	Links       struct {
		Deeplink *link `json:"deeplink"`
		Checkout *link `json:"checkout"`
	} `json:"_links"`
}

// statuses maps Bancontact Pro's statuses onto ours. SUCCEEDED alone means money.
var statuses = map[string]pay.Status{
	"PENDING":                          pay.StatusOpen,
	"IDENTIFIED":                       pay.StatusPending, // scanned
	"AUTHORIZED":                       pay.StatusAuthorized,
	"PENDING_MERCHANT_ACKNOWLEDGEMENT": pay.StatusAuthorized,
	"SUCCEEDED":                        pay.StatusPaid,
	"CANCELLED":                        pay.StatusCanceled,
	"EXPIRED":                          pay.StatusExpired,
	"AUTHORIZATION_FAILED":             pay.StatusFailed,
	"FAILED":                           pay.StatusFailed,
	"VOIDED":                           pay.StatusFailed,
}

// payment checks the answer and returns it in our words.
func (a *paymentAnswer) payment(mode string) (pay.Payment, error) {
	status, known := statuses[a.Status]
	switch {
	case !ValidID(a.PaymentID):
		return pay.Payment{}, errors.New("the answer is no payment")
	case !known:
		return pay.Payment{}, fmt.Errorf("the payment has the unknown status %q", clip(a.Status, 20))
	case a.Currency != "" && a.Currency != "EUR":
		return pay.Payment{}, fmt.Errorf("the amount is in %q, not in EUR", clip(a.Currency, 10))
	case a.Amount < 0 || a.Amount > maxCents:
		return pay.Payment{}, errors.New("the amount is none")
	}
	p := pay.Payment{
		ID: a.PaymentID, Mode: mode, Status: status, Amount: civil.Cents(a.Amount), Description: a.Description,
		Method: pay.MethodBancontact, Cancelable: a.Status == "PENDING" || a.Status == "IDENTIFIED",
		CreatedAt: a.CreatedAt.UTC(),
	}
	if status.Final() {
		if status == pay.StatusPaid && a.SucceededAt != nil {
			p.PaidAt = a.SucceededAt.UTC()
		}
		return p, nil
	}
	for _, at := range []*time.Time{a.ExpiresAt, a.ExpireAt} {
		if at != nil {
			p.ExpiresAt = at.UTC()
		}
	}
	p.AppURL = a.Links.Deeplink.href(webURL)
	p.CheckoutURL = a.Links.Checkout.href(webURL)
	if p.CheckoutURL == "" {
		p.CheckoutURL = p.AppURL // the deep link opens a page where there is no app
	}
	return p, nil
}

// webURL reports whether a browser may be sent to s.
func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// sepa writes a text in the characters that every European bank takes, at most most of them: accents fall, anything
// else becomes a space. The full extended set would be allowed, but old banks print it as question marks.
func sepa(s string, most int) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/-?:().,'+ ", r)):
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		case r == '’' || r == '‘':
			b.WriteByte('\'')
		case r == '–' || r == '—':
			b.WriteByte('-')
		case r == 'œ' || r == 'Œ':
			b.WriteString("oe")
		case r == 'æ' || r == 'Æ':
			b.WriteString("ae")
		default:
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(clip(strings.Join(strings.Fields(b.String()), " "), most))
}
