package eventmodule

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// method is one public method of a model.
type method struct {
	ids    bool     // the first argument is the records
	params []string // the other arguments, in order
	named  []string // arguments that only go by name
	write  bool     // it needs a transaction that may write
	run    func(ctx context.Context, e *env, c *call) (any, error)
}

// call is one bound call of a method.
type call struct {
	model *model
	ids   []int64
	args  map[string]any
}

func (c *call) arg(name string) any { return c.args[name] }

// has tells whether the caller gave the argument.
func (c *call) has(name string) bool { _, ok := c.args[name]; return ok }

// int reads a whole number; absent, None, False and ” are zero.
func (c *call) int(name string) (int64, error) {
	switch v := c.args[name].(type) {
	case nil:
		return 0, nil
	case bool:
		return 0, nil
	case int64:
		if v < 0 {
			return 0, traceback("psycopg2.errors.InvalidRowCountInLimitClause: LIMIT must not be negative\n")
		}
		return v, nil
	case float64:
		return max(0, int64(v)), nil
	case string: // some clients send '' for what they leave out
		if n, err := strconv.ParseInt(v, 10, 63); err == nil && n >= 0 || v == "" {
			return n, nil
		}
	}
	return 0, traceback(fmt.Sprintf("TypeError: %s is not a whole number: %s", name, pyRepr(c.args[name])))
}

// texts reads a list of names; a single name counts as a list of one.
func (c *call) texts(name string) ([]string, error) {
	switch v := c.args[name].(type) {
	case nil, bool:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return []string{v}, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(e), pyRepr(c.model.name)))
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, traceback(fmt.Sprintf("TypeError: %s is not a list: %s", name, pyRepr(c.args[name])))
}

// page reads offset, limit and order.
func (c *call) page() (page, error) {
	offset, err := c.int("offset")
	if err != nil {
		return page{}, err
	}
	limit, err := c.int("limit")
	return page{offset: offset, limit: limit, order: textOf(c.arg("order"))}, err
}

func (c *call) domain(name string) (*node, error) { return parseDomain(c.args[name]) }

// values reads one dictionary of field values.
func values(v any) (map[string]any, error) {
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case nil:
		return map[string]any{}, nil
	case bool:
		if !v {
			return map[string]any{}, nil
		}
	}
	return nil, traceback(fmt.Sprintf("AttributeError: '%s' object has no attribute 'items'", pyType(v)))
}

func pyType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "object"
}

// bind pairs the arguments of a call with the parameters of its method, and
// faults in Python's words when they do not fit.
func bind(m *model, name string, spec method, args []any, kwargs map[string]any) (*call, error) {
	c := &call{model: m, args: map[string]any{}}
	if spec.ids {
		if ids, ok := kwargs["ids"]; ok && len(args) == 0 {
			args = []any{ids}
			delete(kwargs, "ids")
		}
		if len(args) == 0 {
			return nil, traceback("IndexError: list index out of range")
		}
		var err error
		if c.ids, err = idList(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	if len(args) > len(spec.params) {
		return nil, traceback(fmt.Sprintf("TypeError: BaseModel.%s() takes from 1 to %d positional arguments but %d were given",
			name, len(spec.params)+1, len(args)+1))
	}
	for i, v := range args {
		c.args[spec.params[i]] = v
	}
	for key, v := range kwargs {
		if key == "context" {
			continue
		}
		if !slices.Contains(spec.params, key) && !slices.Contains(spec.named, key) {
			where := name
			if name == "search_read" {
				where = "_read_format"
			}
			return nil, traceback(fmt.Sprintf("TypeError: BaseModel.%s() got an unexpected keyword argument %s", where, pyRepr(key)))
		}
		if c.has(key) {
			return nil, traceback(fmt.Sprintf("TypeError: BaseModel.%s() got multiple values for argument %s", name, pyRepr(key)))
		}
		c.args[key] = v
	}
	return c, nil
}

// invoke finds, binds and runs a model's method in a transaction of its own.
func (s *Server) invoke(ctx context.Context, u *user, modelName, name string, args []any, kwargs map[string]any) (any, error) {
	m := s.models.byName[modelName]
	if m == nil {
		return nil, userError(fmt.Sprintf("Object %s doesn't exist", modelName))
	}
	if strings.HasPrefix(name, "_") {
		return nil, accessError(fmt.Sprintf("Private methods (such as %s) cannot be called remotely.", name))
	}
	spec, ok := m.methods[name]
	if !ok {
		if spec, ok = commonMethods[name]; !ok {
			return nil, traceback(fmt.Sprintf("AttributeError: The method '%s' does not exist on the model '%s'", name, modelName))
		}
	}
	c, err := bind(m, name, spec, args, kwargs)
	if err != nil {
		return nil, err
	}
	callCtx, _ := kwargs["context"].(map[string]any)
	return s.transact(ctx, u, callCtx, spec.write, func(e *env) (any, error) { return spec.run(ctx, e, c) })
}
