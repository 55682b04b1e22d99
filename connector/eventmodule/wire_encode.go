package eventmodule

import (
	"encoding/base64"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// member is one entry of an object.
type member struct {
	name  string
	value any
}

// object is a struct whose members keep their order on the wire, as Python's
// dictionaries do.
type object []member

// get returns the value of a member, nil when there is none.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// encodeResponse lays out an answer as Python's xmlrpc.client does: a line
// feed after each tag, <int>, <double>, <boolean>, everything else <string>.
// A None anywhere in it is the fault Odoo gives (allow_none is off).
func encodeResponse(v any) ([]byte, error) {
	b := []byte("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n")
	b, err := appendValue(b, v)
	if err != nil {
		return nil, err
	}
	return append(b, "</param>\n</params>\n</methodResponse>\n"...), nil
}

// encodeFault lays out a fault; code is an int on /xmlrpc/2 and a string on
// the older /xmlrpc.
func encodeFault(code any, text string) []byte {
	b := []byte("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n")
	b, err := appendValue(b, object{{"faultCode", code}, {"faultString", text}})
	if err != nil {
		panic("eventmodule: a fault holds only a number and texts: " + err.Error())
	}
	return append(b, "</fault>\n</methodResponse>\n"...)
}

// appendValue appends one <value> and its line feed.
func appendValue(b []byte, v any) ([]byte, error) {
	var err error
	b = append(b, "<value>"...)
	switch v := v.(type) {
	case nil:
		return nil, traceback("TypeError: cannot marshal None unless allow_none is enabled")
	case bool:
		if v {
			b = append(b, "<boolean>1</boolean>"...)
		} else {
			b = append(b, "<boolean>0</boolean>"...)
		}
	case int:
		b, err = appendInt(b, int64(v))
	case int32:
		b, err = appendInt(b, int64(v))
	case int64:
		b, err = appendInt(b, v)
	case float64:
		b = append(b, "<double>"...)
		b = append(b, pyFloat(v)...)
		b = append(b, "</double>"...)
	case string:
		b = append(b, "<string>"...)
		b = appendText(b, v)
		b = append(b, "</string>"...)
	case []byte:
		b = append(b, "<string>"...)
		b = base64.StdEncoding.AppendEncode(b, v)
		b = append(b, "</string>"...)
	case []any:
		b = append(b, "<array><data>\n"...)
		for _, e := range v {
			if b, err = appendValue(b, e); err != nil {
				return nil, err
			}
		}
		b = append(b, "</data></array>"...)
	case []int64:
		b = append(b, "<array><data>\n"...)
		for _, e := range v {
			if b, err = appendValue(b, e); err != nil {
				return nil, err
			}
		}
		b = append(b, "</data></array>"...)
	case []object:
		b = append(b, "<array><data>\n"...)
		for _, e := range v {
			if b, err = appendValue(b, e); err != nil {
				return nil, err
			}
		}
		b = append(b, "</data></array>"...)
	case object:
		b = append(b, "<struct>\n"...)
		for _, m := range v {
			if b, err = appendMember(b, m.name, m.value); err != nil {
				return nil, err
			}
		}
		b = append(b, "</struct>"...)
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		b = append(b, "<struct>\n"...)
		for _, name := range names {
			if b, err = appendMember(b, name, v[name]); err != nil {
				return nil, err
			}
		}
		b = append(b, "</struct>"...)
	case wireTime:
		b = append(b, "<string>"...)
		b = appendText(b, string(v))
		b = append(b, "</string>"...)
	default:
		return nil, traceback("TypeError: cannot marshal this object")
	}
	if err != nil {
		return nil, err
	}
	return append(b, "</value>\n"...), nil
}

func appendMember(b []byte, name string, v any) ([]byte, error) {
	b = append(b, "<member>\n<name>"...)
	b = appendText(b, name)
	b = append(b, "</name>\n"...)
	b, err := appendValue(b, v)
	if err != nil {
		return nil, err
	}
	return append(b, "</member>\n"...), nil
}

// appendInt refuses what Python's marshaller refuses.
func appendInt(b []byte, n int64) ([]byte, error) {
	if n > math.MaxInt32 || n < math.MinInt32 {
		return nil, traceback("OverflowError: int exceeds XML-RPC limits")
	}
	b = append(b, "<int>"...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, "</int>"...), nil
}

// appendText escapes what must be, drops the control characters XML cannot
// carry (Odoo does the same) and keeps a carriage return, which a bare one
// would lose to line-end normalisation.
func appendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '\r':
			b = append(b, "&#13;"...)
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// pyFloat writes a float as Python's repr does: never without a point or an
// exponent.
func pyFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if a := math.Abs(f); a == 0 || a >= 1e-4 && a < 1e16 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
