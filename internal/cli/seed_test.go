package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSeed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if code, out, errs := h.run("seed", "--children=40", "--camps=6", "--registrations=50"); code != 0 || !strings.Contains(out, "50 registrations") {
		t.Fatalf("seed: code %d\n%s%s", code, out, errs)
	}
	code, out, errs := h.run("sync", "--json")
	var did struct {
		Pushed  int `json:"registrations_pushed"`
		Refused int `json:"refused"`
		Waiting int `json:"waiting"`
	}
	// Who waits for a place is not told to Odoo.
	if err := json.Unmarshal([]byte(out), &did); code != 0 || err != nil || did.Pushed < 30 || did.Refused+did.Waiting > 0 {
		t.Errorf("the ordinary push: code %d, %v\n%s%s", code, err, out, errs)
	}
}

func TestSeedRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  []string
		args []string
		want string
	}{
		{[]string{"ODOO_URL=http://127.0.0.1:1", "ODOO_DB=town", "ODOO_USER=u", "ODOO_PASSWORD=p"}, nil, "real Odoo"},
		{[]string{"DATABASE_URL=postgres://127.0.0.1:1/town", "SEAL_KEYSET=x"}, nil, "DATABASE_URL"},
		{[]string{"SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=a@b.example"}, nil, "not a demo"},
	} {
		h := newHouse(t, tc.env...)
		if code, _, errs := h.run(append([]string{"seed"}, tc.args...)...); code != 1 || !strings.Contains(errs, tc.want) {
			t.Errorf("%v: code %d, %s, want %q", tc.env, code, errs, tc.want)
		}
	}
}
