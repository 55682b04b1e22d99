package eventmodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// loadColumn is one column of a load: a field, and how its text is read:
// "" by value or name, "id" by external id, ".id" by database id.
type loadColumn struct {
	field *field
	by    string
}

// loadRow is one row made ready: the values, and what it updates.
type loadRow struct {
	index int
	vals  map[string]any
	xmlid string
	dbid  int64 // 0 creates
	bad   bool
}

// loader runs one load. messages collects what is wrong, a row at a time.
type loader struct {
	*env
	model    *model
	columns  []loadColumn
	messages []object
}

// runLoad is the upsert by external id: rows under an "id" column are created
// or updated as that id is known or not, rows under ".id" are updated. The
// answer is never a fault: ids in row order, or False and a message per bad
// row, with nothing written.
func runLoad(ctx context.Context, e *env, c *call) (any, error) {
	names, err := c.texts("fields")
	if err != nil {
		return nil, err
	}
	l := &loader{env: e, model: c.model}
	if err := l.readColumns(names); err != nil {
		return nil, err
	}
	data, ok := c.arg("data").([]any)
	if !ok {
		return nil, traceback("TypeError: load() needs a list of rows")
	}
	ids, err := l.load(ctx, data)
	if err != nil {
		return nil, err
	}
	out := object{{"ids", any(false)}, {"messages", l.messages}, {"nextrow", 0}}
	if len(l.messages) == 0 {
		out[0].value = ids
		out[1].value = []any{}
		return out, nil
	}
	slices.SortStableFunc(l.messages, func(a, b object) int {
		return int(a.get("record").(int64) - b.get("record").(int64))
	})
	return nil, &rolledBackError{out}
}

// rolledBackError undoes the transaction and still answers with a value.
type rolledBackError struct{ answer any }

func (r *rolledBackError) Error() string { return "the batch was refused" }

func (l *loader) readColumns(names []string) error {
	for _, name := range names {
		if name == "id" || name == ".id" {
			l.columns = append(l.columns, loadColumn{field: l.model.field("id"), by: name})
			continue
		}
		base, by, _ := strings.Cut(name, "/")
		f := l.model.field(base)
		if f == nil {
			return traceback(fmt.Sprintf("KeyError: %s", pyRepr(base)))
		}
		l.columns = append(l.columns, loadColumn{field: f, by: by})
	}
	return nil
}

func (l *loader) load(ctx context.Context, data []any) ([]int64, error) {
	rows := make([]*loadRow, 0, len(data))
	var xmlids []string
	for i, d := range data {
		row, err := l.parse(ctx, i, d)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if row.xmlid != "" {
			xmlids = append(xmlids, row.xmlid)
		}
	}
	if err := l.resolve(ctx, rows, xmlids); err != nil {
		return nil, err
	}
	good := slices.DeleteFunc(slices.Clone(rows), func(r *loadRow) bool { return r.bad })
	if len(good) == len(rows) {
		// All at once first: one check of the seats for the whole batch.
		var ids []int64
		err := l.savepoint(ctx, func() (err error) { ids, err = l.store(ctx, good); return err })
		if err == nil || !l.blames(err) {
			return ids, err
		}
	}
	// One by one, to say which rows are to blame. The batch is lost already.
	made := map[string]int64{}
	for _, row := range good {
		if row.dbid == 0 {
			row.dbid = made[row.xmlid]
		}
		err := l.savepoint(ctx, func() error {
			ids, err := l.store(ctx, []*loadRow{row})
			if err == nil && row.xmlid != "" {
				made[row.xmlid] = ids[0]
			}
			return err
		})
		if err != nil {
			if !l.blames(err) {
				return nil, err
			}
			l.complain(row, err)
		}
	}
	if len(l.messages) == 0 { // every row alone passes: the batch collides with itself
		return nil, errAgain
	}
	return nil, nil
}

// blames tells whether an error is about the row rather than about the call.
func (l *loader) blames(err error) bool {
	var f *fault
	var pg *pgconn.PgError
	if errors.Is(err, errAgain) || retryable(err) {
		return false
	}
	return errors.As(err, &f) || errors.As(err, &pg)
}

// resolve finds the rows the external ids stand for, and the rows named by
// database id. An unknown database id is a message; an unknown external id
// makes a new row.
func (l *loader) resolve(ctx context.Context, rows []*loadRow, xmlids []string) error {
	known, err := l.external(ctx, xmlids)
	if err != nil {
		return err
	}
	var dbids []int64
	for _, r := range rows {
		if r.dbid != 0 {
			dbids = append(dbids, r.dbid)
		}
	}
	alive, err := l.distinct(ctx, fmt.Sprintf("SELECT id::bigint FROM %s WHERE id = ANY($1::bigint[])", l.model.table()), dbids)
	if err != nil {
		return err
	}
	gone := without(dbids, alive)
	for _, r := range rows {
		if r.dbid != 0 && slices.Contains(gone, r.dbid) {
			l.report(r, ".id", fmt.Sprintf("Unknown database identifier '%d'", r.dbid))
		}
		if r.xmlid == "" {
			continue
		}
		link := known[r.xmlid]
		if link.model != "" && link.model != l.model.name {
			l.report(r, "", fmt.Sprintf("For external id %s when trying to create/update a record of model %s found record of different model %s (%d)",
				r.xmlid, l.model.name, link.model, link.id))
			continue
		}
		r.dbid = link.id // with both, the external id wins
	}
	return nil
}

// target is what an external id points to.
type target struct {
	model string
	id    int64
}

// external looks up external ids. Those whose row went with its owner are
// removed first, so that they make new rows.
func (l *loader) external(ctx context.Context, xmlids []string) (map[string]target, error) {
	found := map[string]target{}
	if len(xmlids) == 0 {
		return found, nil
	}
	const named = `(d.module, d.name) IN (SELECT split_part(x, '.', 1), substr(x, strpos(x, '.') + 1) FROM unnest($1::text[]) x)`
	_, err := l.tx.Exec(ctx, fmt.Sprintf(`DELETE FROM ir_model_data d WHERE %s AND d.model = $2 AND NOT EXISTS (SELECT 1 FROM %s q WHERE q.id = d.res_id)`,
		named, l.model.table()), xmlids, l.model.name)
	if err != nil {
		return nil, err
	}
	rows, err := l.tx.Query(ctx, `SELECT d.module || '.' || d.name, d.model, d.res_id::bigint FROM ir_model_data d WHERE `+named, xmlids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var t target
		if err := rows.Scan(&name, &t.model, &t.id); err != nil {
			return nil, err
		}
		found[name] = t
	}
	return found, rows.Err()
}

// store creates and updates rows and links the new ones to their external ids.
func (l *loader) store(ctx context.Context, rows []*loadRow) ([]int64, error) {
	ids := make([]int64, len(rows))
	var fresh []map[string]any
	var at []int
	first := map[string]int{} // an external id twice in one batch is one row
	for i, r := range rows {
		if r.dbid != 0 {
			continue
		}
		if _, twice := first[r.xmlid]; twice && r.xmlid != "" {
			continue
		}
		first[r.xmlid] = i
		fresh = append(fresh, r.vals)
		at = append(at, i)
	}
	made, err := l.create(ctx, l.model, fresh)
	if err != nil {
		return nil, err
	}
	links := &pgx.Batch{}
	for j, i := range at {
		ids[i] = made[j]
		if module, name, ok := strings.Cut(rows[i].xmlid, "."); ok {
			links.Queue(`
				INSERT INTO ir_model_data (module, name, model, res_id, noupdate, create_uid, write_uid, create_date, write_date)
				VALUES ($1, $2, $3, $4, FALSE, $5, $5, $6, $6)`, module, name, l.model.name, made[j], l.user.id, l.now)
		}
	}
	if err := l.tx.SendBatch(ctx, links).Close(); err != nil {
		return nil, linkFault(err)
	}
	var changes []change
	for i, r := range rows {
		if ids[i] != 0 {
			continue
		}
		if ids[i] = r.dbid; r.dbid == 0 {
			ids[i] = ids[first[r.xmlid]]
		}
		changes = append(changes, change{[]int64{ids[i]}, r.vals})
	}
	if len(changes) == 0 {
		return ids, nil
	}
	return ids, l.update(ctx, l.model, changes)
}

// linkFault reads a collision on an external id: somebody else has just taken
// it for the same row, so the call runs again and updates.
func linkFault(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != sqlUnique {
		return err
	}
	return fmt.Errorf("%w: an external id was taken meanwhile: %w", errAgain, err)
}

// parse turns one row of texts into values.
func (l *loader) parse(ctx context.Context, index int, data any) (*loadRow, error) {
	cells, _ := data.([]any)
	row := &loadRow{index: index, vals: map[string]any{}}
	for i, col := range l.columns {
		var cell any
		if i < len(cells) {
			cell = cells[i]
		}
		s := textOf(cell)
		switch {
		case col.field.name == "id" && col.by == "id":
			if row.xmlid = s; s != "" && !strings.Contains(s, ".") {
				row.xmlid = "__import__." + s
			}
		case col.field.name == "id":
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
			if s != "" && (err != nil || n <= 0) {
				l.report(row, ".id", fmt.Sprintf("Unknown database identifier '%s'", s))
				continue
			}
			row.dbid = n
		default:
			v, err := l.cell(ctx, col, s)
			var complaint *cellError
			if errors.As(err, &complaint) {
				l.report(row, col.field.name, complaint.text)
				continue
			}
			if err != nil {
				return nil, err
			}
			row.vals[col.field.name] = v
		}
	}
	return row, nil
}

// cellError says what is wrong with one cell.
type cellError struct{ text string }

func (c *cellError) Error() string { return c.text }

// cell converts the text of one cell as Odoo's import does.
func (l *loader) cell(ctx context.Context, col loadColumn, s string) (any, error) {
	f := col.field
	if s == "" {
		return false, nil
	}
	switch f.kind {
	case kBoolean:
		switch strings.ToLower(s) {
		case "1", "true", "yes":
			return true, nil
		case "", "0", "false", "no":
			return false, nil
		}
		return nil, &cellError{fmt.Sprintf("Unknown value '%s' for boolean field '%s'", s, f.label)}
	case kInteger:
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return nil, &cellError{fmt.Sprintf("'%s' does not seem to be an integer for field '%s'", s, f.label)}
		}
		return n, nil
	case kFloat:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, &cellError{fmt.Sprintf("'%s' does not seem to be a number for field '%s'", s, f.label)}
		}
		return n, nil
	case kSelection:
		for _, o := range f.selection {
			if strings.EqualFold(s, o[0]) || strings.EqualFold(s, o[1]) {
				return o[0], nil
			}
		}
		return nil, &cellError{fmt.Sprintf("Value '%s' not found in selection field '%s'", s, f.label)}
	case kDatetime:
		t, err := time.ParseInLocation(stampLayout, s, l.zone())
		if err != nil {
			return nil, &cellError{fmt.Sprintf("'%s' does not seem to be a valid datetime for field '%s'", s, f.label)}
		}
		return stamp(t.UTC()), nil
	case kMany2one:
		return l.reference(ctx, col, s)
	case kMany2many:
		ids := []any{}
		for part := range strings.SplitSeq(s, ",") {
			id, err := l.reference(ctx, col, strings.TrimSpace(part))
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return []any{[]any{int64(cmdSet), int64(0), ids}}, nil
	case kOne2many:
		return nil, &cellError{fmt.Sprintf("Field '%s' cannot be loaded; load its rows by themselves", f.label)}
	}
	return s, nil
}

// reference finds the record a cell means.
func (l *loader) reference(ctx context.Context, col loadColumn, s string) (any, error) {
	f, co := col.field, l.env.model(col.field.comodel)
	var sql, kind string
	args := []any{s}
	switch col.by {
	case ".id":
		kind = "database id"
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return nil, &cellError{fmt.Sprintf("Invalid database id '%s' for the field '%s'", s, f.label)}
		}
		sql, args = fmt.Sprintf("SELECT q.id::bigint FROM %s q WHERE q.id = $1", co.table()), []any{n}
	case "id":
		kind = "external id"
		if !strings.Contains(s, ".") {
			s = "__import__." + s
		}
		module, name, _ := strings.Cut(s, ".")
		sql = fmt.Sprintf("SELECT t.id::bigint FROM ir_model_data d JOIN %s t ON t.id = d.res_id WHERE d.model = $1 AND d.module = $2 AND d.name = $3", co.table())
		args = []any{co.name, module, name}
	default:
		kind = "name"
		sql = fmt.Sprintf("SELECT q.id::bigint FROM %s q WHERE %s = $1 ORDER BY q.id LIMIT 2", co.table(), co.displaySQL("q"))
	}
	rows, err := l.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	ids, err := collectIDs(rows)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, &cellError{fmt.Sprintf("No matching record found for %s '%s' in field '%s'", kind, s, f.label)}
	}
	return ids[0], nil
}

// complain makes the message of a row that could not be stored.
func (l *loader) complain(row *loadRow, err error) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == sqlNotNull {
		label := pg.ColumnName
		if f := l.model.field(pg.ColumnName); f != nil {
			label = f.label
		}
		l.report(row, pg.ColumnName, fmt.Sprintf("Missing required value for the field '%s' (%s)", label, pg.ColumnName))
		return
	}
	var f *fault
	if !errors.As(l.srv.sqlFault(err), &f) {
		l.report(row, "", err.Error())
		return
	}
	text := f.text
	if f.code == codeApplication {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		text = "Unknown error during import: " + lines[len(lines)-1]
	}
	l.report(row, "", text)
}

// report adds a message; field may be empty when the whole row is meant.
func (l *loader) report(row *loadRow, field, text string) {
	row.bad = true
	message := object{
		{"type", "error"},
		{"message", text},
		{"record", int64(row.index)},
		{"rows", object{{"from", int64(row.index)}, {"to", int64(row.index)}}},
	}
	if field != "" {
		message = append(message, member{"field", field})
		if f := l.model.field(field); f != nil {
			message = append(message, member{"field_name", f.label})
		}
	} else {
		message = append(message, member{"field", false})
	}
	l.messages = append(l.messages, message)
}
