package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ribambelle/internal/civil"
)

func TestLogRedacts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newLogger(&out, slog.LevelInfo)
	log.Info("sign-in",
		"password", "s3same", "reset_token", "t0ken", "email", "sophie@famille.example",
		"error", errors.New("dialling postgres://town:s3same@db/town for sophie@famille.example"),
		slog.Group("child", "first_name", "Léa", "national_number", "15.04.12-123.45"),
		"detail", "number 15.04.12-123.45, key test_abcdefghijk, Authorization: Bearer t0ken",
		"route", "/mon-espace", "status", 200)
	for _, secret := range []string{"s3same", "t0ken", "famille.example", "Léa", "123.45", "abcdefghijk"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, out.String())
		}
	}
	for _, kept := range []string{"/mon-espace", "200", "dialling", "postgres://town"} {
		if !strings.Contains(out.String(), kept) {
			t.Errorf("the log lost %q:\n%s", kept, out.String())
		}
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 6, 20, 9, 0, 0, 0, civil.Brussels)
	for _, s := range []string{"2026-06-20T09:00", "2026-06-20 09:00", "2026-06-20T09:00:00", "2026-06-20T07:00:00Z", "2026-06-20T09:00:00+02:00"} {
		if got, err := instant(s); err != nil || !got.Equal(want) {
			t.Errorf("instant(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "tomorrow", "20/06/2026", "2026-06-31T09:00"} {
		if got, err := instant(s); err == nil {
			t.Errorf("instant(%q) = %v", s, got)
		}
	}
}

func TestConfigFiles(t *testing.T) {
	t.Parallel()
	if _, err := loadConfig(func(string) (string, bool) { return "", false }); err != nil {
		t.Errorf("an empty environment: %v", err)
	}
	help := environment()
	var c Config
	for _, s := range c.settings() {
		if !strings.Contains(help, s.name) {
			t.Errorf("--help lacks %s", s.name)
		}
	}
}
