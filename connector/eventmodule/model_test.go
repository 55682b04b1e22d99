package eventmodule

import (
	"regexp"
	"testing"
)

var aliasForm = regexp.MustCompile(`(?i)(?:FROM|JOIN)\s+\w+\s+(\w+)`)

// TestComputedAliases: a subquery of a computed field must not give a table
// the alias of the row it is computed for, or it would compare with itself.
func TestComputedAliases(t *testing.T) {
	t.Parallel()
	taken := regexp.MustCompile(`^(q|b|n|tree|[tm]\d+)$`)
	srv := &Server{models: newRegistry(allModels(nil)...)}
	seen := 0
	for _, m := range srv.models.list {
		for _, f := range m.fields {
			if f.compute == nil {
				continue
			}
			for _, match := range aliasForm.FindAllStringSubmatch(f.compute(&query{srv: srv}, "q"), -1) {
				seen++
				if taken.MatchString(match[1]) {
					t.Errorf("%s.%s uses the alias %s", m.name, f.name, match[1])
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d subqueries were looked at", seen)
	}
}

// TestModelsFit: every relation points to a model that is carried, and both
// ends agree.
func TestModelsFit(t *testing.T) {
	t.Parallel()
	r := newRegistry(allModels(nil)...)
	for _, m := range r.list {
		if f := m.field(m.recName); f == nil {
			t.Errorf("%s has no %s", m.name, m.recName)
		}
		for _, f := range m.fields {
			if f.comodel == "" {
				continue
			}
			co := r.byName[f.comodel]
			if co == nil {
				t.Errorf("%s.%s points to %s, which is not carried", m.name, f.name, f.comodel)
				continue
			}
			if f.kind == kOne2many {
				if back := co.field(f.inverse); back == nil || back.comodel != m.name {
					t.Errorf("%s.%s has no way back over %s.%s", m.name, f.name, co.name, f.inverse)
				}
			}
		}
	}
}
