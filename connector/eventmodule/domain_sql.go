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
		return q.related(m, alias, f, sub, false, activeTest && f.toMany(), depth)
	}
	if c.op == "any" || c.op == "not any" {
		if f.comodel == "" {
			return "", traceback(fmt.Sprintf("ValueError: Invalid leaf %s", c.raw()))
		}
		sub, err := parseDomain(c.value)
		if err != nil {
			return "", err
		}
		return q.related(m, alias, f, sub, c.op == "not any", activeTest && f.toMany(), depth)
	}
	switch {
	case c.op == "child_of" || c.op == "parent_of":
		return q.hierarchy(m, alias, f, c)
	case f.kind == kMany2one:
		return q.many2one(alias, f, c)
	case f.toMany():
		return q.toMany(m, alias, f, c)
	}
	return q.scalar(f, f.sql(q, alias), c)
}

// related is the condition that a record behind the relation matches sub.
func (q *query) related(m *model, alias string, f *field, sub *node, not, activeTest bool, depth int) (string, error) {
	co := q.srv.models.byName[f.comodel]
	if co == nil {
		return "", userError(fmt.Sprintf("Object %s doesn't exist", f.comodel))
	}
	b := q.next()
	sql, err := q.whereAt(co, b, sub, activeTest, depth+1)
	if err != nil {
		return "", err
	}
	return q.behind(alias, f, b, sql, not), nil
}

// behind joins a relation to its model's rows b that satisfy sql.
func (q *query) behind(alias string, f *field, b, sql string, not bool) string {
	co := q.srv.models.byName[f.comodel]
	prefix := ""
	if not {
		prefix = "NOT "
	}
	switch f.kind {
	case kMany2one:
		return fmt.Sprintf("(%sEXISTS (SELECT 1 FROM %s %s WHERE %s.id = %s AND %s))", prefix, co.table(), b, b, f.sql(q, alias), sql)
	case kOne2many:
		return fmt.Sprintf("(%sEXISTS (SELECT 1 FROM %s %s WHERE %s.%s = %s.id AND %s))", prefix, co.table(), b, b, f.inverse, alias, sql)
	default:
		return fmt.Sprintf("(%sEXISTS (SELECT 1 FROM %s r JOIN %s %s ON %s.id = r.%s WHERE r.%s = %s.id AND %s))",
			prefix, f.rel, co.table(), b, b, f.right, f.left, alias, sql)
	}
}

// keys splits the value of a relational condition into ids, names and whether
// False or None stands among them.
func keys(v any) (ids []int64, names []string, empty bool, ok bool) {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	ids = []int64{}
	for _, e := range list {
		switch e := e.(type) {
		case nil:
			empty = true
		case bool:
			if e {
				return nil, nil, false, false
			}
			empty = true
		case int64:
			ids = append(ids, e)
		case float64:
			ids = append(ids, int64(e))
		case string:
			names = append(names, e)
		default:
			return nil, nil, false, false
		}
	}
	return ids, names, empty, true
}

// many2one compiles a condition on a many2one itself, by id or by name.
func (q *query) many2one(alias string, f *field, c condition) (string, error) {
	col := f.sql(q, alias)
	ids, names, empty, ok := keys(c.value)
	if !ok {
		return "", traceback("psycopg2.errors.UndefinedFunction: operator does not exist: integer = boolean")
	}
	switch c.op {
	case "=?":
		if empty {
			return "TRUE", nil
		}
		c.op = "="
	case "<", "<=", ">", ">=":
		if len(names) == 0 && len(ids) == 1 {
			return fmt.Sprintf("(%s %s %s::bigint)", col, c.op, q.arg(ids[0])), nil
		}
		c.op = "in"
	}
	if len(names) > 0 || strings.HasSuffix(c.op, "like") {
		if list, isList := c.value.([]any); !isList || len(list) == 0 {
			return q.behindName(alias, f, c, names)
		}
		matched, err := q.namesSQL(f, names)
		if err != nil {
			return "", err
		}
		sql := fmt.Sprintf("(%s IN (%s) OR %s)", col, matched, membership(q, col, ids, empty, false))
		if isNegative(c.op) {
			sql = fmt.Sprintf("(%s IS NULL OR NOT %s)", col, sql)
		}
		return sql, nil
	}
	switch c.op {
	case "=", "in":
		return membership(q, col, ids, empty, false), nil
	case "!=", "not in":
		return membership(q, col, ids, empty, true), nil
	}
	return "", traceback("ValueError: Invalid domain term " + c.raw())
}

// membership is IN or NOT IN with Odoo's reading of False: it stands for an
// empty value, and an empty value is "not in" any list without False.
func membership(q *query, col string, ids []int64, empty, not bool) string {
	in := "FALSE"
	if len(ids) > 0 {
		in = fmt.Sprintf("%s = ANY(%s::bigint[])", col, q.arg(ids))
	}
	switch {
	case !not && empty:
		return fmt.Sprintf("(%s OR %s IS NULL)", in, col)
	case !not:
		return "(" + in + ")"
	case empty:
		return fmt.Sprintf("(NOT (%s) AND %s IS NOT NULL)", in, col)
	default:
		return fmt.Sprintf("(%s IS NULL OR NOT (%s))", col, in)
	}
}

func isNegative(op string) bool {
	return op == "!=" || op == "not in" || op == "not like" || op == "not ilike"
}

// behindName compares a many2one with a name: "!=" and the negative likes
// also match the records that have none.
func (q *query) behindName(alias string, f *field, c condition, names []string) (string, error) {
	co := q.srv.models.byName[f.comodel]
	b := q.next()
	op := c.op
	switch op {
	case "in":
		op = "="
	case "not in":
		op = "!="
	}
	name := ""
	if len(names) > 0 {
		name = names[0]
	}
	sql, err := q.scalar(co.field("display_name"), co.displaySQL(b), condition{path: c.path, op: op, value: name})
	if err != nil {
		return "", err
	}
	exists := q.behind(alias, f, b, sql, false)
	if isNegative(op) {
		return fmt.Sprintf("(%s IS NULL OR %s)", f.sql(q, alias), exists), nil
	}
	return exists, nil
}

// namesSQL selects the ids whose display name is one of names.
func (q *query) namesSQL(f *field, names []string) (string, error) {
	co := q.srv.models.byName[f.comodel]
	b := q.next()
	return fmt.Sprintf("SELECT %s.id FROM %s %s WHERE %s = ANY(%s::text[])", b, co.table(), b, co.displaySQL(b), q.arg(names)), nil
}

// toMany compiles a condition on a one2many or many2many itself.
func (q *query) toMany(m *model, alias string, f *field, c condition) (string, error) {
	ids, names, empty, ok := keys(c.value)
	if !ok {
		if c.value == true { // "is set"
			b := q.next()
			return q.behind(alias, f, b, "TRUE", isNegative(c.op)), nil
		}
		return "", traceback("ValueError: Invalid domain term " + c.raw())
	}
	not := isNegative(c.op)
	co := q.srv.models.byName[f.comodel]
	if c.op == "=?" && empty {
		return "TRUE", nil
	}
	var options []string
	b := q.next()
	if len(ids) > 0 {
		options = append(options, fmt.Sprintf("%s.id = ANY(%s::bigint[])", b, q.arg(ids)))
	}
	for _, name := range names {
		op := c.op
		switch op {
		case "!=", "in", "not in", "=?":
			op = "="
		case "not like":
			op = "like"
		case "not ilike":
			op = "ilike"
		}
		sql, err := q.scalar(co.field("display_name"), co.displaySQL(b), condition{path: c.path, op: op, value: name})
		if err != nil {
			return "", err
		}
		options = append(options, sql)
	}
	some := "FALSE"
	if len(options) > 0 {
		some = q.behind(alias, f, b, "("+strings.Join(options, " OR ")+")", false)
	}
	if empty {
		none := q.behind(alias, f, q.next(), "TRUE", true)
		some = "(" + some + " OR " + none + ")"
	}
	if not {
		return "(NOT " + some + ")", nil
	}
	return some, nil
}

// hierarchy compiles child_of and parent_of along the comodel's parent field.
func (q *query) hierarchy(m *model, alias string, f *field, c condition) (string, error) {
	co, col := m, f.sql(q, alias)
	if f.comodel != "" {
		co = q.srv.models.byName[f.comodel]
	} else if f.name != "id" {
		return "", traceback("ValueError: Invalid domain term " + c.raw())
	}
	if co == nil || co.parent == "" {
		return "", traceback("KeyError: 'parent_id'")
	}
	ids, names, _, ok := keys(c.value)
	if !ok {
		return "", traceback("ValueError: Invalid domain term " + c.raw())
	}
	roots := fmt.Sprintf("b.id = ANY(%s::bigint[])", q.arg(ids))
	if len(names) > 0 {
		roots += fmt.Sprintf(" OR %s = ANY(%s::text[])", co.displaySQL("b"), q.arg(names))
	}
	step := fmt.Sprintf("n.%s = tree.id", co.parent)
	if c.op == "parent_of" {
		step = fmt.Sprintf("n.id = tree.%s", co.parent)
	}
	tree := fmt.Sprintf(`WITH RECURSIVE tree AS (
		SELECT b.id, b.%[1]s FROM %[2]s b WHERE %[3]s
		UNION SELECT n.id, n.%[1]s FROM %[2]s n JOIN tree ON %[4]s) SELECT id FROM tree`, co.parent, co.table(), roots, step)
	if f.toMany() {
		b := q.next()
		return q.behind(alias, f, b, fmt.Sprintf("%s.id IN (%s)", b, tree), false), nil
	}
	return fmt.Sprintf("(%s IN (%s))", col, tree), nil
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
