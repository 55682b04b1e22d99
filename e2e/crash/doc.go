// Package crash kills the program with signal 9 at random moments while families register and pay and an agent decides,
// and then compares from outside what every side remembers: the families' own notes, our database, Odoo and the payment
// provider.
package crash
