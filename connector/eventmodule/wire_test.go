package eventmodule

import (
	"bytes"
	"compress/gzip"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// wireValues draws everything an answer may hold.
func wireValues() *rapid.Generator[any] {
	return rapid.Deferred(func() *rapid.Generator[any] {
		texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " ", "é☃😀", "a\r\nb\rc\td", "<&>\"']]>", "&amp;"}))
		clean := rapid.Map(texts, func(s string) string {
			return strings.Map(func(r rune) rune {
				if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF || r == '�' {
					return -1
				}
				return r
			}, s)
		})
		return rapid.OneOf(
			rapid.Map(rapid.Bool(), func(v bool) any { return v }),
			rapid.Map(rapid.Int32(), func(v int32) any { return int64(v) }),
			rapid.Map(rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }), func(v float64) any { return v }),
			rapid.Map(clean, func(v string) any { return v }),
			rapid.Map(rapid.SliceOfN(wireValues(), 0, 4), func(v []any) any { return v }),
			rapid.Map(rapid.MapOfN(clean, wireValues(), 0, 4), func(v map[string]any) any { return v }),
		)
	})
}

// TestDecodeUndoesEncode: what is answered is what a client reads.
func TestDecodeUndoesEncode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := wireValues().Draw(t, "value")
		body, err := encodeResponse(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeResponse(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if d := cmp.Diff(v, got); d != "" {
			t.Fatalf("(-want +got):\n%s\n%s", d, body)
		}
	})
}

// TestEncodeLayout holds the bytes to those of Python's marshaller.
func TestEncodeLayout(t *testing.T) {
	t.Parallel()
	got, err := encodeResponse(object{{"b", int64(1)}, {"a", []any{false, 2.0, "x<y\x01", []int64{7}}}, {"c", 1e22}, {"d", object{}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n" +
		"<member>\n<name>b</name>\n<value><int>1</int></value>\n</member>\n" +
		"<member>\n<name>a</name>\n<value><array><data>\n<value><boolean>0</boolean></value>\n<value><double>2.0</double></value>\n" +
		"<value><string>x&lt;y</string></value>\n<value><array><data>\n<value><int>7</int></value>\n</data></array></value>\n</data></array></value>\n</member>\n" +
		"<member>\n<name>c</name>\n<value><double>1e+22</double></value>\n</member>\n" +
		"<member>\n<name>d</name>\n<value><struct>\n</struct></value>\n</member>\n" +
		"</struct></value>\n</param>\n</params>\n</methodResponse>\n"
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, v := range map[string]any{"None": []any{nil}, "a long int": int64(1) << 40} {
		if _, err := encodeResponse(v); err == nil {
			t.Errorf("%s was marshalled", name)
		}
	}
}

// TestEncodeAsRecorded encodes the recorded answers again, to the byte.
func TestEncodeAsRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/transcripts/*/*.resp.xml")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := bytes.Cut(b, []byte("\n\n"))
		v, err := decodeResponse(bytes.NewReader(body))
		var got []byte
		if f, ok := faultOf(err); ok {
			if got = encodeFault(f.code, f.text); f.class != "" {
				got = encodeFault(f.class, f.text)
			}
		} else if got, err = encodeResponse(v); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(body) { // members of a decoded struct have no order
			t.Errorf("%s: %d bytes, recorded %d:\n%s", file, len(got), len(body), cmp.Diff(string(body), string(got)))
		}
	}
}

func TestDecodeCall(t *testing.T) {
	t.Parallel()
	call := func(values string) string {
		return "<?xml version=\"1.0\"?><methodCall><methodName> m </methodName><params>" + values + "</params></methodCall>"
	}
	param := func(value string) string { return call("<param>" + value + "</param>") }
	tests := map[string]struct {
		body string
		want []any // nil: refused
	}{
		"a bare value is text":  {param("<value> x </value>"), []any{" x "}},
		"an empty value":        {param("<value/>"), []any{""}},
		"nil":                   {param("<value><nil/></value>"), []any{nil}},
		"i8":                    {param("<value><i8> 9007199254740993 </i8></value>"), []any{int64(9007199254740993)}},
		"white space and types": {param("<value>\n<array>\n<data>\n<value><int>1</int></value>\n</data></array></value>"), []any{[]any{int64(1)}}},
		"struct":                {param("<value><struct><member><name>a&lt;</name><value><boolean>1</boolean></value></member></struct></value>"), []any{map[string]any{"a<": true}}},
		"base64":                {param("<value><base64>eA\n==</base64></value>"), []any{[]byte("x")}},
		"a date":                {param("<value><dateTime.iso8601>20270305T08:00:00</dateTime.iso8601></value>"), []any{wireTime("20270305T08:00:00")}},
		"CDATA and comments":    {param("<value><string>a<![CDATA[<b>]]><!-- c -->d</string></value>"), []any{"a<b>d"}},
		"latin1":                {"<?xml version='1.0' encoding='ISO-8859-1'?>" + strings.TrimPrefix(param("<value>\xe9</value>"), `<?xml version="1.0"?>`), []any{"é"}},
		"no params":             {"<methodCall><methodName>m</methodName></methodCall>", []any{}},
		"a document type":       {"<!DOCTYPE x [<!ENTITY a 'b'>]>" + param("<value>x</value>"), nil},
		"an entity":             {param("<value>&lol;</value>"), nil},
		"a control character":   {param("<value>\x01</value>"), nil},
		"bad UTF-8":             {param("<value>\xff</value>"), nil},
		"truncated":             {param("<value><array><data>")[:90], nil},
		"junk behind":           {param("<value>x</value>") + "<more/>", nil},
		"boolean 2":             {param("<value><boolean>2</boolean></value>"), nil},
		"int of letters":        {param("<value><int>x</int></value>"), nil},
		"NaN":                   {param("<value><double>NaN</double></value>"), nil},
		"an unknown type":       {param("<value><thing>x</thing></value>"), nil},
		"two types":             {param("<value><int>1</int><int>2</int></value>"), nil},
		"nested too deep":       {param(strings.Repeat("<value><array><data>", maxDepth+2) + strings.Repeat("</data></array></value>", maxDepth+2)), nil},
		"as deep as allowed":    {param(strings.Repeat("<value><array><data>", 1) + strings.Repeat("</data></array></value>", 1)), []any{[]any{}}},
		"another root":          {"<methodResponse/>", nil},
	}
	for name, tt := range tests {
		method, got, err := decodeCall(strings.NewReader(tt.body))
		if tt.want == nil {
			if err == nil {
				t.Errorf("%s: accepted as %s%v", name, method, got)
			}
			continue
		}
		if got == nil {
			got = []any{}
		}
		if d := cmp.Diff(tt.want, got); d != "" || err != nil || method != "m" {
			t.Errorf("%s: method %q, %v (-want +got):\n%s", name, method, err, d)
		}
	}
}

// FuzzDecodeCall: outside bytes give a value or an error, never a panic, and
// what was decoded can be told in a fault.
func FuzzDecodeCall(f *testing.F) {
	files, _ := filepath.Glob("testdata/transcripts/*/*.req.xml")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			_, body, _ := bytes.Cut(b, []byte("\n"))
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, params, err := decodeCall(bytes.NewReader(body))
		if err != nil {
			return
		}
		if _, err := decodeResponse(bytes.NewReader(encodeFault(1, pyRepr(params)))); err == nil {
			t.Error("a fault was read as a value")
		}
	})
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	srv := &Server{models: newRegistry(allModels(nil)...), db: "odoo"}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("<methodCall><methodName>version</methodName></methodCall>"))
	_ = z.Close()
	tests := map[string]struct {
		method, path, body string
		status             int
		typ, contains      string
	}{
		"version":         {"POST", "/xmlrpc/2/common", "<methodCall><methodName>version</methodName></methodCall>", 200, "text/xml; charset=utf-8", "<string>17.0</string>"},
		"get":             {"GET", "/xmlrpc/2/object", "", 405, "text/html; charset=utf-8", "<h1>Method Not Allowed</h1>"},
		"elsewhere":       {"POST", "/web/login", "", 404, "text/html; charset=utf-8", "Not Found"},
		"too deep a path": {"POST", "/xmlrpc/2/common/x", "", 404, "text/html; charset=utf-8", "Not Found"},
		"empty":           {"POST", "/xmlrpc/2/common", "", 200, "text/xml; charset=utf-8", "ExpatError: no element found"},
		"not XML":         {"POST", "/xmlrpc/2/common", "<not xml", 200, "text/xml; charset=utf-8", "ExpatError"},
		"gzip":            {"POST", "/xmlrpc/2/common", zipped.String(), 200, "text/xml; charset=utf-8", "ExpatError"},
		"unknown service": {"POST", "/xmlrpc/2/nosvc", "<methodCall><methodName>x</methodName></methodCall>", 200, "text/xml; charset=utf-8", "KeyError: 'nosvc'"},
		"too large":       {"POST", "/xmlrpc/2/common", strings.Repeat(" ", maxBody+1), 413, "text/html; charset=utf-8", "capacity limit"},
		"older, denied": {
			"POST", "/xmlrpc/object", "<methodCall><methodName>execute</methodName><params><param><value>odoo</value></param><param><value>x</value></param><param><value/></param><param><value/></param><param><value/></param></params></methodCall>",
			200, "text/xml; charset=utf-8", "<string>AccessDenied</string>",
		},
		"drop the database": {"POST", "/xmlrpc/2/db", "<methodCall><methodName>drop</methodName></methodCall>", 200, "text/xml; charset=utf-8", "Access Denied"},
	}
	for name, tt := range tests {
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.typ || !strings.Contains(w.Body.String(), tt.contains) {
			t.Errorf("%s: %d %q %s", name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if tt.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s: Allow = %q", name, w.Header().Get("Allow"))
		}
	}
}
