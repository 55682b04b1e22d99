package account_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
)

func TestInvite(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	a, token, err := s.Invite(t.Context(), command, account.Draft{Email: "zoe@example.test", Name: "Zoé", Roles: []string{"agent"}})
	if err != nil || token == "" {
		t.Fatalf("invited with token %q, %v", token, err)
	}
	if got := len(b.mails(t)); got != 1 {
		t.Errorf("%d mails, want 1", got)
	}
	// Invited again before a password was chosen: a new link, and the old one is dead.
	_, second, err := s.Invite(t.Context(), command, account.Draft{Email: "ZOE@example.test", Name: "Zoé", Roles: []string{"finance"}})
	if err != nil || second == "" || second == token {
		t.Fatalf("invited again with token %q, %v", second, err)
	}
	if err := s.Reset(t.Context(), token, password); !problem.Is(err, problem.KindGone) {
		t.Errorf("the first link: %v, want gone", err)
	}
	if err := s.Reset(t.Context(), second, password); err != nil {
		t.Fatal(err)
	}
	if _, got, err := s.SignIn(t.Context(), "zoe@example.test", password, remote, ""); err != nil || got.ID != a.ID {
		t.Errorf("signed in as %s, %v; want %s", got.ID, err, a.ID)
	}
	// Who has a password keeps it.
	got, third, err := s.Invite(t.Context(), command, account.Draft{Email: "zoe@example.test", Name: "Zoé", Roles: []string{"organiser"}})
	if err != nil || third != "" {
		t.Errorf("invited with a password: token %q, %v; want none", third, err)
	}
	if diff := cmp.Diff([]string{"agent", "finance", "organiser"}, got.Roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

func TestInviteRefuses(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	for name, v := range map[string]account.Draft{
		"address": {Email: "zoe", Name: "Zoé", Roles: []string{"agent"}},
		"name":    {Email: "zoe@example.test", Roles: []string{"agent"}},
		"no role": {Email: "zoe@example.test", Name: "Zoé"},
		"role":    {Email: "zoe@example.test", Name: "Zoé", Roles: []string{"king"}},
	} {
		if _, token, err := s.Invite(t.Context(), command, v); !problem.Is(err, problem.KindInvalid) || token != "" {
			t.Errorf("%s: token %q, %v; want invalid", name, token, err)
		}
	}
	if got := len(b.mails(t)); got != 0 {
		t.Errorf("%d mails, want none", got)
	}
}
