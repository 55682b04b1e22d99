package eventmodule

import (
	"fmt"
	"strings"
)

// node is a parsed domain: a condition, or an operator over its operands.
type node struct {
	op       string // "&", "|", "!" or "" for a condition
	operands []*node
	leaf     condition
}

// condition is one (field, operator, value) of a domain.
type condition struct {
	path  string
	op    string
	value any
	// fixed is set for the constants (1, '=', 1) and (0, '=', 1).
	fixed *bool
}

// raw is the condition as Python writes it, for fault texts.
func (c condition) raw() string {
	return fmt.Sprintf("(%s, %s, %s)", pyRepr(c.path), pyRepr(c.op), pyRepr(c.value))
}

// maxTerms bounds a domain; Odoo's own limit is Python's recursion.
const maxTerms = 10_000

// parseDomain reads a domain in prefix notation with the implied "&" between
// terms. An absent or empty domain is nil, which matches everything.
func parseDomain(v any) (*node, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if !v {
			return nil, nil
		}
	case string:
		if v == "" {
			return nil, nil
		}
	case []any:
		return parseTerms(v)
	}
	return nil, traceback("AssertionError: Domains to normalize must have a 'domain' form: a list or tuple of domain components")
}

func parseTerms(terms []any) (*node, error) {
	if len(terms) == 0 {
		return nil, nil
	}
	if len(terms) > maxTerms {
		return nil, traceback("RecursionError: maximum recursion depth exceeded")
	}
	// Reading from the end turns prefix notation into a stack machine, without
	// recursion on what a caller nests.
	var stack []*node
	for i := len(terms) - 1; i >= 0; i-- {
		switch term := terms[i].(type) {
		case string:
			arity := map[string]int{"!": 1, "&": 2, "|": 2}[term]
			if arity == 0 {
				return nil, traceback("ValueError: Invalid leaf " + pyRepr(term))
			}
			if len(stack) < arity {
				return nil, traceback(fmt.Sprintf("ValueError: Domain %s is syntactically not correct.", pyRepr(terms)))
			}
			top := len(stack) - arity
			n := &node{op: term}
			for j := len(stack) - 1; j >= top; j-- {
				n.operands = append(n.operands, stack[j])
			}
			stack = append(stack[:top], n)
		case []any:
			c, err := parseCondition(term)
			if err != nil {
				return nil, err
			}
			stack = append(stack, &node{leaf: c})
		default:
			return nil, traceback("ValueError: Invalid leaf " + pyRepr(term))
		}
	}
	if len(stack) == 1 {
		return stack[0], nil
	}
	all := &node{op: "&"}
	for j := len(stack) - 1; j >= 0; j-- {
		all.operands = append(all.operands, stack[j])
	}
	return all, nil
}

// operators are the ones a condition may carry.
var operators = map[string]bool{
	"=": true, "!=": true, "<>": true, "==": true, "<=": true, "<": true, ">": true, ">=": true,
	"=?": true, "=like": true, "=ilike": true, "like": true, "not like": true,
	"ilike": true, "not ilike": true, "in": true, "not in": true,
	"child_of": true, "parent_of": true, "any": true, "not any": true,
}

func parseCondition(term []any) (condition, error) {
	if len(term) < 3 {
		return condition{}, traceback(fmt.Sprintf("ValueError: not enough values to unpack (expected 3, got %d)", len(term)))
	}
	if len(term) > 3 {
		return condition{}, traceback("ValueError: too many values to unpack (expected 3)")
	}
	op, _ := term[1].(string)
	op = strings.ToLower(op)
	invalid := func() error {
		return traceback(fmt.Sprintf("ValueError: Invalid leaf (%s, %s, %s)", pyRepr(term[0]), pyRepr(term[1]), pyRepr(term[2])))
	}
	if n, ok := term[0].(int64); ok && op == "=" && term[2] == int64(1) && (n == 0 || n == 1) {
		yes := n == 1
		return condition{fixed: &yes}, nil
	}
	path, ok := term[0].(string)
	if !ok || !operators[op] {
		return condition{}, invalid()
	}
	value := term[2]
	switch op {
	case "<>":
		op = "!="
	case "==":
		op = "="
	}
	if list, ok := value.([]any); ok {
		switch op {
		case "=":
			op = "in"
		case "!=":
			op = "not in"
		}
		value = list
	}
	return condition{path: path, op: op, value: value}, nil
}

// mentions tells whether a condition of the domain names the field itself.
func (n *node) mentions(field string) bool {
	if n == nil {
		return false
	}
	if n.op == "" {
		return n.leaf.path == field
	}
	for _, o := range n.operands {
		if o.mentions(field) {
			return true
		}
	}
	return false
}

// opposite operators: a "!" turns a condition into its opposite, which counts
// empty values in, rather than into SQL's NOT, which leaves them out.
var opposite = map[string]string{
	"<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "!=", "!=": "=",
	"in": "not in", "like": "not like", "ilike": "not ilike",
	"not in": "in", "not like": "like", "not ilike": "ilike",
	"any": "not any", "not any": "any",
}
