package form

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// read makes a form of name, value pairs as a browser sends them.
func read(t *testing.T, pairs ...string) *Form {
	t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/?email=from-the-address", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	f, err := Read(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	t.Parallel()
	f := read(t, "name", "  Zoé\r\n\x00 ", "box", "a", "box", " ", "box", "b", "id", "0f8fad5b-d9cb-469f-a165-70867728950e", "short", "0f8fad5bd9cb469fa16570867728950e")
	if got := f.Text("name"); got != "Zoé" {
		t.Errorf("Text = %q", got)
	}
	if got := f.Raw("name"); got != "  Zoé\r\n\x00 " {
		t.Errorf("Raw = %q, want it as typed", got)
	}
	if diff := cmp.Diff([]string{"a", "b"}, f.All("box")); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}
	if _, ok := f.UUID("id"); !ok {
		t.Error("an identifier is not read")
	}
	if _, ok := f.UUID("short"); ok {
		t.Error("another spelling of an identifier is read")
	}
	if got := f.Text("email"); got != "" {
		t.Errorf("a value of the address is read: %q", got)
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		day, month, year string
		want             civil.Date
		ok               bool
	}{
		{"", "", "", civil.Date{}, true},
		{"27", "3", "2018", civil.NewDate(2018, 3, 27), true},
		{" 01 ", "02", "2020", civil.NewDate(2020, 2, 1), true},
		{"29", "2", "2024", civil.NewDate(2024, 2, 29), true},
		{"29", "2", "2023", civil.Date{}, false},
		{"31", "4", "2023", civil.Date{}, false},
		{"1", "13", "2023", civil.Date{}, false},
		{"1", "", "2023", civil.Date{}, false},
		{"un", "3", "2018", civil.Date{}, false},
		{"1", "3", "18", civil.Date{}, false},
	} {
		f := read(t, "birth_day", c.day, "birth_month", c.month, "birth_year", c.year)
		got := f.Date("birth")
		if got != c.want || f.OK() != c.ok {
			t.Errorf("%q %q %q is %v, ok %v; want %v, %v", c.day, c.month, c.year, got, f.OK(), c.want, c.ok)
		}
	}
}

func TestCents(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]civil.Cents{"12": 1200, "12,5": 1250, "12.50": 1250, "1 234,50 €": 123450, "1\u00a0234,5": 123450, "0": 0, "0,05": 5} {
		f := read(t, "amount", typed)
		if got := f.Cents("amount"); got != want || !f.OK() {
			t.Errorf("%q is %d, problems %v; want %d", typed, got, f.Problems(), want)
		}
	}
	for _, typed := range []string{"", "-5", "douze", "1,234", "1,2,3", "1e3", "+5", "99999999999999999999"} {
		f := read(t, "amount", typed)
		if got := f.Cents("amount"); f.OK() {
			t.Errorf("%q is taken as %d", typed, got)
		}
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	f := read(t)
	f.Add("birth", "form.date")
	var p problem.Fields
	p.Add("birth", "household.required")
	p.Add("name", "household.required")
	if err := f.Take(p.Err()); err != nil {
		t.Fatal(err)
	}
	if err := f.Take(problem.Invalid("account.wrong")); err != nil {
		t.Fatal(err)
	}
	want := problem.Fields{{Name: "birth", Code: "form.date"}, {Name: "name", Code: "household.required"}, {Name: "", Code: "account.wrong"}}
	if diff := cmp.Diff(want, f.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if err := f.Take(problem.Conflict("x.y")); !problem.Is(err, problem.KindConflict) {
		t.Errorf("a conflict is swallowed: %v", err)
	}
	if f.Take(nil) != nil {
		t.Error("no error is an error")
	}
}

func FuzzText(f *testing.F) {
	f.Add("Zoé")
	f.Add("\xff\x00\r\n")
	f.Fuzz(func(t *testing.T, typed string) {
		form := New().Set("x", typed).Set("d_day", typed).Set("d_month", typed).Set("d_year", typed)
		if got := form.Text("x"); !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r") {
			t.Errorf("Text = %q, which the database does not take", got)
		}
		form.Date("d")
		form.Cents("x")
		if c := form.Cents("x"); c < 0 {
			t.Errorf("Cents = %d", c)
		}
	})
}
