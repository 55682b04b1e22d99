package eventmodule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// stampLayout is how instants travel: UTC, without a zone.
const stampLayout = "2006-01-02 15:04:05"

func stamp(t time.Time) string { return t.Format(stampLayout) }

// textOf is Python's str() of a decoded value; None and False are empty.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return ""
	case wireTime:
		return string(v)
	case []byte:
		return string(v)
	}
	return pyRepr(v)
}

// number reads a record id as callers and our own code give it.
func number(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int:
		return int64(v), true
	}
	return 0, false
}

func decimal(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, v == nil
}

// pairID and pairName take apart a many2one as read.
func pairID(v any) int64 {
	if pair, ok := v.([]any); ok && len(pair) == 2 {
		id, _ := number(pair[0])
		return id
	}
	id, _ := number(v)
	return id
}

func pairIDOrFalse(v any) any {
	if id := pairID(v); id != 0 {
		return id
	}
	return false
}

func pairName(v any) any {
	if pair, ok := v.([]any); ok && len(pair) == 2 {
		return pair[1]
	}
	return false
}

func anyIDs(ids []int64) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// idList reads the ids a record method is called on: one id or a list.
func idList(v any) ([]int64, error) {
	switch v := v.(type) {
	case nil:
		return []int64{}, nil
	case bool:
		if !v {
			return []int64{}, nil
		}
	case int64:
		return []int64{v}, nil
	case []any:
		ids := make([]int64, 0, len(v))
		for _, e := range v {
			id, ok := number(e)
			if !ok {
				return nil, traceback(fmt.Sprintf("psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type integer: \"%s\"\n", textOf(e)))
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	return nil, traceback(fmt.Sprintf("TypeError: %s is not a list of ids", pyRepr(v)))
}

// toColumn converts a value given for a stored field into what its column
// takes, with Odoo's conversions and Odoo's faults.
func (e *env) toColumn(m *model, f *field, v any) (any, error) {
	if _, raw := v.([]byte); raw {
		return nil, traceback("TypeError: 'Binary' object is not subscriptable")
	}
	void := v == nil || v == false || v == ""
	switch f.kind {
	case kChar, kText:
		if v == nil || v == false {
			return nil, nil
		}
		s := textOf(v)
		if strings.ContainsRune(s, 0) {
			return nil, traceback("ValueError: A string literal cannot contain NUL (0x00) characters.")
		}
		return s, nil
	case kHTML:
		if v == nil || v == false {
			return nil, nil
		}
		return sanitize(textOf(v)), nil
	case kInteger:
		return toInteger(v)
	case kFloat:
		if n, ok := decimal(v); ok {
			return n, nil
		}
		return nil, traceback(fmt.Sprintf("ValueError: could not convert string to float: %s", pyRepr(v)))
	case kBoolean:
		switch v := v.(type) {
		case int64:
			return v != 0, nil
		case float64:
			return v != 0, nil
		case []any:
			return len(v) > 0, nil
		}
		return !void, nil
	case kDatetime:
		if void {
			return nil, nil
		}
		return toInstant(v)
	case kSelection:
		if void {
			return nil, nil
		}
		for _, option := range f.selection {
			if v == option[0] {
				return v, nil
			}
		}
		return nil, traceback(fmt.Sprintf("ValueError: Wrong value for %s.%s: %s", m.name, f.name, pyRepr(v)))
	case kMany2one:
		return toReference(m, f, v)
	}
	return nil, fmt.Errorf("eventmodule: %s.%s of type %s has no column", m.name, f.name, f.kind)
}

func toInteger(v any) (any, error) {
	var n int64
	switch v := v.(type) {
	case nil:
		return int64(0), nil
	case bool:
		if v {
			n = 1
		}
	case int64:
		n = v
	case int:
		n = int64(v)
	case float64:
		n = int64(v)
	case string:
		if v == "" {
			return int64(0), nil
		}
		var err error
		if n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64); err != nil {
			return nil, traceback("ValueError: invalid literal for int() with base 10: " + pyRepr(v))
		}
	default:
		return nil, traceback("TypeError: int() argument must be a string, a bytes-like object or a real number")
	}
	if n > math.MaxInt32 || n < math.MinInt32 {
		return nil, traceback("psycopg2.errors.NumericValueOutOfRange: integer out of range\n")
	}
	return n, nil
}

// toInstant accepts what 17.0 accepts: 'YYYY-MM-DD HH:MM:SS' in UTC or a
// prefix of it from the day on; no T, no zone, no fractions.
func toInstant(v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		if _, is := v.(wireTime); is {
			return nil, traceback("TypeError: object of type 'DateTime' has no len()")
		}
		return nil, traceback(fmt.Sprintf("TypeError: %s is not a datetime", pyRepr(v)))
	}
	layout := stampLayout
	switch len(s) {
	case len("2006-01-02"):
		layout = "2006-01-02"
	case len("2006-01-02 15"):
		layout = "2006-01-02 15"
	case len("2006-01-02 15:04"):
		layout = "2006-01-02 15:04"
	}
	if len(s) > len(stampLayout) {
		if _, err := time.Parse(stampLayout, s[:len(stampLayout)]); err == nil {
			return nil, traceback("ValueError: unconverted data remains: " + s[len(stampLayout):])
		}
	}
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() < 1 {
		return nil, traceback(fmt.Sprintf("ValueError: time data %s does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", pyRepr(s)))
	}
	return t, nil
}

// toReference converts a many2one. A text becomes empty without a word, as
// measured. A pair [id, name] as it was read is refused with a fault, except
// on the two fields where 17.0 was seen to swallow it and write NULL.
func toReference(m *model, f *field, v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return nil, nil
	case int64:
		if v == 0 {
			return nil, nil
		}
		if v > math.MaxInt32 || v < 0 {
			return nil, traceback("psycopg2.errors.NumericValueOutOfRange: integer out of range\n")
		}
		return v, nil
	case []any:
		if m.name == "event.event" && (f.name == "user_id" || f.name == "stage_id") {
			return nil, nil
		}
		return nil, traceback(fmt.Sprintf("TypeError: unhashable type: 'list' in %s.%s: %s", m.name, f.name, pyRepr(v)))
	}
	return nil, traceback(fmt.Sprintf("ValueError: Wrong value for %s.%s: %s", m.name, f.name, pyRepr(v)))
}

// columnType is the PostgreSQL type of a stored field.
func columnType(f *field) string {
	switch f.kind {
	case kInteger, kMany2one:
		return "integer"
	case kFloat:
		return "double precision"
	case kBoolean:
		return "boolean"
	case kDatetime:
		return "timestamp(6)"
	}
	return "text"
}

// fromColumn turns a scanned value into what a read answers: False stands for
// an empty value, except for numbers.
func fromColumn(f *field, v any) any {
	if v == nil {
		switch f.kind {
		case kInteger:
			return int64(0)
		case kFloat:
			return 0.0
		}
		return false
	}
	switch v := v.(type) {
	case int32:
		return int64(v)
	case time.Time:
		return stamp(v)
	}
	return v
}
