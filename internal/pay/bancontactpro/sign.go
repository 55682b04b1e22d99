package bancontactpro

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// The private names in the headers of signatures. Each is critical: whoever does not understand one must refuse.
const (
	headerSubject = "https://payconiq.com/sub"  // whom it is for, or from: the product profile
	headerIssuer  = "https://payconiq.com/iss"  // always issuer
	headerIssued  = "https://payconiq.com/iat"  // RFC 3339 instant
	headerUnique  = "https://payconiq.com/jti"  // of this message alone
	headerPath    = "https://payconiq.com/path" // what it was sent to

	issuer = "Payconiq"
)

// readSigningKey reads a P-256 private key in PEM, of PKCS #8 or SEC 1.
func readSigningKey(text string) (*ecdsa.PrivateKey, error) {
	wrong := errors.New("the Bancontact Pro signing key is no P-256 private key in PEM")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, wrong
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil && key.Curve == elliptic.P256() {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, wrong
	}
	return key, nil
}

// publicKey is the public half of our key under its thumbprint (RFC 7638).
func publicKey(key *ecdsa.PrivateKey) (jose.JSONWebKey, error) {
	k := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return k, fmt.Errorf("naming the signing key: %w", err)
	}
	k.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return k, nil
}

// JWKS is what must stand at the address that Bancontact was given for our key: a JWK set, without any key when we have
// none.
func (c *Client) JWKS() ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if c.signing != nil {
		k, err := publicKey(c.signing)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, k)
	}
	return json.Marshal(set)
}

// sign returns the detached JWS of a request by our key.
func (c *Client) sign(path string, body []byte, now time.Time) (string, error) {
	public, err := publicKey(c.signing)
	if err != nil {
		return "", err
	}
	options := new(jose.SignerOptions).WithType("jose+json").
		WithHeader(headerSubject, c.profile).WithHeader(headerIssuer, issuer).
		WithHeader(headerIssued, now.UTC().Format("2006-01-02T15:04:05.000Z")).
		WithHeader(headerUnique, uuid.NewString()).WithHeader(headerPath, path).
		WithCritical(headerSubject, headerIssuer, headerIssued, headerUnique, headerPath)
	key := jose.JSONWebKey{Key: c.signing, KeyID: public.KeyID}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("preparing the signature: %w", err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed.DetachedCompactSerialize()
}
