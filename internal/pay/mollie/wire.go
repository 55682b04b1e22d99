package mollie

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay"
)

// amount is Mollie's money: a currency and a string with two decimals.
type amount struct {
	Currency string `json:"currency"`
	Value    string `json:"value"`
}

func writeAmount(c civil.Cents) amount { return amount{Currency: "EUR", Value: c.Euros()} }

// cents reads an amount strictly: euros, two decimals, not negative.
func (a amount) cents() (civil.Cents, error) {
	if a.Currency != "EUR" {
		return 0, fmt.Errorf("the amount is in %q, not in EUR", clip(a.Currency, 10))
	}
	c, err := civil.ParseEuros(a.Value)
	if err != nil || c < 0 {
		return 0, fmt.Errorf("%q is no amount", clip(a.Value, 20))
	}
	return c, nil
}

type createBody struct {
	Amount      amount            `json:"amount"`
	Description string            `json:"description"`
	RedirectURL string            `json:"redirectUrl"`
	CancelURL   string            `json:"cancelUrl,omitempty"`
	WebhookURL  string            `json:"webhookUrl,omitempty"`
	Locale      string            `json:"locale,omitempty"`
	Method      string            `json:"method,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

type link struct {
	Href string `json:"href"`
}

// paymentAnswer is the part of Mollie's payment object that is read. Instants are RFC 3339.
type paymentAnswer struct {
	Resource          string          `json:"resource"`
	ID                string          `json:"id"`
	Mode              string          `json:"mode"`
	Status            string          `json:"status"`
	Amount            amount          `json:"amount"`
	AmountRefunded    *amount         `json:"amountRefunded"`
	AmountChargedBack *amount         `json:"amountChargedBack"`
	Description       string          `json:"description"`
	Method            *string         `json:"method"`
	IsCancelable      bool            `json:"isCancelable"`
	CreatedAt         time.Time       `json:"createdAt"`
	ExpiresAt         *time.Time      `json:"expiresAt"`
	PaidAt            *time.Time      `json:"paidAt"`
	Metadata          json.RawMessage `json:"metadata"` // any JSON: ours is an object of strings
	Details           *struct {
		QRCode *struct {
			Src string `json:"src"`
		} `json:"qrCode"`
	} `json:"details"`
	Links struct {
		Checkout          *link `json:"checkout"`
		MobileAppCheckout *link `json:"mobileAppCheckout"`
	} `json:"_links"`
}

// payment checks the answer and returns it in our words.
func (a *paymentAnswer) payment() (pay.Payment, error) {
	status := pay.Status(a.Status)
	switch {
	case a.Resource != "payment" || !ValidID(a.ID):
		return pay.Payment{}, errors.New("the answer is no payment")
	case !status.Known():
		return pay.Payment{}, fmt.Errorf("the payment has the unknown status %q", clip(a.Status, 20))
	}
	p := pay.Payment{
		ID: a.ID, Mode: a.Mode, Status: status, Description: a.Description, Cancelable: a.IsCancelable,
		CreatedAt: a.CreatedAt, ExpiresAt: instant(a.ExpiresAt), PaidAt: instant(a.PaidAt),
	}
	if a.Method != nil {
		p.Method = *a.Method
	}
	var err error
	if p.Amount, err = a.Amount.cents(); err != nil {
		return pay.Payment{}, err
	}
	if a.AmountRefunded != nil {
		if p.Refunded, err = a.AmountRefunded.cents(); err != nil {
			return pay.Payment{}, err
		}
	}
	if a.AmountChargedBack != nil {
		if p.ChargedBack, err = a.AmountChargedBack.cents(); err != nil {
			return pay.Payment{}, err
		}
	}
	if a.Links.Checkout != nil && webURL(a.Links.Checkout.Href) {
		p.CheckoutURL = a.Links.Checkout.Href
	}
	if a.Links.MobileAppCheckout != nil && appURL(a.Links.MobileAppCheckout.Href) {
		p.AppURL = a.Links.MobileAppCheckout.Href
	}
	if a.Details != nil && a.Details.QRCode != nil && imageURL(a.Details.QRCode.Src) {
		p.QR = a.Details.QRCode.Src
	}
	if len(a.Metadata) > 0 {
		// Another system under the same key may write another shape; that is no reason to lose the payment.
		if err := json.Unmarshal(a.Metadata, &p.Metadata); err != nil {
			p.Metadata = nil
		}
	}
	return p, nil
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// webURL reports whether a browser may be sent to s.
func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// appURL reports whether s may stand in a link that opens an app: any scheme but those that run or read something here.
func appURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "", "javascript", "vbscript", "data", "file", "blob", "about":
		return false
	}
	return true
}

// imageURL reports whether s may be the source of an image.
func imageURL(s string) bool {
	return strings.HasPrefix(s, "data:image/") || webURL(s) && strings.HasPrefix(s, "https:")
}
