package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/qrcode"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// paymentPage is where a family pays: at once with its bank's app, or by transfer.
type paymentPage struct {
	page.Base
	R             registrationCard
	Owed          civil.Cents
	Online        bool            // a provider takes payments
	Ways          []enrol.Way     // in which it does, the most used first
	Attempt       *ledger.Attempt // the one that can still be paid, or whose outcome is awaited
	Waiting       bool            // the bank has not said yet
	Returned      bool            // the family comes back from the provider, who has not said yet either
	Failed        string          // what became of the payment tried last; "" when that is no news
	QR            template.URL    // source of the provider's picture
	OwnQR         template.HTML   // ours, of the checkout's address, when the provider gives none
	Communication string
	Account       string
	Holder        string
	TransferQR    template.HTML // the transfer for the bank's app; "" without a valid account
	StatusURL     string
}

// payable returns who acts, the registration in the address, what is due for it from that guardian and how much of it
// now.
func (s *server) payable(r *http.Request) (parent, myRegistration, ledger.Due, civil.Cents, error) {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return g, one, ledger.Due{}, 0, err
	}
	reg, err := s.Enrol.Registration(r.Context(), one.ID)
	if err != nil {
		return g, one, ledger.Due{}, 0, err
	}
	d, owed, err := s.Enrol.Payable(r.Context(), s.DB, &reg, g.guardian.ID)
	if err == nil && d.PayerID != g.guardian.ID {
		err = problem.NotFound("registration.not_found") // nobody sees another guardian's payments
	}
	return g, one, d, owed, err
}

// paymentShow shows what is due and the ways to pay it. A registration that is not to be paid leads to its page.
func (s *server) paymentShow(w http.ResponseWriter, r *http.Request) error {
	_, one, due, owed, err := s.payable(r)
	if problem.Is(err, problem.KindNotFound) && one.ID != uuid.Nil {
		return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String())
	}
	if err != nil {
		return err
	}
	if owed <= 0 {
		return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String())
	}
	l := s.locale(r)
	p := &paymentPage{Base: s.base(r, l.T("portal.pay.title")), R: s.registrationCard(l, one), Owed: owed, Ways: s.Enrol.Ways(r.Context())}
	p.Online = len(p.Ways) > 0
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	if c, err := transfer.Parse(due.Communication); err == nil {
		p.Communication = c.String()
	}
	settings, err := camp.AllSettings(r.Context(), s.DB)
	if err != nil {
		return err
	}
	p.Account, p.Holder = groups(settings["commune.iban"], 4), settings["commune.name"]
	if p.TransferQR, err = transferQR(p, due.Communication, settings); err != nil {
		return err
	}
	a, err := ledger.OpenAttempt(r.Context(), s.DB, due.ID)
	switch {
	case problem.Is(err, problem.KindNotFound):
		if err := s.tellFailed(r, p, due.ID); err != nil {
			return err
		}
	case err != nil:
		return err
	case r.URL.Query().Has(returnedMark) && !a.Status.Final():
		p.Attempt, p.Waiting, p.Returned = &a, true, true
	case a.Usable(s.Now()):
		p.Attempt = &a
		if err := s.drawQR(w, p); err != nil {
			return err
		}
	case a.Status == pay.StatusPending || a.Status == pay.StatusAuthorized:
		p.Attempt, p.Waiting = &a, true
	}
	if p.Attempt != nil {
		p.StatusURL = "/mon-espace/paiements/" + a.ID.String() + "/etat"
	}
	return s.render(w, r, http.StatusOK, "payment", p)
}

// returnedMark stands in the address of the page for who comes back from the provider.
const returnedMark = "retour"

// toldFor is how long a failed payment is told on the page: as long as a family may be trying again.
const toldFor = time.Hour

// tellFailed says what became of the payment that was tried last, if it failed lately. It is read from the payment, not
// carried by the browser: it may have failed on the telephone that scanned the code.
func (s *server) tellFailed(r *http.Request, p *paymentPage, dueID uuid.UUID) error {
	a, err := ledger.NewestAttempt(r.Context(), s.DB, dueID)
	if problem.Is(err, problem.KindNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Status.Final() && a.Status != pay.StatusPaid && s.Now().Sub(a.CheckedAt) < toldFor {
		p.Failed = p.L.T(flashOf(a.Status))
	}
	return nil
}

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

// paymentStart opens a payment, or goes on with the open one: a double click asks for the same.
func (s *server) paymentStart(w http.ResponseWriter, r *http.Request) error {
	g, one, _, _, err := s.payable(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	method := f.Text("method")
	if method == "" {
		method = pay.MethodBancontact
	}
	_, err = s.Enrol.StartPayment(r.Context(), g.guardian.ID, []uuid.UUID{one.ID}, method, func(id uuid.UUID) string {
		return s.PublicURL + "/mon-espace/paiements/" + id.String() + "/retour"
	})
	if err != nil {
		return err
	}
	return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String()+"/paiement")
}

// ofPayment returns who acts, the attempt in the address and its registration, which the guardian must be the payer of.
func (s *server) ofPayment(r *http.Request) (parent, ledger.Attempt, uuid.UUID, error) {
	g, err := s.parent(r)
	if err != nil {
		return g, ledger.Attempt{}, uuid.Nil, err
	}
	a, err := ledger.ReadAttempt(r.Context(), s.DB, pathID(r))
	if err != nil {
		return g, a, uuid.Nil, err
	}
	d, err := ledger.ReadDue(r.Context(), s.DB, a.DueID)
	if err == nil && d.PayerID != g.guardian.ID {
		err = problem.NotFound("ledger.payment_not_found")
	}
	if err == nil {
		err = s.unblocked(r, g, d.RegistrationID, "ledger.payment_not_found")
	}
	return g, a, d.RegistrationID, err
}

// paymentCancel closes a payment that the family no longer wants.
func (s *server) paymentCancel(w http.ResponseWriter, r *http.Request) error {
	g, a, registration, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	status, err := s.Enrol.CancelPayment(r.Context(), g.guardian.ID, a.ID)
	if err != nil {
		return err
	}
	s.flashPaid(w, status)
	return seeOther(w, r, "/mon-espace/inscriptions/"+registration.String()+"/paiement")
}

const (
	// checkWithin bounds the question to the provider while a family waits for the page.
	checkWithin = 8 * time.Second
	// checkEvery keeps one family's page from asking the provider too often.
	checkEvery = 3 * time.Second
)

// check asks the provider where an attempt stands. Without an answer the last known status counts: the sweep asks
// again, and the family loses nothing.
func (s *server) check(r *http.Request, a ledger.Attempt) pay.Status {
	if a.Status.Final() || s.Now().Sub(a.CheckedAt) < checkEvery {
		return a.Status
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkWithin)
	defer cancel()
	status, err := s.Enrol.CheckPayment(ctx, a.ID)
	if err != nil {
		s.log.WarnContext(r.Context(), "asking after a payment", "request", scopeOf(r).reference, "payment", a.ID, "error", err.Error())
		return a.Status
	}
	return status
}

// paymentReturn is where the provider sends the browser, whatever the outcome: what it says is asked, never believed.
func (s *server) paymentReturn(w http.ResponseWriter, r *http.Request) error {
	_, a, registration, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	status := s.check(r, a)
	to := "/mon-espace/inscriptions/" + registration.String() + "/paiement"
	if !status.Final() {
		return seeOther(w, r, to+"?"+returnedMark+"=1")
	}
	s.flashPaid(w, status)
	// The payment's page leads on to the registration's when nothing is left to pay.
	return seeOther(w, r, to)
}

// paymentStatus tells the little script of the payment's page where the payment stands.
func (s *server) paymentStatus(w http.ResponseWriter, r *http.Request) error {
	_, a, _, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"status": string(s.check(r, a))})
	if err != nil {
		return fmt.Errorf("writing a status: %w", err)
	}
	return s.send(w, "application/json", b)
}

// flashPaid thanks for a payment; what became of another the payment's page says by itself.
func (s *server) flashPaid(w http.ResponseWriter, status pay.Status) {
	if status == pay.StatusPaid {
		s.flash(w, flashOf(status))
	}
}

func flashOf(status pay.Status) string {
	switch status {
	case pay.StatusPaid:
		return "flash.paid"
	case pay.StatusCanceled:
		return "flash.payment_canceled"
	case pay.StatusExpired, pay.StatusFailed:
		return "flash.payment_failed"
	}
	return "flash.payment_pending"
}

// groups writes an account number in groups: « BE68 5390 0754 7034 ».
func groups(v string, size int) string {
	v = strings.ReplaceAll(v, " ", "")
	var parts []string
	for len(v) > size {
		parts, v = append(parts, v[:size]), v[size:]
	}
	return strings.Join(append(parts, v), " ")
}
