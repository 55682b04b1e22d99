package account

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/problem"
)

// Bounds of a password, in characters. Long passphrases are welcome; the upper bound only spares the hash.
const (
	MinPassword = 10
	MaxPassword = 200
)

// common are the passwords of at least MinPassword characters that lists of leaked ones begin with, and the
// French-speaking ones of that kind; compared without case.
var common = []string{
	"0000000000", "0123456789", "0987654321", "1111111111", "1122334455", "1234512345", "1234567890", "12345678900",
	"12345678910", "123123123123", "1q2w3e4r5t", "1qaz2wsx3edc", "9876543210", "aaaaaaaaaa", "abcdefghij", "administrateur",
	"administrator", "anderlecht", "azerty1234", "azerty12345", "azerty123456", "azertyuiop", "azertyuiop123", "basketball",
	"bienvenue1", "bienvenue123", "charleroi1", "chocolat123", "doudoudoudou", "football123", "iloveyou123", "jetaime123",
	"letmein123", "loulou1234", "maman12345", "mamanpapa1", "mamanpapa123", "monmotdepasse", "motdepasse", "motdepasse1",
	"motdepasse123", "passe12345", "password01", "password10", "password12", "password123", "password1234", "passw0rd123",
	"princesse1", "princesse123", "q1w2e3r4t5", "qwerty1234", "qwerty12345", "qwerty123456", "qwertyuiop", "qwertzuiop",
	"ribambelle", "ribambelle1", "ribambelle123", "standard123", "superman123", "welcome123", "zaq12wsxcde",
}

// normal is the form in which a password is hashed: the same letters from any keyboard are the same bytes (NIST
// SP 800-63B 5.1.1.2).
func normal(password string) string { return norm.NFKC.String(password) }

// weakness returns the message key of what is wrong with a password for who signs in with some addresses and numbers,
// "" when nothing is.
func weakness(password string, identifiers ...string) (code string, args []any) {
	p := strings.ToLower(normal(password))
	n := utf8.RuneCountInString(p)
	first, _ := utf8.DecodeRuneInString(p)
	switch {
	case !utf8.ValidString(password):
		return "account.password_unreadable", nil
	case n < MinPassword:
		return "account.password_short", []any{MinPassword}
	case n > MaxPassword:
		return "account.password_long", []any{MaxPassword}
	case slices.ContainsFunc(identifiers, func(id string) bool { return same(p, strings.ToLower(id)) }):
		return "account.password_is_email", nil
	case slices.Contains(common, p) || strings.Trim(p, string(first)) == "":
		return "account.password_common", nil
	}
	return "", nil
}

// same reports whether a password is an e-mail address, what stands before its @, or a telephone number however it is
// written.
func same(password, identifier string) bool {
	if numeric(identifier) {
		typed := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" +-./()", r) {
				return -1
			}
			return r
		}, password)
		// The last eight digits are the subscriber's: what stands before them is the country and the network.
		return len(identifier) > 8 && strings.Trim(typed, "0123456789") == "" && strings.HasSuffix(typed, identifier[len(identifier)-8:])
	}
	local, _, _ := strings.Cut(identifier, "@")
	return password == identifier || password == local
}

// strong are the costs of a hash: 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet). They are moderate
// because at the opening of registrations hundreds sign in within a minute.
var strong = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hasher makes and compares password hashes, a few at a time: each takes memory and a processor.
type hasher struct {
	params argon2id.Params
	slots  chan struct{}
	wait   time.Duration // longest wait for a slot
	dummy  func() string // compared with when there is no account, so that it takes as long; made when first needed
}

func newHasher(params argon2id.Params) *hasher {
	dummy := sync.OnceValue(func() string {
		hash, err := argon2id.CreateHash("nobody has this password", &params)
		if err != nil {
			panic("account: no randomness: " + err.Error())
		}
		return hash
	})
	return &hasher{params: params, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), wait: 10 * time.Second, dummy: dummy}
}

// enter waits for a slot; the caller leaves by the returned function. It returns Unavailable when none comes free.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-timer.C:
		return nil, problem.Unavailable("account.busy")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := argon2id.CreateHash(normal(password), &h.params)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// matches reports whether password belongs to hash, and whether hash was made with other costs than today's. An empty
// hash, of no account or one without password, matches nothing and takes as long.
func (h *hasher) matches(ctx context.Context, password, hash string) (ok, old bool, err error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	none := hash == ""
	if none {
		hash = h.dummy()
	}
	ok, params, err := argon2id.CheckHash(normal(password), hash)
	if err != nil {
		return false, false, fmt.Errorf("comparing a password: %w", err)
	}
	return ok && !none, *params != h.params, nil
}
