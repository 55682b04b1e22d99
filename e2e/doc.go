// Package e2e holds the journeys that people make, in a real browser, against the whole program and its simulators.
//
//	go test ./e2e/...                             all journeys on the event module
//	go test ./e2e -run TestChain -odoo            the chain on the Odoo of ODOO_URL, ODOO_DB, ODOO_USER, ODOO_PASSWORD
//	go test ./e2e -run TestScreenshots -pictures DIR
//	go test ./e2e/crash -kills 50 -timeout 0      kill -9 under load, then the books are compared
//
// A failed journey leaves a picture of the page in .cache/e2e.
package e2e
