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
	Embedded struct {
		Chargebacks []chargebackAnswer `json:"chargebacks"`
	} `json:"_embedded"`
}

// chargebackAnswer is the part of a chargeback that is read.
type chargebackAnswer struct {
	Amount     amount     `json:"amount"`
	ReversedAt *time.Time `json:"reversedAt"` // the bank gave the money back to us
}

// chargedBack is what the payer's bank holds: the total, or the sum of what was not reversed when that is told.
func (a *paymentAnswer) chargedBack() (civil.Cents, error) {
	if len(a.Embedded.Chargebacks) == 0 {
		return optional(a.AmountChargedBack)
	}
	var sum civil.Cents
	for _, back := range a.Embedded.Chargebacks {
		cents, err := back.Amount.cents()
		if err != nil {
			return 0, err
		}
		if back.ReversedAt == nil {
			sum += cents
		}
	}
	return sum, nil
}

// optional reads an amount that Mollie leaves out when it is zero.
func optional(a *amount) (civil.Cents, error) {
	if a == nil {
		return 0, nil
	}
	return a.cents()
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
	if p.Refunded, err = optional(a.AmountRefunded); err != nil {
		return pay.Payment{}, err
	}
	if p.ChargedBack, err = a.chargedBack(); err != nil {
		return pay.Payment{}, err
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
	p.Metadata = metadata(a.Metadata)
	return p, nil
}

// metadata reads ours. Another system under the same key may write another shape: that is no reason to lose a payment.
func metadata(raw json.RawMessage) map[string]string {
	var m map[string]string
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
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
