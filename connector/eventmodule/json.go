package eventmodule

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The entries that speak JSON-RPC 2.0: /jsonrpc carries the three services of XML-RPC, /web/session and /web/dataset
// a signed-in session, which is what Debian's odoorpc and web clients use.

const (
	sessionCookie = "session_id"
	sessionLife   = 7 * 24 * time.Hour
	maxSessions   = 10_000
)

// sessions are the signed-in clients. They end with the process.
type sessions struct {
	mu  sync.Mutex
	all map[string]session
}

type session struct {
	uid   int64
	until time.Time
}

func (s *sessions) open(uid int64, now time.Time) string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	token := hex.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]session{}
	}
	for t, old := range s.all {
		if len(s.all) >= maxSessions || now.After(old.until) {
			delete(s.all, t)
		}
	}
	s.all[token] = session{uid, now.Add(sessionLife)}
	return token
}

func (s *sessions) uid(token string, now time.Time) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.all[token]; ok && now.Before(one.until) {
		return one.uid
	}
	return 0
}

func (s *sessions) close(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, token)
}

// serveJSON answers one JSON-RPC request. Every error is a 200, as in Odoo.
func (s *Server) serveJSON(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		writePage(w, http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
		return
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && media != "application/json-rpc" {
		// A page of another site cannot send this type with the cookie of ours.
		writePage(w, http.StatusBadRequest, "Function declared as capable of handling request of type 'json' but called with a request of type 'http'.")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writePage(w, http.StatusRequestEntityTooLarge, "The data value transmitted exceeds the capacity limit.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	var id any
	params, err := decodeJSON(body, &id)
	var result any
	if err == nil {
		result, err = s.json(ctx, w, r, params)
	}
	answer := []byte(`{"jsonrpc": "2.0", "id": `)
	answer, _ = appendJSON(answer, id)
	if err == nil {
		var out []byte
		if out, err = appendJSON(append(bytes.Clone(answer), `, "result": `...), result); err == nil {
			answer = append(out, '}')
		}
	}
	if err != nil {
		answer = append(answer, `, "error": `...)
		answer, _ = appendJSON(answer, jsonError(s.asFault(ctx, err)))
		answer = append(answer, '}')
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer)
}

// json finds what a request asks for.
func (s *Server) json(ctx context.Context, w http.ResponseWriter, r *http.Request, p map[string]any) (any, error) {
	text := func(name string) string { v, _ := p[name].(string); return v }
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == "/jsonrpc":
		args, _ := p["args"].([]any)
		return s.dispatch(ctx, text("service"), text("method"), args)
	case path == "/web/webclient/version_info":
		return s.common("version", nil)
	case path == "/web/database/list":
		return []any{s.db}, nil
	case path == "/web/session/authenticate":
		return s.signIn(w, r, p["db"], text("login"), text("password"))
	case path == "/web/session/get_session_info":
		u, err := s.signedIn(r)
		if err != nil {
			return nil, err
		}
		return s.sessionInfo(u), nil
	case path == "/web/session/check":
		_, err := s.signedIn(r)
		return nil, err
	case path == "/web/session/destroy":
		if c, err := r.Cookie(sessionCookie); err == nil {
			s.sessions.close(c.Value)
		}
		return nil, nil
	case path == "/web/dataset/call_kw" || strings.HasPrefix(path, "/web/dataset/call_kw/"):
		u, err := s.signedIn(r)
		if err != nil {
			return nil, err
		}
		args, _ := p["args"].([]any)
		kwargs, _ := p["kwargs"].(map[string]any)
		return s.invoke(ctx, u, text("model"), text("method"), args, kwargs)
	}
	return nil, &fault{codeApplication, "NotFound", "404: Not Found"}
}

// jsonPath reports whether a request is for one of the entries above.
func jsonPath(path string) bool {
	return path == "/jsonrpc" || strings.HasPrefix(path, "/web/session/") || strings.HasPrefix(path, "/web/dataset/call_kw") ||
		path == "/web/webclient/version_info" || path == "/web/database/list"
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request, db any, login, password string) (any, error) {
	if err := s.knows(db); err != nil {
		return nil, err
	}
	u := s.byLogin[login]
	if u == nil || password == "" || !u.admits(password) {
		return nil, denied()
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the connection is; the module is served on loopback in plain
		Name: sessionCookie, Value: s.sessions.open(u.id, s.clock()), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil, MaxAge: int(sessionLife.Seconds()),
	})
	return s.sessionInfo(u), nil
}

// signedIn is the user of the request's session.
func (s *Server) signedIn(r *http.Request) (*user, error) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		if u := s.users[s.sessions.uid(c.Value, s.clock())]; u != nil {
			return u, nil
		}
	}
	return nil, &fault{codeApplication, "SessionExpiredException", "Session expired"}
}

func (s *Server) sessionInfo(u *user) object {
	return object{
		{"uid", u.id},
		{"is_system", u.Admin},
		{"is_admin", u.Admin},
		{"is_internal_user", true},
		{"db", s.db},
		{"user_context", object{{"lang", "en_US"}, {"tz", false}, {"uid", u.id}}},
		{"server_version", series},
		{"server_version_info", []any{17, 0, 0, "final", 0, ""}},
		{"name", u.Name},
		{"username", u.Login},
		{"company_id", 1},
	}
}

// jsonError is a fault as JSON-RPC tells it.
func jsonError(f *fault) object {
	name, message := "odoo.exceptions."+f.class, f.text
	if f.code == codeApplication {
		name = f.class
		lines := strings.Split(strings.TrimSpace(f.text), "\n")
		if _, cause, ok := strings.Cut(lines[len(lines)-1], ": "); ok {
			message = cause
		}
		if !strings.Contains(name, ".") {
			name = "builtins." + name
		}
	}
	code, title := 200, "Odoo Server Error"
	switch f.class {
	case "SessionExpiredException":
		code, title, name = 100, "Odoo Session Expired", "odoo.http.SessionExpiredException"
	case "NotFound":
		code, title, name = 404, "404: Not Found", "werkzeug.exceptions.NotFound"
	}
	return object{
		{"code", code},
		{"message", title},
		{"data", object{{"name", name}, {"debug", f.text}, {"message", message}, {"arguments", []any{message}}, {"context", object{}}}},
	}
}

// decodeJSON reads a request's id and params. Whole numbers become int64.
func decodeJSON(body []byte, id *any) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return nil, traceback("ValueError: Invalid JSON data: " + err.Error())
	}
	v, err = unJSON(v, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, traceback("ValueError: Invalid JSON-RPC data")
	}
	*id = m["id"]
	params, _ := m["params"].(map[string]any)
	if params == nil {
		params = map[string]any{}
	}
	return params, nil
}

// maxNesting bounds how deep a request may nest, as for XML.
const maxNesting = 100

func unJSON(v any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, traceback("RecursionError: maximum recursion depth exceeded")
	}
	var err error
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return nil, traceback("ValueError: Out of range float values are not JSON compliant")
		}
		return f, nil
	case []any:
		for i := range v {
			if v[i], err = unJSON(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = unJSON(v[k], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// appendJSON appends a value; None is null here, so that methods that return it need no fault.
func appendJSON(b []byte, v any) ([]byte, error) {
	var err error
	list := func(n int, at func(int) any) ([]byte, error) {
		b = append(b, '[')
		for i := range n {
			if i > 0 {
				b = append(b, ", "...)
			}
			if b, err = appendJSON(b, at(i)); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, traceback("ValueError: Out of range float values are not JSON compliant")
		}
		return append(b, pyFloat(v)...), nil
	case string:
		return appendJSONText(b, v)
	case wireTime:
		return appendJSONText(b, string(v))
	case []byte:
		return appendJSONText(b, base64.StdEncoding.EncodeToString(v))
	case []any:
		return list(len(v), func(i int) any { return v[i] })
	case []int64:
		return list(len(v), func(i int) any { return v[i] })
	case []object:
		return list(len(v), func(i int) any { return v[i] })
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		o := make(object, len(names))
		for i, name := range names {
			o[i] = member{name, v[name]}
		}
		return appendJSON(b, o)
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			if b, err = appendJSONText(b, m.name); err != nil {
				return nil, err
			}
			b = append(b, ": "...)
			if b, err = appendJSON(b, m.value); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, traceback(fmt.Sprintf("TypeError: Object of type %T is not JSON serializable", v))
}

func appendJSONText(b []byte, s string) ([]byte, error) {
	text, err := json.Marshal(s)
	return append(b, text...), err
}
