package connector

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"time"

	"github.com/kolo/xmlrpc"

	"ribambelle/internal/civil"
)

const (
	instantLayout = "2006-01-02 15:04:05"
	maxDepth      = 64
	maxTag        = 64
)

// memberName is what may stand in a struct's <name>, which the codec does not
// escape: names of fields, options and context keys.
var memberName = regexp.MustCompile(`^[A-Za-z_.][A-Za-z0-9_.:/-]*$`)

// outgoing turns a Go value into what the codec encodes as Odoo expects it:
// nil, the zero time and an empty Ref become False; instants become UTC
// strings, bytes base64 text. What XML-RPC cannot carry is refused: integers
// beyond 32 bits, NaN, member names that need escaping, unknown types.
func outgoing(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool, string:
		return v, nil
	case int64:
		return integer32(v)
	case int:
		return integer32(int64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number is not finite")
		}
		return v, nil
	case time.Time:
		if v.IsZero() {
			return false, nil
		}
		return v.UTC().Format(instantLayout), nil
	case civil.Date:
		if v.IsZero() {
			return false, nil
		}
		return v.String(), nil
	case civil.Cents:
		return float64(v) / 100, nil
	case Ref:
		if v.ID == 0 {
			return false, nil
		}
		return integer32(v.ID)
	case []byte:
		if len(v) == 0 {
			return false, nil
		}
		return base64.StdEncoding.EncodeToString(v), nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			o, err := outgoing(e)
			if err != nil {
				return nil, err
			}
			out[i] = o
		}
		return out, nil
	case map[string]any:
		return outgoingMap(reflect.ValueOf(v))
	}
	return outgoingOther(reflect.ValueOf(v))
}

func outgoingOther(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return false, nil
		}
		return outgoing(v.Elem().Interface())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return integer32(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt32 {
			return nil, errTooWide
		}
		return int64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return outgoing(v.Float())
	case reflect.Slice, reflect.Array:
		out := make([]any, v.Len())
		for i := range out {
			o, err := outgoing(v.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			out[i] = o
		}
		return out, nil
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return outgoingMap(v)
		}
	}
	return nil, fmt.Errorf("a value of type %s cannot be sent", v.Type())
}

func outgoingMap(v reflect.Value) (any, error) {
	out := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		name := it.Key().String()
		if !memberName.MatchString(name) {
			return nil, fmt.Errorf("the name %q cannot be sent", name)
		}
		o, err := outgoing(it.Value().Interface())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = o
	}
	return out, nil
}

var errTooWide = errors.New("an integer is wider than the 32 bits of XML-RPC")

func integer32(n int64) (any, error) {
	if n > math.MaxInt32 || n < math.MinInt32 {
		return nil, errTooWide
	}
	return n, nil
}

var (
	errTruncated = errors.New("the document ends too early")
	errNotXMLRPC = errors.New("not an XML-RPC answer")
	bareValue    = regexp.MustCompile(`<value\s*/>|<value>([^<]*)</value>`)
)

// decodeAnswer decodes an answer: nil, bool, int64, float64, string, []any or
// map[string]any. A fault is returned as xmlrpc.FaultError.
func decodeAnswer(body []byte) (any, error) {
	shape, err := inspect(body)
	if err != nil {
		return nil, err
	}
	if shape.bare {
		// The codec loses the members that follow an untyped value.
		body = bareValue.ReplaceAll(body, []byte("<value><string>$1</string></value>"))
	}
	resp := xmlrpc.Response(body)
	if shape.fault {
		if err := resp.Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("a fault without a value")
	}
	var v any
	if err := resp.Unmarshal(&v); err != nil {
		return nil, err
	}
	return v, nil
}

type shape struct {
	fault bool // the answer is a fault
	bare  bool // a value without a type occurs
}

// inspect walks over the tags of an answer once before it is decoded, because
// the codec recurses without a limit, drops what follows untyped values and
// loses text at comments and CDATA sections. Only what XML-RPC needs passes:
// an XML declaration, short tags without attributes, balanced, at most 64
// deep, in a methodResponse.
func inspect(body []byte) (shape, error) {
	var s shape
	switch b := bytes.TrimLeft(body, " \t\r\n"); {
	case len(b) == 0:
		return s, errTruncated
	case b[0] != '<':
		return s, errNotXMLRPC
	}
	depth, started, previous := 0, false, ""
	for rest := body; ; {
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		j := bytes.IndexByte(rest, '>')
		if j < 0 {
			return s, errTruncated
		}
		tag := rest[:j]
		rest = rest[j+1:]
		if len(tag) > 0 && tag[0] == '?' {
			if started {
				return s, errors.New("a processing instruction in the answer")
			}
			continue
		}
		closing, empty, name, err := tagName(tag)
		if err != nil {
			return s, err
		}
		switch {
		case !started:
			if name != "methodResponse" || closing {
				return s, errNotXMLRPC
			}
			started = true
		case name == "fault" && depth == 1 && !closing:
			s.fault = true
		case name == "value" && (empty || closing && previous == "value"):
			s.bare = true
		}
		if closing {
			previous = ""
			if depth--; depth == 0 {
				if len(bytes.TrimSpace(rest)) > 0 {
					return s, errors.New("text after the end of the answer")
				}
				return s, nil
			}
			continue
		}
		if empty {
			previous = ""
			continue
		}
		previous = name
		if depth++; depth > maxDepth {
			return s, errors.New("the answer is nested too deeply")
		}
	}
	return s, errTruncated
}

// tagName reads what stands between < and >.
func tagName(tag []byte) (closing, empty bool, name string, err error) {
	if len(tag) > 0 && tag[0] == '/' {
		closing, tag = true, tag[1:]
	} else if len(tag) > 0 && tag[len(tag)-1] == '/' {
		empty, tag = true, tag[:len(tag)-1]
	}
	if len(tag) > maxTag {
		return closing, empty, "", errNotXMLRPC
	}
	tag = bytes.TrimRight(tag, " \t\r\n")
	switch string(tag) {
	case "value":
		name = "value"
	case "member", "name", "int", "i4", "i8", "boolean", "string", "double", "nil",
		"struct", "array", "data", "base64", "dateTime.iso8601", "params", "param":
		name = "other"
	case "methodResponse":
		name = "methodResponse"
	case "fault":
		name = "fault"
	default:
		return closing, empty, "", errors.New("the answer holds a tag that XML-RPC does not know")
	}
	return closing, empty, name, nil
}
