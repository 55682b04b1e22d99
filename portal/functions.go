package portal

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
)

// functions are what templates may call, bound to one language. None of them asks the database.
func functions(l *locale.Locale, assets map[string]asset) template.FuncMap {
	return template.FuncMap{
		"t":           func(key string, args ...any) string { return unbroken(l, l.T(key, args...)) },
		"n":           func(key string, n int, args ...any) string { return unbroken(l, l.N(key, n, args...)) },
		"has":         l.Has,
		"euros":       func(c civil.Cents) string { return l.Euros(c) },
		"day":         l.Day,
		"dayshort":    l.DayShort,
		"daynum":      l.DayNumeric,
		"dayyear":     l.DayOfYear,
		"days":        l.DayRange,
		"daysshort":   l.DayRangeShort,
		"minutes":     l.Minutes,
		"datetime":    l.DateTime,
		"deadline":    l.Deadline,
		"phone":       l.Phone,
		"number":      l.Number,
		"level":       func(code string) string { return levelName(l, code) },
		"problem":     func(f problem.Field) string { return told(l, f.Code, f.Args) },
		"reason":      func(r enrol.Reason) string { return told(l, r.Code, r.Args) },
		"priceline":   func(p enrol.PriceLine) string { return told(l, p.Label, anys(p.Args)) },
		"invoiceline": func(p ledger.InvoiceLine) string { return told(l, p.Label, anys(p.Args)) },
		"iso":         func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"asset": func(name string) (string, error) {
			a, ok := assets[name]
			if !ok {
				return "", fmt.Errorf("static file %q does not exist", name)
			}
			return a.url, nil
		},
		"field": func(f *form.Form, name, label string, rest ...any) (field, error) {
			return newField(l, f, name, label, rest)
		},
		"join": func(words []string) string { return strings.Join(words, ", ") },
		"dict": dict,
		"inc":  func(i int) int { return i + 1 },
		"firstof": func(list string) string {
			if list == "allergies" {
				return "to"
			}
			return "name"
		},
		"option": func(value, text string) choice { return choice{Value: value, Text: text} },
	}
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

// dict makes a map of name, value, name, value… for a partial that needs more than one thing.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict has a name without a value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict has a name that is no text: %v", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// choice is one option of a select, one radio button or one box.
type choice struct {
	Value, Text, Hint string
	Disabled          bool
}

// field is what the partial "field" draws: label, hint, input and error, tied together for screen readers.
type field struct {
	Name, Label, Hint, Kind string // Kind: text, email, password, tel, textarea, select, radios, checkboxes, checkbox, date, number
	Value                   string
	Error                   string
	Autocomplete, Inputmode string
	Optional                bool
	Rows                    int
	Width                   string // "short" or "medium" for what is never long
	Choices                 []choice
	Form                    *form.Form
	Max                     int
}

// newField makes a field from name, value pairs: "kind", "hint", "autocomplete", "inputmode", "choices", "rows",
// "width", "optional", "max". A password is never shown again.
func newField(l *locale.Locale, f *form.Form, name, label string, rest []any) (field, error) {
	x := field{Name: name, Label: label, Kind: "text", Form: f, Rows: 3}
	options, err := dict(rest...)
	if err != nil {
		return x, fmt.Errorf("field %s: %w", name, err)
	}
	for key, v := range options {
		var ok bool
		switch key {
		case "kind":
			x.Kind, ok = v.(string)
		case "hint":
			x.Hint, ok = v.(string)
		case "autocomplete":
			x.Autocomplete, ok = v.(string)
		case "inputmode":
			x.Inputmode, ok = v.(string)
		case "choices":
			x.Choices, ok = v.([]choice)
		case "rows":
			x.Rows, ok = v.(int)
		case "max":
			x.Max, ok = v.(int)
		case "width":
			x.Width, ok = v.(string)
		case "optional":
			x.Optional, ok = v.(bool)
		default:
			return x, fmt.Errorf("field %s: unknown option %q", name, key)
		}
		if !ok {
			return x, fmt.Errorf("field %s: option %q has the wrong type", name, key)
		}
	}
	if x.Kind != "password" {
		x.Value = f.Raw(name)
	}
	if p := f.Problem(name); p != nil {
		x.Error = faulty(l, *p)
	}
	return x, nil
}

// ID is the id of the input that the error summary points to.
func (x field) ID() string { return "f-" + x.Name }

// Describedby lists the ids of the hint and the error, "" when there is neither.
func (x field) Describedby() string {
	var ids []string
	if x.Hint != "" {
		ids = append(ids, x.ID()+"-hint")
	}
	if x.Error != "" {
		ids = append(ids, x.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// Has reports whether value is chosen or ticked.
func (x field) Has(value string) bool { return x.Form.Has(x.Name, value) }

// Part returns the value of one input of a date.
func (x field) Part(name string) string { return x.Form.Raw(x.Name + "_" + name) }
