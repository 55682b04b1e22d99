package connector

import (
	"fmt"
	"math"
	"time"

	"ribambelle/internal/civil"
)

// Ref is a many2one: the other record's id and its display name. The zero Ref
// is an empty one. Display names differ between series and languages: show
// them, never compare them.
type Ref struct {
	ID   int64
	Name string
}

// IsZero reports whether nothing is referred to.
func (r Ref) IsZero() bool { return r.ID == 0 }

// row converts one record of an answer, field by field, to the types that the
// model declares. The first misfit is kept and ends the page: half a record is
// no record. Fields that the server does not have give the zero value.
type row struct {
	model  string
	id     int64
	values map[string]any
	fields map[string]Field
	err    error
}

// newRow checks that an answer's element is a record with an id.
func newRow(model string, fields map[string]Field, v any) (row, error) {
	values, ok := v.(map[string]any)
	if !ok {
		return row{}, badValue(model, fmt.Sprintf("a record of %s is a %T", model, v))
	}
	id, ok := values["id"].(int64)
	if !ok || id <= 0 {
		return row{}, badValue(model, fmt.Sprintf("a record of %s has no id", model))
	}
	return row{model: model, id: id, values: values, fields: fields}, nil
}

func badValue(model, text string) *Fault {
	return &Fault{Kind: KindProtocol, Code: CodeValue, Model: model, Method: "read", Message: "Odoo answered an unexpected value: " + text + "."}
}

// has reports whether the server knows the field.
func (r *row) has(name string) bool { _, ok := r.fields[name]; return ok }

// value returns what came for a field, and false for one that was not asked.
func (r *row) value(name string) (any, bool) {
	if !r.has(name) || r.err != nil {
		return nil, false
	}
	v, ok := r.values[name]
	if !ok {
		r.err = badValue(r.model, fmt.Sprintf("%s %d comes without %s", r.model, r.id, name))
	}
	return v, ok
}

func (r *row) misfit(name, want string, v any) {
	r.err = badValue(r.model, fmt.Sprintf("%s of %s %d is a %T, not %s", name, r.model, r.id, v, want))
}

// text reads char, text, html and selection fields; False is "".
func (r *row) text(name string) string {
	v, ok := r.value(name)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case nil: // an empty string, as the codec decodes it
		return ""
	case bool:
		if !v {
			return ""
		}
	}
	r.misfit(name, "text", v)
	return ""
}

// integer reads integer fields; False is 0.
func (r *row) integer(name string) int64 {
	v, ok := r.value(name)
	if !ok {
		return 0
	}
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v)
		}
	case bool:
		if !v {
			return 0
		}
	}
	r.misfit(name, "an integer", v)
	return 0
}

// number reads float and monetary fields; False is 0.
func (r *row) number(name string) float64 {
	v, ok := r.value(name)
	if !ok {
		return 0
	}
	switch v := v.(type) {
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	case int64:
		return float64(v)
	case bool:
		if !v {
			return 0
		}
	}
	r.misfit(name, "a number", v)
	return 0
}

// cents reads an amount of euros.
func (r *row) cents(name string) civil.Cents {
	f := r.number(name)
	if r.err != nil {
		return 0
	}
	c, err := civil.FromFloat(f)
	if err != nil {
		r.misfit(name, "an amount", f)
	}
	return c
}

// flag reads boolean fields.
func (r *row) flag(name string) bool {
	v, ok := r.value(name)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.misfit(name, "a boolean", v)
	}
	return b
}

// instant reads datetime fields, which Odoo writes in UTC; False is the zero
// time.
func (r *row) instant(name string) time.Time {
	v, ok := r.value(name)
	if !ok {
		return time.Time{}
	}
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(instantLayout, v); err == nil {
			return t
		}
	case time.Time:
		return v.UTC()
	case bool:
		if !v {
			return time.Time{}
		}
	}
	r.misfit(name, "a date and time", v)
	return time.Time{}
}

// day reads date fields; False is the zero date.
func (r *row) day(name string) civil.Date {
	v, ok := r.value(name)
	if !ok {
		return civil.Date{}
	}
	switch v := v.(type) {
	case string:
		if d, err := civil.ParseDate(v); err == nil {
			return d
		}
	case bool:
		if !v {
			return civil.Date{}
		}
	}
	r.misfit(name, "a date", v)
	return civil.Date{}
}

// ref reads many2one fields; False is the zero Ref.
func (r *row) ref(name string) Ref {
	v, ok := r.value(name)
	if !ok {
		return Ref{}
	}
	switch v := v.(type) {
	case []any:
		if len(v) != 2 {
			break
		}
		id, ok := v[0].(int64)
		if !ok || id <= 0 {
			break
		}
		switch label := v[1].(type) {
		case string:
			return Ref{id, label}
		case nil:
			return Ref{ID: id}
		case bool:
			if !label {
				return Ref{ID: id}
			}
		}
	case int64:
		if v > 0 {
			return Ref{ID: v}
		}
	case bool:
		if !v {
			return Ref{}
		}
	}
	r.misfit(name, "a reference", v)
	return Ref{}
}

// ids reads one2many and many2many fields.
func (r *row) ids(name string) []int64 {
	v, ok := r.value(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		if b, isBool := v.(bool); !isBool || b {
			r.misfit(name, "a list of ids", v)
		}
		return nil
	}
	ids, err := idList(list)
	if err != nil {
		r.misfit(name, "a list of ids", v)
	}
	return ids
}

func idList(list []any) ([]int64, error) {
	ids := make([]int64, len(list))
	for i, e := range list {
		id, ok := e.(int64)
		if !ok || id <= 0 {
			return nil, fmt.Errorf("an id is a %T", e)
		}
		ids[i] = id
	}
	return ids, nil
}
