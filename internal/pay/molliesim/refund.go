package molliesim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	Metadata    string      `db:"metadata" json:"-"` // JSON as it came, "null" without
	Status      string      `db:"status" json:"status"`
	FailsAfter  *int64      `db:"fails_after_ms" json:"-"` // the bank will send it back
	CreatedAt   time.Time   `db:"created_at" json:"createdAt"`
	NextAt      *time.Time  `db:"next_at" json:"-"` // when it moves by itself
}

const refundColumns = `id, payment_id, cents, description, metadata, status, fails_after_ms, created_at, next_at`

// repeatedWithin is how soon a second refund of the same amount counts as a repeat.
const repeatedWithin = time.Minute

// refundMoves says where a refund can go, by time or by hand. A bank may send a refund back after all.
var refundMoves = map[string][]string{
	"queued":     {"pending", "canceled"},
	"pending":    {"processing", "canceled"},
	"processing": {"refunded", "failed"},
	"refunded":   {"failed"},
}

// Moves lists the statuses that the refund can take next.
func (e RefundEntry) Moves() []string { return refundMoves[e.Status] }

// refund takes a refund asked over the API.
func (s *Server) refund(ctx context.Context, tx pgx.Tx, r *http.Request, raw []byte) (result, error) {
	var in struct {
		Amount      *struct{ Currency, Value string }
		Description string
		Metadata    json.RawMessage
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return result{}, &wrong{http.StatusBadRequest, "The body is no valid JSON", ""}
	}
	switch {
	case in.Amount == nil:
		return result{}, invalid("amount", "The amount is required")
	case in.Amount.Currency != "EUR" || !amountPattern.MatchString(in.Amount.Value):
		return result{}, invalid("amount", "The amount must be in EUR with two decimals and a point")
	case len([]rune(in.Description)) > 255:
		return result{}, invalid("description", "The description is longer than 255 characters")
	case len(in.Metadata) > 1024:
		return result{}, invalid("metadata", "The metadata is over 1 kB")
	case len(in.Metadata) == 0:
		in.Metadata = json.RawMessage("null")
	}
	cents, err := civil.ParseEuros(in.Amount.Value)
	if err != nil {
		return result{}, invalid("amount", "The amount is no amount")
	}
	e, err := s.giveBack(ctx, tx, r.PathValue("id"), RefundEntry{
		Cents: cents, Description: in.Description, Metadata: string(in.Metadata),
	}, true)
	if err != nil {
		return result{}, err
	}
	res := result{status: http.StatusCreated, body: encode(s.refundAnswer(e))}
	_, res.cut, err = take(ctx, tx, TroubleRefundCut)
	return res, err
}

// giveBack writes a refund of a payment, whose row it locks. Repeats are refused when asked over the API.
func (s *Server) giveBack(ctx context.Context, tx pgx.Tx, paymentID string, e RefundEntry, api bool) (RefundEntry, error) {
	p, err := locked(ctx, tx, paymentID)
	switch {
	case errors.Is(err, ErrUnknown):
		return e, &wrong{http.StatusNotFound, "No payment exists with token " + paymentID + ".", ""}
	case err != nil:
		return e, err
	case p.Status != "paid":
		return e, invalid("", "The payment is not paid, so it cannot be refunded")
	case e.Cents <= 0:
		return e, invalid("amount", "The amount is lower than the minimum")
	case e.Cents > p.Remaining():
		return e, invalid("amount", "The amount is higher than the remaining amount of the payment")
	}
	now := s.opts.Clock().UTC()
	var repeated bool
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM refund
			WHERE payment_id = @payment AND cents = @cents AND created_at > @since AND status NOT IN ('failed', 'canceled'))`,
		pgx.NamedArgs{"payment": paymentID, "cents": e.Cents, "since": now.Add(-repeatedWithin)}).Scan(&repeated)
	if err != nil {
		return e, err
	}
	if repeated && api {
		return e, &wrong{http.StatusConflict, "A duplicate refund has been detected", ""}
	}
	e.ID, e.PaymentID, e.Status, e.CreatedAt = newID("re_"), paymentID, "pending", now
	next := now.Add(s.opts.Minute)
	e.NextAt = &next
	if _, queued, err := take(ctx, tx, TroubleRefundQueued); err != nil {
		return e, err
	} else if queued {
		e.Status, e.NextAt = "queued", nil
	}
	if fate, fails, err := take(ctx, tx, TroubleRefundFails); err != nil {
		return e, err
	} else if fails {
		ms := fate.Delay.Milliseconds()
		e.FailsAfter = &ms
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO refund (`+refundColumns+`)
		VALUES (@id, @payment, @cents, @description, @metadata, @status, @fails, @created, @next)`,
		pgx.NamedArgs{
			"id": e.ID, "payment": e.PaymentID, "cents": e.Cents, "description": e.Description, "metadata": e.Metadata,
			"status": e.Status, "fails": e.FailsAfter, "created": e.CreatedAt, "next": e.NextAt,
		})
	if err != nil {
		return e, fmt.Errorf("writing the refund: %w", err)
	}
	return e, s.enqueue(ctx, tx, p, "refund "+e.Status)
}

// ripen moves every refund whose time has come, as far as it goes.
func (s *Server) ripen(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+refundColumns+`
			FROM refund
			WHERE next_at <= @now
			ORDER BY next_at, id
			FOR UPDATE SKIP LOCKED`, pgx.NamedArgs{"now": s.opts.Clock().UTC()})
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowToStructByName[RefundEntry])
		if err != nil {
			return err
		}
		for _, e := range due {
			for e.NextAt != nil && !e.NextAt.After(s.opts.Clock()) {
				status := "processing"
				if e.Status == "processing" {
					status = "refunded"
					if e.FailsAfter != nil {
						status = "failed"
					}
				}
				if err := s.moveRefund(ctx, tx, &e, status, *e.NextAt); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// moveRefund writes the new status of a locked refund, since at, and queues the webhook.
func (s *Server) moveRefund(ctx context.Context, tx pgx.Tx, e *RefundEntry, status string, at time.Time) error {
	e.Status, e.NextAt = status, nil
	switch status {
	case "pending":
		next := at.Add(s.opts.Minute)
		e.NextAt = &next
	case "processing":
		next := at.Add(s.opts.Minute)
		if e.FailsAfter != nil {
			next = next.Add(time.Duration(*e.FailsAfter) * time.Millisecond)
		}
		e.NextAt = &next
	}
	_, err := tx.Exec(ctx, `
		UPDATE refund
		SET status = @status, next_at = @next
		WHERE id = @id`, pgx.NamedArgs{"id": e.ID, "status": status, "next": e.NextAt})
	if err != nil {
		return err
	}
	p, err := one(ctx, tx, e.PaymentID)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, p, "refund "+status)
}

// MoveRefund brings a refund to a status that it can take next, as the provider or the payer's bank does. It returns
// ErrUnknown or, when the refund cannot go there, ErrEnded.
func (s *Server) MoveRefund(ctx context.Context, paymentID, refundID, status string) (RefundEntry, error) {
	if err := s.tick(ctx); err != nil {
		return RefundEntry{}, err
	}
	var e RefundEntry
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		list, err := refunds(ctx, tx, paymentID, refundID, "FOR UPDATE")
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return ErrUnknown
		}
		e = list[0]
		for _, next := range e.Moves() {
			if next == status {
				return s.moveRefund(ctx, tx, &e, status, s.opts.Clock().UTC())
			}
		}
		return ErrEnded
	})
	s.signal()
	return e, err
}

// refunds reads the refunds of a payment, or one of them, the oldest first.
func refunds(ctx context.Context, q querier, paymentID, refundID, lock string) ([]RefundEntry, error) {
	rows, err := q.Query(ctx, `
		SELECT `+refundColumns+`
		FROM refund
		WHERE payment_id = @payment AND (@id = '' OR id = @id)
		ORDER BY created_at, id `+lock, pgx.NamedArgs{"payment": paymentID, "id": refundID})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[RefundEntry])
}

// Refunds returns the refunds of a payment, the oldest first.
func (s *Server) Refunds(ctx context.Context, paymentID string) ([]RefundEntry, error) {
	if err := s.tick(ctx); err != nil {
		return nil, err
	}
	return refunds(ctx, s.pool, paymentID, "", "")
}

// refundAnswer is the refund as Mollie's API shows it.
func (s *Server) refundAnswer(e RefundEntry) hal {
	mode := "test"
	if s.live() {
		mode = "live"
	}
	payment := s.opts.BaseURL + "/v2/payments/" + e.PaymentID
	return hal{
		"resource": "refund", "id": e.ID, "mode": mode, "paymentId": e.PaymentID, "description": e.Description,
		"amount": money(e.Cents), "settlementAmount": hal{"value": (-e.Cents).Euros(), "currency": "EUR"},
		"status": e.Status, "metadata": json.RawMessage(e.Metadata), "createdAt": stamp(e.CreatedAt),
		"_links": hal{
			"self": href(payment+"/refunds/"+e.ID, halType), "payment": href(payment, halType),
		},
	}
}

func (s *Server) refundHAL(ctx context.Context, paymentID string) ([]hal, error) {
	entries, err := s.Refunds(ctx, paymentID)
	list := make([]hal, 0, len(entries))
	for _, e := range entries {
		list = append(list, s.refundAnswer(e))
	}
	return list, err
}

func (s *Server) refundList(w http.ResponseWriter, r *http.Request) {
	s.list(w, r, "refunds", s.refundHAL)
}

// list answers with what belongs to a payment.
func (s *Server) list(w http.ResponseWriter, r *http.Request, name string, read func(context.Context, string) ([]hal, error)) {
	id := r.PathValue("id")
	if _, ok, err := take(r.Context(), s.pool, TroubleReadError); err != nil || ok {
		fail(w, http.StatusInternalServerError, "Trouble by script", "")
		return
	}
	if e, err := one(r.Context(), s.pool, id); err != nil {
		s.reply(w, r, e, err)
		return
	}
	items, err := read(r.Context(), id)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, encode(hal{
		"count": len(items), "_embedded": hal{name: items},
		"_links": hal{"self": href(s.opts.BaseURL+"/v2/payments/"+id+"/"+name, halType), "previous": nil, "next": nil},
	}))
}

func (s *Server) refundRead(w http.ResponseWriter, r *http.Request) {
	if _, ok, err := take(r.Context(), s.pool, TroubleReadError); err != nil || ok {
		fail(w, http.StatusInternalServerError, "Trouble by script", "")
		return
	}
	err := s.tick(r.Context())
	var list []RefundEntry
	if err == nil {
		list, err = refunds(r.Context(), s.pool, r.PathValue("id"), r.PathValue("refund"), "")
	}
	switch {
	case err != nil:
		s.broken(w, r, err)
	case len(list) == 0:
		fail(w, http.StatusNotFound, "No refund exists with token "+r.PathValue("refund")+".", "")
	default:
		writeJSON(w, http.StatusOK, encode(s.refundAnswer(list[0])))
	}
}

func (s *Server) refundCancel(w http.ResponseWriter, r *http.Request) {
	_, err := s.MoveRefund(r.Context(), r.PathValue("id"), r.PathValue("refund"), "canceled")
	switch {
	case errors.Is(err, ErrUnknown):
		fail(w, http.StatusNotFound, "No refund exists with token "+r.PathValue("refund")+".", "")
	case errors.Is(err, ErrEnded):
		fail(w, http.StatusUnprocessableEntity, "The refund cannot be canceled any more", "")
	case err != nil:
		s.broken(w, r, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
