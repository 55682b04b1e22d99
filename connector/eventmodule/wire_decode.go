package eventmodule

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxDepth bounds how deep arrays and structs may nest in a request. Odoo
// sets no bound; no client needs more than a dozen levels.
const maxDepth = 100

// wireTime is a <dateTime.iso8601> as it came. Odoo up to 17 refuses it as a
// field value and accepts it in a domain, so it stays apart from strings.
type wireTime string

// decodeCall reads a <methodCall>. Values become nil, bool, int64, float64,
// string, []byte (base64), wireTime, []any and map[string]any.
func decodeCall(r io.Reader) (method string, params []any, err error) {
	d := newDecoder(r)
	if err := d.open("methodCall"); err != nil {
		return "", nil, err
	}
	for {
		tag, err := d.child("methodCall")
		if err != nil {
			return "", nil, err
		}
		switch tag {
		case "":
			return method, params, d.end()
		case "methodName":
			if method, err = d.text("methodName"); err != nil {
				return "", nil, err
			}
			method = strings.TrimSpace(method)
		case "params":
			if params, err = d.params(); err != nil {
				return "", nil, err
			}
		default:
			return "", nil, fmt.Errorf("unexpected <%s> in <methodCall>", tag)
		}
	}
}

// decoder walks the tokens of one message.
type decoder struct{ x *xml.Decoder }

func newDecoder(r io.Reader) *decoder {
	x := xml.NewDecoder(r)
	x.CharsetReader = charsetReader
	return &decoder{x}
}

// charsetReader accepts what Python clients may declare besides UTF-8.
func charsetReader(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii", "utf8":
		return r, nil
	case "iso-8859-1", "latin-1", "latin1":
		return &latin1{r: r}, nil
	}
	return nil, fmt.Errorf("unknown encoding %q", label)
}

// latin1 turns ISO-8859-1 bytes into UTF-8.
type latin1 struct {
	r    io.Reader
	rest bytes.Buffer
}

func (l *latin1) Read(p []byte) (int, error) {
	if l.rest.Len() == 0 {
		in := make([]byte, 4096)
		n, err := l.r.Read(in)
		if n == 0 {
			return 0, err
		}
		for _, b := range in[:n] {
			l.rest.WriteRune(rune(b))
		}
	}
	return l.rest.Read(p)
}

// open skips the prolog and enters the root element.
func (d *decoder) open(root string) error {
	for {
		tok, err := d.x.Token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if t.Name.Local != root {
				return fmt.Errorf("the root is <%s>, not <%s>", t.Name.Local, root)
			}
			return nil
		case xml.Directive:
			return errors.New("a document type is not accepted")
		}
	}
}

// end makes sure nothing but white space and comments follows the root.
func (d *decoder) end() error {
	for {
		tok, err := d.x.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement, xml.EndElement, xml.Directive:
			return errors.New("junk after document element")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("junk after document element")
			}
		}
	}
}

// child returns the next child element of parent, or "" at its end. Text
// between elements is ignored, as Python's parser does.
func (d *decoder) child(parent string) (string, error) {
	for {
		tok, err := d.x.Token()
		if err != nil {
			return "", unexpected(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
		case xml.Directive:
			return "", fmt.Errorf("unexpected directive in <%s>", parent)
		}
	}
}

// text reads the characters up to the end of the current element.
func (d *decoder) text(tag string) (string, error) {
	var b strings.Builder
	for {
		tok, err := d.x.Token()
		if err != nil {
			return "", unexpected(err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement:
			return "", fmt.Errorf("unexpected <%s> in <%s>", t.Name.Local, tag)
		}
	}
}

func (d *decoder) params() ([]any, error) {
	params := []any{}
	for {
		tag, err := d.child("params")
		if err != nil {
			return nil, err
		}
		if tag == "" {
			return params, nil
		}
		if tag != "param" {
			return nil, fmt.Errorf("unexpected <%s> in <params>", tag)
		}
		for {
			tag, err := d.child("param")
			if err != nil {
				return nil, err
			}
			if tag == "" {
				break
			}
			if tag != "value" {
				return nil, fmt.Errorf("unexpected <%s> in <param>", tag)
			}
			v, err := d.value(0)
			if err != nil {
				return nil, err
			}
			params = append(params, v)
		}
	}
}

// value reads what stands in an opened <value>, through its end tag. Bare
// text is a string and an empty <value/> the empty string.
func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("values nest deeper than %d", maxDepth)
	}
	var bare strings.Builder
	var got any
	typed := false
	for {
		tok, err := d.x.Token()
		if err != nil {
			return nil, unexpected(err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			if !typed {
				bare.Write(t)
			}
		case xml.EndElement:
			if typed {
				return got, nil
			}
			return bare.String(), nil
		case xml.StartElement:
			if typed {
				return nil, fmt.Errorf("a second type <%s> in one <value>", t.Name.Local)
			}
			typed = true
			if got, err = d.typed(t.Name.Local, depth); err != nil {
				return nil, err
			}
		}
	}
}

// typed reads an opened type element through its end tag.
func (d *decoder) typed(tag string, depth int) (any, error) {
	switch tag {
	case "array":
		return d.array(depth)
	case "struct":
		return d.members(depth)
	}
	s, err := d.text(tag)
	if err != nil {
		return nil, err
	}
	return scalar(tag, s)
}

// scalar converts the text of a simple type element.
func scalar(tag, s string) (any, error) {
	switch tag {
	case "string":
		return s, nil
	case "int", "i1", "i2", "i4", "i8", "biginteger":
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("invalid literal for int() with base 10: %s", pyRepr(s))
		}
		return n, nil
	case "boolean":
		switch strings.TrimSpace(s) {
		case "0":
			return false, nil
		case "1":
			return true, nil
		}
		return nil, errors.New("bad boolean value")
	case "double", "float":
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("could not convert string to float: %s", pyRepr(s))
		}
		return f, nil
	case "dateTime.iso8601":
		return wireTime(strings.TrimSpace(s)), nil
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n", r) {
				return -1
			}
			return r
		}, s)
		b, err := base64.StdEncoding.DecodeString(clean)
		if err != nil {
			return nil, errors.New("binascii.Error: Incorrect padding")
		}
		return b, nil
	case "nil":
		return nil, nil
	}
	return nil, fmt.Errorf("unknown tag %s", pyRepr(tag))
}

func (d *decoder) array(depth int) (any, error) {
	list := []any{}
	for {
		tag, err := d.child("array")
		if err != nil {
			return nil, err
		}
		if tag == "" {
			return list, nil
		}
		if tag != "data" {
			return nil, fmt.Errorf("unexpected <%s> in <array>", tag)
		}
		for {
			tag, err := d.child("data")
			if err != nil {
				return nil, err
			}
			if tag == "" {
				break
			}
			if tag != "value" {
				return nil, fmt.Errorf("unexpected <%s> in <data>", tag)
			}
			v, err := d.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	}
}

func (d *decoder) members(depth int) (any, error) {
	m := map[string]any{}
	for {
		tag, err := d.child("struct")
		if err != nil {
			return nil, err
		}
		if tag == "" {
			return m, nil
		}
		if tag != "member" {
			return nil, fmt.Errorf("unexpected <%s> in <struct>", tag)
		}
		name, named := "", false
		var v any
		for {
			tag, err := d.child("member")
			if err != nil {
				return nil, err
			}
			if tag == "" {
				break
			}
			switch tag {
			case "name":
				if name, err = d.text("name"); err != nil {
					return nil, err
				}
				named = true
			case "value":
				if v, err = d.value(depth + 1); err != nil {
					return nil, err
				}
			default:
				return nil, fmt.Errorf("unexpected <%s> in <member>", tag)
			}
		}
		if !named {
			return nil, errors.New("a member without a name")
		}
		m[name] = v
	}
}

// unexpected names the end of the input inside an element.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
