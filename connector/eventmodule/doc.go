// Package eventmodule answers Odoo's XML-RPC services for the `event` app from
// its own rows in PostgreSQL: the embedded default of the product and the peer
// its tests talk to. It shares no code with package connector, so that one
// mistake cannot cancel itself out between the two.
//
// # What it answers
//
// /xmlrpc/2/common (version, login, authenticate, about), /xmlrpc/2/object
// (execute_kw, execute) and of /xmlrpc/2/db only what clients ask before they
// log in. /xmlrpc/common and so on answer with the string fault codes of the
// older protocol. /jsonrpc carries the same services as JSON-RPC 2.0, and
// /web/session/authenticate, get_session_info and destroy with
// /web/dataset/call_kw and /web/webclient/version_info what clients with a
// session use. It presents itself as series 17.0; value shapes, defaults,
// constraints and fault texts are those measured on an Odoo 17.0 Community,
// and the recordings under testdata/transcripts are replayed against it.
//
// The fields are those of the app `event` without event_sale, website_event
// and account, plus event.event.ticket.price, which event_sale adds and every
// camp needs; a new ticket costs 0.0. event.question, products, invoices,
// attachments and chatter are not carried: their models answer "Object … doesn't
// exist", and fields_get does not name their fields.
//
// # Where it differs from Odoo on purpose
//
//   - It never overbooks. Whoever changes registrations first locks the rows
//     of their events, in id order; seats are counted under that lock. Odoo
//     17 counts without a lock and lets parallel callers through. Restoring an
//     archived registration is checked as well.
//   - It never mails: events get no event.mail schedulers (event_mail_ids is
//     empty and accepts commands), so nothing runs inside create or write.
//   - A request is at most 64 MiB and nests at most 100 values; a domain has
//     at most 10,000 terms and 16 levels of paths; a call ends after 120 s.
//   - Connections are kept alive; Odoo closes each.
//   - A serialization failure is retried, also a collision of two loads on one
//     external id: both callers get the same row's id.
//   - [id, name] written back into a many2one is a fault 1, except for
//     event.event's user_id and stage_id, where 17.0 was seen to answer True
//     and write NULL; that is kept so that clients notice. A text in a
//     many2one becomes empty without a word, as in Odoo.
//   - Empty numbers are stored as 0, so a domain ('seats_max', '=', 0) finds
//     them; False in a domain on a number means 0.
//   - html fields keep an allow-list of elements and the attributes class,
//     href (http, https, mailto, tel, relative), src, alt and title; scripts,
//     styles and handlers are dropped, bare text is wrapped in <p>. Odoo also
//     keeps filtered style attributes.
//   - A carriage return travels as a character reference instead of being lost.
//   - There is one language: names and texts are stored once.
//   - A new event has no sample description and no default questions.
//   - Users come from Options; res.users cannot be created or changed.
//
// # Rights
//
// An administrator may do everything. A Desk user reads events, tickets, tags,
// stages, templates, partners, users and companies, and creates, writes and
// loads registrations; with ContactCreation also partners. What is refused is
// a fault 4 that names the groups, as in 17.0.
package eventmodule
