package eventmodule

import (
	"fmt"
	"strings"
)

// related is the condition that a record behind the relation matches sub.
func (q *query) related(alias string, f *field, sub *node, not, activeTest bool, depth int) (string, error) {
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
		matched := q.namesSQL(f, names)
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
func (q *query) namesSQL(f *field, names []string) string {
	co := q.srv.models.byName[f.comodel]
	b := q.next()
	return fmt.Sprintf("SELECT %s.id FROM %s %s WHERE %s = ANY(%s::text[])", b, co.table(), b, co.displaySQL(b), q.arg(names))
}

// toMany compiles a condition on a one2many or many2many itself.
func (q *query) toMany(alias string, f *field, c condition) (string, error) {
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
