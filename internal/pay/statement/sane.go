package statement

import (
	"strings"
	"unicode/utf8"

	"ribambelle/internal/pay/transfer"
)

// failer is the part of testing.TB that Sane needs.
type failer interface {
	Errorf(format string, args ...any)
}

// Sane fails a test of a parser when what it read is beyond the bounds or could not be stored.
func Sane(t failer, all []Statement) {
	n := 0
	for _, s := range all {
		if len(s.Warnings) > maxWarnings {
			t.Errorf("%d warnings", len(s.Warnings))
		}
		texts := []string{s.Account, s.Currency, s.Number}
		for _, w := range s.Warnings {
			texts = append(texts, w.Args...)
		}
		for _, e := range s.Entries {
			n++
			texts = append(texts, e.FreeText, e.CounterpartyName, e.CounterpartyIBAN, e.BankRef, e.Kind, e.EndToEnd, e.Returned)
			if _, err := transfer.Parse(e.Communication); e.Communication != "" && err != nil {
				t.Errorf("communication %q", e.Communication)
			}
		}
		for _, v := range texts {
			if !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\r\n") || utf8.RuneCountInString(v) > MaxText {
				t.Errorf("text %q", v)
			}
		}
	}
	if n > MaxEntries || len(all) > MaxStatements {
		t.Errorf("%d entries in %d statements", n, len(all))
	}
}
