package portal

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/tariff"
	"ribambelle/portal/form"
)

// voucherShown reports whether the price that a form showed is that of the voucher typed in it. If not, the voucher is
// tried, what is wrong with it noted, and the form is to be shown again with its price: nobody sends a request at a
// price that it did not read.
func (s *server) voucherShown(r *http.Request, f *form.Form, guardianID uuid.UUID, ask enrol.Request) (bool, error) {
	if !f.Checked("apply") && tariff.Code(ask.Voucher) == f.Text("voucher_seen") && (ask.Voucher == "" || tariff.Code(ask.Voucher) != "") {
		return true, nil
	}
	return false, f.Take(s.Enrol.TryVoucher(r.Context(), guardianID, ask))
}

// quoteVoucher prices a request, without its voucher when that does not count, and returns the voucher that the price
// is of.
func (s *server) quoteVoucher(r *http.Request, f *form.Form, guardianID uuid.UUID, ask enrol.Request) (q enrol.Quote, seen string, err error) {
	if f.Problem("voucher") != nil {
		ask.Voucher = ""
	}
	q, err = s.Enrol.Quote(r.Context(), guardianID, ask)
	if tariff.Refused(err) { // used up since it was tried
		if err := f.Take(err); err != nil {
			return q, "", err
		}
		ask.Voucher = ""
		q, err = s.Enrol.Quote(r.Context(), guardianID, ask)
	}
	return q, tariff.Code(ask.Voucher), err
}

// discreet is a price as the person of the office who asks may read it.
func (s *server) discreet(r *http.Request, lines []enrol.PriceLine) []enrol.PriceLine {
	if s.can(r, maySocial) {
		return lines
	}
	return tariff.Discreet(lines)
}

// keepPrivate takes from a registration's page what tells why its price was reduced, unless its reader may know: for
// every family alike, so that nothing can be guessed from what is missing.
func (s *server) keepPrivate(r *http.Request, p *staffRegistrationPage) {
	if s.can(r, maySocial) {
		return
	}
	p.Registration.PriceDetail = tariff.Discreet(p.Registration.PriceDetail)
	for _, m := range p.Dues {
		m.Lines = slices.Clone(m.Lines)
		for i, l := range m.Lines {
			if l.Kind == ledger.Reduction && l.Source == "tariff" {
				m.Lines[i].Label, m.Lines[i].Args = tariff.LabelReductions, nil
			}
		}
	}
}

// Off writes a reduction: a percentage or an amount.
func (p staffPage) Off(percent *int, cents *civil.Cents) string {
	switch {
	case percent != nil:
		return p.L.T("tariff.minus", *percent)
	case cents != nil:
		return "− " + p.L.Euros(*cents)
	}
	return ""
}
