// Package eventmodule answers Odoo's XML-RPC services for the `event` app from
// its own rows in PostgreSQL: the embedded default and the test peer.
package eventmodule
