package eventmodule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxPath bounds the depth of dotted paths and of any-subdomains.
const maxPath = 16

// where compiles a domain over the row alias. With activeTest, archived rows
// are left out unless the domain itself speaks of active.
func (q *query) where(m *model, alias string, n *node, activeTest bool) (string, error) {
	return q.whereAt(m, alias, n, activeTest, 0)
}

func (q *query) whereAt(m *model, alias string, n *node, activeTest bool, depth int) (string, error) {
	if depth > maxPath {
		return "", traceback("RecursionError: maximum recursion depth exceeded")
	}
	sql := "TRUE"
	if n != nil {
		var err error
		if sql, err = q.node(m, alias, n, false, activeTest, depth); err != nil {
			return "", err
		}
	}
	if activeTest && m.hasActive() && !n.mentions("active") {
		sql = alias + ".active AND " + sql
	}
	return sql, nil
}

// node compiles one node; negated says that an odd number of "!" stands above.
func (q *query) node(m *model, alias string, n *node, negated, activeTest bool, depth int) (string, error) {
	switch n.op {
	case "":
		return q.condition(m, alias, n.leaf, negated, activeTest, depth)
	case "!":
		return q.node(m, alias, n.operands[0], !negated, activeTest, depth)
	}
	glue := " AND "
	if (n.op == "|") != negated {
		glue = " OR "
	}
	parts := make([]string, len(n.operands))
	for i, o := range n.operands {
		sql, err := q.node(m, alias, o, negated, activeTest, depth)
		if err != nil {
			return "", err
		}
		parts[i] = sql
	}
	return "(" + strings.Join(parts, glue) + ")", nil
}

func (q *query) condition(m *model, alias string, c condition, negated, activeTest bool, depth int) (string, error) {
	if c.fixed != nil {
		return boolSQL(*c.fixed != negated), nil
	}
	if negated {
		if op, ok := opposite[c.op]; ok {
			c.op = op
		} else {
			sql, err := q.condition(m, alias, c, false, activeTest, depth)
			return "(NOT " + sql + ")", err
		}
	}
	name, rest, dotted := strings.Cut(c.path, ".")
	f := m.field(name)
	if f == nil {
		return "", traceback(fmt.Sprintf("ValueError: Invalid field %s.%s in leaf %s", m.name, name, c.raw()))
	}
	if f.compute != nil && !f.searchable {
		return "TRUE", nil // as Odoo, which logs that the field cannot be searched
	}
	if dotted {
		if f.comodel == "" {
			return "", traceback(fmt.Sprintf("ValueError: Invalid field %s.%s in leaf %s", m.name, c.path, c.raw()))
		}
		sub := &node{leaf: condition{path: rest, op: c.op, value: c.value}}
		return q.related(alias, f, sub, false, activeTest && f.toMany(), depth)
	}
	if c.op == "any" || c.op == "not any" {
		if f.comodel == "" {
			return "", traceback(fmt.Sprintf("ValueError: Invalid leaf %s", c.raw()))
		}
		sub, err := parseDomain(c.value)
		if err != nil {
			return "", err
		}
		return q.related(alias, f, sub, c.op == "not any", activeTest && f.toMany(), depth)
	}
	switch {
	case c.op == "child_of" || c.op == "parent_of":
		return q.hierarchy(m, alias, f, c)
	case f.kind == kMany2one:
		return q.many2one(alias, f, c)
	case f.toMany():
		return q.toMany(alias, f, c)
	}
	return q.scalar(f, f.sql(q, alias), c)
}

// scalar compiles a condition on a plain value.
func (q *query) scalar(f *field, col string, c condition) (string, error) {
	if f.kind == kBoolean {
		return q.boolean(col, c)
	}
	void := c.value == nil || c.value == false
	switch c.op {
	case "=?":
		if void {
			return "TRUE", nil
		}
		c.op = "="
	case "in", "not in":
		return q.list(f, col, c)
	case "like", "ilike", "not like", "not ilike", "=like", "=ilike":
		return q.like(f, col, c)
	}
	if void {
		unset := col + " IS NULL"
		if f.kind == kInteger || f.kind == kFloat {
			unset = fmt.Sprintf("COALESCE(%s, 0) = 0", col)
		}
		switch c.op {
		case "=":
			return "(" + unset + ")", nil
		case "!=":
			return "(NOT (" + unset + "))", nil
		}
		return "FALSE", nil
	}
	arg, err := q.operand(f, c.op, c.value)
	if err != nil {
		return "", err
	}
	switch c.op {
	case "=":
		return fmt.Sprintf("(%s = %s)", col, arg), nil
	case "!=":
		return fmt.Sprintf("(%s IS DISTINCT FROM %s)", col, arg), nil
	}
	return fmt.Sprintf("(%s %s %s)", col, c.op, arg), nil
}

func (q *query) boolean(col string, c condition) (string, error) {
	truth := func(v any) bool { return v != nil && v != false && v != int64(0) && v != "" }
	yes := fmt.Sprintf("COALESCE(%s, FALSE)", col)
	switch c.op {
	case "in", "not in":
		list, ok := c.value.([]any)
		if !ok {
			list = []any{c.value}
		}
		var options []string
		for _, v := range list {
			options = append(options, fmt.Sprintf("%s = %s", yes, boolSQL(truth(v))))
		}
		sql := "FALSE"
		if len(options) > 0 {
			sql = strings.Join(options, " OR ")
		}
		if c.op == "not in" {
			return "(NOT (" + sql + "))", nil
		}
		return "(" + sql + ")", nil
	case "=?":
		if !truth(c.value) {
			return "TRUE", nil
		}
		return "(" + yes + ")", nil
	case "=":
		return fmt.Sprintf("(%s = %s)", yes, boolSQL(truth(c.value))), nil
	case "!=":
		return fmt.Sprintf("(%s <> %s)", yes, boolSQL(truth(c.value))), nil
	}
	return "", traceback("ValueError: Invalid domain term " + c.raw())
}

func boolSQL(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

// list compiles "in" and "not in" on a plain value.
func (q *query) list(f *field, col string, c condition) (string, error) {
	list, ok := c.value.([]any)
	if !ok {
		if b, isBool := c.value.(bool); isBool {
			// As Odoo: in False / not in True mean "is empty".
			if (c.op == "in") == b {
				return "(" + col + " IS NOT NULL)", nil
			}
			return "(" + col + " IS NULL)", nil
		}
		return "", traceback("ValueError: Invalid domain term " + c.raw())
	}
	var args []string
	empty := false
	ids := []int64{}
	for _, v := range list {
		if v == nil || v == false {
			empty = true
			continue
		}
		if n, ok := v.(int64); ok && f.kind == kInteger {
			ids = append(ids, n)
			continue
		}
		arg, err := q.operand(f, "=", v)
		if err != nil {
			return "", err
		}
		args = append(args, arg)
	}
	in := "FALSE"
	if len(args) > 0 {
		in = fmt.Sprintf("%s IN (%s)", col, strings.Join(args, ", "))
	}
	if len(ids) > 0 {
		in = fmt.Sprintf("(%s OR %s = ANY(%s::bigint[]))", in, col, q.arg(ids))
	}
	switch {
	case c.op == "in" && empty:
		return fmt.Sprintf("(%s OR %s IS NULL)", in, col), nil
	case c.op == "in":
		return "(" + in + ")", nil
	case empty:
		return fmt.Sprintf("(NOT %s AND %s IS NOT NULL)", in, col), nil
	default:
		return fmt.Sprintf("(%s IS NULL OR NOT %s)", col, in), nil
	}
}

// like compiles the pattern operators. As in Odoo, "%" and "_" in the value
// keep their meaning, and a negative or an empty pattern matches empty values.
func (q *query) like(f *field, col string, c condition) (string, error) {
	value := textOf(c.value)
	void := value == ""
	if f.kind != kChar && f.kind != kText && f.kind != kHTML && f.kind != kSelection {
		col += "::text"
	}
	pattern := value
	if !strings.HasPrefix(c.op, "=") {
		pattern = "%" + value + "%"
	}
	op := strings.ToUpper(strings.TrimPrefix(c.op, "="))
	sql := fmt.Sprintf("%s %s %s::text", col, op, q.arg(trimEscape(pattern)))
	if isNegative(c.op) || void && !strings.HasPrefix(c.op, "=") {
		return fmt.Sprintf("(%s OR %s IS NULL)", sql, col), nil
	}
	return "(" + sql + ")", nil
}

// trimEscape drops a lone backslash at the end, on which PostgreSQL faults.
func trimEscape(pattern string) string {
	n := len(pattern) - len(strings.TrimRight(pattern, `\`))
	if n%2 == 1 {
		return pattern[:len(pattern)-1]
	}
	return pattern
}

// operand adds the value of a comparison, cast to the field's type.
func (q *query) operand(f *field, op string, v any) (string, error) {
	bad := func(typ string) error {
		return traceback(fmt.Sprintf("psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type %s: \"%s\"\n", typ, textOf(v)))
	}
	switch f.kind {
	case kInteger:
		switch n := v.(type) {
		case int64:
			return q.arg(n) + "::bigint", nil
		case float64:
			return q.arg(n) + "::float8", nil
		case bool:
			return "1", nil
		case string:
			i, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil {
				return "", bad("integer")
			}
			return q.arg(i) + "::bigint", nil
		}
		return "", bad("integer")
	case kFloat:
		n, ok := decimal(v)
		if !ok {
			return "", bad("double precision")
		}
		return q.arg(n) + "::float8", nil
	case kDatetime:
		t, err := moment(op, v)
		if err != nil {
			return "", err
		}
		return q.arg(t) + "::timestamp", nil
	}
	s := textOf(v)
	if strings.ContainsRune(s, 0) {
		return "", traceback("ValueError: A string literal cannot contain NUL (0x00) characters.")
	}
	return q.arg(s) + "::text", nil
}

// moment reads an instant of a domain. A bare day is its start for "=", ">="
// and "<", and its last second for ">" and "<=". PostgreSQL reads more forms
// than a field value may have; the usual ones are accepted here too.
func moment(op string, v any) (time.Time, error) {
	s := strings.TrimSpace(textOf(v))
	if len(s) == 10 {
		if op == ">" || op == "<=" {
			s += " 23:59:59"
		} else {
			s += " 00:00:00"
		}
	}
	for _, layout := range []string{
		"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04", "2006-01-02T15:04", "20060102T15:04:05", "20060102T15:04:05Z07:00",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			// PostgreSQL drops an offset when it reads a timestamp without zone.
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC), nil
		}
	}
	return time.Time{}, traceback(fmt.Sprintf("psycopg2.errors.InvalidDatetimeFormat: invalid input syntax for type timestamp: \"%s\"\n", s))
}
