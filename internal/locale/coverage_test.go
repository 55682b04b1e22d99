package locale

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func mapFS(name, text string) fs.FS { return fstest.MapFS{name: {Data: []byte(text)}} }

// use is one place where a key is asked for.
type use struct {
	key    string
	plural bool
	at     string
}

var (
	action      = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	templateKey = regexp.MustCompile(`(?:^|[\s({|.])(t|n|T|N)\s+"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)"`)
)

// templateUses finds {{t "key" …}} and {{n "key" …}} in one template, also in pipelines and brackets.
func templateUses(name, text string) []use {
	var uses []use
	for _, where := range action.FindAllStringIndex(text, -1) {
		for _, m := range templateKey.FindAllStringSubmatch(text[where[0]:where[1]], -1) {
			line := 1 + strings.Count(text[:where[0]], "\n")
			uses = append(uses, use{key: m[2], plural: strings.EqualFold(m[1], "n"), at: fmt.Sprintf("%s:%d", name, line)})
		}
	}
	return uses
}

// keyArg gives the position of the key among the args of the calls that take one.
var keyArg = map[string]int{
	"Invalid": 0, "NotFound": 0, "Forbidden": 0, "Conflict": 0, "Gone": 0, "Unavailable": 0, // problem
	"Add": 1,         // problem.Fields
	"T":   0, "N": 0, // Locale
}

// goUses finds the keys given to problem's constructors, Fields.Add, Locale.T and N, and to Code fields.
func goUses(name, text string) ([]use, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var uses []use
	note := func(e ast.Expr, plural bool) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if key, err := strconv.Unquote(lit.Value); err == nil && keyPattern.MatchString(key) {
			uses = append(uses, use{key: key, plural: plural, at: set.Position(lit.Pos()).String()})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				break
			}
			if i, ok := keyArg[sel.Sel.Name]; ok && i < len(n.Args) {
				note(n.Args[i], sel.Sel.Name == "N")
			}
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Code" {
				note(n.Value, false)
			}
		}
		return true
	})
	return uses, nil
}

// moduleUses collects the uses in the whole module, tests apart.
func moduleUses(root string) ([]use, error) {
	var uses []use
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if base == "testdata" || base == "node_modules" || base == "bin" || base == "var" ||
				strings.HasPrefix(base, ".") && name != root {
				return filepath.SkipDir
			}
			return nil
		}
		isGo := strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go")
		isTemplate := (strings.HasSuffix(base, ".html") || strings.HasSuffix(base, ".tmpl") || strings.HasSuffix(base, ".txt")) &&
			strings.Contains(filepath.ToSlash(name), "/templates/")
		if !isGo && !isTemplate {
			return nil
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if isTemplate {
			uses = append(uses, templateUses(rel, string(raw))...)
			return nil
		}
		found, err := goUses(rel, string(raw))
		uses = append(uses, found...)
		return err
	})
	return uses, err
}

// TestCoverage lists every key that templates and code ask for and French lacks.
func TestCoverage(t *testing.T) {
	t.Parallel()
	uses, err := moduleUses("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(uses) == 0 {
		t.Fatal("no key found in the module: the extractor does not see the source")
	}
	var missing []string
	for _, u := range uses {
		tr := For("fr").messages[u.key]
		switch {
		case tr == nil:
			missing = append(missing, u.key+" (asked at "+u.at+")")
		case u.plural && tr.PluralID == "":
			missing = append(missing, u.key+" has no plural (asked at "+u.at+")")
		}
	}
	slices.Sort(missing)
	for _, m := range slices.Compact(missing) {
		t.Errorf("French lacks %s", m)
	}
}

func TestExtractor(t *testing.T) {
	t.Parallel()
	got := templateUses("a.html", "<p>{{t \"a.b\"}} t \"not.this\"\n{{if .X}}{{ n \"c.d\" .Count (t \"e.f\") }}{{end}} {{.L.T \"g.h\"}} {{at \"not.that\"}}")
	inGo, err := goUses("a.go", `package a
func f() {
	p.Add("email", "i.j"); h.Add("X-Y", "z"); x := problem.NotFound("k.l"); l.N("m.n", 2); l.T(dynamic)
	_ = &problem.Error{Code: "o.p", Kind: "not.it"}
}`)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range append(got, inGo...) {
		key := u.key
		if u.plural {
			key += "+"
		}
		keys = append(keys, key)
	}
	want := []string{"a.b", "c.d+", "e.f", "g.h", "i.j", "k.l", "m.n+", "o.p"}
	if !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}
