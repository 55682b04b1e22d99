package account

import (
	"context"
	"time"

	"github.com/alexedwards/argon2id"
)

// Cheap makes hashes that cost nothing and answers without a floor, so that tests are quick.
func (s *Store) Cheap() *Store {
	s.hasher = newHasher(weak)
	s.floor = 0
	return s
}

var weak = argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 16}

// Costlier changes the cost of new hashes, as a later version might.
func (s *Store) Costlier() {
	params := weak
	params.Iterations++
	s.hasher = newHasher(params)
}

// Occupy takes every slot for hashes and lets nobody wait for one.
func (s *Store) Occupy() {
	for range cap(s.hasher.slots) {
		s.hasher.slots <- struct{}{}
	}
	s.hasher.wait = time.Nanosecond
}

// Level is level with a floor.
func Level(ctx context.Context, floor time.Duration, start time.Time) {
	(&Store{floor: floor}).level(ctx, start)
}

// Weakness is weakness.
var Weakness = weakness

// The limits that tests count up to.
const (
	EmailAttempts   = emailAttempts
	AddressAttempts = addressAttempts
	AttemptWindow   = attemptWindow
	MailsInWindow   = mailsInWindow
)
