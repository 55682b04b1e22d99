package eventmodule_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"ribambelle/connector/eventmodule/eventmoduletest"
)

// rpc posts one JSON-RPC request and returns the result, or the error's name.
func rpc(t *testing.T, c *http.Client, url string, params any) (result any, fault string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 7, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v struct {
		ID     int
		Result any
		Error  *struct {
			Data struct{ Name, Message string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || v.ID != 7 {
		t.Fatalf("%+v, %v", v, err)
	}
	if v.Error != nil {
		return nil, v.Error.Data.Name
	}
	return v.Result, ""
}

func TestJSONRPC(t *testing.T) {
	t.Parallel()
	url, _, _ := eventmoduletest.Start(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	service := func(service, method string, args ...any) (any, string) {
		return rpc(t, c, url+"/jsonrpc", map[string]any{"service": service, "method": method, "args": args})
	}
	if uid, _ := service("common", "authenticate", "odoo", "admin", "admin", map[string]any{}); uid != 2.0 {
		t.Errorf("uid %v", uid)
	}
	if no, _ := service("common", "login", "odoo", "admin", "wrong"); no != false {
		t.Errorf("a wrong password gives %v", no)
	}
	id, fault := service("object", "execute_kw", "odoo", 2, "admin", "event.event", "create",
		[]any{map[string]any{"name": "Été « & »", "date_begin": "2027-07-05 07:00:00", "date_end": "2027-07-09 14:00:00", "seats_max": 12}})
	if fault != "" {
		t.Fatal(fault)
	}
	rows, fault := service("object", "execute", "odoo", 2, "admin", "event.event", "read", []any{id}, []any{"name", "seats_max", "user_id", "date_begin"})
	if got, ok := rows.([]any); fault != "" || !ok || len(got) != 1 || got[0].(map[string]any)["name"] != "Été « & »" || got[0].(map[string]any)["seats_max"] != 12.0 {
		t.Errorf("%v, %s", rows, fault)
	}
	for want, call := range map[string][]any{
		"odoo.exceptions.AccessDenied": {"odoo", 2, "wrong", "event.event", "search", []any{}},
		"odoo.exceptions.UserError":    {"odoo", 2, "admin", "no.model", "search", []any{}},
		"builtins.ValueError":          {"odoo", 2, "admin", "event.event", "read", []any{id}, []any{"nofield"}},
	} {
		if _, fault := service("object", "execute", call...); fault != want {
			t.Errorf("%v: %q, want %q", call, fault, want)
		}
	}

	// A session.
	kw := map[string]any{"model": "event.event", "method": "search_count", "args": []any{[]any{}}, "kwargs": map[string]any{}}
	if _, fault := rpc(t, c, url+"/web/dataset/call_kw", kw); fault != "odoo.http.SessionExpiredException" {
		t.Errorf("without a session: %q", fault)
	}
	if _, fault := rpc(t, c, url+"/web/session/authenticate", map[string]any{"db": "odoo", "login": "desk", "password": "wrong"}); fault != "odoo.exceptions.AccessDenied" {
		t.Errorf("a wrong password: %q", fault)
	}
	info, fault := rpc(t, c, url+"/web/session/authenticate", map[string]any{"db": "odoo", "login": "desk", "password": "desk"})
	if fault != "" || info.(map[string]any)["uid"] == nil {
		t.Fatalf("%v, %s", info, fault)
	}
	if n, fault := rpc(t, c, url+"/web/dataset/call_kw/event.event/search_count", kw); n != 1.0 || fault != "" {
		t.Errorf("%v, %s", n, fault)
	}
	kw["method"], kw["args"] = "unlink", []any{[]any{id}}
	if _, fault := rpc(t, c, url+"/web/dataset/call_kw", kw); fault != "odoo.exceptions.AccessError" {
		t.Errorf("the desk deletes an event: %q", fault)
	}
	_, _ = rpc(t, c, url+"/web/session/destroy", map[string]any{})
	if _, fault := rpc(t, c, url+"/web/session/get_session_info", map[string]any{}); fault != "odoo.http.SessionExpiredException" {
		t.Errorf("after signing out: %q", fault)
	}
	if v, fault := rpc(t, c, url+"/web/webclient/version_info", map[string]any{}); fault != "" || v.(map[string]any)["server_serie"] != "17.0" {
		t.Errorf("%v, %s", v, fault)
	}

	// What no page of another site may send, and what is no JSON.
	for media, body := range map[string]string{"text/plain": "{}", "application/json": "{\"a\":"} {
		resp, err := c.Post(url+"/jsonrpc", media, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if media == "text/plain" && resp.StatusCode != http.StatusBadRequest || media != "text/plain" && !bytes.Contains(answer, []byte("Invalid JSON data")) {
			t.Errorf("%s %s: %d %s", media, body, resp.StatusCode, answer)
		}
	}
}
