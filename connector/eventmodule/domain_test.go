package eventmodule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// library is a small set of rows that domains are tried on.
type library struct {
	*peer
	a, b, c  int64 // events
	art, sea int64 // tags
	one, two int64 // registrations of a
	parent   int64
	child    int64
}

func shelve(t testing.TB) *library {
	clock := time.Date(2026, 11, 21, 21, 33, 56, 400_000_000, time.UTC)
	l := &library{peer: start(t, func(o *Options) { o.Clock = func() time.Time { return clock } })}
	theme := l.create("event.tag.category", object{{"name", "Thème"}})
	l.art = l.create("event.tag", object{{"name", "Arts"}, {"category_id", theme}})
	l.sea = l.create("event.tag", object{{"name", "Eau"}, {"category_id", theme}})
	l.parent = l.create("res.partner", object{{"name", "École"}, {"is_company", true}})
	l.child = l.create("res.partner", object{{"name", "Cour"}, {"parent_id", l.parent}})
	ev := func(name, begin, end string, more ...member) int64 {
		return l.create("event.event", append(object{{"name", name}, {"date_begin", begin}, {"date_end", end}}, more...))
	}
	l.a = ev("Peinture", "2027-03-01 08:00:00", "2027-03-05 16:00:00", member{"seats_limited", true}, member{"seats_max", 24},
		member{"tag_ids", []any{[]any{6, 0, []any{l.art}}}}, member{"address_id", l.child})
	l.b = ev("Voile", "2027-07-05 07:00:00", "2027-07-09 14:00:00", member{"tag_ids", []any{[]any{4, l.sea, 0}, []any{4, l.art, 0}}},
		member{"address_id", false}, member{"note", "<p>lac</p>"})
	l.c = ev("100% nature", "2027-04-26 00:00:00", "2027-04-26 23:59:59", member{"active", false}, member{"stage_id", 5})
	l.one = l.create("event.registration", object{{"event_id", l.a}, {"name", "Zoé"}, {"email", "z@example.org"}})
	l.two = l.create("event.registration", object{{"event_id", l.a}, {"state", "cancel"}, {"email", ""}})
	return l
}

func leaf(path, op string, v any) []any { return []any{path, op, v} }

func TestDomains(t *testing.T) {
	t.Parallel()
	l := shelve(t)
	all := []int64{l.a, l.b}
	type row struct {
		domain []any
		want   []int64
	}
	events := []row{
		{[]any{}, all},
		{[]any{leaf("active", "in", []any{true, false})}, []int64{l.a, l.c, l.b}},
		{[]any{leaf("active", "=", false)}, []int64{l.c}},
		{[]any{leaf("active", "!=", false)}, all},
		{[]any{leaf("name", "=", "Voile")}, []int64{l.b}},
		{[]any{leaf("name", "!=", "Voile")}, []int64{l.a}},
		{[]any{leaf("name", "ilike", "VOI")}, []int64{l.b}},
		{[]any{leaf("name", "like", "VOI")}, nil},
		{[]any{leaf("name", "not ilike", "voi")}, []int64{l.a}},
		{[]any{leaf("name", "=ilike", "v%")}, []int64{l.b}},
		{[]any{leaf("name", "=like", "V_ile")}, []int64{l.b}},
		{[]any{leaf("name", "ilike", "")}, all},
		{[]any{leaf("name", "like", `\`), leaf("active", "=", false)}, nil},
		{[]any{leaf("name", "=like", `Voile\`)}, []int64{l.b}},
		{[]any{leaf("name", "like", "100%"), leaf("active", "=", false)}, []int64{l.c}},
		{[]any{leaf("name", "in", []any{"Voile", "x"})}, []int64{l.b}},
		{[]any{leaf("name", "not in", []any{"Voile"})}, []int64{l.a}},
		{[]any{leaf("id", "in", []any{})}, nil},
		{[]any{leaf("id", "not in", []any{})}, all},
		{[]any{leaf("id", "in", []any{l.a, 999999})}, []int64{l.a}},
		{[]any{leaf("id", "=", fmt.Sprint(l.a))}, []int64{l.a}},
		{[]any{leaf("id", ">", l.a)}, []int64{l.b}},
		{[]any{"!", leaf("id", ">", l.a)}, []int64{l.a}},
		{[]any{leaf("note", "=", false)}, []int64{l.a}},
		{[]any{leaf("note", "!=", false)}, []int64{l.b}},
		{[]any{leaf("note", "!=", "x")}, all},
		{[]any{leaf("seats_max", ">=", 24)}, []int64{l.a}},
		{[]any{leaf("seats_max", "=", 0)}, []int64{l.b}},
		{[]any{leaf("seats_max", "=", false)}, []int64{l.b}},
		{[]any{leaf("seats_max", "<", "24")}, []int64{l.b}},
		{[]any{leaf("seats_available", ">", 1000)}, all}, // not searchable: always true
		{[]any{leaf("seats_limited", "=", true)}, []int64{l.a}},
		{[]any{leaf("seats_limited", "!=", true)}, []int64{l.b}},
		{[]any{leaf("is_finished", "=", false)}, all},
		{[]any{leaf("kanban_state", "=", "normal")}, all},
		{[]any{leaf("date_begin", ">", "2027-03-01")}, []int64{l.b}},
		{[]any{leaf("date_begin", ">=", "2027-03-01")}, all},
		{[]any{leaf("date_begin", "<=", "2027-03-01")}, []int64{l.a}},
		{[]any{leaf("date_begin", "<", "2027-03-01")}, nil},
		{[]any{leaf("date_begin", "=", "2027-03-01 08:00:00")}, []int64{l.a}},
		{[]any{leaf("write_date", ">", "2026-11-21 21:33:56")}, all},
		{[]any{leaf("write_date", "=", "2026-11-21 21:33:56")}, nil},
		{[]any{leaf("write_date", ">", "2026-11-21T21:33:57Z")}, nil},
		{[]any{leaf("stage_id", "=", 1)}, all},
		{[]any{leaf("stage_id", "=", "New")}, all},
		{[]any{leaf("stage_id", "ilike", "new")}, all},
		{[]any{leaf("stage_id", "not ilike", "new")}, nil},
		{[]any{leaf("stage_id", "in", []any{"New", "Ended"})}, all},
		{[]any{leaf("stage_id.pipe_end", "=", true)}, nil},
		{[]any{leaf("stage_id.pipe_end", "=", true), leaf("active", "=", false)}, []int64{l.c}},
		{[]any{leaf("address_id", "=", false)}, []int64{l.b}},
		{[]any{leaf("address_id", "!=", l.child)}, []int64{l.b}},
		{[]any{leaf("address_id", "in", []any{l.child, false})}, all},
		{[]any{leaf("address_id", "not in", []any{l.child})}, []int64{l.b}},
		{[]any{leaf("address_id", "not in", []any{l.child, false})}, nil},
		{[]any{leaf("address_id", "child_of", l.parent)}, []int64{l.a}},
		{[]any{leaf("address_id", "child_of", "École")}, []int64{l.a}},
		{[]any{leaf("address_id.parent_id.name", "=", "École")}, []int64{l.a}},
		{[]any{leaf("address_id", "=?", false)}, all},
		{[]any{leaf("address_id", "=?", l.child)}, []int64{l.a}},
		{[]any{leaf("tag_ids", "=", l.sea)}, []int64{l.b}},
		{[]any{leaf("tag_ids", "in", []any{l.art})}, all},
		{[]any{leaf("tag_ids", "not in", []any{l.sea})}, []int64{l.a}},
		{[]any{leaf("tag_ids", "=", "Eau")}, []int64{l.b}},
		{[]any{leaf("tag_ids", "ilike", "ea")}, []int64{l.b}},
		{[]any{leaf("tag_ids", "not ilike", "ea")}, []int64{l.a}},
		{[]any{leaf("tag_ids", "=", false), leaf("active", "=", false)}, []int64{l.c}},
		{[]any{leaf("tag_ids", "!=", false)}, all},
		{[]any{leaf("tag_ids.name", "=", "Eau")}, []int64{l.b}},
		{[]any{leaf("tag_ids.category_id.name", "=", "Thème")}, all},
		{[]any{leaf("registration_ids.name", "=", "Zoé")}, []int64{l.a}},
		{[]any{leaf("registration_ids", "any", []any{leaf("state", "=", "cancel")})}, []int64{l.a}},
		{[]any{leaf("registration_ids", "not any", []any{})}, []int64{l.b}},
		{[]any{"|", leaf("name", "=", "Voile"), leaf("name", "=", "Peinture")}, all},
		{[]any{"!", "|", leaf("name", "=", "Voile"), leaf("name", "=", "x")}, []int64{l.a}},
		{[]any{"&", leaf("name", "=", "Voile"), leaf("id", "=", l.a)}, nil},
		{[]any{leaf("name", "=", "Voile"), leaf("id", "=", l.b)}, []int64{l.b}},
		{[]any{"|", "&", leaf("name", "=", "Voile"), leaf("id", "=", l.b), leaf("id", "=", l.a)}, all},
		{[]any{[]any{1, "=", 1}}, all},
		{[]any{[]any{0, "=", 1}}, nil},
		{[]any{"!", []any{0, "=", 1}}, all},
	}
	registrations := []row{
		{[]any{}, []int64{l.two, l.one}},
		{[]any{leaf("email", "=", "")}, []int64{l.two}},
		{[]any{leaf("email", "=", false)}, nil},
		{[]any{leaf("name", "=", false)}, []int64{l.two}},
		{[]any{leaf("event_id", "child_of", l.a), leaf("id", "=", 0)}, nil},
		{[]any{leaf("event_begin_date", ">", "2027-02-01")}, []int64{l.two, l.one}},
		{[]any{leaf("company_id", "=", 1)}, []int64{l.two, l.one}},
		{[]any{leaf("event_id.tag_ids.name", "=", "Arts")}, []int64{l.two, l.one}},
		{[]any{leaf("state", "not in", []any{"cancel", "draft"})}, []int64{l.one}},
	}
	check := func(model string, rows []row) {
		for _, r := range rows {
			v, err := l.try(model, "search", []any{r.domain}, nil)
			if strings.Contains(pyRepr(r.domain), "'event_id', 'child_of'") {
				if err == nil || !strings.Contains(err.Error(), "KeyError: 'parent_id'") {
					t.Errorf("%s: got %v, want a KeyError", pyRepr(r.domain), err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", pyRepr(r.domain), err)
				continue
			}
			got, _ := idList(v)
			if d := cmp.Diff(append([]int64{}, r.want...), got); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", model, pyRepr(r.domain), d)
			}
		}
	}
	check("event.event", events)
	check("event.registration", registrations)
}

func TestDomainFaults(t *testing.T) {
	t.Parallel()
	p := start(t)
	tests := []struct {
		domain any
		want   string
	}{
		{[]any{leaf("nofield", "=", 1)}, "ValueError: Invalid field event.event.nofield in leaf ('nofield', '=', 1)"},
		{[]any{leaf("name", "badop", 1)}, "ValueError: Invalid leaf ('name', 'badop', 1)"},
		{[]any{[]any{"name", "="}}, "ValueError: not enough values to unpack (expected 3, got 2)"},
		{[]any{"|", leaf("name", "=", "x")}, "is syntactically not correct."},
		{[]any{"name"}, "ValueError: Invalid leaf 'name'"},
		{[]any{leaf("name.x", "=", 1)}, "ValueError: Invalid field event.event.name.x"},
		{[]any{leaf("date_begin", ">", "garbage")}, `invalid input syntax for type timestamp: "garbage"`},
		{[]any{leaf("seats_max", ">", "many")}, `invalid input syntax for type integer: "many"`},
		{[]any{leaf("stage_id", "child_of", []any{1})}, "KeyError: 'parent_id'"},
		{"x", "AssertionError"},
		{[]any{leaf(strings.Repeat("stage_id.", 3)+"create_uid."+strings.Repeat("partner_id.user_ids.", 12)+"id", "=", 1)}, "Invalid field"},
		{[]any{leaf("user_id."+strings.Repeat("partner_id.user_ids.", 12)+"id", "=", 1)}, "RecursionError"},
	}
	for _, tt := range tests {
		_, err := p.try("event.event", "search", []any{tt.domain}, nil)
		f, ok := faultOf(err)
		if !ok || f.code != codeApplication || !strings.Contains(f.text, tt.want) {
			t.Errorf("%s: got %v, want %q", pyRepr(tt.domain), err, tt.want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	l := shelve(t)
	tests := []struct {
		model, order string
		want         []int64
	}{
		{"event.event", "name desc", []int64{l.b, l.a}},
		{"event.event", "date_begin", []int64{l.a, l.b}},
		{"event.event", "DATE_END desc , id", nil}, // names are case sensitive
		{"event.event", "date_end desc nulls last , id", []int64{l.b, l.a}},
		{"event.event", "address_id desc", []int64{l.b, l.a}}, // by the partner's name, empty first
		{"event.tag", "", []int64{l.art, l.sea}},
		{"event.registration", "event_id, name desc nulls last", []int64{l.one, l.two}},
	}
	for _, tt := range tests {
		v, err := l.try(tt.model, "search", []any{[]any{}}, object{{"order", tt.order}})
		if tt.want == nil {
			if err == nil {
				t.Errorf("order %q answered %v, want a fault", tt.order, v)
			}
			continue
		}
		got, _ := idList(v)
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("order %q: %v (-want +got):\n%s", tt.order, err, d)
		}
	}
	if _, err := l.try("event.event", "search", []any{[]any{}}, object{{"order", "seats_available"}}); err == nil {
		t.Error("an order by a computed field was taken")
	}
}

// TestNotIsComplement: what a domain finds and what its "!" finds are all
// rows, each once, for every operator that has an opposite.
func TestNotIsComplement(t *testing.T) {
	t.Parallel()
	l := shelve(t)
	leaves := rapid.Custom(func(t *rapid.T) []any {
		texts := rapid.SampledFrom([]any{"Zoé", "", false, "o", "z@example.org", "%"})
		switch rapid.SampledFrom([]string{"text", "list", "record", "many", "dotted"}).Draw(t, "kind") {
		case "text":
			field := rapid.SampledFrom([]string{"name", "email", "state"}).Draw(t, "field")
			if rapid.Bool().Draw(t, "pattern") { // an empty pattern matches empty values both ways, in Odoo too
				return leaf(field, rapid.SampledFrom([]string{"like", "ilike", "not like", "not ilike"}).Draw(t, "op"),
					rapid.SampledFrom([]any{"Zoé", "o", "%", "_"}).Draw(t, "value"))
			}
			return leaf(field, rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op"), texts.Draw(t, "value"))
		case "list":
			return leaf("email", rapid.SampledFrom([]string{"in", "not in"}).Draw(t, "op"), rapid.SliceOfN(texts, 0, 3).Draw(t, "values"))
		case "record":
			return leaf("partner_id", rapid.SampledFrom([]string{"=", "!=", "in", "not in"}).Draw(t, "op"),
				rapid.SampledFrom([]any{false, l.child, "Cour", []any{l.child, false}}).Draw(t, "value"))
		case "many":
			return leaf("event_id.tag_ids", rapid.SampledFrom([]string{"=", "!=", "in", "not in"}).Draw(t, "op"), []any{l.art})
		}
		return leaf("event_id.active", rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op"), rapid.Bool().Draw(t, "value"))
	})
	rapid.Check(t, func(t *rapid.T) {
		var domain []any
		terms := rapid.IntRange(1, 4).Draw(t, "terms")
		for range terms - 1 {
			domain = append(domain, rapid.SampledFrom([]any{"&", "|"}).Draw(t, "glue"))
		}
		for range terms {
			if rapid.Bool().Draw(t, "not") {
				domain = append(domain, "!")
			}
			domain = append(domain, leaves.Draw(t, "leaf"))
		}
		count := func(d []any) int64 {
			v, err := l.try("event.registration", "search_count", []any{d}, nil)
			if err != nil {
				t.Fatalf("%s: %v", pyRepr(d), err)
			}
			return v.(int64)
		}
		if is, not := count(domain), count(append([]any{"!"}, domain...)); is+not != 2 {
			t.Fatalf("%s finds %d and its opposite %d of 2", pyRepr(domain), is, not)
		}
	})
}

// FuzzDomain feeds decoded values of any shape to the compiler: it answers
// SQL or a fault, and never lets a value into the SQL.
func FuzzDomain(f *testing.F) {
	for _, seed := range []string{
		`<array><data><value><array><data><value>name</value><value>=</value><value>'; DROP TABLE x</value></data></array></value></data></array>`,
		`<array><data><value>!</value><value><array><data><value>tag_ids.name</value><value>not ilike</value><value><boolean>0</boolean></value></data></array></value></data></array>`,
		`<array><data><value><array><data><value>id</value><value>in</value><value><array><data><value><int>3</int></value></data></array></value></data></array></value></data></array>`,
		`<array><data><value><array><data><value>address_id</value><value>child_of</value><value>x</value></data></array></value></data></array>`,
	} {
		f.Add(seed)
	}
	srv := &Server{models: newRegistry(allModels(nil)...)}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := newDecoder(strings.NewReader("<value>" + body + "</value>")).root()
		if err != nil {
			return
		}
		domain, err := parseDomain(v)
		if err != nil {
			return
		}
		for _, m := range srv.models.list {
			q := &query{srv: srv}
			sql, err := q.where(m, "q", domain, true)
			if err != nil {
				continue
			}
			if strings.ContainsAny(sql, ";\\\"") || strings.Contains(sql, "DROP") {
				t.Errorf("a value came through into %s", sql)
			}
		}
	})
}

// root reads one <value> as a document.
func (d *decoder) root() (any, error) {
	if err := d.open("value"); err != nil {
		return nil, err
	}
	return d.value(0)
}
