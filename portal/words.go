package portal

import (
	"strings"

	"ribambelle/internal/locale"
)

// levelName writes a school level for people: « P3 · 3e primaire ».
func levelName(l *locale.Locale, level string) string {
	if level == "" {
		return ""
	}
	return l.T("level."+strings.ToLower(level), level)
}
