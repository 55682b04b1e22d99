// Package form reads what people typed and keeps it as typed, so that a page with a mistake shows it all again.
package form

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// Form is one submitted form, or the values that an empty one starts with. The zero Form is empty.
type Form struct {
	values   url.Values
	problems problem.Fields
}

// New returns a form that starts with the given values.
func New() *Form { return &Form{values: url.Values{}} }

// Read parses the body of r, which the caller has bounded. Values in the address do not count.
// It returns an invalid problem for a body that is no form, and *http.MaxBytesError for one that is too large.
func Read(r *http.Request) (*Form, error) {
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, problem.Invalid("form.unreadable")
	}
	return &Form{values: r.PostForm}, nil
}

// Query makes a form of the values in an address: a filter, or the answers given on earlier pages.
func Query(r *http.Request) *Form { return &Form{values: r.URL.Query()} }

// Set gives name its starting values.
func (f *Form) Set(name string, values ...string) *Form {
	f.values[name] = values
	return f
}

// SetDate gives the three inputs of a date their starting values; no date leaves them empty.
func (f *Form) SetDate(name string, d civil.Date) *Form {
	if d.IsZero() {
		return f
	}
	return f.Set(name+"_day", strconv.Itoa(d.Day)).Set(name+"_month", strconv.Itoa(int(d.Month))).
		Set(name+"_year", strconv.Itoa(d.Year))
}

// Raw returns the first value of name exactly as typed.
func (f *Form) Raw(name string) string { return f.values.Get(name) }

// Text returns the first value of name without the spaces around it; line ends are "\n", what is no UTF-8 is dropped,
// and so is the NUL byte, which the database cannot hold.
func (f *Form) Text(name string) string {
	v := f.values.Get(name)
	if !utf8.ValidString(v) {
		v = strings.ToValidUTF8(v, "")
	}
	return strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(v))
}

// Values returns everything the form holds, as typed.
func (f *Form) Values() url.Values { return f.values }

// All returns every value of name: boxes that were ticked.
func (f *Form) All(name string) []string {
	var all []string
	for _, v := range f.values[name] {
		if v = strings.ToValidUTF8(strings.TrimSpace(v), ""); v != "" && !strings.Contains(v, "\x00") {
			all = append(all, v)
		}
	}
	return all
}

// Checked reports whether the box name is ticked.
func (f *Form) Checked(name string) bool { return f.values.Get(name) != "" }

// Has reports whether name holds value.
func (f *Form) Has(name, value string) bool { return slices.Contains(f.values[name], value) }

// UUID returns the identifier in name, or false for anything else.
func (f *Form) UUID(name string) (uuid.UUID, bool) {
	id, err := uuid.Parse(f.Text(name))
	return id, err == nil && len(f.Text(name)) == 36
}

// OptionalUUID returns the identifier in name, nil for none.
func (f *Form) OptionalUUID(name string) *uuid.UUID {
	if id, ok := f.UUID(name); ok {
		return &id
	}
	return nil
}

// Int returns the whole number in name, or false.
func (f *Form) Int(name string) (int, bool) {
	n, err := strconv.Atoi(f.Text(name))
	return n, err == nil
}

// Date returns the day of the three inputs name_day, name_month and name_year; the zero Date, without a problem,
// when all are empty. It notes form.date on the input name for anything that is no day.
func (f *Form) Date(name string) civil.Date {
	d, m, y := f.Text(name+"_day"), f.Text(name+"_month"), f.Text(name+"_year")
	if d == "" && m == "" && y == "" {
		return civil.Date{}
	}
	day, err1 := strconv.Atoi(d)
	month, err2 := strconv.Atoi(m)
	year, err3 := strconv.Atoi(y)
	date := civil.NewDate(year, time.Month(month), day)
	if errors.Join(err1, err2, err3) != nil || year < 1900 || year > 2200 || date != (civil.Date{Year: year, Month: time.Month(month), Day: day}) {
		f.Add(name, "form.date")
		return civil.Date{}
	}
	return date
}

// Cents returns the amount in name as people write it, "12,50", "12.5" or "12"; it notes form.amount for anything
// else, and for a negative amount.
func (f *Form) Cents(name string) civil.Cents {
	v := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "€", "", ",", ".").Replace(f.Text(name))
	whole, cents, _ := strings.Cut(v, ".")
	for len(cents) < 2 {
		cents += "0"
	}
	c, err := civil.ParseEuros(whole + "." + cents)
	if err != nil || c < 0 {
		f.Add(name, "form.amount")
		return 0
	}
	return c
}

// Add notes that the input name is faulty for the reason code.
func (f *Form) Add(name, code string, args ...any) { f.problems.Add(name, code, args...) }

// Take adds the faulty inputs of an invalid problem to the form and returns nil; any other error is returned as it
// is, for the funnel. A problem without inputs is about the whole form.
func (f *Form) Take(err error) error {
	p := problem.As(err)
	if p == nil || p.Kind != problem.KindInvalid {
		return err
	}
	if len(p.Fields) == 0 {
		f.Add("", p.Code, p.Args...)
	}
	for _, field := range p.Fields {
		// What the reading of an input already said is not said twice.
		if f.Problem(field.Name) == nil {
			f.problems = append(f.problems, field)
		}
	}
	return nil
}

// OK reports whether nothing is wrong so far.
func (f *Form) OK() bool { return len(f.problems) == 0 }

// Problems returns everything that is wrong, in the order it was noted.
func (f *Form) Problems() problem.Fields { return f.problems }

// Problem returns what is wrong with the input name, or nil.
func (f *Form) Problem(name string) *problem.Field {
	for i := range f.problems {
		if f.problems[i].Name == name {
			return &f.problems[i]
		}
	}
	return nil
}
