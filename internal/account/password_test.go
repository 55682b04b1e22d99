package account_test

import (
	"strings"
	"testing"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
)

func TestWeakness(t *testing.T) {
	t.Parallel()
	const email = "jean-claude@example.be"
	for _, c := range []struct{ name, password, want string }{
		{"AtLeastTenCharacters", "ééééaééééb", ""},
		{"Common", "MotDePasse123", "account.password_common"},
		{"Email", "Jean-Claude@EXAMPLE.be", "account.password_is_email"},
		{"LocalPart", "jean-claude", "account.password_is_email"},
		{"Long", strings.Repeat("ab", 100) + "c", "account.password_long"},
		{"LongEnough", strings.Repeat("ab", 100), ""},
		{"OneCharacter", strings.Repeat("x", 12), "account.password_common"},
		{"OneLetter", strings.Repeat("é", 12), "account.password_common"},
		{"Passphrase", "le chat dort sur le toit de la gare", ""},
		{"Short", "ééééééééé", "account.password_short"},
		{"Unreadable", "abcdefghijk\xff", "account.password_unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, _ := account.Weakness(c.password, email); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestPasswordOfAnyKeyboard: é is one character on one keyboard and two on another.
func TestPasswordOfAnyKeyboard(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.Create(t.Context(), command, account.Draft{Email: "a@example.be", Name: "A", Password: "l'e\u0301te\u0301 a\u0300 la mer", Confirmed: true}); err != nil {
		t.Fatal(err)
	}
	signIn(t, s, "a@example.be", "l'\u00e9t\u00e9 \u00e0 la mer")
	_, _, err := s.SignIn(t.Context(), "a@example.be", "l'ete a la mer", remote, "")
	wantProblem(t, err, problem.KindInvalid, "account.wrong")
}
