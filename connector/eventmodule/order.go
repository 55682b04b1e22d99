package eventmodule

import (
	"fmt"
	"regexp"
	"strings"
)

// orderForm is what an order may look like; anything else is refused before
// it gets near SQL.
var orderForm = regexp.MustCompile(`(?i)^(\s*([a-z0-9:_]+|"[a-z0-9:_]+")(\s+(desc|asc))?(\s+nulls\s+(first|last))?\s*(,|$))+$`)

// orderBy compiles an order over the row alias. An order by a many2one follows
// the default order of the model it points to, as in Odoo.
func (q *query) orderBy(m *model, alias, order string) (string, error) {
	terms, err := q.orderTerms(m, alias, order, false, 0)
	if err != nil {
		return "", err
	}
	return strings.Join(terms, ", "), nil
}

func (q *query) orderTerms(m *model, alias, order string, reverse bool, depth int) ([]string, error) {
	if strings.TrimSpace(order) == "" {
		order = m.order
	}
	if !orderForm.MatchString(order) || strings.HasSuffix(strings.TrimSpace(order), ",") {
		return nil, userError(fmt.Sprintf("Invalid \"order\" specified (%s). A valid \"order\" specification is a comma-separated list of valid field names (optionally followed by asc/desc for the direction)", order))
	}
	var terms []string
	for part := range strings.SplitSeq(order, ",") {
		words := strings.Fields(part)
		name := strings.Trim(words[0], `"`)
		f := m.field(name)
		if f == nil {
			return nil, traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(name), pyRepr(m.name)))
		}
		if !f.sortable() {
			return nil, traceback(fmt.Sprintf("ValueError: Cannot convert %s.%s to SQL because it is not stored", m.name, name))
		}
		down, nulls := reverse, ""
		rest := strings.ToUpper(strings.Join(words[1:], " "))
		if strings.HasPrefix(rest, "DESC") {
			down = !down
		}
		if i := strings.Index(rest, "NULLS"); i >= 0 {
			nulls = " " + rest[i:]
		}
		direction := " ASC"
		if down {
			direction = " DESC"
		}
		if f.kind != kMany2one {
			terms = append(terms, f.sql(q, alias)+direction+nulls)
			continue
		}
		co := q.srv.models.byName[f.comodel]
		if depth > 2 || co == m {
			terms = append(terms, f.sql(q, alias)+direction+nulls)
			continue
		}
		b := q.next()
		inner, err := q.orderTerms(co, b, "", down, depth+1)
		if err != nil {
			return nil, err
		}
		for _, t := range inner {
			expr, dir, _ := cutLast(t, " ")
			terms = append(terms, fmt.Sprintf("(SELECT %s FROM %s %s WHERE %s.id = %s) %s%s", expr, co.table(), b, b, f.sql(q, alias), dir, nulls))
		}
	}
	return terms, nil
}

// cutLast cuts s at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
