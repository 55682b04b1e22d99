package portal

import (
	"strings"

	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// levelName writes a school level for people: « P3 · 3e primaire ».
func levelName(l *locale.Locale, level string) string {
	if level == "" {
		return ""
	}
	return l.T("level."+strings.ToLower(level), level)
}

// told writes a problem's code for people. An arg that is itself a message key, such as the name of a state, is
// written too.
func told(l *locale.Locale, code string, args []any) string {
	words := make([]any, len(args))
	for i, a := range args {
		words[i] = a
		if key, ok := a.(string); ok && strings.Contains(key, ".") && !strings.Contains(key, " ") && l.Has(key) {
			words[i] = l.T(key)
		}
	}
	return unbroken(l, l.T(code, words...))
}

// faulty writes what is wrong with an input. A reason that names no input by itself, such as an empty one, is said in the
// words that the language has for this input, if it has: the summary on top of a form stands far from the inputs.
func faulty(l *locale.Locale, f problem.Field) string {
	if own := f.Code + "." + f.Name; l.Has(own) {
		return told(l, own, f.Args)
	}
	return told(l, f.Code, f.Args)
}

// frenchMarks are the marks that French sets apart by a space at which no line may break.
var frenchMarks = strings.NewReplacer("« ", "«\u00a0", " »", "\u00a0»", " ?", "\u00a0?", " !", "\u00a0!", " :", "\u00a0:", " ;", "\u00a0;")

// unbroken keeps French marks with their word: nobody types no-break spaces into a catalogue.
func unbroken(l *locale.Locale, text string) string {
	if l.Lang() != "fr" {
		return text
	}
	return frenchMarks.Replace(text)
}
