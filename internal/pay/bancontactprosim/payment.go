package bancontactprosim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// Entry is a payment in the simulator's books.
type Entry struct {
	ID          string      `db:"id" json:"id"`
	Status      string      `db:"status" json:"status"` // PENDING and so on
	Cents       civil.Cents `db:"cents" json:"cents"`
	Reference   string      `db:"reference" json:"reference"`
	Description string      `db:"description" json:"description"`
	CallbackURL string      `db:"callback_url" json:"-"`
	ReturnURL   string      `db:"return_url" json:"-"`
	CreatedAt   time.Time   `db:"created_at" json:"createdAt"`
	ExpiresAt   time.Time   `db:"expires_at" json:"expiresAt"`
	SucceededAt *time.Time  `db:"succeeded_at" json:"succeededAt"`
	Refunded    civil.Cents `db:"refunded" json:"refundedCents"`
}

const (
	columns = `id, status, cents, reference, description, callback_url, return_url, created_at, expires_at, succeeded_at`
	// sums follow columns where a payment is read.
	sums = `,
	(SELECT COALESCE(sum(r.cents), 0)::bigint
		FROM refund r
		WHERE r.payment_id = payment.id AND r.status <> 'FAILED') AS refunded`
)

// Live reports whether the payment can still be paid.
func (e Entry) Live() bool {
	return e.Status == "PENDING" || e.Status == "IDENTIFIED" || e.Status == "AUTHORIZED"
}

// Cancelable reports whether the merchant can still cancel.
func (e Entry) Cancelable() bool { return e.Status == "PENDING" || e.Status == "IDENTIFIED" }

// Action is what a payer, a bank or time does to a payment.
type Action string

// The actions of the phone.
const (
	ActScan      Action = "scan"      // opens the deep link or scans the code
	ActAuthorize Action = "authorize" // confirms, and the bank takes its time
	ActPay       Action = "pay"       // confirms, and the bank agrees
	ActRefuse    Action = "refuse"    // confirms, and the bank does not agree
	ActCancel    Action = "cancel"
	ActFail      Action = "fail"
	ActExpire    Action = "expire"
)

// moves says from which statuses an action leads where.
var moves = map[Action]struct {
	from []string
	to   string
}{
	ActScan:      {[]string{"PENDING"}, "IDENTIFIED"},
	ActAuthorize: {[]string{"PENDING", "IDENTIFIED"}, "AUTHORIZED"},
	ActPay:       {[]string{"PENDING", "IDENTIFIED", "AUTHORIZED"}, "SUCCEEDED"},
	ActRefuse:    {[]string{"PENDING", "IDENTIFIED"}, "AUTHORIZATION_FAILED"},
	ActCancel:    {[]string{"PENDING", "IDENTIFIED"}, "CANCELLED"},
	ActFail:      {[]string{"PENDING", "IDENTIFIED", "AUTHORIZED"}, "FAILED"},
	ActExpire:    {[]string{"PENDING", "IDENTIFIED"}, "EXPIRED"},
}

// What Act refuses.
var (
	ErrUnknown = errors.New("no such payment")
	ErrEnded   = errors.New("the payment cannot go there any more")
)

// Act does what the payer does on the phone, and queues the callback. It returns the payment as it then stands; with
// ErrEnded it is unchanged.
func (s *Server) Act(ctx context.Context, id string, action Action) (Entry, error) {
	move, ok := moves[action]
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
		if !slices.Contains(move.from, e.Status) {
			return ErrEnded
		}
		if action == ActPay {
			other, ok, err := take(ctx, tx, TroubleOtherAmount)
			if err != nil {
				return err
			}
			if ok {
				e.Cents = other.Cents
			}
		}
		return s.move(ctx, tx, &e, move.to)
	})
	s.signal()
	return e, err
}

// move writes the new status of a locked payment and queues the callback.
func (s *Server) move(ctx context.Context, tx pgx.Tx, e *Entry, status string) error {
	e.Status = status
	if status == "SUCCEEDED" {
		now := s.opts.Clock().UTC()
		e.SucceededAt = &now
	}
	_, err := tx.Exec(ctx, `
		UPDATE payment
		SET status = @status, cents = @cents, succeeded_at = @succeeded
		WHERE id = @id`,
		pgx.NamedArgs{"id": e.ID, "status": e.Status, "cents": e.Cents, "succeeded": e.SucceededAt})
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, *e)
}

// tick does what time does: payments expire, refunds go their way.
func (s *Server) tick(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.opts.Clock().UTC()
		rows, err := tx.Query(ctx, `
			SELECT `+columns+sums+`
			FROM payment
			WHERE status IN ('PENDING', 'IDENTIFIED') AND expires_at <= @now
			ORDER BY id
			FOR UPDATE SKIP LOCKED`, pgx.NamedArgs{"now": now})
		if err != nil {
			return err
		}
		over, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
		if err != nil {
			return err
		}
		for i := range over {
			if err := s.move(ctx, tx, &over[i], "EXPIRED"); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `
			UPDATE refund
			SET status = CASE WHEN fails THEN 'FAILED' ELSE 'REFUNDED' END, next_at = NULL
			WHERE next_at <= @now`, pgx.NamedArgs{"now": now})
		return err
	})
	if err != nil {
		return fmt.Errorf("letting time pass: %w", err)
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// locked locks a payment and then reads it: in one statement the sum would be that from before the wait.
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

// newID returns a fresh id of 24 characters.
func newID() string {
	raw := make([]byte, 12)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

type object map[string]any

func (s *Server) deeplink(id string) string { return s.opts.BaseURL + "/pay/2/" + id }

// answer is the payment as the API shows it; a creation names the end of its life in another way.
func (s *Server) answer(e Entry, created bool) object {
	href := func(url string) object { return object{"href": url} }
	self := s.opts.BaseURL + "/v3/payments/" + e.ID
	links := object{
		"self": href(self), "deeplink": href(s.deeplink(e.ID)),
		"qrcode": href(s.opts.BaseURL + "/qrcode?c=" + url.QueryEscape(s.deeplink(e.ID))),
	}
	if e.Live() {
		links["checkout"] = href(s.opts.BaseURL + "/checkout/" + e.ID)
	}
	if e.Cancelable() {
		links["cancel"] = href(self)
	}
	if e.Status == "SUCCEEDED" {
		links["refund"] = href(self + "/refunds")
	}
	out := object{
		"paymentId": e.ID, "status": e.Status, "amount": int64(e.Cents), "currency": "EUR", "createdAt": stamp(e.CreatedAt),
		"creditor": object{
			"profileId": s.opts.Profile, "merchantId": "simulator", "name": "Commune du simulateur",
			"iban": "BE68539007547034", "callbackUrl": e.CallbackURL,
		},
		"_links": links,
	}
	for name, value := range map[string]string{"reference": e.Reference, "description": e.Description} {
		if value != "" {
			out[name] = value
		}
	}
	if created {
		out["expiresAt"] = stamp(e.ExpiresAt)
		return out
	}
	out["expireAt"] = stamp(e.ExpiresAt)
	if e.SucceededAt != nil {
		out["succeededAt"] = stamp(*e.SucceededAt)
	}
	if e.Status != "PENDING" {
		out["debtor"] = object{"name": "Camille", "iban": "************3456"}
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
