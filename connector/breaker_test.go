package connector

import (
	"context"
	"errors"
	"testing"
	"time"
)

// scripted is a caller whose calls end as told.
type scripted struct {
	caller
	err   error
	calls int
}

func (s *scripted) execute(context.Context, int64, call) (any, error) {
	s.calls++
	return true, s.err
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	inner := &scripted{}
	b, ok := newBreaker(inner, Config{BreakAfter: 3, BreakFor: time.Minute}).(*breaker)
	if !ok {
		t.Fatal("no breaker")
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	b.now = func() time.Time { return now }
	do := func(err error) error {
		inner.err = err
		_, got := b.execute(t.Context(), 2, call{Model: "event.event", Method: "write"})
		return got
	}
	lost := &Fault{Kind: KindTemporary, Code: CodeTimeout}
	refused := &Fault{Kind: KindUser, Code: CodeRefused}
	for _, err := range []error{lost, lost, refused, lost, lost, &Fault{Kind: KindTemporary, Code: CodeCanceled}, nil} {
		if got := do(err); !errors.Is(got, err) {
			t.Fatalf("%v, want %v: an answer between, whatever it says, begins the count anew", got, err)
		}
	}
	for range 3 {
		_ = do(lost)
	}
	if got := do(nil); !hasCode(got, CodeBroken) || Ambiguous(got) {
		t.Errorf("%v, want a call refused here that was never sent", got)
	}
	sent := inner.calls
	now = now.Add(time.Minute)
	if got := do(lost); got == nil || hasCode(got, CodeBroken) || inner.calls != sent+1 {
		t.Errorf("%v, want one call that tries", got)
	}
	if got := do(nil); !hasCode(got, CodeBroken) {
		t.Errorf("%v, want peace again after the trial was lost", got)
	}
	now = now.Add(time.Minute)
	for range 4 {
		if got := do(nil); got != nil {
			t.Errorf("%v after the server came back", got)
		}
	}
	if newBreaker(inner, Config{BreakAfter: -1}) != caller(inner) {
		t.Error("a breaker although none is wanted")
	}
}
