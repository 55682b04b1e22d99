package seal_test

import (
	"strings"
	"testing"

	"ribambelle/internal/seal"
)

func TestShort(t *testing.T) {
	t.Parallel()
	text, old := generate(t)
	code := old.Short("purpose", "row")
	if len(code) != seal.ShortLength || strings.Trim(code, seal.ShortAlphabet) != "" {
		t.Fatalf("a short code is %q", code)
	}
	rotated, err := seal.Rotate(text)
	if err != nil {
		t.Fatal(err)
	}
	box := load(t, rotated)
	for _, c := range []struct {
		name, purpose, id, code string
		want                    bool
	}{
		{"the same", "purpose", "row", code, true},
		{"typed in lower case", "purpose", "row", strings.ToLower(code), true},
		{"another row", "purpose", "other", code, false},
		{"another purpose", "other", "row", code, false},
		{"cut short", "purpose", "row", code[:len(code)-1], false},
		{"nothing", "purpose", "row", "", false},
	} {
		if got := old.CheckShort(c.purpose, c.id, c.code); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := box.CheckShort(c.purpose, c.id, c.code); got != c.want {
			t.Errorf("%s, after a rotation: got %v, want %v", c.name, got, c.want)
		}
	}
}
