package ledger

import (
	"strings"

	"ribambelle/internal/seal"
)

// SealedColumns are the places of everything that this room seals: the two numbers in an attestation, its drawing, and
// the files for Belcotax.
func SealedColumns() []seal.Column {
	file, belcotax := seal.ColumnOf("attestation_file", "sealed", "attestation_id"), seal.ColumnOf("belcotax_file", "sealed", "id")
	file.Files, belcotax.Files = true, true
	return []seal.Column{attestationNumber("Debtor"), attestationNumber("Child"), file, belcotax}
}

// attestationNumber is the number of one person in the frozen content, in base64 as JSON has bytes (see numberSealedAt).
func attestationNumber(who string) seal.Column {
	path := "'{" + who + ",Number}'"
	return seal.Column{
		Name: "attestation.content", Table: "attestation", ID: "id",
		Row:   "id || ':" + strings.ToLower(who) + "'",
		Value: "decode(content #>> " + path + ", 'base64')",
		Set:   "content = jsonb_set(content, " + path + ", to_jsonb(translate(encode(fresh.sealed, 'base64'), E'\\n', '')))",
	}
}
