package cli

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/seal"
)

// TestKeys goes through the change of a key as the manual says: add, deploy, rotate, remove.
func TestKeys(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(dbtest.New(t))
	command := func(keyset string, args ...string) (int, string, string) {
		t.Helper()
		return newHouse(t, database, "SEAL_KEYSET="+keyset).run(append([]string{"keys"}, args...)...)
	}
	printed := func(keyset string, args ...string) string {
		t.Helper()
		code, out, errs := command(keyset, args...)
		if code != 0 {
			t.Fatalf("keys %v: code %d\n%s", args, code, errs)
		}
		return strings.TrimSpace(out)
	}
	former := printed("", "new")
	if _, err := seal.Load([]byte(former)); err != nil {
		t.Fatal(err)
	}
	if out := printed(former, "rotate"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("with one key: %q", out)
	}
	both := printed(former, "add", "--base64")
	if raw, err := base64.StdEncoding.DecodeString(both); err != nil || !json.Valid(raw) {
		t.Errorf("the keyset in base64: %v", err)
	}
	if code, out, errs := command(both, "prune"); code != 1 || out != "" || !strings.Contains(errs, "1 values are still sealed with a former key: run ribambelle keys rotate first") {
		t.Errorf("a needed key is given up: code %d, %q, %q", code, out, errs)
	}
	var counts []struct {
		Column string
		Sealed int
	}
	if err := json.Unmarshal([]byte(printed(both, "rotate", "--json")), &counts); err != nil || counts[len(counts)-1].Column != seal.ProofSetting || counts[len(counts)-1].Sealed != 1 {
		t.Errorf("the counts %+v, %v", counts, err)
	}
	if out := printed(both, "rotate"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("a second time: %q", out)
	}
	alone := printed(both, "prune")
	box, err := seal.Load([]byte(alone))
	if err != nil || box.Keys() != 1 {
		t.Fatalf("%d keys are left, %v", box.Keys(), err)
	}
	if out := printed(alone, "rotate"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("with the new key alone: %q", out)
	}
	if code, _, errs := command(former, "rotate"); code != 1 || !strings.Contains(errs, "not the ones that this database was sealed with") {
		t.Errorf("the former key alone: code %d, %q", code, errs)
	}
	for _, secret := range []string{former, both, alone} {
		if _, _, errs := command(secret+"x", "prune"); strings.Contains(errs, secret) {
			t.Error("an error quotes the keyset")
		}
	}
}
