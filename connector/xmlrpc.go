package connector

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kolo/xmlrpc"
)

// xmlrpcCaller speaks /xmlrpc/2. The older /xmlrpc answers faults that no
// codec decodes.
type xmlrpcCaller struct {
	common, object     string
	db, user, password string
	client             *http.Client
	timeout            time.Duration
	maxBody            int64
	slots              chan struct{}
}

func newXMLRPC(cfg Config, root *url.URL) *xmlrpcCaller {
	dialer := &net.Dialer{Timeout: min(cfg.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	return &xmlrpcCaller{
		common: root.JoinPath("xmlrpc/2/common").String(),
		object: root.JoinPath("xmlrpc/2/object").String(),
		db:     cfg.DB, user: cfg.User, password: cfg.Password,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           dialer.DialContext,
				TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:   10 * time.Second,
				MaxConnsPerHost:       cfg.MaxCalls,
				MaxIdleConnsPerHost:   cfg.MaxCalls,
				IdleConnTimeout:       30 * time.Second,
				ExpectContinueTimeout: time.Second,
			},
			// A 301 would turn the POST into a GET and send the password to
			// another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: cfg.Timeout,
		maxBody: cfg.MaxBody,
		slots:   make(chan struct{}, cfg.MaxCalls),
	}
}

func (x *xmlrpcCaller) close() { x.client.CloseIdleConnections() }

func (x *xmlrpcCaller) version(ctx context.Context) (any, error) {
	return x.do(ctx, x.common, "version", nil, call{Method: "version", ReadOnly: true})
}

func (x *xmlrpcCaller) authenticate(ctx context.Context) (int64, error) {
	c := call{Method: "authenticate", ReadOnly: true}
	args := []any{x.db, x.user, x.password, map[string]any{}}
	v, err := x.do(ctx, x.common, "authenticate", args, c)
	if err != nil {
		return 0, err
	}
	switch uid := v.(type) {
	case int64:
		if uid > 0 {
			return uid, nil
		}
	case bool:
		if !uid {
			return 0, nil
		}
	}
	return 0, lost(c, KindProtocol, CodeValue, fmt.Sprintf("The server answered the sign-in with %T.", v), true, nil)
}

func (x *xmlrpcCaller) execute(ctx context.Context, uid int64, c call) (any, error) {
	args := c.Args
	if args == nil {
		args = []any{}
	}
	positional, err := outgoing(args)
	if err != nil {
		return nil, fmt.Errorf("odoo: %s.%s: %w", c.Model, c.Method, err)
	}
	params := []any{x.db, uid, x.password, c.Model, c.Method, positional}
	if len(c.Kwargs) > 0 {
		kwargs, err := outgoing(c.Kwargs)
		if err != nil {
			return nil, fmt.Errorf("odoo: %s.%s: %w", c.Model, c.Method, err)
		}
		params = append(params, kwargs)
	}
	return x.do(ctx, x.object, "execute_kw", params, c)
}

// do sends one request, once more when a call that only reads loses its
// connection before the answer begins.
func (x *xmlrpcCaller) do(ctx context.Context, endpoint, method string, params []any, c call) (any, error) {
	v, err := x.once(ctx, endpoint, method, params, c)
	if c.ReadOnly && hasCode(err, CodeCut) && ctx.Err() == nil {
		return x.once(ctx, endpoint, method, params, c)
	}
	return v, err
}

func (x *xmlrpcCaller) once(ctx context.Context, endpoint, method string, params []any, c call) (any, error) {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return nil, x.networkFault(ctx, c, ctx.Err(), false)
	}
	body, sent, err := x.post(ctx, endpoint, method, params, c)
	if err != nil {
		return nil, err
	}
	v, err := decodeAnswer(body)
	if err == nil {
		return v, nil
	}
	if committedNone(err) {
		return nil, nil //nolint:nilnil // None is a value in Odoo, and the call succeeded.
	}
	if fe, ok := errors.AsType[xmlrpc.FaultError](err); ok {
		return nil, faultOf(fe, c)
	}
	if errors.Is(err, errTruncated) {
		return nil, lost(c, KindTemporary, CodeCut, "The server's answer was cut off.", sent, nil)
	}
	return nil, lost(c, KindProtocol, CodeNotOdoo, "The server's answer is not valid XML-RPC: "+tidy(err.Error()), sent, nil)
}

// post returns the body of a 200 answer in XML. sent says that a connection
// existed.
func (x *xmlrpcCaller) post(ctx context.Context, endpoint, method string, params []any, c call) (body []byte, sent bool, err error) {
	req, err := xmlrpc.NewRequest(endpoint, method, params)
	if err != nil {
		return nil, false, fmt.Errorf("odoo: encoding %s.%s: %w", c.Model, c.Method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	resp, err := x.client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, connected.Load(), x.networkFault(ctx, c, err, connected.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	if f := checkHead(resp, c); f != nil {
		// A short error page is read to its end, so that the connection can
		// serve again.
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		return nil, true, f
	}
	if resp.ContentLength > x.maxBody {
		return nil, true, x.tooLarge(c)
	}
	body, err = readBody(resp, x.maxBody)
	if err != nil {
		return nil, true, x.networkFault(ctx, c, err, true)
	}
	if int64(len(body)) > x.maxBody {
		return nil, true, x.tooLarge(c)
	}
	return body, true, nil
}

func (x *xmlrpcCaller) tooLarge(c call) *Fault {
	return lost(c, KindProtocol, CodeTooLarge, fmt.Sprintf("The answer is larger than %d MiB.", x.maxBody>>20), true, nil)
}

// readBody reads at most one byte more than limit. What the server announces
// is believed up to 4 MiB.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(max(resp.ContentLength, 0), 4<<20)) + bytes.MinRead)
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	return buf.Bytes(), err
}

// checkHead refuses what cannot be an answer of Odoo, which says 200 and
// text/xml even for faults.
func checkHead(resp *http.Response, c call) *Fault {
	code := resp.StatusCode
	switch {
	case code >= 300 && code < 400:
		where := "another address"
		if to, err := resp.Location(); err == nil && to.Host != "" {
			where = to.Scheme + "://" + to.Host
		}
		return lost(c, KindProtocol, CodeRedirect, "The server redirects to "+tidy(where)+"; give the final address.", false, nil)
	case code == http.StatusTooManyRequests:
		return lost(c, KindTemporary, CodeStatus, "The server asks for fewer calls (HTTP 429).", false, nil)
	case code == http.StatusRequestTimeout, code >= 500:
		return lost(c, KindTemporary, CodeStatus, fmt.Sprintf("The server is not available (HTTP %d).", code), true, nil)
	case code != http.StatusOK:
		return lost(c, KindProtocol, CodeNotOdoo, fmt.Sprintf("No Odoo answers at this address (HTTP %d).", code), false, nil)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || (media != "text/xml" && media != "application/xml") {
		return lost(c, KindProtocol, CodeNotOdoo, "The answer is not XML: no Odoo at this address.", true, nil)
	}
	return nil
}

// networkFault sorts what went wrong on the way. The library's texts quote
// addresses and are replaced by sentences of ours.
func (x *xmlrpcCaller) networkFault(ctx context.Context, c call, err error, sent bool) *Fault {
	var (
		opErr     *net.OpError
		dnsErr    *net.DNSError
		verifyErr *tls.CertificateVerificationError
		recordErr tls.RecordHeaderError
		alertErr  tls.AlertError
		hostErr   x509.HostnameError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return lost(c, KindTemporary, CodeCanceled, "The call was given up.", sent, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ctx.Err() != nil:
		return lost(c, KindTemporary, CodeTimeout, "The server did not answer in time.", sent, context.DeadlineExceeded)
	case errors.As(err, &hostErr):
		return lost(c, KindProtocol, CodeTLS, "The server's certificate is for another name.", false, nil)
	case errors.As(err, &verifyErr):
		return lost(c, KindProtocol, CodeTLS, "The server's certificate is not trusted: "+tidy(verifyErr.Err.Error())+".", false, nil)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &recordErr), errors.As(err, &alertErr):
		return lost(c, KindProtocol, CodeTLS, "The server does not speak TLS at this address.", false, nil)
	case errors.As(err, &dnsErr):
		return lost(c, KindTemporary, CodeUnreachable, "The server's name is not known.", false, nil)
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return lost(c, KindTemporary, CodeUnreachable, "No connection to the server.", false, nil)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return lost(c, KindTemporary, CodeCut, "The connection broke.", sent, nil)
	case !sent:
		return lost(c, KindTemporary, CodeUnreachable, "No connection to the server.", false, nil)
	}
	return lost(c, KindTemporary, CodeCut, "The connection broke.", true, nil)
}
