package connector

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a scripted Odoo. It answers the sign-in like Odoo 17 and hands
// everything else to on, by "model.method".
type fake struct {
	t   *testing.T
	srv *httptest.Server

	mu    sync.Mutex
	on    map[string]http.HandlerFunc
	calls []string
	body  []string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, on: map[string]http.HandlerFunc{}}
	f.srv = httptest.NewServer(f)
	t.Cleanup(f.srv.Close)
	f.answer("version", map[string]any{"server_version": "17.0", "server_version_info": []any{17, 0, 0, "final", 0, ""}})
	f.answer("authenticate", 2)
	f.answer("res.users.context_get", map[string]any{"lang": "fr_BE", "tz": false})
	return f
}

var (
	methodCall  = regexp.MustCompile(`<methodName>([^<]*)</methodName>`)
	stringParam = regexp.MustCompile(`<param><value><string>([^<]*)</string></value></param>`)
)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	body := string(b)
	name := methodCall.FindStringSubmatch(body)[1]
	if name == "execute_kw" {
		p := stringParam.FindAllStringSubmatch(body, -1) // db, password, model, method
		name = p[2][1] + "." + p[3][1]
	}
	f.mu.Lock()
	f.calls = append(f.calls, name)
	f.body = append(f.body, body)
	h := f.on[name]
	f.mu.Unlock()
	if h == nil {
		f.t.Errorf("unexpected call of %s", name)
		http.Error(w, "unexpected", http.StatusNotImplemented)
		return
	}
	h(w, r)
}

func (f *fake) handle(name string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on[name] = h
}

func (f *fake) answer(name string, v any) {
	f.handle(name, func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document(v)) })
}

func (f *fake) fault(name string, code int, text string) {
	f.handle(name, func(w http.ResponseWriter, _ *http.Request) { writeXML(w, faultDocument(code, text)) })
}

// sequence answers one handler a call; the last one stays.
func (f *fake) sequence(name string, hs ...http.HandlerFunc) {
	var n int
	var mu sync.Mutex
	f.handle(name, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := hs[min(n, len(hs)-1)]
		n++
		mu.Unlock()
		h(w, r)
	})
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == name {
			n++
		}
	}
	return n
}

// last is the body of the last call of a method.
func (f *fake) last(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range slices.Backward(f.calls) {
		if c == name {
			return f.body[i]
		}
	}
	return ""
}

const testPassword = "s3cret-pässword"

func (f *fake) client(change ...func(*Config)) *Client {
	f.t.Helper()
	cfg := Config{URL: f.srv.URL, DB: "commune", User: "portail", Password: testPassword, Timeout: 5 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// impatient is a client that is signed in, with time enough for a busy machine, and from then on waits 150 ms for an
// answer.
func (f *fake) impatient() *Client {
	f.t.Helper()
	c := f.client(func(c *Config) { c.BreakAfter = -1 })
	if _, err := c.UserID(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	c.caller.(*xmlrpcCaller).timeout = 150 * time.Millisecond
	return c
}

// fields lets a model have all fields that its type can read, with types that
// nobody looks at.
func (f *fake) fields(model string, names ...string) {
	m := map[string]any{}
	for _, n := range names {
		m[n] = map[string]any{"type": "char", "required": false, "readonly": false}
	}
	f.answer(model+".fields_get", m)
}

func writeXML(w http.ResponseWriter, doc string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, doc)
}

// document writes a value as Python's xmlrpc.client does.
func document(v any) string {
	return "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n" + value(v) + "</param>\n</params>\n</methodResponse>\n"
}

func faultDocument(code int, text string) string {
	return "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n" + value(map[string]any{"faultCode": code, "faultString": text}) + "</fault>\n</methodResponse>\n"
}

func value(v any) string {
	var b strings.Builder
	b.WriteString("<value>")
	switch v := v.(type) {
	case raw:
		b.Reset()
		return string(v)
	case bool:
		if v {
			b.WriteString("<boolean>1</boolean>")
		} else {
			b.WriteString("<boolean>0</boolean>")
		}
	case int:
		fmt.Fprintf(&b, "<int>%d</int>", v)
	case int64:
		fmt.Fprintf(&b, "<int>%d</int>", v)
	case float64:
		fmt.Fprintf(&b, "<double>%v</double>", v)
	case string:
		b.WriteString("<string>" + html.EscapeString(v) + "</string>")
	case []any:
		b.WriteString("<array><data>\n")
		for _, e := range v {
			b.WriteString(value(e))
		}
		b.WriteString("</data></array>")
	case map[string]any:
		b.WriteString("<struct>\n")
		for k, e := range v {
			b.WriteString("<member>\n<name>" + k + "</name>\n" + value(e) + "</member>\n")
		}
		b.WriteString("</struct>")
	default:
		panic(fmt.Sprintf("no XML for %T", v))
	}
	b.WriteString("</value>\n")
	return b.String()
}

// raw is XML that stands as it is.
type raw string
