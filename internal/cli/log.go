package cli

import (
	"io"
	"log/slog"
	"regexp"
	"strings"
)

// newLogger returns the process's log: JSON lines, without what must never stand in a log. The rooms do not log such
// values; this is the net below them.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}))
}

const redacted = "[redacted]"

// secretKeys are words in the name of an attribute whose value never reaches the log.
var secretKeys = []string{
	"password", "secret", "token", "cookie", "authorization", "api_key", "apikey", "keyset",
	"email", "phone", "first_name", "last_name", "national", "birth", "iban",
}

func redactAttr(_ []string, a slog.Attr) slog.Attr {
	key := strings.ToLower(a.Key)
	for _, word := range secretKeys {
		if strings.Contains(key, word) {
			return slog.String(a.Key, redacted)
		}
	}
	switch v := a.Value.Any().(type) {
	case string:
		return slog.String(a.Key, redact(v))
	case error:
		return slog.String(a.Key, redact(v.Error()))
	}
	return a
}

// secretTexts are shapes that give themselves away: passwords in addresses, mail addresses, Mollie's keys, national
// numbers with their usual marks, bearer tokens.
var secretTexts = []struct {
	shape *regexp.Regexp
	with  string
}{
	{regexp.MustCompile(`(://[^/\s:@]*):[^/\s@]+@`), "$1:" + redacted + "@"},
	{regexp.MustCompile(`\b(live|test)_[A-Za-z0-9]{8,}`), "${1}_" + redacted},
	{regexp.MustCompile(`(?i)\bbearer\s+\S+`), "Bearer " + redacted},
	{regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`), redacted},
	{regexp.MustCompile(`\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}\b`), redacted},
}

func redact(s string) string {
	for _, t := range secretTexts {
		s = t.shape.ReplaceAllString(s, t.with)
	}
	return s
}
