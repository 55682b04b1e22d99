// Package seal encrypts fields and files that must not stand readable in the database, and makes the codes of links
// that are mailed.
package seal

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrOpen says that sealed bytes do not open: they were changed, belong to another place, or their key is gone.
var ErrOpen = errors.New("sealed value does not open")

// Box seals and opens with one keyset. It is safe for concurrent use. It never prints its keys.
type Box struct {
	aead   tink.AEAD
	prefix []byte
	codes  *prf.Set
	keys   int
}

// bundle is the text form of a keyset: two keysets of Tink in its JSON form.
type bundle struct {
	Seal  json.RawMessage `json:"seal"`  // AES-256-GCM
	Codes json.RawMessage `json:"codes"` // HMAC-SHA256
}

// Generate returns a new keyset in its text form, JSON, to be kept as secret as the data and to be backed up apart
// from them: without it nothing sealed opens again.
func Generate() ([]byte, error) {
	return grow(keyset.NewManager(), keyset.NewManager())
}

// Rotate returns the keyset with a new key of each kind. The new keys seal and code from now on; the old ones still
// open and recognise what they made.
func Rotate(text []byte) ([]byte, error) {
	seals, codes, err := parse(text)
	if err != nil {
		return nil, err
	}
	return grow(keyset.NewManagerFromHandle(seals), keyset.NewManagerFromHandle(codes))
}

// Load reads a keyset: the JSON of Generate, or its base64 form, which fits better in an environment variable.
func Load(text []byte) (*Box, error) {
	seals, codes, err := parse(text)
	if err != nil {
		return nil, err
	}
	b := &Box{keys: seals.Len(), prefix: prefixOf(seals)}
	if b.aead, err = aead.New(seals); err != nil {
		return nil, fmt.Errorf("reading the sealing keys: %w", err)
	}
	if b.codes, err = prf.NewPRFSet(codes); err != nil {
		return nil, fmt.Errorf("reading the code keys: %w", err)
	}
	return b, nil
}

// Keys returns how many sealing keys the box holds, the one in use and the former ones.
func (b *Box) Keys() int { return b.keys }

// Seal encrypts plain for one place. aad names that place, table, column and row ("sheet.body:8f14…"), so that sealed
// bytes which are copied to another row do not open there.
func (b *Box) Seal(plain []byte, aad string) ([]byte, error) {
	sealed, err := b.aead.Encrypt(plain, []byte(aad))
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place. It returns ErrOpen otherwise, and never says why.
func (b *Box) Open(sealed []byte, aad string) ([]byte, error) {
	plain, err := b.aead.Decrypt(sealed, []byte(aad))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// codeSize is the length of a code in bytes, before encoding.
const codeSize = 24

// MAC returns the code of the row id for a purpose: always the same under the same key, so that a mail sent twice
// carries the same link, and unguessable without the key. It is safe in a URL. Nothing of it is stored: the row's own
// deadline and use-once mark limit it.
func (b *Box) MAC(purpose, id string) string {
	code, err := b.codes.ComputePrimaryPRF(codeInput(purpose, id), codeSize)
	if err != nil {
		panic("seal: HMAC-SHA256 cannot fail for 24 bytes: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(code)
}

// CheckMAC reports whether code is the code of id for purpose, under the present key or a former one.
func (b *Box) CheckMAC(purpose, id, code string) bool {
	got, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil {
		return false
	}
	for _, key := range b.codes.PRFs {
		want, err := key.ComputePRF(codeInput(purpose, id), codeSize)
		if err == nil && subtle.ConstantTimeCompare(got, want) == 1 {
			return true
		}
	}
	return false
}

// codeInput joins purpose and id so that no other pair gives the same bytes.
func codeInput(purpose, id string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(purpose))), purpose+id...)
}

// grow adds a key of each kind, to be used from now on.
func grow(seals, codes *keyset.Manager) ([]byte, error) {
	for _, part := range []struct {
		manager  *keyset.Manager
		template *tinkpb.KeyTemplate
	}{
		{seals, aead.AES256GCMKeyTemplate()},
		{codes, prf.HMACSHA256PRFKeyTemplate()},
	} {
		id, err := part.manager.Add(part.template)
		if err == nil {
			err = part.manager.SetPrimary(id)
		}
		if err != nil {
			return nil, fmt.Errorf("adding a key: %w", err)
		}
	}
	return write(seals, codes)
}

// write returns the text form of a keyset.
func write(seals, codes *keyset.Manager) ([]byte, error) {
	var b bundle
	for _, part := range []struct {
		manager *keyset.Manager
		text    *json.RawMessage
	}{{seals, &b.Seal}, {codes, &b.Codes}} {
		handle, err := part.manager.Handle()
		if err != nil {
			return nil, fmt.Errorf("writing the keyset: %w", err)
		}
		var out bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out)); err != nil {
			return nil, fmt.Errorf("writing the keyset: %w", err)
		}
		*part.text = out.Bytes()
	}
	return json.Marshal(b)
}

var errKeyset = errors.New("the keyset is not one of ours: it must be the JSON of a generated keyset, or its base64 form")

func parse(text []byte) (seals, codes *keyset.Handle, err error) {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] != '{' {
		if text, err = base64.StdEncoding.DecodeString(string(text)); err != nil {
			return nil, nil, errKeyset
		}
	}
	var b bundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, nil, errKeyset
	}
	// What Tink says about a bad keyset may quote it.
	if seals, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b.Seal))); err != nil {
		return nil, nil, errKeyset
	}
	if codes, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b.Codes))); err != nil {
		return nil, nil, errKeyset
	}
	return seals, codes, nil
}
