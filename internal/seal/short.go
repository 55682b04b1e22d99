package seal

import (
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"strings"
)

// ShortLength is how many letters and digits a short code has: 60 bits, for codes whose guesses are counted.
const ShortLength = 12

// ShortAlphabet are the letters and digits of a short code: none that people take for another.
const ShortAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

var short = base32.NewEncoding(ShortAlphabet).WithPadding(base32.NoPadding)

// Short returns the code of the row id for a purpose as people can type it from paper. Like that of MAC it is always
// the same under the same key and nothing of it is stored.
func (b *Box) Short(purpose, id string) string {
	mac, err := base64.RawURLEncoding.DecodeString(b.MAC(purpose, id))
	if err != nil {
		panic(err) // MAC wrote it
	}
	return short.EncodeToString(mac)[:ShortLength]
}

// CheckShort reports whether code is the short code of id for purpose, under the present key or a former one. Case
// does not count.
func (b *Box) CheckShort(purpose, id, code string) bool {
	code = strings.ToUpper(code)
	good := 0
	for _, key := range b.codes.PRFs {
		mac, err := key.ComputePRF(codeInput(purpose, id), codeSize)
		if err == nil {
			good |= subtle.ConstantTimeCompare([]byte(short.EncodeToString(mac)[:ShortLength]), []byte(code))
		}
	}
	return good == 1
}
