// Package proof races hundreds of guardians for the places of one camp through the real pages of two server processes
// on one database, and counts. It also races a naive grant, to show that such a race can be lost.
//
// `go test ./e2e/proof` is a small race; `make proof` is the one of an opening.
package proof
