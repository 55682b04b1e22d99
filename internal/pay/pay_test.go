package pay_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ribambelle/internal/pay"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[pay.Status]struct{ known, final bool }{
		pay.StatusAuthorized: {true, false}, pay.StatusCanceled: {true, true}, pay.StatusExpired: {true, true},
		pay.StatusFailed: {true, true}, pay.StatusOpen: {true, false}, pay.StatusPaid: {true, true},
		pay.StatusPending: {true, false}, "": {false, false}, "shipped": {false, false},
	} {
		if status.Known() != want.known || status.Final() != want.final {
			t.Errorf("%q: known %v, final %v, want %v", status, status.Known(), status.Final(), want)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	refused := &pay.Error{Kind: pay.ErrKindRefused, Doing: "creating the payment", Status: 422, Field: "amount", Detail: "too high"}
	silent := fmt.Errorf("registration 12: %w", &pay.Error{Kind: pay.ErrKindTemporary, Doing: "reading the payment", Err: context.DeadlineExceeded})
	for _, tt := range []struct {
		err       error
		text      string
		kind      pay.ErrorKind
		temporary bool
	}{
		{nil, "<nil>", "", false},
		{errors.New("the disk is full"), "the disk is full", "", true},
		{refused, "creating the payment: refused (HTTP 422) amount: too high", pay.ErrKindRefused, false},
		{silent, "registration 12: reading the payment: temporary: context deadline exceeded", pay.ErrKindTemporary, true},
	} {
		if got := fmt.Sprint(tt.err); got != tt.text || pay.KindOf(tt.err) != tt.kind || pay.Temporary(tt.err) != tt.temporary {
			t.Errorf("got %q, kind %q, temporary %v, want %+v", got, pay.KindOf(tt.err), pay.Temporary(tt.err), tt)
		}
	}
	if !errors.Is(silent, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
}
