package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

const paymentPath = "/mon-espace/paiements/"

// homeOf is the page of an attempt: of its registration, or its own when it pays several.
func (s *server) homeOf(ctx context.Context, a ledger.Attempt) (string, error) {
	parts, err := ledger.PartsOf(ctx, s.DB, a.ID)
	if err != nil {
		return "", err
	}
	if len(parts) > 1 {
		return paymentPath + a.ID.String(), nil
	}
	d, err := ledger.ReadDue(ctx, s.DB, a.DueID)
	return "/mon-espace/inscriptions/" + d.RegistrationID.String() + "/paiement", err
}

// ofPayment returns who acts and the attempt in the address, of all parts of which the guardian must be the payer, and
// the page on which it is shown.
func (s *server) ofPayment(r *http.Request) (parent, ledger.Attempt, string, error) {
	g, err := s.parent(r)
	if err != nil {
		return g, ledger.Attempt{}, "", err
	}
	a, err := ledger.ReadAttempt(r.Context(), s.DB, pathID(r))
	if err != nil {
		return g, a, "", err
	}
	parts, err := ledger.PartsOf(r.Context(), s.DB, a.ID)
	if err != nil {
		return g, a, "", err
	}
	for _, part := range parts {
		d, err := ledger.ReadDue(r.Context(), s.DB, part.DueID)
		if err != nil {
			return g, a, "", err
		}
		if d.PayerID != g.guardian.ID {
			return g, a, "", problem.NotFound("ledger.payment_not_found")
		}
		if err := s.unblocked(r, g, d.RegistrationID, "ledger.payment_not_found"); err != nil {
			return g, a, "", err
		}
	}
	home, err := s.homeOf(r.Context(), a)
	return g, a, home, err
}

// paymentAttempt shows a payment of several registrations; one of a single registration stands on that one's page.
func (s *server) paymentAttempt(w http.ResponseWriter, r *http.Request) error {
	g, a, home, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	switch {
	case home != paymentPath+a.ID.String():
		return seeOther(w, r, home)
	case a.Status == pay.StatusPaid:
		return seeOther(w, r, "/mon-espace/inscriptions")
	}
	l := s.locale(r)
	p := &paymentPage{Base: s.base(r, l.T("portal.pay.title")), Owed: a.Cents, Ways: s.payWays(r.Context(), l), StartURL: payAllPath}
	p.Online = len(p.Ways) > 0
	p.Section, p.NoIndex = "registrations", true
	p.Back = &page.Link{URL: payAllPath, Text: l.T("money.all.title")}
	if p.Several, err = s.partsOf(r, g, a); err != nil {
		return err
	}
	if a.Status.Final() {
		p.Failed = l.T(flashOf(a.Status))
	} else if err := s.showAttempt(w, r, p, a); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "payment", p)
}

// partsOf names what an attempt pays.
func (s *server) partsOf(r *http.Request, g parent, a ledger.Attempt) ([]payPart, error) {
	parts, err := ledger.PartsOf(r.Context(), s.DB, a.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.myRegistrations(r.Context(), g, nil)
	if err != nil {
		return nil, err
	}
	var named []payPart
	for _, part := range parts {
		for _, one := range list {
			if one.DueID != nil && *one.DueID == part.DueID {
				named = append(named, payPart{ID: one.ID, Child: one.ChildName, Camp: one.CampName, Cents: part.Cents})
			}
		}
	}
	return named, nil
}

// paymentCancel closes a payment that the family no longer wants.
func (s *server) paymentCancel(w http.ResponseWriter, r *http.Request) error {
	g, a, home, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	status, err := s.Enrol.CancelPayment(r.Context(), g.guardian.ID, a.ID)
	if err != nil {
		return err
	}
	s.flashPaid(w, status)
	return seeOther(w, r, home)
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
	_, a, home, err := s.ofPayment(r)
	if err != nil {
		return err
	}
	status := s.check(r, a)
	if !status.Final() {
		return seeOther(w, r, home+"?"+returnedMark+"=1")
	}
	s.flashPaid(w, status)
	// The payment's page leads on when nothing is left to pay.
	return seeOther(w, r, home)
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
