package eventmodule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
)

// create makes one row per element of batch and returns their ids in order.
// It is all or nothing, as the transaction around it.
func (e *env) create(ctx context.Context, m *model, batch []map[string]any) ([]int64, error) {
	ids := make([]int64, 0, len(batch))
	if len(batch) == 0 {
		return ids, nil
	}
	if err := e.allow(m, opCreate); err != nil {
		return nil, err
	}
	rows := make([]map[string]any, len(batch))
	names := map[string]bool{}
	for i, vals := range batch {
		if err := known(m, vals); err != nil {
			return nil, err
		}
		rows[i] = maps.Clone(vals)
		for name, v := range e.contextDefaults(m) {
			setDefault(rows[i], name, v)
		}
		for name := range rows[i] {
			names[name] = true
		}
	}
	if m.prepare != nil {
		if err := m.prepare(ctx, e, nil, rows); err != nil {
			return nil, err
		}
	}
	queue := &pgx.Batch{}
	for _, vals := range rows {
		if err := e.queueInsert(queue, m, vals); err != nil {
			return nil, err
		}
	}
	results := e.tx.SendBatch(ctx, queue)
	for range rows {
		var id int64
		if err := results.QueryRow().Scan(&id); err != nil {
			_ = results.Close()
			return nil, err
		}
		ids = append(ids, id)
	}
	if err := results.Close(); err != nil {
		return nil, err
	}
	for i, vals := range rows {
		if err := e.applyCommands(ctx, m, ids[i:i+1], vals); err != nil {
			return nil, err
		}
	}
	if m.settle != nil {
		if err := m.settle(ctx, e, ids, touched{created: true, names: names}); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// known refuses values for fields the model does not have.
func known(m *model, vals map[string]any) error {
	for name := range vals {
		if m.field(name) == nil {
			return traceback(fmt.Sprintf("ValueError: Invalid field %s on model %s", pyRepr(name), pyRepr(m.name)))
		}
	}
	return nil
}

// contextDefaults are the default_<field> keys of the caller's context.
func (e *env) contextDefaults(m *model) map[string]any {
	out := map[string]any{}
	for key, v := range e.ctx {
		name, ok := strings.CutPrefix(key, "default_")
		if f := m.field(name); ok && f != nil && !magic[name] {
			out[name] = v
		}
	}
	return out
}

// queueInsert converts the values of one new row and queues its INSERT.
func (e *env) queueInsert(queue *pgx.Batch, m *model, vals map[string]any) error {
	var columns, holders []string
	q := e.query()
	for _, f := range m.fields {
		if !f.stored() || magic[f.name] {
			continue
		}
		v, given := vals[f.name]
		if !given {
			switch {
			case f.initial != nil:
				v = f.initial(e)
			case f.kind != kInteger && f.kind != kFloat && f.kind != kBoolean:
				continue
			}
		}
		column, err := e.toColumn(m, f, v)
		if err != nil {
			return err
		}
		columns = append(columns, f.name)
		holders = append(holders, q.arg(column))
	}
	columns = append(columns, "create_uid", "write_uid", "create_date", "write_date")
	holders = append(holders, q.arg(e.user.id), q.arg(e.user.id), q.arg(e.now), q.arg(e.now))
	queue.Queue(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) RETURNING id::bigint",
		m.table(), strings.Join(columns, ", "), strings.Join(holders, ", ")), q.args...)
	return nil
}

// change is new values for some rows.
type change struct {
	ids  []int64
	vals map[string]any
}

// write gives all ids the same values. A missing id is a fault, no ids are
// none, and write_date moves even when nothing else does.
func (e *env) write(ctx context.Context, m *model, ids []int64, vals map[string]any) error {
	return e.update(ctx, m, []change{{ids, vals}})
}

// update makes several changes in order, checking the model's rules once.
func (e *env) update(ctx context.Context, m *model, changes []change) error {
	if err := e.allow(m, opWrite); err != nil {
		return err
	}
	var all []int64
	batch := make([]map[string]any, len(changes))
	for i, c := range changes {
		if err := known(m, c.vals); err != nil {
			return err
		}
		all = append(all, c.ids...)
		batch[i] = maps.Clone(c.vals)
	}
	if len(all) == 0 {
		return nil
	}
	if m.prepare != nil {
		if err := m.prepare(ctx, e, all, batch); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	queue := &pgx.Batch{}
	for i, c := range changes {
		if err := e.queueUpdate(queue, m, c.ids, batch[i], names); err != nil {
			return err
		}
	}
	found, err := updated(e.tx.SendBatch(ctx, queue), len(changes))
	if err != nil {
		return err
	}
	if gone := without(all, found); len(gone) > 0 {
		return missing(m.name, gone, e.user.id)
	}
	for i, c := range changes {
		if err := e.applyCommands(ctx, m, c.ids, batch[i]); err != nil {
			return err
		}
	}
	if m.settle != nil {
		return m.settle(ctx, e, all, touched{names: names})
	}
	return nil
}

// queueUpdate converts the values of one change, queues its UPDATE and notes
// the fields it names.
func (e *env) queueUpdate(queue *pgx.Batch, m *model, ids []int64, vals map[string]any, names map[string]bool) error {
	q := e.query()
	sets := []string{"write_uid = " + q.arg(e.user.id), "write_date = " + q.arg(e.now)}
	for _, f := range m.fields {
		v, given := vals[f.name]
		if !given {
			continue
		}
		names[f.name] = true
		if !f.stored() || magic[f.name] {
			continue // computed: accepted and ignored, as measured
		}
		column, err := e.toColumn(m, f, v)
		if err != nil {
			return err
		}
		sets = append(sets, f.name+" = "+q.arg(column))
	}
	queue.Queue(fmt.Sprintf("UPDATE %s SET %s WHERE id = ANY(%s::bigint[]) RETURNING id::bigint",
		m.table(), strings.Join(sets, ", "), q.arg(ids)), q.args...)
	return nil
}

// updated collects the ids of a batch of updates.
func updated(results pgx.BatchResults, n int) (found []int64, err error) {
	defer func() { err = errors.Join(err, results.Close()) }()
	for range n {
		rows, err := results.Query()
		if err != nil {
			return nil, err
		}
		ids, err := collectIDs(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	return found, nil
}

// unlink deletes rows and the external ids that point to them.
func (e *env) unlink(ctx context.Context, m *model, ids []int64) error {
	if err := e.allow(m, opUnlink); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	if m.beforeUnlink != nil {
		if err := m.beforeUnlink(ctx, e, ids); err != nil {
			return err
		}
	}
	rows, err := e.tx.Query(ctx, fmt.Sprintf("DELETE FROM %s WHERE id = ANY($1::bigint[]) RETURNING id::bigint", m.table()), ids)
	if err != nil {
		return err
	}
	found, err := collectIDs(rows)
	if err != nil {
		return err
	}
	if gone := without(ids, found); len(gone) > 0 {
		return missing(m.name, gone, e.user.id)
	}
	_, err = e.tx.Exec(ctx, `DELETE FROM ir_model_data WHERE model = $1 AND res_id = ANY($2::bigint[])`, m.name, found)
	return err
}

// copyRecord duplicates one row with the values in over; its name gets
// " (copy)" as Odoo gives it.
func (e *env) copyRecord(ctx context.Context, m *model, id int64, over map[string]any) (int64, error) {
	rows, err := e.read(ctx, m, []int64{id}, nil, true)
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return 0, missing(m.name, []int64{id}, e.user.id)
	}
	vals := map[string]any{}
	for _, f := range m.fields {
		if f.noCopy || magic[f.name] || f.compute != nil || f.kind == kOne2many {
			continue
		}
		v := rows[0].get(f.name)
		if list, ok := v.([]int64); ok {
			v = []any{[]any{int64(6), int64(0), anyIDs(list)}}
		}
		vals[f.name] = v
	}
	if name, ok := vals[m.recName].(string); ok {
		vals[m.recName] = name + " (copy)"
		if m.name == "event.registration" {
			vals[m.recName] = name
		}
	}
	maps.Copy(vals, over)
	ids, err := e.create(ctx, m, []map[string]any{vals})
	if err != nil {
		return 0, err
	}
	for _, f := range m.fields {
		if f.kind != kOne2many || f.noCopy || over[f.name] != nil {
			continue
		}
		for _, child := range rows[0].get(f.name).([]int64) {
			if _, err := e.copyChild(ctx, f, child, ids[0]); err != nil {
				return 0, err
			}
		}
	}
	return ids[0], nil
}

// copyChild duplicates one row of a one2many under its new owner, keeping its
// name.
func (e *env) copyChild(ctx context.Context, f *field, id, owner int64) (int64, error) {
	co := e.model(f.comodel)
	names, err := e.read(ctx, co, []int64{id}, []string{co.recName}, true)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	return e.copyRecord(ctx, co, id, map[string]any{f.inverse: owner, co.recName: names[0].get(co.recName)})
}
