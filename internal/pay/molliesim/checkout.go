package molliesim

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// checkoutPage is what the hosted page shows.
type checkoutPage struct {
	Entry
	Methods []struct{ ID, Description string } // to choose from, when none was
	QR      bool                               // opened by scanning: the shop is on another screen, no way back
	Return  string                             // the shop's page
}

func (s *Server) checkoutShow(w http.ResponseWriter, r *http.Request) {
	if err := s.tick(r.Context()); err != nil {
		s.broken(w, r, err)
		return
	}
	e, err := one(r.Context(), s.pool, r.PathValue("id"))
	if errors.Is(err, ErrUnknown) {
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
		return
	}
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if e.Method == card || e.Method == "" && e.Live() && r.URL.Query().Get("method") == card {
		s.cardShow(w, r, http.StatusOK, e, cardForm{})
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
	e, err := one(r.Context(), s.pool, r.PathValue("id"))
	switch {
	case err != nil && !errors.Is(err, ErrUnknown):
		s.broken(w, r, err)
	case err == nil && (e.Method == card || e.Method == "" && r.PostForm.Has("number")):
		s.cardAct(w, r, e)
	case err == nil && e.Method == "" && e.Live() && method == card && action == ActPay:
		// A card has its own page.
		http.Redirect(w, r, "/checkout/"+e.ID+"?method="+card, http.StatusSeeOther)
	default:
		s.checkoutEnd(w, r, action, method)
	}
}

// checkoutEnd does what the payer chose and sends the browser on.
func (s *Server) checkoutEnd(w http.ResponseWriter, r *http.Request, action Action, method string) {
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
	Says      string `db:"says"`
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
	hooks, err := s.hooks(r, "")
	if err != nil {
		s.broken(w, r, err)
		return
	}
	left, err := s.troubleLeft(r)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, "overview.html", struct {
		Entries []Entry
		Total   int
		Hooks   []hookLine
		Kinds   []TroubleKind
		Left    []troubleLine
	}{entries[:min(len(entries), 100)], len(entries), hooks, Troubles, left})
}

// hooks reads the last webhooks, of one payment or of all.
func (s *Server) hooks(r *http.Request, paymentID string) ([]hookLine, error) {
	rows, err := s.pool.Query(r.Context(), `
		SELECT payment_id, says, status, attempt, outcome, next_at IS NOT NULL AS waiting
		FROM webhook
		WHERE @id = '' OR payment_id = @id
		ORDER BY id DESC
		LIMIT 50`, pgx.NamedArgs{"id": paymentID})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[hookLine])
}

// troubleLine is trouble that has not happened yet.
type troubleLine struct {
	Kind      TroubleKind `db:"kind"`
	Remaining int         `db:"remaining"`
}

func (s *Server) troubleLeft(r *http.Request) ([]troubleLine, error) {
	rows, err := s.pool.Query(r.Context(), `
		SELECT kind, sum(remaining)::int AS remaining
		FROM trouble
		WHERE remaining > 0
		GROUP BY kind
		ORDER BY kind`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[troubleLine])
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
