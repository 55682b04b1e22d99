package molliesim

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// euros writes an amount for the simulator's pages.
func euros(c civil.Cents) string { return strings.Replace(c.Euros(), ".", ",", 1) + "\u00a0€" }

func statusInFrench(status string) string {
	switch status {
	case "open":
		return "à payer"
	case "pending":
		return "en cours à la banque"
	case "paid":
		return "payé"
	case "canceled":
		return "annulé"
	case "expired":
		return "expiré"
	case "failed":
		return "échoué"
	}
	return status
}

// checkoutPage is what the hosted page shows.
type checkoutPage struct {
	Entry
	Methods []struct{ ID, Description string } // to choose from, when none was
	QR      bool                               // opened by scanning: the shop is on another screen, no way back
	Return  string                             // the shop's page
}

func (s *Server) checkoutShow(w http.ResponseWriter, r *http.Request) {
	if err := s.expire(r.Context()); err != nil {
		s.broken(w, r, err)
		return
	}
	e, err := one(r.Context(), s.pool, r.PathValue("id"), "")
	if errors.Is(err, ErrUnknown) {
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
		return
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	p := checkoutPage{Entry: e, QR: r.URL.Query().Has("qr"), Return: back(e)}
	if e.Method == "" {
		p.Methods = methods
	}
	s.page(w, r, http.StatusOK, "checkout.html", p)
}

// back is the shop's page for a payment as it stands.
func back(e Entry) string {
	if e.Status == "canceled" && e.CancelURL != "" {
		return e.CancelURL
	}
	return e.RedirectURL
}

func (s *Server) checkoutAct(w http.ResponseWriter, r *http.Request) {
	method := r.PostFormValue("method")
	if method != "" && !offered(method) {
		fail(w, http.StatusUnprocessableEntity, "unknown method", "method")
		return
	}
	action := Action(r.PostFormValue("action"))
	if _, ok := outcomes[action]; !ok {
		fail(w, http.StatusUnprocessableEntity, "unknown action", "action")
		return
	}
	e, err := s.Act(r.Context(), r.PathValue("id"), action, method)
	switch {
	case errors.Is(err, ErrUnknown):
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
	case err != nil && !errors.Is(err, ErrEnded):
		s.broken(w, r, err)
	case err != nil || r.PostFormValue("qr") != "":
		// Ended before, or the shop is on another screen: the page says how it stands.
		query := ""
		if r.PostFormValue("qr") != "" {
			query = "?qr=1"
		}
		http.Redirect(w, r, "/checkout/"+r.PathValue("id")+query, http.StatusSeeOther)
	default:
		http.Redirect(w, r, back(e), http.StatusSeeOther)
	}
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		s.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// hookLine is one webhook on the overview.
type hookLine struct {
	PaymentID string `db:"payment_id"`
	Status    string `db:"status"`
	Attempt   int    `db:"attempt"`
	Outcome   string `db:"outcome"`
	Waiting   bool   `db:"waiting"`
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	entries, err := s.Books(r.Context())
	if err != nil {
		s.broken(w, r, err)
		return
	}
	rows, err := s.pool.Query(r.Context(), `
		SELECT payment_id, status, attempt, outcome, next_at IS NOT NULL AS waiting
		FROM webhook
		ORDER BY id DESC
		LIMIT 50`)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	hooks, err := pgx.CollectRows(rows, pgx.RowToStructByName[hookLine])
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, "overview.html", struct {
		Entries []Entry
		Total   int
		Hooks   []hookLine
	}{entries[:min(len(entries), 100)], len(entries), hooks})
}

// booksJSON lists every payment for scripts that compare ledgers.
func (s *Server) booksJSON(w http.ResponseWriter, r *http.Request) {
	entries, err := s.Books(r.Context())
	if err != nil {
		s.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(entries))
}
