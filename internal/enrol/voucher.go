package enrol

import (
	"context"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/tariff"
)

// tryVoucher runs what is done with a typed code under the limit of wrong ones.
func (s *Store) tryVoucher(ctx context.Context, guardianID uuid.UUID, code string, do func() error) error {
	return tariff.New(s.DB, s.Now).Try(ctx, guardianID, code, do)
}

// TryVoucher checks a code that a guardian typed for a request, and counts it when it does not count: Invalid on the
// input "voucher" with why, Conflict with the minutes to wait after too many.
func (s *Store) TryVoucher(ctx context.Context, guardianID uuid.UUID, r Request) error {
	return s.tryVoucher(ctx, guardianID, r.Voucher, func() error {
		if r.Voucher == "" {
			return nil
		}
		_, err := tariff.VoucherFor(ctx, s.DB, tariff.Wanted{Code: tariff.Code(r.Voucher), CampID: r.CampID, On: s.today()})
		return err
	})
}

// SessionWorth returns what cancelling now more sessions of its camp is worth of a registration's frozen price, when
// before of them were cancelled after it was submitted already.
func (r Registration) SessionWorth(sessions, before, now int) civil.Cents {
	return tariff.CancelledWorth(r.PriceDetail, sessions, before, now)
}

// carry gives a request that replaces a registration the voucher of that one, once it was given back, where it counts
// for the new camp too.
func (s *Store) carry(ctx context.Context, tx db.Tx, old uuid.UUID, to *Request) error {
	if to.Voucher != "" {
		return nil
	}
	code, err := tariff.CodeOf(ctx, tx, old)
	if err != nil || code == "" {
		return err
	}
	_, err = tariff.VoucherFor(ctx, tx, tariff.Wanted{Code: code, CampID: to.CampID, On: s.today(), Lock: true})
	switch {
	case err == nil:
		to.Voucher = code
	case tariff.Refused(err):
		return nil
	}
	return err
}
