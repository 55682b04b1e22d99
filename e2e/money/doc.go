// Package money proves that the ledger equals the books of a payment provider: random commands of families, staff, banks
// and the provider, several at once, in a process that is killed again and again, over the provider's real wire with
// scripted trouble.
package money
