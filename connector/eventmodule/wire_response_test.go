package eventmodule

import (
	"errors"
	"fmt"
	"io"
)

// decodeResponse reads a <methodResponse>; a fault comes back as a *fault
// error. It is the client's half of the wire, for tests and replays.
func decodeResponse(r io.Reader) (any, error) {
	d := newDecoder(r)
	if err := d.open("methodResponse"); err != nil {
		return nil, err
	}
	tag, err := d.child("methodResponse")
	if err != nil {
		return nil, err
	}
	switch tag {
	case "params":
		params, err := d.params()
		if err != nil {
			return nil, err
		}
		if len(params) != 1 {
			return nil, fmt.Errorf("%d values in a response", len(params))
		}
		return params[0], nil
	case "fault":
		if tag, err := d.child("fault"); err != nil || tag != "value" {
			return nil, errors.Join(err, errors.New("no value in a fault"))
		}
		v, err := d.value(0)
		if err != nil {
			return nil, err
		}
		m, _ := v.(map[string]any)
		text, _ := m["faultString"].(string)
		switch code := m["faultCode"].(type) {
		case int64:
			return nil, &fault{code: int(code), text: text}
		case string:
			return nil, &fault{class: code, text: text}
		}
		return nil, errors.New("a fault without a code")
	}
	return nil, fmt.Errorf("unexpected <%s> in <methodResponse>", tag)
}
