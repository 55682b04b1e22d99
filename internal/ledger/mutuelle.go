package ledger

import "ribambelle/internal/civil"

// MutuelleContent is what an attestation for a health fund says beside the rest.
type MutuelleContent struct {
	Camp     string
	Activity string // kind of activity, in the commune's words
	ONE      string // number that the ONE gave the organiser
	Phone    string
	Email    string
	From     civil.Date // first and last day that the child came
	Until    civil.Date
	Days     int
	PerDay   civil.Cents
	PaidOn   civil.Date // the last payment
}
