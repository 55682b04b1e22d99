package connector

import (
	"context"
	"sync"
	"time"
)

// breaker is a caller that stops calling a server that loses one call after
// another, and tries a single one when some time has passed.
type breaker struct {
	caller
	after int
	rest  time.Duration
	now   func() time.Time

	mu     sync.Mutex
	lost   int       // calls lost in a row
	until  time.Time // no call before this instant
	trying bool      // the one call that may is under way
}

func newBreaker(inner caller, cfg Config) caller {
	if cfg.BreakAfter < 0 {
		return inner
	}
	return &breaker{caller: inner, after: cfg.BreakAfter, rest: cfg.BreakFor, now: time.Now}
}

func (b *breaker) version(ctx context.Context) (v any, err error) {
	err = b.guard(call{Method: "version", ReadOnly: true}, func() error { v, err = b.caller.version(ctx); return err })
	return v, err
}

func (b *breaker) authenticate(ctx context.Context) (uid int64, err error) {
	err = b.guard(call{Method: "authenticate", ReadOnly: true}, func() error { uid, err = b.caller.authenticate(ctx); return err })
	return uid, err
}

func (b *breaker) execute(ctx context.Context, uid int64, c call) (v any, err error) {
	err = b.guard(c, func() error { v, err = b.caller.execute(ctx, uid, c); return err })
	return v, err
}

func (b *breaker) guard(c call, do func() error) error {
	b.mu.Lock()
	if b.lost >= b.after && (b.trying || b.now().Before(b.until)) {
		b.mu.Unlock()
		return lost(c, KindTemporary, CodeBroken, "Odoo does not answer; it is left alone for a moment.", false, nil)
	}
	mine := b.lost >= b.after
	b.trying = b.trying || mine
	b.mu.Unlock()
	err := do()
	b.mu.Lock()
	defer b.mu.Unlock()
	if mine {
		b.trying = false
	}
	switch {
	case hasCode(err, CodeCanceled): // we gave up; this says nothing of the server
	case KindOf(err) == KindTemporary && !hasCode(err, CodeOverloaded):
		b.lost++
		if b.lost >= b.after {
			b.until = b.now().Add(b.rest)
		}
	default:
		b.lost = 0
	}
	return err
}
