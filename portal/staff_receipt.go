package portal

import (
	"net/http"

	"ribambelle/internal/camp"
	"ribambelle/internal/cash"
	"ribambelle/internal/ledger"
	"ribambelle/portal/page"
)

// receiptPage is what a family takes home from the counter, ready to print.
type receiptPage struct {
	staffPage
	R        *staffRegistrationPage
	Settings map[string]string // of the commune
	When     string
	Payer    string
	Paid     []staffMoneyLine
	Receipts []cash.Entry // what of it went over the counter
}

// Number is the number of a receipt as it is printed.
func (*receiptPage) Number(e cash.Entry) string { return receiptNumber(e.Year, e.Number) }

// staffReceipt shows the receipt of one registration.
func (s *server) staffReceipt(w http.ResponseWriter, r *http.Request) error {
	reg, err := s.staffRegistrationOf(r, pathID(r))
	if err != nil {
		return err
	}
	p := &receiptPage{staffPage: reg.staffPage, R: reg}
	p.Title = p.L.T("staff.receipt.of", reg.Row.Name())
	p.Back = &page.Link{URL: reg.Row.URL(), Text: reg.Row.Name()}
	if p.Settings, err = camp.AllSettings(r.Context(), s.DB); err != nil {
		return err
	}
	if p.When, err = s.campDays(r.Context(), p.L, reg.Registration.CampID); err != nil {
		return err
	}
	p.Payer = reg.Row.Payer
	if reg.Money != nil {
		if p.Receipts, err = s.cash().ReceiptsOf(r.Context(), reg.Money.DueID); err != nil {
			return err
		}
		for _, line := range reg.Money.Lines {
			if line.Kind == ledger.Payment || line.Kind == ledger.Refund {
				p.Paid = append(p.Paid, line)
			}
		}
	}
	return s.render(w, r, http.StatusOK, "staff/receipt", p)
}
