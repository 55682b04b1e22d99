package locale

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entry is one message of a .po file as the strict reader below sees it.
type entry struct {
	file   string
	line   int
	id     string
	plural bool
	forms  map[int]string
}

// readPO reads a .po file and refuses everything that gotext skips in silence: a stray line, a bad quote, a message
// without text.
func readPO(name, text string) ([]entry, error) {
	var entries []entry
	var target func(string) // where a continued string goes
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, quoted := "", line
		if !strings.HasPrefix(line, `"`) {
			word, quoted, _ = strings.Cut(line, " ")
		}
		s, err := strconv.Unquote(strings.TrimSpace(quoted))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %s is no quoted string", name, i+1, quoted)
		}
		if word == "msgid" {
			entries = append(entries, entry{file: name, line: i + 1, forms: map[int]string{}})
		}
		if len(entries) == 0 {
			return nil, fmt.Errorf("%s:%d: text before the first msgid", name, i+1)
		}
		e := &entries[len(entries)-1]
		form, index := 0, strings.TrimSuffix(strings.TrimPrefix(word, "msgstr["), "]")
		switch {
		case word == "":
		case word == "msgid":
			target = func(s string) { e.id += s }
		case word == "msgid_plural":
			e.plural = true
			target = func(string) {}
		case strings.HasPrefix(word, "msgstr["):
			if form, err = strconv.Atoi(index); err != nil {
				return nil, fmt.Errorf("%s:%d: %s", name, i+1, word)
			}
			fallthrough
		case word == "msgstr":
			target = func(s string) { e.forms[form] += s }
		default:
			return nil, fmt.Errorf("%s:%d: unknown word %q", name, i+1, word)
		}
		target(s)
	}
	return entries, nil
}

var keyPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)

// faults returns what is wrong in the files of one language.
func faults(fsys fs.FS, lang string) []string {
	var out []string
	seen := make(map[string]entry)
	names, _ := fs.Glob(fsys, path.Join("po", lang, "*.po"))
	for _, name := range names {
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return append(out, err.Error())
		}
		entries, err := readPO(name, string(raw))
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		if len(entries) == 0 || entries[0].id != "" || !strings.Contains(entries[0].forms[0], "charset=UTF-8") ||
			!strings.Contains(entries[0].forms[0], "Language: "+lang+"\n") {
			out = append(out, name+": the header must give Language: "+lang+" and charset=UTF-8")
			continue
		}
		for _, e := range entries[1:] {
			at := fmt.Sprintf("%s:%d: %s: ", name, e.line, e.id)
			if first, ok := seen[e.id]; ok {
				out = append(out, at+fmt.Sprintf("also at %s:%d", first.file, first.line))
			}
			seen[e.id] = e
			want := 1
			if e.plural {
				want = 2
			}
			filled := 0
			for form, s := range e.forms {
				if s != "" && form < want {
					filled++
				}
			}
			if filled != want || len(e.forms) != want {
				out = append(out, at+fmt.Sprintf("has %d filled forms, want %d", filled, want))
			}
			if !keyPattern.MatchString(e.id) {
				out = append(out, at+"is no dotted key")
			}
			if strings.Contains(e.forms[0]+e.forms[1], "\u202f") {
				out = append(out, at+"holds U+202F; use U+00A0")
			}
		}
	}
	return out
}

// TestCatalogues reads every file of every language strictly.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages {
		for _, fault := range faults(files, lang) {
			t.Error(fault)
		}
	}
}

// TestCataloguesAgree compares the other languages with French: no key of its own, the same plurality, no more verbs.
func TestCataloguesAgree(t *testing.T) {
	t.Parallel()
	fr := For("fr")
	for _, lang := range Languages[1:] {
		l := For(lang)
		for key, tr := range l.messages {
			french, ok := fr.messages[key]
			if !ok {
				t.Errorf("%s: %s is not in French", lang, key)
				continue
			}
			if (tr.PluralID == "") != (french.PluralID == "") {
				t.Errorf("%s: %s is plural in one language only", lang, key)
			}
			for _, form := range tr.Trs {
				if got, most := verbs(form), max(verbs(french.Trs[0]), verbs(french.Trs[1])); got > most {
					t.Errorf("%s: %s uses %d args, French %d", lang, key, got, most)
				}
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const header = "msgid \"\"\nmsgstr \"\"\n\"Language: fr\\n\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\n"
	for name, tt := range map[string]struct{ text, want string }{
		"bad key":        {header + "msgid \"Hello\"\nmsgstr \"x\"\n", "no dotted key"},
		"bad quote":      {header + "msgid \"a.b\"\nmsgstr \"x\"y\"\n", "no quoted string"},
		"double":         {header + "msgid \"a.b\"\nmsgstr \"x\"\n\nmsgid \"a.b\"\nmsgstr \"y\"\n", "also at"},
		"empty":          {header + "msgid \"a.b\"\nmsgstr \"\"\n", "filled forms"},
		"header":         {"msgid \"a.b\"\nmsgstr \"x\"\n", "header"},
		"missing plural": {header + "msgid \"a.b\"\nmsgid_plural \"a.b\"\nmsgstr[0] \"x\"\n", "filled forms"},
		"narrow space":   {header + "msgid \"a.b\"\nmsgstr \"1\u202f%\"\n", "U+202F"},
		"right":          {header + "# note\nmsgid \"a.b\"\nmsgid_plural \"a.b\"\nmsgstr[0] \"x\"\nmsgstr[1] \"\"\n\"y\"\n", ""},
		"stray":          {header + "msgid \"a.b\"\nmsgstring \"x\"\n", "unknown word"},
	} {
		got := faults(mapFS("po/fr/a.po", tt.text), "fr")
		if tt.want == "" && len(got) > 0 || tt.want != "" && !slices.ContainsFunc(got, func(s string) bool {
			return strings.Contains(s, tt.want)
		}) {
			t.Errorf("%s: faults %q, want %q", name, got, tt.want)
		}
	}
}
