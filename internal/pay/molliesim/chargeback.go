package molliesim

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
)

// ChargebackEntry is money that the payer's bank took back.
type ChargebackEntry struct {
	ID         string      `db:"id" json:"id"`
	PaymentID  string      `db:"payment_id" json:"paymentId"`
	Cents      civil.Cents `db:"cents" json:"cents"`
	CreatedAt  time.Time   `db:"created_at" json:"createdAt"`
	ReversedAt *time.Time  `db:"reversed_at" json:"reversedAt"` // the bank gave it back
}

const chargebackColumns = `id, payment_id, cents, created_at, reversed_at`

// contestLater plans the chargeback that the script wants of a payment being paid. It is told when its time comes.
func (s *Server) contestLater(ctx context.Context, tx pgx.Tx, e Entry) error {
	t, ok, err := take(ctx, tx, TroubleChargeback)
	if err != nil || !ok {
		return err
	}
	cents := e.Cents
	if t.Cents > 0 {
		cents = min(t.Cents, e.Cents)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO chargeback (id, payment_id, cents, created_at, told)
		VALUES (@id, @payment, @cents, @at, false)`,
		pgx.NamedArgs{"id": newID("chb_"), "payment": e.ID, "cents": cents, "at": s.opts.Clock().UTC().Add(t.Delay)})
	return err
}

// contest tells every planned chargeback whose time has come.
func (s *Server) contest(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE chargeback
			SET told = true
			WHERE NOT told AND created_at <= @now
			RETURNING payment_id`, pgx.NamedArgs{"now": s.opts.Clock().UTC()})
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, id := range ids {
			p, err := one(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := s.enqueue(ctx, tx, p, "chargeback"); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChargeBack lets the payer's bank take cents of a payment back, also money that was refunded: banks do not ask. It
// returns ErrUnknown, or ErrEnded when the payment is not paid or less than cents is left with us.
func (s *Server) ChargeBack(ctx context.Context, paymentID string, cents civil.Cents) (ChargebackEntry, error) {
	if err := s.tick(ctx); err != nil {
		return ChargebackEntry{}, err
	}
	now := s.opts.Clock().UTC()
	e := ChargebackEntry{ID: newID("chb_"), PaymentID: paymentID, Cents: cents, CreatedAt: now}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		p, err := locked(ctx, tx, paymentID)
		if err != nil {
			return err
		}
		if p.Status != "paid" || cents <= 0 || cents > p.Cents-p.ChargedBack {
			return ErrEnded
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO chargeback (id, payment_id, cents, created_at, told)
			VALUES (@id, @payment, @cents, @at, true)`,
			pgx.NamedArgs{"id": e.ID, "payment": paymentID, "cents": cents, "at": now})
		if err != nil {
			return err
		}
		return s.enqueue(ctx, tx, p, "chargeback")
	})
	s.signal()
	return e, err
}

// ReverseChargeback lets the payer's bank give back what it took; ErrEnded when it did already.
func (s *Server) ReverseChargeback(ctx context.Context, paymentID, id string) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE chargeback
			SET reversed_at = @now
			WHERE id = @id AND payment_id = @payment AND told AND reversed_at IS NULL`,
			pgx.NamedArgs{"id": id, "payment": paymentID, "now": s.opts.Clock().UTC()})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrEnded
		}
		p, err := one(ctx, tx, paymentID)
		if err != nil {
			return err
		}
		return s.enqueue(ctx, tx, p, "chargeback reversed")
	})
	s.signal()
	return err
}

// Chargebacks returns the chargebacks of a payment, the oldest first.
func (s *Server) Chargebacks(ctx context.Context, paymentID string) ([]ChargebackEntry, error) {
	if err := s.tick(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+chargebackColumns+`
		FROM chargeback
		WHERE payment_id = @payment AND told
		ORDER BY created_at, id`, pgx.NamedArgs{"payment": paymentID})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[ChargebackEntry])
}

func (s *Server) chargebackHAL(ctx context.Context, paymentID string) ([]hal, error) {
	entries, err := s.Chargebacks(ctx, paymentID)
	list := make([]hal, 0, len(entries))
	for _, e := range entries {
		payment := s.opts.BaseURL + "/v2/payments/" + e.PaymentID
		one := hal{
			"resource": "chargeback", "id": e.ID, "paymentId": e.PaymentID, "amount": money(e.Cents),
			"settlementAmount": hal{"value": (-e.Cents).Euros(), "currency": "EUR"}, "createdAt": stamp(e.CreatedAt),
			"reversedAt": nil,
			"_links":     hal{"self": href(payment+"/chargebacks/"+e.ID, halType), "payment": href(payment, halType)},
		}
		if e.ReversedAt != nil {
			one["reversedAt"] = stamp(*e.ReversedAt)
		}
		list = append(list, one)
	}
	return list, err
}

func (s *Server) chargebackList(w http.ResponseWriter, r *http.Request) {
	s.list(w, r, "chargebacks", s.chargebackHAL)
}
