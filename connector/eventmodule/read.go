package eventmodule

import (
	"context"
	"fmt"
	"strings"
)

// page is what search and its relatives take besides the domain.
type page struct {
	offset, limit int64 // limit 0 is none
	order         string
}

// search returns the ids a domain matches, in order.
func (e *env) search(ctx context.Context, m *model, domain *node, p page) ([]int64, error) {
	q := e.query()
	where, err := q.where(m, "q", domain, e.activeTest())
	if err != nil {
		return nil, err
	}
	order, err := q.orderBy(m, "q", p.order)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf("SELECT q.id::bigint FROM %s q WHERE %s ORDER BY %s", m.table(), where, order)
	if p.limit > 0 {
		sql += " LIMIT " + q.arg(p.limit)
	}
	if p.offset > 0 {
		sql += " OFFSET " + q.arg(p.offset)
	}
	rows, err := e.tx.Query(ctx, sql, q.args...)
	if err != nil {
		return nil, err
	}
	return collectIDs(rows)
}

// count returns how many rows a domain matches, up to limit when it is set.
func (e *env) count(ctx context.Context, m *model, domain *node, limit int64) (int64, error) {
	q := e.query()
	where, err := q.where(m, "q", domain, e.activeTest())
	if err != nil {
		return 0, err
	}
	sql := fmt.Sprintf("SELECT q.id FROM %s q WHERE %s", m.table(), where)
	if limit > 0 {
		sql += " LIMIT " + q.arg(limit)
	}
	var n int64
	err = e.tx.QueryRow(ctx, "SELECT count(*) FROM ("+sql+") x", q.args...).Scan(&n)
	return n, err
}

// readable resolves the names of fields to read; none means all.
func readable(m *model, names []string) ([]*field, error) {
	if len(names) == 0 {
		return m.fields, nil
	}
	seen := map[string]bool{"id": true}
	fields := []*field{m.field("id")}
	for _, name := range names {
		f := m.field(name)
		if f == nil {
			return nil, traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(name), pyRepr(m.name)))
		}
		if !seen[name] {
			seen[name] = true
			fields = append(fields, f)
		}
	}
	return fields, nil
}

// read returns one object a living id, in the order of ids with duplicates
// kept; ids that are gone are left out. With raw, a many2one is its bare id
// instead of the pair [id, name].
func (e *env) read(ctx context.Context, m *model, ids []int64, names []string, raw bool) ([]object, error) {
	fields, err := readable(m, names)
	if err != nil {
		return nil, err
	}
	out := []object{}
	if len(ids) == 0 {
		return out, nil
	}
	q := e.query()
	var columns []string
	position := make([]int, len(fields)) // of the field among the columns, or -1
	for i, f := range fields {
		position[i] = -1
		if !f.toMany() {
			position[i] = len(columns)
			columns = append(columns, f.sql(q, "q"))
		}
	}
	rows, err := e.tx.Query(ctx, fmt.Sprintf("SELECT %s FROM %s q WHERE q.id = ANY(%s::bigint[])",
		strings.Join(columns, ", "), m.table(), q.arg(ids)), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	byID := make(map[int64][]any, len(ids))
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		id, _ := number(values[0])
		byID[id] = values
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	lookup := make([]func(id int64, v any) any, len(fields))
	for i, f := range fields {
		if lookup[i], err = e.shaper(ctx, f, byID, position[i], raw); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		values, ok := byID[id]
		if !ok {
			continue
		}
		row := make(object, len(fields))
		for i, f := range fields {
			var v any
			if position[i] >= 0 {
				v = values[position[i]]
			}
			row[i] = member{f.name, lookup[i](id, v)}
		}
		out = append(out, row)
	}
	return out, nil
}

// shaper returns how one field's column becomes its answer, having fetched
// names and related ids for all rows at once.
func (e *env) shaper(ctx context.Context, f *field, byID map[int64][]any, position int, raw bool) (func(int64, any) any, error) {
	switch {
	case f.kind == kMany2one && !raw:
		var targets []int64
		for _, values := range byID {
			if id, ok := number(values[position]); ok {
				targets = append(targets, id)
			}
		}
		names, err := e.names(ctx, e.model(f.comodel), targets)
		if err != nil {
			return nil, err
		}
		return func(_ int64, v any) any {
			id, ok := number(v)
			if !ok {
				return false
			}
			return []any{id, names[id]}
		}, nil
	case f.toMany():
		ids := make([]int64, 0, len(byID))
		for id := range byID {
			ids = append(ids, id)
		}
		related, err := e.related(ctx, f, ids)
		if err != nil {
			return nil, err
		}
		return func(id int64, _ any) any {
			if list := related[id]; list != nil {
				return list
			}
			return []int64{}
		}, nil
	}
	return func(_ int64, v any) any { return fromColumn(f, v) }, nil
}

// names returns the display names of records.
func (e *env) names(ctx context.Context, m *model, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	rows, err := e.tx.Query(ctx, fmt.Sprintf("SELECT q.id::bigint, COALESCE(%s, '') FROM %s q WHERE q.id = ANY($1::bigint[])", m.displaySQL("q"), m.table()), ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		names[id] = name
	}
	return names, rows.Err()
}

// related returns, for each id, the ids behind a one2many or many2many in the
// default order of the model behind it.
func (e *env) related(ctx context.Context, f *field, ids []int64) (map[int64][]int64, error) {
	out := make(map[int64][]int64, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	co := e.model(f.comodel)
	q := e.query()
	owner, from := "b."+f.inverse, co.table()+" b"
	if f.kind == kMany2many {
		owner, from = "r."+f.left, fmt.Sprintf("%s r JOIN %s b ON b.id = r.%s", f.rel, co.table(), f.right)
	}
	where, err := q.where(co, "b", nil, e.activeTest())
	if err != nil {
		return nil, err
	}
	order, err := q.orderBy(co, "b", "")
	if err != nil {
		return nil, err
	}
	rows, err := e.tx.Query(ctx, fmt.Sprintf("SELECT %s::bigint, b.id::bigint FROM %s WHERE %s = ANY(%s::bigint[]) AND %s ORDER BY %s",
		owner, from, owner, q.arg(ids), where, order), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, other int64
		if err := rows.Scan(&id, &other); err != nil {
			return nil, err
		}
		out[id] = append(out[id], other)
	}
	return out, rows.Err()
}
