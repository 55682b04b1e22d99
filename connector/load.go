package connector

import (
	"context"
	"fmt"
	"regexp"
)

// LoadMessage is what Odoo has to say about a row of a Load.
type LoadMessage struct {
	// Row is the index of the row in the call, or -1 when Odoo names none.
	Row int
	// Field is the column meant, or "".
	Field string
	// Message is Odoo's text, for people; like Fault.Message it is not logged.
	Message string
	// Warning says that the row was loaded all the same.
	Warning bool
	// Kind is KindConflict when a repeat may pass, else KindUser.
	Kind Kind
}

// loadField is what may be a column: a field, "id" for the external id, ".id"
// for the database id, "field/id" and "field/.id" for the same of a many2one.
var loadField = regexp.MustCompile(`^(\.id|[a-z_][a-z0-9_]*(/\.?id)?)$`)

// Load creates and updates records in one transaction, by external id (first
// column "id") or by database id (first column ".id"); never both, since Odoo
// would then make a second record. Values are text, as in a spreadsheet: ""
// empties a field, selections take their technical value, instants are UTC.
//
// When every row is good it returns their ids in the order of the rows, and
// perhaps warnings. When a row is refused nothing at all is changed: ids is
// nil and the messages tell the rows to leave out; more rows may be refused on
// the next attempt, since Odoo stops at ten. Under external ids the call may
// be repeated after any fault: no record is doubled.
//
// It sends no confirmation mail: Odoo loads in its install mode.
func (c *Client) Load(ctx context.Context, model string, fields []string, rows [][]string) ([]int64, []LoadMessage, error) {
	if err := checkLoad(fields, rows); err != nil {
		return nil, nil, fmt.Errorf("odoo: %s.load: %w", model, err)
	}
	if len(rows) == 0 {
		return nil, nil, nil
	}
	v, err := c.execute(ctx, call{
		Model: model, Method: "load", Args: []any{fields, rows},
		Kwargs: map[string]any{"context": map[string]any{
			"tracking_disable":        true,
			"mail_create_nolog":       true,
			"mail_create_nosubscribe": true,
			"mail_notrack":            true,
			// Instants are read in the zone of the context.
			"tz": "UTC",
		}},
	})
	if err != nil {
		return nil, nil, err
	}
	return loaded(model, v, len(rows))
}

func checkLoad(fields []string, rows [][]string) error {
	if len(fields) == 0 || fields[0] != "id" && fields[0] != ".id" {
		return fmt.Errorf("the first column must be id or .id")
	}
	for i, f := range fields {
		if !loadField.MatchString(f) {
			return fmt.Errorf("%q is not a column", f)
		}
		if i > 0 && (f == "id" || f == ".id") {
			return fmt.Errorf("a second column of ids would double the records")
		}
	}
	for i, r := range rows {
		if len(r) != len(fields) {
			return fmt.Errorf("row %d has %d values for %d columns", i, len(r), len(fields))
		}
		if r[0] == "" {
			return fmt.Errorf("row %d has no id", i)
		}
	}
	return nil
}

// loaded reads the answer of load for n rows.
func loaded(model string, v any, n int) ([]int64, []LoadMessage, error) {
	d, ok := v.(map[string]any)
	if !ok {
		return nil, nil, ambiguousValue(model, "load", v)
	}
	list, _ := d["messages"].([]any)
	messages := make([]LoadMessage, 0, len(list))
	refused := false
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, nil, ambiguousValue(model, "load", e)
		}
		messages = append(messages, loadMessage(m, n))
		refused = refused || m["type"] == "error"
	}
	switch ids := d["ids"].(type) {
	case bool:
		if !ids && len(messages) > 0 {
			return nil, messages, nil
		}
	case []any:
		got, err := idList(ids)
		if err == nil && len(got) == n && !refused {
			return got, messages, nil
		}
	}
	return nil, messages, ambiguousValue(model, "load", d["ids"])
}

func loadMessage(m map[string]any, n int) LoadMessage {
	out := LoadMessage{Row: -1, Kind: KindUser, Warning: m["type"] == "warning"}
	if i, ok := m["record"].(int64); ok && i >= 0 && i < int64(n) {
		out.Row = int(i)
	} else if span, ok := m["rows"].(map[string]any); ok {
		if i, ok := span["from"].(int64); ok && i >= 0 && i < int64(n) {
			out.Row = int(i)
		}
	}
	out.Field, _ = m["field"].(string)
	text, _ := m["message"].(string)
	out.Message = tidy(text)
	if serialization(text) {
		out.Kind = KindConflict
	}
	return out
}
