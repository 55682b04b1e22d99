// Package eventmoduletest runs an event module on a loopback port with a
// database of its own, for tests of what talks to it.
package eventmoduletest

import (
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"ribambelle/connector/eventmodule"
	"ribambelle/internal/db/dbtest"
)

// The logins Start sets up when no option names others. Each one's password is
// its login.
const (
	DB       = "odoo"
	Admin    = "admin"    // uid 2, may do everything
	Desk     = "desk"     // registration desk
	Contacts = "contacts" // registration desk with contact creation
)

// Start runs a server until the test ends. It returns its base URL (clients
// add /xmlrpc/2/common and so on), the server, and its database, through
// which a test can look at or upset the rows.
func Start(t testing.TB, opts ...func(*eventmodule.Options)) (url string, srv *eventmodule.Server, pool *pgxpool.Pool) {
	t.Helper()
	o := eventmodule.Options{DB: DB, Users: []eventmodule.User{
		{Login: Admin, Password: Admin, Admin: true},
		{Login: Desk, Password: Desk, Desk: true},
		{Login: Contacts, Password: Contacts, Desk: true, ContactCreation: true},
	}}
	for _, opt := range opts {
		opt(&o)
	}
	pool = dbtest.Empty(t).Pool
	srv, err := eventmodule.Open(t.Context(), pool, o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	return web.URL, srv, pool
}
