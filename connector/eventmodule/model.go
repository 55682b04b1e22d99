package eventmodule

import (
	"context"
	"strings"
)

// The field types, by their names in Odoo.
const (
	kChar      = "char"
	kText      = "text"
	kHTML      = "html"
	kInteger   = "integer"
	kFloat     = "float"
	kBoolean   = "boolean"
	kDatetime  = "datetime"
	kSelection = "selection"
	kMany2one  = "many2one"
	kOne2many  = "one2many"
	kMany2many = "many2many"
)

// field describes one field of a model: what fields_get tells about it, where
// it is stored or how it is computed, and how a new row gets it.
type field struct {
	name  string
	label string
	kind  string

	comodel   string      // relations: the model pointed to
	inverse   string      // one2many: the many2one on comodel
	rel       string      // many2many: the table, with columns left and right
	left      string      // many2many: the column that holds our id
	right     string      // many2many: the column that holds theirs
	onDelete  string      // many2one: SET NULL (default), RESTRICT or CASCADE
	selection [][2]string // selection: technical value, label

	required bool
	readonly bool // fields_get says so; a write is still accepted, as in Odoo
	noCopy   bool

	// compute is the SQL of a field that has no column, over the row alias.
	compute func(q *query, alias string) string
	// kept says that Odoo stores this computed field: it can be sorted by.
	kept bool
	// searchable says that a computed field can stand in a domain. Odoo takes
	// a condition on any other computed field as always true.
	searchable bool

	// initial makes the value of a new row that names none; nil leaves it empty.
	initial func(e *env) any
}

// stored tells whether the field has a column.
func (f *field) stored() bool { return f.compute == nil && !f.toMany() }

func (f *field) toMany() bool { return f.kind == kOne2many || f.kind == kMany2many }

// sortable tells whether an order may name the field.
func (f *field) sortable() bool { return f.stored() || f.kept }

// sql is the expression of the field's value over the row alias.
func (f *field) sql(q *query, alias string) string {
	if f.compute != nil {
		return f.compute(q, alias)
	}
	return alias + "." + f.name
}

// model describes one model: its table, its fields and its own rules.
type model struct {
	name  string
	label string
	order string // the default order
	// recName is the field that name_create fills.
	recName string
	// display is the SQL of display_name; nil means the column recName.
	display func(alias string) string
	// nameSearch lists further fields name_search looks into.
	nameSearch []string
	// parent is the many2one to itself that child_of climbs.
	parent string
	// checks are table constraints, by name.
	checks map[string]string
	// indexes are extra indexed column lists.
	indexes []string
	fields  []*field

	// prepare completes and checks the values of rows to be created (ids is
	// nil, one entry a row) or written (one entry for all ids), before they
	// are converted and before any row of the model is locked.
	prepare func(ctx context.Context, e *env, ids []int64, batch []map[string]any) error
	// settle runs after rows were created or written with the named values:
	// it derives what depends on them and checks the model's constraints.
	settle func(ctx context.Context, e *env, ids []int64, touched touched) error
	// beforeUnlink may refuse.
	beforeUnlink func(ctx context.Context, e *env, ids []int64) error
	// methods are the model's own public methods.
	methods map[string]method

	byName map[string]*field
}

// touched says which fields a create or write carried; created is set when
// the rows are new, so that every rule applies.
type touched struct {
	created bool
	names   map[string]bool
}

func (t touched) any(names ...string) bool {
	if t.created {
		return true
	}
	for _, n := range names {
		if t.names[n] {
			return true
		}
	}
	return false
}

func (m *model) table() string { return strings.ReplaceAll(m.name, ".", "_") }

func (m *model) field(name string) *field { return m.byName[name] }

func (m *model) hasActive() bool { return m.byName["active"] != nil }

// displaySQL is the expression of display_name over the row alias.
func (m *model) displaySQL(alias string) string {
	if m.display != nil {
		return m.display(alias)
	}
	return alias + "." + m.recName
}

// registry holds every model the server carries.
type registry struct {
	list    []*model
	byName  map[string]*model
	byTable map[string]*model
}

// newRegistry completes the models with the fields every Odoo model has.
func newRegistry(models ...*model) *registry {
	r := &registry{byName: map[string]*model{}, byTable: map[string]*model{}}
	for _, m := range models {
		if m.recName == "" {
			m.recName = "name"
		}
		if m.order == "" {
			m.order = "id"
		}
		m.fields = append([]*field{{name: "id", label: "ID", kind: kInteger, readonly: true, noCopy: true}}, m.fields...)
		m.fields = append(m.fields,
			&field{
				name: "display_name", label: "Display Name", kind: kChar, readonly: true, searchable: true,
				compute: func(_ *query, alias string) string { return m.displaySQL(alias) },
			},
			&field{name: "create_uid", label: "Created by", kind: kMany2one, comodel: "res.users", readonly: true, noCopy: true},
			&field{name: "create_date", label: "Created on", kind: kDatetime, readonly: true, noCopy: true},
			&field{name: "write_uid", label: "Last Updated by", kind: kMany2one, comodel: "res.users", readonly: true, noCopy: true},
			&field{name: "write_date", label: "Last Updated on", kind: kDatetime, readonly: true, noCopy: true},
		)
		m.byName = make(map[string]*field, len(m.fields))
		for _, f := range m.fields {
			m.byName[f.name] = f
		}
		r.list = append(r.list, m)
		r.byName[m.name] = m
		r.byTable[m.table()] = m
	}
	return r
}

// magic are the fields a caller cannot set: values for them are ignored.
var magic = map[string]bool{
	"id": true, "create_uid": true, "create_date": true, "write_uid": true, "write_date": true,
}

// Short builders for the model definitions.

func char(name, label string) *field    { return &field{name: name, label: label, kind: kChar} }
func text(name, label string) *field    { return &field{name: name, label: label, kind: kText} }
func html(name, label string) *field    { return &field{name: name, label: label, kind: kHTML} }
func integer(name, label string) *field { return &field{name: name, label: label, kind: kInteger} }
func float(name, label string) *field   { return &field{name: name, label: label, kind: kFloat} }
func boolean(name, label string) *field { return &field{name: name, label: label, kind: kBoolean} }
func instant(name, label string) *field { return &field{name: name, label: label, kind: kDatetime} }

func choice(name, label string, options ...[2]string) *field {
	return &field{name: name, label: label, kind: kSelection, selection: options}
}

func many2one(name, label, comodel string) *field {
	return &field{name: name, label: label, kind: kMany2one, comodel: comodel}
}

func one2many(name, label, comodel, inverse string) *field {
	return &field{name: name, label: label, kind: kOne2many, comodel: comodel, inverse: inverse}
}

func many2many(name, label, comodel, rel, left, right string) *field {
	return &field{name: name, label: label, kind: kMany2many, comodel: comodel, rel: rel, left: left, right: right}
}

func (f *field) require() *field            { f.required = true; return f }
func (f *field) lock() *field               { f.readonly = true; return f }
func (f *field) once() *field               { f.noCopy = true; return f }
func (f *field) deleting(how string) *field { f.onDelete = how; return f }

// starts sets a constant value for new rows.
func (f *field) starts(v any) *field {
	f.initial = func(*env) any { return v }
	return f
}

func (f *field) startsWith(fn func(e *env) any) *field { f.initial = fn; return f }

// as makes the field computed from SQL in which "@" stands for the row alias.
func (f *field) as(sql string) *field {
	f.readonly, f.noCopy = true, true
	f.compute = func(_ *query, alias string) string {
		return "(" + strings.ReplaceAll(sql, "@", alias) + ")"
	}
	return f
}

// asOf is like as for SQL that also depends on the current instant, written
// as "$now".
func (f *field) asOf(sql string) *field {
	f.readonly, f.noCopy = true, true
	f.compute = func(q *query, alias string) string {
		sql := strings.ReplaceAll(sql, "@", alias)
		return "(" + strings.ReplaceAll(sql, "$now", q.arg(q.now)+"::timestamp") + ")"
	}
	return f
}

// search lets a computed field stand in a domain.
func (f *field) search() *field { f.searchable = true; return f }

// keep marks a computed field that Odoo stores.
func (f *field) keep() *field { f.kept, f.searchable = true, true; return f }
