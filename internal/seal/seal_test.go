package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ribambelle/internal/seal"
)

func generate(t *testing.T) ([]byte, *seal.Box) {
	t.Helper()
	text, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return text, load(t, text)
}

func load(t *testing.T, text []byte) *seal.Box {
	t.Helper()
	b, err := seal.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	_, other := generate(t)
	b := seal.NewTest()
	rapid.Check(t, func(rt *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(rt, "plain")
		aad := rapid.String().Draw(rt, "aad")
		sealed, err := b.Seal(plain, aad)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := b.Open(sealed, aad); err != nil || !bytes.Equal(got, plain) {
			rt.Fatalf("got %q, %v, want %q", got, err, plain)
		}
		if len(plain) > 8 && bytes.Contains(sealed, plain) {
			rt.Fatal("the plain bytes stand in the sealed ones")
		}
		changed := bytes.Clone(sealed)
		changed[rapid.IntRange(0, len(changed)-1).Draw(rt, "at")] ^= 1
		for name, open := range map[string]func() ([]byte, error){
			"another place": func() ([]byte, error) { return b.Open(sealed, aad+"x") },
			"another box":   func() ([]byte, error) { return other.Open(sealed, aad) },
			"changed":       func() ([]byte, error) { return b.Open(changed, aad) },
			"cut":           func() ([]byte, error) { return b.Open(sealed[:len(sealed)/2], aad) },
		} {
			if _, err := open(); !errors.Is(err, seal.ErrOpen) {
				rt.Fatalf("%s: got %v, want ErrOpen", name, err)
			}
		}
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	text, before := generate(t)
	sealed, err := before.Seal([]byte("arachides"), "sheet.body:1")
	if err != nil {
		t.Fatal(err)
	}
	code := before.MAC("confirm", "1")
	rotated, err := seal.Rotate(text)
	if err != nil {
		t.Fatal(err)
	}
	after := load(t, rotated)
	if got, err := after.Open(sealed, "sheet.body:1"); err != nil || string(got) != "arachides" {
		t.Errorf("the former key no longer opens: %q, %v", got, err)
	}
	if !after.CheckMAC("confirm", "1", code) {
		t.Error("a link mailed before the rotation is refused")
	}
	if after.MAC("confirm", "1") == code || after.Keys() != 2 {
		t.Errorf("the new key is not in use (%d keys)", after.Keys())
	}
	fresh, err := after.Seal([]byte("arachides"), "sheet.body:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Open(fresh, "sheet.body:1"); !errors.Is(err, seal.ErrOpen) {
		t.Error("the new value was sealed with the former key")
	}
}

func TestMAC(t *testing.T) {
	t.Parallel()
	text, b := generate(t)
	code := b.MAC("confirm", "12")
	if again := load(t, text).MAC("confirm", "12"); again != code {
		t.Error("a repeat gives another link")
	}
	if strings.ContainsAny(code, "+/=") || len(code) != 32 {
		t.Errorf("%q is not fit for a URL", code)
	}
	for _, pair := range [][2]string{{"confirm", "13"}, {"reset", "12"}, {"confirm1", "2"}, {"", "confirm12"}} {
		if b.MAC(pair[0], pair[1]) == code || b.CheckMAC(pair[0], pair[1], code) {
			t.Errorf("%q shares the code of confirm 12", pair)
		}
	}
	for _, bad := range []string{"", code[1:], code + "A", "…", strings.ToUpper(code)} {
		if b.CheckMAC("confirm", "12", bad) {
			t.Errorf("accepts %q", bad)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	text, b := generate(t)
	sealed, err := b.Seal([]byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	coded := base64.StdEncoding.EncodeToString(text) + "\n"
	if _, err := load(t, []byte(coded)).Open(sealed, ""); err != nil {
		t.Errorf("the base64 form: %v", err)
	}
	secret := string(text[len(text)/4 : len(text)/2])
	for _, bad := range []string{"", "{}", "hunter2", `{"seal":{},"codes":{}}`, coded[:len(coded)/2], secret, string(text[:len(text)-20])} {
		if _, err := seal.Load([]byte(bad)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Load(%.20q): %v, want a refusal that quotes nothing", bad, err)
		}
	}
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyset.json")
	codes := make([]string, 8)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			b, err := seal.LoadFile(file)
			if err != nil {
				t.Error(err)
				return
			}
			codes[i] = b.MAC("same", "1")
		})
	}
	wg.Wait()
	for _, code := range codes {
		if code != codes[0] {
			t.Fatal("two commands that started at once made two keysets")
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left beside it: %v, %v", left, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadFile(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v, want a refusal of a file that others can read", err)
	}
}

// TestPrune gives up the former sealing keys, and the former code keys only when asked.
func TestPrune(t *testing.T) {
	t.Parallel()
	text, former := generate(t)
	both, err := seal.Rotate(text)
	if err != nil {
		t.Fatal(err)
	}
	b := load(t, both)
	old, err := former.Seal([]byte("arachides"), "sheet.body:1")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := b.Seal([]byte("arachides"), "sheet.body:1")
	if err != nil {
		t.Fatal(err)
	}
	if b.Fresh(old) || !b.Fresh(fresh) || !former.Fresh(old) || b.Fresh(b.Prefix()) || b.Fresh(nil) {
		t.Error("a value is taken for another key's")
	}
	code := former.MAC("confirm", "1")
	for _, codes := range []bool{false, true} {
		pruned, err := seal.Prune(both, codes)
		if err != nil {
			t.Fatal(err)
		}
		alone := load(t, pruned)
		if got, err := alone.Open(fresh, "sheet.body:1"); err != nil || string(got) != "arachides" || alone.Keys() != 1 {
			t.Errorf("the key in use no longer opens: %v", err)
		}
		if _, err := alone.Open(old, "sheet.body:1"); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("the former key still opens: %v", err)
		}
		if alone.CheckMAC("confirm", "1", code) == codes {
			t.Errorf("with codes %v a link of before is taken: %v", codes, !codes)
		}
		if alone.MAC("confirm", "1") != b.MAC("confirm", "1") {
			t.Error("the codes changed")
		}
	}
	if _, err := seal.Prune([]byte("nonsense"), false); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("nonsense is pruned: %v", err)
	}
}
