package bancontactprosim

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/pay/qrcode"
)

// phoneShow is what the payer's phone shows.
func (s *Server) phoneShow(w http.ResponseWriter, r *http.Request) {
	e, ok := s.shown(w, r)
	if !ok {
		return
	}
	s.page(w, r, http.StatusOK, "phone.html", e)
}

// shown reads the payment of a page, or answers that there is none.
func (s *Server) shown(w http.ResponseWriter, r *http.Request) (Entry, bool) {
	err := s.tick(r.Context())
	var e Entry
	if err == nil {
		e, err = one(r.Context(), s.pool, r.PathValue("id"))
	}
	switch {
	case errors.Is(err, ErrUnknown):
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
	case err != nil:
		s.broken(w, r, err)
	}
	return e, err == nil
}

// phoneAct does what the payer touched. An ended payment says so on the page.
func (s *Server) phoneAct(w http.ResponseWriter, r *http.Request) {
	action := Action(r.PostFormValue("action"))
	if _, ok := moves[action]; !ok {
		fail(w, http.StatusUnprocessableEntity, "FIELD_IS_INVALID", "unknown action")
		return
	}
	_, err := s.Act(r.Context(), r.PathValue("id"), action)
	switch {
	case errors.Is(err, ErrUnknown):
		s.page(w, r, http.StatusNotFound, "unknown.html", nil)
	case err != nil && !errors.Is(err, ErrEnded):
		s.broken(w, r, err)
	default:
		http.Redirect(w, r, "/pay/2/"+r.PathValue("id"), http.StatusSeeOther)
	}
}

// checkoutPage is the page with the code, for a screen that is not the phone.
type checkoutPage struct {
	Entry
	Link string
	QR   template.URL
}

func (s *Server) checkoutShow(w http.ResponseWriter, r *http.Request) {
	e, ok := s.shown(w, r)
	if !ok {
		return
	}
	p := checkoutPage{Entry: e, Link: s.deeplink(e.ID)}
	if e.Live() {
		src, err := qrcode.DataURL(p.Link)
		if err != nil {
			s.broken(w, r, err)
			return
		}
		p.QR = template.URL(src) //nolint:gosec // our own image
	}
	s.page(w, r, http.StatusOK, "checkout.html", p)
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

// callLine is one callback on the overview.
type callLine struct {
	PaymentID string `db:"payment_id"`
	Says      string `db:"says"`
	Attempt   int    `db:"attempt"`
	Outcome   string `db:"outcome"`
	Waiting   bool   `db:"waiting"`
}

// troubleLine is trouble that has not happened yet.
type troubleLine struct {
	Kind      TroubleKind `db:"kind"`
	Remaining int         `db:"remaining"`
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	entries, err := s.Books(r.Context())
	if err != nil {
		s.broken(w, r, err)
		return
	}
	rows, err := s.pool.Query(r.Context(), `
		SELECT payment_id, says, attempt, outcome, next_at IS NOT NULL AS waiting
		FROM callback
		ORDER BY id DESC
		LIMIT 50`)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	calls, err := pgx.CollectRows(rows, pgx.RowToStructByName[callLine])
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if rows, err = s.pool.Query(r.Context(), `
		SELECT kind, sum(remaining)::int AS remaining
		FROM trouble
		WHERE remaining > 0
		GROUP BY kind
		ORDER BY kind`); err != nil {
		s.broken(w, r, err)
		return
	}
	left, err := pgx.CollectRows(rows, pgx.RowToStructByName[troubleLine])
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, "overview.html", struct {
		Entries []Entry
		Total   int
		Calls   []callLine
		Kinds   []TroubleKind
		Left    []troubleLine
	}{entries[:min(len(entries), 100)], len(entries), calls, Troubles, left})
}

// booksJSON lists every payment for scripts that compare ledgers.
func (s *Server) booksJSON(w http.ResponseWriter, r *http.Request) {
	entries, err := s.Books(r.Context())
	if err != nil {
		s.broken(w, r, err)
		return
	}
	if entries == nil {
		entries = []Entry{}
	}
	writeJSON(w, http.StatusOK, entries)
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
		fail(w, http.StatusUnprocessableEntity, "FIELD_IS_INVALID", "unknown trouble, or a number that is none")
		return
	}
	err = s.Script(r.Context(), Trouble{Kind: kind, Times: times, Delay: time.Duration(seconds) * time.Second, Cents: cents})
	if err != nil {
		s.broken(w, r, fmt.Errorf("adding trouble: %w", err))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
