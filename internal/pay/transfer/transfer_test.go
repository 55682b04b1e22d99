package transfer

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// vectors are from Febelfin's conditions, python-stdnum, Odoo (invoice 654) and our own computation.
var vectors = []struct {
	number  int64
	digits  string
	printed string
}{
	{108068171, "010806817183", "+++010/8068/17183+++"},
	{654, "000000065472", "+++000/0000/65472+++"},
	{2026000001, "202600000192", "+++202/6000/00192+++"},
	{2026000097, "202600009791", "+++202/6000/09791+++"},
	{2026000123, "202600012320", "+++202/6000/12320+++"},
	{1234567890, "123456789002", "+++123/4567/89002+++"},
	{97, "000000009797", "+++000/0000/09797+++"},
	{MaxNumber, "999999999948", "+++999/9999/99948+++"},
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		c, err := New(v.number)
		if err != nil || c.Digits() != v.digits || c.String() != v.printed {
			t.Errorf("New(%d) = %q, %q, %v, want %q, %q", v.number, c.Digits(), c.String(), err, v.digits, v.printed)
		}
		for _, written := range []string{v.digits, v.printed, "***" + v.digits[:3] + "/" + v.digits[3:7] + "/" + v.digits[7:] + "***"} {
			if got, err := Parse(written); err != nil || got != c || got.Number() != v.number {
				t.Errorf("Parse(%q) = %q, %v, want %q", written, got, err, c)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "abc", "202600000191", "20260000019", "2026000001920", "000000009700", "000000000000",
		"+++202/6000/00193+++", "٢٠٢٦٠٠٠٠٠١٩٢", strings.Repeat("202600000192", 2),
	} {
		if c, err := Parse(s); !errors.Is(err, ErrCommunication) {
			t.Errorf("Parse(%q) = %q, %v, want ErrCommunication", s, c, err)
		}
	}
	for _, n := range []int64{-1, MaxNumber + 1} {
		if c, err := New(n); !errors.Is(err, ErrCommunication) {
			t.Errorf("New(%d) = %q, %v, want ErrCommunication", n, c, err)
		}
	}
	if c := Communication(""); c.String() != "" || c.Number() != 0 {
		t.Errorf("the zero value prints %q and carries %d", c.String(), c.Number())
	}
}

// TestOneWrongDigit proves what the check digits are for: no single mistyped digit and no swap of two neighbours passes.
func TestOneWrongDigit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(rapid.Int64Range(0, MaxNumber).Draw(t, "n"))
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, 11).Draw(t, "i")
		wrong := []byte(c)
		wrong[i] = '0' + (wrong[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "shift")))%10
		if got, err := Parse(string(wrong)); err == nil {
			t.Fatalf("%q with a wrong digit at %d reads as %q", c, i, got)
		}
		j := rapid.IntRange(0, 8).Draw(t, "j")
		swapped := []byte(c)
		swapped[j], swapped[j+1] = swapped[j+1], swapped[j]
		if got, err := Parse(string(swapped)); err == nil && swapped[j] != swapped[j+1] {
			t.Fatalf("%q with digits swapped at %d reads as %q", c, j, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.printed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			return
		}
		again, err := New(c.Number())
		if err != nil || again != c || len(c.String()) != 20 {
			t.Errorf("%q reads as %q, which does not survive: %q, %v", s, c, again, err)
		}
	})
}
