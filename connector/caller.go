package connector

import "context"

// call is one method call on a model, as Odoo's external interface sees it.
type call struct {
	Model, Method string
	// Args are positional: ids first where the method takes them.
	Args []any
	// Kwargs are named, the context among them.
	Kwargs map[string]any
	// ReadOnly says that the call changes nothing, so that it may be repeated
	// and a lost answer is not ambiguous.
	ReadOnly bool
}

// caller carries calls to a server. It is the seam between what is asked and
// how: XML-RPC now; JSON-2, which replaces it in Odoo 22, beside it later.
// Implementations are safe for concurrent use and return *Fault errors, or
// plain errors for arguments that cannot be sent.
type caller interface {
	// version asks what answers; it needs no user.
	version(ctx context.Context) (any, error)
	// authenticate returns the user's id. Zero and no error means that the
	// user or the password is wrong.
	authenticate(ctx context.Context) (int64, error)
	// execute carries out one call. A nil answer without an error means that
	// the method returned None and its changes are committed.
	execute(ctx context.Context, uid int64, c call) (any, error)
	// close drops idle connections.
	close()
}
