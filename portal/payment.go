package portal

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// paymentPage is where a family pays, one registration or several at once: with its bank's app, by card, by transfer.
type paymentPage struct {
	page.Base
	R             registrationCard // the one that is paid, or the first of several
	Several       []payPart        // what is paid, when it is more than one
	Owed          civil.Cents
	Coming        []ledger.Instalment // of the one, on later days
	Early         bool                // nothing is to be paid today: the family may pay ahead
	Online        bool                // a provider takes payments
	Ways          []payWay            // in which it does, the most used first
	StartURL      string              // takes the form that opens a payment
	Attempt       *ledger.Attempt     // the one that can still be paid, or whose outcome is awaited
	Waiting       bool                // the bank has not said yet
	Returned      bool                // the family comes back from the provider, who has not said yet either
	Failed        string              // what became of the payment tried last; "" when that is no news
	QR            template.URL        // source of the provider's picture
	OwnQR         template.HTML       // ours, of the checkout's address, when the provider gives none
	Communication string
	Account       string
	Holder        string
	TransferQR    template.HTML // the transfer for the bank's app; "" without a valid account
	StatusURL     string
}

// payPart is what a payment settles of one registration.
type payPart struct {
	ID    uuid.UUID // of the registration
	Child string
	Camp  string
	Cents civil.Cents
}

// URL is the registration's own page.
func (p payPart) URL() string { return "/mon-espace/inscriptions/" + p.ID.String() }

// payWay is one button: « Payer par carte ».
type payWay struct {
	Method string
	Text   string
}

// payWays puts the ways to pay into words. A way without words of its own is named as its provider does.
func (s *server) payWays(ctx context.Context, l *locale.Locale) []payWay {
	var ways []payWay
	for _, w := range s.Enrol.Ways(ctx) {
		text := l.T("money.way.other", w.Method)
		if key := "money.way." + w.Method; l.Has(key) {
			text = l.T(key)
		}
		ways = append(ways, payWay{Method: w.Method, Text: text})
	}
	return ways
}

// comingParts returns what the guardian has still to pay of a registration on later days.
func (s *server) comingParts(ctx context.Context, one myRegistration) ([]ledger.Instalment, error) {
	if one.DueID == nil || one.LaterCents == 0 {
		return nil, nil
	}
	plan, err := ledger.InstalmentsOf(ctx, s.DB, *one.DueID)
	return ledger.Left(plan, one.OwedCents, s.today()), err
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

// paymentShow shows what is due and the ways to pay it. A registration that is not to be paid leads to its page, and one
// that is just being paid with others leads to that payment.
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
	p := &paymentPage{Base: s.base(r, l.T("portal.pay.title")), R: s.registrationCard(l, one), Owed: owed, Ways: s.payWays(r.Context(), l)}
	p.Online, p.Early = len(p.Ways) > 0, one.NowCents() == 0
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: p.R.URL(), Text: l.T("portal.registration.title", one.ChildName, one.CampName)}
	p.StartURL = p.R.URL() + "/paiement"
	if p.Coming, err = s.comingParts(r.Context(), one); err != nil {
		return err
	}
	if err := s.showTransfer(r, p, due); err != nil {
		return err
	}
	a, err := ledger.OpenAttempt(r.Context(), s.DB, due.ID)
	if problem.Is(err, problem.KindNotFound) {
		if err := s.tellFailed(r, p, due.ID); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "payment", p)
	}
	if err != nil {
		return err
	}
	home, err := s.homeOf(r.Context(), a)
	if err != nil {
		return err
	}
	if home != p.StartURL && (a.Usable(s.Now()) || a.Status == pay.StatusPending || a.Status == pay.StatusAuthorized) {
		return seeOther(w, r, home)
	}
	if err := s.showAttempt(w, r, p, a); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "payment", p)
}

// showTransfer adds the way by transfer: account, communication, and the code for the bank's app.
func (s *server) showTransfer(r *http.Request, p *paymentPage, due ledger.Due) error {
	if c, err := transfer.Parse(due.Communication); err == nil {
		p.Communication = c.String()
	}
	settings, err := camp.AllSettings(r.Context(), s.DB)
	if err != nil {
		return err
	}
	p.Account, p.Holder = groups(settings["commune.iban"]), settings["commune.name"]
	p.TransferQR, err = transferQR(p, due.Communication, settings)
	return err
}

// showAttempt adds a payment that is open: its code, that its outcome is awaited, or that its time is over.
func (s *server) showAttempt(w http.ResponseWriter, r *http.Request, p *paymentPage, a ledger.Attempt) error {
	switch {
	case r.URL.Query().Has(returnedMark) && !a.Status.Final():
		p.Attempt, p.Waiting, p.Returned = &a, true, true
	case a.Usable(s.Now()):
		p.Attempt = &a
		if err := s.drawQR(w, p); err != nil {
			return err
		}
	case a.Status == pay.StatusPending || a.Status == pay.StatusAuthorized:
		p.Attempt, p.Waiting = &a, true
	case a.Status != ledger.StatusNew:
		p.Failed = p.L.T("flash.payment_failed")
	}
	if p.Attempt != nil {
		p.StatusURL = paymentPath + a.ID.String() + "/etat"
	}
	return nil
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
	if _, err := s.openPayment(r, g, []uuid.UUID{one.ID}, f.Text("method")); err != nil {
		return err
	}
	return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String()+"/paiement")
}

// openPayment opens a payment of some registrations in a way; without one it is Bancontact.
func (s *server) openPayment(r *http.Request, g parent, ids []uuid.UUID, method string) (ledger.Attempt, error) {
	if method == "" {
		method = pay.MethodBancontact
	}
	return s.Enrol.StartPayment(r.Context(), g.guardian.ID, ids, method, func(id uuid.UUID) string {
		return s.PublicURL + paymentPath + id.String() + "/retour"
	})
}
