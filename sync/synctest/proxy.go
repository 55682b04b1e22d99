// Package synctest stands between a client of Odoo and its server and spoils answers as told: what networks, reverse
// proxies and busy servers do, on purpose.
package synctest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is one way to spoil a call.
type Fault int

// The faults. Those whose name ends in Unsent keep the call from the server; with the others the server carries it out.
const (
	None            Fault = iota
	CutUnsent             // the connection breaks before the server hears of the call
	CutBefore             // … before the answer begins
	CutDuring             // … in the middle of the answer
	CutAfter              // … right after the answer: nothing is lost
	SilenceUnsent         // no answer, until the client gives up
	Silence               // the same, and the server did the work
	GatewayUnsent         // 502 with HTML
	Gateway               // the same after the server did the work
	Truncated             // a complete HTTP answer whose XML ends in the middle
	Oversized             // an answer larger than any client should read
	WrongTypes            // valid XML-RPC with values of other types
	NotXML                // 200 with an HTML page
	ConflictUnsent        // Odoo's fault for two transactions in each other's way
	OverloadUnsent        // Odoo's fault without a free database connection
	ExceptionUnsent       // a traceback of some module
	faults
)

var names = map[Fault]string{
	None: "none", CutUnsent: "cut before the call", CutBefore: "cut before the answer", CutDuring: "cut during the answer", CutAfter: "cut after the answer",
	SilenceUnsent: "silence, call lost", Silence: "silence, call done", GatewayUnsent: "502, call lost", Gateway: "502, call done",
	Truncated: "truncated XML", Oversized: "oversized answer", WrongTypes: "wrong types", NotXML: "a page of HTML",
	ConflictUnsent: "serialization conflict", OverloadUnsent: "no database connection", ExceptionUnsent: "an exception in Odoo",
}

func (f Fault) String() string { return names[f] }

// All lists every fault.
func All() []Fault {
	all := make([]Fault, 0, faults)
	for f := CutUnsent; f < faults; f++ {
		all = append(all, f)
	}
	return all
}

// Oversize is how much an oversized answer holds: more than a client that reads at most 1 MiB.
const Oversize = 2 << 20

// Proxy passes calls on to an Odoo.
type Proxy struct {
	URL string

	web      *httptest.Server
	client   *http.Client
	mu       sync.Mutex
	upstream string
	choose   func(method string) Fault
	counts   map[Fault]int
	calls    map[string]int
	down     bool
	closed   chan struct{}
}

// Start runs a proxy before an Odoo until the test ends. It passes everything on until Spoil is called.
func Start(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p := &Proxy{upstream: upstream, counts: map[Fault]int{}, calls: map[string]int{}, closed: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	p.web = httptest.NewServer(p)
	p.URL = p.web.URL
	t.Cleanup(func() {
		close(p.closed)
		p.web.CloseClientConnections()
		p.web.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// Spoil lets choose say for each call ("event.registration.load", "version") what happens to it; nil is nothing.
func (p *Proxy) Spoil(choose func(method string) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// Once spoils the next n calls of a method, or of every method for "".
func (p *Proxy) Once(method string, f Fault, n int) {
	var mu sync.Mutex
	p.Spoil(func(m string) Fault {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 && (method == "" || m == method) {
			n--
			return f
		}
		return None
	})
}

// Redirect passes on to another server from now on: the old one was restarted.
func (p *Proxy) Redirect(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = upstream
}

// Down refuses every connection while it is true.
func (p *Proxy) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Counts tells how often each fault happened.
func (p *Proxy) Counts() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[Fault]int, len(p.counts))
	for f, n := range p.counts {
		all[f] = n
	}
	return all
}

// Calls tells how often each method was called since the last time it was asked.
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.calls
	p.calls = map[string]int{}
	return all
}

var (
	methodName = regexp.MustCompile(`<methodName>([^<]*)</methodName>`)
	textParam  = regexp.MustCompile(`<param><value><string>([^<]*)</string></value></param>`)
)

// methodOf names the call in a request: model and method for execute_kw.
func methodOf(body []byte) string {
	m := methodName.FindSubmatch(body)
	if m == nil {
		return ""
	}
	if string(m[1]) != "execute_kw" {
		return string(m[1])
	}
	head := body[:min(len(body), 4096)]
	params := textParam.FindAllSubmatch(head, 5) // database, password, model, method
	if len(params) < 4 {
		return "execute_kw"
	}
	return string(params[2][1]) + "." + string(params[3][1])
}

// ServeHTTP passes one call on, or spoils it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	method := methodOf(body)
	p.mu.Lock()
	upstream, down, choose := p.upstream, p.down, p.choose
	p.calls[method]++
	p.mu.Unlock()
	if down {
		cut(w, nil)
		return
	}
	f := None
	if choose != nil {
		f = choose(method)
	}
	p.mu.Lock()
	p.counts[f]++
	p.mu.Unlock()
	switch f {
	case CutUnsent:
		cut(w, nil)
		return
	case SilenceUnsent:
		p.wait(r)
		return
	case GatewayUnsent:
		gateway(w)
		return
	case ConflictUnsent:
		xml(w, fault("Traceback (most recent call last):\npsycopg2.errors.SerializationFailure: could not serialize access due to concurrent update\n"))
		return
	case OverloadUnsent:
		xml(w, fault("Traceback (most recent call last):\npsycopg2.pool.PoolError: The Connection Pool Is Full\n"))
		return
	case ExceptionUnsent:
		xml(w, fault("Traceback (most recent call last):\n  File \"custom.py\", in create\nAttributeError: 'NoneType' object has no attribute 'zip'\n"))
		return
	}
	status, answer, err := p.pass(r, upstream, body)
	if err != nil {
		cut(w, nil)
		return
	}
	p.answer(w, r, f, status, answer)
}

// answer gives the server's answer as the fault leaves it.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, f Fault, status int, answer []byte) {
	switch f {
	case CutBefore:
		cut(w, nil)
	case CutDuring:
		cut(w, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer[:len(answer)/2]))
	case CutAfter:
		cut(w, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))
	case Silence:
		p.wait(r)
	case Gateway:
		gateway(w)
	case Truncated:
		xml(w, answer[:len(answer)*2/3])
	case Oversized:
		xml(w, []byte("<?xml version='1.0'?>\n<methodResponse><params><param><value><string>"+strings.Repeat("x", Oversize)+"</string></value></param></params></methodResponse>"))
	case WrongTypes:
		xml(w, []byte("<?xml version='1.0'?>\n<methodResponse><params><param><value><array><data><value><double>1.5</double></value><value><struct><member><name>id</name><value><string>7</string></value></member></struct></value></data></array></value></param></params></methodResponse>"))
	case NotXML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><title>Maintenance</title><p>De retour bientôt.</p></html>")
	default:
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}
}

// pass carries a call to the server, whatever becomes of the caller.
func (p *Proxy) pass(r *http.Request, upstream string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, upstream+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// wait holds the connection until the client gives up; at most a minute.
func (p *Proxy) wait(r *http.Request) {
	t := time.NewTimer(time.Minute)
	defer t.Stop()
	select {
	case <-r.Context().Done():
	case <-p.closed:
	case <-t.C:
	}
}

// cut writes what is left to say and breaks the connection.
func cut(w http.ResponseWriter, last []byte) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write(last)
	if tcp, ok := conn.(*net.TCPConn); ok && last == nil {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func gateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>")
}

func xml(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write(body)
}

func fault(text string) []byte {
	return []byte("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>1</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>" +
		strings.ReplaceAll(strings.ReplaceAll(text, "&", "&amp;"), "<", "&lt;") + "</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n")
}
