// Package portal is what people see: the public catalogue, the parents' own pages, the staff office, the leaders'
// pages, a small JSON interface and the callbacks of payment providers.
//
// A page is a handler file, a template of the same name and a line in a route table. Handlers return errors; one funnel
// (answer.go) turns them into a page that says what happened, what is saved and what to do. Pages read with their own
// SELECTs; every write goes through the room that owns the rows.
package portal
