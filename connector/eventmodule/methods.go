package eventmodule

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// commonMethods are the public methods every model has.
var commonMethods map[string]method

func init() {
	commonMethods = map[string]method{
		"search":              {params: []string{"domain", "offset", "limit", "order"}, run: runSearch},
		"search_count":        {params: []string{"domain", "limit"}, run: runSearchCount},
		"search_read":         {params: []string{"domain", "fields", "offset", "limit", "order"}, named: []string{"load"}, run: runSearchRead},
		"read":                {ids: true, params: []string{"fields", "load"}, run: runRead},
		"read_group":          {params: []string{"domain", "fields", "groupby", "offset", "limit", "orderby", "lazy"}, run: runReadGroup},
		"name_search":         {params: []string{"name", "args", "operator", "limit"}, run: runNameSearch},
		"name_get":            {ids: true, run: runNameGet},
		"name_create":         {params: []string{"name"}, write: true, run: runNameCreate},
		"fields_get":          {params: []string{"allfields", "attributes"}, run: runFieldsGet},
		"default_get":         {params: []string{"fields_list"}, run: runDefaultGet},
		"create":              {params: []string{"vals_list"}, write: true, run: runCreate},
		"write":               {ids: true, params: []string{"vals"}, write: true, run: runWrite},
		"unlink":              {ids: true, write: true, run: runUnlink},
		"copy":                {ids: true, params: []string{"default"}, write: true, run: runCopy},
		"load":                {params: []string{"fields", "data"}, write: true, run: runLoad},
		"get_metadata":        {ids: true, run: runMetadata},
		"exists":              {ids: true, run: runExists},
		"check_access_rights": {params: []string{"operation", "raise_exception"}, run: runCheckAccess},
		"action_archive":      {ids: true, write: true, run: runActive(false)},
		"action_unarchive":    {ids: true, write: true, run: runActive(true)},
		"toggle_active":       {ids: true, write: true, run: runToggle},
	}
}

func runSearch(ctx context.Context, e *env, c *call) (any, error) {
	if err := e.allow(c.model, opRead); err != nil {
		return nil, err
	}
	domain, err := c.domain("domain")
	if err != nil {
		return nil, err
	}
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	return e.search(ctx, c.model, domain, p)
}

func runSearchCount(ctx context.Context, e *env, c *call) (any, error) {
	if err := e.allow(c.model, opRead); err != nil {
		return nil, err
	}
	domain, err := c.domain("domain")
	if err != nil {
		return nil, err
	}
	limit, err := c.int("limit")
	if err != nil {
		return nil, err
	}
	return e.count(ctx, c.model, domain, limit)
}

func runSearchRead(ctx context.Context, e *env, c *call) (any, error) {
	ids, err := runSearch(ctx, e, c)
	if err != nil {
		return nil, err
	}
	return readNamed(ctx, e, c, ids.([]int64))
}

func runRead(ctx context.Context, e *env, c *call) (any, error) {
	if err := e.allow(c.model, opRead); err != nil {
		return nil, err
	}
	return readNamed(ctx, e, c, c.ids)
}

// readNamed reads the fields the call names; load other than '_classic_read'
// answers bare ids for many2one.
func readNamed(ctx context.Context, e *env, c *call, ids []int64) (any, error) {
	names, err := c.texts("fields")
	if err != nil {
		return nil, err
	}
	raw := c.has("load") && c.arg("load") != "_classic_read"
	return e.read(ctx, c.model, ids, names, raw)
}

func runNameSearch(ctx context.Context, e *env, c *call) (any, error) {
	m := c.model
	if err := e.allow(m, opRead); err != nil {
		return nil, err
	}
	domain, err := c.domain("args")
	if err != nil {
		return nil, err
	}
	op := "ilike"
	if c.has("operator") {
		op = textOf(c.arg("operator"))
	}
	if !operators[op] {
		return nil, traceback(fmt.Sprintf("ValueError: Invalid leaf ('%s', %s, %s)", m.recName, pyRepr(op), pyRepr(c.arg("name"))))
	}
	if name := c.arg("name"); textOf(name) != "" || op != "ilike" {
		any := &node{op: "|"}
		if isNegative(op) {
			any.op = "&"
		}
		for _, f := range append([]string{m.recName}, m.nameSearch...) {
			any.operands = append(any.operands, &node{leaf: condition{path: f, op: op, value: name}})
		}
		if domain == nil {
			domain = any
		} else {
			domain = &node{op: "&", operands: []*node{domain, any}}
		}
	}
	limit := int64(100)
	if c.has("limit") {
		if limit, err = c.int("limit"); err != nil {
			return nil, err
		}
	}
	ids, err := e.search(ctx, m, domain, page{limit: limit})
	if err != nil {
		return nil, err
	}
	return e.pairs(ctx, m, ids)
}

// pairs answers [id, display name] for each living id.
func (e *env) pairs(ctx context.Context, m *model, ids []int64) (any, error) {
	names, err := e.names(ctx, m, ids)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, id := range ids {
		if name, ok := names[id]; ok {
			out = append(out, []any{id, name})
		}
	}
	return out, nil
}

func runNameGet(ctx context.Context, e *env, c *call) (any, error) {
	if err := e.allow(c.model, opRead); err != nil {
		return nil, err
	}
	return e.pairs(ctx, c.model, c.ids)
}

func runNameCreate(ctx context.Context, e *env, c *call) (any, error) {
	ids, err := e.create(ctx, c.model, []map[string]any{{c.model.recName: c.arg("name")}})
	if err != nil {
		return nil, err
	}
	names, err := e.names(ctx, c.model, ids)
	return []any{ids[0], names[ids[0]]}, err
}

func runCreate(ctx context.Context, e *env, c *call) (any, error) {
	if !c.has("vals_list") {
		return nil, traceback("TypeError: BaseModel.create() missing 1 required positional argument: 'vals_list'")
	}
	if list, ok := c.arg("vals_list").([]any); ok {
		batch := make([]map[string]any, len(list))
		for i, v := range list {
			var err error
			if batch[i], err = values(v); err != nil {
				return nil, err
			}
		}
		return e.create(ctx, c.model, batch)
	}
	vals, err := values(c.arg("vals_list"))
	if err != nil {
		return nil, err
	}
	ids, err := e.create(ctx, c.model, []map[string]any{vals})
	if err != nil {
		return nil, err
	}
	return ids[0], nil
}

func runWrite(ctx context.Context, e *env, c *call) (any, error) {
	vals, err := values(c.arg("vals"))
	if err != nil {
		return nil, err
	}
	return true, e.write(ctx, c.model, c.ids, vals)
}

func runUnlink(ctx context.Context, e *env, c *call) (any, error) {
	return true, e.unlink(ctx, c.model, c.ids)
}

func runCopy(ctx context.Context, e *env, c *call) (any, error) {
	over, err := values(c.arg("default"))
	if err != nil {
		return nil, err
	}
	if err := known(c.model, over); err != nil {
		return nil, err
	}
	if len(c.ids) != 1 {
		return nil, traceback(fmt.Sprintf("ValueError: Expected singleton: %s(%s)", c.model.name, pyTuple(c.ids)))
	}
	return e.copyRecord(ctx, c.model, c.ids[0], over)
}

func runExists(ctx context.Context, e *env, c *call) (any, error) {
	rows, err := e.tx.Query(ctx, fmt.Sprintf("SELECT id::bigint FROM %s WHERE id = ANY($1::bigint[])", c.model.table()), c.ids)
	if err != nil {
		return nil, err
	}
	found, err := collectIDs(rows)
	if err != nil {
		return nil, err
	}
	gone := without(c.ids, found)
	alive := without(c.ids, gone)
	if alive == nil {
		alive = []int64{}
	}
	return alive, nil
}

func runCheckAccess(_ context.Context, e *env, c *call) (any, error) {
	op := textOf(c.arg("operation"))
	if !slices.Contains([]string{opRead, opWrite, opCreate, opUnlink}, op) {
		return nil, traceback("AssertionError: Invalid access mode")
	}
	raise := true
	if v, ok := c.arg("raise_exception").(bool); ok {
		raise = v
	} else if n, ok := c.arg("raise_exception").(int64); ok {
		raise = n != 0
	}
	if raise {
		return true, e.allow(c.model, op)
	}
	return e.may(c.model, op), nil
}

// runActive archives or restores; Odoo answers True for archive and None
// for neither, which clients of 17.0 see as True.
func runActive(active bool) func(context.Context, *env, *call) (any, error) {
	return func(ctx context.Context, e *env, c *call) (any, error) {
		if !c.model.hasActive() {
			return nil, traceback(fmt.Sprintf("ValueError: Invalid field 'active' on model %s", pyRepr(c.model.name)))
		}
		return true, e.write(ctx, c.model, c.ids, map[string]any{"active": active})
	}
}

func runToggle(ctx context.Context, e *env, c *call) (any, error) {
	rows, err := e.read(ctx, c.model, c.ids, []string{"active"}, true)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if err := e.write(ctx, c.model, []int64{row.get("id").(int64)}, map[string]any{"active": row.get("active") != true}); err != nil {
			return nil, err
		}
	}
	return true, nil
}

// runDefaultGet answers the values a new row would start with.
func runDefaultGet(_ context.Context, e *env, c *call) (any, error) {
	names, err := c.texts("fields_list")
	if err != nil {
		return nil, err
	}
	given := e.contextDefaults(c.model)
	out := object{}
	for _, name := range names {
		f := c.model.field(name)
		if f == nil {
			continue
		}
		if v, ok := given[name]; ok {
			out = append(out, member{name, v})
		} else if f.initial != nil {
			out = append(out, member{name, f.initial(e)})
		}
	}
	return out, nil
}

// runMetadata answers who made and changed records, and their external ids:
// the way to see whether a row is one's own without reading ir.model.data.
func runMetadata(ctx context.Context, e *env, c *call) (any, error) {
	if err := e.allow(c.model, opRead); err != nil {
		return nil, err
	}
	rows, err := e.read(ctx, c.model, c.ids, []string{"create_uid", "create_date", "write_uid", "write_date"}, false)
	if err != nil {
		return nil, err
	}
	found, err := e.tx.Query(ctx, `
		SELECT res_id::bigint, module || '.' || name, COALESCE(noupdate, FALSE)
		FROM ir_model_data
		WHERE model = $1 AND res_id = ANY($2::bigint[])
		ORDER BY id`, c.model.name, c.ids)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	external := map[int64][]object{}
	for found.Next() {
		var id int64
		var name string
		var fixed bool
		if err := found.Scan(&id, &name, &fixed); err != nil {
			return nil, err
		}
		external[id] = append(external[id], object{{"xmlid", name}, {"noupdate", fixed}})
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	for i, row := range rows {
		list := external[row.get("id").(int64)]
		xmlid, fixed := any(false), any(false)
		if len(list) > 0 {
			xmlid, fixed = list[0].get("xmlid"), list[0].get("noupdate")
		} else {
			list = []object{}
		}
		rows[i] = append(row, member{"xmlid", xmlid}, member{"noupdate", fixed}, member{"xmlids", list})
	}
	return rows, nil
}

// runFieldsGet describes fields; names that do not exist are left out, which
// makes it the way to test for a feature.
func runFieldsGet(_ context.Context, e *env, c *call) (any, error) {
	names, err := c.texts("allfields")
	if err != nil {
		return nil, err
	}
	attributes, err := c.texts("attributes")
	if err != nil {
		return nil, err
	}
	out := object{}
	for _, f := range c.model.fields {
		if len(names) > 0 && !slices.Contains(names, f.name) {
			continue
		}
		desc := describe(f)
		if len(attributes) > 0 {
			desc = slices.DeleteFunc(desc, func(m member) bool { return !slices.Contains(attributes, m.name) })
		}
		out = append(out, member{f.name, desc})
	}
	return out, nil
}

// describe lists a field's attributes in Odoo's order, which is alphabetical.
func describe(f *field) object {
	stored := f.stored() || f.kept || f.toMany()
	desc := object{
		{"change_default", false},
		{"company_dependent", false},
		{"depends", []any{}},
		{"exportable", true},
		{"manual", false},
		{"name", f.name},
		{"readonly", f.readonly},
		{"required", f.required},
		{"searchable", f.compute == nil || f.searchable},
		{"sortable", f.sortable()},
		{"store", stored},
		{"string", f.label},
		{"type", f.kind},
	}
	if f.comodel != "" {
		desc = append(desc, member{"context", object{}}, member{"domain", []any{}}, member{"relation", f.comodel})
	}
	if f.kind == kOne2many {
		desc = append(desc, member{"relation_field", f.inverse})
	}
	if f.kind == kSelection {
		options := make([]any, len(f.selection))
		for i, o := range f.selection {
			options[i] = []any{o[0], o[1]}
		}
		desc = append(desc, member{"selection", options})
	}
	if f.kind == kInteger || f.kind == kFloat {
		desc = append(desc, member{"group_operator", "sum"})
	}
	if f.kind == kChar || f.kind == kText || f.kind == kHTML {
		desc = append(desc, member{"translate", false})
	}
	slices.SortFunc(desc, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return desc
}
