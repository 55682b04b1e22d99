package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// ProofSetting is the setting that holds a sealed word in base64: keys that do not open it are not this database's keys.
// Its place is its name.
const ProofSetting = "seal.proof"

// Column says where the sealed values of one kind stand, so that they can be sealed again with a new key. Each room
// names its own; the SQL in it is constant.
type Column struct {
	Name  string // table and column: how the place of each value begins, "child.national_number"
	Table string
	ID    string // the table's key, a uuid
	Row   string // SQL: how the place of a row's value ends, after a colon
	Value string // SQL: the sealed value as bytea, NULL for none
	Set   string // SQL: the assignment of the value fresh.sealed
	Files bool   // the values are whole files: few are held at once
}

// ColumnOf returns a column of type bytea whose places end with the table's key.
func ColumnOf(table, column, id string) Column {
	return Column{Name: table + "." + column, Table: table, ID: id, Row: id + "::text", Value: column, Set: column + " = fresh.sealed"}
}

// Place returns the place of the value of a row, the aad of Seal.
func (c Column) Place(row string) string { return c.Name + ":" + row }

// prefixSize is the length of what Tink writes before a value: a version and the id of the key.
const prefixSize = 5

// prefixOf is how every value begins that the primary key of a keyset seals.
func prefixOf(h *keyset.Handle) []byte {
	return binary.BigEndian.AppendUint32([]byte{1}, h.KeysetInfo().GetPrimaryKeyId())
}

// Prefix returns how every value begins that the key in use has sealed: what begins otherwise was sealed with a former one.
func (b *Box) Prefix() []byte { return bytes.Clone(b.prefix) }

// Fresh reports whether a value was sealed with the key in use.
func (b *Box) Fresh(sealed []byte) bool {
	return len(sealed) > prefixSize && bytes.HasPrefix(sealed, b.prefix)
}

// Prune returns the keyset without its former sealing keys: what they sealed opens no more. With codes the former code
// keys go too, and with them every link and code that was made with them.
func Prune(text []byte, codes bool) ([]byte, error) {
	seals, coding, err := parse(text)
	if err != nil {
		return nil, err
	}
	sealing, err := pruned(seals)
	if err != nil {
		return nil, err
	}
	coded := keyset.NewManagerFromHandle(coding)
	if codes {
		if coded, err = pruned(coding); err != nil {
			return nil, err
		}
	}
	return write(sealing, coded)
}

func pruned(h *keyset.Handle) (*keyset.Manager, error) {
	m := keyset.NewManagerFromHandle(h)
	info := h.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			continue
		}
		if err := m.Delete(key.GetKeyId()); err != nil {
			return nil, fmt.Errorf("removing a key: %w", err)
		}
	}
	return m, nil
}
