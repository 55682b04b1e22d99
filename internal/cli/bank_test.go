package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ribambelle/internal/bank"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/seal"
)

// TestBankImport takes in the sample of CODA twice: read whole, and the second time nothing is new.
func TestBankImport(t *testing.T) {
	t.Parallel()
	keys, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, "DATABASE_URL="+dbtest.URL(dbtest.New(t)), "SEAL_KEYSET="+string(keys))
	const file = "../pay/coda/testdata/sample.cod"
	for i, want := range []bank.Result{{New: 4, Queued: 3, Aside: 1}, {Known: 4}} {
		code, out, errs := h.run("bank", "import", file, "--json")
		var got bank.Result
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("code %d, %v\n%s%s", code, err, out, errs)
		}
		if got.New != want.New || got.Known != want.Known || got.Queued != want.Queued || got.Aside != want.Aside || len(got.Statements) != 1 || got.Statements[0].Known != (i == 1) {
			t.Errorf("import %d: %s", i+1, out)
		}
	}
	if code, out, errs := h.run("bank", "import", file); code != 0 || !strings.Contains(out, "Statement 42 of 2025-07-07, account BE15091000000130: 4 movements, 0 new, taken in before.") {
		t.Errorf("in words: code %d\n%s%s", code, out, errs)
	}
	none := filepath.Join(t.TempDir(), "none.txt")
	if err := os.WriteFile(none, []byte("Bonjour"), 0o600); err != nil {
		t.Fatal(err)
	}
	for bad, want := range map[string]string{none: "none.txt: neither CODA nor CAMT.053", "/nowhere": "/nowhere: no such file"} {
		if code, _, errs := h.run("bank", "import", bad); code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, %q, want %q", bad, code, errs, want)
		}
	}
	// A file that does not add up is taken in, with a warning in words.
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.cod")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(raw), "0000000010173000", "0000000010173010", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := h.run("bank", "import", wrong); code != 0 || !strings.Contains(out, "warning: does not add up: opening balance 10000.00, movements 173.00, closing balance 10173.01") {
		t.Errorf("wrong totals: code %d\n%s%s", code, out, errs)
	}
}
