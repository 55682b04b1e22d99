// Package tariff says what a registration costs: pure rules over facts, and beside them the tables of audiences,
// sibling rules, accorded tariffs and vouchers that staff keep.
//
// Every rule rounds half up to the cent, line by line, and no price falls below zero.
package tariff
