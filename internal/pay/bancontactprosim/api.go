package bancontactprosim

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/qrcode"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(v) // only maps, strings and numbers: never fails
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// fail answers an error in Bancontact's shape.
func fail(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, object{"code": code, "message": message, "traceId": newID(), "spanId": newID()})
}

// wrong is a refusal of a request.
type wrong struct {
	status        int
	code, message string
}

func (e *wrong) Error() string { return e.message }

// refuse answers with why something is not done.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var no *wrong
	switch {
	case errors.As(err, &no):
		fail(w, no.status, no.code, no.message)
	case errors.Is(err, ErrUnknown):
		fail(w, http.StatusNotFound, "PAYMENT_NOT_FOUND", "No payment could be found")
	case errors.Is(err, ErrEnded):
		fail(w, http.StatusUnprocessableEntity, "PAYMENT_NOT_PENDING", "The payment is not in pending or identified state")
	default:
		s.broken(w, r, err)
	}
}

// authorized lets only the holder of the key pass.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.APIKey)) != 1 {
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED", "API key is missing or invalid")
			return
		}
		next(w, r)
	}
}

// sepaExtended reports whether a text keeps to letters, digits and the punctuation that banks take.
func sepaExtended(s string) bool {
	for _, r := range s {
		if r < 0x20 || r > 0x24f || strings.ContainsRune("<>{}[]|\\^`~", r) {
			return false
		}
	}
	return true
}

// readCreate checks a creation and returns the payment it asks for.
func (s *Server) readCreate(raw []byte) (Entry, error) {
	var in struct {
		Amount      json.Number `json:"amount"`
		Currency    string      `json:"currency"`
		Reference   string      `json:"reference"`
		Description string      `json:"description"`
		CallbackURL string      `json:"callbackUrl"`
		ReturnURL   string      `json:"returnUrl"`
	}
	invalid := func(field string) error {
		return &wrong{http.StatusBadRequest, "FIELD_IS_INVALID", "Field " + field + " is invalid"}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return Entry{}, &wrong{http.StatusBadRequest, "BODY_MISSING", "A json needs to be provided"}
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Entry{}, invalid("body")
	}
	cents, err := strconv.ParseInt(in.Amount.String(), 10, 64)
	switch {
	case in.Amount == "":
		return Entry{}, &wrong{http.StatusBadRequest, "FIELD_IS_REQUIRED", "Field amount is mandatory"}
	case err != nil || cents < 1 || cents > 999_999_999_999:
		return Entry{}, invalid("amount")
	case in.Currency != "" && in.Currency != "EUR":
		return Entry{}, invalid("currency")
	case len([]rune(in.Reference)) > 35 || !sepaExtended(in.Reference):
		return Entry{}, invalid("reference")
	case len([]rune(in.Description)) > 140 || !sepaExtended(in.Description):
		return Entry{}, invalid("description")
	case in.CallbackURL != "" && !s.reachable(in.CallbackURL):
		return Entry{}, invalid("callbackUrl")
	case in.ReturnURL != "" && !s.reachable(in.ReturnURL):
		return Entry{}, invalid("returnUrl")
	}
	now := s.opts.Clock().UTC()
	return Entry{
		ID: newID(), Status: "PENDING", Cents: civil.Cents(cents), Reference: in.Reference, Description: in.Description,
		CallbackURL: in.CallbackURL, ReturnURL: in.ReturnURL, CreatedAt: now, ExpiresAt: now.Add(s.opts.Lifetime),
	}, nil
}

// reachable reports whether an address may be given. Bancontact takes https alone; a simulator that is itself on plain
// http takes that as well.
func (s *Server) reachable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || len(address) > 2048 {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(s.opts.BaseURL, "http:")
}

func (s *Server) paymentCreate(w http.ResponseWriter, r *http.Request) {
	// What is made is kept even if the caller has hung up.
	ctx := context.WithoutCancel(r.Context())
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "FIELD_IS_INVALID", "The body is too long")
		return
	}
	if s.trip(w, r, TroubleCreateError) {
		return
	}
	var e Entry
	var early, cut bool
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if e, err = s.readCreate(raw); err != nil {
			return err
		}
		early, cut, err = s.create(ctx, tx, e)
		return err
	})
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if early {
		if _, err := s.Step(ctx); err != nil {
			s.broken(w, r, err)
			return
		}
	}
	s.signal()
	if cut {
		panic(http.ErrAbortHandler)
	}
	writeJSON(w, http.StatusCreated, s.answer(e, true))
}

// create writes a payment, and reports whether its callbacks leave before the answer, and whether there is none.
func (s *Server) create(ctx context.Context, tx pgx.Tx, e Entry) (early, cut bool, err error) {
	_, err = tx.Exec(ctx, `
		INSERT INTO payment (`+columns+`)
		VALUES (@id, @status, @cents, @reference, @description, @callback, @return, @created, @expires, NULL)`,
		pgx.NamedArgs{
			"id": e.ID, "status": e.Status, "cents": e.Cents, "reference": e.Reference, "description": e.Description,
			"callback": e.CallbackURL, "return": e.ReturnURL, "created": e.CreatedAt, "expires": e.ExpiresAt,
		})
	if err != nil {
		return false, false, fmt.Errorf("writing the payment: %w", err)
	}
	if _, forged, err := take(ctx, tx, TroubleCallbackForged); err != nil {
		return false, false, err
	} else if forged {
		if err := s.forge(ctx, tx, e); err != nil {
			return false, false, err
		}
	}
	if _, early, err = take(ctx, tx, TroubleCreatePaid); err != nil {
		return false, false, err
	} else if early {
		if err := s.move(ctx, tx, &e, "SUCCEEDED"); err != nil {
			return false, false, err
		}
	}
	_, cut, err = take(ctx, tx, TroubleCreateCut)
	return early, cut, err
}

// trip answers 500 if the script wants it, and reports whether it did.
func (s *Server) trip(w http.ResponseWriter, r *http.Request, kind TroubleKind) bool {
	_, ok, err := take(r.Context(), s.pool, kind)
	if err != nil {
		s.broken(w, r, err)
		return true
	}
	if ok {
		fail(w, http.StatusInternalServerError, "TECHNICAL_ERROR", "Trouble by script")
	}
	return ok
}

func (s *Server) paymentRead(w http.ResponseWriter, r *http.Request) {
	if s.trip(w, r, TroubleReadError) {
		return
	}
	err := s.tick(r.Context())
	var e Entry
	if err == nil {
		e, err = one(r.Context(), s.pool, r.PathValue("id"))
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.answer(e, false))
}

func (s *Server) paymentCancel(w http.ResponseWriter, r *http.Request) {
	if s.trip(w, r, TroubleCancelError) {
		return
	}
	if _, err := s.Act(r.Context(), r.PathValue("id"), ActCancel); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) paymentSearch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		From      time.Time `json:"from"`
		To        time.Time `json:"to"`
		Reference string    `json:"reference"`
		Statuses  []string  `json:"paymentStatuses"`
	}
	if s.trip(w, r, TroubleReadError) {
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		fail(w, http.StatusBadRequest, "FIELD_IS_INVALID", "The body is invalid")
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, err := strconv.Atoi(r.URL.Query().Get("size"))
	if err != nil || size < 0 || size > 100 {
		size = 10
	}
	if in.From.IsZero() {
		in.From = s.opts.Clock().Add(-24 * time.Hour)
	}
	if in.To.IsZero() {
		in.To = s.opts.Clock().Add(time.Minute)
	}
	if in.Statuses == nil {
		in.Statuses = []string{}
	}
	if err := s.tick(r.Context()); err != nil {
		s.broken(w, r, err)
		return
	}
	found, err := s.found(r.Context(), pgx.NamedArgs{
		"from": in.From, "to": in.To, "reference": in.Reference, "statuses": in.Statuses,
		"size": size, "skip": max(page, 0) * size,
	})
	if err != nil {
		s.broken(w, r, err)
		return
	}
	details := make([]object, 0, len(found))
	for _, e := range found {
		details = append(details, s.answer(e, false))
	}
	writeJSON(w, http.StatusOK, object{
		"size": len(details), "totalPages": 1, "totalElements": len(details), "number": max(page, 0), "details": details,
	})
}

func (s *Server) found(ctx context.Context, args pgx.NamedArgs) ([]Entry, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+columns+sums+`
		FROM payment
		WHERE created_at BETWEEN @from AND @to
			AND (@reference = '' OR reference = @reference)
			AND (cardinality(@statuses::text[]) = 0 OR status = ANY (@statuses))
		ORDER BY created_at DESC, id
		LIMIT @size OFFSET @skip`, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
}

// code draws the code of a text, as Bancontact's generator does.
func (s *Server) code(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("c")
	if text == "" || len(text) > 500 {
		fail(w, http.StatusBadRequest, "FIELD_IS_INVALID", "Field c is invalid")
		return
	}
	img, err := qrcode.PNG(text, 6)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(img) //nolint:gosec // G705: an image that we drew
}
