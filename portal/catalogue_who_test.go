package portal

import (
	"testing"

	"ribambelle/internal/locale"
)

func TestWhoSaysLevelsAndAges(t *testing.T) {
	t.Parallel()
	six, eight := 6, 8
	for want, got := range map[string]string{
		"de P1 à P4 · de 6 à 8 ans": who(locale.For("fr"), []string{"P1", "P2", "P3", "P4"}, &six, &eight),
		"de P1 à P4":                who(locale.For("fr"), []string{"P1", "P2", "P3", "P4"}, nil, nil),
		"de 6 à 8 ans":              who(locale.For("fr"), nil, &six, &eight),
		"":                          who(locale.For("fr"), nil, nil, nil),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
