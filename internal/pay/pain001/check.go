package pain001

import (
	"errors"
	"fmt"
	"regexp"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/transfer"
)

var (
	bicShape        = regexp.MustCompile(`^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$`)
	enterpriseShape = regexp.MustCompile(`^[01][0-9]{9}$`)
	// idShape is what an identifier may hold: the characters of the SEPA, no slash at an end and never two.
	idShape = regexp.MustCompile(`^[A-Za-z0-9?:().,'+-]+(/[A-Za-z0-9?:().,'+-]+)*$`)
)

// ErrNothing is returned for a file without a transfer.
var ErrNothing = errors.New("no transfer")

// check returns everything that is wrong with a file.
func check(f File, v Version) (faults []error) {
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if v != V03 && v != V09 {
		bad("version %q", v)
	}
	if !isID(f.MessageID) {
		bad("message id %q", f.MessageID)
	}
	if Text(f.Name, MaxName) == "" {
		bad("the debtor has no name")
	}
	if f.Enterprise != "" && !enterpriseShape.MatchString(f.Enterprise) {
		bad("the debtor's enterprise number is none")
	}
	if iban, err := transfer.ParseIBAN(f.IBAN); err != nil || iban != f.IBAN {
		bad("the debtor's account is no IBAN")
	}
	if f.BIC != "" && !bicShape.MatchString(f.BIC) {
		bad("the debtor's bank has no BIC like that")
	}
	if f.On.Before(civil.DateOf(f.CreatedAt, civil.Brussels)) {
		bad("to be carried out on %s, before it was made", f.On)
	}
	if len(f.Transfers) == 0 {
		faults = append(faults, ErrNothing)
	}
	if len(f.Transfers) > MaxTransfers {
		bad("%d transfers", len(f.Transfers))
	}
	seen := map[string]bool{}
	for i, t := range f.Transfers {
		switch {
		case !isID(t.EndToEndID):
			bad("transfer %d: reference %q", i, t.EndToEndID)
		case seen[t.EndToEndID]:
			bad("transfer %d: reference %q stands twice", i, t.EndToEndID)
		}
		seen[t.EndToEndID] = true
		if t.Cents < 1 || t.Cents > maxCents {
			bad("transfer %d: %d cents", i, t.Cents)
		}
		if Text(t.Name, MaxName) == "" {
			bad("transfer %d: nobody's name", i)
		}
		if iban, err := transfer.ParseIBAN(t.IBAN); err != nil || iban != t.IBAN {
			bad("transfer %d: no IBAN", i)
		}
	}
	if f.Total() > maxCents {
		bad("%d cents in all", f.Total())
	}
	return faults
}

func isID(s string) bool { return len(s) <= MaxID && idShape.MatchString(s) }
