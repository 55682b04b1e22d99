package house

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Odoo is another client of the same Odoo, written for these journeys alone: what the connector writes is read by
// somebody else.
type Odoo struct {
	URL, DB, User, Password string

	uid any
}

// Fault is an XML-RPC fault.
type Fault struct {
	Code int64
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("fault %d: %.600s", f.Code, f.Text) }

// Call runs a method of a model with positional and keyword arguments.
func (o *Odoo) Call(ctx context.Context, model, method string, args []any, kw map[string]any) (any, error) {
	if o.uid == nil {
		uid, err := o.rpc(ctx, "common", "authenticate", o.DB, o.User, o.Password, map[string]any{})
		if err != nil {
			return nil, err
		}
		if _, ok := uid.(int64); !ok {
			return nil, errors.New("Odoo refuses the user or the password")
		}
		o.uid = uid
	}
	if kw == nil {
		kw = map[string]any{}
	}
	v, err := o.rpc(ctx, "object", "execute_kw", o.DB, o.uid, o.Password, model, method, args, kw)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", model, method, err)
	}
	return v, nil
}

// Rows searches a model and reads fields of what it finds, in the order of ids.
func (o *Odoo) Rows(ctx context.Context, model string, domain []any, fields ...string) ([]map[string]any, error) {
	v, err := o.Call(ctx, model, "search_read", []any{domain}, map[string]any{"fields": list(fields), "order": "id", "context": map[string]any{"active_test": false}})
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for _, r := range v.([]any) {
		rows = append(rows, r.(map[string]any))
	}
	return rows, nil
}

// Create makes one record and returns its id.
func (o *Odoo) Create(ctx context.Context, model string, values map[string]any) (int64, error) {
	v, err := o.Call(ctx, model, "create", []any{values}, nil)
	if err != nil {
		return 0, err
	}
	id, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("creating a record of %s gives %v", model, v)
	}
	return id, nil
}

// Named returns the record of a model with this name among the domain's, made when missing.
func (o *Odoo) Named(ctx context.Context, model, name string, values map[string]any) (int64, error) {
	domain := []any{[]any{"name", "=", name}}
	for k, v := range values {
		domain = append(domain, []any{k, "=", v})
	}
	rows, err := o.Rows(ctx, model, domain, "name")
	if err != nil {
		return 0, err
	}
	if len(rows) > 0 {
		return rows[0]["id"].(int64), nil
	}
	all := map[string]any{"name": name}
	for k, v := range values {
		all[k] = v
	}
	return o.Create(ctx, model, all)
}

func list(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

func (o *Odoo) rpc(ctx context.Context, service, method string, params ...any) (any, error) {
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params>")
	for _, p := range params {
		b.WriteString("<param>")
		if err := encode(&b, p); err != nil {
			return nil, err
		}
		b.WriteString("</param>")
	}
	b.WriteString("</params></methodCall>")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(o.URL, "/")+"/xmlrpc/2/"+service, &b)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return decode(resp.Body)
}

func encode(b *bytes.Buffer, v any) error {
	b.WriteString("<value>")
	switch v := v.(type) {
	case string:
		b.WriteString("<string>")
		if err := xml.EscapeText(b, []byte(v)); err != nil {
			return err
		}
		b.WriteString("</string>")
	case int:
		fmt.Fprintf(b, "<int>%d</int>", v)
	case int64:
		fmt.Fprintf(b, "<int>%d</int>", v)
	case float64:
		fmt.Fprintf(b, "<double>%s</double>", strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		if v {
			b.WriteString("<boolean>1</boolean>")
		} else {
			b.WriteString("<boolean>0</boolean>")
		}
	case []any:
		b.WriteString("<array><data>")
		for _, one := range v {
			if err := encode(b, one); err != nil {
				return err
			}
		}
		b.WriteString("</data></array>")
	case map[string]any:
		b.WriteString("<struct>")
		for name, one := range v {
			b.WriteString("<member><name>" + name + "</name>")
			if err := encode(b, one); err != nil {
				return err
			}
			b.WriteString("</member>")
		}
		b.WriteString("</struct>")
	default:
		return fmt.Errorf("XML-RPC has no word for %T", v)
	}
	b.WriteString("</value>")
	return nil
}

// value is a value as it stands in XML; exactly one of its fields is filled, or the text of an untyped one.
type value struct {
	Text    string    `xml:",chardata"`
	Int     *string   `xml:"int"`
	I4      *string   `xml:"i4"`
	I8      *string   `xml:"i8"`
	Boolean *string   `xml:"boolean"`
	Double  *string   `xml:"double"`
	String  *string   `xml:"string"`
	Nil     *struct{} `xml:"nil"`
	Array   *struct {
		Values []value `xml:"data>value"`
	} `xml:"array"`
	Struct *struct {
		Members []struct {
			Name  string `xml:"name"`
			Value value  `xml:"value"`
		} `xml:"member"`
	} `xml:"struct"`
}

func decode(r io.Reader) (any, error) {
	var answer struct {
		Params []value `xml:"params>param>value"`
		Fault  *value  `xml:"fault>value"`
	}
	if err := xml.NewDecoder(r).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if answer.Fault != nil {
		v, err := answer.Fault.any()
		if err != nil {
			return nil, err
		}
		m, _ := v.(map[string]any)
		code, _ := m["faultCode"].(int64)
		text, _ := m["faultString"].(string)
		if len(text) > 600 {
			text = text[len(text)-600:] // a traceback ends with what matters
		}
		return nil, &Fault{code, text}
	}
	if len(answer.Params) != 1 {
		return nil, fmt.Errorf("an answer of %d values", len(answer.Params))
	}
	return answer.Params[0].any()
}

func (v value) any() (any, error) {
	for _, n := range []*string{v.Int, v.I4, v.I8} {
		if n != nil {
			return strconv.ParseInt(strings.TrimSpace(*n), 10, 64)
		}
	}
	switch {
	case v.Boolean != nil:
		return strings.TrimSpace(*v.Boolean) == "1", nil
	case v.Double != nil:
		return strconv.ParseFloat(strings.TrimSpace(*v.Double), 64)
	case v.String != nil:
		return *v.String, nil
	case v.Nil != nil:
		return nil, nil
	case v.Array != nil:
		out := []any{}
		for _, one := range v.Array.Values {
			x, err := one.any()
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	case v.Struct != nil:
		out := map[string]any{}
		for _, m := range v.Struct.Members {
			x, err := m.Value.any()
			if err != nil {
				return nil, err
			}
			out[m.Name] = x
		}
		return out, nil
	}
	return v.Text, nil
}
