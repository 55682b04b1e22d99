package account_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
)

func TestSessionLimits(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name  string
		roles []string
		every time.Duration // how often the session is used
		until time.Duration // the last use that still works
		fails time.Duration // the first one that does not
	}{
		{"ParentIdle", nil, 0, 14*day - time.Second, 14 * day},
		{"ParentAbsolute", nil, 7 * day, 89 * day, 90 * day},
		{"LeaderIdle", []string{account.RoleLeader}, 0, 10*time.Hour - time.Second, 10 * time.Hour},
		{"StaffIdle", []string{account.RoleAgent}, 0, 10*time.Hour - time.Second, 10 * time.Hour},
		{"StaffAbsolute", []string{account.RoleAgent}, 9 * time.Hour, 7*day - time.Second, 7 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, b := setup(t)
			parent(t, s, "anne@example.be", c.roles...)
			token := signIn(t, s, "anne@example.be", password)
			start := b.now
			for c.every > 0 && b.now.Sub(start)+c.every < c.until {
				b.pass(c.every)
				if _, err := s.Session(t.Context(), token); err != nil {
					t.Fatalf("after %v: %v", b.now.Sub(start), err)
				}
			}
			last := b.now
			b.now = start.Add(c.until)
			if b.now.Sub(last) >= seenAtMost(c.roles) {
				t.Fatalf("the case leaves the session idle for %v", b.now.Sub(last))
			}
			before := b.now
			b.now = start.Add(c.fails)
			_, err := s.Session(t.Context(), token)
			wantProblem(t, err, problem.KindNotFound, "account.no_session")
			b.now = before
			if _, err := s.Session(t.Context(), token); err != nil {
				t.Errorf("after %v: %v", c.until, err)
			}
		})
	}
}

func seenAtMost(roles []string) time.Duration {
	if len(roles) > 0 {
		return 10 * time.Hour
	}
	return 14 * 24 * time.Hour
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := parent(t, s, "anne@example.be"), parent(t, s, "bert@example.be")
	phone := signIn(t, s, "anne@example.be", password)
	b.pass(time.Minute)
	laptop, _, err := s.SignIn(t.Context(), "anne@example.be", password, remote, "Firefox\x00\non Linux\xff")
	if err != nil {
		t.Fatal(err)
	}
	his := signIn(t, s, "bert@example.be", password)

	list, err := s.Sessions(t.Context(), anne.ID, laptop)
	if err != nil {
		t.Fatal(err)
	}
	type shown struct {
		Device  string
		Current bool
	}
	var got []shown
	for _, l := range list {
		got = append(got, shown{l.Device, l.Current})
	}
	if diff := cmp.Diff([]shown{{"Firefoxon Linux", true}, {"Firefox", false}}, got); diff != "" {
		t.Fatalf("sessions (-want +got):\n%s", diff)
	}

	wantProblem(t, s.Revoke(t.Context(), bert.ID, list[1].ID), problem.KindNotFound, "account.no_session")
	wantProblem(t, s.Revoke(t.Context(), anne.ID, "zz"), problem.KindNotFound, "account.no_session")
	if _, err := s.Session(t.Context(), phone); err != nil {
		t.Fatalf("someone else ended a session: %v", err)
	}
	if _, err := s.Session(t.Context(), list[1].ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("the id in the list opens a session: %v", err)
	}
	if err := s.Revoke(t.Context(), anne.ID, list[1].ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Session(t.Context(), phone)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")

	tablet := signIn(t, s, "anne@example.be", password)
	if n, err := s.RevokeOthers(t.Context(), anne.ID, laptop); err != nil || n != 1 {
		t.Errorf("got %d sessions ended and %v, want 1", n, err)
	}
	_, err = s.Session(t.Context(), tablet)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
	if err := s.SignOut(t.Context(), laptop); err != nil {
		t.Fatal(err)
	}
	_, err = s.Session(t.Context(), laptop)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
	if err := s.SignOut(t.Context(), laptop); err != nil {
		t.Errorf("signing out twice: %v", err)
	}
	if _, err := s.Session(t.Context(), his); err != nil {
		t.Errorf("another account's session ended: %v", err)
	}
	_, err = s.Session(t.Context(), "")
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	parent(t, s, "anne@example.be")
	here, there := signIn(t, s, "anne@example.be", password), signIn(t, s, "anne@example.be", password)
	wantFields(t, s.ChangePassword(t.Context(), here, remote, "wrong wrong wrong", another), "present=account.password_wrong")
	wantFields(t, s.ChangePassword(t.Context(), here, remote, password, "1234567890"), "password=account.password_common")
	wantProblem(t, s.ChangePassword(t.Context(), "none", remote, password, another), problem.KindNotFound, "account.no_session")
	if err := s.ChangePassword(t.Context(), here, remote, password, another); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(t.Context(), here); err != nil {
		t.Errorf("the session that changed the password ended: %v", err)
	}
	_, err := s.Session(t.Context(), there)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
	signIn(t, s, "anne@example.be", another)
}

func TestSignInLocks(t *testing.T) {
	t.Parallel()

	t.Run("ByAddress", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t)
		parent(t, s, "anne@example.be")
		for i := range account.AddressAttempts {
			_, _, err := s.SignIn(t.Context(), string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.be", "guess guess", remote, "")
			wantProblem(t, err, problem.KindInvalid, "account.wrong")
		}
		_, _, err := s.SignIn(t.Context(), "anne@example.be", password, remote, "")
		wantProblem(t, err, problem.KindConflict, "account.locked")
		if _, _, err := s.SignIn(t.Context(), "anne@example.be", password, "192.0.2.8", ""); err != nil {
			t.Errorf("from another address: %v", err)
		}
	})

	// A known and an unknown address give the same answers, one by one.
	for _, email := range []string{"anne@example.be", "nobody@example.be"} {
		t.Run("ByEmail/"+email, func(t *testing.T) {
			t.Parallel()
			s, b := setup(t)
			parent(t, s, "anne@example.be")
			for range account.EmailAttempts {
				_, _, err := s.SignIn(t.Context(), email, "guess guess", remote, "")
				wantProblem(t, err, problem.KindInvalid, "account.wrong")
				b.pass(time.Minute)
			}
			for _, p := range []string{"guess guess", password} {
				_, _, err := s.SignIn(t.Context(), email, p, remote, "")
				wantProblem(t, err, problem.KindConflict, "account.locked")
				if p := problem.As(err); p != nil && !cmp.Equal(p.Args, []any{5}) {
					t.Errorf("got wait %v, want the 5 minutes until the first failure leaves the window", p.Args)
				}
			}
			b.pass(5 * time.Minute)
			_, _, err := s.SignIn(t.Context(), email, "guess guess", remote, "")
			wantProblem(t, err, problem.KindInvalid, "account.wrong")
		})
	}

	t.Run("SuccessForgets", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t)
		parent(t, s, "anne@example.be")
		for range 3 {
			for range account.EmailAttempts - 1 {
				_, _, err := s.SignIn(t.Context(), "anne@example.be", "guess guess", remote, "")
				wantProblem(t, err, problem.KindInvalid, "account.wrong")
			}
			signIn(t, s, "anne@example.be", password)
		}
	})

	// Guesses sent all at once must not pass the limit together.
	t.Run("Together", func(t *testing.T) {
		t.Parallel()
		s, _ := setup(t)
		parent(t, s, "anne@example.be")
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := make(map[string]int)
		for range 4 * account.EmailAttempts {
			wg.Go(func() {
				_, _, err := s.SignIn(t.Context(), "anne@example.be", "guess guess", remote, "")
				mu.Lock()
				defer mu.Unlock()
				if p := problem.As(err); p != nil {
					got[p.Code]++
				} else {
					got[errors.Join(err, errors.New("")).Error()]++
				}
			})
		}
		wg.Wait()
		want := map[string]int{"account.wrong": account.EmailAttempts, "account.locked": 3 * account.EmailAttempts}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// TestSignInAlwaysHashes proves that an unknown address costs a hash too: with no slot for hashes left, both wait.
func TestSignInAlwaysHashes(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	parent(t, s, "anne@example.be")
	s.Occupy()
	for _, email := range []string{"anne@example.be", "nobody@example.be"} {
		_, _, err := s.SignIn(t.Context(), email, "guess guess", remote, "")
		wantProblem(t, err, problem.KindUnavailable, "account.busy")
		err = s.SignUp(t.Context(), account.SignUp{Email: email, Name: "A", Password: password})
		wantProblem(t, err, problem.KindUnavailable, "account.busy")
	}
}

func TestSignInRehashes(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	parent(t, s, "anne@example.be")
	hash := func() (h string) {
		if err := b.db.QueryRow(t.Context(), `SELECT password_hash FROM account`).Scan(&h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := hash()
	signIn(t, s, "anne@example.be", password)
	if hash() != first {
		t.Error("a hash of today's cost was made again")
	}
	s.Costlier()
	signIn(t, s, "anne@example.be", password)
	second := hash()
	if second == first {
		t.Error("a hash of yesterday's cost was kept")
	}
	signIn(t, s, "anne@example.be", password)
	if hash() != second {
		t.Error("the new hash was made again")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	parent(t, s, "anne@example.be")
	signIn(t, s, "anne@example.be", password)
	if err := s.SignUp(t.Context(), account.SignUp{Email: "never@example.be", Name: "N", Password: password}); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.SignIn(t.Context(), "anne@example.be", "guess guess", remote, "")
	wantProblem(t, err, problem.KindInvalid, "account.wrong")
	got, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(account.Swept{}, got); diff != "" {
		t.Errorf("swept at once (-want +got):\n%s", diff)
	}
	b.pass(33 * 24 * time.Hour)
	if got, err = s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Three attempts: the mail of the sign-up, and the wrong guess by e-mail and by address.
	if diff := cmp.Diff(account.Swept{Attempts: 3, Sessions: 1, Codes: 1, Accounts: 1}, got); diff != "" {
		t.Errorf("swept after a month (-want +got):\n%s", diff)
	}
	signIn(t, s, "anne@example.be", password)
}
