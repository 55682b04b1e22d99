package bancontactprosim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
)

// namespace is before the private names in the headers of signatures.
const namespace = "https://payconiq.com/"

// critical are those names; whoever verifies must understand each.
var critical = []string{namespace + "sub", namespace + "iss", namespace + "iat", namespace + "jti", namespace + "path"}

func newKey() (jose.JSONWebKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	return jose.JSONWebKey{Key: private, KeyID: "es.signature.simulator." + newID()[:8], Algorithm: "ES256", Use: "sig"}, nil
}

// firstKey makes a signing key if there is none.
func (s *Server) firstKey(ctx context.Context, tx pgx.Tx) error {
	keys, err := signingKeys(ctx, tx)
	if err != nil || len(keys) > 0 {
		return err
	}
	return addKey(ctx, tx)
}

// execer is a pool or a transaction.
type execer interface {
	querier
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func addKey(ctx context.Context, q execer) error {
	key, err := newKey()
	if err != nil {
		return fmt.Errorf("making a signing key: %w", err)
	}
	raw, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("writing a signing key: %w", err)
	}
	var id int64
	return q.QueryRow(ctx, `INSERT INTO signing_key (jwk) VALUES (@jwk) RETURNING id`, pgx.NamedArgs{"jwk": raw}).Scan(&id)
}

// signingKeys reads the two newest keys, the newest first: Bancontact publishes a new one beside the old.
func signingKeys(ctx context.Context, q querier) ([]jose.JSONWebKey, error) {
	rows, err := q.Query(ctx, `SELECT jwk FROM signing_key ORDER BY id DESC LIMIT 2`)
	if err != nil {
		return nil, err
	}
	raws, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, err
	}
	keys := make([]jose.JSONWebKey, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &keys[i]); err != nil {
			return nil, fmt.Errorf("reading a signing key: %w", err)
		}
	}
	return keys, nil
}

// Rotate makes a new key, which signs from now on; the one before stays published, older ones go.
func (s *Server) Rotate(ctx context.Context) error { return addKey(ctx, s.pool) }

// keySet publishes the public keys.
func (s *Server) keySet(w http.ResponseWriter, r *http.Request) {
	if s.trip(w, r, TroubleKeysError) {
		return
	}
	keys, err := signingKeys(r.Context(), s.pool)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	for i := range keys {
		keys[i] = keys[i].Public()
	}
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: keys})
}

// sign returns the detached JWS of a callback's body.
func (s *Server) sign(key jose.JSONWebKey, address string, body []byte, at time.Time) (string, error) {
	values := []any{
		s.opts.Profile, "Payconiq", at.UTC().Format("2006-01-02T15:04:05.000000000Z"), newID(), address,
	}
	options := new(jose.SignerOptions).WithType("jose+json").WithCritical(critical...)
	for i, name := range critical {
		options.WithHeader(jose.HeaderKey(name), values[i])
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID},
	}, options)
	if err != nil {
		return "", fmt.Errorf("preparing a signature: %w", err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return jws.DetachedCompactSerialize()
}

// signed lets only requests pass that the merchant has signed, and hands the body on.
func (s *Server) signed(next func(w http.ResponseWriter, r *http.Request, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, http.StatusRequestEntityTooLarge, "VALIDATION_ERROR", "The body is too long")
			return
		}
		if len(s.merchant.Keys) == 0 {
			fail(w, http.StatusUnprocessableEntity, "REFUND_NOT_ALLOWED", "Refunds are not enabled for this merchant")
			return
		}
		if why := s.unsigned(r, body); why != "" {
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED", why)
			return
		}
		next(w, r, body)
	}
}

// unsigned says why a request is not the merchant's, "" when it is.
func (s *Server) unsigned(r *http.Request, body []byte) string {
	protected, rest, ok := strings.Cut(r.Header.Get("Signature"), "..")
	raw, err := base64.RawURLEncoding.DecodeString(protected)
	mark, bad := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || bad != nil || len(mark) != 64 {
		return "The signature is no detached JWS"
	}
	var header map[string]any
	if json.Unmarshal(raw, &header) != nil {
		return "The signature has no header"
	}
	kid, _ := header["kid"].(string)
	listed, _ := header["crit"].([]any)
	issued, _ := header[namespace+"iat"].(string)
	at, err := time.Parse(time.RFC3339, issued)
	jti, _ := header[namespace+"jti"].(string)
	switch {
	case header["alg"] != "ES256" || header["typ"] != "jose+json":
		return "The signature is of another kind"
	case slices.ContainsFunc(critical, func(name string) bool { return !slices.Contains(listed, any(name)) }):
		return "The signature lacks critical headers"
	case header[namespace+"sub"] != s.opts.Profile || header[namespace+"iss"] != "Payconiq" || jti == "":
		return "The signature is of another subject"
	case header[namespace+"path"] != r.URL.Path:
		return "The signature is for another path"
	case err != nil || time.Since(at).Abs() > 10*time.Minute: // the merchant's machine, not the simulator's clock
		return "The signature is too old"
	}
	sum := sha256.Sum256([]byte(protected + "." + base64.RawURLEncoding.EncodeToString(body)))
	for _, key := range s.merchant.Key(kid) {
		public, ok := key.Key.(*ecdsa.PublicKey)
		if ok && ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(mark[:32]), new(big.Int).SetBytes(mark[32:])) {
			return ""
		}
	}
	return "The signature does not fit"
}
