// Package connector asks Odoo: typed reads and writes of the event
// application over XML-RPC, for Odoo 14 to 19.
//
// Only the codec of kolo/xmlrpc is used. Its client decodes into typed
// targets, and one False where a string was expected ends it for ever; here
// every answer is decoded loosely and converted strictly, over an HTTP client
// that has deadlines, bounds and no redirects.
//
// Nothing is retried here, because only the caller knows whether an act may
// be repeated; the job queue does. There is one exception: a call that only
// reads is sent a second time when the connection is reset, and any call is
// sent a second time after a new authentication when Odoo refused the session
// before doing anything.
//
// Every error is a *Fault, unless the arguments themselves were wrong.
package connector
