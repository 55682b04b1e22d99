package eventmodule

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ribambelle/internal/db/dbtest"
)

// peer is a running server and the calls a client makes on it.
type peer struct {
	t     testing.TB
	srv   *Server
	uid   int64
	login string
}

// start opens a server on a fresh database for an administrator.
func start(t testing.TB, opts ...func(*Options)) *peer {
	t.Helper()
	o := Options{DB: "o17", Users: []User{
		{Login: "admin", Password: "admin", Admin: true},
		{Login: "desk", Password: "desk", Desk: true},
		{Login: "contacts", Password: "contacts", Desk: true, ContactCreation: true},
	}}
	for _, opt := range opts {
		opt(&o)
	}
	srv, err := Open(t.Context(), dbtest.Empty(t).Pool, o)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, srv: srv, uid: srv.byLogin["admin"].id, login: "admin"}
}

// as returns the same server seen by another login.
func (p *peer) as(login string) *peer {
	return &peer{t: p.t, srv: p.srv, uid: p.srv.byLogin[login].id, login: login}
}

// faultOf is the fault an error carries.
func faultOf(err error) (*fault, bool) {
	var f *fault
	return f, errors.As(err, &f)
}

// post sends a body to a service and decodes the answer.
func (p *peer) post(path string, body []byte) (any, error) {
	w := httptest.NewRecorder()
	p.srv.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	return decodeResponse(w.Body)
}

// try calls a model's method over the wire.
func (p *peer) try(model, method string, args []any, kwargs object) (any, error) {
	p.t.Helper()
	b := []byte("<?xml version='1.0'?>\n<methodCall><methodName>execute_kw</methodName><params>")
	for _, v := range []any{p.srv.db, p.uid, p.login, model, method, args, kwargs} {
		var err error
		b = append(b, "<param>"...)
		if b, err = appendValue(b, v); err != nil {
			p.t.Fatal(err)
		}
		b = append(b, "</param>"...)
	}
	return p.post("/xmlrpc/2/object", append(b, "</params></methodCall>"...))
}

// do is try for calls that must succeed.
func (p *peer) do(model, method string, args []any, kwargs object) any {
	p.t.Helper()
	v, err := p.try(model, method, args, kwargs)
	if err != nil {
		p.t.Fatalf("%s.%s%s: %v", model, method, pyRepr(args), err)
	}
	return v
}

// create makes one row and returns its id.
func (p *peer) create(model string, vals object) int64 {
	p.t.Helper()
	id, ok := p.do(model, "create", []any{vals}, nil).(int64)
	if !ok {
		p.t.Fatalf("create of %s answered no id", model)
	}
	return id
}

// get reads one field of one row.
func (p *peer) get(model string, id int64, field string) any {
	p.t.Helper()
	rows := p.do(model, "read", []any{[]any{id}, []any{field}}, nil).([]any)
	if len(rows) != 1 {
		p.t.Fatalf("%s %d is not there", model, id)
	}
	return rows[0].(map[string]any)[field]
}

// event makes an event with seats; 0 is without limit.
func (p *peer) event(name string, seats int) int64 {
	p.t.Helper()
	return p.create("event.event", object{
		{"name", name},
		{"date_begin", "2027-03-01 08:00:00"},
		{"date_end", "2027-03-02 16:30:00"},
		{"date_tz", "Europe/Brussels"},
		{"seats_limited", seats > 0},
		{"seats_max", seats},
	})
}

func TestOpenTwiceKeepsRows(t *testing.T) {
	t.Parallel()
	p := start(t)
	id := p.event("Ferme", 3)
	again, err := Open(t.Context(), p.srv.pool, Options{DB: "o17", Users: []User{{Login: "admin", Password: "other", Admin: true}}})
	if err != nil {
		t.Fatal(err)
	}
	q := &peer{t: t, srv: again, uid: 2, login: "other"} // the helper sends the login as password
	if got := q.get("event.event", id, "name"); got != "Ferme" {
		t.Errorf("after reopening, name = %v", got)
	}
	if got, err := again.common("authenticate", []any{"o17", "admin", "admin", map[string]any{}}); got != false || err != nil {
		t.Errorf("the old password answers %v, %v; want false", got, err)
	}
}

func TestCallIsBoundInTime(t *testing.T) {
	t.Parallel()
	if callLimit > 2*time.Minute {
		t.Errorf("callLimit = %v, longer than the overlap pulls use", callLimit)
	}
}
