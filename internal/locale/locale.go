// Package locale holds the message catalogues and writes dates, times, money and phone numbers the Belgian way.
//
// Messages live in po/<language>/<room>.po, one file a room, embedded in the binary. A key is dotted
// ("camp.places_left"). French is complete; another language falls back to French, key by key.
package locale

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leonelquinteros/gotext"

	"ribambelle/internal/civil"
)

//go:embed po
var files embed.FS

// Languages are the languages with a catalogue; the first is the one the others fall back to.
var Languages = []string{"fr", "nl", "de", "en"}

// Locale is one language: its messages and its way of writing dates, money and numbers.
// It is immutable and safe for concurrent use.
type Locale struct {
	lang     string
	words    words
	messages map[string]*gotext.Translation
	fallback *Locale // nil for French
}

var all = sync.OnceValue(func() map[string]*Locale {
	locales := make(map[string]*Locale, len(Languages))
	for _, lang := range Languages {
		locales[lang] = &Locale{
			lang: lang, words: vocabulary[lang],
			messages: load(files, lang), fallback: locales[Languages[0]],
		}
	}
	return locales
})

// load reads every room's file of a language. gotext skips what it does not understand; the tests do not.
func load(fsys fs.FS, lang string) map[string]*gotext.Translation {
	messages := make(map[string]*gotext.Translation)
	names, _ := fs.Glob(fsys, path.Join("po", lang, "*.po"))
	for _, name := range names {
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			continue // the files are embedded: this cannot happen
		}
		po := gotext.NewPo()
		po.Parse(raw)
		for id, tr := range po.GetDomain().GetTranslations() {
			if id != "" && tr.IsTranslated() {
				messages[id] = tr
			}
		}
	}
	return messages
}

// For returns the locale of a language tag such as "fr", "nl-BE" or "de_BE"; French for any other language.
func For(lang string) *Locale {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(lang), "_", "-"), "-")
	if l, ok := all()[base]; ok {
		return l
	}
	return all()[Languages[0]]
}

// Known reports whether lang is exactly one of Languages.
func Known(lang string) bool { return slices.Contains(Languages, lang) }

// Lang returns the language code, "fr": what the lang attribute of a page holds.
func (l *Locale) Lang() string { return l.lang }

// Has reports whether this language itself, without its fallback, has a message for key.
func (l *Locale) Has(key string) bool { return l.messages[key] != nil }

// Keys returns the keys of this language, without its fallback, in no order.
func (l *Locale) Keys() []string {
	keys := make([]string, 0, len(l.messages))
	for k := range l.messages {
		keys = append(keys, k)
	}
	return keys
}

// T returns the message for key with the args put in its fmt verbs. An arg that is a civil.Date, civil.Cents or
// time.Time is first written the language's way (use %s); surplus args are ignored, so that a language need not use
// all. A message without args may hold a bare "%", one with args writes "%%". A missing key comes from French; if it
// is missing there too, the key itself is returned.
func (l *Locale) T(key string, args ...any) string {
	owner, tr := l.find(key)
	if tr == nil {
		return key
	}
	return owner.format(tr.Trs[0], args)
}

// N returns the plural form of key for n. The count is always the first verb's arg, args follow: the message
// "%d places à %s" is asked as N("camp.places_at", 3, "Namur"). In French 0 and 1 are singular.
func (l *Locale) N(key string, n int, args ...any) string {
	owner, tr := l.find(key)
	if tr == nil {
		return key
	}
	form := tr.Trs[owner.words.plural(n)]
	if form == "" {
		form = tr.Trs[0]
	}
	return owner.format(form, append([]any{n}, args...))
}

// find returns the message and the locale it was found in, whose plural rule and formats apply to it.
func (l *Locale) find(key string) (*Locale, *gotext.Translation) {
	for ; l != nil; l = l.fallback {
		if tr := l.messages[key]; tr != nil {
			return l, tr
		}
	}
	return nil, nil
}

func (l *Locale) format(message string, args []any) string {
	if len(args) == 0 {
		return message
	}
	local := make([]any, min(len(args), verbs(message)))
	for i := range local {
		switch v := args[i].(type) {
		case civil.Date:
			local[i] = l.Day(v)
		case civil.Cents:
			local[i] = l.Euros(v)
		case time.Time:
			local[i] = l.DateTime(v)
		default:
			local[i] = v
		}
	}
	return fmt.Sprintf(message, local...)
}

// verb is one fmt verb: its explicit arg index, if any, and its letter; "%%" has neither.
var verb = regexp.MustCompile(`%(?:%|[-+# 0]*[0-9]*(?:\.[0-9]+)?(?:\[([0-9]+)\])?[a-zA-Z])`)

// verbs returns how many args the fmt verbs of a message reach: "%s %d" and "%[2]d" both reach two.
func verbs(message string) int {
	reach, next := 0, 0
	for _, m := range verb.FindAllStringSubmatch(message, -1) {
		if m[0] == "%%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
			next--
		}
		next++
		reach = max(reach, next)
	}
	return reach
}
