package bancontactprosim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// RefundEntry is a refund in the simulator's books.
type RefundEntry struct {
	ID          string      `db:"id" json:"id"`
	PaymentID   string      `db:"payment_id" json:"paymentId"`
	Cents       civil.Cents `db:"cents" json:"cents"`
	Description string      `db:"description" json:"description"`
	Status      string      `db:"status" json:"status"` // PENDING, REFUNDED, FAILED
	CreatedAt   time.Time   `db:"created_at" json:"createdAt"`
}

const refundColumns = `id, payment_id, cents, description, status, created_at`

// payerIBAN is the account that every payer of the simulator has.
const payerIBAN = "BE71 0961 2345 6769"

func (s *Server) refundAnswer(e RefundEntry) object {
	return object{
		"refundId": e.ID, "paymentId": e.PaymentID, "amount": int64(e.Cents), "currency": "EUR", "status": e.Status,
		"description": e.Description, "creationDate": stamp(e.CreatedAt),
	}
}

// readRefund checks what is asked in a refund.
func readRefund(raw []byte) (RefundEntry, error) {
	var in struct {
		Amount      json.Number `json:"amount"`
		Currency    string      `json:"currency"`
		Description string      `json:"description"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return RefundEntry{}, &wrong{http.StatusBadRequest, "VALIDATION_ERROR", "The body is no JSON"}
	}
	cents, err := strconv.ParseInt(in.Amount.String(), 10, 64)
	if err != nil || cents < 1 || in.Currency != "EUR" {
		return RefundEntry{}, &wrong{http.StatusBadRequest, "VALIDATION_ERROR", "The amount or the currency is invalid"}
	}
	return RefundEntry{Cents: civil.Cents(cents), Description: in.Description}, nil
}

func (s *Server) refundCreate(w http.ResponseWriter, r *http.Request, body []byte) {
	ctx := context.WithoutCancel(r.Context())
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > 64 {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "The header Idempotency-Key is missing or too long")
		return
	}
	asked, err := readRefund(body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if s.trip(w, r, TroubleRefundError) {
		return
	}
	if _, poor, err := take(ctx, s.pool, TroubleRefundPoor); err != nil {
		s.broken(w, r, err)
		return
	} else if poor {
		fail(w, http.StatusUnprocessableEntity, "REFUND_NOT_POSSIBLE", "The payout under way holds too little")
		return
	}
	var e RefundEntry
	var cut bool
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		if e, err = s.refund(ctx, tx, r.PathValue("id"), key, asked); err != nil {
			return err
		}
		_, cut, err = take(ctx, tx, TroubleRefundCut)
		return err
	})
	if errors.Is(err, ErrUnknown) {
		err = &wrong{http.StatusUnprocessableEntity, "PAYMENT_FOR_REFUND_NOT_FOUND", "Payment not found"}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	answer := s.refundAnswer(e)
	answer["status"] = "PENDING" // what the creation said stays what a repeat hears
	writeJSON(w, http.StatusCreated, answer)
}

// refund writes a refund once for each key.
func (s *Server) refund(ctx context.Context, tx pgx.Tx, paymentID, key string, e RefundEntry) (RefundEntry, error) {
	p, err := locked(ctx, tx, paymentID)
	if err != nil {
		return e, err
	}
	rows, err := tx.Query(ctx, `SELECT `+refundColumns+` FROM refund WHERE key = @key`, pgx.NamedArgs{"key": key})
	if err != nil {
		return e, err
	}
	before, err := pgx.CollectRows(rows, pgx.RowToStructByName[RefundEntry])
	if err != nil {
		return e, err
	}
	if len(before) > 0 {
		if b := before[0]; b.PaymentID == paymentID && b.Cents == e.Cents && b.Description == e.Description {
			return b, nil
		}
		return e, &wrong{http.StatusUnprocessableEntity, "REFUND_REQUEST_CONFLICT", "The key is used by another refund"}
	}
	switch {
	case p.Status != "SUCCEEDED":
		return e, &wrong{http.StatusUnprocessableEntity, "INVALID_REFUND_AMOUNT", "The payment has not succeeded"}
	case e.Cents > p.Cents-p.Refunded:
		return e, &wrong{http.StatusUnprocessableEntity, "INVALID_REFUND_AMOUNT", "The refund amount is too high"}
	}
	_, fails, err := take(ctx, tx, TroubleRefundFails)
	if err != nil {
		return e, err
	}
	now := s.opts.Clock().UTC()
	e.ID, e.PaymentID, e.Status, e.CreatedAt = newID(), paymentID, "PENDING", now
	_, err = tx.Exec(ctx, `
		INSERT INTO refund (id, payment_id, key, cents, description, status, fails, created_at, next_at)
		VALUES (@id, @payment, @key, @cents, @description, @status, @fails, @now, @next)`,
		pgx.NamedArgs{
			"id": e.ID, "payment": paymentID, "key": key, "cents": e.Cents, "description": e.Description,
			"status": e.Status, "fails": fails, "now": now, "next": now.Add(s.opts.Minute),
		})
	if err != nil {
		return e, fmt.Errorf("writing the refund: %w", err)
	}
	return e, nil
}

func (s *Server) refundRead(w http.ResponseWriter, r *http.Request, _ []byte) {
	if s.trip(w, r, TroubleReadError) {
		return
	}
	list, err := s.Refunds(r.Context(), r.PathValue("id"))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	for _, e := range list {
		if e.ID == r.PathValue("refund") {
			writeJSON(w, http.StatusOK, s.refundAnswer(e))
			return
		}
	}
	fail(w, http.StatusNotFound, "REFUND_NOT_FOUND", "Refund not found")
}

// Refunds returns the refunds of a payment, the oldest first.
func (s *Server) Refunds(ctx context.Context, paymentID string) ([]RefundEntry, error) {
	if err := s.tick(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+refundColumns+`
		FROM refund
		WHERE payment_id = @payment
		ORDER BY created_at, id`, pgx.NamedArgs{"payment": paymentID})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[RefundEntry])
}

func (s *Server) refundIBAN(w http.ResponseWriter, r *http.Request) {
	e, err := one(r.Context(), s.pool, r.PathValue("id"))
	if err == nil && e.Status != "SUCCEEDED" {
		err = &wrong{http.StatusUnprocessableEntity, "REFUND_NOT_ALLOWED", "The payment is not in a SUCCEEDED state"}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, object{"iban": payerIBAN})
}
