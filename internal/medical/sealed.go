package medical

import "ribambelle/internal/seal"

// SealedColumns are the places of everything that this room seals: each version of each sheet.
func SealedColumns() []seal.Column {
	sheet := seal.ColumnOf("medical_sheet", "sealed", "id")
	sheet.Row = "child_id || ':' || version" // see sealedAt
	return []seal.Column{sheet}
}
