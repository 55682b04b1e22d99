package molliesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// The acts on a paid payment that do not come through the API: the shop's staff on the provider's own pages, the
// payer's bank, time.
const (
	bookRefund     = "refund"     // staff refund on the provider's pages
	bookChargeback = "chargeback" // the bank takes back
	bookReverse    = "reverse"    // the bank gives back what it took
	bookMove       = "move"       // a refund goes on
)

// bookOrder is one such act, as the form and the script send it.
type bookOrder struct {
	Action     string      `json:"action"`
	Cents      civil.Cents `json:"cents"`      // of a refund or chargeback; 0 is all that is left
	Refund     string      `json:"refund"`     // to move
	Status     string      `json:"status"`     // to move it to
	Chargeback string      `json:"chargeback"` // to reverse
}

// act carries an order out. It returns ErrUnknown, ErrEnded, or a *wrong that says what cannot be.
func (s *Server) act(r *http.Request, o bookOrder) error {
	ctx, id := r.Context(), r.PathValue("id")
	p, err := one(ctx, s.pool, id)
	if err != nil {
		return err
	}
	switch o.Action {
	case bookRefund:
		if o.Cents == 0 {
			o.Cents = p.Remaining()
		}
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, err := s.giveBack(ctx, tx, id, RefundEntry{
				Cents: o.Cents, Description: "Remboursement demandé chez le prestataire", Metadata: "null",
			}, false)
			return err
		})
		s.signal()
	case bookChargeback:
		if o.Cents == 0 {
			o.Cents = p.Cents - p.ChargedBack
		}
		_, err = s.ChargeBack(ctx, id, o.Cents)
	case bookReverse:
		err = s.ReverseChargeback(ctx, id, o.Chargeback)
	case bookMove:
		_, err = s.MoveRefund(ctx, id, o.Refund, o.Status)
	default:
		err = invalid("action", "unknown action")
	}
	return err
}

// bookJSON takes an order of a script: {"action":"chargeback","cents":6000}.
func (s *Server) bookJSON(w http.ResponseWriter, r *http.Request) {
	var o bookOrder
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		fail(w, http.StatusBadRequest, "The body is no JSON", "")
		return
	}
	err := s.act(r, o)
	var no *wrong
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.As(err, &no):
		fail(w, no.status, no.detail, no.field)
	case errors.Is(err, ErrUnknown):
		fail(w, http.StatusNotFound, "No such payment", "")
	case errors.Is(err, ErrEnded):
		fail(w, http.StatusUnprocessableEntity, "That cannot be done now", "")
	default:
		s.broken(w, r, err)
	}
}

// bookPage is what the page of one payment shows.
type bookPage struct {
	Entry
	Refunds     []RefundEntry
	Chargebacks []ChargebackEntry
	Hooks       []hookLine
	Problem     string
}

func (s *Server) bookShow(w http.ResponseWriter, r *http.Request) { s.book(w, r, http.StatusOK, "") }

// book shows one payment and what may still be done to it.
func (s *Server) book(w http.ResponseWriter, r *http.Request, status int, problem string) {
	id := r.PathValue("id")
	p := bookPage{Problem: problem}
	err := s.tick(r.Context())
	if err == nil {
		p.Entry, err = one(r.Context(), s.pool, id)
	}
	if errors.Is(err, ErrUnknown) {
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
		return
	}
	if err == nil {
		p.Refunds, err = s.Refunds(r.Context(), id)
	}
	if err == nil {
		p.Chargebacks, err = s.Chargebacks(r.Context(), id)
	}
	if err == nil {
		p.Hooks, err = s.hooks(r, id)
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.page(w, r, status, "book.html", p)
}

// bookAct takes the form of the page of one payment.
func (s *Server) bookAct(w http.ResponseWriter, r *http.Request) {
	o := bookOrder{
		Action: r.PostFormValue("action"), Refund: r.PostFormValue("refund"), Status: r.PostFormValue("status"),
		Chargeback: r.PostFormValue("chargeback"),
	}
	var err error
	if o.Cents, err = typedEuros(r.PostFormValue("amount")); err != nil || o.Cents < 0 {
		s.book(w, r, http.StatusUnprocessableEntity, "Ce montant n’est pas un montant.")
		return
	}
	err = s.act(r, o)
	var no *wrong
	switch {
	case err == nil:
		http.Redirect(w, r, "/books/"+r.PathValue("id"), http.StatusSeeOther)
	case errors.Is(err, ErrUnknown):
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
	case errors.As(err, &no), errors.Is(err, ErrEnded):
		s.book(w, r, http.StatusUnprocessableEntity, "Cela n’est pas possible : le paiement n’est pas payé, ou il n’en reste pas autant.")
	default:
		s.broken(w, r, err)
	}
}

// troubleForm takes the form of the overview.
func (s *Server) troubleForm(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("action") == "clear" {
		if err := s.ClearScript(r.Context()); err != nil {
			s.broken(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	number := func(name string) (int, bool) {
		typed := r.PostFormValue(name)
		if typed == "" {
			return 0, true
		}
		n, err := strconv.Atoi(typed)
		return n, err == nil && n >= 0 && n <= 1_000_000
	}
	times, good := number("times")
	seconds, fine := number("seconds")
	cents, err := typedEuros(r.PostFormValue("amount"))
	kind := TroubleKind(r.PostFormValue("kind"))
	if err != nil || cents < 0 || !good || !fine || !slices.Contains(Troubles, kind) {
		fail(w, http.StatusUnprocessableEntity, "unknown trouble, or a number that is none", "kind")
		return
	}
	err = s.Script(r.Context(), Trouble{Kind: kind, Times: times, Delay: time.Duration(seconds) * time.Second, Cents: cents})
	if err != nil {
		s.broken(w, r, fmt.Errorf("adding trouble: %w", err))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
