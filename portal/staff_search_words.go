package portal

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// nameWord is a word of somebody's name, folded for comparing, with the letters that it holds.
type nameWord struct {
	word    string
	folded  []string // one, as a rule the word itself
	letters uint64
}

// nameWords keeps the words of names, which are few however many people bear them, so that a search compares what was
// typed with each of them and not with each person. Words are never taken away.
type nameWords struct {
	mu    sync.Mutex
	known map[string]bool
	all   []nameWord
	since uint64 // transactions from this one on may have brought words that are not known yet
}

// letters is the set of letters of a word: a to z each have a bit, the others share the rest.
func letters(word string) (set uint64) {
	for _, r := range word {
		if r >= 'a' && r <= 'z' {
			set |= 1 << (r - 'a')
		} else {
			set |= 1 << (26 + r%38)
		}
	}
	return set
}

// read returns all words, after asking the database for those of transactions that had not ended the last time.
func (n *nameWords) read(ctx context.Context, s *server) ([]nameWord, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	rows, err := s.DB.Query(ctx, `
		SELECT COALESCE(w.word, ''), x.since
		FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS since) x
		LEFT JOIN name_word w ON w.added >= @since::text::xid8`,
		pgx.NamedArgs{"since": fmt.Sprint(n.since)})
	if err != nil {
		return nil, fmt.Errorf("reading the words of names: %w", err)
	}
	var word string
	var since int64
	fresh := slices.Clip(n.all) // whoever reads the former list keeps it
	_, err = pgx.ForEachRow(rows, []any{&word, &since}, func() error {
		if word == "" || n.known[word] {
			return nil
		}
		folded := []string{word} // as a rule the database has folded it
		if strings.ContainsFunc(word, func(r rune) bool { return r > unicode.MaxASCII }) {
			folded = foldWords(word)
		}
		if n.known == nil {
			n.known = map[string]bool{}
		}
		n.known[word] = true
		fresh = append(fresh, nameWord{word, folded, letters(strings.Join(folded, ""))})
		return nil
	})
	if err != nil {
		n.known, n.all, n.since = nil, nil, 0 // half a reading counts for nothing
		return nil, fmt.Errorf("reading the words of names: %w", err)
	}
	n.all, n.since = fresh, uint64(since)
	return n.all, nil
}

// likeWords returns for each typed word the words of names that are like it, the closest first.
func (s *server) likeWords(ctx context.Context, typed []string) ([][]string, error) {
	all, err := s.names.read(ctx, s)
	if err != nil {
		return nil, err
	}
	like := make([][]string, len(typed))
	for i, t := range typed {
		type candidate struct {
			word  string
			score int
		}
		var list []candidate
		set, slips := letters(t), allowed(t)
		for _, w := range all {
			if bits.OnesCount64(set&^w.letters) > slips { // as apart would say, without asking it
				continue
			}
			if n := score([]string{t}, w.folded); n >= 0 {
				list = append(list, candidate{w.word, n})
			}
		}
		slices.SortFunc(list, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.word, b.word))
		})
		for _, c := range list[:min(len(list), mostWords)] {
			like[i] = append(like[i], c.word)
		}
	}
	return like, nil
}
