package connector

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kolo/xmlrpc"

	"ribambelle/internal/civil"
)

func TestOutgoing(t *testing.T) {
	t.Parallel()
	type state string
	var none *int
	summer := time.Date(2026, 7, 6, 9, 0, 0, 0, civil.Brussels)
	tests := []struct {
		name string
		in   any
		want any
		err  string
	}{
		{"amount", civil.Cents(1250), 12.5, ""},
		{"bool", true, true, ""},
		{"bytes", []byte("abc"), "YWJj", ""},
		{"date", civil.NewDate(2026, 7, 6), "2026-07-06", ""},
		{"ids", []int64{1, 2}, []any{int64(1), int64(2)}, ""},
		{"instant", summer, "2026-07-06 07:00:00", ""},
		{"int at the limit", int64(math.MaxInt32), int64(math.MaxInt32), ""},
		{"int beyond 32 bits", int64(math.MaxInt32) + 1, nil, "32 bits"},
		{"int below 32 bits", int64(math.MinInt32) - 1, nil, "32 bits"},
		{"infinite", math.Inf(1), nil, "finite"},
		{"map", map[string]any{"a": nil, "b": []any{nil}}, map[string]any{"a": false, "b": []any{false}}, ""},
		{"map of strings", map[string]string{"name": "x"}, map[string]any{"name": "x"}, ""},
		{"member to escape", map[string]any{"a<b": 1}, nil, "cannot be sent"},
		{"member empty", map[string]any{"": 1}, nil, "cannot be sent"},
		{"named string", state("open"), "open", ""},
		{"nan", []any{math.NaN()}, nil, "finite"},
		{"nil", nil, false, ""},
		{"nil bytes", []byte(nil), false, ""},
		{"nil pointer", none, false, ""},
		{"no date", civil.Date{}, false, ""},
		{"no instant", time.Time{}, false, ""},
		{"no reference", Ref{}, false, ""},
		{"reference", Ref{7, "Seven"}, int64(7), ""},
		{"rows", [][]string{{"a"}, {""}}, []any{[]any{"a"}, []any{""}}, ""},
		{"struct", struct{ A int }{1}, nil, "cannot be sent"},
		{"unsigned beyond 32 bits", uint64(1 << 40), nil, "32 bits"},
		{"unsigned", uint8(3), int64(3), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := outgoing(tt.in)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outgoing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<value><array><data>", 30) + strings.Repeat("</data></array></value>", 30)
	tests := []struct {
		name string
		doc  string
		want any
		err  string
	}{
		{"array", document([]any{1, 2.5, "a & <b>", true, []any{}}), []any{int64(1), 2.5, "a & <b>", true, []any{}}, ""},
		{"bare values keep the members behind them", document([]any{raw("<value/>"), raw("<value></value>"), raw("<value>é &amp; x</value>"), 3}), []any{nil, nil, "é & x", int64(3)}, ""},
		{"bare value in a struct", document(map[string]any{"a": raw("<value />"), "b": 1, "c": raw("<value> </value>")}), map[string]any{"a": nil, "b": int64(1), "c": " "}, ""},
		{"cdata", document(raw("<value><string>a<![CDATA[b]]>c</string></value>")), nil, "does not know"},
		{"comment", document(raw("<value><string>a<!-- b -->c</string></value>")), nil, "does not know"},
		{"deep", document(raw(deep)), nil, "nested too deeply"},
		{"doctype", "<!DOCTYPE html><html></html>", nil, "does not know"},
		{"empty body", "", nil, "too early"},
		{"html", "<html><body>login</body></html>", nil, "does not know"},
		{"json", `{"error": 1}`, nil, "not an XML-RPC answer"},
		{"nil", document(raw("<value><nil/></value>")), nil, ""},
		{"no value", "<methodResponse><params></params></methodResponse>", nil, "EOF"},
		{"only the declaration", "<?xml version='1.0'?>", nil, "too early"},
		{"request", "<methodCall><methodName>x</methodName></methodCall>", nil, "does not know"},
		{"text behind the end", document(1) + "x", nil, "after the end"},
		{"truncated", document([]any{1, 2})[:120], nil, "too early"},
		{"truncated in a tag", document([]any{1, 2})[:90], nil, "too early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeAnswer([]byte(tt.doc))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeFault(t *testing.T) {
	t.Parallel()
	_, err := decodeAnswer([]byte(faultDocument(2, "Nope <b> & é")))
	fe, ok := errors.AsType[xmlrpc.FaultError](err)
	if !ok {
		t.Fatalf("error %v (%T), want a fault", err, err)
	}
	if want := (xmlrpc.FaultError{Code: 2, String: "Nope <b> & é"}); fe != want {
		t.Errorf("fault %+v, want %+v", fe, want)
	}
	// The older endpoint's faults have text for a code.
	text := strings.Replace(faultDocument(2, "x"), "<int>2</int>", "<string>AccessDenied</string>", 1)
	if _, err := decodeAnswer([]byte(text)); err == nil {
		t.Error("a fault with a text code was decoded")
	}
	// Text that looks like a fault is none.
	v, err := decodeAnswer([]byte(document("<fault>no</fault>")))
	if err != nil || v != "<fault>no</fault>" {
		t.Errorf("decoded %v, %v", v, err)
	}
}

// FuzzDecodeAnswer looks for panics and for answers that are neither a value
// of the known types nor an error; what decodes must convert or be refused.
func FuzzDecodeAnswer(f *testing.F) {
	f.Add([]byte(document([]any{map[string]any{"id": 1, "name": "a", "tag_ids": []any{1}, "date_begin": "2026-07-06 07:00:00"}})))
	f.Add([]byte(document([]any{map[string]any{"id": 2, "event_id": []any{3, "x"}, "price": 2.5, "state": "open", "active": true}})))
	f.Add([]byte(faultDocument(1, "Traceback (most recent call last):\n  x\nValueError: y")))
	f.Add([]byte(document([]any{raw("<value/>"), raw("<value>a</value>"), 1})))
	f.Add([]byte("<methodResponse><params><param><value><dateTime.iso8601>20260706T07:00:00</dateTime.iso8601></value></param></params></methodResponse>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decodeAnswer(body)
		if err != nil {
			if fe, ok := errors.AsType[xmlrpc.FaultError](err); ok {
				fault := faultOf(fe, call{Model: ModelEvent, Method: "read"})
				if fault.Kind == "" || len([]rune(fault.Message)) > 600 || strings.Contains(fault.Message, "Traceback (most recent") {
					t.Errorf("fault %+v", fault)
				}
			}
			return
		}
		checkTypes(t, v)
		for _, p := range profiles {
			convertAny(v, eventModel, p)
			convertAny(v, ticketModel, p)
			convertAny(v, registrationModel, p)
			convertAny(v, tagModel, p)
			convertAny(v, partnerModel, p)
		}
		_, _ = metadataOf("m", v)
		_, _, _ = loaded("m", v, 3)
		_, _ = versionOf(v)
	})
}

func convertAny[T any](v any, m model[T], p Profile) {
	fields := map[string]Field{}
	for _, n := range m.fields {
		fields[n] = Field{}
	}
	_, _ = convert(m, fields, p, v, func(int64) error { return nil })
}

func checkTypes(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil, bool, int64, float64, string, time.Time:
	case []any:
		for _, e := range v {
			checkTypes(t, e)
		}
	case map[string]any:
		for _, e := range v {
			checkTypes(t, e)
		}
	default:
		t.Errorf("decoded a %T", v)
	}
}
