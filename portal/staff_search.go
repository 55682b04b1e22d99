package portal

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/internal/pay/transfer"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// mostFound bounds what a search shows.
const mostFound = 30

// staffSearchPage finds children and adults by parts of their names, forgiving accents and a slip of the keyboard.
type staffSearchPage struct {
	staffPage
	Query     string
	Form      *form.Form
	Asked     bool
	Children  []foundChild
	Guardians []foundGuardian
	Payments  []queueRow // the registration whose structured communication was asked for
}

// foundChild is a child with the places asked for.
type foundChild struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	BirthDate civil.Date
	Open      int // registrations that are neither over nor completed
	score     int
}

// foundGuardian is an adult with the children that are linked to them.
type foundGuardian struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	Phone     string
	City      string
	ChildIDs  []uuid.UUID
	Children  []string
	score     int
}

// Links pairs the children's names with their pages.
func (g foundGuardian) Links() []page.Link {
	links := make([]page.Link, len(g.ChildIDs))
	for i := range g.ChildIDs {
		links[i] = page.Link{URL: "/gestion/enfants/" + g.ChildIDs[i].String(), Text: g.Children[i]}
	}
	return links
}

// staffSearch shows what is found for ?q=: words of a name, digits of a telephone number, or a structured communication.
func (s *server) staffSearch(w http.ResponseWriter, r *http.Request) error {
	in := form.Query(r)
	base, _, err := s.staff(r, s.locale(r).T("staff.search.title"), "/gestion/recherche")
	if err != nil {
		return err
	}
	p := &staffSearchPage{staffPage: base, Query: in.Text("q"), Form: in}
	words := foldWords(p.Query)
	p.Asked = len(words) > 0
	if p.Asked && len(p.Query) <= 100 {
		if err := s.findPeople(r.Context(), p, words); err != nil {
			return err
		}
		if c, err := transfer.Parse(p.Query); err == nil {
			p.Payments, err = s.staffRows(r.Context(), p.L, `r.id = (SELECT d.registration_id FROM due d WHERE d.communication = @communication)`, `r.id`,
				pgx.NamedArgs{"communication": c.Digits()})
			if err != nil {
				return err
			}
		}
	}
	return s.render(w, r, http.StatusOK, "staff/search", p)
}

// findPeople finds the people whose names are like the words that were typed, slips of the pen included.
func (s *server) findPeople(ctx context.Context, p *staffSearchPage, words []string) error {
	named, args, err := s.likeNames(ctx, words)
	if err != nil {
		return err
	}
	rows, err := s.DB.Query(ctx, `
		WITH found AS MATERIALIZED (`+named("child", "id, first_name, last_name, birth_date")+`
		)
		SELECT DISTINCT k.id, k.first_name, k.last_name, k.birth_date,
		  (SELECT count(*)::int FROM registration r WHERE r.child_id = k.id
		   AND r.state IN ('submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed')) AS open
		FROM found k`, args)
	if err != nil {
		return fmt.Errorf("searching the children: %w", err)
	}
	var c foundChild
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.FirstName, &c.LastName, &c.BirthDate, &c.Open}, func() error {
		if c.score = score(words, foldWords(c.FirstName+" "+c.LastName)); c.score >= 0 {
			p.Children = append(p.Children, c)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("searching the children: %w", err)
	}
	slices.SortStableFunc(p.Children, func(a, b foundChild) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.LastName, b.LastName), cmp.Compare(a.FirstName, b.FirstName))
	})
	p.Children = p.Children[:min(len(p.Children), mostFound)]

	phone := digits(p.Query)
	found := "(" + named("guardian", "id, first_name, last_name, phone, city") + ")"
	if len(phone) >= 6 { // as LIKE would, but by the index whoever plans the statement
		found += `
		  UNION
		  SELECT g.id, g.first_name, g.last_name, g.phone, g.city
		  FROM guardian g
		  WHERE g.merged_into IS NULL
		    AND g.phone <> ''
		    AND reverse(g.phone) ~>=~ @phone_end
		    AND reverse(g.phone) ~<~ @phone_after`
		end := reversed(strings.TrimPrefix(phone, "0"))
		args["phone_end"], args["phone_after"] = end, end+":" // ':' follows the digits
	}
	args["today"] = s.today()
	rows, err = s.DB.Query(ctx, `
		WITH found AS MATERIALIZED (
		  `+found+`
		)
		SELECT g.id, g.first_name, g.last_name, g.phone, g.city,
		  array_remove(array_agg(k.id ORDER BY k.first_name, k.id), NULL) AS child_ids,
		  array_remove(array_agg(k.first_name || ' ' || k.last_name ORDER BY k.first_name, k.id), NULL) AS children
		FROM (SELECT DISTINCT id, first_name, last_name, phone, city FROM found) g
		LEFT JOIN guardianship l
		  ON l.guardian_id = g.id
		  AND l.valid_from <= @today
		  AND (l.valid_until IS NULL OR l.valid_until >= @today)
		LEFT JOIN child k ON k.id = l.child_id
		GROUP BY g.id, g.first_name, g.last_name, g.phone, g.city`, args)
	if err != nil {
		return fmt.Errorf("searching the adults: %w", err)
	}
	var g foundGuardian
	_, err = pgx.ForEachRow(rows, []any{&g.ID, &g.FirstName, &g.LastName, &g.Phone, &g.City, &g.ChildIDs, &g.Children}, func() error {
		g.score = score(words, foldWords(g.FirstName+" "+g.LastName))
		if g.score < 0 && len(phone) >= 6 && strings.HasSuffix(digits(g.Phone), strings.TrimPrefix(phone, "0")) {
			g.score = 0
		}
		if g.score >= 0 {
			one := g
			one.ChildIDs, one.Children = slices.Clone(g.ChildIDs), slices.Clone(g.Children)
			p.Guardians = append(p.Guardians, one)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("searching the adults: %w", err)
	}
	slices.SortStableFunc(p.Guardians, func(a, b foundGuardian) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.LastName, b.LastName), cmp.Compare(a.FirstName, b.FirstName))
	})
	p.Guardians = p.Guardians[:min(len(p.Guardians), mostFound)]
	return nil
}

// The bounds of a search: how many words of names are tried for one that was typed, and how many people are compared.
const (
	mostWords    = 300
	mostCompared = 1000
)

// likeNames returns the SELECT of people of a table whose name is like the typed words, with its args. Words are
// compared first; for each that is like the first typed one, the closest first, people are then found by index, until
// there are enough. One who bears two such words comes twice.
func (s *server) likeNames(ctx context.Context, typed []string) (func(table, columns string) string, pgx.NamedArgs, error) {
	args := pgx.NamedArgs{"most": mostCompared}
	like, err := s.likeWords(ctx, typed)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(like, func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
	also := ""
	for i, words := range like {
		name := "word_" + strconv.Itoa(i)
		args[name] = words
		if i > 0 {
			also += `
			    AND string_to_array(p.name_key, ' ') && @` + name + `::text[]`
		}
	}
	return func(table, columns string) string {
		return `
		  SELECT ` + columns + `
		  FROM unnest(@word_0::text[]) AS w (word)
		  CROSS JOIN LATERAL (
			  SELECT ` + columns + `
			  FROM ` + table + ` p
			  WHERE p.merged_into IS NULL
			    AND string_to_array(p.name_key, ' ') @> ARRAY[w.word]` + also + `
			  LIMIT @most) x
		  LIMIT @most`
	}, args, nil
}

func reversed(s string) string {
	letters := []rune(s)
	slices.Reverse(letters)
	return string(letters)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// joinedLetters are the letters that two stand for.
var joinedLetters = strings.NewReplacer("œ", "oe", "Œ", "oe", "æ", "ae", "Æ", "ae", "ß", "ss", "ø", "o", "Ø", "o", "ł", "l", "Ł", "l")

// foldWords returns the words of a name in lower case without accents: "Noël-Élise" is "noel" and "elise".
func foldWords(s string) []string {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		s = norm.NFD.String(joinedLetters.Replace(s))
	}
	return strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
			return -1
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, s))
}

// score says how far a name is from what was typed, 0 for the beginning of every word; -1 is another name. Each typed
// word must be found: the beginning of a word, or a word at one slip (two in long words).
func score(typed, name []string) int {
	total := 0
	for _, t := range typed {
		best := -1
		for _, n := range name {
			if d := apart(t, n); d >= 0 && (best < 0 || d < best) {
				best = d
			}
		}
		if best < 0 {
			return -1
		}
		total += best
	}
	return total
}

// apart says how far a word of a name is from a typed one; -1 is another word.
func apart(t, n string) int {
	if strings.HasPrefix(n, t) {
		return 0
	}
	most := allowed(t)
	if bits.OnesCount64(letters(t)&^letters(n)) > most { // each slip brings at most one letter that the name lacks
		return -1
	}
	if slips := distance(t, n); slips <= most {
		return slips
	}
	if x, y := []rune(t), []rune(n); len(y) > len(x) && distance(t, string(y[:len(x)])) <= most-1 {
		return most
	}
	return -1
}

// allowed is how many slips a typed word may have.
func allowed(t string) int {
	switch n := len([]rune(t)); {
	case n <= 3:
		return 0
	case n <= 6:
		return 1
	}
	return 2
}

// distance counts the letters to add, leave out, change or swap with their neighbour between two words (optimal string
// alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > 2 || len(y)-len(x) > 2 {
		return 3
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// staffChildPage is a child with its adults and registrations.
type staffChildPage struct {
	staffPage
	FirstName string
	LastName  string
	BirthDate civil.Date
	Guardians []staffGuardian
	Rows      []queueRow
	Levels    []staffLevel
	Years     []choice // school years that staff may verify
	All       []choice // levels
	Form      *form.Form
	Can       bool
	ID        uuid.UUID
}

// staffChild shows a child. Medical values are not here: the office sees only whether a sheet is up to date.
func (s *server) staffChild(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, "", "/gestion/recherche")
	if err != nil {
		return err
	}
	id := pathID(r)
	p := &staffChildPage{staffPage: base, ID: id, Can: s.can(r, mayDecide)}
	if now, err := household.Survivor(r.Context(), s.DB, id); err != nil || now != id {
		if err != nil {
			return err
		}
		return seeOther(w, r, "/gestion/enfants/"+now.String()) // merged into another
	}
	if err := s.fillChild(r, p, form.New().SetDate("seen_on", s.today())); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/child", p)
}

func (s *server) readChild(ctx context.Context, l *locale.Locale, id uuid.UUID, p *staffChildPage) error {
	rows, err := s.DB.Query(ctx, `
		SELECT first_name, last_name, birth_date
		FROM child
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("reading child %s: %w", id, err)
	}
	found := false
	_, err = pgx.ForEachRow(rows, []any{&p.FirstName, &p.LastName, &p.BirthDate}, func() error {
		found = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading child %s: %w", id, err)
	}
	if !found {
		return errNoChild
	}
	if p.Guardians, err = s.staffGuardians(ctx, id, nil); err != nil {
		return err
	}
	p.Rows, err = s.staffRows(ctx, l, `r.child_id = @child`, `r.created_at DESC, r.id`, pgx.NamedArgs{"child": id})
	return err
}
