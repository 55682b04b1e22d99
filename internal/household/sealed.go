package household

import "ribambelle/internal/seal"

// SealedColumns are the places of everything that this room seals.
func SealedColumns() []seal.Column {
	source, result := seal.ColumnOf("family_import", "source", "id"), seal.ColumnOf("family_import", "result", "id")
	source.Files, result.Files = true, true
	return []seal.Column{
		seal.ColumnOf("child", "national_number", "id"),
		seal.ColumnOf("guardian", "national_number", "id"),
		seal.ColumnOf("child_handicap", "sealed", "child_id"),
		source, result,
	}
}
