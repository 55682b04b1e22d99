package portal

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"ribambelle/internal/pay/qrcode"
	"ribambelle/internal/pay/transfer"
)

// transferQR draws the transfer as a bank's app reads it: account, amount and communication, typed by nobody. Which
// form of the communication the apps around here like is a setting. Nothing is drawn without a valid account.
func transferQR(p *paymentPage, communication string, settings map[string]string) (template.HTML, error) {
	if settings["payment.epc_plus"] == "oui" {
		communication = p.Communication
	}
	text, err := transfer.EPC{
		BIC: settings["commune.bic"], Name: settings["commune.name"], IBAN: settings["commune.iban"], Cents: p.Owed, Reference: communication,
	}.Payload()
	if errors.Is(err, transfer.ErrEPC) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	svg, err := qrcode.SVG(text, p.L.T("bank.qr.label"))
	return template.HTML(svg), err //nolint:gosec // drawn by us, its text escaped
}

// drawQR shows the provider's code, or one of our own that opens its page on the telephone that scans it.
func (s *server) drawQR(w http.ResponseWriter, p *paymentPage) error {
	a := p.Attempt
	switch u, err := url.Parse(a.QR); {
	case strings.HasPrefix(a.QR, "data:image/"):
		p.QR = template.URL(a.QR) //nolint:gosec // a picture that the provider gave, not a script
		return nil
	case err == nil && u.Scheme == "https" && u.Host != "":
		csp := w.Header().Get("Content-Security-Policy")
		w.Header().Set("Content-Security-Policy", strings.Replace(csp, "img-src 'self'", "img-src 'self' https://"+u.Host, 1))
		p.QR = template.URL(a.QR) //nolint:gosec // https, checked above
		return nil
	}
	target := a.CheckoutURL
	if target == "" {
		return nil
	}
	svg, err := qrcode.SVG(target, p.L.T("portal.pay.qr_own"))
	if err != nil {
		return err
	}
	p.OwnQR = template.HTML(svg) //nolint:gosec // drawn by us, its text escaped
	return nil
}

// groups writes an account number by four: « BE68 5390 0754 7034 ».
func groups(v string) string {
	const size = 4
	v = strings.ReplaceAll(v, " ", "")
	var parts []string
	for len(v) > size {
		parts, v = append(parts, v[:size]), v[size:]
	}
	return strings.Join(append(parts, v), " ")
}
