package audit

import (
	"context"

	"github.com/google/uuid"
)

type actingKey struct{}

// WithAccount notes in a context which account is at work. It is for acts in the name of an organisation: the
// guardian has no account of its own then, and the audit must still say which of its members acted.
func WithAccount(ctx context.Context, id uuid.UUID) context.Context {
	return context.WithValue(ctx, actingKey{}, id)
}

// AccountFrom returns the account that WithAccount noted, as an actor; ok is false when none was.
func AccountFrom(ctx context.Context) (a Actor, ok bool) {
	id, ok := ctx.Value(actingKey{}).(uuid.UUID)
	if !ok {
		return Actor{}, false
	}
	return Account(id), true
}
