package molliesim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// Entry is a payment in the simulator's books.
type Entry struct {
	ID          string      `db:"id" json:"id"`
	Mode        string      `db:"mode" json:"mode"`
	Status      string      `db:"status" json:"status"` // open, pending, paid, canceled, expired, failed
	Cents       civil.Cents `db:"cents" json:"cents"`
	Description string      `db:"description" json:"description"`
	Method      string      `db:"method" json:"method"`
	Metadata    string      `db:"metadata" json:"-"` // JSON as it came, "null" without
	Locale      string      `db:"locale" json:"-"`
	RedirectURL string      `db:"redirect_url" json:"-"`
	CancelURL   string      `db:"cancel_url" json:"-"`
	WebhookURL  string      `db:"webhook_url" json:"-"`
	Cancelable  bool        `db:"cancelable" json:"-"`
	CreatedAt   time.Time   `db:"created_at" json:"createdAt"`
	ExpiresAt   time.Time   `db:"expires_at" json:"expiresAt"`
	EndedAt     *time.Time  `db:"ended_at" json:"endedAt"`
	Refunded    civil.Cents `db:"refunded" json:"refundedCents"`        // by refunds that neither failed nor were canceled
	ChargedBack civil.Cents `db:"charged_back" json:"chargedBackCents"` // and not reversed
}

const (
	columns = `id, mode, status, cents, description, method, metadata, locale, redirect_url, cancel_url, webhook_url,
	cancelable, created_at, expires_at, ended_at`
	// sums follow columns where a payment is read.
	sums = `,
	(SELECT COALESCE(sum(r.cents), 0)::bigint
		FROM refund r
		WHERE r.payment_id = payment.id AND r.status NOT IN ('failed', 'canceled')) AS refunded,
	(SELECT COALESCE(sum(b.cents), 0)::bigint
		FROM chargeback b
		WHERE b.payment_id = payment.id AND b.told AND b.reversed_at IS NULL) AS charged_back`
)

// Remaining is what can still be refunded.
func (e Entry) Remaining() civil.Cents {
	if e.Status != "paid" {
		return 0
	}
	return max(e.Cents-e.Refunded-e.ChargedBack, 0)
}

// Live reports whether the payment can still be paid.
func (e Entry) Live() bool { return e.Status == "open" || e.Status == "pending" }

// Action is what a payer or time does to a payment.
type Action string

// The actions of the hosted page.
const (
	ActPay    Action = "pay"
	ActCancel Action = "cancel"
	ActExpire Action = "expire"
	ActFail   Action = "fail"
	ActPend   Action = "pend" // the bank is asked, the outcome comes later
)

var outcomes = map[Action]string{
	ActPay: "paid", ActCancel: "canceled", ActExpire: "expired", ActFail: "failed", ActPend: "pending",
}

// What Act refuses.
var (
	ErrUnknown = errors.New("no such payment")
	ErrEnded   = errors.New("the payment has ended")
)

// Act does what the payer does on the hosted page, and queues the webhook. The method ("bancontact" when empty) counts
// if none was chosen before. It returns the payment as it then stands; with ErrEnded it is unchanged.
func (s *Server) Act(ctx context.Context, id string, action Action, method string) (Entry, error) {
	status, ok := outcomes[action]
	if !ok {
		return Entry{}, fmt.Errorf("unknown action %q", action)
	}
	if err := s.tick(ctx); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		if e, err = locked(ctx, tx, id); err != nil {
			return err
		}
		if !e.Live() {
			return ErrEnded
		}
		if action == ActPay {
			if e.Method == "" {
				e.Method = "bancontact"
				if method != "" {
					e.Method = method
				}
			}
			trouble, ok, err := take(ctx, tx, TroubleOtherAmount)
			if err != nil {
				return err
			}
			if ok {
				e.Cents = trouble.Cents
			}
		}
		return s.move(ctx, tx, &e, status)
	})
	s.signal()
	return e, err
}

// move writes the new status of a locked payment and queues the webhook that Mollie would send.
func (s *Server) move(ctx context.Context, tx pgx.Tx, e *Entry, status string) error {
	e.Status = status
	if !e.Live() {
		now := s.opts.Clock().UTC()
		e.EndedAt = &now
	}
	if e.Status == "paid" {
		if err := s.contestLater(ctx, tx, *e); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		UPDATE payment
		SET status = @status, method = @method, cents = @cents, ended_at = @ended
		WHERE id = @id`,
		pgx.NamedArgs{"id": e.ID, "status": e.Status, "method": e.Method, "cents": e.Cents, "ended": e.EndedAt})
	if err != nil || e.Live() {
		return err
	}
	return s.enqueue(ctx, tx, *e, e.Status)
}

// tick does what time does: payments expire, refunds go their way, banks take money back.
func (s *Server) tick(ctx context.Context) error {
	if err := s.expire(ctx); err != nil {
		return fmt.Errorf("expiring payments: %w", err)
	}
	if err := s.contest(ctx); err != nil {
		return fmt.Errorf("charging back: %w", err)
	}
	if err := s.ripen(ctx); err != nil {
		return fmt.Errorf("moving refunds: %w", err)
	}
	return nil
}

// expire ends every payment whose time is over.
func (s *Server) expire(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+columns+sums+`
			FROM payment
			WHERE status IN ('open', 'pending') AND expires_at <= @now
			ORDER BY id
			FOR UPDATE SKIP LOCKED`, pgx.NamedArgs{"now": s.opts.Clock().UTC()})
		if err != nil {
			return err
		}
		over, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
		if err != nil {
			return err
		}
		for i := range over {
			if err := s.move(ctx, tx, &over[i], "expired"); err != nil {
				return err
			}
		}
		return nil
	})
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// locked locks a payment and then reads it: in one statement the sums would be those from before the wait.
func locked(ctx context.Context, tx pgx.Tx, id string) (Entry, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM payment WHERE id = @id FOR UPDATE`, pgx.NamedArgs{"id": id}); err != nil {
		return Entry{}, err
	}
	return one(ctx, tx, id)
}

func one(ctx context.Context, q querier, id string) (Entry, error) {
	rows, err := q.Query(ctx, `SELECT `+columns+sums+` FROM payment WHERE id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return Entry{}, err
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Entry])
	if errors.Is(err, pgx.ErrNoRows) {
		return Entry{}, ErrUnknown
	}
	return e, err
}

// Books returns every payment, the newest first.
func (s *Server) Books(ctx context.Context) ([]Entry, error) {
	if err := s.tick(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+columns+sums+` FROM payment ORDER BY created_at DESC, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID returns a fresh id, "tr_7UhSN1zuXS" with the prefix "tr_".
func newID(prefix string) string {
	raw := make([]byte, 10)
	_, _ = rand.Read(raw) // never fails
	for i, b := range raw {
		raw[i] = base62[int(b)%len(base62)]
	}
	return prefix + string(raw)
}

type hal map[string]any

func money(c civil.Cents) hal { return hal{"value": c.Euros(), "currency": "EUR"} }

func href(url, kind string) hal { return hal{"href": url, "type": kind} }

const halType = "application/hal+json"

// answer is the payment as Mollie's API shows it.
func (s *Server) answer(e Entry) hal {
	links := hal{
		"self":      href(s.opts.BaseURL+"/v2/payments/"+e.ID, halType),
		"dashboard": href(s.opts.BaseURL+"/", "text/html"),
	}
	out := hal{
		"resource": "payment", "id": e.ID, "mode": e.Mode, "createdAt": stamp(e.CreatedAt), "amount": money(e.Cents),
		"description": e.Description, "method": nil, "metadata": json.RawMessage(e.Metadata), "status": e.Status,
		"isCancelable": e.Cancelable && e.Status == "open", "profileId": "pfl_Simulator1", "sequenceType": "oneoff",
		"redirectUrl": e.RedirectURL, "_links": links,
	}
	for name, value := range map[string]string{
		"method": e.Method, "webhookUrl": e.WebhookURL, "cancelUrl": e.CancelURL, "locale": e.Locale,
	} {
		if value != "" {
			out[name] = value
		}
	}
	if e.Live() {
		out["expiresAt"] = stamp(e.ExpiresAt)
		links["checkout"] = href(s.checkoutURL(e.ID), "text/html")
		if e.Method == "bancontact" {
			links["mobileAppCheckout"] = href(s.checkoutURL(e.ID)+"?app=1", "text/html")
		}
	} else if e.EndedAt != nil {
		out[e.Status+"At"] = stamp(*e.EndedAt)
	}
	if e.Mode == "test" && e.Live() {
		links["changePaymentState"] = href(s.checkoutURL(e.ID), "text/html")
	}
	if e.Status == "paid" {
		out["amountRefunded"], out["amountRemaining"] = money(e.Refunded), money(e.Remaining())
		links["refunds"] = href(s.opts.BaseURL+"/v2/payments/"+e.ID+"/refunds", halType)
		links["chargebacks"] = href(s.opts.BaseURL+"/v2/payments/"+e.ID+"/chargebacks", halType)
		if e.ChargedBack > 0 {
			out["amountChargedBack"] = money(e.ChargedBack)
		}
	}
	return out
}

func (s *Server) checkoutURL(id string) string { return s.opts.BaseURL + "/checkout/" + id }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }
