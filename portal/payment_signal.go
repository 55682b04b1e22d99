package portal

import (
	"context"
	"net/http"
	"regexp"

	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/problem"
)

// The doors of the payment providers.
const (
	MollieSignalPath     = "/paiements/mollie/notification"
	BancontactSignalPath = "/paiements/bancontact/notification"
	bancontactKeysPath   = "/paiements/bancontact/cles.json"
)

// mollieID is the shape of a payment's id at Mollie.
var mollieID = regexp.MustCompile(`^tr_[A-Za-z0-9]{4,60}$`)

// mollieSignal takes Mollie's signal that a payment changed. It carries only the id and proves nothing, so a job asks
// Mollie itself. The answer is always 200: a stranger learns nothing, and what is lost the sweep finds.
func (s *server) mollieSignal(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := r.ParseForm(); err != nil || !mollieID.MatchString(r.PostForm.Get("id")) {
		return nil
	}
	s.askAfter(r, "mollie", r.PostForm.Get("id"))
	return nil
}

// bancontactSignal takes a signed callback of Bancontact Pro. The signature proves who speaks; where the payment stands a
// job asks all the same, since callbacks come in any order.
func (s *server) bancontactSignal(w http.ResponseWriter, r *http.Request) error {
	if s.Bancontact == nil {
		return problem.NotFound("portal.error.not_found")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	call, err := s.Bancontact.Receive(r)
	if err != nil {
		s.log.WarnContext(r.Context(), "a callback of Bancontact Pro", "request", scopeOf(r).reference, "error", err.Error())
	} else {
		s.askAfter(r, "bancontactpro", call.PaymentID)
	}
	w.WriteHeader(bancontactpro.AnswerStatus(err))
	return nil
}

// bancontactKeys shows the public half of the key that signs our refunds, where Bancontact Pro reads it.
func (s *server) bancontactKeys(w http.ResponseWriter, _ *http.Request) error {
	if s.BancontactKeys == nil {
		return problem.NotFound("portal.error.not_found")
	}
	raw, err := s.BancontactKeys()
	if err != nil {
		return err
	}
	return s.send(w, "application/json", raw)
}

// askAfter enqueues the question to a provider after one of its payments; a foreign one is nobody's.
func (s *server) askAfter(r *http.Request, provider, id string) {
	payment, err := s.Enrol.PaymentByProvider(r.Context(), provider, id)
	if err == nil {
		err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
			_, err := s.Jobs.InsertTx(ctx, tx, job.PaymentCheck{PaymentID: payment.String()}, nil)
			return err
		})
	}
	if err != nil && !problem.Is(err, problem.KindNotFound) {
		s.log.ErrorContext(r.Context(), "taking a payment's signal", "request", scopeOf(r).reference, "error", err.Error())
	}
}
