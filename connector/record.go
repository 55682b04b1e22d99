package connector

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Execute calls any public method of a model. It is meant for what has no
// method of its own here; a method that returns None gives nil. Answers are
// nil, bool, int64, float64, string, []any or map[string]any.
func (c *Client) Execute(ctx context.Context, model, method string, args []any, kwargs map[string]any) (any, error) {
	return c.execute(ctx, call{Model: model, Method: method, Args: args, Kwargs: kwargs})
}

// SearchCount counts the records that match an Odoo domain, archived ones
// included.
func (c *Client) SearchCount(ctx context.Context, model string, domain []any) (int64, error) {
	if domain == nil {
		domain = []any{}
	}
	v, err := c.execute(ctx, call{
		Model: model, Method: "search_count", Args: []any{domain}, ReadOnly: true,
		Kwargs: map[string]any{"context": map[string]any{"active_test": false}},
	})
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok || n < 0 {
		return 0, badValue(model, fmt.Sprintf("search_count is a %T", v))
	}
	return n, nil
}

// Create makes one record and returns its id. The call cannot be repeated
// after an ambiguous fault: prefer Load, which can. A registration created in
// state open makes Odoo mail its confirmation before it answers, 1.2 s each.
func (c *Client) Create(ctx context.Context, model string, values map[string]any) (int64, error) {
	ids, err := c.CreateAll(ctx, model, []map[string]any{values})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// CreateAll makes records in one transaction, all or none, and returns their
// ids in the order given.
func (c *Client) CreateAll(ctx context.Context, model string, values []map[string]any) ([]int64, error) {
	if len(values) == 0 {
		return nil, nil
	}
	v, err := c.execute(ctx, call{Model: model, Method: "create", Args: []any{values}})
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, ambiguousValue(model, "create", v)
	}
	ids, err := idList(list)
	if err != nil || len(ids) != len(values) {
		return nil, ambiguousValue(model, "create", v)
	}
	return ids, nil
}

// Write sets values on records, in one transaction. It returns a missing fault
// when one of them does not exist.
func (c *Client) Write(ctx context.Context, model string, ids []int64, values map[string]any) error {
	return c.change(ctx, model, "write", ids, ids, values)
}

// Unlink deletes records, in one transaction.
func (c *Client) Unlink(ctx context.Context, model string, ids []int64) error {
	return c.change(ctx, model, "unlink", ids, ids)
}

func (c *Client) change(ctx context.Context, model, method string, ids []int64, args ...any) error {
	if len(ids) == 0 {
		return nil
	}
	v, err := c.execute(ctx, call{Model: model, Method: method, Args: args})
	if err != nil {
		return err
	}
	if done, ok := v.(bool); !ok || !done {
		return ambiguousValue(model, method, v)
	}
	return nil
}

// ambiguousValue is for a change whose answer is not what Odoo answers.
func ambiguousValue(model, method string, v any) *Fault {
	f := badValue(model, fmt.Sprintf("%s answers a %T", method, v))
	f.Method, f.Ambiguous = method, true
	return f
}

// Metadata is what Odoo knows about a record beside its fields.
type Metadata struct {
	ID int64
	// XMLIDs are the record's external ids, as in "event.event_stage_new". Odoo
	// 14 tells one of them only.
	XMLIDs []string
}

// Has reports whether the record carries an external id.
func (m Metadata) Has(xmlID string) bool { return slices.Contains(m.XMLIDs, xmlID) }

// HasModule reports whether the record carries an external id of a module:
// the part before the dot.
func (m Metadata) HasModule(module string) bool {
	return slices.ContainsFunc(m.XMLIDs, func(x string) bool { return strings.HasPrefix(x, module+".") })
}

// metadataPage is the number of records whose metadata is asked at once.
const metadataPage = 1000

// Metadata returns the external ids of the given records, by a method that
// needs no right on ir.model.data. Records that do not exist are left out.
func (c *Client) Metadata(ctx context.Context, model string, ids []int64) ([]Metadata, error) {
	var all []Metadata
	for chunk := range slices.Chunk(ids, metadataPage) {
		v, err := c.execute(ctx, call{Model: model, Method: "get_metadata", Args: []any{chunk}, ReadOnly: true})
		if err != nil {
			return nil, err
		}
		list, ok := v.([]any)
		if !ok {
			return nil, badValue(model, fmt.Sprintf("get_metadata is a %T", v))
		}
		for _, e := range list {
			m, err := metadataOf(model, e)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

func metadataOf(model string, v any) (Metadata, error) {
	d, ok := v.(map[string]any)
	if !ok {
		return Metadata{}, badValue(model, fmt.Sprintf("metadata is a %T", v))
	}
	m := Metadata{}
	if m.ID, ok = d["id"].(int64); !ok || m.ID <= 0 {
		return Metadata{}, badValue(model, "metadata without an id")
	}
	if first, ok := d["xmlid"].(string); ok && first != "" {
		m.XMLIDs = append(m.XMLIDs, first)
	}
	rest, _ := d["xmlids"].([]any)
	for _, x := range rest {
		x, _ := x.(map[string]any)
		if s, ok := x["xmlid"].(string); ok && s != "" && !m.Has(s) {
			m.XMLIDs = append(m.XMLIDs, s)
		}
	}
	return m, nil
}

// Operation is a right on a model.
type Operation string

// The rights that Odoo tells apart.
const (
	OpRead   Operation = "read"
	OpWrite  Operation = "write"
	OpCreate Operation = "create"
	OpUnlink Operation = "unlink"
)

// CheckAccess reports whether the user has a right on a model as a whole.
// Record rules may still hide single records.
func (c *Client) CheckAccess(ctx context.Context, model string, op Operation) (bool, error) {
	p, err := c.Profile(ctx)
	if err != nil {
		return false, err
	}
	k := call{Model: model, Method: p.RightsMethod, ReadOnly: true}
	if p.RightsMethod == "check_access_rights" {
		k.Args, k.Kwargs = []any{string(op)}, map[string]any{"raise_exception": false}
	} else {
		k.Args = []any{[]any{}, string(op)}
	}
	v, err := c.execute(ctx, k)
	if err != nil {
		return false, err
	}
	allowed, ok := v.(bool)
	if !ok {
		return false, badValue(model, fmt.Sprintf("%s is a %T", p.RightsMethod, v))
	}
	return allowed, nil
}
