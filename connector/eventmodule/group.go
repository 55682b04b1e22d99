package eventmodule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// grouping is one parsed groupby: a field, and for instants a granularity.
type grouping struct {
	spec  string // as given: "stage_id", "date_begin:month"
	field *field
	unit  string // "" unless the field is an instant
}

// aggregate is one parsed field of read_group.
type aggregate struct {
	name string // the key in the answer
	sql  string
	kind string
}

var aggregateFuncs = map[string]string{
	"sum": "sum(%s)", "avg": "avg(%s)::float8", "min": "min(%s)", "max": "max(%s)",
	"count": "count(%s)::int", "count_distinct": "count(DISTINCT %s)::int",
	"bool_and": "bool_and(%s)", "bool_or": "bool_or(%s)", "array_agg": "array_agg(%s)",
}

var units = map[string]bool{"hour": true, "day": true, "week": true, "month": true, "quarter": true, "year": true}

// runReadGroup groups and aggregates. Lazy groups by the first field only and
// says what remains; otherwise by all at once.
func runReadGroup(ctx context.Context, e *env, c *call) (any, error) {
	m := c.model
	if err := e.allow(m, opRead); err != nil {
		return nil, err
	}
	domain, err := c.domain("domain")
	if err != nil {
		return nil, err
	}
	fields, err := c.texts("fields")
	if err != nil {
		return nil, err
	}
	groupby, err := c.texts("groupby")
	if err != nil {
		return nil, err
	}
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	lazy := !c.has("lazy") || c.arg("lazy") == true || c.arg("lazy") == int64(1)
	var rest []string
	if lazy && len(groupby) > 1 {
		groupby, rest = groupby[:1], groupby[1:]
	}
	q := e.query()
	groups := make([]grouping, len(groupby))
	for i, spec := range groupby {
		if groups[i], err = parseGrouping(m, spec); err != nil {
			return nil, err
		}
	}
	aggregates, err := parseAggregates(q, m, fields, groups)
	if err != nil {
		return nil, err
	}
	r := &grouped{env: e, q: q, model: m, groups: groups, aggregates: aggregates, rest: rest, lazy: lazy, zone: e.zone()}
	r.given, _ = c.arg("domain").([]any)
	return r.run(ctx, domain, p, textOf(c.arg("orderby")))
}

// zone is the time zone instants are grouped in: the context's, else UTC.
func (e *env) zone() *time.Location {
	if name, ok := e.ctx["tz"].(string); ok && name != "" && name != "Local" {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc
		}
	}
	return time.UTC
}

func parseGrouping(m *model, spec string) (grouping, error) {
	name, unit, _ := strings.Cut(spec, ":")
	f := m.field(name)
	if f == nil {
		return grouping{}, traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(name), pyRepr(m.name)))
	}
	if !f.sortable() && f.kind != kMany2many {
		return grouping{}, traceback(fmt.Sprintf("AssertionError: Fields in 'groupby' must be database-persisted fields (no computed field): %s", pyRepr(name)))
	}
	g := grouping{spec: spec, field: f}
	if f.kind == kDatetime {
		if g.unit = unit; unit == "" {
			g.unit = "month"
		}
		if !units[g.unit] {
			return grouping{}, traceback("ValueError: Granularity specification isn't correct: " + pyRepr(unit))
		}
	} else if unit != "" {
		return grouping{}, traceback(fmt.Sprintf("ValueError: Granularity set on a no-datetime field or property: %s", pyRepr(spec)))
	}
	return g, nil
}

// parseAggregates reads "field", "field:func" and "alias:func(field)". A plain
// field is summed when it is a number and left out otherwise.
func parseAggregates(q *query, m *model, fields []string, groups []grouping) ([]aggregate, error) {
	var out []aggregate
	for _, spec := range fields {
		name, fn, explicit := strings.Cut(spec, ":")
		source := name
		if i := strings.IndexByte(fn, '('); i >= 0 && strings.HasSuffix(fn, ")") {
			source, fn = fn[i+1:len(fn)-1], fn[:i]
		}
		if name == "__count" {
			continue
		}
		f := m.field(source)
		if f == nil {
			return nil, traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(source), pyRepr(m.name)))
		}
		if slices.ContainsFunc(groups, func(g grouping) bool { return g.field == f && !explicit }) {
			continue
		}
		if !explicit {
			if f.kind != kInteger && f.kind != kFloat || !f.sortable() || f.name == "id" {
				continue
			}
			fn = "sum"
		}
		form, ok := aggregateFuncs[fn]
		if !ok {
			return nil, traceback(fmt.Sprintf("ValueError: Invalid aggregation function %s.", pyRepr(fn)))
		}
		if !f.sortable() {
			return nil, traceback(fmt.Sprintf("ValueError: Cannot convert %s.%s to SQL because it is not stored", m.name, source))
		}
		sql := fmt.Sprintf(form, f.sql(q, "q"))
		kind := f.kind
		switch {
		case fn == "sum" && kind != kFloat:
			sql += "::bigint"
		case strings.HasPrefix(fn, "count"):
			kind = kInteger
		case fn == "avg":
			kind = kFloat
		}
		out = append(out, aggregate{name, sql, kind})
	}
	return out, nil
}

// grouped is one running read_group.
type grouped struct {
	*env
	q          *query
	model      *model
	groups     []grouping
	aggregates []aggregate
	given      []any
	rest       []string
	lazy       bool
	zone       *time.Location
}

func (r *grouped) run(ctx context.Context, domain *node, p page, orderby string) (any, error) {
	where, err := r.q.where(r.model, "q", domain, r.activeTest())
	if err != nil {
		return nil, err
	}
	var columns, positions []string
	from := r.model.table() + " q"
	for i, g := range r.groups {
		sql := g.field.sql(r.q, "q")
		switch {
		case g.field.kind == kMany2many:
			alias := fmt.Sprintf("m%d", i)
			from += fmt.Sprintf(" LEFT JOIN %s %s ON %s.%s = q.id", g.field.rel, alias, alias, g.field.left)
			sql = alias + "." + g.field.right
		case g.unit != "":
			sql = fmt.Sprintf("date_trunc('%s', %s AT TIME ZONE 'UTC' AT TIME ZONE %s::text)", g.unit, sql, r.q.arg(r.zone.String()))
		case g.field.kind == kBoolean:
			sql = "COALESCE(" + sql + ", FALSE)"
		}
		columns = append(columns, sql)
		positions = append(positions, fmt.Sprint(i+1))
	}
	columns = append(columns, "count(*)::int")
	for _, a := range r.aggregates {
		columns = append(columns, a.sql)
	}
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(columns, ", "), from, where)
	if len(r.groups) > 0 {
		sql += " GROUP BY " + strings.Join(positions, ", ")
		order, err := r.order(orderby)
		if err != nil {
			return nil, err
		}
		sql += " ORDER BY " + order
	}
	rows, err := r.tx.Query(ctx, r.sorted(sql, p), r.q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var table [][]any
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		table = append(table, values)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return r.objects(ctx, table)
}

// sorted adds limit and offset.
func (r *grouped) sorted(sql string, p page) string {
	if p.limit > 0 {
		sql += " LIMIT " + r.q.arg(p.limit)
	}
	if p.offset > 0 {
		sql += " OFFSET " + r.q.arg(p.offset)
	}
	return sql
}

// order sorts by the groups, or by what orderby names among groups, aggregates
// and __count.
func (r *grouped) order(orderby string) (string, error) {
	var terms []string
	if strings.TrimSpace(orderby) != "" {
		if !orderForm.MatchString(orderby) {
			_, err := r.q.orderTerms(r.model, "q", orderby, false, 0)
			return "", err
		}
		for part := range strings.SplitSeq(orderby, ",") {
			words := strings.Fields(part)
			direction := ""
			if len(words) > 1 {
				direction = " " + strings.Join(words[1:], " ")
			}
			at := r.position(words[0])
			if at == 0 {
				return "", traceback(fmt.Sprintf("ValueError: Order term %s is not a valid aggregate nor valid groupby", pyRepr(part)))
			}
			terms = append(terms, fmt.Sprintf("%d%s", at, direction))
		}
	}
	for i := range r.groups {
		terms = append(terms, fmt.Sprint(i+1))
	}
	return strings.Join(terms, ", "), nil
}

// position is the column a name of orderby stands for, from 1; 0 is none.
func (r *grouped) position(name string) int {
	for i, g := range r.groups {
		if name == g.spec || name == g.field.name {
			return i + 1
		}
	}
	if name == "__count" || len(r.groups) > 0 && name == r.groups[0].field.name+"_count" {
		return len(r.groups) + 1
	}
	for i, a := range r.aggregates {
		if strings.HasPrefix(name, a.name) && (name == a.name || name[len(a.name)] == ':') {
			return len(r.groups) + 2 + i
		}
	}
	return 0
}

func (r *grouped) objects(ctx context.Context, table [][]any) (any, error) {
	names := make([]map[int64]string, len(r.groups))
	for i, g := range r.groups {
		if g.field.comodel == "" {
			continue
		}
		targets := map[int64]bool{}
		for _, values := range table {
			if id, ok := number(values[i]); ok {
				targets[id] = true
			}
		}
		var err error
		if names[i], err = r.names(ctx, r.env.model(g.field.comodel), slices.Sorted(maps.Keys(targets))); err != nil {
			return nil, err
		}
	}
	out := []object{}
	for _, values := range table {
		var row, ranges object
		conditions := [][]any{}
		for i, g := range r.groups {
			shown, condition, span := r.group(g, values[i], names[i])
			row = append(row, member{g.spec, shown})
			if span != nil {
				ranges = append(ranges, member{g.spec, span})
			}
			conditions = append(conditions, condition)
		}
		count := member{"__count", fromColumn(&field{kind: kInteger}, values[len(r.groups)])}
		if r.lazy && len(r.groups) > 0 {
			count.name = r.groups[0].field.name + "_count"
		}
		row = append(row, count)
		for i, a := range r.aggregates {
			row = append(row, member{a.name, fromColumn(&field{kind: a.kind}, values[len(r.groups)+1+i])})
		}
		if len(r.groups) > 0 {
			row = append(row, member{"__domain", conjunction(r.given, conditions)})
		}
		if ranges != nil {
			row = append(row, member{"__range", ranges})
		}
		if len(r.rest) > 0 {
			rest := make([]any, len(r.rest))
			for i, s := range r.rest {
				rest[i] = s
			}
			row = append(row, member{"__context", object{{"group_by", rest}}})
		}
		out = append(out, row)
	}
	return out, nil
}

// group shows one group's value and the condition that selects its rows.
func (r *grouped) group(g grouping, v any, names map[int64]string) (shown any, condition []any, span any) {
	name := g.field.name
	if v == nil {
		if g.unit != "" {
			span = false
		}
		if g.field.kind == kInteger || g.field.kind == kFloat {
			return fromColumn(g.field, nil), []any{[]any{name, "=", false}}, span
		}
		return false, []any{[]any{name, "=", false}}, span
	}
	if g.unit != "" {
		from := v.(time.Time)
		from = time.Date(from.Year(), from.Month(), from.Day(), from.Hour(), 0, 0, 0, r.zone)
		to := after(from, g.unit)
		a, b := stamp(from.UTC()), stamp(to.UTC())
		return label(from, g.unit),
			[]any{"&", []any{name, ">=", a}, []any{name, "<", b}},
			object{{"from", a}, {"to", b}}
	}
	if id, ok := number(v); ok && names != nil {
		return []any{id, names[id]}, []any{[]any{name, "=", id}}, nil
	}
	v = fromColumn(g.field, v)
	return v, []any{[]any{name, "=", v}}, nil
}

// conjunction joins the caller's domain and the group's conditions in prefix
// notation.
func conjunction(given []any, conditions [][]any) []any {
	parts := [][]any{}
	if len(given) > 0 {
		parts = append(parts, normal(given))
	}
	parts = append(parts, conditions...)
	out := []any{}
	for range len(parts) - 1 {
		out = append(out, "&")
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// normal writes out the "&" a domain implies.
func normal(domain []any) []any {
	var out []any
	expected := 1
	for _, term := range domain {
		if expected == 0 {
			out = append([]any{"&"}, out...)
			expected = 1
		}
		switch term {
		case "&", "|":
			expected++
		case "!":
		default:
			expected--
		}
		out = append(out, term)
	}
	return out
}

func after(from time.Time, unit string) time.Time {
	switch unit {
	case "hour":
		return from.Add(time.Hour)
	case "day":
		return from.AddDate(0, 0, 1)
	case "week":
		return from.AddDate(0, 0, 7)
	case "quarter":
		return from.AddDate(0, 3, 0)
	case "year":
		return from.AddDate(1, 0, 0)
	}
	return from.AddDate(0, 1, 0)
}

// label names a span as Odoo does in English.
func label(from time.Time, unit string) string {
	switch unit {
	case "hour":
		return from.Format("15:00 02 Jan")
	case "day":
		return from.Format("02 Jan 2006")
	case "week":
		year, week := from.ISOWeek()
		return fmt.Sprintf("W%d %d", week, year)
	case "quarter":
		return fmt.Sprintf("Q%d %d", (from.Month()-1)/3+1, from.Year())
	case "year":
		return from.Format("2006")
	}
	return from.Format("January 2006")
}
