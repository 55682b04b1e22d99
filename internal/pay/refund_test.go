package pay_test

import (
	"testing"

	"ribambelle/internal/pay"
)

func TestRefundStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[pay.RefundStatus]struct{ known, final, counts bool }{
		pay.RefundQueued: {true, false, true}, pay.RefundPending: {true, false, true},
		pay.RefundProcessing: {true, false, true}, pay.RefundRefunded: {true, true, true},
		pay.RefundFailed: {true, true, false}, pay.RefundCanceled: {true, true, false},
		"": {false, false, false}, "paid": {false, false, false},
	} {
		if status.Known() != want.known || status.Final() != want.final || status.Counts() != want.counts {
			t.Errorf("%q: known %v, final %v, counts %v, want %v", status, status.Known(), status.Final(), status.Counts(), want)
		}
	}
}
